//! The spelling of Telegram's threads: which chat, topic and business connection a conversation
//! is.
//!
//! Promises: one thread has one spelling, which `target.rs` reads back. `docs/telegram.md` has the
//! grammar's table.

use std::fmt;

use switchboard_engine::ExternalThread;
use switchboard_model::Tags;

use super::CHANNEL;
use super::types::{Chat, Message};

/// General, which is the chat itself: sending to a thread of this number fails.
pub(super) const GENERAL: i64 = 1;

/// A thread of Telegram's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Thread {
    /// The business connection through which the bot sees the chat; then it is another thread
    /// than the bot's own chat of the same id.
    pub(super) business: Option<String>,
    /// The chat.
    pub(super) chat: i64,
    /// The topic in it.
    pub(super) topic: Topic,
}

/// A part of a chat with readers of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    /// The chat itself.
    None,
    /// A forum topic, or a topic in a private chat.
    Forum(i64),
    /// One person's direct messages to a channel.
    Direct(i64),
}

impl Thread {
    /// The chat itself.
    pub(super) fn chat(chat: i64) -> Self {
        Self {
            business: None,
            chat,
            topic: Topic::None,
        }
    }

    /// Where a message belongs.
    pub(super) fn of(message: &Message) -> Self {
        let topic = match (message.direct_messages_topic, message.message_thread_id) {
            (Some(direct), _) => Topic::Direct(direct.topic_id),
            // The number alone may be that of a chain of replies.
            (None, Some(id)) if message.is_topic_message == Some(true) => Topic::forum(id),
            _ => Topic::None,
        };
        Self {
            business: message.business_connection_id.clone(),
            chat: message.chat.id,
            topic,
        }
    }

    /// The chat that a group has become, as the engine takes it.
    pub(super) fn supergroup(chat: i64) -> ExternalThread {
        let tags = Tags::new()
            .with("chatId", chat.to_string())
            .with("chatType", "supergroup");
        ExternalThread {
            channel: CHANNEL.to_owned(),
            id: Self::chat(chat).to_string(),
            known: None,
            tags,
            defaults: Tags::new(),
        }
    }

    /// The same with General as the chat itself.
    pub(super) fn settled(self) -> Self {
        let topic = match self.topic {
            Topic::Forum(id) => Topic::forum(id),
            topic => topic,
        };
        Self { topic, ..self }
    }

    /// As the engine takes it, with the parts as tags of their own, so that a bot can read them and
    /// an answer finds its way.
    pub(super) fn external(&self, chat: &Chat) -> ExternalThread {
        let mut tags = Tags::new().with("chatId", self.chat.to_string());
        match self.topic {
            Topic::None => {}
            Topic::Forum(topic) => tags.insert("threadId", topic.to_string()),
            Topic::Direct(topic) => tags.insert("directMessagesTopicId", topic.to_string()),
        }
        if let Some(business) = &self.business {
            tags.insert("businessConnectionId", business);
        }
        describe(chat, &mut tags);
        ExternalThread {
            known: None,
            channel: CHANNEL.to_owned(),
            id: self.to_string(),
            tags,
            defaults: Tags::new(),
        }
    }
}

impl fmt::Display for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(business) = &self.business {
            write!(f, "business:{business}/")?;
        }
        write!(f, "{}", self.chat)?;
        match self.topic {
            Topic::None => Ok(()),
            Topic::Forum(topic) => write!(f, "/{topic}"),
            Topic::Direct(topic) => write!(f, "/direct/{topic}"),
        }
    }
}

impl Topic {
    /// The forum topic of this number.
    pub(super) const fn forum(id: i64) -> Self {
        if id == GENERAL {
            Self::None
        } else {
            Self::Forum(id)
        }
    }
}
/// What a chat is and is called.
pub(super) fn describe(chat: &Chat, tags: &mut Tags) {
    if let Some(kind) = &chat.kind {
        tags.insert("chatType", kind);
    }
    if let Some(title) = &chat.title {
        tags.insert("chatTitle", title);
    }
}
