//! `switchboard bots`: the tenants of this server.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::Client;
use crate::commands::Failure;
use crate::config::Config;
use crate::lifecycle::Work;
use crate::printer::{Printer, rows, text};

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
