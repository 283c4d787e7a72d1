//! What channels hand in: external updates, already read, in the integration's own names.

use switchboard_model::{ConversationId, Error, Integration, Json, Result, Tags, UserId};
use switchboard_store::{
    Batch, Inbound, InboundContent, InboundEdit, InboundEvent, InboundMessage, Ingested, Once,
    PollPosition, Sender, Thread, UnmappedUpdate,
};

use crate::chats::{ExternalMessage, ExternalNews, about};
use crate::{Engine, View, keys};

/// The name of the tag that holds an external id.
pub const ID_TAG: &str = "id";

/// One external update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// What it is recognised by when it comes again: parts that together name it within its
    /// integration, such as `["message", chat, message id]`. Empty: it is stored each time. If the last
    /// is a number that rises from one to the next, taking them costs less.
    pub once: Vec<String>,
    /// What it brings.
    pub content: UpdateContent,
}

/// What an external update brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateContent {
    /// Something said.
    Message(IncomingMessage),
    /// Anything else.
    Event(IncomingEvent),
    /// What no script could place: kept as an event, until [`Engine::remap`].
    Unmapped(UnplacedUpdate),
}

/// An update that no script could place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnplacedUpdate {
    /// The event's name, bare.
    pub kind: String,
    /// Its payload, which holds the update.
    pub payload: Json,
    /// The external id of its thread, if it names one.
    pub thread: Option<String>,
}

/// An external thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalThread {
    /// The channel within the integration.
    pub channel: String,
    /// Its external id: one conversation for each.
    pub id: String,
    /// More tags.
    pub tags: Tags,
    /// Tags that its conversation gets where it has none of their names.
    pub defaults: Tags,
    /// The conversation that it is, where a script has decided that.
    pub known: Option<ConversationId>,
}

/// An external user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalUser {
    /// Its external id: one user for each.
    pub id: String,
    /// More tags.
    pub tags: Tags,
    /// Its name as the channel shows it.
    pub name: Option<String>,
    /// The user that it is, where a script has decided that.
    pub known: Option<UserId>,
}

/// Something said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingMessage {
    /// Where.
    pub thread: ExternalThread,
    /// By whom.
    pub sender: ExternalUser,
    /// Its type.
    pub kind: String,
    /// Its content.
    pub payload: Json,
    /// Its tags.
    pub tags: Tags,
}

/// Anything else that a channel tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingEvent {
    /// Its name, bare; a bot sees `<alias>:<name>`.
    pub kind: String,
    /// Its payload.
    pub payload: Json,
    /// The thread it belongs to; it opens no conversation.
    pub thread: Option<ExternalThread>,
    /// Who caused it.
    pub sender: Option<ExternalUser>,
    /// The external id that the thread had until now, if this tells of a new one.
    pub moved_from: Option<String>,
    /// The message that this changes.
    pub edit: Option<IncomingEdit>,
    /// The message that this is about, where only the channel's names tell which. Where it is there,
    /// the event belongs to its conversation.
    pub about: Option<Box<ExternalMessage>>,
    /// Tags for the conversation of `thread`.
    pub tags: Tags,
    /// What this changes of a whole chat.
    pub news: Option<Box<ExternalNews>>,
}

/// A message changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingEdit {
    /// What it was recognised by when it came: its [`Update::once`].
    pub once: Vec<String>,
    /// When, in seconds since 1970: of two edits the later one stays, whichever comes first.
    pub at: Option<i64>,
    /// Its type from now on.
    pub kind: String,
    /// Its new content.
    pub payload: Json,
    /// Tags to merge.
    pub tags: Tags,
}

impl Engine {
    /// Takes updates in order, and the poll position with them, in one transaction.
    ///
    /// NUL in tags and names becomes U+FFFD and over-long tags (but not ids) are cut, so that no
    /// text from outside can make a channel's update bounce.
    pub async fn ingest(
        &self,
        integration: &Integration,
        updates: Vec<Update>,
        position: Option<PollPosition>,
    ) -> Result<Vec<Ingested>> {
        let view = View::integration(&integration.alias);
        let items = updates
            .into_iter()
            .map(|update| self.inbound(&view, update))
            .collect::<Result<_>>()?;
        self.store()
            .ingest(Batch {
                bot: integration.bot,
                integration: integration.id,
                items,
                position,
                now: self.env().now(),
            })
            .await
    }

