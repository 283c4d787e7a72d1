//! Checkpoints as the store makes them: a thread copies the log, then the writer starts it anew.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use crate::failure::Result;

/// The store's: pages in the log from which it is worth copying.
pub(crate) const WORTHWHILE: i64 = 10_000;

/// The store's: how often its thread goes over the log.
const PASSES: usize = 2;

/// The writer's side.
pub(crate) struct Checkpointer {
    /// None when it is to end.
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    copied: Arc<AtomicBool>,
    pages: Arc<AtomicI64>,
    asked: bool,
    /// Pages in the log from which it is copied.
    threshold: i64,
}

impl Checkpointer {
    /// For the log of this writer, whenever it has so many pages.
    pub(crate) fn start(
        path: &Path,
        writer: &mut Connection,
        threshold: i64,
        syncs: bool,
    ) -> Result<Self> {
        let pages = Arc::new(AtomicI64::new(0));
        let seen = Arc::clone(&pages);
        writer.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, count| {
            seen.store(i64::from(count), Ordering::Relaxed);
            Ok(())
        }))?;
        let connection = super::writer(path)?;
        // Never closed: that would take SQLite's locks from the file.
        let database = ManuallyDrop::new(File::options().write(true).open(path)?);
        let (wake, woken) = sync_channel(1);
        let copied = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&copied);
        let thread = std::thread::spawn(move || {
            while woken.recv().is_ok() {
                // What it could not copy, or sync, is left to the next.
                for _ in 0..if syncs { PASSES } else { 1 } {
                    drop(checkpoint(&connection, "PRAGMA wal_checkpoint(PASSIVE)"));
                    if syncs {
                        drop(database.sync_data());
                    }
                }
                done.store(true, Ordering::Release);
            }
        });
        Ok(Self {
            wake: Some(wake),
            thread: Some(thread),
            copied,
            pages,
            asked: false,
            threshold,
        })
    }

    /// To be called after each commit.
    pub(crate) fn after_commit(&mut self, writer: &Connection) -> Result<()> {
        if self.asked {
            if self.copied.swap(false, Ordering::AcqRel) {
                self.asked = false;
                checkpoint(writer, "PRAGMA wal_checkpoint(RESTART)")?;
            }
        } else if self.pages.load(Ordering::Relaxed) >= self.threshold {
            self.asked = self
                .wake
                .as_ref()
                .is_some_and(|wake| wake.try_send(()).is_ok());
        }
        Ok(())
    }
}

/// The thread's connection is closed when this has gone: whoever opens the database next finds no
/// log of this one.
impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.wake = None;
        // One that panicked has said so.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

fn checkpoint(connection: &Connection, sql: &str) -> Result<()> {
    Ok(connection.query_row(sql, [], |_| Ok(()))?)
}
