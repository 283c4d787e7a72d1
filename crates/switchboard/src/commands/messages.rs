//! `switchboard messages`: one message, how far it got, and delivering it again.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::{Client, path};
use crate::commands::conversations::{destination, message_line};
use crate::commands::tokens::segment;
use crate::commands::{BotArg, Failure};
use crate::config::Config;
use crate::lifecycle::Work;
use crate::printer::{Printer, printable, rows, text};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    bot: BotArg,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show a message and how far its deliveries got
    Show {
        /// The message's id, such as `msg_01ARZ3NDEKTSV4RRFFQ69G5FAV`
        id: String,
    },
    /// Deliver a message again that failed or is uncertain, after what waits in its conversation
    Retry {
        /// The message's id
        id: String,
    },
}

pub(super) async fn run(
    config: &Config,
    options: Options,
    printer: Printer,
) -> Result<ExitCode, Failure> {
    let client = Client::open(config, Work::None).await?;
    let at = |base: &str| path(base, &[("bot", options.bot.bot.as_deref())]);
    let answer: Result<Value, Failure> = match &options.action {
        Action::Show { id } => {
            let base = format!("/local/messages/{}", segment(id));
            client.get(&at(&base)).await
        }
        Action::Retry { id } => {
            let base = format!("/local/messages/{}/retry", segment(id));
            client.post(&at(&base), &json!({})).await
        }
    };
    client.close().await?;
    let answer = answer?;
    if printer.is_json() {
        printer.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    match options.action {
        Action::Show { .. } => {
            let message = &answer["message"];
            printer.line(&format!(
                "{} in {}",
                text(message, "id"),
                text(message, "conversation")
            ))?;
            printer.line(&message_line(message, &Value::Null))?;
            for delivery in rows(&answer, "deliveries") {
                printer.line(&delivery_line(delivery))?;
            }
        }
        Action::Retry { .. } => printer.line(&format!("{} waits again.", text(&answer, "id")))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn delivery_line(delivery: &Value) -> String {
    let to = destination(delivery);
    let error = text(delivery, "error");
    let error = if error.is_empty() {
        error
    } else {
        format!(": {}", printable(&error))
    };
    format!(
        "{}  {to}: {} after {} tries{error}",
        text(delivery, "id"),
        text(delivery, "status"),
        delivery["attempts"]
    )
}
