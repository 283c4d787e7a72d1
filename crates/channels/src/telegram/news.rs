//! What changes in a chat: who is in it, how the bot stands there, what its topics are called; and
//! messages that are named without their topic.
//!
//! Promises: who is in a chat is told by Telegram's status, whichever of its two tellings (the service
//! message, `chat_member`) comes first. What has another shape than documented changes nothing.
//! What never happens here: the bot itself, or a stand-in of Telegram's, as somebody who joined.

use serde::Deserialize;
use serde::de::IgnoredAny;
use switchboard_engine::{ExternalChat, ExternalMessage, ExternalNews, IncomingEvent};
use switchboard_model::Tags;

use super::CHANNEL;
use super::inbound::SAID_AT;
use super::lenient::lenient;
use super::people::{is_somebody, person_user};
use super::thread::Thread;
use super::types::{Happening, Message, Person};
use super::{once, types};

/// The tag that says how the bot stands in a chat, by Telegram's word for it.
const BOT_STATUS: &str = "botStatus";
/// The tag for what a topic is called.
pub(super) const TOPIC_NAME: &str = "topicName";
/// The tag that says whether a topic is closed.
const TOPIC_CLOSED: &str = "topicClosed";
/// The tag that says whether the General topic is hidden.
const TOPIC_HIDDEN: &str = "topicHidden";

/// What a service message of these kinds tells.
#[derive(Debug, Default, Deserialize)]
struct Service {
    #[serde(default, deserialize_with = "lenient")]
    new_chat_members: Option<Vec<Person>>,
    #[serde(default, deserialize_with = "lenient")]
    left_chat_member: Option<Person>,
    #[serde(default, deserialize_with = "lenient")]
    forum_topic_created: Option<Named>,
    #[serde(default, deserialize_with = "lenient")]
    forum_topic_edited: Option<Named>,
    forum_topic_closed: Option<IgnoredAny>,
    forum_topic_reopened: Option<IgnoredAny>,
    general_forum_topic_hidden: Option<IgnoredAny>,
    general_forum_topic_unhidden: Option<IgnoredAny>,
}

/// `ForumTopicCreated`, `ForumTopicEdited`.
#[derive(Debug, Deserialize)]
struct Named {
    name: Option<String>,
}

/// `ChatMemberUpdated`, as far as it is read here.
#[derive(Debug, Deserialize)]
struct Membership {
    new_chat_member: Member,
}

/// `ChatMember`.
#[derive(Debug, Deserialize)]
struct Member {
    status: String,
    user: Person,
    #[serde(rename = "is_member")]
    is_there: Option<bool>,
}

impl Member {
    /// None where the status is newer than this program.
    fn is_in(&self) -> Option<bool> {
        match self.status.as_str() {
            "creator" | "administrator" | "member" => Some(true),
            "restricted" => self.is_there,
            "left" | "kicked" => Some(false),
            _ => None,
        }
    }
}

/// Adds what a service message says to its event.
pub(super) fn of_service(
    account: &str,
    message: &Message,
    content: &str,
    event: &mut IncomingEvent,
) {
    let Ok(service) = serde_json::from_str::<Service>(content) else {
        return;
    };
    let mut set = |name: &str, value: &str| event.tags.insert(name, value);
    for named in [&service.forum_topic_created, &service.forum_topic_edited] {
        if let Some(name) = named.as_ref().and_then(|named| named.name.as_ref()) {
            set(TOPIC_NAME, name);
        }
    }
    if service.forum_topic_closed.is_some() {
        set(TOPIC_CLOSED, "true");
    }
    if service.forum_topic_reopened.is_some() {
        set(TOPIC_CLOSED, "false");
    }
    // It is closed with that; showing it again does not say whether it is opened.
    if service.general_forum_topic_hidden.is_some() {
        set(TOPIC_HIDDEN, "true");
        set(TOPIC_CLOSED, "true");
    }
    if service.general_forum_topic_unhidden.is_some() {
        set(TOPIC_HIDDEN, "false");
    }
    if message.business_connection_id.is_some() || message.direct_messages_topic.is_some() {
        return;
    }
    let joined = service.new_chat_members.unwrap_or_default();
    let joined = joined.iter().filter(|person| is_other(account, person));
    let left = service.left_chat_member.iter();
    let left = left.filter(|person| is_other(account, person));
    let news = ExternalNews {
        chat: chat(message.chat.id),
        tags: Tags::new(),
        joined: joined.map(|person| person_user(person).into()).collect(),
        left: left.map(person_user).collect(),
        decided: false,
        at: message.date.unwrap_or_default(),
        said_at: SAID_AT.to_owned(),
    };
    if !news.joined.is_empty() || !news.left.is_empty() {
        event.news = Some(Box::new(news));
    }
}

