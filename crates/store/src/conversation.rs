//! Conversations and their participants.

use async_trait::async_trait;
use switchboard_model::{
    BotId, Conversation, ConversationId, IntegrationId, Result, TagPatch, Tags, Timestamp, User,
    UserId,
};

use crate::{Found, Page, PageRequest, SortField, SortOrder};

/// Where identities of conversations are told apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The bot.
    pub bot: BotId,
    /// The integration.
    pub integration: IntegrationId,
    /// The channel within it.
    pub channel: String,
}

/// Finds the conversation that an identity means, or makes it.
#[derive(Debug, Clone)]
pub struct GetOrCreateConversation {
    /// The id of the new conversation, should one be made.
    pub id: ConversationId,
    /// Where.
    pub place: Place,
    /// The identifying tags; not empty, and among `tags`.
    pub identity: Tags,
    /// All tags: those of a new one, merged into a found one.
    pub tags: Tags,
    /// Users that must exist and become participants of it, new or found.
    pub participants: Vec<UserId>,
    /// When.
    pub now: Timestamp,
}

/// Makes a conversation.
#[derive(Debug, Clone)]
pub struct CreateConversation {
    /// Its id.
    pub id: ConversationId,
    /// Where.
    pub place: Place,
    /// Its tags.
    pub tags: Tags,
    /// If set, none is made where one that this identity means exists already. Without, one is
    /// always made, as the HTTP operation does.
    pub unless: Option<Tags>,
    /// Users that must exist and become its participants.
    pub participants: Vec<UserId>,
    /// When.
    pub now: Timestamp,
}

/// The outcome of [`ConversationStore::create_conversation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It was made.
    Created(Conversation),
    /// One with this identity exists; nothing was written.
    Exists(ConversationId),
}

/// Gives a conversation a new external identity; the old one stays an alias of it.
#[derive(Debug, Clone)]
pub struct Rekey {
    /// The bot.
    pub bot: BotId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The tags to set; the pairs that they replace go on matching.
    pub tags: Tags,
    /// The identity that it gets, among `tags`.
    pub identity: Tags,
    /// What to do if that means another conversation already.
    pub occupied: Occupied,
    /// When.
    pub now: Timestamp,
}

/// What to do where a new identity is another conversation's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupied {
    /// Nothing is written.
    Refuse,
    /// The two become one, for they were one thread all along. The first-made stays; the other's
    /// messages join it in the order of their times, its participants, events and waiting
    /// deliveries too; of states with the same name those of the first-made stay, the other's get
    /// the name `<name>@<id of the other>`. The other's id and identities mean the first-made from
    /// then on.
    Merge,
}

/// The outcome of [`ConversationStore::rekey_conversation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rekeyed {
    /// It has the new identity.
    Rekeyed(Conversation),
    /// It had it already; nothing was written.
    Unchanged(Conversation),
    /// Another conversation has it; nothing was written.
    Occupied(ConversationId),
    /// Two conversations are now one.
    Merged {
        /// The one that stays, with the new identity.
        survivor: Conversation,
        /// The other.
        merged: ConversationId,
    },
    /// There is no such conversation.
    Missing,
}

/// Which conversations to list.
#[derive(Debug, Clone, Default)]
pub struct ConversationFilter {
    /// With each of these tags.
    pub tags: Tags,
    /// Of this integration.
    pub integration: Option<IntegrationId>,
    /// Of this channel.
    pub channel: Option<String>,
    /// With each of these users taking part.
    pub participants: Vec<UserId>,
    /// Made at this time or later.
    pub after: Option<Timestamp>,
    /// Made at this time or earlier.
    pub before: Option<Timestamp>,
    /// With at least so many messages. The number changes with each message, and is not indexed: a
    /// list goes through the others.
    pub min_messages: Option<u32>,
    /// With at most so many messages.
    pub max_messages: Option<u32>,
    /// Sorted by.
    pub sort: SortField,
    /// In this order.
    pub order: SortOrder,
}

/// Keeps conversations.
///
/// An identity `D` at a [`Place`] means the first-made conversation there whose tags (or the pairs
/// kept as aliases by a re-key) contain every pair of `D`. Deleted ones and those that were reset
/// mean nothing.
#[async_trait]
pub trait ConversationStore {
    /// Finds or makes the conversation of an identity, atomically. Other tags are merged into a
    /// found one, but for names of the identity and pairs that are its aliases: someone who still
    /// knows it by an old name does not take the new one away. An unknown participant is
    /// `ReferenceNotFound` (field `userId`).
    async fn get_or_create_conversation(
        &self,
        command: GetOrCreateConversation,
    ) -> Result<Found<Conversation>>;

    /// Makes a conversation.
    async fn create_conversation(&self, command: CreateConversation) -> Result<Created>;

    /// The conversation with this id.
    async fn get_conversation(
        &self,
        bot: BotId,
        id: ConversationId,
    ) -> Result<Option<Conversation>>;

    /// The conversation that an identity means.
    async fn find_conversation(&self, place: Place, identity: Tags)
    -> Result<Option<Conversation>>;

    /// Lists conversations.
    async fn list_conversations(
        &self,
        bot: BotId,
        filter: ConversationFilter,
        page: PageRequest,
    ) -> Result<Page<Conversation>>;

    /// Merges tags; this never fails for a collision of identities, and racing merges all survive.
    async fn update_conversation(
        &self,
        bot: BotId,
        id: ConversationId,
        tags: TagPatch,
        now: Timestamp,
    ) -> Result<Option<Conversation>>;

    /// Deletes it with all that belongs to it. Its identities are free at once. `false` if there
    /// was none.
    async fn delete_conversation(
        &self,
        bot: BotId,
        id: ConversationId,
        now: Timestamp,
    ) -> Result<bool>;

    /// Takes a conversation its identity, for good: no identity means it any more, so that its
    /// thread begins a new one. It keeps its tags, is read and listed as before, and what is sent in
    /// it still goes where its tags say. Doing it again changes nothing.
    async fn reset_conversation(
        &self,
        bot: BotId,
        id: ConversationId,
        now: Timestamp,
    ) -> Result<Option<Conversation>>;

    /// Gives it a new identity and keeps the old as an alias. `Busy` if the two that would be
    /// merged are both being delivered to the same place; try again shortly.
    async fn rekey_conversation(&self, command: Rekey) -> Result<Rekeyed>;

    /// Makes a user a participant; doing it again changes nothing. `None` if there is no such
    /// conversation; an unknown user is `ReferenceNotFound`.
    async fn add_participant(
        &self,
        bot: BotId,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<User>>;

    /// The user, if it takes part.
    async fn get_participant(
        &self,
        bot: BotId,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<User>>;

    /// The participants, in the order they joined. `None` if there is no such conversation.
    async fn list_participants(
        &self,
        bot: BotId,
        conversation: ConversationId,
        page: PageRequest,
    ) -> Result<Option<Page<User>>>;

    /// Ends a participation. `false` if there was none.
    async fn remove_participant(
        &self,
        bot: BotId,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<bool>;
}
