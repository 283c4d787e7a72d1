//! The little of the Bot API's objects (<https://core.telegram.org/bots/api>) that we read.
//!
//! What decides where something belongs and who said it is read strictly: if it has another shape
//! than documented, the whole object does not read, and the update is kept raw. All else is
//! lenient. Ids are 64 bits wide.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::lenient::lenient;

/// `Chat`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Chat {
    pub(super) id: i64,
    #[serde(default, rename = "type", deserialize_with = "lenient")]
    pub(super) kind: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) title: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) username: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) first_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) last_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) is_forum: Option<bool>,
    /// Whether it is the direct messages of a channel.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) is_direct_messages: Option<bool>,
}

/// `User`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Person {
    pub(super) id: i64,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) is_bot: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) first_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) last_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) username: Option<String>,
}

/// `Message`, and `InaccessibleMessage`, which has only its first two fields.
#[derive(Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "they are Telegram's names")]
pub(super) struct Message {
    pub(super) chat: Chat,
    pub(super) message_id: i64,
    pub(super) from: Option<Person>,
    pub(super) sender_chat: Option<Chat>,
    /// Another bot, or this one, that spoke for the business account.
    pub(super) sender_business_bot: Option<IgnoredAny>,
    pub(super) business_connection_id: Option<String>,
    pub(super) message_thread_id: Option<i64>,
    pub(super) is_topic_message: Option<bool>,
    pub(super) direct_messages_topic: Option<DirectMessagesTopic>,
    /// Of a guest message: by which it is answered.
    pub(super) guest_query_id: Option<String>,
    /// Only one person and the bot see it.
    pub(super) ephemeral_message_id: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) date: Option<i64>,
    /// The supergroup that this group becomes.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) migrate_to_chat_id: Option<i64>,
    /// The group that this supergroup was.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) migrate_from_chat_id: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) edit_date: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) is_automatic_forward: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) reply_to_message: Option<RepliedMessage>,
}

/// `DirectMessagesTopic`.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct DirectMessagesTopic {
    pub(super) topic_id: i64,
}

/// Of a message that is answered to, its number; and what it made, if it made a topic.
#[derive(Debug, Deserialize)]
pub(super) struct RepliedMessage {
    pub(super) message_id: i64,
    #[serde(default, deserialize_with = "lenient")]
    forum_topic_created: Option<TopicCreated>,
}

/// `ForumTopicCreated`.
#[derive(Debug, Deserialize)]
struct TopicCreated {
    name: String,
}

impl Message {
    /// The number of the message that it answers.
    pub(super) fn answers(&self) -> Option<i64> {
        let replied = self.reply_to_message.as_ref()?;
        (!self.answers_topic(replied)).then_some(replied.message_id)
    }

    /// What its topic was called when it was made.
    pub(super) fn topic_name(&self) -> Option<&str> {
        let head = self.reply_to_message.as_ref()?;
        let created = head.forum_topic_created.as_ref();
        let created = created.filter(|_| self.answers_topic(head))?;
        Some(&created.name)
    }

    /// What is said in a topic answers, where it answers nothing else, the message that made the
    /// topic. The first post of a chain of replies has the chain's number too, and is answered.
    fn answers_topic(&self, replied: &RepliedMessage) -> bool {
        let is_topic = self.is_topic_message == Some(true) || replied.forum_topic_created.is_some();
        is_topic && Some(replied.message_id) == self.message_thread_id
    }
}

/// What updates other than messages have in common, as far as they have it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Happening {
    pub(super) chat: Option<Chat>,
    /// Who did it, in most.
    pub(super) from: Option<Person>,
    /// Who did it, in reactions, poll answers, business connections and subscriptions.
    pub(super) user: Option<Person>,
    /// The chat in whose name a reaction was given.
    pub(super) actor_chat: Option<Chat>,
    /// The chat in whose name a vote was given.
    pub(super) voter_chat: Option<Chat>,
    /// The message whose button was pressed.
    pub(super) message: Option<Message>,
    pub(super) message_thread_id: Option<i64>,
    pub(super) business_connection_id: Option<String>,
    /// The message that was reacted to.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) message_id: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) date: Option<i64>,
}

/// `CallbackQuery`. Whatever else it holds, it can be answered by its id.
#[derive(Debug, Deserialize)]
pub(super) struct Query {
    pub(super) id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) data: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) from: Option<Person>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) message: Option<Message>,
}
