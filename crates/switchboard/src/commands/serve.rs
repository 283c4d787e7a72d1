//! `switchboard serve`: the server.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use tracing_subscriber::EnvFilter;

use crate::commands::Failure;
use crate::config::Config;
use crate::folder::{Acquired, DataFolder};
use crate::lifecycle::{Interrupts, Server, Started};
use crate::printer::Printer;

#[derive(Debug, Clone, Default, Args)]
pub(super) struct Options {
    /// Print one line of JSON on standard output when requests are accepted, and nothing else
    #[arg(long)]
    ready_json: bool,
}

pub(super) async fn run(config: Config, options: Options) -> Result<ExitCode, Failure> {
    init_log(&config.log)?;
    let folder = match DataFolder::acquire(&config.data_dir)? {
        Acquired::Held(folder) => folder,
        Acquired::Busy => return Err(busy(&config)),
    };
    let server = Server::start(config, folder).await?;
    let interrupts = Interrupts::listen();
    announce(server.started(), options.ready_json)?;
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
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| Failure::Config(format!("log: {error}; try info or debug")))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
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
    printer.line(&format!("  bot          {}", started.bot))?;
    printer.line(&format!("  integration  {} (telegram)", started.telegram))?;
    if let (Some(token), true) = (&started.token, started.first) {
        printer.line(&format!("  token        {token}"))?;
        printer.line("")?;
        printer.line("The token is shown this once; keep it safe.")?;
    }
    printer.line("")?;
    printer.line("What next:")?;
    printer.line(
        "  switchboard chat                       talk to the bot here, in another terminal",
    )?;
    printer.line("  switchboard integrations add telegram  plug in Telegram")?;
    printer
        .line("  switchboard --bot-url URL              let a bot of yours answer, over HTTP")?;
    printer.line("  switchboard --help                     everything else")
}
