//! `switchboard integrations`: the channels of a bot.

use std::io::{BufRead, IsTerminal, Read};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::client::{Client, path};
use crate::commands::tokens::segment;
use crate::commands::{BotArg, Failure};
use crate::config::{Config, telegram_account};
use crate::lifecycle::Work;
use crate::printer::{Printer, complain, printable, rows, text};

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
    /// Show an integration: its webhook, whether it is on, and what is wrong with it
    Show {
        /// The integration, by alias or id
        integration: String,
    },
    /// Switch an integration on again
    Enable {
        /// The integration, by alias or id
        integration: String,
    },
    /// Switch an integration off: nothing comes in, and what is sent to it fails visibly
    Disable {
        /// The integration, by alias or id
        integration: String,
    },
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
        Action::Show { integration } => {
            let client = Client::open(config, Work::None).await?;
            let base = format!("/local/integrations/{}/state", segment(integration));
            let answer = client.get(&at(&base)).await;
            client.close().await?;
            answer?
        }
        Action::Enable { integration } | Action::Disable { integration } => {
            let client = Client::open(config, Work::None).await?;
            let base = format!("/local/integrations/{}/active", segment(integration));
            let active = matches!(options.action, Action::Enable { .. });
            let answer = client.post(&at(&base), &json!({ "active": active })).await;
            client.close().await?;
            answer?
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
                        _ => "inactive".to_owned(),
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
        Action::Show { .. } => show(&answer, printer)?,
        Action::Enable { .. } => printer.line(&format!("{} is on.", text(&answer, "alias")))?,
        Action::Disable { .. } => {
            printer.line(&format!("{} is off.", text(&answer, "alias")))?;
            if answer["platform"] == "telegram" {
                complain(
                    "note: a server that is started with a Telegram token of its settings switches \
                     the first bot's telegram on again",
                );
            }
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

fn show(answer: &Value, printer: Printer) -> Result<(), Failure> {
    let integration = &answer["integration"];
    let state = match (
        integration["active"].as_bool(),
        answer["has_secret"].as_bool(),
        answer["trouble"].as_str(),
    ) {
        (_, _, Some(trouble)) => printable(trouble),
        (Some(true), ..) => "active".to_owned(),
        (_, Some(true), _) => "switched off".to_owned(),
        _ => "inactive: it has no token".to_owned(),
    };
    for (name, value) in [
        ("id", text(integration, "id")),
        ("alias", text(integration, "alias")),
        ("platform", text(integration, "platform")),
        ("bot", text(integration, "bot")),
        ("state", state),
        (
            "webhook",
            format!("/webhook/{}", text(integration, "webhook_id")),
        ),
        ("created", text(integration, "created_at")),
        ("changed", text(integration, "updated_at")),
    ] {
        printer.line(&format!("{name:<9} {value}"))?;
    }
    Ok(())
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
