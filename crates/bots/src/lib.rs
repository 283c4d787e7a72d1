//! How a bot plugs in: the [`Bot`] trait, the built-in [`Echo`], and [`HttpBot`] for bots in any
//! language.
//!
//! A bot is told one event at a time for each conversation, in order, at least once and with the
//! same event id on each try; what it answers is stored together with the event's completion.
//!
//! What never happens here: storing, ordering, trying again. A bot says how a try ended;
//! `delivery/` decides what follows.

mod echo;
mod event;
mod http;

use std::time::Duration;

use async_trait::async_trait;
use switchboard_model::Json;

pub use echo::Echo;
pub use event::BotEvent;
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
    async fn handle(&self, event: &BotEvent) -> Result<Vec<BotReply>, BotFailure>;
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
