//! Ingest: a parsed update goes to the engine, and the answer is durable.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use switchboard_engine::access::BUILT_IN;
use switchboard_engine::{Engine, Vault};
use switchboard_model::{BotId, Integration};
use switchboard_store::{AccessStore as _, Store as _};
use switchboard_store_sqlite::SqliteStore;

use crate::failure::{Failure, Result, failed};
use crate::measure::{Effort, Measured, histogram, record};
use crate::raw::{self, Schema, Settings};
use crate::report::Row;
use crate::stored::Stored;
use crate::system;
use crate::update::{DATE, Threads, update};

/// Who says something where nobody is stored before.
pub(crate) const THREADS: Threads = Threads {
    count: 1_000,
    scattered: false,
};

/// The lowest ratio wanted beside the minimal schema, at the most callers.
const GOAL: f64 = 0.7;

/// An engine over a new database with one bot.
pub(crate) struct Fresh {
    pub(crate) engine: Engine,
    pub(crate) store: SqliteStore,
    pub(crate) bot: BotId,
    pub(crate) telegram: Integration,
}

impl Fresh {
    /// Makes the database.
    pub(crate) async fn make(path: &Path) -> Result<Self> {
        let (store, engine) = Self::open_engine(path)?;
        let (bot, integrations) = engine.create_bot_without_token("bench", &BUILT_IN).await?;
        Self::new(store, engine, bot.id, integrations)
    }

    /// Opens one that was made.
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        let (store, engine) = Self::open_engine(path)?;
        let Some(bot) = store.list_bots().await?.into_iter().next() else {
            return failed(format!("{} has no bot; load it anew", path.display()));
        };
        let integrations = store.list_integrations(bot.id).await?;
        Self::new(store, engine, bot.id, integrations)
    }

    fn open_engine(path: &Path) -> Result<(SqliteStore, Engine)> {
        let store = SqliteStore::open(path)?;
        let vault = Vault::new(&[7; Vault::KEY_LEN])?;
        let engine = Engine::new(Arc::new(store.clone()), system::environment(), vault);
        Ok((store, engine))
    }

    fn new(
        store: SqliteStore,
        engine: Engine,
        bot: BotId,
        integrations: Vec<Integration>,
    ) -> Result<Self> {
        let mut all = integrations.into_iter();
        let Some(telegram) = all.find(|one| one.platform == "telegram") else {
            return failed("a new bot has no Telegram integration any more; change bench with it");
        };
        Ok(Self {
            engine,
            store,
            bot,
            telegram,
        })
    }
}

/// All sides of the row, kept over its rounds.
pub(crate) struct Bench {
    fresh: Fresh,
    raw: raw::Ingest,
    minimal: raw::Ingest,
    threads: Threads,
    taken: Arc<AtomicU64>,
    stored: u64,
}

impl Bench {
    /// Three databases in `folder`.
    pub(crate) async fn open(folder: &Path) -> Result<Self> {
        let (own, minimal) = (folder.join("raw.db"), folder.join("minimal.db"));
        // The store makes the schema, and goes.
        Fresh::make(&own).await?.store.close().await?;
        raw::make(&minimal, Schema::Integer)?;
        let open = |path, schema| raw::Ingest::open(path, schema, Settings::CEILING, THREADS, 0);
        Ok(Self {
            fresh: Fresh::make(&folder.join("ingest.db")).await?,
            raw: open(&own, Schema::Own)?,
            minimal: open(&minimal, Schema::Integer)?,
            threads: THREADS,
            taken: Arc::new(AtomicU64::new(1)),
            stored: 0,
        })
    }

    /// Ours and raw `SQLite` in turn on the one database that holds much: a second of its kind would
    /// not fit into the system's memory beside it.
    pub(crate) async fn at_size(stored: &Stored) -> Result<Self> {
        let (path, minimal) = (stored.database(), stored.minimal(Schema::Integer)?);
        let threads = stored.size.threads();
        // Others than those that are stored, and than those of an earlier run.
        let first = system::now() << 10;
        let open =
            |path, schema| raw::Ingest::open(path, schema, Settings::CEILING, threads, first);
        Ok(Self {
            fresh: Fresh::open(&path).await?,
            raw: open(&path, Schema::Own)?,
            minimal: open(&minimal, Schema::Integer)?,
            threads,
            taken: Arc::new(AtomicU64::new(first)),
            stored: stored.size.messages,
        })
    }

    /// To be called when it is done with: the next rows use the same database.
    pub(crate) async fn close(self) -> Result<()> {
        Ok(self.fresh.store.close().await?)
    }

    /// The row of so many callers.
    pub(crate) async fn row(&mut self, callers: usize, effort: Effort) -> Result<Row> {
        let (mut rounds, mut minimal) = (Vec::new(), Vec::new());
        let mut batches = Vec::new();
        for _ in 0..effort.rounds {
            let (ours, batch) = self.ours(callers, effort).await?;
            rounds.push((ours, self.raw.run(batch, effort.warm, effort.time)?));
            minimal.push((ours, self.minimal.run(batch, effort.warm, effort.time)?));
            batches.push(batch);
        }
        batches.sort_unstable();
        let goal = (callers == 256).then_some(GOAL);
        let mut row = Row::of_rounds("ingest", callers, &rounds, goal);
        row.beside_minimal(&minimal);
        row.stored = self.stored;
        row.batch = batches.get(batches.len() / 2).copied();
        Ok(row)
    }

    /// Tells how many commands there were in a commit, too.
    async fn ours(&self, callers: usize, effort: Effort) -> Result<(Measured, usize)> {
        let begun = Instant::now();
        let tasks = (0..callers).map(|_| {
            let engine = self.fresh.engine.clone();
            let telegram = self.fresh.telegram.clone();
            let taken = Arc::clone(&self.taken);
            let threads = self.threads;
            tokio::spawn(async move {
                let mut times = histogram()?;
                let mut start = None;
                loop {
                    let number = taken.fetch_add(1, Ordering::Relaxed);
                    let update = update(threads.of(number), number, DATE)?;
                    let before = Instant::now();
                    // Callers at once are webhooks: what is polled comes from one, many in a call.
                    engine.ingest(&telegram, vec![update], None).await?;
                    if before.duration_since(begun) < effort.warm {
                        continue;
                    }
                    let start = *start.get_or_insert(before);
                    record(&mut times, before.elapsed());
                    if start.elapsed() >= effort.time {
                        return Ok::<_, Failure>(times);
                    }
                }
            })
        });
        let tasks: Vec<_> = tasks.collect();
        tokio::time::sleep(effort.warm).await;
        let (start, before) = (Instant::now(), self.fresh.store.written());
        tokio::time::sleep(effort.time).await;
        while self.fresh.store.written() == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let (took, after) = (start.elapsed(), self.fresh.store.written());
        let mut times = histogram()?;
        let ended = try_join_all(tasks)
            .await
            .map_err(|error| Failure::Other(format!("a caller panicked: {error}")))?;
        for one in ended {
            times
                .add(one?)
                .map_err(|error| Failure::Other(format!("no histogram: {error}")))?;
        }
        let commands = after.commands - before.commands;
        let commits = (after.commits - before.commits).max(1);
        let mut measured = Measured::new(&times, took);
        // What was committed in the time, not what callers in it got to see later.
        measured.per_second = commands as f64 / took.as_secs_f64();
        let batch = (commands as f64 / commits as f64).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to 256"
        )]
        let batch = (batch as usize).max(1);
        Ok((measured, batch))
    }
}
