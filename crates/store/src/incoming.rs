//! What an integration brings in through the API: a message with all that it belongs to, and
//! history.

use async_trait::async_trait;
use switchboard_model::{
    BotId, Conversation, ConversationId, DeliveryId, Json, Message, MessageId, Result, Tags,
    Timestamp, User, UserId,
};

use crate::{Found, GetOrCreateConversation, GetOrCreateUser, NewMessage};

/// A user, by its id or by an identity.
#[derive(Debug, Clone)]
pub enum SomeUser {
    /// The one with this id, which must exist.
    Known(UserId),
    /// The one that an identity means, made if need be.
    Meant(Box<GetOrCreateUser>),
}

/// A conversation, by its id or by an identity.
#[derive(Debug, Clone)]
pub enum SomeConversation {
    /// The one with this id, which must exist.
    Known(ConversationId),
    /// The one that an identity means, made if need be.
    Meant(Box<GetOrCreateConversation>),
}

/// Finds or makes a user, a conversation and a message of the user in it, all in one. The user takes
/// part in the conversation. A new message is announced to the bot.
#[derive(Debug, Clone)]
pub struct InitializeIncoming {
    /// The bot.
    pub bot: BotId,
    /// By whom.
    pub user: SomeUser,
    /// Where.
    pub conversation: SomeConversation,
    /// What, if anything.
    pub message: Option<InitialMessage>,
    /// The id of the delivery that announces a new message.
    pub delivery: DeliveryId,
    /// When.
    pub now: Timestamp,
}

/// The message of an [`InitializeIncoming`].
#[derive(Debug, Clone)]
pub struct InitialMessage {
    /// Its id, should it be new.
    pub id: MessageId,
    /// Its type.
    pub kind: String,
    /// Its content.
    pub payload: Json,
    /// Its tags.
    pub tags: Tags,
    /// Whether a program says it in a person's name.
    pub synthetic: bool,
    /// What it is recognised by in its conversation, among `tags`. If empty, it is always new.
    pub identity: Tags,
}

/// What an [`InitializeIncoming`] has found or made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Initialized {
    /// By whom.
    pub user: Found<User>,
    /// Where.
    pub conversation: Found<Conversation>,
    /// What. A found message is as it is stored, whatever else the command says.
    pub message: Option<Found<Message>>,
}

/// Takes messages that were said before.
///
/// An imported message is handed on to nobody. In its conversation it is listed by its time: behind
/// the messages stored there by then that are not younger. It has no number of its own, so that who
/// follows the conversation is not told of it.
#[derive(Debug, Clone)]
pub struct ImportMessages {
    /// The bot.
    pub bot: BotId,
    /// The messages, in any order.
    pub messages: Vec<ImportedMessage>,
    /// When they are imported.
    pub now: Timestamp,
}

/// A message that was said before.
#[derive(Debug, Clone)]
pub struct ImportedMessage {
    /// The message.
    pub message: NewMessage,
    /// What it is recognised by in its conversation, among its tags. If empty, it is always new.
    pub identity: Tags,
    /// When it was said.
    pub said_at: Timestamp,
}

/// Takes what integrations bring in through the API.
#[async_trait]
pub trait IncomingStore {
    /// Finds or makes all of it, or nothing. Racing calls that mean the same make each object once,
    /// and one event for one message. Unknown ids are `ReferenceNotFound` (fields `conversationId`,
    /// `userId`).
    async fn initialize_incoming(&self, command: InitializeIncoming) -> Result<Initialized>;

    /// Stores all that are not there yet, or nothing; the answer has them in the order of the
    /// command. Unknown ids are `ReferenceNotFound` (fields `messages[n].conversationId`,
    /// `messages[n].userId`).
    async fn import_messages(&self, command: ImportMessages) -> Result<Vec<Found<Message>>>;
}
