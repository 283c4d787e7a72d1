//! `switchboard deliveries`: what waits, what was given up, replaying it or putting it aside.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum, value_parser};
use serde_json::{Value, json};

use crate::client::{Client, path};
use crate::commands::tokens::segment;
use crate::commands::{BotArg, Failure};
use crate::config::Config;
use crate::lifecycle::Work;
use crate::printer::{Printer, complain, rows, text};

/// How many are gone through between two words about it.
const TELL_EVERY: usize = 500;

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
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        /// All that are dead, the oldest first
        #[arg(long, conflicts_with = "id")]
        all: bool,
        /// Of those, only the ones of this conversation
        #[arg(long, value_name = "CONVERSATION", requires = "all")]
        conversation: Option<String>,
    },
    /// Put dead or uncertain ones aside: they stay readable, and nobody is asked to look any more
    Dismiss {
        /// Their ids
        #[arg(value_name = "ID", required_unless_present = "all")]
        ids: Vec<String>,
        /// All of the bot that are dead
        #[arg(long, conflicts_with = "ids")]
        all: bool,
        /// Of those, only the ones of this conversation
        #[arg(long, value_name = "CONVERSATION", requires = "all")]
        conversation: Option<String>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Status {
    Pending,
    Inflight,
    Delivered,
    Uncertain,
    Dead,
    Dismissed,
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
        Action::Replay { id: Some(id), .. } => change(&client, bot, id, "replay").await?,
        Action::Replay { conversation, .. } => {
            let mut ids = dead(&client, bot, conversation.as_deref()).await?;
            // Lists are newest first; what is replayed lines up in the order of replaying.
            ids.reverse();
            change_all(&client, bot, &ids, "replay").await?
        }
        Action::Dismiss {
            all: true,
            conversation,
            ..
        } => {
            let ids = dead(&client, bot, conversation.as_deref()).await?;
            change_all(&client, bot, &ids, "dismiss").await?
        }
        Action::Dismiss { ids, .. } => change_all(&client, bot, ids, "dismiss").await?,
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
        Action::Replay { id: Some(_), .. } => {
            printer.line(&format!("{} waits again.", text(&answer, "id")))?;
        }
        Action::Replay { .. } => {
            let count = rows(&answer, "deliveries").count();
            printer.line(&format!("{count} deliveries wait again."))?;
        }
        Action::Dismiss { .. } => {
            let count = rows(&answer, "deliveries").count();
            printer.line(&format!("{count} deliveries are dismissed."))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Replays or dismisses one.
async fn change(
    client: &Client,
    bot: Option<&str>,
    id: &str,
    what: &str,
) -> Result<Value, Failure> {
    let base = format!("/local/deliveries/{}/{what}", segment(id));
    let base = path(&base, &[("bot", bot)]);
    client.post(&base, &json!({})).await
}

/// The same with several, one behind the other.
async fn change_all(
    client: &Client,
    bot: Option<&str>,
    ids: &[String],
    what: &str,
) -> Result<Value, Failure> {
    let mut changed = Vec::new();
    for id in ids {
        changed.push(change(client, bot, id, what).await?);
        if changed.len().is_multiple_of(TELL_EVERY) {
            complain(&format!("{} of {}", changed.len(), ids.len()));
        }
    }
    Ok(json!({ "deliveries": changed }))
}

/// The ids of all that are dead, the newest first.
async fn dead(
    client: &Client,
    bot: Option<&str>,
    conversation: Option<&str>,
) -> Result<Vec<String>, Failure> {
    let mut ids = Vec::new();
    let mut next = Value::Null;
    loop {
        let place = |name: &str| next[name].as_i64().map(|place| place.to_string());
        let (at, row) = (place("at"), place("row"));
        let query = [
            ("bot", bot),
            ("status", Some("dead")),
            ("conversation", conversation),
            ("limit", Some("500")),
            ("at", at.as_deref()),
            ("row", row.as_deref()),
        ];
        let mut page: Value = client.get(&path("/local/deliveries", &query)).await?;
        ids.extend(rows(&page, "deliveries").map(|found| text(found, "id")));
        next = page["next"].take();
        if next.is_null() {
            return Ok(ids);
        }
    }
}
