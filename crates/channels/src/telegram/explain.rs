//! What an update is and would become, without taking it.
//!
//! Promises: the update is read by `inbound.rs`, and refused content falls back, as when it comes in.
//! The reasons name the fields that decided.
//! What never happens here: a write, a call to Telegram.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use switchboard_engine::{Engine, Explanation, Update, UpdateContent};
use switchboard_model::{Integration, Result};

use super::files::Links;
use super::inbound;
use super::people::is_somebody;
use super::polling::is_passing;
use super::press;
use super::thread::{GENERAL, Thread, Topic};
use super::types::{Chat, Happening, Message};

/// Says what an update is and would become.
pub async fn explain(
    engine: &Engine,
    integration: &Integration,
    raw: &[u8],
) -> Result<Explanation> {
    let (number, mut reasons) = number(engine, integration).await;
    let text = String::from_utf8_lossy(raw);
    let Ok(json) = serde_json::from_str::<&RawValue>(&text) else {
        reasons.push("no JSON: it would be kept as an event with its beginning".to_owned());
        let update = inbound::no_json(number.as_deref().unwrap_or_default(), raw);
        return finish(engine, integration, number.as_deref(), update, reasons).await;
    };
    let json = json.get();
    let account = number.as_deref().unwrap_or_default();
    // What it says is not told, so it does not matter where its files would be found.
    let links = Links {
        base: String::new(),
        integration: integration.id,
        vault: engine.vault().clone(),
    };
    let (update, _) = press::read(engine, integration, account, &links, json, true).await?;
    describe(json, &update, &mut reasons);
    match finish(
        engine,
        integration,
        number.as_deref(),
        update,
        reasons.clone(),
    )
    .await
    {
        Err(error) if !is_passing(&error) => {
            reasons.push(format!("refused: {error}; it would be kept raw"));
            let kept = inbound::unreadable(account, json);
            finish(engine, integration, number.as_deref(), kept, reasons).await
        }
        explained => explained,
    }
}

/// The bot's number, to which Telegram's numbers belong.
async fn number(engine: &Engine, integration: &Integration) -> (Option<String>, Vec<String>) {
    let token = engine.integration_secret(integration.id).await;
    let number = token.as_ref().ok().and_then(|token| {
        let (number, _) = token.as_deref()?.split_once(':')?;
        Some(number.to_owned())
    });
    let mut reasons = Vec::new();
    match (&number, token) {
        (Some(_), _) => {}
        (None, Err(error)) => reasons.push(format!("no bot number: {error}")),
        (None, Ok(_)) => reasons.push(
            "no bot number: no token is plugged in, so whether it was taken before cannot be told"
                .to_owned(),
        ),
    }
    (number, reasons)
}

async fn finish(
    engine: &Engine,
    integration: &Integration,
    number: Option<&str>,
    mut update: Update,
    mut reasons: Vec<String>,
) -> Result<Explanation> {
    if number.is_none() {
        update.once.clear();
    }
    let mut explained = engine.explain(integration, update).await?;
    reasons.append(&mut explained.reasons);
    explained.reasons = reasons;
    Ok(explained)
}

