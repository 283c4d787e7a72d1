//! The embedded default store: one SQLite file.
//!
//! It keeps the promises of [`switchboard_store`] with one writer thread that commits many commands
//! at once ([`writer`]), one that syncs a commit while the next is made ([`writer::sync`]), readers on
//! the threads that ask ([`reader`]) that keep what they see while nothing is written ([`snapshot`]),
//! and checkpoints by a thread of their own ([`checkpoint`]).
//!
//! What never happens here: a look at the clock, a change outside the writer, an answer to a write or
//! to a read before what it tells is on disk ([`durable`]), a lock held across an `await`.

#![allow(clippy::doc_markdown, reason = "SQLite is a name, not code")]

mod access;
pub mod backup;
mod chat;
mod checkpoint;
mod conversation;
mod delivery;
mod durable;
mod early;
mod event;
mod expiry;
mod failure;
mod files;
mod incoming;
mod ingest;
mod known;
mod mark;
mod message;
mod message_tag;
mod moved;
mod once;
mod outbox;
mod participant;
mod query;
mod reader;
mod record;
mod rows;
mod schedule;
mod schema;
pub mod size;
mod snapshot;
mod state;
mod sweep;
mod tag_value;
mod tags;
mod taken;
#[cfg(test)]
mod tests;
mod thread;
mod unmapped;
mod user;
mod version;
mod workflow;
mod writer;

use std::fs::File;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use switchboard_model::{Error, Result, Timestamp, Token};
use switchboard_store::{Change, Store, TokenHash};
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot, watch};

use crate::checkpoint::Checkpointer;
use crate::durable::Durable;
use crate::failure::{Done, Failure};
use crate::files::Files;
use crate::known::Known;
use crate::snapshot::{Snapshots, Statements};
use crate::writer::sync::{Log, Syncer};
use crate::writer::{Command, Request, Tx};

/// What the writer keeps of the database in memory, in KiB: at ten million messages, the inner pages
/// of all that a message enters, and the pages of a large commit.
const WRITER_CACHE: i64 = 32 * 1024;
/// What each reader keeps, in KiB. What it does not keep is in the system's memory as a rule.
pub(crate) const READER_CACHE: i64 = 1024;
/// How many lists are read at once, so that they leave threads to what else blocks.
const LISTS: usize = 8;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many commands may wait for the writer; one more is `Busy` at once.
    pub queue: usize,
    /// How many changes a slow listener may lag behind before it loses some.
    pub changes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue: 4096,
            changes: 4096,
        }
    }
}

/// A store in one SQLite file. Cheap to clone; clones are one store.
#[derive(Clone)]
pub struct SqliteStore {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Request>,
    lists: Arc<Semaphore>,
}

/// How much a store has written since it was opened. The commands of one commit share its cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Commits that are on disk.
    pub commits: u64,
    /// Commands in them, also those that were refused.
    pub commands: u64,
}

/// What the threads of a store have in common.
pub(crate) struct Shared {
    pub(crate) path: PathBuf,
    pub(crate) files: Files,
    pub(crate) known: Known,
    pub(crate) snapshots: Snapshots,
    pub(crate) durable: Durable,
    pub(crate) changes: broadcast::Sender<Change>,
    /// See [`once::asks_until`].
    pub(crate) asks_for_digests_until: i64,
    closed: AtomicBool,
    poisoned: watch::Sender<bool>,
    commits: AtomicU64,
    commands: AtomicU64,
}

impl Shared {
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        *self.poisoned.borrow()
    }

    /// A commit of so many commands is on disk.
    pub(crate) fn count(&self, commands: usize) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        let commands = u64::try_from(commands).unwrap_or(u64::MAX);
        self.commands.fetch_add(commands, Ordering::Relaxed);
    }

    pub(crate) fn poison(&self, cause: &str) {
        self.poisoned.send_replace(true);
        self.durable.give_up();
        // After the fact, and fenced: a log that cannot be written may be the cause.
        let told = catch_unwind(|| {
            tracing::error!(
                cause,
                "the outcome of a write is unknown; the store takes nothing more, restart to find \
                 out"
            );
        });
        drop(told);
    }
}

