//! `switchboard conversations`: who talks with the bot, and what was said.

use std::process::ExitCode;

use clap::{Args, Subcommand, value_parser};
use serde_json::{Value, json};

use crate::client::{Client, path};
use crate::commands::tokens::segment;
use crate::commands::{BotArg, Failure};
use crate::config::Config;
use crate::lifecycle::{Work, interrupted};
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
    /// List conversations, newest first
    List {
        /// At most so many, up to 500
        #[arg(long, default_value = "50", value_parser = value_parser!(u16).range(1..=500))]
        limit: u16,
    },
    /// Show a conversation: its tags, who takes part, its last messages and how far they got
    Show {
        /// The conversation's id, such as `conv_01ARZ3NDEKTSV4RRFFQ69G5FAV`
        id: String,
        /// At most so many messages, up to 500
        #[arg(long, default_value = "50", value_parser = value_parser!(u16).range(1..=500))]
        limit: u16,
    },
    /// Let a conversation's thread begin a new one with its next message; the old one stays readable
    #[command(group = clap::ArgGroup::new("which").required(true).args(["id", "external_id"]))]
    Reset {
        /// The conversation's id
        id: Option<String>,
        /// The integration whose thread is meant, by alias or id
        #[arg(
            long,
            value_name = "ALIAS",
            requires = "external_id",
            conflicts_with = "id"
        )]
        integration: Option<String>,
        /// The thread's external id, such as a Telegram chat's number
        #[arg(
            long,
            value_name = "ID",
            requires = "integration",
            allow_hyphen_values = true
        )]
        external_id: Option<String>,
        /// The thread's channel, if the integration has several
        #[arg(long, requires = "external_id")]
        channel: Option<String>,
    },
    /// Print a conversation's last messages, then what comes, until interrupted
    Follow {
        /// The conversation's id
        id: String,
        /// So many of those that are there, up to 500
        #[arg(long, value_name = "N", default_value = "10", value_parser = value_parser!(u16).range(0..=500))]
        last: u16,
    },
}

pub(super) async fn run(
    config: &Config,
    options: Options,
    printer: Printer,
) -> Result<ExitCode, Failure> {
    let client = Client::open(config, Work::None).await?;
    let bot = options.bot.bot.as_deref();
    let done = match &options.action {
        Action::List { limit } => list(&client, bot, *limit, printer).await,
        Action::Show { id, limit } => show(&client, bot, id, *limit, printer).await,
        Action::Reset { id: Some(id), .. } => {
            let base = format!("/local/conversations/{}/reset", segment(id));
            reset(&client, &path(&base, &[("bot", bot)]), &json!({}), printer).await
        }
        Action::Reset {
            integration,
            external_id,
            channel,
            ..
        } => {
            let body = json!({
                "integration": integration, "external_id": external_id, "channel": channel,
            });
            let at = path("/local/threads/reset", &[("bot", bot)]);
            reset(&client, &at, &body, printer).await
        }
        Action::Follow { id, last } => {
            tokio::select! {
                done = follow(&client, bot, id, *last, printer) => done,
                () = interrupted() => Ok(()),
            }
        }
    };
    client.close().await?;
    done.map(|()| ExitCode::SUCCESS)
}

async fn list(
    client: &Client,
    bot: Option<&str>,
    limit: u16,
    printer: Printer,
) -> Result<(), Failure> {
    let limit = limit.to_string();
    let query = [("bot", bot), ("limit", Some(limit.as_str()))];
    let answer: Value = client.get(&path("/local/conversations", &query)).await?;
    if printer.is_json() {
        return printer.json(&answer);
    }
    printer.table(
        &["CONVERSATION", "INTEGRATION", "TAGS", "CREATED"],
        rows(&answer, "conversations").map(|found| {
            vec![
                text(found, "id"),
                text(found, "alias"),
                tags(&found["tags"]),
                text(found, "created_at"),
            ]
        }),
    )
}

async fn show(
    client: &Client,
    bot: Option<&str>,
    id: &str,
    limit: u16,
    printer: Printer,
) -> Result<(), Failure> {
    let limit = limit.to_string();
    let query = [("bot", bot), ("limit", Some(limit.as_str()))];
    let base = format!("/local/conversations/{}", segment(id));
    let answer: Value = client.get(&path(&base, &query)).await?;
    if printer.is_json() {
        return printer.json(&answer);
    }
    let conversation = &answer["conversation"];
    printer.line(&format!(
        "{}  {} / {}  since {}",
        text(conversation, "id"),
        text(conversation, "alias"),
        printable(&text(conversation, "channel")),
        text(conversation, "created_at")
    ))?;
    printer.line(&format!(
        "tags  {}",
        printable(&tags(&conversation["tags"]))
    ))?;
    printer.line(&format!(
        "participants  {}",
        printable(&participants(&answer))
    ))?;
    printer.line("")?;
    for message in rows(&answer, "messages") {
        printer.line(&message_line(message, &answer["authors"]))?;
    }
    for stuck in rows(&answer, "stuck") {
        printer.line(&stuck_line(stuck))?;
    }
    Ok(())
}

