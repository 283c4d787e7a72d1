//! Who it was: people and chats as users.
//!
//! What never happens here: a stand-in of Telegram's as a user.

use switchboard_engine::ExternalUser;
use switchboard_model::Tags;

use super::types::{Chat, Happening, Message, Person};

/// Whom Telegram puts into `from` when nobody is there: an anonymous administrator, a post that
/// Telegram forwarded from the linked channel, someone who writes as a channel.
const STAND_INS: [i64; 3] = [1_087_968_824, 777_000, 136_817_688];

/// Who said a message.
pub(super) fn sender(message: &Message) -> ExternalUser {
    let person = message.from.as_ref().filter(|from| is_somebody(from));
    match (&message.sender_chat, person) {
        (Some(chat), _) => chat_user(chat),
        (None, Some(person)) => person_user(person),
        (None, None) => chat_user(&message.chat),
    }
}

/// Who asked the bot into a chat: never that chat, for nobody knows whose number it is.
pub(super) fn asker(message: &Message) -> Option<ExternalUser> {
    match (&message.sender_chat, &message.from) {
        (Some(chat), _) => Some(chat_user(chat)),
        (None, Some(person)) if is_somebody(person) => Some(person_user(person)),
        _ => None,
    }
}

/// Who caused something else.
pub(super) fn actor(happening: &Happening) -> Option<ExternalUser> {
    let chat = happening
        .actor_chat
        .as_ref()
        .or(happening.voter_chat.as_ref());
    if let Some(chat) = chat {
        return Some(chat_user(chat));
    }
    match happening.from.as_ref().or(happening.user.as_ref()) {
        Some(person) if is_somebody(person) => Some(person_user(person)),
        Some(_) => happening.chat.as_ref().map(chat_user),
        None => None,
    }
}

/// Whether this is a person, and none of Telegram's stand-ins.
pub(super) fn is_somebody(person: &Person) -> bool {
    !STAND_INS.contains(&person.id)
}

/// A person as a user.
pub(super) fn person_user(person: &Person) -> ExternalUser {
    let mut tags = Tags::new();
    if let Some(username) = &person.username {
        tags.insert("username", username);
    }
    if person.is_bot == Some(true) {
        tags.insert("isBot", "true");
    }
    ExternalUser {
        known: None,
        id: person.id.to_string(),
        tags,
        name: full_name(person.first_name.as_deref(), person.last_name.as_deref()),
    }
}

/// A chat as a user. Its id is negative, so it cannot be that of a person.
fn chat_user(chat: &Chat) -> ExternalUser {
    let mut tags = Tags::new();
    if let Some(username) = &chat.username {
        tags.insert("username", username);
    }
    if let Some(kind) = &chat.kind {
        tags.insert("chatType", kind);
    }
    ExternalUser {
        known: None,
        id: chat.id.to_string(),
        tags,
        name: chat
            .title
            .clone()
            .or_else(|| full_name(chat.first_name.as_deref(), chat.last_name.as_deref())),
    }
}

fn full_name(first: Option<&str>, last: Option<&str>) -> Option<String> {
    let names: Vec<_> = [first, last]
        .into_iter()
        .flatten()
        .filter(|name| !name.is_empty())
        .collect();
    (!names.is_empty()).then(|| names.join(" "))
}