impl SqliteStore {
    /// Opens the database at `path`, or makes it (readable by its owner only).
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, &Options::default())
    }

    /// Opens the database at `path` with options.
    pub fn open_with(path: &Path, options: &Options) -> Result<Self> {
        Self::open_synced(path, options, |log| Arc::new(move || log.sync_data()))
    }

    /// The same, with what syncs the log.
    fn open_synced(path: &Path, options: &Options, log: impl FnOnce(File) -> Log) -> Result<Self> {
        let unavailable = |error: std::io::Error| Error::Unavailable {
            reason: format!("{}: {error}", path.display()),
        };
        create(path).map_err(unavailable)?;
        let writer = open_writer(path).map_err(Failure::into_error)?;
        let second = open_checkpointer(path).map_err(Failure::into_error)?;
        let files = Files::opened(path).map_err(unavailable)?;
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            files,
            known: Known::default(),
            snapshots: Snapshots::default(),
            durable: Durable::default(),
            changes: broadcast::Sender::new(options.changes.max(1)),
            asks_for_digests_until: once::asks_until(&writer).map_err(Failure::into_error)?,
            closed: AtomicBool::new(false),
            poisoned: watch::Sender::new(false),
            commits: AtomicU64::new(0),
            commands: AtomicU64::new(0),
        });
        let (queue, commands) = mpsc::channel(options.queue.max(1));
        let log = shared.files.log().map(log).map_err(unavailable)?;
        let syncer = Syncer::start(&shared, log).map_err(unavailable)?;
        let checkpointer = Checkpointer::start(&shared, second).map_err(unavailable)?;
        thread::spawn(&shared, "sqlite-writer", move |shared| {
            writer::run(shared, writer, commands, checkpointer, syncer);
        })
        .map_err(unavailable)?;
        Ok(Self {
            shared,
            queue,
            lists: Arc::new(Semaphore::new(LISTS)),
        })
    }

    /// Whether the outcome of a write became unknown: a commit failed midway, or a thread of the
    /// store is gone. The store then takes nothing more: the process must end, and opening the
    /// database again decides.
    pub fn is_poisoned(&self) -> bool {
        self.shared.is_poisoned()
    }

    /// How much it has written so far.
    pub fn written(&self) -> Written {
        Written {
            commits: self.shared.commits.load(Ordering::Relaxed),
            commands: self.shared.commands.load(Ordering::Relaxed),
        }
    }

    /// Waits until [`is_poisoned`](Self::is_poisoned); for ever, if all goes well.
    pub async fn poisoned(&self) {
        let mut poisoned = self.shared.poisoned.subscribe();
        // The sender lives in `shared`, so that this cannot end early.
        drop(poisoned.wait_for(|poisoned| *poisoned).await);
    }

    /// Hands a command to the writer and waits for its commit. `work` changes nothing but the database:
    /// it may be run, rolled back and run again.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut Tx<'_>) -> Done<T> + Send + 'static,
    {
        self.check_open()?;
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Command::new(work, reply));
        self.queue
            .try_send(Request::Job(job))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Error::Busy,
                mpsc::error::TrySendError::Closed(_) => {
                    self.check_open().err().unwrap_or_else(closed)
                }
            })?;
        // A writer that closes answers everyone. One that panicked may have committed this.
        let (result, _work) = answer.await.map_err(|_| Error::OutcomeUnknown)?;
        result
    }

    /// Reads a little, on this thread. What it gives is on disk.
    pub(crate) async fn read<T>(&self, work: impl FnOnce(&Connection) -> Done<T>) -> Result<T> {
        self.check_open()?;
        let read = reader::read(&self.shared, Statements::Several, work);
        self.on_disk(read).await
    }

    /// Reads with one statement, on this thread. What it gives is on disk.
    pub(crate) async fn read_one<T>(&self, work: impl FnOnce(&Connection) -> Done<T>) -> Result<T> {
        self.check_open()?;
        let read = reader::read(&self.shared, Statements::One, work);
        self.on_disk(read).await
    }

    /// Reads a little of bots, integrations and tokens alone, on this thread. What it gives is on disk,
    /// whatever else is being written.
    pub(crate) async fn read_access<T>(
        &self,
        work: impl FnOnce(&Connection) -> Done<T>,
    ) -> Result<T> {
        self.check_open()?;
        let read = reader::read(&self.shared, Statements::One, work);
        let value = read.map_err(Failure::into_error)?;
        self.shared.durable.reached_access().await;
        self.unless_poisoned(value)
    }

    /// What was read, as soon as it is on disk.
    async fn on_disk<T>(&self, read: Done<T>) -> Result<T> {
        let value = read.map_err(Failure::into_error)?;
        self.shared.durable.reached().await;
        self.unless_poisoned(value)
    }

    /// Whoever has waited may have done so in vain.
    fn unless_poisoned<T>(&self, value: T) -> Result<T> {
        if self.shared.is_poisoned() {
            return Err(poisoned());
        }
        Ok(value)
    }

    /// The token with this hash: one that was read before and has not changed, or what `read` gives. It
    /// may not be on disk yet: then nobody has been told of it.
    pub(crate) fn known_token(
        &self,
        hash: TokenHash,
        read: impl FnOnce(&Connection) -> Done<Option<Token>>,
    ) -> Result<Option<Token>> {
        self.check_open()?;
        self.shared
            .known
            .find(hash, || reader::read(&self.shared, Statements::One, read))
            .map_err(Failure::into_error)
    }

    /// Reads perhaps much, on a thread that may block.
    pub(crate) async fn list<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Done<T> + Send + 'static,
    {
        self.check_open()?;
        let shared = Arc::clone(&self.shared);
        let permit = Arc::clone(&self.lists).acquire_owned().await;
        let done = tokio::task::spawn_blocking(move || (reader::read_long(&shared, work), permit));
        // It comes back with the result. Whoever gives up waiting does not give it back before the work
        // is done.
        let (read, _permit) = done.await.map_err(Error::internal)?;
        self.on_disk(read).await
    }

    /// Whether commands wait for the writer.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.queue.capacity() < self.queue.max_capacity()
    }

    fn check_open(&self) -> Result<()> {
        if self.shared.is_poisoned() {
            return Err(poisoned());
        }
        if self.shared.is_closed() {
            return Err(closed());
        }
        Ok(())
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn changes(&self) -> broadcast::Receiver<Change> {
        self.shared.changes.subscribe()
    }

    async fn ping(&self) -> Result<()> {
        // An empty transaction would not touch the disk, and could not tell that it is full.
        const PROBE: &str = "INSERT INTO probe (id, count) VALUES (0, 1)
            ON CONFLICT (id) DO UPDATE SET count = count + 1";
        self.write(|tx| rows::execute(tx.connection, PROBE, []).map(|_| ()))
            .await
    }

    async fn sweep(&self, now: Timestamp) -> Result<usize> {
        if self
            .read(|connection| sweep::is_idle(connection, now))
            .await?
        {
            return Ok(0);
        }
        self.write(move |tx| sweep::sweep(tx, now)).await
    }

    async fn close(&self) -> Result<()> {
        if self.shared.closed.swap(true, Ordering::AcqRel) {
            return Err(closed());
        }
        let (done, closed) = oneshot::channel();
        if self.queue.send(Request::Close(done)).await.is_ok() {
            // An error means that the writer has ended already: that is what was asked for.
            drop(closed.await);
        }
        Ok(())
    }
}

