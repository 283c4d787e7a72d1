//! What can be looked at only where the database is open: secrets, tokens, clocks, what waits, and
//! whether others can be reached with the settings of this process.

use std::time::Duration;

use async_trait::async_trait;
use switchboard_api::admin::{Check, Doctor};
use switchboard_channels::telegram;
use switchboard_engine::{Condition, Engine};
use switchboard_model::{Bot, Integration, Result, Timestamp};
use switchboard_store::{DeliveryRecordStatus, MessageFilter, PageRequest};

use super::{fail, ok, skip, warn};
use crate::config::{Config, shown_url};

/// How long another program may take to answer.
const LIMIT: Duration = Duration::from_secs(5);
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
        match self.all().await {
            Ok(checks) => checks,
            Err(error) => vec![fail(
                "database",
                &error.to_string(),
                "nothing can be read or written",
                "look at the server's log and at the disk",
            )],
        }
    }
}

impl Inside {
    async fn all(&self) -> Result<Vec<Check>> {
        let bots = self.engine.store().list_bots().await?;
        let mut checks = vec![self.writes().await, self.clock(&bots).await?];
        checks.push(self.telegram_clock().await);
        for bot in &bots {
            for integration in self.engine.store().list_integrations(bot.id).await? {
                checks.extend(self.integration(&integration).await);
            }
            checks.extend(self.outbox(bot).await?);
        }
        checks.push(self.bot_url().await);
        checks.push(self.public_url().await);
        Ok(checks)
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
        let name = format!("{} of {}", integration.alias, integration.bot);
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
            Ok(Err(text)) => {
                return fail(
                    name,
                    &text,
                    "nothing comes in and nothing goes out",
                    "get a token from @BotFather (integrations add telegram), or mend the network",
                );
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
                    "switchboard deliveries list, then deliveries replay or messages retry",
                )
            });
        }
        Ok(checks)
    }

    async fn bot_url(&self) -> Check {
        const NAME: &str = "bot";
        let Some(url) = &self.config.bot_url else {
            return ok(NAME, "the built-in echo answers");
        };
        let shown = shown_url(url);
        let address = url
            .host_str()
            .zip(url.port_or_known_default())
            .map(|(host, port)| format!("{host}:{port}"))
            .unwrap_or_default();
        let connected = tokio::net::TcpStream::connect(address);
        match tokio::time::timeout(LIMIT, connected).await {
            Ok(Ok(_)) => ok(NAME, &format!("{shown} takes connections")),
            Ok(Err(error)) => fail(
                NAME,
                &format!("{shown}: {error}"),
                "events wait, and are put aside after retry_for",
                "start the bot, or correct --bot-url",
            ),
            Err(_) => fail(
                NAME,
                &format!("{shown}: no connection within 5 s"),
                "events wait, and are put aside after retry_for",
                "check the network, or correct --bot-url",
            ),
        }
    }

    async fn public_url(&self) -> Check {
        const NAME: &str = "public URL";
        let Some(url) = &self.config.public_url else {
            return ok(NAME, "none is set, so updates are polled for");
        };
        if !self.serves {
            return skip(NAME, "no server runs");
        }
        let shown = shown_url(url);
        let wrong = |found: String| {
            fail(
                NAME,
                &found,
                "webhooks do not arrive",
                "check the proxy, the certificate and the DNS entry, or leave --public-url out",
            )
        };
        let health = format!("{}/healthz", url.as_str().trim_end_matches('/'));
        let Ok(client) = reqwest::Client::builder().timeout(LIMIT).build() else {
            return skip(NAME, "no HTTP client can be made");
        };
        match client.get(health).send().await {
            Ok(answer) if answer.status().is_success() => {
                ok(NAME, &format!("{shown} leads to a server"))
            }
            Ok(answer) => wrong(format!("{shown}/healthz answers {}", answer.status())),
            Err(error) => wrong(format!("{shown}: {}", error.without_url())),
        }
    }
}
