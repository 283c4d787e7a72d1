//! `switchboard bots`: the tenants of this server.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::{Client, path};
use crate::commands::Failure;
use crate::config::Config;
use crate::lifecycle::Work;
use crate::printer::{Printer, printable, rows, text};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the bots
    List,
    /// Create a bot with integrations and a token of its own; the token is shown this once
    Create {
        /// A name for people
        name: String,
    },
    /// Show a bot, its integrations and how many tokens it has
    Show {
        /// The bot, by id or name [default: the first]
        bot: Option<String>,
    },
    /// Give a bot another name
    Rename {
        /// The bot, by id or name
        bot: String,
        /// Its new name
        name: String,
    },
}

pub(super) async fn run(
    config: &Config,
    options: Options,
    printer: Printer,
) -> Result<ExitCode, Failure> {
    let client = Client::open(config, Work::None).await?;
    let answer: Value = match &options.action {
        Action::List => client.get("/local/bots").await?,
        Action::Create { name } => client.post("/local/bots", &json!({ "name": name })).await?,
        Action::Show { bot } => {
            let at = path("/local/bot", &[("bot", bot.as_deref())]);
            client.get(&at).await?
        }
        Action::Rename { bot, name } => {
            let at = path("/local/bot", &[("bot", Some(bot.as_str()))]);
            client.post(&at, &json!({ "name": name })).await?
        }
    };
    client.close().await?;
    if printer.is_json() {
        printer.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    match options.action {
        Action::List => {
            printer.table(
                &["BOT", "NAME", "CREATED"],
                rows(&answer, "bots")
                    .map(|bot| vec![text(bot, "id"), text(bot, "name"), text(bot, "created_at")]),
            )?;
        }
        Action::Show { .. } => {
            let bot = &answer["bot"];
            let name = printable(&text(bot, "name"));
            printer.line(&format!("{}  {name}", text(bot, "id")))?;
            printer.line(&format!("created  {}", text(bot, "created_at")))?;
            printer.line(&format!("tokens   {}", answer["tokens"]))?;
            for integration in rows(&answer, "integrations") {
                printer.line(&format!(
                    "         {} {}",
                    text(integration, "alias"),
                    text(integration, "id")
                ))?;
            }
        }
        Action::Rename { .. } => printer.line(&format!(
            "{} is {} now.",
            text(&answer, "id"),
            printable(&text(&answer, "name"))
        ))?,
        Action::Create { .. } => {
            printer.line(&format!("bot    {}", text(&answer["bot"], "id")))?;
            for integration in rows(&answer, "integrations") {
                printer.line(&format!(
                    "       {} {}",
                    text(integration, "alias"),
                    text(integration, "id")
                ))?;
            }
            printer.line(&format!("token  {}", text(&answer, "token")))?;
            printer.line("The token is not shown again; keep it safe.")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