pub(crate) fn closed() -> Error {
    Error::Unavailable {
        reason: "it is closed; start the server again".to_owned(),
    }
}

pub(crate) fn poisoned() -> Error {
    Error::Unavailable {
        reason: "the outcome of an earlier write is unknown; restart the server to find out"
            .to_owned(),
    }
}

/// Makes the file before SQLite does, which would let others read it; its log takes over the
/// rights.
fn create(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(|_| ())
}

fn open_writer(path: &Path) -> Done<Connection> {
    let mut connection = open_file(path, checkpoint::PATIENCE)?;
    // Before anything is changed, and again in the transaction that migrates.
    schema::version(&connection)?;
    configure(&connection)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE)?;
    // A savepoint copies the pages that its command changes, so that they can be put back. In a file
    // that would be a system call for each page.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    schema::migrate(&mut connection)?;
    // From here on the log is synced by a thread of its own.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

fn open_checkpointer(path: &Path) -> Done<Connection> {
    // Short: closing waits for readers no longer than this.
    let connection = open_file(path, Duration::from_secs(1))?;
    configure(&connection)?;
    Ok(connection)
}

/// Plans are made once for a statement, not anew for the values bound to it: without this, `SQLite`
/// parses and plans most cached statements again on each execution.
pub(crate) fn keep_plans(connection: &Connection) -> Done<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

fn open_file(path: &Path, patience: Duration) -> Done<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(patience)?;
    connection.set_prepared_statement_cache_capacity(256);
    keep_plans(&connection)?;
    Ok(connection)
}

fn configure(connection: &Connection) -> Done<()> {
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(())
}
