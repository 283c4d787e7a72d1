//! What an integration brings in through the API: a message with all that it belongs to, and
//! history.

use std::collections::HashSet;
use std::time::Duration;

use switchboard_model::{ConversationId, Direction, Error, Json, Result, Tags, Timestamp, UserId};
use switchboard_store::{
    GetOrCreateConversation, GetOrCreateUser, ImportMessages, ImportedMessage, InitialMessage,
    InitializeIncoming, NewMessage, SomeConversation, SomeUser,
};

use crate::conversations::ConversationInput;
use crate::users::UserInput;
use crate::wire::{WireConversation, WireMessage, WireUser};
use crate::{Caller, Engine, check};

/// The most messages of one import.
const IMPORT_LIMIT: usize = 100;
/// How far clocks may be apart: what was said is not younger than this.
const SKEW: Duration = Duration::from_mins(5);

/// Something by its id, or by what it is and the names of the tags that identify it.
#[derive(Debug, Clone)]
pub enum Named<I, T> {
    /// The one with this id.
    Id(I),
    /// The one that the tags of these names identify, made if need be.
    Tags(T, Vec<String>),
}

/// A message with all that it belongs to. Tags are named in the caller's view.
#[derive(Debug, Clone)]
pub struct InitialInput {
    /// By whom.
    pub user: Named<UserId, UserInput>,
    /// Where.
    pub conversation: Named<ConversationId, ConversationInput>,
    /// What, if anything.
    pub message: Option<Said>,
}

/// A message without its place and author.
#[derive(Debug, Clone)]
pub struct Said {
    /// Its type.
    pub kind: String,
    /// Its content.
    pub payload: Json,
    /// Its tags.
    pub tags: Tags,
    /// Whether a program says it in a person's name.
    pub synthetic: bool,
    /// The names of the tags that identify it in its conversation; if none, it is always new.
    pub by: Vec<String>,
}

/// A message that was said before. Tags are named in the caller's view.
#[derive(Debug, Clone)]
pub struct PastInput {
    /// Where.
    pub conversation: ConversationId,
    /// By whom.
    pub user: UserId,
    /// What.
    pub said: Said,
    /// When.
    pub said_at: Timestamp,
}

/// What an initialization has found or made.
#[derive(Debug, Clone)]
pub struct Initial {
    /// By whom.
    pub user: WireUser,
    /// Where.
    pub conversation: WireConversation,
    /// What.
    pub message: Option<WireMessage>,
}

impl Engine {
    /// Finds or makes user, conversation and message, and announces a new message to the bot.
    pub async fn initialize_incoming(
        &self,
        caller: &Caller,
        input: InitialInput,
    ) -> Result<Initial> {
        if caller.integration.is_none() {
            return Err(Error::Forbidden {
                reason: "only an integration brings messages in; send x-integration-id, or create \
                         the message as the bot"
                    .to_owned(),
            });
        }
        let message = match input.message {
            Some(said) => Some(self.initial_message(caller, said)?),
            None => None,
        };
        let command = InitializeIncoming {
            bot: caller.bot,
            user: self.some_user(caller, input.user).await?,
            conversation: self.some_conversation(caller, input.conversation).await?,
            message,
            delivery: self.new_delivery_id(),
            now: self.env().now(),
        };
        let done = self.store().initialize_incoming(command).await?;
        let view = caller.view();
        Ok(Initial {
            user: WireUser::new(&view, done.user.value),
            conversation: WireConversation::new(&view, done.conversation.value),
            message: done
                .message
                .map(|found| WireMessage::new(&view, caller.bot, found.value)),
        })
    }

    /// Stores messages that were said before, as far as they are not there yet. Nothing is handed
    /// on. Those of the bot's user are outgoing, all others incoming.
    pub async fn import_messages(
        &self,
        caller: &Caller,
        inputs: Vec<PastInput>,
    ) -> Result<Vec<WireMessage>> {
        if inputs.len() > IMPORT_LIMIT {
            return Err(Error::invalid(
                "messages",
                format!("expected at most {IMPORT_LIMIT}; import the rest in another call"),
            ));
        }
        let now = self.env().now();
        let (mut places, mut authors) = (HashSet::new(), HashSet::new());
        let mut messages = Vec::with_capacity(inputs.len());
        for (index, input) in inputs.into_iter().enumerate() {
            let at = |error| within(error, &format!("messages[{index}]."));
            if places.insert(input.conversation) {
                let place = Some(input.conversation);
                self.check_references(caller, place, None, None)
                    .await
                    .map_err(at)?;
            }
            if authors.insert(input.user) {
                let author = Some(input.user);
                self.check_references(caller, None, author, None)
                    .await
                    .map_err(at)?;
            }
            messages.push(self.past_message(caller, input, now).map_err(at)?);
        }
        let command = ImportMessages {
            bot: caller.bot,
            messages,
            now,
        };
        let done = self.store().import_messages(command).await?;
        let view = caller.view();
        Ok(done
            .into_iter()
            .map(|found| WireMessage::new(&view, caller.bot, found.value))
            .collect())
    }

