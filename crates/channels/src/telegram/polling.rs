//! Receiving by long polling.
//!
//! Promises: a batch is one command, and Telegram is told of it (by the next poll's offset) only
//! after the commit; the position moves over what was taken without a gap; a failure never makes a
//! hot loop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::value::RawValue;
use switchboard_engine::Update;
use switchboard_model::{Error, Result, Timestamp};
use switchboard_store::{Ingested, PollPosition};
use tokio_util::sync::CancellationToken;

use super::account::Account;
use super::backoff::Backoff;
use super::client::{Answer, Refusal};
use super::control::Failure;
use super::inbound;
use super::mapping::TRIES;
use super::once;

/// After a week without updates Telegram may number them anew, also lower. An older position could
/// skip those, so it is no longer used.
const POSITION_HOLDS: Duration = Duration::from_hours(6 * 24);

/// The most updates in a batch (the Bot API's).
const BATCH: usize = 100;

/// `getUpdates`.
#[derive(Debug, Serialize)]
struct GetUpdates {
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
    limit: usize,
    timeout: u64,
    allowed_updates: &'static [&'static str],
}

/// `deleteWebhook`.
#[derive(Debug, Serialize)]
struct DeleteWebhook {
    drop_pending_updates: bool,
}

impl Account {
    /// Polls until `shutdown`. It returns within moments of it: a poll that is cut off loses
    /// nothing, for what it would have brought is not confirmed.
    pub async fn run_polling(self: Arc<Self>, shutdown: CancellationToken) {
        let mut poller = Poller::new(&self, shutdown.clone());
        while !shutdown.is_cancelled() {
            let pause = match shutdown.run_until_cancelled(poller.poll()).await {
                None => return,
                // Taking is not cut off: it is short, and a half-taken batch would be polled again.
                Some(answer) => poller.take(answer).await,
            };
            if !pause.is_zero() {
                shutdown
                    .run_until_cancelled(tokio::time::sleep(pause))
                    .await;
            }
        }
    }
}

struct Poller<'a> {
    account: &'a Account,
    shutdown: CancellationToken,
    /// What was read or written last, and when it was written.
    position: Option<(i64, Timestamp)>,
    position_was_read: bool,
    batch: usize,
    backoff: Backoff,
    removed_webhook: Option<Instant>,
    started: Instant,
    /// Whether the next poll does not wait for updates, but only shows whether polling works.
    probing: bool,
    last_conflict: Option<Instant>,
}

/// A poll's answer, or why there was none.
type Polled = Result<Answer>;

/// An update's text, its number, and what it is.
struct Item<'a> {
    raw: &'a str,
    id: Option<i64>,
    update: Update,
    /// The update as it is stored.
    mapped: Update,
}

impl<'a> Poller<'a> {
    fn new(account: &'a Account, shutdown: CancellationToken) -> Self {
        Self {
            account,
            shutdown,
            position: None,
            position_was_read: false,
            batch: BATCH,
            backoff: Backoff::default(),
            removed_webhook: None,
            started: Instant::now(),
            probing: true,
            last_conflict: None,
        }
    }

    async fn poll(&mut self) -> Polled {
        let offset = self.offset().await?;
        let timing = &self.account.timing;
        let wait = if self.probing {
            Duration::ZERO
        } else {
            timing.poll
        };
        let call = GetUpdates {
            offset,
            limit: self.batch,
            timeout: wait.as_secs(),
            allowed_updates: &inbound::KINDS,
        };
        self.started = Instant::now();
        let limit = wait + timing.request;
        Ok(self.account.client.call("getUpdates", &call, limit).await)
    }

    async fn offset(&mut self) -> Result<Option<i64>> {
        let account = self.account;
        if !self.position_was_read {
            let store = account.engine.store();
            self.position = store
                .poll_position(account.integration.id, &account.number)
                .await?;
            self.position_was_read = true;
        }
        let now = account.engine.env().now();
        Ok(self
            .position
            .filter(|(_, written)| now.since(*written) <= POSITION_HOLDS)
            .map(|(next, _)| next))
    }

    /// Takes what a poll brought. Returns the pause before the next.
    async fn take(&mut self, polled: Polled) -> Duration {
        match polled {
            Ok(Answer::Ok(result)) => self.take_result(&result).await,
            Ok(Answer::TooLarge) if self.batch > 1 => {
                self.batch = (self.batch / 4).max(1);
                Duration::ZERO
            }
            Ok(Answer::Refused(refusal)) if is_webhook_conflict(&refusal) => {
                self.remove_webhook(&refusal).await
            }
            Ok(answer) => self.fail(&Failure::of(&answer)),
            Err(error) => self.fail(&store_failure(&error)),
        }
    }

    async fn take_result(&mut self, result: &RawValue) -> Duration {
        let Ok(raw) = serde_json::from_str::<Vec<&RawValue>>(result.get()) else {
            return self.fail(&Failure::passing(
                "Telegram's answer cannot be read; trying again".to_owned(),
            ));
        };
        let mut items = Vec::with_capacity(raw.len());
        let mut presses = Vec::new();
        for raw in raw {
            let (update, press) = match self.account.read(raw.get()).await {
                Ok(read) => read,
                Err(error) => return self.fail(&store_failure(&error)),
            };
            presses.extend(press);
            items.push(Item {
                raw: raw.get(),
                id: once::update_id(raw.get()),
                mapped: update.clone(),
                update,
            });
        }
        if !items.is_empty() && items.iter().all(|item| item.id.is_none()) {
            // They are kept, once; but they cannot be confirmed, and will come again.
            let taken = self.ingest(items).await;
            let text =
                "Telegram sends updates without a number that can be theirs; update this program";
            return match taken {
                Ok(_) => self.fail(&Failure::conflict(text.to_owned())),
                Err(error) => self.fail(&store_failure(&error)),
            };
        }
        match self.ingest(items).await {
            Ok(news) => {
                self.account.answer_presses(presses);
                self.succeed(news)
            }
            Err(error) => self.fail(&store_failure(&error)),
        }
    }

