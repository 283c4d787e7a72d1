//! Update → model. A pure function over one update's text.
//!
//! Promises: it never fails and drops nothing (what it cannot read becomes an event with the raw
//! update), and each update is read by itself.
//! What never happens here: a stand-in of Telegram's as a user, a guess at a chat that is not
//! named, a conversation opened by anything but something said.

mod content;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use switchboard_engine::{
    ExternalThread, ExternalUser, IncomingEdit, IncomingEvent, IncomingMessage, UnplacedUpdate,
    Update, UpdateContent,
};
use switchboard_model::{Json, Tags};

use super::CHANNEL;
use super::files::Links;
use super::guest;
use super::people::{actor, asker, is_somebody, person_user, sender};
use super::thread::{Thread, Topic, describe};
use super::types::{Chat, Happening, Message, Query};
use super::{news, once};
use content::{Content, clean};

/// Every kind of update, for `allowed_updates`: some come only to those who name them. Names that a
/// server does not know it ignores.
pub(super) const KINDS: [&str; 27] = [
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "business_connection",
    "business_message",
    "edited_business_message",
    "deleted_business_messages",
    "guest_message",
    "message_reaction",
    "message_reaction_count",
    "inline_query",
    "chosen_inline_result",
    "callback_query",
    "shipping_query",
    "pre_checkout_query",
    "purchased_paid_media",
    "poll",
    "poll_answer",
    "my_chat_member",
    "chat_member",
    "chat_join_request",
    "chat_boost",
    "removed_chat_boost",
    "managed_bot",
    "subscription",
    "stopped_message_generation",
];

/// The kind of event for an update that cannot be understood.
pub(super) const UNKNOWN: &str = "unknown";

/// The kind of event for an update whose conversation the script does not tell.
pub(super) const UNMAPPED: &str = "unmapped";

/// The tag of a message that says when it was said.
pub(super) const SAID_AT: &str = "date";

/// How many bytes are kept of what is no JSON.
const RAW_LIMIT: usize = 64 * 1024;

/// Turns an update into what the engine takes. `account` is the bot's number, to which update
/// numbers belong; `links` is where files are found.
pub(super) fn read(account: &str, links: &Links, raw: &str) -> Update {
    let update = understood(account, links, raw);
    if has_names_that_fit(&update) {
        return update;
    }
    unreadable(account, raw)
}

/// Telegram's names of queries and connections are short; one that is not names nothing.
fn has_names_that_fit(update: &Update) -> bool {
    let (thread, sender) = match &update.content {
        UpdateContent::Message(message) => (Some(&message.thread), Some(&message.sender)),
        UpdateContent::Event(event) => (event.thread.as_ref(), event.sender.as_ref()),
        UpdateContent::Unmapped(_) => (None, None),
    };
    let ids = [
        thread.map(|thread| &thread.id),
        sender.map(|sender| &sender.id),
    ];
    ids.into_iter()
        .flatten()
        .all(|id| id.len() <= Tags::VALUE_LIMIT)
}

fn understood(account: &str, links: &Links, raw: &str) -> Update {
    let (Some(id), Some((kind, text))) = (once::update_id(raw), content(raw)) else {
        return unreadable(account, raw);
    };
    let once = once::update(account, Some(id), text.as_bytes());
    match kind.as_str() {
        "message" | "channel_post" | "business_message" => {
            match (parse::<Message>(text), Content::of(text)) {
                (Some(message), Some(content)) => {
                    let mut update = said(account, &kind, raw, once, &message, &content, links);
                    if let UpdateContent::Event(event) = &mut update.content {
                        news::of_service(account, &message, text, event);
                    }
                    update
                }
                _ => unreadable(account, raw),
            }
        }
        "edited_message" | "edited_channel_post" | "edited_business_message" => {
            match (parse::<Message>(text), Content::of(text)) {
                (Some(message), Some(content)) => {
                    edited(account, kind, raw, once, &message, &content, links)
                }
                _ => unreadable(account, raw),
            }
        }
        "guest_message" => match (parse::<Message>(text), Content::of(text)) {
            (Some(message), Some(content)) => asked(account, &message, &content, links)
                .unwrap_or_else(|| event(kind, raw, once, None, asker(&message))),
            _ => unreadable(account, raw),
        },
        known if KINDS.contains(&known) => match parse::<Happening>(text) {
            Some(happening) => {
                let thread = happening_thread(known, &happening);
                let mut update = event(kind, raw, once, thread, actor(&happening));
                if let UpdateContent::Event(event) = &mut update.content {
                    news::of_happening(account, &happening, text, event);
                }
                update
            }
            None => unreadable(account, raw),
        },
        _ => event(kind, raw, once, None, None),
    }
}

