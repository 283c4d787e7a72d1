//! What channels bring in.

use async_trait::async_trait;
use switchboard_model::{
    BotId, Conversation, ConversationId, DeliveryId, EventId, IntegrationId, Json, MessageId,
    Result, Tags, Timestamp, UserId,
};

use crate::{About, ChatNews, Once, UnmappedUpdate};

/// Some external updates in the order of their arrival, taken together.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The bot.
    pub bot: BotId,
    /// The integration they came through.
    pub integration: IntegrationId,
    /// The updates.
    pub items: Vec<Inbound>,
    /// Where the poll is after them.
    pub position: Option<PollPosition>,
    /// When.
    pub now: Timestamp,
}

/// Where polling an account has got to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollPosition {
    /// The account as the channel names it (Telegram: the bot's numeric id), not the secret.
    pub account: String,
    /// The first number not yet taken.
    pub next: i64,
}

/// One external update.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// What it is recognised by when it comes again; without, it is stored each time.
    pub once: Option<Once>,
    /// The id of its event, should it be new; what announces a message has the message's.
    pub event: EventId,
    /// The id of the event's delivery.
    pub delivery: DeliveryId,
    /// What it brings.
    pub content: InboundContent,
}

/// What an external update brings.
#[derive(Debug, Clone)]
pub enum InboundContent {
    /// Something said.
    Message(Box<InboundMessage>),
    /// Anything else.
    Event(Box<InboundEvent>),
    /// What no script could place: an event that holds it, until [`UnmappedStore::remap`].
    ///
    /// [`UnmappedStore::remap`]: crate::UnmappedStore::remap
    Unmapped(Box<UnmappedUpdate>),
}

/// The external thread something belongs to.
#[derive(Debug, Clone)]
pub struct Thread {
    /// The id of the conversation, should one be made.
    pub id: ConversationId,
    /// The channel.
    pub channel: String,
    /// The identifying tags; not empty, and among `tags`.
    pub identity: Tags,
    /// All tags.
    pub tags: Tags,
    /// Tags that the conversation gets where it has none of their names: what was true once.
    pub defaults: Tags,
    /// The conversation that it is, where somebody else has decided that: `id` and `identity` do
    /// not count then, and `tags` are merged into it; an empty one goes. One that is gone, or another integration's, is
    /// `ReferenceNotFound`.
    pub known: Option<ConversationId>,
}

/// The external sender.
#[derive(Debug, Clone)]
pub struct Sender {
    /// The id of the user, should one be made.
    pub id: UserId,
    /// The identifying tags; not empty, and among `tags`.
    pub identity: Tags,
    /// All tags; merged into a found user.
    pub tags: Tags,
    /// The name; if given, it replaces that of a found user.
    pub name: Option<String>,
    /// The user that it is, where somebody else has decided that: as [`Thread::known`]. Its name is
    /// left as it is.
    pub known: Option<UserId>,
}

/// Something said.
#[derive(Debug, Clone)]
pub struct InboundMessage {
    /// Where.
    pub thread: Thread,
    /// By whom; becomes a participant.
    pub sender: Sender,
    /// The message's id, should it be new.
    pub id: MessageId,
    /// Its type.
    pub kind: String,
    /// Its content.
    pub payload: Json,
    /// Its tags.
    pub tags: Tags,
}

/// Anything else that a channel tells of.
#[derive(Debug, Clone)]
pub struct InboundEvent {
    /// The event's type as a bot sees it.
    pub kind: String,
    /// Its payload.
    pub payload: Json,
    /// The thread it belongs to. If that is no conversation yet, none is made.
    pub thread: Option<Thread>,
    /// Who caused it; made if new.
    pub sender: Option<Sender>,
    /// The identity that the thread had until now, if this tells of a new one: the conversation is
    /// re-keyed, and merged where the new one has a conversation already.
    pub moved_from: Option<Tags>,
    /// The message that this changes. Where it is there, the event belongs to its conversation.
    pub edit: Option<InboundEdit>,
    /// The message that this is about. Where it is there, the event belongs to its conversation.
    pub about: Option<About>,
    /// Tags to merge into the conversation of `thread`, if that has its name still.
    pub tags: Tags,
    /// What this changes of a whole chat.
    pub news: Option<ChatNews>,
}

/// A message changes, unless it has changed later than this. If it has not come yet, this waits for it,
/// for a week; if it is deleted, nothing changes.
#[derive(Debug, Clone)]
pub struct InboundEdit {
    /// What it was recognised by when it came.
    pub once: Once,
    /// When, in seconds since 1970: of two edits the later one stays, whichever comes first. What
    /// has no date changes it in any case.
    pub at: Option<i64>,
    /// Its type from now on.
    pub kind: String,
    /// Its new content. The earlier one is kept, see
    /// [`MessageStore::message_versions`](crate::MessageStore::message_versions).
    pub payload: Json,
    /// Tags to merge.
    pub tags: Tags,
}

/// What became of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ingested {
    /// A new message, and the event that announces it.
    Message {
        /// The message.
        message: MessageId,
        /// Its event.
        event: EventId,
        /// Its conversation.
        conversation: Conversation,
        /// Whether the conversation is new.
        conversation_created: bool,
        /// Its author.
        user: UserId,
        /// Whether the author is new.
        user_created: bool,
    },
    /// A new event.
    Event {
        /// The event.
        event: EventId,
        /// Its conversation, if it has one.
        conversation: Option<ConversationId>,
    },
    /// It had come before; nothing was written.
    Duplicate,
}

/// An update that was taken before, and what is still there of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Taken {
    /// The message it brought, also if that was deleted since.
    pub message: Option<MessageId>,
    /// The event it brought, if it was no message.
    pub event: Option<EventId>,
    /// The conversation it went into.
    pub conversation: Option<ConversationId>,
    /// Who sent it.
    pub user: Option<UserId>,
}

/// Takes what channels bring in.
#[async_trait]
pub trait IngestStore {
    /// Takes all updates of a batch in order, and the position with them, or nothing. For each new
    /// message: thread → conversation, sender → user, participant, message, event and its delivery.
    async fn ingest(&self, batch: Batch) -> Result<Vec<Ingested>>;

    /// Whether an update that is recognised by `once` was taken: [`IngestStore::ingest`] would call
    /// it a duplicate.
    async fn find_taken(
        &self,
        bot: BotId,
        integration: IntegrationId,
        once: Once,
    ) -> Result<Option<Taken>>;

    /// A message by what its channel calls it, and its conversation.
    async fn find_external_message(
        &self,
        bot: BotId,
        integration: IntegrationId,
        message: About,
    ) -> Result<Option<(MessageId, Conversation)>>;

    /// Where polling an account has got to, and when that was written.
    async fn poll_position(
        &self,
        integration: IntegrationId,
        account: &str,
    ) -> Result<Option<(i64, Timestamp)>>;

    /// Remembers that a thread had another name, by external ids. Again, the last word counts.
    async fn note_move(
        &self,
        bot: BotId,
        integration: IntegrationId,
        thread: &str,
        was: &str,
    ) -> Result<()>;

    /// The name that a thread had before, if it moved.
    async fn moved_from(
        &self,
        bot: BotId,
        integration: IntegrationId,
        thread: &str,
    ) -> Result<Option<String>>;

    /// Writes a position without updates. Going back is allowed: numbering may restart.
    async fn set_poll_position(
        &self,
        integration: IntegrationId,
        position: PollPosition,
        now: Timestamp,
    ) -> Result<()>;
}
