//! Checkpoints: a thread of their own copies the log into the database while the writer goes on,
//! and then the writer copies the little that has come meanwhile and starts the log anew.
//!
//! The second part is the writer's because a busy writer takes the lock again before any other
//! connection can have it: a checkpoint that waits for it from outside never ends, and the log
//! grows for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use crate::{Shared, thread};

/// Pages in the log from which it is worth copying.
const WORTHWHILE: i64 = 10_000;
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
        let thread = thread::spawn(shared, "sqlite-checkpoint", move |shared| {
            run(shared, connection, &woken, &done);
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
        let busy = checkpoint(writer, how);
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

fn run(shared: &Shared, connection: Connection, woken: &Receiver<()>, copied: &AtomicBool) {
    while woken.recv().is_ok() {
        if !shared.is_poisoned() {
            checkpoint(&connection, PASSIVE);
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

/// Tells whether something was in the way.
fn checkpoint(connection: &Connection, sql: &str) -> bool {
    let busy = connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    busy.map_or_else(
        |error| {
            tracing::warn!(%error, "a checkpoint failed; the next one tries again");
            true
        },
        |busy| busy != 0,
    )
}
