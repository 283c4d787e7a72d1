//! `switchboard chat`: a conversation with the bot in the terminal, a channel like any other.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, value_parser};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Split, Stdin};
use tokio::time::Instant;

use crate::client::{Client, path};
use crate::commands::conversations::said;
use crate::commands::{BotArg, Failure};
use crate::config::Config;
use crate::lifecycle::{Work, interrupted};
use crate::printer::{Printer, complain, printable, rows, text};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Which of your conversations: the same name goes on with the same one
    #[arg(long, default_value = "main", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    thread: String,
    /// How long to wait for the bot's answer to a line of a pipe, in seconds
    #[arg(long, default_value = "60", value_name = "SECONDS", value_parser = value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    /// How long to wait for an answer after the bot has taken a line of a pipe without one, in
    /// seconds: bots may answer later, over the API
    #[arg(long, default_value = "3", value_name = "SECONDS", value_parser = value_parser!(u64).range(..=86_400))]
    linger: u64,
    #[command(flatten)]
    bot: BotArg,
}

/// What came of listening.
struct Turn {
    heard: bool,
    busy: bool,
}

/// A conversation under way.
struct Chat {
    client: Client,
    bot: Option<String>,
    thread: String,
    user: String,
    /// Makes the ids of messages of this run differ from those of others.
    run: String,
    lines: u64,
    conversation: Option<String>,
    seq: i64,
    printer: Printer,
}

pub(super) async fn run(
    config: &Config,
    options: Options,
    printer: Printer,
) -> Result<ExitCode, Failure> {
    let client = Client::open(config, Work::Terminal).await?;
    let env = crate::system::environment();
    let mut chat = Chat {
        client,
        bot: options.bot.bot,
        thread: options.thread,
        user: std::env::var("USER")
            .ok()
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "you".to_owned()),
        run: env.ulid().to_string(),
        lines: 0,
        conversation: None,
        seq: 0,
        printer,
    };
    let lines = BufReader::new(tokio::io::stdin()).split(b'\n');
    let patience = Duration::from_secs(options.timeout);
    let ended = if std::io::stdin().is_terminal() {
        complain("Talk to the bot. /quit or Ctrl-D ends.");
        tokio::select! {
            ended = chat.by_hand(lines) => ended,
            () = interrupted() => Ok(()),
        }
    } else {
        chat.by_pipe(lines, patience, Duration::from_secs(options.linger))
            .await
    };
    chat.client.close().await?;
    ended.map(|()| ExitCode::SUCCESS)
}

impl Chat {
    /// Sends each line and prints the answers before the next.
    async fn by_pipe(
        &mut self,
        mut lines: Split<BufReader<Stdin>>,
        patience: Duration,
        linger: Duration,
    ) -> Result<(), Failure> {
        while let Some(line) = lines.next_segment().await? {
            let line = String::from_utf8_lossy(&line).into_owned();
            if line.trim().is_empty() {
                continue;
            }
            self.say(line.trim_end_matches('\r')).await?;
            let deadline = Instant::now() + patience;
            let heard = self.listen_until_idle(deadline, patience).await?;
            self.check_delivered().await?;
            // A bot may take the line at once and answer it later, over the API.
            if !heard && self.listen(linger, false).await?.heard {
                self.listen_until_idle(deadline, patience).await?;
                self.check_delivered().await?;
            }
        }
        Ok(())
    }

    /// Prints what the bot says until nothing is under way; tells whether it said anything.
    async fn listen_until_idle(
        &mut self,
        deadline: Instant,
        patience: Duration,
    ) -> Result<bool, Failure> {
        let mut heard = false;
        loop {
            let turn = self.listen(Duration::from_secs(1), true).await?;
            heard |= turn.heard;
            if !turn.busy {
                return Ok(heard);
            }
            if Instant::now() >= deadline {
                let shown = self.show().await?;
                let why = rows(&shown, "stuck")
                    .next()
                    .map(|stuck| text(stuck, "error"));
                return Err(Failure::Timeout(format!(
                    "the bot has not answered within {} seconds ({}); the message is kept and goes on being \
                     delivered; lines after it were not sent (switchboard conversations show {})",
                    patience.as_secs(),
                    why.as_deref().unwrap_or("it is still at work"),
                    self.conversation.as_deref().unwrap_or_default()
                )));
            }
        }
    }

