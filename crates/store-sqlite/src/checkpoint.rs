//! Checkpoints: a thread of their own copies the log into the database and syncs that, while the
//! writer goes on, until little has come meanwhile; then the writer copies this little and starts the
//! log anew.
//!
//! The second part is the writer's because a busy writer takes the lock again before any other
//! connection can have it: a checkpoint that waits for it from outside never ends, and the log
//! grows for ever.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use crate::{Shared, thread};

/// Pages in the log from which it is worth copying.
const WORTHWHILE: i64 = 10_000;
/// So few pages are left to the writer, who would wait for the disk with more.
const LITTLE: i64 = 500;
/// How often the thread goes over the log before it leaves the rest to the writer all the same.
const PASSES: usize = 2;
/// Pages in the log from which its file is cut, not only used again.
pub(crate) const LARGE: i64 = 65_536;
/// How long the writer waits for readers that still look at the log's old pages.
const FOR_READERS: Duration = Duration::from_millis(20);
/// How long the writer waits for anything else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

const PASSIVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";
const RESTART: &str = "PRAGMA wal_checkpoint(RESTART)";
const TRUNCATE: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// The writer's side of the thread.
pub(crate) struct Checkpointer {
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
    copied: Arc<AtomicBool>,
    /// Whether the thread was woken and its work has not been taken up yet.
    asked: bool,
    /// Pages in the log from which the thread is woken.
    threshold: i64,
}

impl Checkpointer {
    pub(crate) fn start(shared: &Arc<Shared>, connection: Connection) -> std::io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let copied = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&copied);
        let database = shared.files.database()?;
        let thread = thread::spawn(shared, "sqlite-checkpoint", move |shared| {
            run(shared, connection, &database, &woken, &done);
        })?;
        Ok(Self {
            wake,
            thread,
            copied,
            asked: false,
            threshold: WORTHWHILE,
        })
    }

    /// To be called by the writer between two transactions, with the length of the log.
    pub(crate) fn after_commit(&mut self, writer: &Connection, pages: i64) {
        if self.asked {
            if self.copied.swap(false, Ordering::AcqRel) {
                self.asked = false;
                self.start_anew(writer, pages);
            }
        } else if pages >= self.threshold {
            self.asked = true;
            if let Err(TrySendError::Disconnected(())) = self.wake.try_send(()) {
                tracing::error!("the checkpoint thread is gone; the log grows until a new start");
            }
        }
    }

    fn start_anew(&mut self, writer: &Connection, pages: i64) {
        let how = if pages > LARGE { TRUNCATE } else { RESTART };
        let patience = |duration| {
            if let Err(error) = writer.busy_timeout(duration) {
                tracing::warn!(%error, "the writer's patience cannot be set");
            }
        };
        patience(FOR_READERS);
        let busy = checkpoint(writer, how).is_none();
        patience(PATIENCE);
        // With a reader in the way, trying at each commit would only slow each down.
        self.threshold = if busy { pages + WORTHWHILE } else { WORTHWHILE };
    }

    /// Copies what is left and closes.
    pub(crate) fn stop(self) {
        drop(self.wake);
        if self.thread.join().is_err() {
            tracing::error!("the checkpoint thread panicked");
        }
    }
}

fn run(
    shared: &Shared,
    connection: Connection,
    database: &File,
    woken: &Receiver<()>,
    copied: &AtomicBool,
) {
    while woken.recv().is_ok() {
        if !shared.is_poisoned() {
            if let Err(error) = copy(&connection, database) {
                // The log holds all of it still, and must be kept: it counts as copied now, and a second
                // sync would claim that it is on disk. Only a new start copies it again.
                shared.poison(&format!("the database cannot be synced: {error}"));
                continue;
            }
            copied.store(true, Ordering::Release);
        }
    }
    if shared.is_poisoned() {
        // The end of the log may never have reached the disk: nothing may be made of it.
        std::mem::forget(connection);
    } else {
        checkpoint(&connection, TRUNCATE);
    }
}

/// Copies the log while more is written to it. An error is that of the last word on what was copied.
fn copy(connection: &Connection, database: &File) -> std::io::Result<()> {
    let mut before = 0;
    for _ in 0..PASSES {
        let Some(copied) = checkpoint(connection, PASSIVE) else {
            return Ok(());
        };
        // SQLite syncs the database only with the last page of the log, which a busy writer never lets
        // it reach: all that was copied would be left for the writer to wait for.
        database.sync_data()?;
        if copied - before < LITTLE {
            return Ok(());
        }
        before = copied;
    }
    Ok(())
}

/// Tells how many pages of the log are in the database now; none if something was in the way.
fn checkpoint(connection: &Connection, sql: &str) -> Option<i64> {
    let done = connection.query_row(sql, [], |row| {
        let (busy, copied): (i64, i64) = (row.get(0)?, row.get(2)?);
        Ok((busy == 0).then_some(copied))
    });
    done.unwrap_or_else(|error| {
        tracing::warn!(%error, "a checkpoint failed; the next one tries again");
        None
    })
}
