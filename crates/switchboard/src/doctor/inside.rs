//! What can be looked at only where the database is open: secrets, tokens, clocks, what waits, and
//! whether others can be reached with the settings of this process.

use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use switchboard_api::admin::{Account, Check, Doctor};
use switchboard_channels::telegram::{self, Unknown};
use switchboard_engine::{Condition, Engine};
use switchboard_model::{Bot, Integration, Result, Timestamp};
use switchboard_store::{DeliveryRecordStatus, MessageFilter, PageRequest};
use tokio::time::Instant;

use super::{fail, ok, skip, warn};
use crate::config::{Config, shown_url};

/// How long another program may take to answer.
pub(super) const LIMIT: Duration = Duration::from_secs(5);
/// How long all integrations may take together, and how many are asked about at once.
const TOGETHER: Duration = Duration::from_secs(15);
const AT_ONCE: usize = 16;
/// More than this, and times in the database or at Telegram's are not to be explained by a slow
/// network.
const APART: i64 = 60_000;

/// Looks from inside.
pub(crate) struct Inside {
    pub(crate) engine: Engine,
    pub(crate) config: Config,
    /// Whether requests are served.
    pub(crate) serves: bool,
}

#[async_trait]
impl Doctor for Inside {
    async fn checks(&self) -> Vec<Check> {
        let unreadable = |found: &str| {
            vec![fail(
                "database",
                found,
                "nothing can be read or written",
                "look at the server's log and at the disk",
            )]
        };
        match tokio::time::timeout(2 * TOGETHER, self.all()).await {
            Ok(Ok(checks)) => checks,
            Ok(Err(error)) => unreadable(&error.to_string()),
            Err(_) => unreadable("what is stored is not read in time"),
        }
    }

    async fn telegram_account(&self, token: &str) -> Account {
        let api_url = self.config.telegram_api_url.to_string();
        match telegram::identify(&api_url, token.to_owned().into(), LIMIT).await {
            Ok(Ok(name)) => Account::Known(format!("@{name}")),
            Ok(Err(Unknown::Token(reason))) => Account::Refused(reason),
            Ok(Err(Unknown::Unreachable(reason))) => Account::Unreachable(reason),
            Err(error) => Account::Unreachable(error.to_string()),
        }
    }
}

impl Inside {
    async fn all(&self) -> Result<Vec<Check>> {
        let store = self.engine.store();
        let bots = store.list_bots().await?;
        let mut checks = vec![self.writes().await, self.clock(&bots).await?];
        let mut integrations = Vec::new();
        for bot in &bots {
            integrations.extend(store.list_integrations(bot.id).await?);
        }
        // Whoever does not answer holds up no other.
        let (clock, accounts, answers, public) = tokio::join!(
            self.telegram_clock(),
            self.integrations(&integrations),
            self.who_answers(),
            self.public_url()
        );
        checks.push(clock);
        checks.extend(accounts);
        for bot in &bots {
            checks.extend(self.outbox(bot).await?);
        }
        checks.extend([answers, public]);
        Ok(checks)
    }

    /// All of them, some at a time, and none after the time for all is over.
    async fn integrations(&self, integrations: &[Integration]) -> Vec<Check> {
        let deadline = Instant::now() + TOGETHER;
        let looks: Vec<_> = integrations
            .iter()
            .map(|integration| self.integration_by(integration, deadline))
            .collect();
        let looked = futures::stream::iter(looks).buffered(AT_ONCE);
        looked.concat().await
    }

    async fn integration_by(&self, integration: &Integration, deadline: Instant) -> Vec<Check> {
        let looked = tokio::time::timeout_at(deadline, self.integration(integration)).await;
        looked.unwrap_or_else(|_| {
            let found = "not looked at: the others took all of the time";
            vec![skip(&name(integration), found)]
        })
    }

    async fn writes(&self) -> Check {
        match tokio::time::timeout(LIMIT, self.engine.store().ping()).await {
            Ok(Ok(())) => ok("writing", "a write reaches the disk"),
            Ok(Err(error)) => fail(
                "writing",
                &error.to_string(),
                "nothing new is taken",
                "free space, or mend the disk",
            ),
            Err(_) => fail(
                "writing",
                "a write takes more than 5 s",
                "answers and updates wait",
                "look at the disk",
            ),
        }
    }

    async fn clock(&self, bots: &[Bot]) -> Result<Check> {
        let mut newest: Option<Timestamp> = None;
        for bot in bots {
            let page = PageRequest {
                after: None,
                limit: 1,
            };
            let store = self.engine.store();
            let found = store.list_messages(bot.id, MessageFilter::default(), page);
            newest = newest.max(found.await?.items.first().map(|found| found.created_at));
        }
        let now = self.engine.env().now();
        Ok(match newest {
            Some(newest) if newest.as_millis() > now.as_millis() + APART => fail(
                "clock",
                &format!("it is {now}, and the newest message is of {newest}"),
                "deliveries, leases and expiries wait until then",
                "set this machine's clock (NTP)",
            ),
            _ => ok("clock", &format!("{now}, after all that is stored")),
        })
    }

