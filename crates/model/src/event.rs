//! Events: what a bot is told.

use serde::{Deserialize, Serialize};

use crate::{
    BotId, Conversation, ConversationId, EventId, Json, Message, MessageId, Timestamp, User,
    UserId, WorkflowId, WorkflowUpdate,
};

/// How far an event has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventStatus {
    /// It waits for the bot.
    Pending,
    /// The bot has taken it.
    Processed,
    /// Nobody wanted it.
    Ignored,
    /// It could not be delivered; it is kept and can be replayed.
    Failed,
    /// It waits for its time.
    Scheduled,
    /// It was canceled before its time.
    Canceled,
}

impl EventStatus {
    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processed => "processed",
            Self::Ignored => "ignored",
            Self::Failed => "failed",
            Self::Scheduled => "scheduled",
            Self::Canceled => "canceled",
        }
    }
}

/// What an event carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventPayload {
    /// A message came in. Message, author and conversation are as they are when the event is
    /// read, not as they were when it was made.
    MessageCreated(Box<(Message, User, Conversation)>),
    /// A workflow began, goes on, timed out, or has news of a part of it.
    WorkflowUpdate(Box<WorkflowUpdate>),
    /// Anything else, as given.
    Other(Json),
}

/// Something a bot is told, at least once and with the same id on each try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// The bot that is told.
    pub bot: BotId,
    /// `message_created`, `state_expired`, `workflow_update`, or `<alias>:<name>` from an integration, or the bot's own
    /// name.
    pub kind: String,
    /// What it carries.
    pub payload: EventPayload,
    /// The conversation it belongs to, if any: events of one conversation are delivered in order.
    pub conversation: Option<ConversationId>,
    /// The user it concerns.
    pub user: Option<UserId>,
    /// The message it concerns.
    pub message: Option<MessageId>,
    /// The workflow it concerns.
    pub workflow: Option<WorkflowId>,
    /// How far it has got.
    pub status: EventStatus,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// When it was stored.
    pub created_at: Timestamp,
}

impl Event {
    /// The kind of events that announce an incoming message.
    pub const MESSAGE_CREATED: &'static str = "message_created";
    /// The kind of events that tell a bot that the time of one of its states is over.
    pub const STATE_EXPIRED: &'static str = "state_expired";
    /// The kind of events that tell a bot of its workflows.
    pub const WORKFLOW_UPDATE: &'static str = "workflow_update";
}
