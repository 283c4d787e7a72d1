//! What may differ from one raw writer to the next. As a rule nothing does: it is set as the store's
//! writer is.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::Checkpointer;
use super::checkpoint::WORTHWHILE;
use crate::failure::Result;

/// The store's, of a writer's cache.
const CACHE_MIB: i64 = 32;

const INDEXES: &str = "DROP INDEX IF EXISTS message_bot;
    DROP INDEX IF EXISTS delivery_bot; DROP INDEX IF EXISTS delivery_message";

/// Who copies the log into the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checkpoints {
    /// A second thread, whenever the log has so many pages.
    Thread(i64),
    /// The same, which goes over it twice and syncs the database each time, as the store's.
    Syncing(i64),
    /// The writer itself, in its commit, whenever the log has so many pages.
    Writer(i64),
}

/// Who syncs the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syncs {
    /// The writer, in its commit.
    Commit,
    /// A second thread, while the writer makes the next commit, as the store's.
    Thread,
}

/// What of the store's own schema may be left out, to see what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// What finds a message by its tags.
    Tags,
    /// The delivery that announces the message.
    Delivery,
    /// What lists a bot's messages and deliveries in order, and finds those of a message:
    /// entries that lie at the end of their index.
    Indexes,
}

/// How a raw writer works.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) checkpoints: Checkpoints,
    pub(crate) syncs: Syncs,
    /// Whether each command has a savepoint of its own.
    pub(crate) savepoints: bool,
    /// What it keeps of the database in memory.
    pub(crate) cache_mib: i64,
    pub(crate) without: Option<Part>,
}

impl Settings {
    /// Those of the rows that the server is measured beside: plain `SQLite` and a thread that copies
    /// the log.
    pub(crate) const CEILING: Self = Self {
        checkpoints: Checkpoints::Thread(WORTHWHILE),
        syncs: Syncs::Commit,
        savepoints: false,
        cache_mib: CACHE_MIB,
        without: None,
    };

    /// A connection that writes, to a database of which nobody reads if indexes are left out.
    pub(super) fn connect(self, path: &Path) -> Result<Connection> {
        let pages = match self.checkpoints {
            Checkpoints::Thread(_) | Checkpoints::Syncing(_) => 0,
            Checkpoints::Writer(pages) => pages,
        };
        let connection = super::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        let synchronous = match self.syncs {
            Syncs::Commit => "FULL",
            Syncs::Thread => "NORMAL",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.pragma_update(None, "wal_autocheckpoint", pages)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "cache_size", -1024 * self.cache_mib)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        if self.without == Some(Part::Indexes) {
            connection.execute_batch(INDEXES)?;
        }
        Ok(connection)
    }

    /// The thread that copies its log, if it is to have one.
    pub(super) fn checkpointer(
        self,
        path: &Path,
        writer: &mut Connection,
    ) -> Result<Option<Checkpointer>> {
        match self.checkpoints {
            Checkpoints::Thread(pages) => Checkpointer::start(path, writer, pages, false).map(Some),
            Checkpoints::Syncing(pages) => Checkpointer::start(path, writer, pages, true).map(Some),
            Checkpoints::Writer(_) => Ok(None),
        }
    }
}
