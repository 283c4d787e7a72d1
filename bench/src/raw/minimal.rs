//! Databases of a minimal schema: new ones, and some with much in them.

use std::path::Path;

use rusqlite::Connection;

use super::ingest::Word;
use super::{Numbers, Schema};
use crate::failure::Result;
use crate::stored::Size;

/// How often the caller hears how far it is.
const STEP: u64 = 10_000;

/// Makes an empty one.
pub(crate) fn make(path: &Path, schema: Schema) -> Result<()> {
    Ok(Connection::open(path)?.execute_batch(schema.sql())?)
}

/// Makes one that holds what so many ingests have left, by the statements of an ingest. `progress`
/// is told how many messages there are. Not safe from a crash before its end.
pub(crate) fn fill(
    path: &Path,
    schema: Schema,
    size: Size,
    mut progress: impl FnMut(u64),
) -> Result<()> {
    make(path, schema)?;
    let connection = Connection::open(path)?;
    connection.execute_batch(super::UNSAFE)?;
    connection.pragma_update(None, "cache_size", -super::loader_cache(size))?;
    let threads = size.threads();
    let mut numbers = Numbers::new(0);
    connection.execute_batch("BEGIN")?;
    let mut statements = schema.statements(&connection, None)?;
    for number in 1..=size.messages {
        let word = Word {
            thread: threads.of(number),
            identity: 0,
            number,
            delivered: true,
        };
        statements.take(&mut numbers, word)?;
        if number % STEP == 0 {
            progress(number);
        }
    }
    drop(statements);
    connection.execute_batch("COMMIT")?;
    drop(connection);
    std::fs::File::open(path)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_is_whole_and_as_much_as_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let size = Size {
            conversations: 40,
            messages: 400,
        };
        for schema in [Schema::Integer, Schema::Text] {
            let path = folder.path().join(schema.name());
            fill(&path, schema, size, |_| {}).unwrap();
            let connection = Connection::open(&path).unwrap();
            let value = |sql: &str| -> String {
                connection
                    .query_row(sql, [], |row| row.get::<_, rusqlite::types::Value>(0))
                    .map(|value| format!("{value:?}"))
                    .unwrap()
            };
            assert_eq!(value("SELECT count(*) FROM message"), "Integer(400)");
            assert_eq!(value("SELECT count(*) FROM conversation"), "Integer(40)");
            assert_eq!(value("SELECT count(*) FROM user"), "Integer(40)");
            assert_eq!(value("SELECT sum(delivered) FROM outbox"), "Integer(400)");
            assert_eq!(
                value("SELECT sum(next_seq - 1) FROM conversation"),
                "Integer(400)"
            );
            assert_eq!(value("PRAGMA integrity_check"), "Text(\"ok\")");
            assert_eq!(
                value("SELECT count(*) FROM pragma_foreign_key_check"),
                "Integer(0)"
            );
        }
    }
}
