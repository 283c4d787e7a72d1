//! Taking updates that no script could place, once one can.

use async_trait::async_trait;
use serde::Serialize;
use switchboard_model::{ConversationId, EventId, Integration, MessageId, Result};

/// What became of an update that waited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Replayed {
    /// It is a message now.
    Message {
        /// The message.
        message: MessageId,
        /// Where it is.
        conversation: ConversationId,
    },
    /// It is an event of its own kind now.
    Event {
        /// The event.
        event: EventId,
        /// Where it belongs, if it does.
        conversation: Option<ConversationId>,
    },
    /// The script still fails. It waits on.
    Failed {
        /// What the script did.
        reason: String,
    },
    /// One that came before it in its thread waits. It waits on.
    Behind {
        /// The event that holds that one.
        event: EventId,
    },
    /// It does not wait: somebody else took it.
    Gone,
}

/// Channels that take what waits for its script: one for each platform, or one for all.
#[async_trait]
pub trait Replay: Send + Sync + 'static {
    /// Asks the script as it is now about the update that waits in `event`, and takes the update if
    /// it can be placed. It works whether or not the integration is active. Nothing is taken twice,
    /// and what came earlier in its thread goes first, unless `out_of_turn`.
    async fn replay(
        &self,
        integration: &Integration,
        event: EventId,
        out_of_turn: bool,
    ) -> Result<Replayed>;
}