/// The press of a button, if that is what an update brings.
pub(super) fn pressed(raw: &str) -> Option<Query> {
    #[derive(Deserialize)]
    struct Pressed {
        callback_query: Query,
    }
    // Most updates are none, and need not be read twice.
    if !raw.contains("\"callback_query\"") {
        return None;
    }
    parse::<Pressed>(raw).map(|pressed| pressed.callback_query)
}

/// The press of a button as something said: `value`. None where it names no thread and none was
/// `found` by its message.
pub(super) fn press(
    account: &str,
    query: &Query,
    value: &str,
    found: Option<&Thread>,
) -> Option<Update> {
    let message = query.message.as_ref()?;
    let thread = match found {
        Some(found) => found.external(&message.chat),
        None => shown_in(message)?,
    };
    let person = query.from.as_ref().filter(|person| is_somebody(person))?;
    let tags = Tags::new()
        .with("callbackQueryId", &query.id)
        .with("chatId", message.chat.id.to_string())
        .with("replyTo", message.message_id.to_string());
    Some(Update {
        once: vec!["callback".to_owned(), account.to_owned(), query.id.clone()],
        content: UpdateContent::Message(IncomingMessage {
            thread,
            sender: person_user(person),
            kind: "text".to_owned(),
            payload: text_payload(value)?,
            tags,
        }),
    })
}

/// An update as an event that holds nothing but its text: for what cannot be understood, and for
/// what the engine refuses.
pub(super) fn unreadable(account: &str, raw: &str) -> Update {
    let once = once::update(account, once::update_id(raw), raw.as_bytes());
    event(UNKNOWN.to_owned(), raw, once, None, None)
}

/// An update that no script can place, as an event that holds it and says why.
pub(super) fn unmapped(update: &Update, raw: &str, reason: &str) -> Update {
    let reason = as_json(reason);
    let payload = Json::parse(&format!("{{\"reason\":{reason},\"update\":{raw}}}"));
    let thread = match &update.content {
        UpdateContent::Message(message) => Some(&message.thread),
        UpdateContent::Event(event) => event.thread.as_ref(),
        UpdateContent::Unmapped(_) => None,
    };
    Update {
        once: update.once.clone(),
        content: UpdateContent::Unmapped(UnplacedUpdate {
            kind: UNMAPPED.to_owned(),
            payload: payload.unwrap_or_else(|_| as_text(raw)),
            thread: thread.map(|thread| thread.id.clone()),
        }),
    }
}

fn as_json(text: &str) -> String {
    serde_json::Value::from(clean(text)).to_string()
}

/// What came in the place of an update and is no JSON, as an event that holds its beginning.
pub(super) fn no_json(account: &str, body: &[u8]) -> Update {
    let text = String::from_utf8_lossy(body);
    let end = text.floor_char_boundary(RAW_LIMIT);
    Update {
        once: once::update(account, None, body),
        content: UpdateContent::Event(IncomingEvent {
            kind: UNKNOWN.to_owned(),
            payload: as_text(&text[..end]),
            thread: None,
            sender: None,
            moved_from: None,
            edit: None,
            about: None,
            tags: Tags::new(),
            news: None,
        }),
    }
}