    /// An error if something of this run could not be delivered.
    async fn check_delivered(&self) -> Result<(), Failure> {
        let shown = self.show().await?;
        let run = format!("dlv_{}", self.run);
        let mut stuck = rows(&shown, "stuck");
        // Ids grow with time: what is greater than the run's was enqueued in it.
        match stuck.find(|found| found["id"].as_str().is_some_and(|id| id > run.as_str())) {
            None => Ok(()),
            Some(stuck) => Err(Failure::Refused(format!(
                "not delivered: {} (again: switchboard deliveries replay {})",
                stuck["error"].as_str().unwrap_or_default(),
                stuck["id"].as_str().unwrap_or_default()
            ))),
        }
    }

    async fn show(&self) -> Result<Value, Failure> {
        let base = format!(
            "/local/conversations/{}",
            self.conversation.as_deref().unwrap_or_default()
        );
        self.client
            .get(&path(&base, &[("bot", self.bot.as_deref())]))
            .await
    }

    /// Lines and answers as they come.
    async fn by_hand(&mut self, mut lines: Split<BufReader<Stdin>>) -> Result<(), Failure> {
        loop {
            let line = if self.conversation.is_some() {
                tokio::select! {
                    line = lines.next_segment() => line?,
                    heard = self.listen(Duration::from_secs(20), false) => {
                        heard?;
                        continue;
                    }
                }
            } else {
                lines.next_segment().await?
            };
            match line.map(|line| String::from_utf8_lossy(&line).into_owned()) {
                None => return Ok(()),
                Some(line) if matches!(line.trim(), "/quit" | "/exit") => return Ok(()),
                Some(line) if line.trim().is_empty() => {}
                Some(line) => self.say(line.trim_end_matches('\r')).await?,
            }
        }
    }

    async fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.lines += 1;
        let body = json!({
            "thread": self.thread,
            "user": self.user,
            "text": text,
            "message": format!("{}-{}", self.run, self.lines),
        });
        let answer: Value = self
            .client
            .post(&path("/local/chat", &[("bot", self.bot.as_deref())]), &body)
            .await?;
        if self.conversation.is_none() {
            // What was said in earlier runs is not said again.
            self.conversation = answer["conversation"].as_str().map(ToOwned::to_owned);
            self.seq = answer["seq"].as_i64().unwrap_or(0);
        }
        Ok(())
    }

    /// Prints what the bot has said since; tells whether it was anything, and whether more is under
    /// way.
    async fn listen(&mut self, wait: Duration, until_idle: bool) -> Result<Turn, Failure> {
        let base = format!(
            "/local/conversations/{}/messages",
            self.conversation.as_deref().unwrap_or_default()
        );
        let (after, wait) = (self.seq.to_string(), wait.as_millis().to_string());
        let query = [
            ("bot", self.bot.as_deref()),
            ("after", Some(after.as_str())),
            ("wait_ms", Some(wait.as_str())),
            (
                "until_idle",
                Some(if until_idle { "true" } else { "false" }),
            ),
        ];
        let answer: Value = self.client.get(&path(&base, &query)).await?;
        let mut heard = false;
        for message in rows(&answer, "messages") {
            self.seq = self.seq.max(message["seq"].as_i64().unwrap_or(0));
            if message["direction"] != "outgoing" {
                continue;
            }
            heard = true;
            if self.printer.is_json() {
                self.printer.json(message)?;
            } else if std::io::stdin().is_terminal() {
                self.printer
                    .line(&format!("bot: {}", printable(&said(message))))?;
            } else {
                self.printer.line(&printable(&said(message)))?;
            }
        }
        Ok(Turn {
            heard,
            busy: answer["busy"].as_bool().unwrap_or(false),
        })
    }
}
