//! `switchboard tokens`: access to the runtime API.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::{Client, path};
use crate::commands::{BotArg, Failure};
use crate::config::Config;
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
    /// List the tokens; the tokens themselves are not kept
    List,
    /// Create a token; it is shown this once
    Create {
        /// A note for people
        #[arg(default_value = "created by hand")]
        label: String,
        /// Let it act only as this integration, by alias or id
        #[arg(long)]
        integration: Option<String>,
    },
    /// Create a token in the place of another, with the same rights; it is shown this once
    Rotate {
        /// The old token's id
        id: String,
        /// For how long the old one is taken too, such as 0, 30m, 24h or 7d
        #[arg(long, default_value = "24h", value_name = "TIME", value_parser = super::duration::parse)]
        overlap: Duration,
    },
    /// Revoke a token, at once
    Revoke {
        /// The token's id, such as `tok_01ARZ3NDEKTSV4RRFFQ69G5FAV`
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
    let answer: Value = match &options.action {
        Action::List => client.get(&at("/local/tokens")).await?,
        Action::Create { label, integration } => {
            let body = json!({ "label": label, "integration": integration });
            client.post(&at("/local/tokens"), &body).await?
        }
        Action::Rotate { id, overlap } => {
            let body = json!({ "overlap_seconds": overlap.as_secs() });
            client
                .post(&at(&format!("/local/tokens/{}/rotate", segment(id))), &body)
                .await?
        }
        Action::Revoke { id } => {
            let id = segment(id);
            client
                .post(&at(&format!("/local/tokens/{id}/revoke")), &json!({}))
                .await?
        }
    };
    client.close().await?;
    if printer.is_json() {
        printer.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let now = crate::system::environment().now().to_string();
    match options.action {
        Action::List => {
            printer.table(
                &["TOKEN", "LABEL", "ONLY FOR", "LAST 4", "CREATED", "STATE"],
                rows(&answer, "tokens").map(|token| {
                    let mut cells = ["id", "label", "integration", "hint", "created_at"]
                        .map(|key| text(token, key))
                        .to_vec();
                    cells.push(state(&text(token, "revoked_at"), &now));
                    cells
                }),
            )?;
        }
        Action::Create { .. } => {
            printer.line(&text(&answer, "secret"))?;
            complain(&format!(
                "{}: not shown again; keep it safe.",
                text(&answer["token"], "id")
            ));
        }
        Action::Rotate { .. } => {
            printer.line(&text(&answer, "secret"))?;
            complain(&format!(
                "{}: not shown again; keep it safe. {} {}.",
                text(&answer["token"], "id"),
                text(&answer["old"], "id"),
                state(&text(&answer["old"], "revoked_at"), &now)
            ));
        }
        Action::Revoke { .. } => printer.line(&format!("{} is revoked.", text(&answer, "id")))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether a token is taken. Times of one form compare as texts do.
fn state(end: &str, now: &str) -> String {
    match end {
        "" => "valid".to_owned(),
        end if end > now => format!("ends {end}"),
        end => format!("ended {end}"),
    }
}

/// An argument as one segment of a path: what is no id cannot become another path.
pub(super) fn segment(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '-'
            }
        })
        .collect()
}