/// The field that is not `update_id`, with the name and text of its content.
pub(super) fn content(raw: &str) -> Option<(String, &str)> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(raw).ok()?;
    let named = KINDS
        .iter()
        .find_map(|kind| fields.get_key_value(*kind))
        .or_else(|| fields.iter().find(|(name, _)| is_kind(name)));
    named.map(|(name, content)| (name.clone(), content.get()))
}

/// Whether a field may be a kind of update that is newer than this program.
fn is_kind(name: &str) -> bool {
    name != "update_id"
        && (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn parse<T: DeserializeOwned>(content: &str) -> Option<T> {
    serde_json::from_str(content).ok()
}

/// A message changes: an event that says so, and with it the message that is stored.
fn edited(
    account: &str,
    kind: String,
    raw: &str,
    once: Vec<String>,
    message: &Message,
    content: &Content<'_>,
    links: &Links,
) -> Update {
    let thread = message_thread(message);
    let mut update = event(kind, raw, once, thread, Some(sender(message)));
    if let (UpdateContent::Event(event), Some((said, payload))) =
        (&mut update.content, content.said(links))
    {
        let mut tags = Tags::new();
        content.tags(&mut tags);
        if let Some(date) = message.edit_date {
            tags.insert("editDate", date.to_string());
        }
        event.about = news::edited(account, message).map(Box::new);
        event.edit = (message.message_id != 0).then(|| IncomingEdit {
            once: once::message(account, message),
            at: message.edit_date,
            kind: said.to_owned(),
            payload,
            tags,
        });
    }
    update
}

/// A group becomes a supergroup, which has another number: told twice, in the old chat and in the
/// new one.
fn moved(kind: &str, raw: &str, once: Vec<String>, message: &Message) -> Option<Update> {
    let (from, to) = match (message.migrate_to_chat_id, message.migrate_from_chat_id) {
        (Some(to), _) => (message.chat.id, to),
        (None, Some(from)) => (from, message.chat.id),
        (None, None) => return None,
    };
    if from >= 0 || to >= 0 {
        // No person's chat becomes a group, nor the other way.
        return None;
    }
    let thread = Some(Thread::supergroup(to));
    let mut update = event(kind.to_owned(), raw, once, thread, Some(sender(message)));
    if let UpdateContent::Event(event) = &mut update.content {
        event.moved_from = Some(Thread::chat(from).to_string());
    }
    Some(update)
}

fn said(
    account: &str,
    kind: &str,
    raw: &str,
    once: Vec<String>,
    message: &Message,
    content: &Content<'_>,
    links: &Links,
) -> Update {
    if let Some(update) = moved(kind, raw, once.clone(), message) {
        return update;
    }
    let mut thread = message_thread(message);
    let sender = sender(message);
    if let (Some(thread), Some(name)) = (&mut thread, message.topic_name()) {
        thread.defaults.insert(news::TOPIC_NAME, name);
    }
    let (Some(thread), Some((said, payload))) = (thread, content.said(links)) else {
        return event(
            kind.to_owned(),
            raw,
            once,
            message_thread(message),
            Some(sender),
        );
    };
    // A bot that speaks for the business account: answering it could go on for ever.
    if message.sender_business_bot.is_some() {
        return event(kind.to_owned(), raw, once, Some(thread), Some(sender));
    }
    // 0 is no identity: a message that is sent later, or seen by one person only.
    let numbered = message.message_id != 0;
    let mut tags = Tags::new().with("chatId", message.chat.id.to_string());
    number_and_date(message, &mut tags);
    if let Some(replied) = message.answers() {
        tags.insert("replyTo", replied.to_string());
    }
    if message.is_automatic_forward == Some(true) {
        tags.insert("automatic_forward", "true");
    }
    content.tags(&mut tags);
    Update {
        once: if numbered {
            once::message(account, message)
        } else {
            once
        },
        content: UpdateContent::Message(IncomingMessage {
            thread,
            sender,
            kind: said.to_owned(),
            payload,
            tags,
        }),
    }
}

/// Which message of its chat it is, and when it was said.
fn number_and_date(message: &Message, tags: &mut Tags) {
    if message.message_id != 0 {
        tags.insert("id", message.message_id.to_string());
    }
    if let Some(date) = message.date.filter(|date| *date > 0) {
        tags.insert(SAID_AT, date.to_string());
    }
}

/// A guest message: a conversation of its own, since its chat need not be the bot's chat of that id.
/// None where it says nothing, or nothing could answer it.
fn asked(account: &str, message: &Message, content: &Content<'_>, links: &Links) -> Option<Update> {
    let query = message
        .guest_query_id
        .as_ref()
        .filter(|id| !id.is_empty())?;
    let (said, payload) = content.said(links)?;
    let id = guest::id(query);
    let sender = asker(message).unwrap_or_else(|| ExternalUser {
        known: None,
        id: id.clone(),
        tags: Tags::new(),
        name: None,
    });
    let mut place = Tags::new().with(guest::QUERY, query);
    describe(&message.chat, &mut place);
    let mut tags = Tags::new().with(guest::QUERY, query);
    number_and_date(message, &mut tags);
    content.tags(&mut tags);
    Some(Update {
        once: once::guest(account, query),
        content: UpdateContent::Message(IncomingMessage {
            thread: ExternalThread {
                known: None,
                channel: CHANNEL.to_owned(),
                id,
                tags: place,
                defaults: Tags::new(),
            },
            sender,
            kind: said.to_owned(),
            payload,
            tags,
        }),
    })
}

fn text_payload(text: &str) -> Option<Json> {
    let text = clean(text);
    Json::from_serialize(&serde_json::json!({ "text": text })).ok()
}

fn event(
    kind: String,
    raw: &str,
    once: Vec<String>,
    thread: Option<ExternalThread>,
    sender: Option<ExternalUser>,
) -> Update {
    Update {
        once,
        content: UpdateContent::Event(IncomingEvent {
            kind,
            payload: raw_payload(raw),
            thread,
            sender,
            moved_from: None,
            edit: None,
            about: None,
            tags: Tags::new(),
            news: None,
        }),
    }
}

/// `{"update": …}` as received; where that cannot be kept as JSON (half a surrogate pair, deeper
/// than 128), `{"raw": "…"}` with its text.
fn raw_payload(raw: &str) -> Json {
    Json::parse(&format!("{{\"update\":{raw}}}")).unwrap_or_else(|_| as_text(raw))
}

fn as_text(raw: &str) -> Json {
    let text = clean(raw);
    Json::from_serialize(&serde_json::json!({ "raw": text })).unwrap_or_else(|_| Json::empty())
}

/// None for what only one person and the bot see: the conversation has other readers.
fn message_thread(message: &Message) -> Option<ExternalThread> {
    if message.ephemeral_message_id.is_some() {
        return None;
    }
    Some(Thread::of(message).external(&message.chat))
}

/// Where a message is shown that something happened to. None where it may have been any topic of a
/// forum: a message that is no longer accessible is named without its topic.
fn shown_in(message: &Message) -> Option<ExternalThread> {
    let is_untold = message.date == Some(0) && has_topics(&message.chat);
    message_thread(message).filter(|_| !is_untold)
}

fn has_topics(chat: &Chat) -> bool {
    chat.is_forum == Some(true) || chat.is_direct_messages == Some(true)
}

/// None where it may have been any topic, see [`shown_in`]; so may a reaction.
fn happening_thread(kind: &str, happening: &Happening) -> Option<ExternalThread> {
    if let Some(message) = &happening.message {
        return shown_in(message);
    }
    let chat = happening.chat.as_ref()?;
    if has_topics(chat) && matches!(kind, "message_reaction" | "message_reaction_count") {
        return None;
    }
    let topic = happening
        .message_thread_id
        .map_or(Topic::None, Topic::forum);
    let thread = Thread {
        business: happening.business_connection_id.clone(),
        topic,
        ..Thread::chat(chat.id)
    };
    Some(thread.external(chat))
}

#[cfg(test)]
mod tests;