    pub(crate) fn inbound(&self, view: &View, update: Update) -> Result<Inbound> {
        let content = match update.content {
            UpdateContent::Message(message) => InboundContent::Message(Box::new(InboundMessage {
                thread: self.thread(view, message.thread)?,
                sender: self.sender(view, message.sender)?,
                id: self.new_message_id(),
                kind: message.kind,
                payload: message.payload,
                tags: view.stored_tags(fit(message.tags)),
            })),
            UpdateContent::Event(event) => InboundContent::Event(Box::new(InboundEvent {
                kind: view.stored_name(&event.kind),
                payload: event.payload,
                thread: event
                    .thread
                    .map(|thread| self.thread(view, thread))
                    .transpose()?,
                sender: event
                    .sender
                    .map(|sender| self.sender(view, sender))
                    .transpose()?,
                moved_from: event
                    .moved_from
                    .map(|id| Ok::<_, Error>(identity(view, id, Tags::new())?.0))
                    .transpose()?,
                edit: event.edit.and_then(|edit| {
                    Some(InboundEdit {
                        once: once(&edit.once)?,
                        at: edit.at,
                        kind: edit.kind,
                        payload: edit.payload,
                        tags: view.stored_tags(fit(edit.tags)),
                    })
                }),
                about: event
                    .about
                    .map(|message| about(view, *message))
                    .transpose()?,
                tags: view.stored_tags(fit(event.tags)),
                news: event.news.map(|news| self.news(view, *news)).transpose()?,
            })),
            UpdateContent::Unmapped(kept) => InboundContent::Unmapped(Box::new(UnmappedUpdate {
                kind: view.stored_name(&kept.kind),
                payload: kept.payload,
                thread: kept.thread,
            })),
        };
        Ok(Inbound {
            once: once(&update.once),
            event: self.new_event_id(),
            delivery: self.new_delivery_id(),
            content,
        })
    }

    fn thread(&self, view: &View, thread: ExternalThread) -> Result<Thread> {
        let of_known = thread.known.map(|_| decided(view, thread.tags.clone()));
        let (identity, tags) = identity(view, thread.id, thread.tags)?;
        Ok(Thread {
            id: self.new_conversation_id(),
            channel: thread.channel,
            tags: of_known.unwrap_or(tags),
            defaults: view.stored_tags(fit(thread.defaults)),
            identity,
            known: thread.known,
        })
    }

    pub(crate) fn sender(&self, view: &View, sender: ExternalUser) -> Result<Sender> {
        let of_known = sender.known.map(|_| decided(view, sender.tags.clone()));
        let (identity, tags) = identity(view, sender.id, sender.tags)?;
        let name = sender
            .name
            .map(|name| fit_text(&name, 200))
            .filter(|name| !name.is_empty());
        Ok(Sender {
            id: self.new_user_id(),
            tags: of_known.unwrap_or(tags),
            identity,
            name,
            known: sender.known,
        })
    }
}

/// The identity of an integration's thread and all its tags, as the store keeps them.
pub fn stored_identity(integration: &Integration, thread: ExternalThread) -> Result<(Tags, Tags)> {
    identity(
        &View::integration(&integration.alias),
        thread.id,
        thread.tags,
    )
}

/// The identity `{id: external id}` and all tags, as stored.
pub(crate) fn identity(view: &View, id: String, tags: Tags) -> Result<(Tags, Tags)> {
    let identity = Tags::new().with(ID_TAG, id);
    identity.check().map_err(|tag| Error::tag("tags", &tag))?;
    let mut all = fit(tags);
    for (name, value) in identity.iter() {
        all.insert(name, value);
    }
    Ok((view.stored_tags(identity), view.stored_tags(all)))
}

/// What a script has decided on keeps the external id that the script gave it; an empty tag there
/// takes one away.
fn decided(view: &View, tags: Tags) -> Tags {
    let bare = tags
        .into_iter()
        .filter(|(name, _)| name != ID_TAG)
        .map(|(name, value)| (name, fit_text(&value, Tags::VALUE_LIMIT)))
        .collect();
    view.stored_tags(bare)
}

impl Engine {
    /// Whether an update was taken before: it would be a duplicate.
    pub async fn is_taken(&self, integration: &Integration, update: &Update) -> Result<bool> {
        let Some(once) = once(&update.once) else {
            return Ok(false);
        };
        let (bot, id) = (integration.bot, integration.id);
        Ok(self.store().find_taken(bot, id, once).await?.is_some())
    }
}

/// Within its integration: the store tells integrations apart.
pub(crate) fn once(parts: &[String]) -> Option<Once> {
    let last = parts.last()?;
    Some(Once {
        key: keys::key(parts.iter().map(String::as_bytes)),
        number: last.parse().ok(),
    })
}

pub(crate) fn fit(tags: Tags) -> Tags {
    tags.into_iter()
        .map(|(name, value)| (name, fit_text(&value, Tags::VALUE_LIMIT)))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

fn fit_text(text: &str, limit: usize) -> String {
    text.chars()
        .take(limit)
        .map(|c| if c == '\0' { '\u{fffd}' } else { c })
        .collect()
}
