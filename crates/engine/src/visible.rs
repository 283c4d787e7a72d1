//! What a caller may see within its bot: a bot everything, an integration its own.
//!
//! The integration of a conversation, user or message never changes, so that a look before a
//! command cannot be overtaken. For a bot there is no look: the store's scope is enough.

use switchboard_model::{
    ConversationId, Error, Event, EventId, Integration, Kind, Message, MessageId, Result, User,
    UserId,
};

use crate::{Caller, Engine};

impl Caller {
    pub(crate) fn sees_user(&self, user: &User) -> bool {
        self.integration_id()
            .is_none_or(|own| user.integration == Some(own) || self.is_bot(user.id))
    }

    /// Whether it is the user that stands for the bot. Integrations see it: it writes to them.
    pub(crate) fn is_bot(&self, user: UserId) -> bool {
        user == UserId::from(self.bot)
    }

    /// An integration sees the events it made itself; what is announced of its messages it knows.
    pub(crate) fn sees_event(&self, event: &Event) -> bool {
        self.view().shown_name(&event.kind).is_some()
    }
}

impl Engine {
    pub(crate) async fn sees_conversation(
        &self,
        caller: &Caller,
        id: ConversationId,
    ) -> Result<bool> {
        let Some(own) = caller.integration_id() else {
            return Ok(true);
        };
        let found = self.store().get_conversation(caller.bot, id).await?;
        Ok(found.is_some_and(|conversation| conversation.integration == own))
    }

    pub(crate) async fn sees_user(&self, caller: &Caller, id: UserId) -> Result<bool> {
        if caller.integration.is_none() || caller.is_bot(id) {
            return Ok(true);
        }
        let found = self.store().get_user(caller.bot, id).await?;
        Ok(found.is_some_and(|user| caller.sees_user(&user)))
    }

    pub(crate) async fn sees_message(&self, caller: &Caller, id: MessageId) -> Result<bool> {
        if caller.integration.is_none() {
            return Ok(true);
        }
        Ok(self.seen_message(caller, id).await?.is_some())
    }

    /// The message, if it can be seen.
    pub(crate) async fn seen_message(
        &self,
        caller: &Caller,
        id: MessageId,
    ) -> Result<Option<Message>> {
        let Some(message) = self.store().get_message(caller.bot, id).await? else {
            return Ok(None);
        };
        let seen = self.sees_conversation(caller, message.conversation).await?;
        Ok(seen.then_some(message))
    }

    /// The event, if it can be seen.
    pub(crate) async fn seen_event(&self, caller: &Caller, id: EventId) -> Result<Option<Event>> {
        let found = self.store().get_event(caller.bot, id).await?;
        Ok(found.filter(|event| caller.sees_event(event)))
    }

    /// Not found, unless the conversation can be seen.
    pub(crate) async fn check_conversation(
        &self,
        caller: &Caller,
        id: ConversationId,
    ) -> Result<()> {
        if self.sees_conversation(caller, id).await? {
            return Ok(());
        }
        Err(Error::not_found(Kind::Conversation, id))
    }

    /// A conversation, user or message that a body names must be one that can be seen.
    pub(crate) async fn check_references(
        &self,
        caller: &Caller,
        conversation: Option<ConversationId>,
        user: Option<UserId>,
        message: Option<MessageId>,
    ) -> Result<()> {
        if let Some(id) = conversation
            && !self.sees_conversation(caller, id).await?
        {
            return Err(Error::reference("conversationId", Kind::Conversation, id));
        }
        if let Some(id) = user
            && !self.sees_user(caller, id).await?
        {
            return Err(Error::reference("userId", Kind::User, id));
        }
        if let Some(id) = message
            && !self.sees_message(caller, id).await?
        {
            return Err(Error::reference("messageId", Kind::Message, id));
        }
        Ok(())
    }
}

/// The prefix of an integration's event types.
pub(crate) fn event_prefix(integration: &Integration) -> String {
    format!("{}:", integration.alias)
}
