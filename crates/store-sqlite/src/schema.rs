//! The schema and its migrations: forward only, numbered by `user_version`. A newer database is
//! refused, for an older program would not keep what a newer one promises; so is another program's,
//! told by its `application_id`. What is refused is left as it is.

use rusqlite::Connection;

use crate::failure::{Done, Failure};
use switchboard_model::Error;

/// Each migration takes the database from the version of its place to the next.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_start.sql"),
    include_str!("migrations/0002_reset.sql"),
    include_str!("migrations/0003_workflow.sql"),
    include_str!("migrations/0004_changes.sql"),
    include_str!("migrations/0005_history.sql"),
    include_str!("migrations/0006_script.sql"),
    include_str!("migrations/0007_unmapped.sql"),
    include_str!("migrations/0008_moved.sql"),
    include_str!("migrations/0009_tag_values.sql"),
    include_str!("migrations/0010_membership.sql"),
    include_str!("migrations/0011_changes_sent.sql"),
    include_str!("migrations/0012_edited.sql"),
    include_str!("migrations/0013_message_tags.sql"),
    include_str!("migrations/0014_new.sql"),
    include_str!("migrations/0015_announced.sql"),
    include_str!("migrations/0016_settled.sql"),
    include_str!("migrations/0017_dismissed.sql"),
    include_str!("migrations/0018_early_edits.sql"),
    include_str!("migrations/0019_numbered_once.sql"),
];

/// Marks a database as Switchboard's: `Swbd`.
const APPLICATION: i32 = 0x5377_6264;

const IS_EMPTY: &str = "SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)";

/// How many migrations the database has behind it. Refuses what this program cannot work with.
pub(crate) fn version(connection: &Connection) -> Done<usize> {
    let refused = |reason: String| Failure::Refused(Error::Unavailable { reason });
    let application: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let is_empty: bool = connection.query_row(IS_EMPTY, [], |row| row.get(0))?;
    let is_new = is_empty && application == 0;
    if application != APPLICATION && !is_new {
        return Err(refused(
            "the file is the database of another program, or of an unreleased version of this one; \
             choose another path, or move it away"
                .to_owned(),
        ));
    }
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = MIGRATIONS.len();
    let done = usize::try_from(version).ok().filter(|done| *done <= known);
    done.ok_or_else(|| {
        refused(format!(
            "the database has schema version {version}, this program knows up to {known}; start the \
             newer program that wrote it, or restore a backup"
        ))
    })
}

/// The version that this program knows.
pub(crate) const fn known() -> usize {
    MIGRATIONS.len()
}

/// Brings the database to the version this program knows.
pub(crate) fn migrate(connection: &mut Connection) -> Done<()> {
    migrate_to(connection, known())
}

/// Brings the database to a version, if it is older.
pub(crate) fn migrate_to(connection: &mut Connection, target: usize) -> Done<()> {
    let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let done = version(&tx)?;
    for (number, migration) in MIGRATIONS.iter().enumerate().take(target).skip(done) {
        tx.execute_batch(migration)?;
        let next = i64::try_from(number + 1).map_err(Failure::damage)?;
        tx.pragma_update(None, "user_version", next)?;
        tx.pragma_update(None, "application_id", APPLICATION)?;
    }
    tx.commit()?;
    Ok(())
}
