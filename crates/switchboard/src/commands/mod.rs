//! The command line: a file a command, one line of help each.

mod bots;
mod chat;
mod config;
mod conversations;
mod deliveries;
mod duration;
mod explain;
mod failure;
mod integrations;
mod messages;
mod serve;
mod tokens;

use std::process::ExitCode;

use clap::builder::Resettable;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::{Config, Settings};
use crate::printer::Printer;

pub(crate) use failure::Failure;

/// The open, self-hosted conversation server for chatbots.
///
/// Without a command it serves: `switchboard` is `switchboard serve`.
///
/// Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 not found, 4 the data folder or the
/// server cannot be reached, 5 time ran out.
#[derive(Debug, Parser)]
#[command(name = "switchboard", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(
        flatten,
        next_help_heading = "Settings (also SWITCHBOARD_* variables and switchboard.toml)"
    )]
    settings: Settings,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Clone, Copy, Args)]
struct Output {
    /// Print JSON, for programs
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Clone, Default, Args)]
struct BotArg {
    /// The bot, by id or name [default: the first]
    #[arg(long, global = true, value_name = "BOT")]
    bot: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve (the default)
    Serve(serve::Options),
    /// Talk to the bot in this terminal, or send it the lines of a pipe
    Chat(chat::Options),
    /// Say which conversation an update belongs to and why, without taking it
    Explain(explain::Options),
    /// List, show, follow or reset conversations
    Conversations(conversations::Options),
    /// Show a message, or deliver one again
    Messages(messages::Options),
    /// List, create, rotate or revoke access tokens
    Tokens(tokens::Options),
    /// List or show integrations, plug them in, switch them on or off
    Integrations(integrations::Options),
    /// List what could not be delivered, or deliver it again
    Deliveries(deliveries::Options),
    /// List, show, create or rename bots
    Bots(bots::Options),
    /// Print the settings in effect, secrets masked
    Config,
}

impl Cli {
    /// From arguments and variables. An empty variable counts as none.
    pub(crate) fn from_environment() -> Self {
        let command = Self::command().mut_args(|argument| {
            let name = argument.get_env().map(ToOwned::to_owned);
            match name.and_then(std::env::var_os) {
                Some(value) if value.is_empty() => argument.env(Resettable::Reset),
                _ => argument,
            }
        });
        Self::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
    }
}

/// Runs a command.
pub(crate) async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let config = Config::load(cli.settings)?;
    let printer = Printer::new(cli.output.json);
    match cli
        .command
        .unwrap_or(Command::Serve(serve::Options::default()))
    {
        Command::Serve(options) => serve::run(config, options, printer).await,
        Command::Chat(options) => chat::run(&config, options, printer).await,
        Command::Explain(options) => explain::run(&config, options, printer).await,
        Command::Messages(options) => messages::run(&config, options, printer).await,
        Command::Conversations(options) => conversations::run(&config, options, printer).await,
        Command::Tokens(options) => tokens::run(&config, options, printer).await,
        Command::Integrations(options) => integrations::run(&config, options, printer).await,
        Command::Deliveries(options) => deliveries::run(&config, options, printer).await,
        Command::Bots(options) => bots::run(&config, options, printer).await,
        Command::Config => config::run(&config, printer),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_defined() {
        super::Cli::command().debug_assert();
    }
}