/// Who takes part, by name where there is one.
fn participants(answer: &Value) -> String {
    let mut shown: Vec<_> = rows(answer, "participants")
        .map(|user| match user["name"].as_str() {
            Some(name) => format!("{name} ({})", text(user, "id")),
            None => text(user, "id"),
        })
        .collect();
    if answer["more_participants"] == true {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

async fn reset(client: &Client, at: &str, body: &Value, printer: Printer) -> Result<(), Failure> {
    let answer: Value = client.post(at, body).await?;
    if printer.is_json() {
        return printer.json(&answer);
    }
    printer.line(&format!(
        "{} is at an end; its thread begins a new conversation with its next message.",
        text(&answer, "id")
    ))
}

/// Where a delivery goes, or what it changes there.
pub(super) fn destination(delivery: &Value) -> &'static str {
    match delivery["action"].as_str() {
        Some("edit") => "edit",
        Some("delete") => "deletion",
        _ if delivery["event"].is_string() => "to the bot",
        _ => "to the channel",
    }
}

/// What could not be delivered, or not yet, and what can be done.
fn stuck_line(stuck: &Value) -> String {
    let what = destination(stuck);
    let error = printable(&text(stuck, "error"));
    match stuck["status"].as_str() {
        Some("pending" | "inflight") => format!(
            "! {what}: not delivered after {} tries, tried again: {error}",
            stuck["attempts"]
        ),
        _ => format!(
            "! {what}: {}: {error} (again: switchboard deliveries replay {})",
            text(stuck, "status"),
            text(stuck, "id")
        ),
    }
}

async fn follow(
    client: &Client,
    bot: Option<&str>,
    id: &str,
    last: u16,
    printer: Printer,
) -> Result<(), Failure> {
    let base = format!("/local/conversations/{}/messages", segment(id));
    let last = last.to_string();
    let query = [("bot", bot), ("last", Some(last.as_str()))];
    let mut answer: Value = client.get(&path(&base, &query)).await?;
    loop {
        for message in rows(&answer, "messages") {
            if printer.is_json() {
                printer.json(message)?;
            } else {
                printer.line(&message_line(message, &answer["authors"]))?;
            }
        }
        // Whoever holds the folder alone waits for nobody.
        if matches!(client, Client::Here(_)) {
            return Ok(());
        }
        let place = answer["place"].to_string();
        let query = [
            ("bot", bot),
            ("after", Some(place.as_str())),
            ("wait_ms", Some("20000")),
        ];
        answer = client.get(&path(&base, &query)).await?;
    }
}

/// One message for people: time, author, text, and how far it got if it is on its way out.
pub(super) fn message_line(message: &Value, authors: &Value) -> String {
    let time = text(message, "created_at");
    let author = text(message, "user");
    let outgoing = message["direction"] == "outgoing";
    let name = match authors[&author].as_str() {
        _ if outgoing => "bot",
        Some(name) => name,
        None => &author,
    };
    let twice = message["delivery"]["uncertain"].as_u64().unwrap_or(0);
    let delivery = match message["delivery"]["status"].as_str() {
        Some("sent") if twice > 0 => {
            format!("  [sent; may show more than once: {twice} earlier tries were uncertain]")
        }
        None | Some("sent") => String::new(),
        // Nothing went wrong yet, and a line that was printed cannot be taken back.
        Some("queued") if message["delivery"]["error"].is_null() => String::new(),
        Some(status) => match message["delivery"]["error"].as_str() {
            Some(error) => format!("  [{status}: {}]", printable(error)),
            None => format!("  [{status}]"),
        },
    };
    format!(
        "{}  {}: {}{delivery}",
        time.get(..19).unwrap_or(&time).replace('T', " "),
        printable(name),
        printable(&said(message))
    )
}

/// What a message says: its text, or its type and payload.
pub(super) fn said(message: &Value) -> String {
    let kind = text(message, "kind");
    match message["payload"]["text"].as_str() {
        Some(text) if kind == "text" => text.to_owned(),
        Some(text) if matches!(kind.as_str(), "choice" | "dropdown") => {
            let mut lines = vec![text.to_owned()];
            let options = message["payload"]["options"].as_array();
            for (index, option) in options.into_iter().flatten().enumerate() {
                let label = option["label"].as_str().unwrap_or_default();
                lines.push(format!("  {}. {label}", index + 1));
            }
            lines.join("\n")
        }
        _ => format!("({kind}) {}", message["payload"]),
    }
}

fn tags(value: &Value) -> String {
    let pairs = value.as_object().into_iter().flatten();
    pairs
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
        .collect::<Vec<_>>()
        .join(" ")
}
