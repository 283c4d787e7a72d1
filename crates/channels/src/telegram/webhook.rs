//! Receiving by webhook.
//!
//! Promises: an update is answered with 200 only once it is stored, and every update that is
//! stored, new or not, is; the body of that answer is empty, for Telegram would act on it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use subtle::ConstantTimeEq;
use switchboard_engine::Update;
use switchboard_integration::{Webhook, WebhookAnswer, WebhookRequest};
use switchboard_model::Error;
use tokio_util::sync::CancellationToken;

use super::account::Account;
use super::backoff::Backoff;
use super::client::Answer;
use super::control::Failure;
use super::inbound;
use super::lenient::lenient;
use super::mapping::TRIES;
use super::polling::is_passing;
use super::types::Query;

/// The header in which Telegram sends the secret (Bot API, `setWebhook`).
const SECRET_HEADER: &str = "x-telegram-bot-api-secret-token";

/// `setWebhook`.
#[derive(Serialize)]
struct SetWebhook<'a> {
    url: &'a str,
    secret_token: &'a str,
    allowed_updates: &'static [&'static str],
    drop_pending_updates: bool,
}

/// `WebhookInfo`.
#[derive(Deserialize)]
struct WebhookInfo {
    url: String,
    #[serde(default, deserialize_with = "lenient")]
    last_error_date: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    last_error_message: Option<String>,
}

/// No parameters.
#[derive(Serialize)]
struct Nothing {}

#[async_trait]
impl Webhook for Account {
    async fn receive(&self, request: WebhookRequest) -> WebhookAnswer {
        let given = request.header(SECRET_HEADER).unwrap_or_default();
        let expected = self.webhook_secret.expose_secret();
        if !bool::from(given.as_bytes().ct_eq(expected.as_bytes())) {
            return WebhookAnswer::new(401, "the secret token is missing or wrong");
        }
        if !request.path.trim_matches('/').is_empty() {
            return WebhookAnswer::new(404, "there is nothing here");
        }
        if request.method != "POST" {
            return WebhookAnswer::new(405, "expected POST");
        }
        let body = String::from_utf8_lossy(&request.body);
        let stored = match serde_json::from_str::<&RawValue>(&body) {
            Ok(raw) => {
                let stored = self.ingest_update(raw.get()).await;
                stored.map(|press| self.answer_presses(press.into_iter().collect()))
            }
            // Who knows the secret speaks for Telegram, which would send it again for a day and
            // nothing else of its chat meanwhile.
            Err(_) => {
                self.ingest_one(inbound::no_json(&self.number, &request.body))
                    .await
            }
        };
        match stored {
            Ok(()) => WebhookAnswer::OK,
            Err(error) => {
                // Telegram sends it again; until then this chat's updates wait.
                tracing::warn!(
                    integration = %self.integration.id,
                    "telegram: an update could not be stored: {error}"
                );
                WebhookAnswer::new(503, "the update could not be stored; send it again")
            }
        }
    }
}

impl Account {
    /// Sets Telegram's webhook to `<public_url>/webhook/<webhook id>`, trying until it works, and
    /// looks after it until `shutdown`. The webhook stays set then: updates wait for the next
    /// start.
    pub async fn run_webhook(self: Arc<Self>, public_url: String, shutdown: CancellationToken) {
        let base = public_url.trim_end_matches('/');
        let url = format!("{base}/webhook/{}", self.integration.webhook_id);
        shutdown.run_until_cancelled(self.keep_webhook(&url)).await;
    }

    async fn keep_webhook(&self, url: &str) {
        let mut backoff = Backoff::default();
        let mut is_set = false;
        loop {
            let checked = if is_set {
                self.check_webhook(url).await
            } else {
                self.set_webhook(url).await
            };
            let pause = match checked {
                Ok(true) => {
                    is_set = true;
                    backoff.reset();
                    self.timing.watch
                }
                Ok(false) => {
                    is_set = false;
                    tracing::warn!(
                        integration = %self.integration.id,
                        "telegram: another program has changed the bot's webhook; setting it again"
                    );
                    Duration::ZERO
                }
                Err(failure) => self.webhook_failed(&failure, &mut backoff),
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn set_webhook(&self, url: &str) -> Result<bool, Failure> {
        let call = SetWebhook {
            url,
            secret_token: self.webhook_secret.expose_secret(),
            allowed_updates: &inbound::KINDS,
            drop_pending_updates: false,
        };
        let limit = self.timing.request;
        match self.client.call("setWebhook", &call, limit).await {
            Answer::Ok(_) => {
                self.condition.receives();
                Ok(true)
            }
            answer => Err(Failure::of(&answer)),
        }
    }

    /// Whether the webhook is still ours; a person is told if Telegram cannot deliver to it.
    async fn check_webhook(&self, url: &str) -> Result<bool, Failure> {
        let limit = self.timing.request;
        let answer = self.client.call("getWebhookInfo", &Nothing {}, limit).await;
        let Answer::Ok(result) = answer else {
            return Err(Failure::of(&answer));
        };
        let Ok(info) = serde_json::from_str::<WebhookInfo>(result.get()) else {
            return Err(Failure::of(&Answer::Ok(result)));
        };
        if info.url != url {
            return Ok(false);
        }
        let now = self.engine.env().now().as_millis() / 1000;
        let fresh = i64::try_from(self.timing.watch.as_secs()).unwrap_or(i64::MAX);
        match (info.last_error_date, info.last_error_message) {
            (Some(date), Some(message)) if now.saturating_sub(date) <= fresh => {
                self.condition.cannot_receive(format!(
                    "Telegram cannot deliver to the webhook ({message}); check that the public \
                     URL can be reached from the internet"
                ));
            }
            _ => self.condition.receives(),
        }
        Ok(true)
    }

    fn webhook_failed(&self, failure: &Failure, backoff: &mut Backoff) -> Duration {
        let (pause, telling) = failure.pause(backoff, self.engine.env(), &self.timing);
        if telling {
            self.condition
                .cannot_receive(format!("the webhook: {}", failure.text));
        }
        pause
    }

    /// Stores what an update brings, and tells of the press that it is.
    async fn ingest_update(&self, raw: &str) -> Result<Option<Query>, Error> {
        let (update, press) = self.read(raw).await?;
        let mut tries = 0;
        let stored = loop {
            let mapped = self.mapped(raw, &update).await?;
            tries += 1;
            match self.ingest_one(mapped).await {
                // What the script gave was deleted in between.
                Err(Error::ReferenceNotFound { .. }) if tries < TRIES => {}
                stored => break stored,
            }
        };
        match stored {
            Err(error) if !is_passing(&error) => {
                self.ingest_one(inbound::unreadable(&self.number, raw))
                    .await
            }
            stored => stored,
        }
        .map(|()| press)
    }

    async fn ingest_one(&self, update: Update) -> Result<(), Error> {
        self.engine
            .ingest(&self.integration, vec![update], None)
            .await
            .map(drop)
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::{request, request_of};
