//! Events.

use async_trait::async_trait;
use switchboard_model::{
    BotId, ConversationId, DeliveryId, Event, EventId, EventStatus, Json, MessageId, Result,
    Timestamp, UserId, WorkflowId,
};

use crate::{Page, PageRequest};

/// An event to store and deliver to the bot.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its id.
    pub id: EventId,
    /// The id of its delivery.
    pub delivery: DeliveryId,
    /// The bot that is told.
    pub bot: BotId,
    /// Its type as the bot sees it.
    pub kind: String,
    /// Its payload.
    pub payload: Json,
    /// The conversation it belongs to.
    pub conversation: Option<ConversationId>,
    /// The user it concerns.
    pub user: Option<UserId>,
    /// The message it concerns.
    pub message: Option<MessageId>,
    /// The workflow it concerns: if that is listening, it goes on.
    pub workflow: Option<WorkflowId>,
    /// If this is later than `now`, it is enqueued then, at the end of its line.
    pub due: Option<Timestamp>,
    /// When.
    pub now: Timestamp,
}

/// The outcome of [`EventStore::cancel_event`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canceled {
    /// It is never delivered: by this call, or by an earlier one.
    Canceled,
    /// It waits for no time (any more): how far it is. Nothing was written.
    NotScheduled(EventStatus),
    /// There is no such event.
    Missing,
}

/// Which events to list: newest first.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Of this type.
    pub kind: Option<String>,
    /// Of types that start so (an integration sees only its own).
    pub kind_prefix: Option<String>,
    /// Of this conversation.
    pub conversation: Option<ConversationId>,
    /// Concerning this user.
    pub user: Option<UserId>,
    /// Concerning this message.
    pub message: Option<MessageId>,
    /// Concerning this workflow.
    pub workflow: Option<WorkflowId>,
    /// In this state.
    pub status: Option<EventStatus>,
}

/// Keeps events. The one that announces a message to the bot has the message's ULID, so that it is
/// known from the message and needs no other id.
#[async_trait]
pub trait EventStore {
    /// Stores an event and enqueues its delivery. Unknown ids are `ReferenceNotFound` (fields
    /// `conversationId`, `userId`, `messageId`, `workflowId`).
    async fn create_event(&self, event: NewEvent) -> Result<Event>;

    /// Cancels an event that is scheduled. Either this or the delivery happens, never both.
    async fn cancel_event(&self, bot: BotId, id: EventId) -> Result<Canceled>;

    /// The event with this id.
    async fn get_event(&self, bot: BotId, id: EventId) -> Result<Option<Event>>;

    /// Lists events, newest first.
    async fn list_events(
        &self,
        bot: BotId,
        filter: EventFilter,
        page: PageRequest,
    ) -> Result<Page<Event>>;
}
