//! The ceiling: what `SQLite` itself does in one thread with the store's schema, indexes, pragmas,
//! checkpoints and batches, and the rows that the store would write.
//!
//! It leaves out what a server cannot: callers, queues between threads, checks of the input, digests,
//! objects built from rows and written as JSON, a look whether the file is still there. Statements are
//! prepared once and held. So it cannot be reached; how near one comes is the question.
//!
//! SQL stands here and in `store-*` only. The statements follow the store's: where they no longer
//! fit the schema they fail, and the smoke test with them.

/// The store's: the last place of the conversation `c`.
macro_rules! last_place {
    () => {
        "coalesce((SELECT p.seq FROM message p
            WHERE p.conversation = c.id AND p.seq >= 0 ORDER BY p.seq DESC LIMIT 1), 0)"
    };
}

mod checkpoint;
mod conversation;
mod ingest;
mod load;
mod message;
mod minimal;
mod rows;
mod settings;
mod sync;

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::failure::Result;
use crate::stored::Size;
use crate::system;

pub(crate) use checkpoint::{Checkpointer, WORTHWHILE};
pub(crate) use conversation::{Finder, Maker};
pub(crate) use ingest::{Ingest, Schema};
pub(crate) use load::load;
pub(crate) use message::{Get, List, Poster};
pub(crate) use minimal::{fill, make};
pub(crate) use settings::{Checkpoints, Part, Settings, Syncs};

/// The store's: larger commits gain little.
pub(crate) const BATCH: usize = 256;

/// The log goes first: while there is one, the journal cannot be switched off.
const UNSAFE: &str = "PRAGMA journal_mode = DELETE; PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF";

/// What a loader keeps in memory, in KiB. The indexes that a message enters anywhere stay there:
/// about 150 bytes for each.
fn loader_cache(size: Size) -> i64 {
    (size.messages / 4).clamp(16_384, 3 << 20).cast_signed()
}

/// A connection that writes, as the store's writer has it.
pub(crate) fn writer(path: &Path) -> Result<Connection> {
    Settings::CEILING.connect(path)
}

/// A connection that reads, as the store's readers have it.
pub(crate) fn reader(path: &Path) -> Result<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.pragma_update(None, "cache_size", -1024)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(std::time::Duration::from_secs(30))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

/// The number of the only bot.
pub(crate) fn bot(connection: &Connection) -> Result<i64> {
    Ok(connection.query_row("SELECT id FROM bot", [], |row| row.get(0))?)
}

/// The number of its Telegram integration.
pub(crate) fn telegram(connection: &Connection) -> Result<i64> {
    const SQL: &str = "SELECT id FROM integration WHERE alias = 'telegram'";
    Ok(connection.query_row(SQL, [], |row| row.get(0))?)
}

/// The ids of some rows of a table whose numbers have no gaps, picked at random.
pub(crate) fn sample(connection: &Connection, table: &str, count: u64) -> Result<Vec<[u8; 16]>> {
    let sql = format!("SELECT max(id) FROM {table}");
    let last: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
    let picked = (0..count).map(|number| 1 + scatter(number) % last.unsigned_abs());
    publics(connection, table, picked)
}

/// The ids of these rows.
pub(crate) fn publics(
    connection: &Connection,
    table: &str,
    rows: impl IntoIterator<Item = u64>,
) -> Result<Vec<[u8; 16]>> {
    let mut statement = connection.prepare(&format!("SELECT public FROM {table} WHERE id = ?1"))?;
    let publics = rows
        .into_iter()
        .map(|id| statement.query_row([id.cast_signed()], |row| row.get(0)));
    Ok(publics.collect::<rusqlite::Result<_>>()?)
}

/// Numbers that lie as ids and digests do, without their cost: ids grow with time, digests are
/// anywhere.
#[derive(Debug, Clone)]
pub(crate) struct Numbers(u64);

impl Numbers {
    /// Others than those of an earlier run, or of another part of this one.
    pub(crate) fn new(part: u64) -> Self {
        Self(system::now() << 20 ^ part << 62)
    }

    /// An id of now, greater than each before it.
    pub(crate) fn id(&mut self) -> [u8; 16] {
        self.id_at(system::now())
    }

    /// An id of this time, in milliseconds.
    pub(crate) fn id_at(&mut self, at: u64) -> [u8; 16] {
        self.0 += 1;
        let within = u128::from(self.0 & 0xff_ffff) << 56 | u128::from(scatter(self.0) >> 8);
        let id = u128::from(at) << 80 | within;
        id.to_be_bytes()
    }

    /// Any number.
    pub(crate) fn digest(&mut self) -> i64 {
        self.0 += 1;
        scatter(self.0).cast_signed()
    }

    /// A key of 16 bytes.
    pub(crate) fn key(&mut self) -> [u8; 16] {
        let halves = [self.digest(), self.digest()].map(i64::to_be_bytes);
        let mut key = [0; 16];
        key[..8].copy_from_slice(&halves[0]);
        key[8..].copy_from_slice(&halves[1]);
        key
    }
}

/// The digest of a name that is a number (the finalizer of `SplitMix64`).
pub(crate) fn scatter(number: u64) -> u64 {
    let mut x = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_and_digests_do_not() {
        let mut numbers = Numbers::new(0);
        let ids: Vec<_> = (0..100).map(|_| numbers.id()).collect();
        assert!(ids.is_sorted());
        let digests: Vec<_> = (0..100).map(|_| numbers.digest()).collect();
        assert!(!digests.is_sorted());
    }
}
