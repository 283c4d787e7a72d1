//! The command line: a file a command, one line of help each.

mod backup;
mod bots;
mod chat;
mod config;
mod conversations;
mod deliveries;
mod doctor;
mod duration;
mod explain;
mod failure;
mod integrations;
mod manual;
mod messages;
mod serve;
mod tokens;
mod unmapped;

use std::process::ExitCode;

use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::{Config, Settings, unknown, variables};
use crate::printer::Printer;

pub(crate) use failure::{Failure, read_named};

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
    /// The settings that flags give.
    #[arg(skip)]
    flags: Vec<String>,
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
    /// List or show integrations, plug in Telegram or a script, try a script, switch them on or off
    Integrations(integrations::Options),
    /// List what could not be delivered, deliver it again, or put it aside
    Deliveries(deliveries::Options),
    /// List, show, create or rename bots
    Bots(bots::Options),
    /// Look for what is wrong, and say what it leads to and what to do
    Doctor(doctor::Options),
    /// Copy database and encryption key to a new folder, while the server runs, and check the copy
    Backup(backup::BackupOptions),
    /// Put a backup into the data folder; the server must not run
    Restore(backup::RestoreOptions),
    /// Print a script that completes commands in a shell
    Completions(manual::CompletionsOptions),
    /// Write man pages
    Man(manual::ManOptions),
    /// Print the settings in effect, secrets masked
    Config,
}

impl Cli {
    /// From arguments. The variables are read when their settings are needed ([`variables`]).
    pub(crate) fn from_arguments() -> Self {
        let command = Self::command().mut_args(|argument| {
            // `-h` is for the command itself; `--help` also has the settings and their variables.
            let is_setting = argument.get_env().is_some();
            argument.hide_short_help(is_setting)
        });
        let words: Vec<_> = std::env::args_os().collect();
        // An error's usage line has only what stands there: with variables it would list each
        // setting that one of them gives.
        let without_variables = command
            .clone()
            .mut_args(|argument| argument.env(Resettable::Reset));
        let matches = without_variables
            .try_get_matches_from(&words)
            .unwrap_or_else(|error| {
                if error.use_stderr() {
                    error.exit();
                }
                command.get_matches_from(&words)
            });
        // By name: a command's own flags are among the matches too, and are no settings.
        let flags = Settings::augment_args(clap::Command::new("settings"))
            .get_arguments()
            .map(|argument| argument.get_id().as_str())
            .filter(|id| matches.value_source(id) == Some(ValueSource::CommandLine))
            .map(ToOwned::to_owned)
            .collect();
        let cli = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        Self { flags, ..cli }
    }
}

#[cfg(test)]
impl Cli {
    /// The settings among the arguments.
    pub(crate) fn into_settings(self) -> Settings {
        self.settings
    }
}

/// Says which variables look like settings and are none.
fn warn_of_unknown_variables() {
    let command = Cli::command();
    let known: Vec<_> = command
        .get_arguments()
        .filter_map(|argument| argument.get_env()?.to_str())
        .map(ToOwned::to_owned)
        .collect();
    let known: Vec<_> = known.iter().map(String::as_str).collect();
    let names = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
    for unknown in unknown(names, &known) {
        let advice = match unknown.nearest {
            Some(nearest) => format!("did you mean {nearest}?"),
            None => "`switchboard --help` lists those there are".to_owned(),
        };
        tracing::warn!("the variable {} is no setting; {advice}", unknown.name);
    }
}

/// Runs a command.
pub(crate) async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let printer = Printer::new(cli.output.json);
    // These need no settings, and work where those are wrong.
    match &cli.command {
        Some(Command::Completions(options)) => return manual::completions(options),
        Some(Command::Man(options)) => return manual::man(options, printer),
        _ => {}
    }
    let variables = variables::read(&cli.flags, |name| std::env::var_os(name))?;
    let config = Config::load(cli.settings.or(variables))?;
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
        Command::Doctor(options) => doctor::run(&config, options, printer).await,
        Command::Backup(options) => backup::backup(&config, options, printer).await,
        Command::Restore(options) => backup::restore(&config, options, printer).await,
        Command::Completions(options) => manual::completions(&options),
        Command::Man(options) => manual::man(&options, printer),
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
