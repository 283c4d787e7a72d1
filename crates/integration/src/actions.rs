//! Doing what a caller asks for by name: an integration's actions, or a bot's own.

use async_trait::async_trait;
use switchboard_model::{BotId, Json};

/// A call of an action.
#[derive(Debug, Clone)]
pub struct ActionCall {
    /// The bot that calls, or whose integration does.
    pub bot: BotId,
    /// The action's bare name.
    pub name: String,
    /// What it is given.
    pub input: Json,
}

/// Why an action was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActionFailure {
    /// There is no action of this name.
    #[error("there is no such action")]
    Unknown,
    /// It was tried and failed, or refuses what it was given.
    #[error("{message}")]
    Failed {
        /// Why, in words for the caller.
        message: String,
    },
    /// Whether it was done is not known: no answer came in time.
    #[error("no answer came in time")]
    TimedOut,
}

impl ActionFailure {
    /// It failed, in these words.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed {
            message: message.into(),
        }
    }
}

/// Something with actions.
#[async_trait]
pub trait Actions: Send + Sync + 'static {
    /// Does an action and gives what it has to show. Whoever calls waits meanwhile, for at most
    /// about a minute; then this is dropped.
    async fn call(&self, call: ActionCall) -> Result<Json, ActionFailure>;
}
