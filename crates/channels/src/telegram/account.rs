//! One bot of Telegram's, as an installed integration.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use switchboard_engine::Engine;
use switchboard_engine::keys::hex;
use switchboard_model::{Error, Integration, Result};
use switchboard_script::Script;

use super::client::Client;
use super::condition::Reporter;
use super::files::Links;
use super::mapping::Mapping;
use super::pace::Pace;

/// What an account needs.
pub struct AccountConfig {
    /// Where updates go.
    pub engine: Engine,
    /// The installed integration.
    pub integration: Integration,
    /// The bot's token, as `@BotFather` gives it.
    pub token: SecretString,
    /// The Bot API server: [`super::DEFAULT_API_URL`], or one of your own.
    pub api_url: String,
    /// The address under which this server is reached: where files that people send are found.
    pub own_url: String,
    /// How long things may take.
    pub timing: Timing,
    /// What says which conversation a thread is, if not the thread alone.
    pub script: Option<Script>,
    /// Whether to send no faster than Telegram likes, and with what behind it.
    pub pacing: Pacing,
}

/// Whether an account keeps to Telegram's limits by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pacing {
    /// It sends as fast as it can.
    Off,
    /// It keeps to them, and nobody has sent for this bot before.
    Fresh,
    /// It keeps to them, and another process may have sent for this bot until now.
    Following,
}

/// How long things take at most, and how long the pauses are. The defaults are for the real
/// Telegram; tests shorten them.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// How long a poll waits for updates (whole seconds).
    pub poll: Duration,
    /// How long any other request may take, and a poll beyond its wait.
    pub request: Duration,
    /// The pause after a poll that brought nothing new at once.
    pub idle: Duration,
    /// The first pause after a failure that passes; it doubles up to `longest`.
    pub retry: Duration,
    /// The first pause after a conflict with another program; it doubles up to `longest`.
    pub conflict: Duration,
    /// How long after a conflict things must go well before they count as well again: two programs
    /// that end each other's polls both succeed now and then.
    pub calm: Duration,
    /// The first pause after Telegram refuses the token or the webhook; it doubles up to twice
    /// `longest`.
    pub refused: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// How often a webhook is looked after.
    pub watch: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(25),
            request: Duration::from_secs(30),
            idle: Duration::from_millis(500),
            retry: Duration::from_millis(500),
            conflict: Duration::from_secs(4),
            calm: Duration::from_secs(20),
            refused: Duration::from_secs(8),
            longest: Duration::from_secs(30),
            watch: Duration::from_mins(1),
        }
    }
}

/// A bot of Telegram's: receives by [polling](Self::run_polling) or by
/// [webhook](Self::run_webhook), and sends. Share it in an `Arc`.
pub struct Account {
    pub(super) engine: Engine,
    pub(super) integration: Integration,
    pub(super) client: Arc<Client>,
    /// The bot's number: what update numbers and the poll position belong to. It stays when the
    /// token is renewed.
    pub(super) number: String,
    pub(super) links: Links,
    pub(super) webhook_secret: SecretString,
    pub(super) timing: Timing,
    pub(super) condition: Reporter,
    pub(super) mapping: Option<Mapping>,
    pub(super) pace: Option<Arc<Pace>>,
}

impl Account {
    /// An account. Nothing is sent yet. Fails on a token or URL that cannot be right.
    pub fn new(config: AccountConfig) -> Result<Self> {
        let number = bot_number(config.token.expose_secret())?;
        let webhook_secret = webhook_secret(&config.token, &config.integration.webhook_id);
        Ok(Self {
            number,
            webhook_secret,
            links: Links {
                base: config.own_url.trim_end_matches('/').to_owned(),
                integration: config.integration.id,
                vault: config.engine.vault().clone(),
            },
            client: Arc::new(Client::new(&config.api_url, config.token)?),
            condition: Reporter::new(config.engine.health().clone(), &config.integration),
            mapping: config.script.map(Mapping::new),
            pace: match config.pacing {
                Pacing::Off => None,
                Pacing::Fresh => Some(Pace::new(false)),
                Pacing::Following => Some(Pace::new(true)),
            },
            engine: config.engine,
            integration: config.integration,
            timing: config.timing,
        })
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("integration", &self.integration.id)
            .field("bot", &self.number)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// The part of the token before the colon.
fn bot_number(token: &str) -> Result<String> {
    let secret_is_plain = |secret: &str| {
        !secret.is_empty()
            && secret
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    token
        .split_once(':')
        .filter(|(number, secret)| number.parse::<u64>().is_ok() && secret_is_plain(secret))
        .map(|(number, _)| number.to_owned())
        .ok_or_else(|| {
            Error::invalid(
                "telegram token",
                "expected a token as @BotFather gives it, such as 123456789:ABC-def_123",
            )
        })
}

/// What Telegram must send with each request to the webhook. Derived, so that it needs no storage
/// and is the same after a restart; nobody can tell the token from it.
fn webhook_secret(token: &SecretString, webhook_id: &str) -> SecretString {
    let key = hmac::Key::new(hmac::HMAC_SHA256, token.expose_secret().as_bytes());
    let tag = hmac::sign(&key, format!("telegram webhook {webhook_id}").as_bytes());
    hex(tag.as_ref()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tokens_that_can_be_right_are_taken() {
        assert_eq!(bot_number("7000000001:AA-bb_1").unwrap(), "7000000001");
        for token in [
            "", "abc", "abc:def", "12:", "12:a/b", "12:a b", ":x", "-1:x", "12:x?y",
        ] {
            let error = bot_number(token).unwrap_err().to_string();
            assert!(error.contains("@BotFather"), "{error}");
        }
    }

    #[test]
    fn a_webhook_secret_is_the_same_each_time_and_differs_by_token_and_webhook() {
        let secret = |token: &str, webhook: &str| {
            webhook_secret(&token.to_owned().into(), webhook)
                .expose_secret()
                .to_owned()
        };
        assert_eq!(secret("1:a", "w"), secret("1:a", "w"));
        assert_ne!(secret("1:a", "w"), secret("1:b", "w"));
        assert_ne!(secret("1:a", "w"), secret("1:a", "v"));
        // Telegram takes 1 to 256 of A-Z a-z 0-9 _ -.
        assert_eq!(secret("1:a", "w").len(), 64);
    }
}
