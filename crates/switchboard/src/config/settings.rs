//! What can be set, as it is given: one struct for the file, the variables and the flags.

use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::SecretString;
use serde::Deserialize;

use crate::commands::Failure;
use crate::config::{Pace, UncertainSends};

/// Settings that may be given. None of them is needed.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Where to listen, as host:port; port 0 picks a free one [default: 127.0.0.1:4000]
    #[arg(
        long,
        global = true,
        env = "SWITCHBOARD_LISTEN",
        value_name = "HOST:PORT"
    )]
    pub(crate) listen: Option<String>,

    /// The data folder: database, lock and encryption key [default: ./data]
    #[arg(
        long,
        global = true,
        env = "SWITCHBOARD_DATA_DIR",
        value_name = "FOLDER"
    )]
    pub(crate) data_dir: Option<PathBuf>,

    /// The database, as sqlite:PATH [default: switchboard.db in the data folder]
    #[arg(
        long,
        global = true,
        env = "SWITCHBOARD_DATABASE_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) database_url: Option<String>,

    /// Send each event to this URL instead of the built-in echo bot
    #[arg(
        long,
        global = true,
        env = "SWITCHBOARD_BOT_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) bot_url: Option<String>,

    /// Answer by the FAQ bot that this TOML file describes, instead of the built-in echo bot
    #[arg(long, global = true, env = "SWITCHBOARD_FAQ", value_name = "FILE")]
    pub(crate) faq: Option<PathBuf>,

    /// How long the bot may take for one event, in seconds [default: 60]
    #[arg(
        long,
        global = true,
        env = "SWITCHBOARD_BOT_TIMEOUT",
        value_name = "SECONDS"
    )]
    pub(crate) bot_timeout: Option<u64>,

    /// For how long a failing delivery is tried and holds up its conversation, in seconds, before
    /// it is put aside [default: 900]
    #[arg(
        long,
        global = true,
        env = "SWITCHBOARD_RETRY_FOR",
        value_name = "SECONDS"
    )]
    pub(crate) retry_for: Option<u64>,

    /// What to do with a message that a channel may or may not have taken [default: retry]
    #[arg(long, global = true, env = "SWITCHBOARD_UNCERTAIN_SENDS", value_enum)]
    pub(crate) uncertain_sends: Option<UncertainSends>,

    /// Plug in Telegram with this bot token (from `@BotFather`); kept encrypted
    #[arg(
        long,
        global = true,
        env = "SWITCHBOARD_TELEGRAM_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    pub(crate) telegram_token: Option<SecretString>,

    /// The Bot API server [default: Telegram's own]
    #[arg(
        long,
        global = true,
        env = "SWITCHBOARD_TELEGRAM_API_URL",
        value_name = "URL"
    )]
    pub(crate) telegram_api_url: Option<String>,

    /// Whether to send no faster than Telegram likes; an emulator needs no such care [default: on]
    #[arg(
        long,
        global = true,
        env = "SWITCHBOARD_TELEGRAM_PACE",
        value_enum,
        hide_possible_values = true,
        value_name = "on|off"
    )]
    pub(crate) telegram_pace: Option<Pace>,

    /// The URL under which the world reaches this server: channels then use webhooks, not polling
    #[arg(
        long,
        global = true,
        env = "SWITCHBOARD_PUBLIC_URL",
        value_name = "URL"
    )]
    pub(crate) public_url: Option<String>,

    /// Preset the first bot's token: 32 printable characters at least
    #[arg(
        long,
        global = true,
        env = "SWITCHBOARD_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    pub(crate) token: Option<SecretString>,

    /// The key that encrypts channel tokens, 64 hexadecimal digits [default: made in the data folder]
    #[arg(
        long,
        global = true,
        env = "SWITCHBOARD_ENCRYPTION_KEY",
        value_name = "HEX",
        hide_env_values = true
    )]
    pub(crate) encryption_key: Option<SecretString>,

    /// How many connections may be open at a time [default: 4096, or a quarter of the open files
    /// that the system allows]
    #[arg(
        long,
        global = true,
        env = "SWITCHBOARD_MAX_CONNECTIONS",
        value_name = "NUMBER"
    )]
    pub(crate) max_connections: Option<u64>,

    /// How long a request's headers may take to come, and how long its body, in seconds
    /// [default: 30]
    #[arg(
        long,
        global = true,
        env = "SWITCHBOARD_READ_TIMEOUT",
        value_name = "SECONDS"
    )]
    pub(crate) read_timeout: Option<u64>,

    /// How long a connection stays open on which nothing is asked, in seconds [default: 150]
    #[arg(
        long,
        global = true,
        env = "SWITCHBOARD_IDLE_TIMEOUT",
        value_name = "SECONDS"
    )]
    pub(crate) idle_timeout: Option<u64>,

    /// What to log on standard error: error, warn, info, debug, or a tracing filter [default: info]
    #[arg(long, global = true, env = "SWITCHBOARD_LOG", value_name = "FILTER")]
    pub(crate) log: Option<String>,

    /// Read this file instead of ./switchboard.toml
    #[arg(
        long = "config",
        global = true,
        env = "SWITCHBOARD_CONFIG",
        value_name = "FILE"
    )]
    #[serde(skip)]
    pub(crate) file: Option<PathBuf>,
}

