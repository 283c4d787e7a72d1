//! `switchboard bots`: the tenants of this server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use switchboard_bots::faq::Script;

use crate::client::{Client, path};
use crate::commands::{Failure, read_named};
use crate::config::Config;
use crate::lifecycle::{Work, parse_faq};
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
    /// Check the file of an FAQ bot, and show how well its entries fit a text
    Check {
        /// The TOML file
        #[arg(value_name = "FILE")]
        described: PathBuf,
        /// Show the points of each entry for this text
        #[arg(long, value_name = "TEXT")]
        ask: Option<String>,
        /// In this language of the file [default: its first]
        #[arg(long, value_name = "CODE")]
        language: Option<String>,
    },
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
    if let Action::Check {
        described,
        ask,
        language,
    } = &options.action
    {
        return check(described, ask.as_deref(), language.as_deref(), printer);
    }
    let client = Client::open(config, Work::None).await?;
    let answer: Value = match &options.action {
        Action::List | Action::Check { .. } => client.get("/local/bots").await?,
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
        Action::List | Action::Check { .. } => {
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

/// The file is only read: no data folder is needed.
fn check(
    file: &Path,
    ask: Option<&str>,
    language: Option<&str>,
    printer: Printer,
) -> Result<ExitCode, Failure> {
    let script = parse_faq(file, &read_named(file)?)?;
    let (menus, entries, forms) = script.counts();
    let fits = script.explain(ask.unwrap_or_default(), language);
    let Some(fits) = fits else {
        return Err(Failure::NotFound(format!(
            "{} has no language {:?}",
            file.display(),
            language.unwrap_or_default()
        )));
    };
    if printer.is_json() {
        let fits: Vec<_> = fits
            .iter()
            .map(|fit| json!({ "id": fit.of, "points": fit.points, "found": fit.found }))
            .collect();
        printer.json(&json!({ "menus": menus, "faq": entries, "forms": forms, "fits": fits }))?;
        return Ok(ExitCode::SUCCESS);
    }
    printer.line(&format!(
        "{} is well: menus {menus}, questions {entries}, forms {forms}",
        file.display()
    ))?;
    if ask.is_some() {
        let (answer, suggest) = Script::thresholds();
        printer.table(
            &["QUESTION", "POINTS", "FOUND", "MEANS"],
            fits.iter().map(|fit| {
                let means = match fit.points {
                    points if points >= answer => "an answer",
                    points if points >= suggest => "a suggestion",
                    _ => "nothing",
                };
                vec![
                    fit.of.clone(),
                    format!("{:.2}", fit.points),
                    format!("{:.1}", fit.found),
                    means.to_owned(),
                ]
            }),
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
