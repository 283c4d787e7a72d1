//! Messages.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use switchboard_model::{
    BotId, ConversationId, DeliveryId, Direction, Json, Message, MessageId, Result, TagPatch, Tags,
    Timestamp, UserId,
};

use crate::{Found, Key, Page, PageRequest};

/// A message to store.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Its id.
    pub id: MessageId,
    /// Where it is said.
    pub conversation: ConversationId,
    /// Who says it; becomes a participant.
    pub user: UserId,
    /// Which way it goes.
    pub direction: Direction,
    /// Its type.
    pub kind: String,
    /// Its content.
    pub payload: Json,
    /// Its tags.
    pub tags: Tags,
    /// Whether a program says it in a person's name.
    pub synthetic: bool,
}

/// How a message is recognised when it is posted again.
///
/// A deleted one is never the answer. Tags recognise only what is there, so that a new message is
/// made in its place; a key stands for one message, and says that it was deleted: who repeats a
/// request, perhaps by itself after a broken connection, must not say again what was taken back.
#[derive(Debug, Clone)]
pub enum Discriminate {
    /// It never is: each call stores one.
    Never,
    /// By tags, within its conversation: the first whose tags contain every pair.
    ByTags(Tags),
    /// By a key that the caller made up, within its bot.
    ByKey(Idempotency),
}

/// A key that the caller made up (header `Idempotency-Key`).
#[derive(Debug, Clone, Copy)]
pub struct Idempotency {
    /// The digest of the key.
    pub key: Key,
    /// The digest of the request, to tell a repetition from another use of the same key.
    pub request: Key,
}

/// Stores a message and hands it on: an incoming one becomes an event to the bot, an outgoing one
/// a delivery to the conversation's integration (failed at once, and visibly, if that is inactive).
#[derive(Debug, Clone)]
pub struct PostMessage {
    /// The bot.
    pub bot: BotId,
    /// The message.
    pub message: NewMessage,
    /// How to recognise it. A recognised one is answered as it is stored, and nothing is handed on.
    pub discriminate: Discriminate,
    /// The id of the delivery.
    pub delivery: DeliveryId,
    /// If this is later than `now`, it is handed on then. Until then it is read by its id, and
    /// changed or deleted, but not listed; it takes its place in the conversation when it is handed
    /// on.
    pub due: Option<Timestamp>,
    /// When.
    pub now: Timestamp,
}

/// The outcome of [`MessageStore::post_message`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// It is stored, by this call or an earlier one.
    Stored(Found<Message>),
    /// The key was used for another request; nothing was written.
    KeyReused,
    /// The key was used for this request, and the message it made is deleted; nothing was written.
    Deleted(MessageId),
}

/// A change of a message.
#[derive(Debug, Clone, Default)]
pub struct MessageUpdate {
    /// Tags to merge.
    pub tags: TagPatch,
    /// A new payload.
    pub payload: Option<Json>,
    /// The id of the delivery that tells the channel of the new payload, if it is to be told.
    pub delivery: Option<DeliveryId>,
}

/// What a message said before a channel changed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageVersion {
    /// The type that it had.
    pub kind: String,
    /// The content.
    pub payload: Json,
    /// Until when.
    pub until: Timestamp,
}

/// Which messages to list: newest first.
#[derive(Debug, Clone, Default)]
pub struct MessageFilter {
    /// Of this conversation (then by place in it); otherwise of the whole bot (then by time).
    pub conversation: Option<ConversationId>,
    /// With each of these tags.
    pub tags: Tags,
    /// Stored at this time or later.
    pub after: Option<Timestamp>,
    /// Stored at this time or earlier.
    pub before: Option<Timestamp>,
    /// Only messages of conversations of this integration.
    pub integration: Option<switchboard_model::IntegrationId>,
}

/// Keeps messages.
#[async_trait]
pub trait MessageStore {
    /// Stores a message once and hands it on. An unknown conversation or user is
    /// `ReferenceNotFound` (fields `conversationId`, `userId`).
    async fn post_message(&self, command: PostMessage) -> Result<Posted>;

    /// The message with this id.
    async fn get_message(&self, bot: BotId, id: MessageId) -> Result<Option<Message>>;

    /// Lists messages, newest first.
    async fn list_messages(
        &self,
        bot: BotId,
        filter: MessageFilter,
        page: PageRequest,
    ) -> Result<Page<Message>>;

    /// The messages of a conversation with a place after `seq`, oldest first, at most `limit`.
    async fn messages_after(
        &self,
        bot: BotId,
        conversation: ConversationId,
        seq: i64,
        limit: usize,
    ) -> Result<Vec<Message>>;

    /// Merges tags and replaces the payload.
    ///
    /// Where the channel is to be told, another payload of a message that was sent, or is being sent,
    /// is enqueued behind it as an edit, if anything is known of what the channel has of it. An edit
    /// that waits takes the newest payload, as a message does that is not sent yet.
    async fn update_message(
        &self,
        bot: BotId,
        id: MessageId,
        update: MessageUpdate,
        now: Timestamp,
    ) -> Result<Option<Message>>;

    /// What a message said before, oldest first: the last 100 versions that an
    /// [edit](crate::InboundEdit) replaced. Empty if there is no such message.
    async fn message_versions(&self, bot: BotId, id: MessageId) -> Result<Vec<MessageVersion>>;

    /// Deletes a message. What a channel's redelivery is recognised by stays remembered, so that it
    /// does not bring the message back; so does an idempotency key. `false` if there was none.
    ///
    /// With `delivery`, the id of the delivery that tells the channel, what the channel has of the
    /// message is deleted there: enqueued behind it, and in the place of an edit that waits.
    async fn delete_message(
        &self,
        bot: BotId,
        id: MessageId,
        delivery: Option<DeliveryId>,
        now: Timestamp,
    ) -> Result<bool>;
}
