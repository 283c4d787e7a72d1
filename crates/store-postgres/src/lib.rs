//! The store for several nodes: one PostgreSQL database.
//!
//! It keeps the promises of [`switchboard_store`] with one transaction a command ([`writer`]), reads
//! of one state of the database each ([`reader`]), and a lock for each scope of identities.
//!
//! What never happens here: a look at this machine's clock, an answer to a write before its commit
//! is on disk, a guess about a commit whose connection was lost.

#![allow(clippy::doc_markdown, reason = "PostgreSQL is a name, not code")]

mod access;
mod connection;
mod conversation;
mod delivery;
mod event;
mod expiry;
mod failure;
mod ingest;
mod message;
mod missing;
mod node;
mod outbox;
mod participant;
mod query;
mod reader;
mod record;
mod rows;
mod schema;
mod state;
mod sweep;
mod tags;
mod user;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use switchboard_model::{Error, Result, Timestamp};
use switchboard_store::{Change, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, watch};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls};

use crate::failure::{Done, Failure};

pub use crate::missing::MISSING;

/// What sets each session of this program, whatever the server's defaults are.
const SESSION: &str = "-c search_path=switchboard -c synchronous_commit=on \
    -c client_min_messages=warning -c lock_timeout=20s \
    -c idle_in_transaction_session_timeout=60s";

/// Which clock leases and due times go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboxClock {
    /// The database's, the same for all nodes. What a claim tells of times is put into its caller's
    /// own.
    Database,
    /// The `now` of each command: for tests that move time themselves, and one node only.
    Caller,
}

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which clock leases and due times go by.
    pub clock: OutboxClock,
    /// Connections for writes. More than a few for each core of the database are slower, not faster.
    pub writers: usize,
    /// Connections for reads.
    pub readers: usize,
    /// How many commands may be under way; one more is `Busy` at once.
    pub queue: usize,
    /// How many changes a slow listener may lag behind before it loses some.
    pub changes: usize,
    /// How long to wait for a connection.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: OutboxClock::Database,
            writers: 8,
            readers: 8,
            queue: 4096,
            changes: 4096,
            patience: Duration::from_secs(10),
        }
    }
}

/// A store in a PostgreSQL database. Cheap to clone; clones are one store and one node.
///
/// Opening the same database again, here or on another machine, makes another node. Both keep all
/// promises; each hears only of its own changes ([`Store::changes`]).
#[derive(Clone)]
pub struct PostgresStore {
    shared: Arc<Shared>,
}

struct Shared {
    writers: Pool,
    readers: Pool,
    clock: OutboxClock,
    node: i32,
    changes: broadcast::Sender<Change>,
    queue: usize,
    places: Arc<Semaphore>,
    closed: AtomicBool,
    ended: watch::Sender<bool>,
}

impl PostgresStore {
    /// Opens the database that a `postgres://` URL names, and makes or updates its schema.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_with(url, &Options::default()).await
    }

    /// Opens a database with options.
    pub async fn open_with(url: &str, options: &Options) -> Result<Self> {
        let config = config(url, options.patience)?;
        Self::connect(config, options)
            .await
            .map_err(Failure::into_error)
    }

    async fn connect(config: Config, options: &Options) -> Done<Self> {
        let (client, connection) = config.connect(NoTls).await?;
        let driver = tokio::spawn(connection);
        schema::check_server(&client).await?;
        schema::migrate(&client).await?;
        drop(client);
        // How it ends matters no more.
        drop(driver.await);
        let ended = watch::Sender::new(false);
        let node = node::join(config.clone(), ended.subscribe()).await?;
        let queue = options.queue.clamp(1, Semaphore::MAX_PERMITS);
        let shared = Shared {
            writers: pool(&config, options.writers, options.patience)?,
            readers: pool(&config, options.readers, options.patience)?,
            clock: options.clock,
            node,
            changes: broadcast::Sender::new(options.changes.max(1)),
            queue,
            places: Arc::new(Semaphore::new(queue)),
            closed: AtomicBool::new(false),
            ended,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    fn check_open(&self) -> Result<()> {
        if self.shared.closed.load(Ordering::Acquire) {
            return Err(closed());
        }
        Ok(())
    }

    /// A place among the commands that are under way.
    fn admit(&self) -> Result<OwnedSemaphorePermit> {
        self.check_open()?;
        let place = Arc::clone(&self.shared.places).try_acquire_owned();
        place.map_err(|_| self.check_open().err().unwrap_or(Error::Busy))
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn changes(&self) -> broadcast::Receiver<Change> {
        self.shared.changes.subscribe()
    }

    async fn ping(&self) -> Result<()> {
        // An empty transaction would not touch the disk, and could not tell that it is full.
        const PROBE: &str = "INSERT INTO probe (id, count) VALUES ($1, 1)
            ON CONFLICT (id) DO UPDATE SET count = probe.count + 1";
        self.write((), |tx, ()| {
            Box::pin(async move {
                // A row a node, so that nodes do not wait for each other.
                let node = i64::from(tx.node);
                tx.execute(PROBE, &[&node]).await?;
                Ok(())
            })
        })
        .await
    }

    async fn sweep(&self, now: Timestamp) -> Result<usize> {
        let idle = self.look(now, |connection, now| {
            Box::pin(sweep::is_idle(connection, *now))
        });
        if idle.await? {
            return Ok(0);
        }
        self.write(now, |tx, now| Box::pin(sweep::sweep(tx, *now)))
            .await
    }

    async fn close(&self) -> Result<()> {
        if self.shared.closed.swap(true, Ordering::AcqRel) {
            return Err(closed());
        }
        let all = u32::try_from(self.shared.queue).unwrap_or(u32::MAX);
        // All places are free once all that was accepted is done.
        drop(self.shared.places.acquire_many(all).await);
        self.shared.places.close();
        self.shared.writers.close();
        self.shared.readers.close();
        self.shared.ended.send_replace(true);
        self.shared.ended.closed().await;
        Ok(())
    }
}

pub(crate) fn closed() -> Error {
    Error::Unavailable {
        reason: "it is closed; start the server again".to_owned(),
    }
}

fn config(url: &str, patience: Duration) -> Result<Config> {
    let invalid = |expected: &str| Error::invalid("database_url", expected);
    // The reason is left out: it could show a piece of the password.
    let mut config: Config = url.parse().map_err(|_| {
        invalid(
            "expected postgres://USER:PASSWORD@HOST:PORT/DATABASE, odd characters percent-encoded",
        )
    })?;
    if config.get_ssl_mode() == SslMode::Require {
        return Err(invalid(
            "expected sslmode=prefer or disable: this version does not speak TLS to PostgreSQL; \
             connect through a socket, a private network or a tunnel",
        ));
    }
    let options = match config.get_options() {
        // Ours come last and win.
        Some(given) => format!("{given} {SESSION}"),
        None => SESSION.to_owned(),
    };
    config.options(options);
    config.application_name("switchboard");
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(patience);
    }
    Ok(config)
}

fn pool(config: &Config, size: usize, patience: Duration) -> Done<Pool> {
    let settings = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = Manager::from_config(config.clone(), NoTls, settings);
    Pool::builder(manager)
        .max_size(size.max(1))
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(patience))
        .create_timeout(Some(patience))
        .build()
        .map_err(|error| Failure::Unreachable(error.to_string()))
}
