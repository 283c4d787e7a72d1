//! Where a conversation's messages go, by its tags.
//!
//! Promises: no message goes where more can read it than any of the tags says. `id` names the place;
//! the tags for its parts may agree with it or say what it leaves open, and where two contradict
//! each other nothing is sent.
//! What never happens here: one tag preferred to another; a number that Telegram would take for
//! "no topic" (0, negative, over 32 bits) or a connection it would take for none (empty).

use switchboard_model::Tags;

use super::thread::{Thread, Topic};

/// The tags of a conversation do not say where to send.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum UnknownTarget {
    /// One tag says nothing that can be understood.
    #[error("the conversation's tag {tag} is {value:?}; expected {expected}")]
    Unreadable {
        tag: &'static str,
        value: String,
        expected: &'static str,
    },
    /// Nothing says where.
    #[error(
        "the conversation has no tag telegram:id or telegram:chatId; give it one of them with the \
         chat's number, as a bot names them (docs/telegram.md, Which conversation)"
    )]
    Missing,
    /// Two tags name different places.
    #[error("the conversation's tags {} is {:?} and {} is {:?}: they contradict each other", .0.0, .0.1, .1.0, .1.1)]
    Contradiction(Tag, Tag),
}

/// A tag's name and value.
type Tag = (&'static str, String);

/// What the tags for the parts say.
struct Parts<'a> {
    chat: Option<i64>,
    topic: Option<(&'static str, Topic)>,
    business: Option<&'a str>,
}

const ID: &str = "id";
const CHAT: &str = "chatId";
const TOPIC: &str = "threadId";
const DIRECT: &str = "directMessagesTopicId";
const BUSINESS: &str = "businessConnectionId";

const EXPECTED_ID: &str = "a chat's number, <chat>/<topic>, <chat>/direct/<topic>, or one of these \
                           behind business:<connection>/";

/// Where messages go by the tags as the integration sees them. Conversations made over HTTP may
/// have the tag `id` only, or only those for its parts.
pub(super) fn target(tags: &Tags) -> Result<Thread, UnknownTarget> {
    let contradict = |one, other| {
        let tag = |name| (name, tags.get(name).unwrap_or_default().to_owned());
        Err(UnknownTarget::Contradiction(tag(one), tag(other)))
    };
    let parts = Parts::read(tags)?;
    if parts.topic.is_some_and(|(tag, _)| tag == DIRECT) && tags.get(TOPIC).is_some() {
        return contradict(TOPIC, DIRECT);
    }
    let named = tags
        .get(ID)
        .map(|id| parse(id).ok_or_else(|| unreadable(ID, id, EXPECTED_ID)))
        .transpose()?;
    let Some(mut thread) = named else {
        let chat = parts.chat.ok_or(UnknownTarget::Missing)?;
        return Ok(Thread {
            business: parts.business.map(str::to_owned),
            chat,
            topic: parts.topic.map_or(Topic::None, |(_, topic)| topic),
        }
        .settled());
    };
    if parts.chat.is_some_and(|chat| chat != thread.chat) {
        return contradict(ID, CHAT);
    }
    // Never added: through a connection the account's owner reads along.
    if parts.business.is_some() && parts.business != thread.business.as_deref() {
        return contradict(ID, BUSINESS);
    }
    match parts.topic {
        None => {}
        Some((_, topic)) if thread.topic == topic => {}
        Some((_, topic)) if thread.topic == Topic::None => thread.topic = topic,
        Some((tag, _)) => return contradict(ID, tag),
    }
    Ok(thread.settled())
}

impl<'a> Parts<'a> {
    fn read(tags: &'a Tags) -> Result<Self, UnknownTarget> {
        let read = |tag: &'static str, read: fn(&str) -> Option<Topic>| {
            tags.get(tag)
                .map(|value| {
                    read(value)
                        .map(|topic| (tag, topic))
                        .ok_or_else(|| unreadable(tag, value, "a topic's number"))
                })
                .transpose()
        };
        let (forum, direct) = (read(TOPIC, forum)?, read(DIRECT, direct)?);
        Ok(Self {
            chat: tags
                .get(CHAT)
                .map(|value| {
                    let chat = value.parse().ok();
                    chat.ok_or_else(|| unreadable(CHAT, value, "a chat's number"))
                })
                .transpose()?,
            topic: direct.or(forum),
            business: tags
                .get(BUSINESS)
                .map(|value| match value {
                    "" => Err(unreadable(BUSINESS, value, "a business connection's id")),
                    connection => Ok(connection),
                })
                .transpose()?,
        })
    }
}

/// Reads an external id. General keeps its number, so that nothing can be added to it.
fn parse(id: &str) -> Option<Thread> {
    let (business, place) = match id.strip_prefix("business:") {
        // The connection's id is opaque, the rest has a fixed number of slashes at most.
        Some(rest) => rest
            .split_once('/')
            .filter(|(connection, _)| !connection.is_empty())
            .map(|(connection, place)| (Some(connection.to_owned()), place))?,
        None => (None, id),
    };
    let mut pieces = place.split('/');
    let chat = pieces.next()?.parse().ok()?;
    let topic = match (pieces.next(), pieces.next(), pieces.next()) {
        (None, ..) => Topic::None,
        (Some("direct"), Some(topic), None) => direct(topic)?,
        (Some(topic), None, _) => forum(topic)?,
        _ => return None,
    };
    Some(Thread {
        business,
        chat,
        topic,
    })
}

/// Telegram's server reads 32 bits and takes what is not above 0 for the chat itself.
fn forum(number: &str) -> Option<Topic> {
    let topic: i32 = number.parse().ok()?;
    (topic > 0).then(|| Topic::Forum(topic.into()))
}

fn direct(number: &str) -> Option<Topic> {
    let topic = number.parse().ok()?;
    (topic > 0).then_some(Topic::Direct(topic))
}

fn unreadable(tag: &'static str, value: &str, expected: &'static str) -> UnknownTarget {
    UnknownTarget::Unreadable {
        tag,
        value: value.to_owned(),
        expected,
    }
}

#[cfg(test)]
mod tests;