fn describe(raw: &str, update: &Update, reasons: &mut Vec<String>) {
    let mut because = |reason: String| reasons.push(reason);
    let Some((kind, text)) = inbound::content(raw) else {
        because("not understood: it is no update of Telegram's, and would be kept raw".to_owned());
        return;
    };
    let event = match &update.content {
        UpdateContent::Message(_) | UpdateContent::Unmapped(_) => None,
        UpdateContent::Event(event) => Some(event),
    };
    if event.is_some_and(|event| event.kind == inbound::UNKNOWN) {
        because(format!(
            "not understood: {kind} has not the documented shape, or update_id is no number, so it \
             would be kept raw"
        ));
        return;
    }
    match (kind.as_str(), event.is_some()) {
        ("callback_query", false) => {
            because("press: the value of the button is what is said".to_owned());
        }
        (kind, false) => because(format!("message: {kind} says something")),
        (kind, true) => because(format!(
            "event: {kind} becomes an event, and opens no conversation"
        )),
    }
    let key = match &update.content {
        UpdateContent::Message(message) => Some(&message.thread.id),
        UpdateContent::Event(event) => event.thread.as_ref().map(|thread| &thread.id),
        UpdateContent::Unmapped(kept) => kept.thread.as_ref(),
    };
    let message = match kind.as_str() {
        "message"
        | "channel_post"
        | "business_message"
        | "edited_message"
        | "edited_channel_post"
        | "edited_business_message"
        | "guest_message" => parse(text),
        _ => parse::<Happening>(text).and_then(|happening: Happening| happening.message),
    };
    match (key, &message) {
        (Some(key), Some(_)) if kind == "guest_message" => because(format!(
            "guest: guest_query_id is a conversation of its own, for its chat need not be the bot's \
             chat of that number: {key}"
        )),
        (Some(key), Some(message)) => {
            because(place(key, message));
            if let Some(business) = &message.business_connection_id {
                because(format!(
                    "business: seen through the business connection {business}, which is another \
                     thread than the bot's own chat"
                ));
            }
        }
        (Some(key), None) => because(format!("chat: {kind} names the thread {key}")),
        (None, _) if event.is_some_and(|event| event.about.is_some()) => because(format!(
            "no thread: {kind} names a message and not its topic, so the message is looked for"
        )),
        (None, _) => because(format!("no thread: {kind} does not say where it belongs")),
    }
    if let Some(message) = &message
        && kind != "callback_query"
    {
        because(author(message));
    }
}

/// Which field decided the thread.
fn place(key: &str, message: &Message) -> String {
    let is_forum = message.chat.is_forum == Some(true);
    match (Thread::of(message).topic, message.message_thread_id) {
        (Topic::Forum(topic), _) => format!(
            "topic: message_thread_id {topic} with is_topic_message is a topic of the chat, and a \
             conversation of its own: {key}"
        ),
        (Topic::Direct(topic), _) => format!(
            "direct: direct_messages_topic {topic} is one person's direct messages to the channel: \
             {key}"
        ),
        (Topic::None, Some(GENERAL)) if message.is_topic_message == Some(true) => {
            format!("General: topic {GENERAL} of a forum is the chat itself: {key}")
        }
        (Topic::None, Some(id)) if message.is_topic_message != Some(true) => format!(
            "chat: message_thread_id {id} without is_topic_message is a chain of replies, no topic, \
             so it is the chat itself: {key}"
        ),
        (Topic::None, _) if is_forum => {
            format!("General: a forum's message without a topic is in the chat itself: {key}")
        }
        (Topic::None, _) => format!("chat: the chat itself is the thread: {key}"),
    }
}

/// Which field decided the sender.
fn author(message: &Message) -> String {
    let same = |chat: &Chat| chat.id == message.chat.id;
    match (&message.sender_chat, &message.from) {
        (Some(chat), _) if same(chat) && chat.kind.as_deref() == Some("channel") => {
            format!(
                "sender: the channel speaks for itself (sender_chat {})",
                chat.id
            )
        }
        (Some(chat), _) if same(chat) => format!(
            "sender: an anonymous administrator speaks as the chat (sender_chat {})",
            chat.id
        ),
        (Some(chat), _) => format!("sender: it was said in the name of sender_chat {}", chat.id),
        (None, Some(person)) if is_somebody(person) => {
            format!("sender: from {}", person.id)
        }
        (None, Some(person)) => format!(
            "sender: from {} is a stand-in of Telegram's, so it is the chat {}",
            person.id, message.chat.id
        ),
        (None, None) => format!(
            "sender: nobody is named, so it is the chat {}",
            message.chat.id
        ),
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests;
