//! Snapshots that are kept from one read to the next while nothing is written.
//!
//! To begin and end a snapshot takes two locks of the database's log, system calls both, under a
//! lock that all threads share: about a quarter of what a point read costs. So a thread that reads
//! for the second time since the last commit keeps its snapshot, and the writer ends all that are
//! kept before it writes.
//!
//! What never happens here: a read that does not see what was committed before it began, a snapshot
//! in the way of the log's new start, a writer that waits for a reader.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};

use rusqlite::Connection;

use crate::failure::Done;

const BEGIN: &str = "BEGIN";
const COMMIT: &str = "COMMIT";

/// What the writer and the readers of a store know of each other.
#[derive(Default)]
pub(crate) struct Snapshots {
    /// Odd while something is written. Each value stands for one state of the database, or for the
    /// way to the next.
    era: AtomicU64,
    readers: Mutex<Vec<Weak<Reader>>>,
}

/// Something is being written, until this is gone.
pub(crate) struct Writing<'a>(&'a Snapshots);

/// A connection that reads, on the thread that it belongs to; the writer ends its snapshot.
pub(crate) struct Reader {
    state: Mutex<State>,
    /// So that the writer passes by those that keep nothing.
    keeps: AtomicBool,
}

/// How much a read asks at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Statements {
    One,
    /// They must see one state of the database.
    Several,
}

struct State {
    connection: Connection,
    /// When it read last.
    last: Option<u64>,
    /// The era whose snapshot is kept.
    kept: Option<u64>,
}

impl Snapshots {
    /// To be called by the writer before its transaction: no snapshot is kept from here on.
    pub(crate) fn writing(&self) -> Writing<'_> {
        self.era.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        for reader in readers.iter().filter_map(Weak::upgrade) {
            reader.let_go(self);
        }
        Writing(self)
    }

    /// A reader of this store.
    pub(crate) fn reader(&self, connection: Connection) -> Arc<Reader> {
        let reader = Arc::new(Reader {
            state: Mutex::new(State {
                connection,
                last: None,
                kept: None,
            }),
            keeps: AtomicBool::new(false),
        });
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        readers.retain(|known| known.strong_count() > 0);
        readers.push(Arc::downgrade(&reader));
        reader
    }

    fn era(&self) -> u64 {
        self.era.load(Ordering::SeqCst)
    }

    /// How many readers keep a snapshot.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        let readers = self.readers.lock().unwrap();
        let keeps = |reader: &Arc<Reader>| reader.keeps.load(Ordering::SeqCst);
        readers
            .iter()
            .filter_map(Weak::upgrade)
            .filter(keeps)
            .count()
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.era.fetch_add(1, Ordering::SeqCst);
    }
}

impl Reader {
    /// Runs a little work.
    pub(crate) fn read<T>(
        &self,
        snapshots: &Snapshots,
        statements: Statements,
        work: impl FnOnce(&Connection) -> Done<T>,
    ) -> Done<T> {
        let era = snapshots.era();
        let mut state = self.lock();
        self.turn_to(&mut state, era)?;
        let keeps = state.kept.is_some();
        let result = if keeps || statements == Statements::One {
            work(&state.connection)
        } else {
            within(&state.connection, work)
        };
        drop(state);
        if keeps {
            // The writer may have found it busy, and passed by.
            fence(Ordering::SeqCst);
            if snapshots.era() != era {
                self.let_go(snapshots);
            }
        }
        result
    }

    /// Runs work that may take long, which nobody waits for: its snapshot is not kept.
    pub(crate) fn read_long<T>(&self, work: impl FnOnce(&Connection) -> Done<T>) -> Done<T> {
        let mut state = self.lock();
        self.release(&mut state)?;
        within(&state.connection, work)
    }

    /// Ends a snapshot of an earlier era; keeps one if it is worth it.
    fn turn_to(&self, state: &mut State, era: u64) -> Done<()> {
        if state.kept != Some(era) {
            self.release(state)?;
            // The first read may be the only one before the next commit.
            if state.last == Some(era) && era.is_multiple_of(2) {
                execute(&state.connection, BEGIN)?;
                state.kept = Some(era);
                self.keeps.store(true, Ordering::SeqCst);
            }
            state.last = Some(era);
        }
        Ok(())
    }

    /// Ends the snapshot, if it is kept and not that of this era; from any thread.
    fn let_go(&self, snapshots: &Snapshots) {
        if !self.keeps.load(Ordering::SeqCst) {
            return;
        }
        let mut state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(state)) => state.into_inner(),
            // It looks at the era when it is done.
            Err(TryLockError::WouldBlock) => return,
        };
        if state.kept != Some(snapshots.era())
            && let Err(failure) = self.release(&mut state)
        {
            tracing::warn!(error = %failure.into_error(), "a reader's snapshot cannot be ended");
        }
    }

    fn release(&self, state: &mut State) -> Done<()> {
        if state.kept.take().is_some() {
            self.keeps.store(false, Ordering::SeqCst);
            if !state.connection.is_autocommit() {
                execute(&state.connection, COMMIT)?;
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn within<T>(connection: &Connection, work: impl FnOnce(&Connection) -> Done<T>) -> Done<T> {
    execute(connection, BEGIN)?;
    let result = work(connection);
    if !connection.is_autocommit() {
        execute(connection, COMMIT)?;
    }
    result
}

fn execute(connection: &Connection, sql: &str) -> Done<()> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}