    fn succeed(&mut self, news: bool) -> Duration {
        let timing = &self.account.timing;
        let was_probing = std::mem::take(&mut self.probing);
        self.batch = BATCH;
        let is_recent = |at: &mut Instant| at.elapsed() < timing.calm;
        self.removed_webhook.take_if(|at| !is_recent(at));
        self.last_conflict.take_if(|at| !is_recent(at));
        if self.last_conflict.is_none() {
            self.backoff.reset();
            self.account.condition.receives();
        }
        if news || was_probing {
            return Duration::ZERO;
        }
        // A server that answers at once with nothing, or with the same again, is asked slowly.
        timing.idle.saturating_sub(self.started.elapsed())
    }

    /// Stores a batch and the position behind it. Tells whether any of it was new.
    async fn ingest(&mut self, mut items: Vec<Item<'_>>) -> Result<bool> {
        if items.is_empty() {
            return Ok(false);
        }
        let position = self.behind(items.iter().filter_map(|item| item.id).max());
        let mut tries = 0;
        let stored = loop {
            self.map(&mut items).await?;
            let updates = items.iter().map(|item| item.mapped.clone()).collect();
            tries += 1;
            match self.store(updates, position.clone()).await {
                // What the script gave was deleted in between.
                Err(Error::ReferenceNotFound { .. }) if tries < TRIES => {}
                stored => break stored,
            }
        };
        match stored {
            Err(error) if !is_passing(&error) => {
                tracing::warn!(
                    integration = %self.account.integration.id,
                    "telegram: a batch was refused ({error}); taking its updates one by one"
                );
                self.ingest_one_by_one(items).await
            }
            stored => stored,
        }
    }

    /// Asks the script. That may take a while, and is cut off when the account is to stop: nothing is
    /// stored yet.
    async fn map(&self, items: &mut [Item<'_>]) -> Result<()> {
        let account = self.account;
        let mapping = async {
            for item in items {
                item.mapped = account.mapped(item.raw, &item.update).await?;
            }
            Ok(())
        };
        let done = self.shutdown.run_until_cancelled(mapping).await;
        done.unwrap_or(Err(Error::Busy))
    }

    /// So that one update that is refused holds up no other: it is kept raw.
    async fn ingest_one_by_one(&mut self, items: Vec<Item<'_>>) -> Result<bool> {
        let (mut news, mut last) = (false, None);
        for item in items {
            last = last.max(item.id);
            let position = self.behind(last);
            news |= match self.store(vec![item.mapped], position.clone()).await {
                Err(error) if !is_passing(&error) => {
                    let kept = inbound::unreadable(&self.account.number, item.raw);
                    self.store(vec![kept], position).await?
                }
                stored => stored?,
            };
        }
        Ok(news)
    }

    async fn store(
        &mut self,
        updates: Vec<Update>,
        position: Option<PollPosition>,
    ) -> Result<bool> {
        let account = self.account;
        let next = position.as_ref().map(|position| position.next);
        let taken = account
            .engine
            .ingest(&account.integration, updates, position)
            .await?;
        if let Some(next) = next {
            self.position = Some((next, account.engine.env().now()));
        }
        Ok(taken.iter().any(|one| *one != Ingested::Duplicate))
    }

    /// The position behind an update.
    fn behind(&self, id: Option<i64>) -> Option<PollPosition> {
        Some(PollPosition {
            account: self.account.number.clone(),
            next: id?.checked_add(1)?,
        })
    }

    /// A webhook and polling exclude each other. What waits for the webhook is kept.
    async fn remove_webhook(&mut self, refusal: &Refusal) -> Duration {
        let account = self.account;
        let call = DeleteWebhook {
            drop_pending_updates: false,
        };
        let limit = account.timing.request;
        let answer = account.client.call("deleteWebhook", &call, limit).await;
        if !matches!(answer, Answer::Ok(_)) {
            return self.fail(&Failure::of(&answer));
        }
        if self.removed_webhook.replace(Instant::now()).is_some() {
            return self.fail(&Failure::conflict(format!(
                "another program sets a webhook for this bot again and again; stop it, or use a \
                 bot of its own (Telegram: {})",
                refusal.description
            )));
        }
        tracing::info!(
            integration = %account.integration.id,
            "telegram: removed the bot's webhook to poll; pending updates are kept"
        );
        Duration::ZERO
    }

    fn fail(&mut self, failure: &Failure) -> Duration {
        let account = self.account;
        if failure.is_conflict() {
            self.last_conflict = Some(Instant::now());
        } else {
            self.probing = true;
        }
        let (pause, telling) =
            failure.pause(&mut self.backoff, account.engine.env(), &account.timing);
        if telling {
            account.condition.cannot_receive(failure.text.clone());
        }
        tracing::debug!(
            integration = %account.integration.id,
            "telegram: {}; next poll in {pause:?}", failure.text
        );
        pause
    }
}

fn store_failure(error: &Error) -> Failure {
    Failure::passing(format!("updates cannot be stored: {error}"))
}

/// Whether the store, not the data, is in the way.
pub(super) const fn is_passing(error: &Error) -> bool {
    matches!(
        error,
        Error::Busy | Error::Unavailable { .. } | Error::OutcomeUnknown
    )
}

fn is_webhook_conflict(refusal: &Refusal) -> bool {
    refusal.code == 409 && refusal.description.to_lowercase().contains("webhook")
}

#[cfg(test)]
mod tests;
