//! `switchboard serve`: the server.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::commands::Failure;
use crate::config::Config;
use crate::folder::{Acquired, DataFolder};
use crate::lifecycle::{Interrupts, Server, Started};
use crate::printer::{Log, Printer};

#[derive(Debug, Clone, Default, Args)]
pub(super) struct Options {
    /// Print one line of JSON on standard output when requests are accepted, and nothing else
    #[arg(long)]
    ready_json: bool,
}

pub(super) async fn run(
    config: Config,
    options: Options,
    printer: Printer,
) -> Result<ExitCode, Failure> {
    init_log(&config.log)?;
    super::warn_of_unknown_variables();
    crate::system::raise_file_limit();
    let folder = match DataFolder::acquire(&config.data_dir)? {
        Acquired::Held(folder) => folder,
        Acquired::Busy => return Err(busy(&config)),
    };
    let server = Server::start(config, folder).await?;
    let interrupts = Interrupts::listen();
    announce(server.started(), options.ready_json || printer.is_json())?;
    server.run(interrupts).await
}

fn busy(config: &Config) -> Failure {
    let folder = config.data_dir.display();
    let holder = DataFolder::read_run_file(&config.data_dir).map_or_else(
        || "another process".to_owned(),
        |run| format!("the server at {} (process {})", run.url, run.pid),
    );
    Failure::Folder(format!(
        "the data folder {folder} is held by {holder}; stop it, or choose another folder with --data-dir"
    ))
}

fn init_log(filter: &str) -> Result<(), Failure> {
    tracing_subscriber::fmt()
        .with_env_filter(parse_filter(filter)?)
        .log_internal_errors(false)
        .with_writer(Log::default)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_target(false)
        .try_init()
        .map_err(|error| Failure::Config(format!("log: {error}")))
}

fn announce(started: &Started, ready_json: bool) -> Result<(), Failure> {
    let printer = Printer::new(ready_json);
    if ready_json {
        return printer.json(&json!({
            "url": started.url,
            "bot_id": started.bot,
            "integration_id": started.telegram,
            "token": started.token,
        }));
    }
    printer.line(&format!("Switchboard serves at {}", started.url))?;
    let answers = started.bot_url.as_deref().unwrap_or("the built-in echo");
    printer.line(&format!(
        "  bot          {}  (answers: {answers})",
        started.bot
    ))?;
    let state = if started.telegram_active {
        "telegram"
    } else {
        "telegram, not plugged in"
    };
    printer.line(&format!("  integration  {}  ({state})", started.telegram))?;
    match &started.token {
        Some(_) if started.preset => printer.line("  token        the preset one")?,
        Some(token) => printer.line(&format!(
            "  token        {token}  (shown this once; keep it safe)"
        ))?,
        None => printer.line("  token        shown at the first start; another: tokens create")?,
    }
    printer.line("")?;
    printer.line("What next, in another terminal and this folder:")?;
    let program = program();
    printer.line(&format!("  {program} chat   talk to the bot"))?;
    if !started.telegram_active {
        printer.line(&format!(
            "  {program} integrations add telegram   plug in Telegram"
        ))?;
    }
    printer.line(&format!("  {program} --help   everything else"))?;
    if started.bot_url.is_none() {
        printer.line(
            "To let a bot of your own answer, stop this server and start it with --bot-url URL.",
        )?;
    }
    Ok(())
}

/// How this program was called, so that what is shown can be typed.
fn program() -> String {
    std::env::args()
        .next()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "switchboard".to_owned())
}

/// A filter that no one can mean would log nothing at all, without a word.
fn parse_filter(filter: &str) -> Result<EnvFilter, Failure> {
    let known = |directive: &str| {
        directive.contains(['=', '[']) || directive.trim().parse::<LevelFilter>().is_ok()
    };
    if filter.split(',').all(known)
        && let Ok(filter) = EnvFilter::try_new(filter)
    {
        return Ok(filter);
    }
    Err(Failure::Config(
        "log: expected off, error, warn, info, debug or trace, or directives such as info,switchboard_delivery=debug"
            .to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_level_is_refused() {
        for filter in ["info", "warn,switchboard_delivery=debug", "OFF"] {
            assert!(parse_filter(filter).is_ok(), "{filter}");
        }
        for filter in ["debgu", "zz zz", "info,oops"] {
            assert!(parse_filter(filter).is_err(), "{filter}");
        }
    }
}
