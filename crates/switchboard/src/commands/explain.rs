//! `switchboard explain`: which conversation an update belongs to, and why, without taking it.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use crate::client::{Client, path};
use crate::commands::tokens::segment;
use crate::commands::{BotArg, Failure};
use crate::config::Config;
use crate::lifecycle::Work;
use crate::printer::{Printer, printable, text};

/// The largest update that is read, in bytes.
const LIMIT: u64 = 16 << 20;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The integration, by alias or id
    integration: String,
    /// The update as the platform sends it, a file or - for standard input
    #[arg(value_name = "UPDATE.JSON")]
    update: PathBuf,
    #[command(flatten)]
    bot: BotArg,
}

pub(super) async fn run(
    config: &Config,
    options: Options,
    printer: Printer,
) -> Result<ExitCode, Failure> {
    let update = read(&options.update)?;
    let client = Client::open(config, Work::None).await?;
    let base = format!(
        "/local/integrations/{}/explain",
        segment(&options.integration)
    );
    let at = path(&base, &[("bot", options.bot.bot.as_deref())]);
    let answer: Result<Value, _> = client.post_bytes(&at, update).await;
    client.close().await?;
    let answer = answer?;
    if printer.is_json() {
        printer.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let or = |field: &str, none: &str| {
        let text = text(&answer, field);
        printable(if text.is_empty() { none } else { &text })
    };
    let new_conversation = if answer["created"] == true {
        "(a new one would be made)"
    } else {
        "(none)"
    };
    let new_user = if answer["sender"].is_string() && answer["duplicate"] == false {
        "(a new one would be made)"
    } else {
        "(none)"
    };
    printer.line(&format!("key           {}", or("key", "(none)")))?;
    printer.line(&format!(
        "conversation  {}",
        or("conversation_id", new_conversation)
    ))?;
    printer.line(&format!("sender        {}", or("sender", "(none)")))?;
    printer.line(&format!("user          {}", or("user_id", new_user)))?;
    let told = if answer["duplicate"] == true {
        "nothing more".to_owned()
    } else {
        or("event", "nothing")
    };
    printer.line(&format!("the bot gets  {told}"))?;
    printer.line("because")?;
    for reason in answer["reasons"].as_array().into_iter().flatten() {
        let reason = reason.as_str().unwrap_or_default();
        printer.line(&format!("  {}", printable(reason)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &PathBuf) -> Result<Vec<u8>, Failure> {
    let fault = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::NotFound(format!(
            "{} is not there; give the file that holds the update",
            path.display()
        )),
        _ => Failure::Refused(format!("{} cannot be read: {error}", path.display())),
    };
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin()
            .lock()
            .take(LIMIT + 1)
            .read_to_end(&mut bytes)?;
    } else {
        let file = std::fs::File::open(path).map_err(fault)?;
        file.take(LIMIT + 1)
            .read_to_end(&mut bytes)
            .map_err(fault)?;
    }
    if bytes.len() as u64 > LIMIT {
        return Err(Failure::Refused(format!(
            "the update is over {LIMIT} bytes; no platform sends such"
        )));
    }
    Ok(bytes)
}
