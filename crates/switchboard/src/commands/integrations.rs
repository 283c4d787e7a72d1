//! `switchboard integrations`: the channels of a bot.

use std::io::{BufRead, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::client::{Client, path};
use crate::commands::tokens::segment;
use crate::commands::{BotArg, Failure, read_named, unmapped};
use crate::config::{Config, telegram_account};
use crate::lifecycle::Work;
use crate::printer::{Printer, complain, printable, rows, text};

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    bot: BotArg,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the integrations and how they are
    List,
    /// Show an integration: its webhook, whether it is on, and what is wrong with it
    Show {
        /// The integration, by alias or id
        integration: String,
    },
    /// Switch an integration on again
    Enable {
        /// The integration, by alias or id
        integration: String,
    },
    /// Switch an integration off: nothing comes in, and what is sent to it fails visibly
    Disable {
        /// The integration, by alias or id
        integration: String,
    },
    /// Plug in a channel
    #[command(subcommand)]
    Add(Channel),
    /// Run one function of an integration's script and print what it returned
    Call {
        /// The integration, by alias or id
        name: String,
        /// The function, such as conversations.getOrCreateConversation
        function: String,
        /// The external id of a thread or person
        #[arg(allow_hyphen_values = true)]
        external_id: String,
        /// What is `ctx.sender`, such as '{"id":"501"}' [default: null]
        #[arg(long, value_name = "JSON")]
        sender: Option<String>,
        /// A file with what is `ctx.update`; - reads standard input [default: null]
        #[arg(long, value_name = "FILE")]
        update: Option<PathBuf>,
    },
    /// Take an integration's script off: its channel maps its threads by itself then
    Unscript {
        /// The integration, by alias or id
        name: String,
    },
    /// List the updates that the script could not place, and that wait for it to be mended
    Unmapped {
        /// The integration, by alias or id
        name: String,
    },
    /// Ask the script again about the updates that wait, in order, and take those it can place
    Replay {
        /// The integration, by alias or id
        name: String,
        /// Only the one in this event, also before earlier ones of its thread
        #[arg(long, value_name = "EVENT")]
        event: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
enum Channel {
    /// Telegram, with the token of --telegram-token, of its variable, or of standard input
    Telegram {
        /// The integration's name within the bot, if it has several
        #[arg(long)]
        alias: Option<String>,
        /// Do not ask Telegram whether it takes the token
        #[arg(long)]
        no_check: bool,
    },
    /// A script that says which conversation a channel's threads are; again to change it
    Javascript {
        /// The script
        #[arg(value_name = "FILE")]
        source: PathBuf,
        /// The integration's name within the bot
        #[arg(long)]
        alias: String,
        /// The channel whose threads it maps
        #[arg(long, value_parser = ["telegram"])]
        channel: String,
        /// Do not ask Telegram whether it takes the token
        #[arg(long)]
        no_check: bool,
    },
}

pub(super) async fn run(
    config: &Config,
    options: Options,
    printer: Printer,
) -> Result<ExitCode, Failure> {
    let answer = ask(config, &options).await?;
    if printer.is_json() {
        printer.json(&answer)?;
    } else {
        tell(&options.action, &answer, printer)?;
    }
    // A program that replays wants to know whether a person must look.
    let done = !matches!(options.action, Action::Replay { .. }) || unmapped::is_done(&answer);
    Ok(if done {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Asks the server, or the administration in this process.
async fn ask(config: &Config, options: &Options) -> Result<Value, Failure> {
    let at = |base: &str| path(base, &[("bot", options.bot.bot.as_deref())]);
    Ok(match &options.action {
        Action::List => {
            let client = Client::open(config, Work::None).await?;
            let answer = client.get(&at("/local/integrations")).await?;
            client.close().await?;
            answer
        }
        Action::Show { integration } => {
            let client = Client::open(config, Work::None).await?;
            let base = format!("/local/integrations/{}/state", segment(integration));
            let answer = client.get(&at(&base)).await;
            client.close().await?;
            answer?
        }
        Action::Enable { integration } | Action::Disable { integration } => {
            let base = format!("/local/integrations/{}/active", segment(integration));
            let active = matches!(options.action, Action::Enable { .. });
            post(config, &at(&base), &json!({ "active": active })).await?
        }
        Action::Add(Channel::Telegram { alias, no_check }) => {
            let token = telegram_token(config)?;
            let body = json!({ "token": token, "alias": alias, "check": !no_check });
            add(config, &at("/local/integrations/telegram"), &body).await?
        }
        Action::Add(Channel::Javascript {
            source: file,
            alias,
            channel,
            no_check,
        }) => {
            let source = read_named(file)?;
            let token = config.telegram_token.as_ref();
            let token = token.map(ExposeSecret::expose_secret);
            if let Some(token) = token {
                telegram_account(token)?;
            }
            let body = json!({
                "source": source, "alias": alias, "channel": channel, "token": token,
                "check": !no_check,
            });
            add(config, &at("/local/integrations/javascript"), &body).await?
        }
        Action::Call {
            name,
            function,
            external_id,
            sender,
            update,
        } => {
            let sender = sender.as_deref().map(|text| object("--sender", text));
            let update = update.as_deref().map(|file| {
                let text = content(file)?;
                object("--update", &text)
            });
            let (sender, update) = (sender.transpose()?, update.transpose()?);
            let client = Client::open(config, Work::None).await?;
            let body = json!({
                "integration": name, "function": function, "id": external_id,
                "sender": sender, "update": update,
            });
            let called: Value = client.post(&at("/local/integrations/call"), &body).await?;
            client.close().await?;
            called["returned"].clone()
        }
        Action::Unscript { name } => {
            let base = format!("/local/integrations/{}/unscript", segment(name));
            post(config, &at(&base), &json!({})).await?
        }
        Action::Unmapped { name } => {
            let client = Client::open(config, Work::None).await?;
            let answer = unmapped::list(&client, name, options.bot.bot.as_deref()).await;
            client.close().await?;
            answer?
        }
        Action::Replay { name, event } => {
            let client = Client::open(config, Work::None).await?;
            let bot = options.bot.bot.as_deref();
            let answer = unmapped::replay(&client, name, event.as_deref(), bot).await;
            client.close().await?;
            answer?
        }
    })
}

/// Adds an integration. The token of the settings is for it, if for any: not to be kept for the
/// built-in one first, nor before it was checked.
async fn add(config: &Config, path: &str, body: &Value) -> Result<Value, Failure> {
    let plain = Config {
        telegram_token: None,
        ..config.clone()
    };
    post(&plain, path, body).await
}

async fn post(config: &Config, path: &str, body: &Value) -> Result<Value, Failure> {
    let client = Client::open(config, Work::None).await?;
    let answer = client.post(path, body).await;
    client.close().await?;
    answer
}

/// Says it to people.
fn tell(action: &Action, answer: &Value, printer: Printer) -> Result<(), Failure> {
    match action {
        Action::List => printer.table(
            &["INTEGRATION", "ALIAS", "PLATFORM", "STATE"],
            rows(answer, "integrations").map(|found| {
                let shown = ["id", "alias", "platform"].map(|field| text(found, field));
                shown.into_iter().chain([state(found)]).collect()
            }),
        )?,
        Action::Show { .. } => show(answer, printer)?,
        Action::Enable { .. } => printer.line(&format!("{} is on.", text(answer, "alias")))?,
        Action::Disable { .. } => {
            printer.line(&format!("{} is off.", text(answer, "alias")))?;
            if answer["platform"] == "telegram" {
                complain(
                    "note: a server that is started with a Telegram token of its settings switches \
                     the first bot's telegram on again",
                );
            }
        }
        Action::Call { .. } => printer.indented(answer)?,
        Action::Unscript { .. } => {
            let alias = text(&answer["integration"], "alias");
            printer.line(&format!(
                "{alias} has no script; its channel maps its threads by itself. What is stored stays."
            ))?;
            tell_waiting(answer, &alias, printer)?;
        }
        Action::Unmapped { .. } => unmapped::tell_list(answer, printer)?,
        Action::Replay { .. } => unmapped::tell_replay(answer, printer)?,
        Action::Add(Channel::Javascript { .. }) => {
            let state = match answer["active"].as_bool() {
                Some(true) => "is active",
                _ => "is inactive until it has a token, and can be called",
            };
            let alias = text(answer, "alias");
            let id = text(answer, "integration_id");
            printer.line(&format!("{alias} ({id}) {state}{}.", account(answer)))?;
            tell_unchecked(answer);
            tell_waiting(answer, &alias, printer)?;
        }
        Action::Add(_) => {
            let (alias, id) = (text(answer, "alias"), text(answer, "id"));
            printer.line(&match account(answer) {
                known if known.is_empty() => format!(
                    "{alias} ({id}) is plugged in; `switchboard integrations show {alias}` says \
                     whether Telegram takes its token."
                ),
                known => format!("{alias} ({id}) is plugged in{known}."),
            })?;
            tell_unchecked(answer);
            complain(
                "note: a server that is started with a Telegram token of its settings gives the first \
                 bot's telegram that one again; change it there too",
            );
        }
    }
    Ok(())
}

/// Whose the token is, where Telegram has said it.
fn account(answer: &Value) -> String {
    match answer["account"].as_str() {
        Some(name) => format!(", as {}", printable(name)),
        None => String::new(),
    }
}

/// Why nobody knows yet whether the token is good.
fn tell_unchecked(answer: &Value) {
    if let Some(reason) = answer["unchecked"].as_str() {
        complain(&format!(
            "note: Telegram could not be asked whether it takes the token: {}",
            printable(reason)
        ));
    }
}

/// How many updates wait, if any do.
fn tell_waiting(answer: &Value, alias: &str, printer: Printer) -> Result<(), Failure> {
    match answer["waiting"].as_u64() {
        None | Some(0) => Ok(()),
        Some(count) => printer.line(&format!(
            "{count} updates wait that no script could place; take them with \
             `switchboard integrations replay {alias}`."
        )),
    }
}

/// Whether it works, in a few words.
fn state(found: &Value) -> String {
    let scripted = found["scripted"] == true;
    match (found["active"].as_bool(), found["trouble"].as_str()) {
        (_, Some(trouble)) => trouble.to_owned(),
        (Some(true), None) if scripted => "active; a script maps it".to_owned(),
        (Some(true), None) => "active".to_owned(),
        _ if scripted => "inactive; a script maps it".to_owned(),
        _ => "inactive".to_owned(),
    }
}

fn show(answer: &Value, printer: Printer) -> Result<(), Failure> {
    let integration = &answer["integration"];
    let state = match (
        integration["active"].as_bool(),
        answer["has_secret"].as_bool(),
        answer["trouble"].as_str(),
    ) {
        (_, _, Some(trouble)) => printable(trouble),
        (Some(true), ..) => "active".to_owned(),
        (_, Some(true), _) => "switched off".to_owned(),
        _ => "inactive: it has no token".to_owned(),
    };
    for (name, value) in [
        ("id", text(integration, "id")),
        ("alias", text(integration, "alias")),
        ("platform", text(integration, "platform")),
        ("bot", text(integration, "bot")),
        ("state", state),
        (
            "webhook",
            format!("/webhook/{}", text(integration, "webhook_id")),
        ),
        ("created", text(integration, "created_at")),
        ("changed", text(integration, "updated_at")),
    ] {
        printer.line(&format!("{name:<9} {value}"))?;
    }
    Ok(())
}

/// A JSON object that a person wrote.
fn object(name: &str, text: &str) -> Result<Value, Failure> {
    let value: Value = serde_json::from_str(text)
        .map_err(|error| Failure::Config(format!("{name}: expected JSON: {error}")))?;
    if value.is_object() {
        return Ok(value);
    }
    Err(Failure::Config(format!("{name}: expected a JSON object")))
}

/// What a file, or standard input, holds.
fn content(file: &Path) -> Result<String, Failure> {
    if file == Path::new("-") {
        return Ok(std::io::read_to_string(std::io::stdin())?);
    }
    read_named(file)
}

/// Not an argument of its own: arguments are seen by other users of the machine and kept in shell
/// histories.
fn telegram_token(config: &Config) -> Result<String, Failure> {
    let token = if let Some(token) = &config.telegram_token {
        if !std::io::stdin().is_terminal() {
            complain("note: the token of the settings is taken; standard input is not read");
        }
        token.expose_secret().to_owned()
    } else {
        if std::io::stdin().is_terminal() {
            complain("Paste the bot token from @BotFather, then Enter:");
        }
        let mut text = String::new();
        std::io::stdin().lock().take(1_024).read_line(&mut text)?;
        text.trim().to_owned()
    };
    telegram_account(&token)?;
    Ok(token)
}
