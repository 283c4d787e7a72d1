//! The FAQ bot's file: read at the start, and again when it changes or the process is told to.
//!
//! Promises: a file that is refused at the start ends the start; one that is refused later leaves
//! the bot as it was, and says why once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use switchboard_bots::Faq;
use switchboard_bots::faq::Script;
use switchboard_model::Environment;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::commands::Failure;

/// How often to look whether the file has changed.
const EVERY: Duration = Duration::from_secs(2);

/// A bot and the file it is read from.
#[derive(Clone)]
pub(crate) struct FaqFile {
    pub(super) bot: Arc<Faq>,
    path: PathBuf,
    text: String,
}

/// Reads and checks a file.
pub(crate) fn read(path: &Path) -> Result<(String, Script), Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Config(format!("{} cannot be read: {error}", path.display())))?;
    let script = parse(path, &text)?;
    Ok((text, script))
}

/// Reads what a file holds.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Script, Failure> {
    Script::parse(text)
        .map_err(|invalid| Failure::Config(format!("{} is no FAQ bot:\n{invalid}", path.display())))
}

impl FaqFile {
    pub(super) fn open(path: &Path, env: &Environment) -> Result<Self, Failure> {
        let (text, script) = read(path)?;
        Ok(Self {
            bot: Arc::new(Faq::new(script, env.clone())),
            path: path.to_owned(),
            text,
        })
    }

    /// From now on SIGHUP does not end the process, also before the following begins.
    pub(super) fn expect_hangups() {
        drop(signal(SignalKind::hangup()));
    }

    /// Follows the file until `stop`. SIGHUP looks at once.
    pub(super) async fn follow(mut self, stop: CancellationToken) {
        let mut hangups = signal(SignalKind::hangup()).ok();
        let mut told = String::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
                Some(()) = async { hangups.as_mut()?.recv().await } => {}
            }
            let trouble = match tokio::fs::read_to_string(&self.path).await {
                Ok(text) if text == self.text => String::new(),
                Ok(text) => match parse(&self.path, &text) {
                    Ok(script) => {
                        self.bot.replace(script);
                        self.text = text;
                        tracing::info!(file = %self.path.display(), "the FAQ bot was read again");
                        String::new()
                    }
                    Err(invalid) => invalid.to_string(),
                },
                Err(error) => format!("{} cannot be read: {error}", self.path.display()),
            };
            if !trouble.is_empty() && trouble != told {
                tracing::error!("the FAQ bot goes on as it was: {trouble}");
            }
            told = trouble;
        }
    }
}
