//! Ingest: a parsed update goes to the engine, and the answer is durable.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use switchboard_engine::access::BUILT_IN;
use switchboard_engine::{
    Engine, ExternalThread, ExternalUser, IncomingMessage, Update, UpdateContent, Vault,
};
use switchboard_model::{Integration, Json, Tags};
use switchboard_store::{PollPosition, Store as _};
use switchboard_store_sqlite::SqliteStore;

use crate::failure::{Failure, Result, failed};
use crate::measure::{Effort, Measured, histogram, record};
use crate::raw;
use crate::report::Row;
use crate::system;

/// How many threads say something in turn, each with a person of its own.
pub(crate) const THREADS: u64 = 1_000;

/// The lowest ratio wanted, at the most callers.
const GOAL: f64 = 0.6;

/// An engine over a new database with one bot.
pub(crate) struct Fresh {
    pub(crate) engine: Engine,
    pub(crate) store: SqliteStore,
    pub(crate) bot: switchboard_model::BotId,
    pub(crate) telegram: Integration,
}

impl Fresh {
    /// Makes the database.
    pub(crate) async fn make(path: &Path) -> Result<Self> {
        let store = SqliteStore::open(path)?;
        let vault = Vault::new(&[7; Vault::KEY_LEN])?;
        let engine = Engine::new(Arc::new(store.clone()), system::environment(), vault);
        let (bot, integrations) = engine.create_bot_without_token("bench", &BUILT_IN).await?;
        let mut all = integrations.into_iter();
        let Some(telegram) = all.find(|one| one.platform == "telegram") else {
            return failed("a new bot has no Telegram integration any more; change bench with it");
        };
        Ok(Self {
            engine,
            store,
            bot: bot.id,
            telegram,
        })
    }
}

/// The text of a message, as its payload.
pub(crate) fn text(number: u64) -> String {
    format!(r#"{{"text":"This is what person {number} has to say today, and no more."}}"#)
}

/// An update as Telegram's channel makes one of a private message.
fn update(number: u64) -> Result<Update> {
    let thread = number % THREADS;
    let chat = thread.to_string();
    let Ok(payload) = Json::parse(&text(number)) else {
        return failed("the payload is no JSON");
    };
    Ok(Update {
        once: ["message", &chat, &number.to_string()]
            .map(ToOwned::to_owned)
            .to_vec(),
        content: UpdateContent::Message(IncomingMessage {
            thread: ExternalThread {
                known: None,
                channel: "channel".to_owned(),
                id: chat.clone(),
                tags: Tags::from_iter([("chatId", chat.as_str()), ("chatType", "private")]),
            },
            sender: ExternalUser {
                known: None,
                id: chat.clone(),
                tags: Tags::from_iter([("username", format!("person{thread}").as_str())]),
                name: Some(format!("Person {thread}")),
            },
            kind: "text".to_owned(),
            payload,
            tags: Tags::from_iter([
                ("chatId", chat.as_str()),
                ("date", "1750000000"),
                ("id", number.to_string().as_str()),
            ]),
        }),
    })
}

/// Both sides of the row, kept over its rounds.
pub(crate) struct Bench {
    fresh: Fresh,
    raw: raw::Ingest,
    taken: Arc<AtomicU64>,
}

impl Bench {
    /// Two databases in `folder`.
    pub(crate) async fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("raw.db");
        // The store makes the schema, and goes.
        Fresh::make(&path).await?.store.close().await?;
        Ok(Self {
            fresh: Fresh::make(&folder.join("ingest.db")).await?,
            raw: raw::Ingest::open(&path)?,
            taken: Arc::new(AtomicU64::new(0)),
        })
    }

    /// The row of so many callers.
    pub(crate) async fn row(&mut self, callers: usize, effort: Effort) -> Result<Row> {
        let mut rounds = Vec::new();
        let mut batches = Vec::new();
        for _ in 0..effort.rounds {
            let (ours, batch) = self.ours(callers, effort).await?;
            let ceiling = self.raw.run(batch, effort.warm, effort.time)?;
            rounds.push((ours, ceiling));
            batches.push(batch);
        }
        batches.sort_unstable();
        let goal = (callers == 256).then_some(GOAL);
        let mut row = Row::of_rounds("ingest", callers, &rounds, goal);
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
            tokio::spawn(async move {
                let mut times = histogram()?;
                let mut start = None;
                loop {
                    let number = taken.fetch_add(1, Ordering::Relaxed);
                    let position = PollPosition {
                        account: "100".to_owned(),
                        next: number.cast_signed(),
                    };
                    let update = update(number)?;
                    let before = Instant::now();
                    engine
                        .ingest(&telegram, vec![update], Some(position))
                        .await?;
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
