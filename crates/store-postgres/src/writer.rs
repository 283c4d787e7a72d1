//! Writes: one transaction a command, run again from its start where that is safe.
//!
//! **Order of locks.** First the scopes of identities, then rows of conversations in the order of
//! their numbers, then rows of users, states and deliveries. Whoever changes an identity holds its
//! scope; whoever gives out a place in a conversation, or touches one of its lines, holds the row of
//! the conversation. Where two transactions deadlock all the same, PostgreSQL ends one of them,
//! and it is run again with the same ids.
//!
//! **Isolation** is READ COMMITTED: each statement sees what committed before it. So a look after a
//! lock sees everything that was done under that lock before; a look before it proves nothing.
//!
//! **A connection that is lost while a commit is under way** leaves its outcome open. It is never
//! guessed: each transaction asks for its number at its start, and the database is asked on another
//! connection what became of that number. Only a transaction that certainly did not happen is run
//! again.

use std::ops::Deref;
use std::time::Duration;

use futures::future::BoxFuture;
use switchboard_model::{ConversationId, Error, Timestamp};
use switchboard_store::{Change, Lane};

use crate::connection::Connection;
use crate::failure::{Done, Failure};
use crate::{OutboxClock, PostgresStore};

/// How often a command is run again before its caller is told that the store is busy.
const TRIES: u32 = 8;
/// How long the outcome of a commit is asked for.
const ASKING: Duration = Duration::from_secs(30);

/// The number of the transaction, and the database's time.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SELECT pg_current_xact_id()::text, (extract(epoch FROM clock_timestamp()) * 1000)::bigint::text";
const STATUS: &str = "SELECT coalesce(pg_xact_status($1::text::xid8), 'unknown')";
const LOCK_SCOPE: &str = "SELECT pg_advisory_xact_lock($1)";

/// What a command does in its transaction. It may be called several times.
pub(crate) type Work<C, T> = for<'a> fn(&'a mut Tx, &'a C) -> BoxFuture<'a, Done<T>>;

/// Where identities are told apart: what changes one holds the lock of its scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdentityScope {
    /// Conversations and users of an integration.
    Integration(i64),
    /// Users that a bot has made.
    Bot(i64),
}

/// A transaction.
pub(crate) struct Tx {
    connection: Connection,
    changes: Vec<Change>,
    number: String,
    database_time: Timestamp,
    clock: OutboxClock,
    /// The node that claims are held by.
    pub(crate) node: i32,
    /// Whether an earlier try found that something had moved under it: this one takes the lock of
    /// its scope first.
    pub(crate) careful: bool,
    open: bool,
}

impl Deref for Tx {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if self.open {
            self.connection.discard();
        }
    }
}

impl Tx {
    async fn begin(store: &PostgresStore, careful: bool) -> Done<Self> {
        let connection = Connection::new(store.shared.writers.get().await?);
        let mut tx = Self {
            connection,
            changes: Vec::new(),
            number: String::new(),
            database_time: Timestamp::default(),
            clock: store.shared.clock,
            node: store.shared.node,
            careful,
            open: true,
        };
        let begun = tx.connection.script(BEGIN).await?;
        let (number, millis) =
            begun.ok_or_else(|| Failure::damage("a transaction without a number"))?;
        tx.number = number;
        tx.database_time = Timestamp::from_millis(millis.parse().map_err(Failure::damage)?);
        Ok(tx)
    }

    /// Waits for the lock of a scope. In a statement of its own: the next one sees all that was
    /// committed under the lock before.
    pub(crate) async fn lock_scope(&self, scope: IdentityScope) -> Done<()> {
        let key = match scope {
            IdentityScope::Integration(number) => number,
            IdentityScope::Bot(number) => -number,
        };
        self.execute(LOCK_SCOPE, &[&key]).await?;
        Ok(())
    }

    /// The time that leases and due times go by, where the caller's is `now`.
    pub(crate) fn outbox_time(&self, now: Timestamp) -> Timestamp {
        match self.clock {
            OutboxClock::Database => self.database_time,
            OutboxClock::Caller => now,
        }
    }

