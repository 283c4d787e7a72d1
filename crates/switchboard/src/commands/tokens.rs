//! `switchboard tokens`: access to the runtime API.

use std::process::ExitCode;

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
    match options.action {
        Action::List => {
            printer.table(
                &[
                    "TOKEN", "LABEL", "ONLY FOR", "ENDS IN", "CREATED", "REVOKED",
                ],
                rows(&answer, "tokens").map(|token| {
                    [
                        "id",
                        "label",
                        "integration",
                        "hint",
                        "created_at",
                        "revoked_at",
                    ]
                    .map(|key| text(token, key))
                    .to_vec()
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
        Action::Revoke { .. } => printer.line(&format!("{} is revoked.", text(&answer, "id")))?,
    }
    Ok(ExitCode::SUCCESS)
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
