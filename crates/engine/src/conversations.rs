//! Operations on conversations and their participants.

use switchboard_model::{ConversationId, Error, Kind, Result, Tags, Timestamp, UserId};
use switchboard_store::{
    ConversationFilter, CreateConversation, Created, Found, Page, PageRequest, Place, SortField,
    SortOrder,
};

use crate::wire::{self, WireConversation, WireUser};
use crate::{Caller, Engine, check};

/// A conversation that a caller asks for. Tags are named in the caller's view.
#[derive(Debug, Clone, Default)]
pub struct ConversationInput {
    /// The channel within the integration.
    pub channel: String,
    /// Its tags.
    pub tags: Tags,
    /// The alias or platform of the integration, if a bot asks.
    pub integration: Option<String>,
}

/// Which conversations a caller asks for.
#[derive(Debug, Clone, Default)]
pub struct ConversationQuery {
    /// With each of these tags, in the caller's view.
    pub tags: Tags,
    /// Of the integration of this alias or platform.
    pub integration: Option<String>,
    /// Of this channel.
    pub channel: Option<String>,
    /// With each of these users taking part.
    pub participants: Vec<UserId>,
    /// Made at this time or later.
    pub after: Option<Timestamp>,
    /// Made at this time or earlier.
    pub before: Option<Timestamp>,
    /// With at least so many messages.
    pub min_messages: Option<u32>,
    /// With at most so many messages.
    pub max_messages: Option<u32>,
    /// Sorted by.
    pub sort: SortField,
    /// In this order.
    pub order: SortOrder,
}

impl Engine {
    /// Makes a conversation, always.
    pub async fn create_conversation(
        &self,
        caller: &Caller,
        input: ConversationInput,
    ) -> Result<WireConversation> {
        let tags = check::new_tags(caller, input.tags)?;
        let command = CreateConversation {
            id: self.new_conversation_id(),
            place: self
                .place(caller, input.channel, &tags, input.integration.as_deref())
                .await?,
            tags,
            unless: None,
            participants: Vec::new(),
            now: self.env().now(),
        };
        match self.store().create_conversation(command).await? {
            Created::Created(conversation) => {
                Ok(WireConversation::new(&caller.view(), conversation))
            }
            Created::Exists(id) => Err(Error::internal(format!(
                "{id} stood in the way of a conversation that nothing identifies"
            ))),
        }
    }

    /// Finds or makes the conversation that the tags named by `by` (or all) identify.
    pub async fn get_or_create_conversation(
        &self,
        caller: &Caller,
        input: ConversationInput,
        by: Option<&[String]>,
    ) -> Result<Found<WireConversation>> {
        let command = self.meant(caller, input, by).await?;
        let found = self.store().get_or_create_conversation(command).await?;
        Ok(Found {
            value: WireConversation::new(&caller.view(), found.value),
            created: found.created,
        })
    }

    /// The conversation.
    pub async fn get_conversation(
        &self,
        caller: &Caller,
        id: ConversationId,
    ) -> Result<WireConversation> {
        self.store()
            .get_conversation(caller.bot, id)
            .await?
            .filter(|found| {
                caller
                    .integration_id()
                    .is_none_or(|own| found.integration == own)
            })
            .map(|conversation| WireConversation::new(&caller.view(), conversation))
            .ok_or_else(|| Error::not_found(Kind::Conversation, id))
    }

    /// Lists conversations.
    pub async fn list_conversations(
        &self,
        caller: &Caller,
        query: ConversationQuery,
        page: PageRequest,
    ) -> Result<Page<WireConversation>> {
        let mut integration = caller.integration_id();
        if let Some(name) = query.integration {
            integration = self.integration_named(caller, &name).await?;
            if integration.is_none() {
                return Ok(Page::empty());
            }
        }
        let filter = ConversationFilter {
            tags: check::tag_filter(caller, query.tags)?,
            integration,
            channel: query.channel,
            participants: query.participants,
            after: query.after,
            before: query.before,
            min_messages: query.min_messages,
            max_messages: query.max_messages,
            sort: query.sort,
            order: query.order,
        };
        let found = self
            .store()
            .list_conversations(caller.bot, filter, page)
            .await?;
        let view = caller.view();
        Ok(found.map(|conversation| WireConversation::new(&view, conversation)))
    }

    /// Merges tags into the conversation.
    pub async fn update_conversation(
        &self,
        caller: &Caller,
        id: ConversationId,
        tags: Tags,
    ) -> Result<WireConversation> {
        let tags = check::patch(caller, tags)?;
        self.check_conversation(caller, id).await?;
        self.store()
            .update_conversation(caller.bot, id, tags, self.env().now())
            .await?
            .map(|conversation| WireConversation::new(&caller.view(), conversation))
            .ok_or_else(|| Error::not_found(Kind::Conversation, id))
    }

    /// Deletes the conversation with all that belongs to it.
    pub async fn delete_conversation(&self, caller: &Caller, id: ConversationId) -> Result<()> {
        self.check_conversation(caller, id).await?;
        let now = self.env().now();
        if self
            .store()
            .delete_conversation(caller.bot, id, now)
            .await?
        {
            return Ok(());
        }
        Err(Error::not_found(Kind::Conversation, id))
    }

    /// Makes a user a participant.
    pub async fn add_participant(
        &self,
        caller: &Caller,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<WireUser> {
        self.check_conversation(caller, conversation).await?;
        self.check_references(caller, None, Some(user), None)
            .await?;
        self.store()
            .add_participant(caller.bot, conversation, user)
            .await?
            .map(|user| WireUser::new(&caller.view(), user))
            .ok_or_else(|| Error::not_found(Kind::Conversation, conversation))
    }

    /// The user, if it takes part. Whoever sees a conversation sees all who take part in it.
    pub async fn get_participant(
        &self,
        caller: &Caller,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<WireUser> {
        self.check_conversation(caller, conversation).await?;
        self.store()
            .get_participant(caller.bot, conversation, user)
            .await?
            .map(|user| WireUser::new(&caller.view(), user))
            .ok_or_else(|| not_a_participant(caller, user))
    }

    /// The participants, in the order they joined.
    pub async fn list_participants(
        &self,
        caller: &Caller,
        conversation: ConversationId,
        page: PageRequest,
    ) -> Result<Page<WireUser>> {
        self.check_conversation(caller, conversation).await?;
        let view = caller.view();
        self.store()
            .list_participants(caller.bot, conversation, page)
            .await?
            .map(|page| page.map(|user| WireUser::new(&view, user)))
            .ok_or_else(|| Error::not_found(Kind::Conversation, conversation))
    }

    /// Ends a participation.
    pub async fn remove_participant(
        &self,
        caller: &Caller,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<()> {
        self.check_conversation(caller, conversation).await?;
        if self
            .store()
            .remove_participant(caller.bot, conversation, user)
            .await?
        {
            return Ok(());
        }
        Err(not_a_participant(caller, user))
    }

    pub(crate) async fn place(
        &self,
        caller: &Caller,
        channel: String,
        tags: &Tags,
        integration: Option<&str>,
    ) -> Result<Place> {
        check::name("channel", &channel)?;
        Ok(Place {
            bot: caller.bot,
            integration: self
                .integration_of(caller, integration, tags, &channel)
                .await?,
            channel,
        })
    }
}

fn not_a_participant(caller: &Caller, user: UserId) -> Error {
    Error::not_found(Kind::Participant, wire::user_id(caller.bot, user))
}