    /// To be told to those who wait, once it is committed.
    pub(crate) fn lane_ready(&mut self, lane: Lane) {
        self.tell(Change::Lane(lane));
    }

    /// To be told to those who wait, once it is committed.
    pub(crate) fn conversation_changed(&mut self, id: ConversationId) {
        self.tell(Change::Conversation(id));
    }

    fn tell(&mut self, change: Change) {
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }

    async fn roll_back(&mut self) {
        // A connection that cannot even do this is given up when the transaction is dropped.
        self.open = self.connection.script("ROLLBACK").await.is_err();
    }

    async fn commit(&mut self, store: &PostgresStore) -> Done<()> {
        let Err(failure) = self.connection.script("COMMIT").await else {
            self.open = false;
            return Ok(());
        };
        let Failure::Sql(error) = &failure else {
            return Err(failure);
        };
        // A constraint that is checked at the end, say. A session that was ended from outside may
        // have committed before.
        let says_no = error
            .as_db_error()
            .is_some_and(|error| error.severity() == "ERROR");
        if says_no {
            self.roll_back().await;
            return Err(failure);
        }
        self.connection.discard();
        tracing::warn!(
            "the connection to the database broke in a commit; asking what became of it"
        );
        match store.outcome(&self.number).await {
            Some(true) => {
                self.open = false;
                Ok(())
            }
            Some(false) => Err(failure),
            None => Err(Error::OutcomeUnknown.into()),
        }
    }
}

impl PostgresStore {
    /// Runs a command in a transaction and waits for its commit. It goes on if the caller does not
    /// wait for it.
    pub(crate) async fn write<C, T>(&self, command: C, work: Work<C, T>) -> Result<T, Error>
    where
        C: Send + Sync + 'static,
        T: Send + 'static,
    {
        let place = self.admit()?;
        let store = self.clone();
        let task = tokio::spawn(async move {
            let result = store.run(&command, work).await;
            drop(place);
            result
        });
        let panicked = |_| Err(Error::internal("a command panicked; see the log"));
        task.await.unwrap_or_else(panicked)
    }

    async fn run<C, T>(&self, command: &C, work: Work<C, T>) -> Result<T, Error> {
        let mut tries = 0;
        let mut careful = false;
        loop {
            let failure = match self.attempt(command, work, careful).await {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            tries += 1;
            if tries == TRIES || !failure.is_passing() {
                if let Failure::Sql(error) = &failure {
                    tracing::error!(code = ?error.code(), "a command failed in the database");
                }
                return Err(failure.into_error());
            }
            careful = true;
            tokio::time::sleep(Duration::from_millis(u64::from(tries))).await;
        }
    }

    async fn attempt<C, T>(&self, command: &C, work: Work<C, T>, careful: bool) -> Done<T> {
        let mut tx = Tx::begin(self, careful).await?;
        let value = match work(&mut tx, command).await {
            Ok(value) => value,
            Err(failure) => {
                tx.roll_back().await;
                return Err(failure);
            }
        };
        tx.commit(self).await?;
        for change in tx.changes.drain(..) {
            // Nobody listening is no fault.
            drop(self.shared.changes.send(change));
        }
        Ok(value)
    }

    /// Whether the transaction with this number was committed; `None` if that cannot be found out.
    async fn outcome(&self, number: &str) -> Option<bool> {
        let asked = tokio::time::timeout(ASKING, async {
            loop {
                match self.ask(number).await {
                    Ok(status) if status == "committed" => return Some(true),
                    Ok(status) if status == "aborted" => return Some(false),
                    Ok(status) if status == "unknown" => return None,
                    // Still under way, or the database is not back yet.
                    Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        });
        asked.await.ok().flatten()
    }

    async fn ask(&self, number: &str) -> Done<String> {
        let connection = Connection::new(self.shared.readers.get().await?);
        connection.sure(STATUS, &[&number]).await
    }
}
