//! How a bot plugs in: the [`Bot`] trait, the built-in [`Echo`], [`Faq`] for bots that a file
//! describes, and [`HttpBot`] for bots in any language.
//!
//! A bot is told one event at a time for each conversation, in order, at least once and with the
//! same event id on each try; what it answers is stored together with the event's completion.
//!
//! What never happens here: storing, ordering, trying again. A bot says how a try ended;
//! `delivery/` decides what follows.

mod echo;
mod event;
pub mod faq;
mod http;

use std::time::Duration;

use async_trait::async_trait;
use switchboard_model::{Json, TagPatch};

pub use echo::Echo;
pub use event::BotEvent;
pub use faq::Faq;
pub use http::{HttpBot, InvalidHttpBot};

/// Something that is told events and may answer them at once.
///
/// Several bots behind one server are one `Bot` that looks at [`BotEvent::event`]'s `bot`.
#[async_trait]
pub trait Bot: Send + Sync + 'static {
    /// Takes an event. The replies go to the event's conversation, in this order.
    ///
    /// Called for one event of a conversation at a time. After an error, or when the server was
    /// stopped meanwhile, the same event comes again. It must return within the time limit of the
    /// worker that calls it; then it is dropped.
    async fn handle(&self, event: &BotEvent) -> Result<BotAnswer, BotFailure>;

    /// The name of the conversation's state in which this bot remembers, if it does. What it holds
    /// comes with each event ([`BotEvent::memory`]); the API shows it as the bot's own state.
    fn memory_name(&self) -> Option<&str> {
        None
    }
}

/// What a bot answers to an event. All of it is stored in one transaction with the event's
/// completion, so that an event that comes again finds the memory as it was.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BotAnswer {
    /// What it says in the event's conversation, in this order.
    pub replies: Vec<BotReply>,
    /// What it remembers of the conversation from now on; as before without. Kept only for a bot
    /// that has a [`Bot::memory_name`].
    pub memory: Option<Json>,
    /// Tags to merge into the conversation, for people and programs to see.
    pub tags: TagPatch,
}

impl BotAnswer {
    /// Whether it says, remembers and changes nothing.
    pub fn is_empty(&self) -> bool {
        self.replies.is_empty() && self.memory.is_none() && self.tags.is_empty()
    }
}

impl From<Vec<BotReply>> for BotAnswer {
    fn from(replies: Vec<BotReply>) -> Self {
        Self {
            replies,
            ..Self::default()
        }
    }
}

/// A message to say in the event's conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotReply {
    /// Its type: `text`, `image`, …
    pub kind: String,
    /// Its content.
    pub payload: Json,
}

impl BotReply {
    /// A text.
    pub fn text(text: &str) -> Self {
        let payload = serde_json::json!({ "text": text });
        Self {
            kind: "text".to_owned(),
            payload: Json::from_serialize(&payload).unwrap_or_else(|_| Json::empty()),
        }
    }
}

/// Why a bot has not taken an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BotFailure {
    /// It may take it later.
    #[error("{error}")]
    Retry {
        /// What happened.
        error: String,
    },
    /// It asks to wait. That uses up no attempt and no patience.
    #[error("{error}")]
    Wait {
        /// For so long.
        after: Duration,
        /// What happened.
        error: String,
    },
    /// It will never take it.
    #[error("{error}")]
    Permanent {
        /// The bot's words.
        error: String,
    },
}

impl BotFailure {
    fn retry(error: impl Into<String>) -> Self {
        Self::Retry {
            error: error.into(),
        }
    }

    fn permanent(error: impl Into<String>) -> Self {
        Self::Permanent {
            error: error.into(),
        }
    }
}
