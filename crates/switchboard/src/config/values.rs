//! The settings in effect: checked, with defaults.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use switchboard_api::Limits;
use switchboard_engine::Vault;
use switchboard_engine::access::{MIN_TOKEN_LEN, is_strong};
use switchboard_store_postgres::MISSING;

use crate::commands::Failure;
use crate::config::Settings;

/// What to do with a message that a channel may or may not have taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum UncertainSends {
    /// Send it again: it may show up twice, never not at all.
    #[default]
    Retry,
    /// Leave it: it may not show up, never twice. It is listed and can be replayed by hand.
    AtMostOnce,
}

/// Whether to send no faster than a platform likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Pace {
    /// What is over the limits waits for its turn.
    #[default]
    On,
    /// All is sent at once: for emulators, and for measuring.
    Off,
}

/// The settings in effect.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) listen: String,
    pub(crate) data_dir: PathBuf,
    pub(crate) database: PathBuf,
    pub(crate) bot_url: Option<Url>,
    pub(crate) faq: Option<PathBuf>,
    pub(crate) bot_timeout: Duration,
    pub(crate) retry_for: Duration,
    pub(crate) uncertain_sends: UncertainSends,
    pub(crate) telegram_token: Option<SecretString>,
    pub(crate) telegram_api_url: Url,
    pub(crate) telegram_pace: Pace,
    pub(crate) public_url: Option<Url>,
    pub(crate) token: Option<SecretString>,
    pub(crate) encryption_key: Option<SecretString>,
    pub(crate) max_connections: usize,
    pub(crate) read_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) log: String,
}

impl Config {
    /// Reads the file, checks everything and fills in the defaults.
    pub(crate) fn load(settings: Settings) -> Result<Self, Failure> {
        let settings = settings.with_file()?;
        let data_dir = settings.data_dir.unwrap_or_else(|| PathBuf::from("data"));
        let config = Self {
            listen: listen(settings.listen)?,
            database: database(settings.database_url.as_deref(), &data_dir)?,
            data_dir,
            bot_url: url("bot_url", settings.bot_url.as_deref())?,
            faq: settings.faq.filter(|file| !file.as_os_str().is_empty()),
            bot_timeout: seconds("bot_timeout", settings.bot_timeout, 60, 1..=3_600)?,
            retry_for: seconds("retry_for", settings.retry_for, 900, 1..=604_800)?,
            uncertain_sends: settings.uncertain_sends.unwrap_or_default(),
            telegram_token: given(settings.telegram_token),
            telegram_api_url: url("telegram_api_url", settings.telegram_api_url.as_deref())?
                .map_or_else(default_telegram, Ok)?,
            telegram_pace: settings.telegram_pace.unwrap_or_default(),
            public_url: url("public_url", settings.public_url.as_deref())?,
            token: given(settings.token),
            encryption_key: given(settings.encryption_key),
            max_connections: connections(settings.max_connections)?,
            read_timeout: seconds("read_timeout", settings.read_timeout, 30, 1..=3_600)?,
            idle_timeout: seconds("idle_timeout", settings.idle_timeout, 150, 1..=86_400)?,
            log: settings
                .log
                .filter(|log| !log.is_empty())
                .unwrap_or_else(|| "info".to_owned()),
        };
        if config.bot_url.is_some() && config.faq.is_some() {
            return Err(Failure::Config(
                "bot_url and faq: only one bot can answer; give --bot-url (SWITCHBOARD_BOT_URL) or --faq \
                 (SWITCHBOARD_FAQ), not both"
                    .to_owned(),
            ));
        }
        config.check_secrets()?;
        config.check_public_url()?;
        Ok(config)
    }

