//! Checkpoints, by a thread of their own: the writer goes on while the log is copied into the
//! database, and the log stays bounded.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use crate::Shared;

/// Pages in the log from which it is worth copying.
const WORTHWHILE: i64 = 4_000;
/// Pages in the log from which its file is cut, not only used again.
const LARGE: i64 = 65_536;
/// After readers were in the way.
const PAUSE: Duration = Duration::from_millis(500);

// The first needs no lock and does nearly all the work; the second holds up the writer, but only
// for the rest, and makes it start the log from its beginning.
const PASSIVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";
const RESTART: &str = "PRAGMA wal_checkpoint(RESTART)";
const TRUNCATE: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// The writer's side of the thread.
pub(crate) struct Checkpointer {
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Checkpointer {
    pub(crate) fn start(shared: Arc<Shared>, connection: Connection) -> std::io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("sqlite-checkpoint".to_owned())
            .spawn(move || run(&shared, connection, &woken))?;
        Ok(Self { wake, thread })
    }

    /// Tells how long the log is after a commit.
    pub(crate) fn log_has(&self, pages: i64) {
        if pages >= WORTHWHILE
            && let Err(TrySendError::Disconnected(())) = self.wake.try_send(())
        {
            tracing::error!("the checkpoint thread is gone; the log grows until the next start");
        }
    }

    /// Copies what is left and closes.
    pub(crate) fn stop(self) {
        drop(self.wake);
        if self.thread.join().is_err() {
            tracing::error!("the checkpoint thread panicked");
        }
    }
}

fn run(shared: &Shared, connection: Connection, woken: &Receiver<()>) {
    while woken.recv().is_ok() {
        if shared.is_poisoned() {
            continue;
        }
        let (_, pages) = checkpoint(&connection, PASSIVE);
        if pages < WORTHWHILE {
            continue;
        }
        let thorough = if pages > LARGE { TRUNCATE } else { RESTART };
        if let (true, _) = checkpoint(&connection, thorough) {
            std::thread::sleep(PAUSE);
        }
    }
    if shared.is_poisoned() {
        // The end of the log may never have reached the disk: nothing may be made of it.
        std::mem::forget(connection);
    } else {
        checkpoint(&connection, TRUNCATE);
    }
}

/// Whether something was in the way, and how many pages the log has.
fn checkpoint(connection: &Connection, sql: &str) -> (bool, i64) {
    let done = connection.query_row(sql, [], |row| {
        Ok((row.get::<_, i64>(0)? != 0, row.get::<_, i64>(1)?))
    });
    done.unwrap_or_else(|error| {
        tracing::warn!(%error, "a checkpoint failed; the next one tries again");
        (true, 0)
    })
}