impl Settings {
    /// These, and what they leave open from the file.
    pub(crate) fn with_file(self) -> Result<Self, Failure> {
        let named = self.file.clone();
        let path = named
            .clone()
            .unwrap_or_else(|| PathBuf::from("switchboard.toml"));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {
                return Ok(self);
            }
            Err(error) => {
                return Err(Failure::Config(format!(
                    "{} cannot be read: {error}",
                    path.display()
                )));
            }
        };
        Ok(self.or(Self::parse(&path, &text)?))
    }

    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, Failure> {
        toml::from_str(text).map_err(|error| {
            // The error's own text would quote the line, which may hold a secret.
            let start = error.span().map_or(0, |span| span.start);
            let before = text.get(..start).unwrap_or(text);
            let line = before.matches('\n').count() + 1;
            let written = text.lines().nth(line - 1).unwrap_or_default();
            let name = written.split('=').next().unwrap_or_default().trim();
            let place = format!("{}, line {line}", path.display());
            Failure::Config(if SECRETS.contains(&name) {
                format!("{place}: {name}: expected a text in quotes, and nothing behind it")
            } else if is_name(name) {
                format!("{place}: {name}: {}", reason(error.message()))
            } else {
                format!("{place}: expected lines such as log = \"info\"")
            })
        })
    }

    /// These, and what they leave open from the others.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            listen: self.listen.or(other.listen),
            data_dir: self.data_dir.or(other.data_dir),
            database_url: self.database_url.or(other.database_url),
            bot_url: self.bot_url.or(other.bot_url),
            faq: self.faq.or(other.faq),
            bot_timeout: self.bot_timeout.or(other.bot_timeout),
            retry_for: self.retry_for.or(other.retry_for),
            uncertain_sends: self.uncertain_sends.or(other.uncertain_sends),
            telegram_token: self.telegram_token.or(other.telegram_token),
            telegram_api_url: self.telegram_api_url.or(other.telegram_api_url),
            telegram_pace: self.telegram_pace.or(other.telegram_pace),
            public_url: self.public_url.or(other.public_url),
            token: self.token.or(other.token),
            encryption_key: self.encryption_key.or(other.encryption_key),
            max_connections: self.max_connections.or(other.max_connections),
            read_timeout: self.read_timeout.or(other.read_timeout),
            idle_timeout: self.idle_timeout.or(other.idle_timeout),
            log: self.log.or(other.log),
            file: self.file.or(other.file),
        }
    }
}

/// Settings whose values are not repeated, whatever is wrong with them.
const SECRETS: [&str; 3] = ["token", "telegram_token", "encryption_key"];

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// What the parser says, on one line.
fn reason(message: &str) -> String {
    message.lines().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_wins_over_the_file() {
        let file = Settings::parse(
            Path::new("switchboard.toml"),
            "log = \"debug\"\nbot_url = \"http://127.0.0.1:9/\"\n",
        )
        .unwrap();
        let given = Settings {
            log: Some("warn".to_owned()),
            ..Settings::default()
        };
        let both = given.or(file);
        assert_eq!(both.log.as_deref(), Some("warn"));
        assert_eq!(both.bot_url.as_deref(), Some("http://127.0.0.1:9/"));
    }

    #[test]
    fn a_fault_in_the_file_names_its_line_and_quotes_no_secret() {
        let text = "log = \"info\"\ntelegram_tokn = \"12345:SECRET\"\n";
        let error = Settings::parse(Path::new("switchboard.toml"), text)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("line 2") && error.contains("telegram_tokn"),
            "{error}"
        );
        assert!(!error.contains("SECRET"), "{error}");
    }
}
