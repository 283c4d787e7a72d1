//! `switchboard integrations`: the channels of a bot.

use std::io::{BufRead, IsTerminal, Read};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::client::{Client, path};
use crate::commands::{BotArg, Failure};
use crate::config::{Config, telegram_account};
use crate::lifecycle::Work;
use crate::printer::{Printer, complain, rows, text};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    bot: BotArg,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the integrations and how they are
    List,
    /// Plug in a channel
    #[command(subcommand)]
    Add(Channel),
}

#[derive(Debug, Subcommand)]
enum Channel {
    /// Telegram, with the token of --telegram-token, of its variable, or of standard input
    Telegram {
        /// The integration's name within the bot, if it has several
        #[arg(long)]
        alias: Option<String>,
    },
}

pub(super) async fn run(
    config: &Config,
    options: Options,
    printer: Printer,
) -> Result<ExitCode, Failure> {
    let at = |base: &str| path(base, &[("bot", options.bot.bot.as_deref())]);
    let answer: Value = match &options.action {
        Action::List => {
            let client = Client::open(config, Work::None).await?;
            let answer = client.get(&at("/local/integrations")).await?;
            client.close().await?;
            answer
        }
        Action::Add(Channel::Telegram { alias }) => {
            let token = telegram_token(config)?;
            let client = Client::open(config, Work::None).await?;
            let body = json!({ "token": token, "alias": alias });
            let answer = client
                .post(&at("/local/integrations/telegram"), &body)
                .await?;
            client.close().await?;
            answer
        }
    };
    if printer.is_json() {
        printer.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    match options.action {
        Action::List => {
            printer.table(
                &["INTEGRATION", "ALIAS", "PLATFORM", "STATE"],
                rows(&answer, "integrations").map(|found| {
                    let state = match (found["active"].as_bool(), found["trouble"].as_str()) {
                        (_, Some(trouble)) => trouble.to_owned(),
                        (Some(true), None) => "active".to_owned(),
                        _ => "inactive: it has no token".to_owned(),
                    };
                    vec![
                        text(found, "id"),
                        text(found, "alias"),
                        text(found, "platform"),
                        state,
                    ]
                }),
            )?;
        }
        Action::Add(_) => {
            printer.line(&format!(
                "{} ({}) is plugged in.",
                text(&answer, "alias"),
                text(&answer, "id")
            ))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Not an argument of its own: arguments are seen by other users of the machine and kept in shell
/// histories.
fn telegram_token(config: &Config) -> Result<String, Failure> {
    let token = if let Some(token) = &config.telegram_token {
        token.expose_secret().to_owned()
    } else {
        if std::io::stdin().is_terminal() {
            complain("Paste the bot token from @BotFather, then Enter:");
        }
        let mut text = String::new();
        std::io::stdin().lock().take(1_024).read_line(&mut text)?;
        text.trim().to_owned()
    };
    telegram_account(&token)?;
    Ok(token)
}
