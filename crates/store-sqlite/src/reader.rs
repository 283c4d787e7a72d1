//! Readers: a read-only connection on each thread that reads.
//!
//! A point read takes a few microseconds, less than handing it to another thread. Lists go to the
//! blocking pool, whose threads keep connections in the same way. What is read from one commit to the next
//! is read in one snapshot ([`snapshot`](crate::snapshot)).

use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::Shared;
use crate::failure::{Done, Failure};
use crate::snapshot::{Reader, Statements};

struct Entry {
    // Keeps the address of its store from being used again while the entry lives.
    store: Weak<Shared>,
    reader: Arc<Reader>,
}

thread_local! {
    static OPEN: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}

/// Runs a little `work`. It must not read from the store in another way.
pub(crate) fn read<T>(
    shared: &Arc<Shared>,
    statements: Statements,
    work: impl FnOnce(&Connection) -> Done<T>,
) -> Done<T> {
    on_reader(shared, |reader| {
        reader.read(&shared.snapshots, statements, work)
    })
}

/// As [`read`], for much work: in a snapshot of its own.
pub(crate) fn read_long<T>(
    shared: &Arc<Shared>,
    work: impl FnOnce(&Connection) -> Done<T>,
) -> Done<T> {
    on_reader(shared, |reader| reader.read_long(work))
}

fn on_reader<T>(shared: &Arc<Shared>, work: impl FnOnce(&Reader) -> Done<T>) -> Done<T> {
    OPEN.with_borrow_mut(|open| {
        let known = open
            .iter()
            .position(|entry| std::ptr::eq(entry.store.as_ptr(), Arc::as_ptr(shared)));
        let at = if let Some(at) = known {
            at
        } else {
            open.retain(|entry| {
                entry
                    .store
                    .upgrade()
                    .is_some_and(|store| !store.is_closed())
            });
            open.push(Entry {
                store: Arc::downgrade(shared),
                reader: shared.snapshots.reader(connect(shared)?),
            });
            open.len() - 1
        };
        let Some(entry) = open.get(at) else {
            return Err(Failure::Damage("a reader was lost".to_owned()));
        };
        let result = work(&entry.reader);
        if let Err(Failure::Sql(_)) = &result {
            // Perhaps the connection itself is at fault: the next read gets a new one.
            open.swap_remove(at);
        }
        result
    })
}

fn connect(shared: &Shared) -> Done<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&shared.path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(128);
    crate::keep_plans(&connection)?;
    connection.pragma_update(None, "cache_size", -crate::READER_CACHE)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}