    /// Telegram calls only https; a Bot API server of one's own may call what it reaches.
    fn check_public_url(&self) -> Result<(), Failure> {
        let Some(url) = &self.public_url else {
            return Ok(());
        };
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
            return Err(Failure::Config(
                "public_url: expected a URL without query, fragment and user name: /webhook/… is added to it"
                    .to_owned(),
            ));
        }
        let host = url.host_str().unwrap_or_default();
        let is_loopback = host == "localhost" || host.starts_with("127.") || host == "[::1]";
        let own_server = self.telegram_api_url.host_str() != Some("api.telegram.org");
        if url.scheme() == "https" || is_loopback || own_server {
            return Ok(());
        }
        Err(Failure::Config(
            "public_url: expected an https URL; plain http only on this machine, or with a Bot API server of your own"
                .to_owned(),
        ))
    }

    fn check_secrets(&self) -> Result<(), Failure> {
        if let Some(token) = &self.token
            && !is_strong(token.expose_secret())
        {
            return Err(Failure::Config(format!(
                "token (SWITCHBOARD_TOKEN): expected at least {MIN_TOKEN_LEN} printable ASCII \
                 characters without spaces, as from `openssl rand -hex 24`"
            )));
        }
        if let Some(token) = &self.telegram_token {
            telegram_account(token.expose_secret())?;
        }
        if let Some(key) = &self.encryption_key {
            parse_key(key.expose_secret())?;
        }
        Ok(())
    }

    /// What callers of the server are held to.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            connections: self.max_connections,
            read: self.read_timeout,
            idle: self.idle_timeout,
            ..Limits::default()
        }
    }

    /// Names and values for people, secrets masked.
    pub(crate) fn shown(&self) -> Vec<(&'static str, Option<String>)> {
        let masked = |secret: &Option<SecretString>| secret.as_ref().map(|_| "********".to_owned());
        vec![
            ("listen", Some(self.listen.clone())),
            ("data_dir", Some(self.data_dir.display().to_string())),
            (
                "database_url",
                Some(format!("sqlite:{}", self.database.display())),
            ),
            ("bot_url", self.bot_url.as_ref().map(shown_url)),
            (
                "faq",
                self.faq.as_ref().map(|file| file.display().to_string()),
            ),
            ("bot_timeout", Some(self.bot_timeout.as_secs().to_string())),
            ("retry_for", Some(self.retry_for.as_secs().to_string())),
            (
                "uncertain_sends",
                Some(
                    match self.uncertain_sends {
                        UncertainSends::Retry => "retry",
                        UncertainSends::AtMostOnce => "at-most-once",
                    }
                    .to_owned(),
                ),
            ),
            ("telegram_token", masked(&self.telegram_token)),
            ("telegram_api_url", Some(shown_url(&self.telegram_api_url))),
            (
                "telegram_pace",
                Some(
                    match self.telegram_pace {
                        Pace::On => "on",
                        Pace::Off => "off",
                    }
                    .to_owned(),
                ),
            ),
            ("public_url", self.public_url.as_ref().map(shown_url)),
            ("token", masked(&self.token)),
            ("encryption_key", masked(&self.encryption_key)),
            ("max_connections", Some(self.max_connections.to_string())),
            (
                "read_timeout",
                Some(self.read_timeout.as_secs().to_string()),
            ),
            (
                "idle_timeout",
                Some(self.idle_timeout.as_secs().to_string()),
            ),
            ("log", Some(self.log.clone())),
        ]
    }
}

/// A URL for people: what may be a secret in it is masked.
pub(crate) fn shown_url(url: &Url) -> String {
    let mut url = url.clone();
    if url.password().is_some() {
        // Fails only for URLs that can have no password.
        let _ = url.set_password(Some("********"));
    }
    if url.query().is_some() {
        url.set_query(Some("********"));
    }
    url.to_string()
}

/// An empty variable is as good as none.
fn given(secret: Option<SecretString>) -> Option<SecretString> {
    secret.filter(|secret| !secret.expose_secret().is_empty())
}

fn listen(given: Option<String>) -> Result<String, Failure> {
    let listen = given.filter(|text| !text.is_empty());
    let listen = listen.unwrap_or_else(|| "127.0.0.1:4000".to_owned());
    let port = listen
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
    match port {
        Some((host, _)) if !host.is_empty() => Ok(listen),
        _ => Err(Failure::Config(
            "listen: expected host:port, such as 127.0.0.1:4000 or localhost:0".to_owned(),
        )),
    }
}

fn default_telegram() -> Result<Url, Failure> {
    Url::parse("https://api.telegram.org").map_err(|error| Failure::Config(error.to_string()))
}

fn database(url: Option<&str>, data_dir: &std::path::Path) -> Result<PathBuf, Failure> {
    match url.filter(|url| !url.is_empty()) {
        None => Ok(data_dir.join("switchboard.db")),
        Some(url) => match url.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => {
                Ok(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
            }
            _ if url.starts_with("postgres") => Err(Failure::Config(format!(
                "database_url: PostgreSQL is not served by this version: its store lacks {}; use \
                 sqlite:PATH",
                MISSING.join(", ")
            ))),
            _ => Err(Failure::Config(
                "database_url: expected sqlite:PATH".to_owned(),
            )),
        },
    }
}

fn url(name: &str, text: Option<&str>) -> Result<Option<Url>, Failure> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.map(Some).ok_or_else(|| {
        Failure::Config(format!(
            "{name}: expected a URL such as https://bot.example.com/path"
        ))
    })
}