/// Adds what an update other than a message says to its event.
pub(super) fn of_happening(
    account: &str,
    happening: &Happening,
    content: &str,
    event: &mut IncomingEvent,
) {
    match event.kind.as_str() {
        "chat_member" | "my_chat_member" => {
            event.news = membership(account, happening, content, event).map(Box::new);
        }
        "message_reaction" | "message_reaction_count" => {
            let (chat, number) = (happening.chat.as_ref(), happening.message_id);
            event.about = chat
                .zip(number)
                .and_then(|(chat, number)| named(account, chat, number))
                .map(Box::new);
        }
        "callback_query" => {
            event.about = happening
                .message
                .as_ref()
                .and_then(|message| inaccessible(account, message))
                .map(Box::new);
        }
        _ => {}
    }
}

fn membership(
    account: &str,
    happening: &Happening,
    content: &str,
    event: &IncomingEvent,
) -> Option<ExternalNews> {
    let member = serde_json::from_str::<Membership>(content)
        .ok()?
        .new_chat_member;
    let mut news = ExternalNews {
        chat: chat(happening.chat.as_ref()?.id),
        tags: Tags::new(),
        joined: Vec::new(),
        left: Vec::new(),
        decided: false,
        at: happening.date?,
        said_at: SAID_AT.to_owned(),
    };
    if event.kind == "my_chat_member" {
        news.tags.insert(BOT_STATUS, &member.status);
    } else if is_other(account, &member.user) {
        if member.is_in()? {
            news.joined.push(person_user(&member.user).into());
        } else {
            news.left.push(person_user(&member.user));
        }
    }
    Some(news)
}

/// The message that an edit is about, should the bot have sent it.
pub(super) fn edited(account: &str, message: &Message) -> Option<ExternalMessage> {
    let is_plain =
        message.business_connection_id.is_none() && message.ephemeral_message_id.is_none();
    is_plain
        .then(|| named(account, &message.chat, message.message_id))
        .flatten()
}

/// A message whose button was pressed and of which Telegram says no more than its number.
pub(super) fn inaccessible(account: &str, message: &Message) -> Option<ExternalMessage> {
    (message.date == Some(0))
        .then(|| named(account, &message.chat, message.message_id))
        .flatten()
}

/// A message by its number in a chat that the bot is in itself.
fn named(account: &str, of: &types::Chat, number: i64) -> Option<ExternalMessage> {
    (number != 0).then(|| ExternalMessage {
        once: once::numbered(account, None, of.id, number),
        chat: chat(of.id),
        id: number.to_string(),
    })
}

/// A chat with all its topics. What a business connection sees is another.
fn chat(id: i64) -> ExternalChat {
    ExternalChat {
        channel: CHANNEL.to_owned(),
        id: Thread::chat(id).to_string(),
        tag: ("chatId".to_owned(), id.to_string()),
        without: vec!["businessConnectionId".to_owned()],
    }
}

fn is_other(account: &str, person: &Person) -> bool {
    is_somebody(person) && person.id.to_string() != account
}

#[cfg(test)]
mod tests;
