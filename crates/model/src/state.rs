//! States: named JSON that a bot or an integration keeps beside a conversation, a user, a workflow,
//! the bot or the integration.

use serde::{Deserialize, Serialize};

use crate::{BotId, Json, StateId, Timestamp};

/// What a state belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StateKind {
    /// A conversation.
    Conversation,
    /// A user.
    User,
    /// The bot.
    Bot,
    /// The integration.
    Integration,
    /// A workflow.
    Workflow,
}

impl StateKind {
    /// As the API spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Conversation => "conversation",
            Self::User => "user",
            Self::Bot => "bot",
            Self::Integration => "integration",
            Self::Workflow => "workflow",
        }
    }
}

/// A named JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Its id.
    pub id: StateId,
    /// The bot it belongs to.
    pub bot: BotId,
    /// What it belongs to.
    pub kind: StateKind,
    /// The ULID of the conversation, user, bot, integration or workflow it belongs to.
    pub subject: ulid::Ulid,
    /// Its name, at most 200 characters.
    pub name: String,
    /// Its content.
    pub payload: Json,
    /// When it will be gone, unless it is written again before.
    pub expires_at: Option<Timestamp>,
    /// When it was first set.
    pub created_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
}