    fn past_message(
        &self,
        caller: &Caller,
        input: PastInput,
        now: Timestamp,
    ) -> Result<ImportedMessage> {
        if input.said_at > now.plus(SKEW) {
            return Err(Error::invalid(
                "createdAt",
                "expected a time that is past; schedule a message to say it later",
            ));
        }
        // What lies before the epoch reads as the epoch.
        if input.said_at.as_millis() == 0 {
            return Err(Error::invalid(
                "createdAt",
                "expected a time after 1970-01-01T00:00:00Z",
            ));
        }
        let message = self.initial_message(caller, input.said)?;
        Ok(ImportedMessage {
            message: NewMessage {
                id: message.id,
                conversation: input.conversation,
                user: input.user,
                direction: if caller.is_bot(input.user) {
                    Direction::Outgoing
                } else {
                    Direction::Incoming
                },
                kind: message.kind,
                payload: message.payload,
                tags: message.tags,
                synthetic: message.synthetic,
            },
            identity: message.identity,
            said_at: input.said_at,
        })
    }

    fn initial_message(&self, caller: &Caller, said: Said) -> Result<InitialMessage> {
        check::name("type", &said.kind)?;
        check::payload(&said.payload)?;
        let tags = check::new_tags(caller, said.tags)?;
        let identity = match said.by.as_slice() {
            [] => Tags::new(),
            by => check::identity(caller, &tags, Some(by))?,
        };
        Ok(InitialMessage {
            id: self.new_message_id(),
            kind: said.kind,
            payload: said.payload,
            tags,
            synthetic: said.synthetic,
            identity,
        })
    }

    async fn some_user(&self, caller: &Caller, user: Named<UserId, UserInput>) -> Result<SomeUser> {
        match user {
            Named::Id(id) if caller.is_bot(id) => Err(Error::invalid(
                "userId",
                "expected a user of the channel: an integration does not speak for the bot",
            )),
            Named::Id(id) => {
                let author = Some(id);
                self.check_references(caller, None, author, None).await?;
                Ok(SomeUser::Known(id))
            }
            Named::Tags(input, by) => {
                let at = |error| within(error, "user.");
                let user = self.new_user(caller, input).await.map_err(at)?;
                let identity = check::identity(caller, &user.tags, Some(&by)).map_err(at)?;
                Ok(SomeUser::Meant(Box::new(GetOrCreateUser {
                    user,
                    identity,
                })))
            }
        }
    }

    async fn some_conversation(
        &self,
        caller: &Caller,
        conversation: Named<ConversationId, ConversationInput>,
    ) -> Result<SomeConversation> {
        match conversation {
            Named::Id(id) => {
                let place = Some(id);
                self.check_references(caller, place, None, None).await?;
                Ok(SomeConversation::Known(id))
            }
            Named::Tags(input, by) => {
                let at = |error| within(error, "conversation.");
                let meant = self.meant(caller, input, Some(&by)).await.map_err(at)?;
                Ok(SomeConversation::Meant(Box::new(meant)))
            }
        }
    }

    /// The get-or-create of a conversation.
    pub(crate) async fn meant(
        &self,
        caller: &Caller,
        input: ConversationInput,
        by: Option<&[String]>,
    ) -> Result<GetOrCreateConversation> {
        let tags = check::new_tags(caller, input.tags)?;
        Ok(GetOrCreateConversation {
            id: self.new_conversation_id(),
            identity: check::identity(caller, &tags, by)?,
            place: self
                .place(caller, input.channel, &tags, input.integration.as_deref())
                .await?,
            tags,
            participants: Vec::new(),
            now: self.env().now(),
        })
    }
}

/// An error about a field of a part, as one of the whole.
fn within(error: Error, part: &str) -> Error {
    match error {
        Error::InvalidPayload { field, expected } => Error::InvalidPayload {
            field: format!("{part}{field}"),
            expected,
        },
        Error::ReferenceNotFound { field, kind, id } => Error::ReferenceNotFound {
            field: format!("{part}{field}"),
            kind,
            id,
        },
        other => other,
    }
}
