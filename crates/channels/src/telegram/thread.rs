//! The spelling of Telegram's threads: which chat, topic and business connection a conversation
//! is, and where its answers go.
//!
//! Promises: one thread has one spelling, both ways. `docs/telegram.md` has the grammar's table.

use std::fmt;

use switchboard_engine::ExternalThread;
use switchboard_model::Tags;

use super::CHANNEL;
use super::types::{Chat, Message};

/// General, which is the chat itself: sending to a thread of this number fails.
const GENERAL: i64 = 1;

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

/// The tags of a conversation do not say where to send.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the conversation's tag {tag} is {value:?}; expected {expected}")]
pub(super) struct UnknownTarget {
    tag: &'static str,
    value: String,
    expected: &'static str,
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

    /// Where a conversation's messages go, by its tags as the integration sees them. Those that
    /// were made over HTTP may have the tag `id` only.
    pub(super) fn from_tags(tags: &Tags) -> Result<Self, UnknownTarget> {
        let mut thread = match (tags.get("chatId"), tags.get("id")) {
            (Some(chat), _) => Self::chat(number("chatId", chat)?),
            (None, Some(id)) => Self::parse(id).ok_or_else(|| UnknownTarget {
                tag: "id",
                value: id.to_owned(),
                expected: "a chat's number, or <chat>/<topic>",
            })?,
            (None, None) => {
                return Err(UnknownTarget {
                    tag: "id",
                    value: String::new(),
                    expected: "a chat's number, or <chat>/<topic>",
                });
            }
        };
        if let Some(topic) = tags.get("threadId") {
            thread.topic = Topic::forum(number("threadId", topic)?);
        }
        if let Some(topic) = tags.get("directMessagesTopicId") {
            thread.topic = Topic::Direct(number("directMessagesTopicId", topic)?);
        }
        if let Some(business) = tags.get("businessConnectionId") {
            thread.business = Some(business.to_owned());
        }
        Ok(thread)
    }

    /// Reads an external id.
    fn parse(id: &str) -> Option<Self> {
        let (business, place) = match id.strip_prefix("business:") {
            // The connection's id is opaque, the rest has a fixed number of slashes at most.
            Some(rest) => rest
                .split_once('/')
                .map(|(connection, place)| (Some(connection.to_owned()), place))?,
            None => (None, id),
        };
        let mut pieces = place.split('/');
        let chat = pieces.next()?.parse().ok()?;
        let topic = match (pieces.next(), pieces.next(), pieces.next()) {
            (None, ..) => Topic::None,
            (Some("direct"), Some(topic), None) => Topic::Direct(topic.parse().ok()?),
            (Some(topic), None, _) => Topic::forum(topic.parse().ok()?),
            _ => return None,
        };
        Some(Self {
            business,
            chat,
            topic,
        })
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
        if let Some(kind) = &chat.kind {
            tags.insert("chatType", kind);
        }
        if let Some(title) = &chat.title {
            tags.insert("chatTitle", title);
        }
        ExternalThread {
            channel: CHANNEL.to_owned(),
            id: self.to_string(),
            tags,
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

fn number(tag: &'static str, value: &str) -> Result<i64, UnknownTarget> {
    value.parse().map_err(|_| UnknownTarget {
        tag,
        value: value.to_owned(),
        expected: "a number",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threads() -> [Thread; 6] {
        let group = -1_002_100_000_001;
        [
            Thread::chat(501),
            Thread::chat(group),
            Thread {
                topic: Topic::Forum(42),
                ..Thread::chat(group)
            },
            Thread {
                topic: Topic::Direct(501),
                ..Thread::chat(group)
            },
            Thread {
                business: Some("abc-_".to_owned()),
                ..Thread::chat(501)
            },
            Thread {
                business: Some("abc".to_owned()),
                topic: Topic::Forum(7),
                ..Thread::chat(4_503_599_627_370_495)
            },
        ]
    }

    #[test]
    fn a_thread_reads_back_from_its_id_and_from_its_tags() {
        let chat: Chat = serde_json::from_str(r#"{"id":1,"type":"private"}"#).unwrap();
        let mut ids = std::collections::HashSet::new();
        for thread in threads() {
            let external = thread.external(&chat);
            let only_id = Tags::new().with("id", &external.id);
            assert_eq!(Thread::from_tags(&only_id), Ok(thread.clone()));
            let all = external.tags.with("id", &external.id);
            assert_eq!(Thread::from_tags(&all), Ok(thread.clone()));
            assert!(ids.insert(external.id), "two threads share {thread}");
        }
    }

    #[test]
    fn general_is_the_chat_itself() {
        let tags = Tags::from_iter([("id", "-100/1")]);
        assert_eq!(Thread::from_tags(&tags), Ok(Thread::chat(-100)));
    }

    #[test]
    fn tags_that_name_no_place_say_what_is_wrong() {
        for tags in [
            Tags::new(),
            Tags::from_iter([("id", "@news")]),
            Tags::from_iter([("id", "1/2/3")]),
            Tags::from_iter([("id", "1/direct")]),
            Tags::from_iter([("id", "business:x")]),
            Tags::from_iter([("chatId", "x"), ("id", "1")]),
            Tags::from_iter([("id", "1"), ("threadId", "General")]),
        ] {
            let error = Thread::from_tags(&tags).unwrap_err().to_string();
            assert!(error.contains("expected a"), "{error}");
        }
    }
}
