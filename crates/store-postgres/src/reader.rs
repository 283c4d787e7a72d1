//! Reads. Those of several statements see one state of the database.

use futures::future::BoxFuture;
use switchboard_model::Error;

use crate::PostgresStore;
use crate::connection::Connection;
use crate::failure::{Done, Failure};

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// What a read asks.
pub(crate) type Look<C, T> = for<'a> fn(&'a Connection, &'a C) -> BoxFuture<'a, Done<T>>;

impl PostgresStore {
    /// Reads with one statement.
    pub(crate) async fn look<C, T>(&self, command: C, work: Look<C, T>) -> Result<T, Error> {
        self.repeat(&command, work, false).await
    }

    /// Reads with several statements that see one state of the database.
    pub(crate) async fn read<C, T>(&self, command: C, work: Look<C, T>) -> Result<T, Error> {
        self.repeat(&command, work, true).await
    }

    /// The same as [`read`](Self::read), of what is still needed afterwards.
    pub(crate) async fn read_of<C, T>(&self, command: &C, work: Look<C, T>) -> Result<T, Error> {
        self.repeat(command, work, true).await
    }

    async fn repeat<C, T>(
        &self,
        command: &C,
        work: Look<C, T>,
        snapshot: bool,
    ) -> Result<T, Error> {
        self.check_open()?;
        let first = self.once(command, work, snapshot).await;
        let result = match first {
            // The database was restarted while the connection lay in the pool.
            Err(Failure::Sql(error)) if error.is_closed() => {
                self.once(command, work, snapshot).await
            }
            result => result,
        };
        result.map_err(Failure::into_error)
    }

    async fn once<C, T>(&self, command: &C, work: Look<C, T>, snapshot: bool) -> Done<T> {
        let connection = Connection::new(self.shared.readers.get().await?);
        if !snapshot {
            return work(&connection, command).await;
        }
        let snapshot = Snapshot(connection);
        snapshot.0.script(BEGIN).await?;
        let result = work(&snapshot.0, command).await;
        if snapshot.0.script("COMMIT").await.is_ok() {
            snapshot.end();
        }
        result
    }
}

/// Closes the connection if it is dropped inside its transaction.
struct Snapshot(Connection);

impl Snapshot {
    fn end(mut self) {
        let unused = Connection::none();
        drop(std::mem::replace(&mut self.0, unused));
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.0.discard();
    }
}
