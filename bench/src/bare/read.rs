//! Two ways for a request to come by a connection that reads.

use std::cell::RefCell;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rusqlite::Connection;

use crate::failure::{Failure, Result};
use crate::raw;

/// As many as pools of connections have when nobody says how many.
const POOLED: usize = 10;

/// On a connection that this thread keeps, as the store reads one row.
pub(super) fn here<T>(database: &Path, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    thread_local! {
        static OPEN: RefCell<Option<Connection>> = const { RefCell::new(None) };
    }
    OPEN.with_borrow_mut(|open| {
        let connection = match open {
            Some(connection) => connection,
            None => open.insert(raw::reader(database)?),
        };
        work(connection)
    })
}

/// Connections that are lent, to threads that may block.
pub(super) struct Pool {
    idle: Mutex<Vec<Connection>>,
    returned: Condvar,
}

impl Pool {
    pub(super) fn new(database: &Path) -> Result<Arc<Self>> {
        let idle = (0..POOLED).map(|_| raw::reader(database));
        Ok(Arc::new(Self {
            idle: Mutex::new(idle.collect::<Result<_>>()?),
            returned: Condvar::new(),
        }))
    }

    /// Works on one of them, as soon as one is there.
    pub(super) async fn lend<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let pool = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || {
            let connection = pool.take();
            let result = work(&connection);
            pool.idle().push(connection);
            pool.returned.notify_one();
            result
        });
        done.await
            .map_err(|error| Failure::Other(format!("a read panicked: {error}")))?
    }

    fn take(&self) -> Connection {
        let mut idle = self.idle();
        loop {
            if let Some(connection) = idle.pop() {
                return connection;
            }
            idle = self
                .returned
                .wait(idle)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
