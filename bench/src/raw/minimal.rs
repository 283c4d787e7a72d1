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