    /// Against the `Date` header of the Bot API's server.
    async fn telegram_clock(&self) -> Check {
        const NAME: &str = "clock by Telegram";
        let url = self.config.telegram_api_url.clone();
        let host = shown_url(&url);
        let Ok(client) = reqwest::Client::builder().timeout(LIMIT).build() else {
            return skip(NAME, "no HTTP client can be made");
        };
        let Ok(answer) = client.get(url).send().await else {
            return warn(
                NAME,
                &format!("{host} cannot be reached"),
                "Telegram neither receives nor sends",
                "check the network, a firewall, --telegram-api-url",
            );
        };
        let date = answer
            .headers()
            .get("date")
            .and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| {
            let format = &time::format_description::well_known::Rfc2822;
            time::OffsetDateTime::parse(&date.replace("GMT", "+0000"), format).ok()
        });
        let Some(date) = date else {
            return skip(NAME, &format!("{host} does not tell the time"));
        };
        let now = self.engine.env().now().as_millis();
        let apart = now - date.unix_timestamp() * 1000;
        if apart.abs() <= APART {
            return ok(NAME, &format!("{host} agrees"));
        }
        warn(
            NAME,
            &format!("this clock and that of {host} are {} s apart", apart / 1000),
            "times of messages are wrong, and certificates may seem out of date",
            "set this machine's clock (NTP)",
        )
    }

    async fn integration(&self, integration: &Integration) -> Vec<Check> {
        let name = name(integration);
        let secret = match self.engine.integration_secret(integration.id).await {
            Ok(secret) => secret,
            Err(error) => {
                return vec![fail(
                    &name,
                    &error.to_string(),
                    "its channel does not start",
                    "bring back encryption.key, or set the token again (integrations add)",
                )];
            }
        };
        let mut checks = Vec::new();
        let health = self.engine.health().all();
        let trouble = health
            .into_iter()
            .find_map(|(id, condition)| match condition {
                Condition::Troubled(text) if id == integration.id => Some(text),
                _ => None,
            });
        if let Some(trouble) = trouble {
            checks.push(fail(
                &name,
                &trouble,
                "its messages wait",
                "do as the text says; it recovers by itself",
            ));
        }
        match (integration.active, secret) {
            (true, Some(token)) if integration.platform == telegram::PLATFORM => {
                checks.push(self.telegram(&name, integration, token).await);
            }
            (true, _) => checks.push(ok(&name, "active")),
            (false, Some(_)) => checks.push(warn(
                &name,
                "switched off",
                "nothing comes in, and what is sent to it fails",
                "switchboard integrations enable",
            )),
            (false, None) => checks.push(skip(&name, "not plugged in")),
        }
        checks
    }

    async fn telegram(&self, name: &str, integration: &Integration, token: String) -> Check {
        let api_url = self.config.telegram_api_url.to_string();
        let examined = match telegram::examine(&api_url, token.into(), LIMIT).await {
            Ok(Ok(examined)) => examined,
            Ok(Err(unknown)) => {
                let (found, fix) = match &unknown {
                    Unknown::Token(found) => (
                        found,
                        "get a token from @BotFather and set it (integrations add telegram)",
                    ),
                    Unknown::Unreachable(found) => {
                        (found, "check the network, a firewall, --telegram-api-url")
                    }
                };
                return fail(name, found, "nothing comes in and nothing goes out", fix);
            }
            Err(error) => {
                return fail(
                    name,
                    &error.to_string(),
                    "it does not start",
                    "set it again",
                );
            }
        };
        let wanted = self.config.public_url.as_ref().map(|url| {
            let base = url.as_str().trim_end_matches('/');
            format!("{base}/webhook/{}", integration.webhook_id)
        });
        let known = format!(
            "@{}, {} updates wait there",
            examined.username, examined.pending
        );
        let webhook = examined.webhook_url;
        if self.serves && webhook != wanted.unwrap_or_default() {
            return warn(
                name,
                &format!("{known}; its webhook is not the one of these settings"),
                "updates go elsewhere",
                "stop the other program that uses this token, or use another token",
            );
        }
        let hour_ago = self.engine.env().now().as_millis() / 1000 - 3600;
        match examined.last_error {
            Some((at, error)) if !webhook.is_empty() && at > hour_ago => warn(
                name,
                &format!("{known}; the webhook's last error: {error}"),
                "updates come late or not at all",
                "check that the public URL is reached from the internet, with a valid certificate",
            ),
            _ => ok(name, &known),
        }
    }

    async fn outbox(&self, bot: &Bot) -> Result<Vec<Check>> {
        let mut checks = Vec::new();
        for (status, word) in [
            (DeliveryRecordStatus::Dead, "dead"),
            (DeliveryRecordStatus::Uncertain, "uncertain"),
        ] {
            let page = PageRequest {
                after: None,
                limit: 100,
            };
            let store = self.engine.store();
            let found = store
                .list_deliveries(bot.id, Some(status), None, page)
                .await?;
            let more = if found.next.is_some() { " or more" } else { "" };
            let (name, count) = (
                format!("{word} deliveries of {}", bot.id),
                found.items.len(),
            );
            checks.push(if count == 0 {
                ok(&name, "none")
            } else {
                warn(
                    &name,
                    &format!("{count}{more}"),
                    "somebody has not been answered, or perhaps not",
                    "switchboard deliveries list, then deliveries replay or messages retry; deliveries dismiss \
                     puts aside what needs no more of it",
                )
            });
        }
        Ok(checks)
    }
}

/// What an integration's checks are called.
fn name(integration: &Integration) -> String {
    format!("{} of {}", integration.alias, integration.bot)
}