/// Nothing said, it is what leaves bots and channels their part of the open files.
fn connections(given: Option<u64>) -> Result<usize, Failure> {
    let Some(given) = given else {
        let quarter = crate::system::file_limit() / 4;
        return Ok(Limits::default().connections.min(quarter).max(1));
    };
    usize::try_from(given)
        .ok()
        .filter(|given| (1..=1_000_000).contains(given))
        .ok_or_else(|| {
            Failure::Config("max_connections: expected a number from 1 to 1000000".to_owned())
        })
}

fn seconds(
    name: &str,
    value: Option<u64>,
    default: u64,
    range: std::ops::RangeInclusive<u64>,
) -> Result<Duration, Failure> {
    let value = value.unwrap_or(default);
    if range.contains(&value) {
        return Ok(Duration::from_secs(value));
    }
    Err(Failure::Config(format!(
        "{name}: expected {} to {} seconds",
        range.start(),
        range.end()
    )))
}

/// The account that a Telegram token belongs to: the part before the colon.
pub(crate) fn telegram_account(token: &str) -> Result<&str, Failure> {
    token
        .split_once(':')
        .filter(|(account, secret)| {
            !account.is_empty()
                && account.bytes().all(|byte| byte.is_ascii_digit())
                && !secret.is_empty()
                && secret
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        })
        .map(|(account, _)| account)
        .ok_or_else(|| {
            Failure::Config(
                "telegram_token: expected a bot token from @BotFather, such as 123456:ABC-DEF"
                    .to_owned(),
            )
        })
}

/// An encryption key of 64 hexadecimal digits.
pub(crate) fn parse_key(text: &str) -> Result<[u8; Vault::KEY_LEN], Failure> {
    let mut key = [0; Vault::KEY_LEN];
    let digits = text.trim().as_bytes();
    let valid = digits.len() == 2 * key.len() && digits.iter().all(u8::is_ascii_hexdigit);
    if valid {
        for (byte, pair) in key.iter_mut().zip(digits.chunks(2)) {
            let text = std::str::from_utf8(pair).unwrap_or_default();
            *byte = u8::from_str_radix(text, 16).unwrap_or_default();
        }
        return Ok(key);
    }
    Err(Failure::Config(
        "encryption_key: expected 64 hexadecimal digits, as from `openssl rand -hex 32`".to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_need_be_given() {
        let config = Config::load(Settings::default()).unwrap();
        assert_eq!(config.listen, "127.0.0.1:4000");
        assert_eq!(config.database, PathBuf::from("data/switchboard.db"));
    }

    #[test]
    fn secrets_are_masked_wherever_settings_are_shown() {
        let settings = Settings {
            telegram_token: Some("12345:abcSECRET".to_owned().into()),
            token: Some("SECRET-SECRET-SECRET-SECRET-SECRET".to_owned().into()),
            bot_url: Some("http://me:SECRET@127.0.0.1/".to_owned()),
            ..Settings::default()
        };
        let config = Config::load(settings).unwrap();
        let shown = format!("{:?} {config:?}", config.shown());
        assert!(
            !format!("{:?}", config.shown()).contains("SECRET"),
            "{shown}"
        );
    }

    #[test]
    fn faults_name_the_setting() {
        for (settings, name) in [
            (
                Settings {
                    listen: Some("4000".to_owned()),
                    ..Settings::default()
                },
                "listen",
            ),
            (
                Settings {
                    token: Some("short".to_owned().into()),
                    ..Settings::default()
                },
                "token",
            ),
            (
                Settings {
                    bot_url: Some("ftp://x".to_owned()),
                    ..Settings::default()
                },
                "bot_url",
            ),
            (
                Settings {
                    database_url: Some("postgres://x".to_owned()),
                    ..Settings::default()
                },
                "database_url",
            ),
            (
                Settings {
                    encryption_key: Some("zz".to_owned().into()),
                    ..Settings::default()
                },
                "encryption_key",
            ),
            (
                Settings {
                    telegram_token: Some("nonsense".to_owned().into()),
                    ..Settings::default()
                },
                "telegram_token",
            ),
            (
                Settings {
                    retry_for: Some(0),
                    ..Settings::default()
                },
                "retry_for",
            ),
            (
                Settings {
                    max_connections: Some(0),
                    ..Settings::default()
                },
                "max_connections",
            ),
            (
                Settings {
                    read_timeout: Some(0),
                    ..Settings::default()
                },
                "read_timeout",
            ),
            (
                Settings {
                    idle_timeout: Some(86_401),
                    ..Settings::default()
                },
                "idle_timeout",
            ),
        ] {
            let error = Config::load(settings).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
