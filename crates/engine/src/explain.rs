//! What an update is and would become, without taking it.
//!
//! Promises: the same reading, translation and look-ups as [`Engine::ingest`] does, and no write. If
//! nothing else happens in between, an ingest does what was said here.

use serde::Serialize;
use switchboard_model::{ConversationId, Integration, MessageId, Result, Tags, UserId};
use switchboard_store::{About, InboundContent, Once, Place, Sender, Taken, Thread};

use crate::inbound::ID_TAG;
use crate::{Engine, Update, UpdateContent, View};

/// What an update is and would become. More fields may be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The external id of its thread; none if it belongs to no thread.
    pub key: Option<String>,
    /// The conversation it belongs to; none if it has none, or opens a new one.
    pub conversation_id: Option<ConversationId>,
    /// Its user; none if it has none, or a new one would be made.
    pub user_id: Option<UserId>,
    /// Whether it would open a conversation.
    pub created: bool,
    /// Why, in words.
    pub reasons: Vec<String>,
    /// The external id of its sender; none if it has none.
    pub sender: Option<String>,
    /// What the bot would be told: `message_created`, or the event's type.
    pub event: String,
    /// Whether it was taken before, so that nothing would be written.
    pub duplicate: bool,
}

impl Engine {
    /// Says what [`ingest`](Engine::ingest) would do with an update. The channel that has read it
    /// adds its own reasons before these.
    pub async fn explain(&self, integration: &Integration, update: Update) -> Result<Explanation> {
        let (key, sender) = names(&update);
        let view = View::integration(&integration.alias);
        let inbound = self.inbound(&view, update)?;
        let taken = match inbound.once {
            Some(once) => {
                self.store()
                    .find_taken(integration.bot, integration.id, once)
                    .await?
            }
            None => None,
        };
        let mut concerned = None;
        let (thread, author, event, opens) = match inbound.content {
            InboundContent::Message(message) => {
                let created = "message_created".to_owned();
                (Some(message.thread), Some(message.sender), created, true)
            }
            InboundContent::Event(event) => {
                concerned = Some((event.edit.map(|edit| edit.once), event.about));
                (event.thread, event.sender, event.kind, false)
            }
            InboundContent::Unmapped(kept) => (None, None, kept.kind, false),
        };
        let mut explained = Explanation {
            key,
            conversation_id: None,
            user_id: None,
            created: false,
            reasons: Vec::new(),
            sender,
            event,
            duplicate: taken.is_some(),
        };
        if let Some(taken) = taken {
            explained.was_taken(&taken);
            return Ok(explained);
        }
        let about = match concerned {
            Some((edit, about)) => self.concerned(integration, edit, about).await?,
            None => None,
        };
        if let Some((message, conversation)) = about {
            explained.conversation_id = Some(conversation);
            explained.because(format!("about a message: {message} is in {conversation}"));
        } else {
            self.place_of(integration, thread, opens, &mut explained)
                .await?;
        }
        self.author_of(integration, author, &mut explained).await?;
        Ok(explained)
    }

    /// The message that an event changes or is about, and its conversation.
    async fn concerned(
        &self,
        integration: &Integration,
        edit: Option<Once>,
        about: Option<About>,
    ) -> Result<Option<(MessageId, ConversationId)>> {
        let (bot, id) = (integration.bot, integration.id);
        if let Some(once) = edit
            && let Some(taken) = self.store().find_taken(bot, id, once).await?
            && let Some(found) = taken.message.zip(taken.conversation)
        {
            return Ok(Some(found));
        }
        let Some(about) = about else {
            return Ok(None);
        };
        let found = self.store().find_external_message(bot, id, about).await?;
        Ok(found.map(|(message, conversation)| (message, conversation.id)))
    }

    async fn place_of(
        &self,
        integration: &Integration,
        thread: Option<Thread>,
        opens: bool,
        explained: &mut Explanation,
    ) -> Result<()> {
        let Some(thread) = thread else {
            explained.because("no thread: it belongs to no conversation");
            return Ok(());
        };
        let place = Place {
            bot: integration.bot,
            integration: integration.id,
            channel: thread.channel,
        };
        let found = self
            .store()
            .find_conversation(place, thread.identity.clone())
            .await?;
        match found {
            Some(conversation) => {
                let id = conversation.id;
                explained.conversation_id = Some(id);
                if conversation.tags.contains(&thread.identity) {
                    explained.because(format!("known: {id} has this key"));
                } else {
                    let now = shown_id(integration, &conversation.tags);
                    explained.because(format!(
                        "alias: the key is an earlier name of {id}, which is {now} now"
                    ));
                }
            }
            None if opens => {
                explained.created = true;
                explained.because("new: no conversation has this key, so one would be made");
            }
            None => explained
                .because("no conversation: none has this key, and only what is said opens one"),
        }
        Ok(())
    }

    async fn author_of(
        &self,
        integration: &Integration,
        author: Option<Sender>,
        explained: &mut Explanation,
    ) -> Result<()> {
        let Some(author) = author else {
            explained.because("no sender: it belongs to no user");
            return Ok(());
        };
        let found = self
            .store()
            .find_user(integration.bot, Some(integration.id), author.identity)
            .await?;
        match found {
            Some(user) => {
                explained.user_id = Some(user.id);
                explained.because(format!("known sender: it is {}", user.id));
            }
            None => explained.because("new sender: no user has this id, so one would be made"),
        }
        Ok(())
    }
}

impl Explanation {
    fn because(&mut self, reason: impl Into<String>) {
        self.reasons.push(reason.into());
    }

    fn was_taken(&mut self, taken: &Taken) {
        self.conversation_id = taken.conversation;
        self.user_id = taken.user;
        let what = match (taken.message, taken.event) {
            (Some(message), _) => format!(" as {message}"),
            (None, Some(event)) => format!(" as {event}"),
            (None, None) => " and has been removed since".to_owned(),
        };
        self.because(format!(
            "redelivery: it was taken before{what}, so nothing would be written"
        ));
    }
}

fn names(update: &Update) -> (Option<String>, Option<String>) {
    match &update.content {
        UpdateContent::Message(message) => (
            Some(message.thread.id.clone()),
            Some(message.sender.id.clone()),
        ),
        UpdateContent::Event(event) => (
            event.thread.as_ref().map(|thread| thread.id.clone()),
            event.sender.as_ref().map(|sender| sender.id.clone()),
        ),
        UpdateContent::Unmapped(kept) => (kept.thread.clone(), None),
    }
}

fn shown_id(integration: &Integration, tags: &Tags) -> String {
    let view = View::integration(&integration.alias);
    tags.get(&view.stored_name(ID_TAG))
        .unwrap_or("nameless")
        .to_owned()
}
