//! Operations on messages.

use switchboard_model::{
    ConversationId, DeliveryId, Direction, Error, IntegrationId, Json, Kind, MessageId, Result,
    Tags, Timestamp, UserId,
};
use switchboard_store::{
    Discriminate, Found, Idempotency, Key, MessageFilter, MessageUpdate, NewMessage, Page,
    PageRequest, PostMessage, Posted,
};

use crate::wire::WireMessage;
use crate::{Caller, Engine, Schedule, check, keys};

/// The longest idempotency key, in characters.
const KEY_LIMIT: usize = 255;

/// A message that a caller posts. Tags are named in the caller's view.
#[derive(Debug, Clone)]
pub struct MessageInput {
    /// Where.
    pub conversation: ConversationId,
    /// Who says it.
    pub user: UserId,
    /// Its type.
    pub kind: String,
    /// Its content.
    pub payload: Json,
    /// Its tags.
    pub tags: Tags,
    /// Whether a program says it in a person's name.
    pub synthetic: bool,
    /// When it is handed on, if not at once.
    pub schedule: Option<Schedule>,
}

/// A key that a caller made up, so that a repeated post does not say the same twice.
#[derive(Debug, Clone)]
pub struct PostKey {
    /// The key.
    pub key: String,
    /// The digest of the whole request.
    pub request: Key,
}

/// Which messages a caller asks for.
#[derive(Debug, Clone, Default)]
pub struct MessageQuery {
    /// Of this conversation.
    pub conversation: Option<ConversationId>,
    /// With each of these tags, in the caller's view.
    pub tags: Tags,
    /// Stored at this time or later.
    pub after: Option<Timestamp>,
    /// Stored at this time or earlier.
    pub before: Option<Timestamp>,
}

impl Engine {
    /// Stores a message and hands it on: a bot's to the channel, an integration's to the bot.
    pub async fn create_message(
        &self,
        caller: &Caller,
        input: MessageInput,
        key: Option<&PostKey>,
    ) -> Result<WireMessage> {
        let discriminate = match key {
            None => Discriminate::Never,
            Some(key) => Discriminate::ByKey(idempotency(caller, key)?),
        };
        let tags = check::new_tags(caller, input.tags.clone())?;
        let found = self.post(caller, input, tags, discriminate).await?;
        Ok(found.value)
    }

    /// Finds the message of this conversation that the tags named by `by` (or all) identify, or
    /// stores it and hands it on.
    pub async fn get_or_create_message(
        &self,
        caller: &Caller,
        input: MessageInput,
        by: Option<&[String]>,
    ) -> Result<Found<WireMessage>> {
        let tags = check::new_tags(caller, input.tags.clone())?;
        let identity = check::identity(caller, &tags, by)?;
        self.post(caller, input, tags, Discriminate::ByTags(identity))
            .await
    }

    /// The message.
    pub async fn get_message(&self, caller: &Caller, id: MessageId) -> Result<WireMessage> {
        self.seen_message(caller, id)
            .await?
            .map(|message| WireMessage::new(&caller.view(), caller.bot, message))
            .ok_or_else(|| Error::not_found(Kind::Message, id))
    }

    /// Lists messages, newest first.
    pub async fn list_messages(
        &self,
        caller: &Caller,
        query: MessageQuery,
        page: PageRequest,
    ) -> Result<Page<WireMessage>> {
        let filter = MessageFilter {
            conversation: query.conversation,
            tags: check::tag_filter(caller, query.tags)?,
            after: query.after,
            before: query.before,
            integration: caller.integration_id(),
        };
        let found = self.store().list_messages(caller.bot, filter, page).await?;
        let view = caller.view();
        Ok(found.map(|message| WireMessage::new(&view, caller.bot, message)))
    }

    /// Merges tags and replaces the payload. Where the bot changes what it has sent, the channel is
    /// told.
    pub async fn update_message(
        &self,
        caller: &Caller,
        id: MessageId,
        tags: Tags,
        payload: Option<Json>,
    ) -> Result<WireMessage> {
        let tags = check::patch(caller, tags)?;
        if let Some(payload) = &payload {
            check::payload(payload)?;
        }
        if !self.sees_message(caller, id).await? {
            return Err(Error::not_found(Kind::Message, id));
        }
        let update = MessageUpdate {
            tags,
            payload,
            delivery: self.told_by(caller),
        };
        self.store()
            .update_message(caller.bot, id, update, self.env().now())
            .await?
            .map(|message| WireMessage::new(&caller.view(), caller.bot, message))
            .ok_or_else(|| Error::not_found(Kind::Message, id))
    }

    /// Deletes the message; in its channel too, if the bot sent it and deletes it.
    pub async fn delete_message(&self, caller: &Caller, id: MessageId) -> Result<()> {
        let now = self.env().now();
        if self.sees_message(caller, id).await?
            && self
                .store()
                .delete_message(caller.bot, id, self.told_by(caller), now)
                .await?
        {
            return Ok(());
        }
        Err(Error::not_found(Kind::Message, id))
    }

    /// The id of the delivery that tells a channel of a caller's change. An integration knows of its
    /// own.
    fn told_by(&self, caller: &Caller) -> Option<DeliveryId> {
        caller.integration.is_none().then(|| self.new_delivery_id())
    }

    async fn post(
        &self,
        caller: &Caller,
        input: MessageInput,
        tags: Tags,
        discriminate: Discriminate,
    ) -> Result<Found<WireMessage>> {
        check::name("type", &input.kind)?;
        check::payload(&input.payload)?;
        let direction = match caller.integration {
            None => Direction::Outgoing,
            Some(_) if caller.is_bot(input.user) => {
                return Err(Error::invalid(
                    "userId",
                    "expected a user of the channel: an integration does not speak for the bot",
                ));
            }
            Some(_) => Direction::Incoming,
        };
        self.check_references(caller, Some(input.conversation), Some(input.user), None)
            .await?;
        let now = self.env().now();
        let command = PostMessage {
            bot: caller.bot,
            message: NewMessage {
                id: self.new_message_id(),
                conversation: input.conversation,
                user: input.user,
                direction,
                kind: input.kind,
                payload: input.payload,
                tags,
                synthetic: input.synthetic,
            },
            discriminate,
            delivery: self.new_delivery_id(),
            due: input.schedule.map(|schedule| schedule.due(now)),
            now,
        };
        match self.store().post_message(command).await? {
            Posted::Stored(found) => Ok(Found {
                value: WireMessage::new(&caller.view(), caller.bot, found.value),
                created: found.created,
            }),
            Posted::KeyReused => Err(Error::AlreadyExists {
                field: "Idempotency-Key".to_owned(),
                reason: "this key was used for another request; make up a new one for each message"
                    .to_owned(),
            }),
            Posted::Deleted(id) => Err(Error::AlreadyExists {
                field: "Idempotency-Key".to_owned(),
                reason: format!(
                    "{id}, which this key made, was deleted; make up a new key to say it again"
                ),
            }),
        }
    }
}

/// Keys of a bot and of each of its integrations are apart, as their messages are.
fn idempotency(caller: &Caller, key: &PostKey) -> Result<Idempotency> {
    if key.key.is_empty() {
        return Err(Error::invalid("Idempotency-Key", "expected a text"));
    }
    check::limit("Idempotency-Key", &key.key, KEY_LIMIT)?;
    let speaker = caller
        .integration_id()
        .map_or(caller.bot.to_bytes(), IntegrationId::to_bytes);
    Ok(Idempotency {
        key: keys::key([speaker.as_slice(), key.key.as_bytes()]),
        request: key.request,
    })
}
