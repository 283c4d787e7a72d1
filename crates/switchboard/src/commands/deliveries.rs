//! `switchboard deliveries`: what waits, what was given up, and replaying it.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum, value_parser};
use serde_json::{Value, json};

use crate::client::{Client, path};
use crate::commands::tokens::segment;
use crate::commands::{BotArg, Failure};
use crate::config::Config;
use crate::lifecycle::Work;
use crate::printer::{Printer, rows, text};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    bot: BotArg,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List deliveries, newest first
    List {
        /// Only those in this state
        #[arg(long, value_enum)]
        status: Option<Status>,
        /// Only those of this conversation
        #[arg(long, value_name = "CONVERSATION")]
        conversation: Option<String>,
        /// At most so many, up to 500
        #[arg(long, default_value = "50", value_parser = value_parser!(u16).range(1..=500))]
        limit: u16,
    },
    /// Deliver a dead or uncertain one again, after what already waits in its conversation
    Replay {
        /// The delivery's id, such as `dlv_01ARZ3NDEKTSV4RRFFQ69G5FAV`
        id: String,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Status {
    Pending,
    Inflight,
    Delivered,
    Uncertain,
    Dead,
}

pub(super) async fn run(
    config: &Config,
    options: Options,
    printer: Printer,
) -> Result<ExitCode, Failure> {
    let client = Client::open(config, Work::None).await?;
    let bot = options.bot.bot.as_deref();
    let answer: Value = match &options.action {
        Action::List {
            status,
            conversation,
            limit,
        } => {
            let status = status.and_then(|status| status.to_possible_value());
            let query = [
                ("bot", bot),
                (
                    "status",
                    status.as_ref().map(clap::builder::PossibleValue::get_name),
                ),
                ("conversation", conversation.as_deref()),
                ("limit", Some(&*limit.to_string())),
            ];
            client.get(&path("/local/deliveries", &query)).await?
        }
        Action::Replay { id } => {
            let base = format!("/local/deliveries/{}/replay", segment(id));
            client
                .post(&path(&base, &[("bot", bot)]), &json!({}))
                .await?
        }
    };
    client.close().await?;
    if printer.is_json() {
        printer.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    match options.action {
        Action::List { .. } => {
            printer.table(
                &["DELIVERY", "ACTION", "STATUS", "TRIES", "OF", "ERROR"],
                rows(&answer, "deliveries").map(|found| {
                    let of = found["message"].as_str().or(found["event"].as_str());
                    vec![
                        text(found, "id"),
                        text(found, "action"),
                        text(found, "status"),
                        found["attempts"].to_string(),
                        of.unwrap_or_default().to_owned(),
                        text(found, "error"),
                    ]
                }),
            )?;
        }
        Action::Replay { .. } => printer.line(&format!("{} waits again.", text(&answer, "id")))?,
    }
    Ok(ExitCode::SUCCESS)
}
