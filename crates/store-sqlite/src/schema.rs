//! The schema and its migrations: forward only, numbered by `user_version`. A newer database is
//! refused, for an older program would not keep what a newer one promises.

use rusqlite::Connection;

use crate::failure::{Done, Failure};
use switchboard_model::Error;

/// Each migration takes the database from the version of its place to the next.
const MIGRATIONS: &[&str] = &[include_str!("migrations/0001_start.sql")];

/// Brings the database to the version this program knows.
pub(crate) fn migrate(connection: &mut Connection) -> Done<()> {
    let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: i64 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = MIGRATIONS.len();
    let done = usize::try_from(version).ok().filter(|done| *done <= known);
    let Some(done) = done else {
        return Err(Failure::Refused(Error::Unavailable {
            reason: format!(
                "the database has schema version {version}, this program knows up to {known}; \
                 start the newer program that wrote it, or restore a backup"
            ),
        }));
    };
    for (number, migration) in MIGRATIONS.iter().enumerate().skip(done) {
        tx.execute_batch(migration)?;
        let next = i64::try_from(number + 1).map_err(Failure::damage)?;
        tx.pragma_update(None, "user_version", next)?;
    }
    tx.commit()?;
    Ok(())
}
