//! What channels tell of a chat as a whole, and of messages without saying where they are.

use switchboard_model::{Conversation, ConversationId, Integration, MessageId, Result, Tags};
use switchboard_store::{About, Chat, ChatNews, Joined};

use crate::inbound::{ID_TAG, fit, identity, once};
use crate::{Engine, ExternalUser, View};

/// An external chat, which may be several threads: itself, and its topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalChat {
    /// The channel within the integration.
    pub channel: String,
    /// The external id of its own thread.
    pub id: String,
    /// The tag that all its threads have, name and value.
    pub tag: (String, String),
    /// Names of tags that none of its threads has.
    pub without: Vec<String>,
}

/// An external message whose thread is not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalMessage {
    /// What it was recognised by, should it have come in: its [`Update::once`](crate::Update::once).
    pub once: Vec<String>,
    /// Its chat.
    pub chat: ExternalChat,
    /// Its external id, should it have gone out: the tag `id`, or one of those in the tag `ids`.
    pub id: String,
}

/// Somebody who is in a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalMember {
    /// Who.
    pub who: ExternalUser,
    /// The conversation that a script gives for them, if one decides; else it is the chat's own.
    pub into: Option<ConversationId>,
}

impl From<ExternalUser> for ExternalMember {
    fn from(who: ExternalUser) -> Self {
        Self { who, into: None }
    }
}

/// What is told of a chat as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalNews {
    /// The chat.
    pub chat: ExternalChat,
    /// Tags for the conversations of all its threads.
    pub tags: Tags,
    /// Who is in it now, and so takes part.
    pub joined: Vec<ExternalMember>,
    /// Who is not.
    pub left: Vec<ExternalUser>,
    /// Whether a script decides what its conversations are.
    pub decided: bool,
    /// When, in seconds since 1970: an older word on a person than the last changes nothing.
    pub at: i64,
    /// The tag of messages that says when they were said, likewise: who spoke after leaving is there.
    pub said_at: String,
}

impl Engine {
    /// The message that a channel calls so, and its conversation as the integration sees it.
    pub async fn find_external_message(
        &self,
        integration: &Integration,
        message: ExternalMessage,
    ) -> Result<Option<(MessageId, Conversation)>> {
        let view = View::integration(&integration.alias);
        let about = about(&view, message)?;
        let (bot, id) = (integration.bot, integration.id);
        let found = self.store().find_external_message(bot, id, about).await?;
        Ok(found.map(|(message, conversation)| (message, view.conversation(conversation))))
    }

    pub(crate) fn news(&self, view: &View, news: ExternalNews) -> Result<ChatNews> {
        let joined = news.joined.into_iter();
        let left = news.left.into_iter();
        Ok(ChatNews {
            chat: chat(view, news.chat)?,
            tags: view.stored_tags(fit(news.tags)),
            joined: joined
                .map(|member| {
                    Ok(Joined {
                        who: self.sender(view, member.who)?,
                        into: member.into,
                    })
                })
                .collect::<Result<_>>()?,
            left: left
                .map(|who| self.sender(view, who))
                .collect::<Result<_>>()?,
            decided: news.decided,
            at: news.at,
            said_at: view.stored_name(&news.said_at),
        })
    }
}

/// A message that is named without its conversation, as the store looks for it.
pub(crate) fn about(view: &View, message: ExternalMessage) -> Result<About> {
    Ok(About {
        once: once(&message.once),
        chat: chat(view, message.chat)?,
        message: (view.stored_name(ID_TAG), message.id),
    })
}

fn chat(view: &View, chat: ExternalChat) -> Result<Chat> {
    let (name, value) = chat.tag;
    let without = chat.without.iter();
    Ok(Chat {
        channel: chat.channel,
        identity: identity(view, chat.id, Tags::new())?.0,
        tag: (view.stored_name(&name), value),
        without: without.map(|name| view.stored_name(name)).collect(),
    })
}
