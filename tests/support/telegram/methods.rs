//! The methods of the Bot API, as far as they are needed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::LONGEST_POLL;
use super::delivery;
use super::html;
use super::state::{Sent, Shared, State, Webhook, date};

/// What a method answers: its result as JSON text, or a code and words.
pub(super) type Answered = Result<String, (u16, &'static str)>;

const OTHER_POLL: &str = "Conflict: terminated by other getUpdates request; make sure that only \
                          one bot instance is running";
const WEBHOOK_SET: &str = "Conflict: can't use getUpdates method while webhook is active; use \
                           deleteWebhook to delete the webhook first";

pub(super) async fn call(shared: &Arc<Shared>, method: &str, body: &Value) -> Answered {
    match method {
        "getUpdates" => get_updates(shared, body).await,
        "setWebhook" => set_webhook(shared, body),
        "deleteWebhook" => {
            let mut state = shared.lock();
            state.webhook = None;
            if body["drop_pending_updates"] == true {
                state.updates.clear();
            }
            Ok("true".to_owned())
        }
        "getWebhookInfo" => Ok(webhook_info(&shared.lock()).to_string()),
        "getMe" => Ok(me(&shared.lock()).to_string()),
        "sendMessage" => {
            let text = shown(&body["text"], &body["parse_mode"])?;
            check_text(&text, 4096)?;
            if body["text"].as_str().is_some_and(|raw| raw.len() > 32_768) {
                return Err((400, "Bad Request: message is too long"));
            }
            send(shared, "text", body, &text)
        }
        "sendPhoto" | "sendAnimation" | "sendAudio" | "sendVoice" | "sendVideo"
        | "sendDocument" => send_file(shared, method, body),
        "sendLocation" | "sendVenue" if body["latitude"].is_number() => {
            send(shared, "place", body, "")
        }
        "editMessageText" | "editMessageCaption" | "editMessageMedia" => edit(shared, method, body),
        "deleteMessage" => delete(shared, body),
        "answerGuestQuery" => answer_guest(shared, body),
        "editMessageReplyMarkup" => {
            check_markup(&body["reply_markup"])?;
            Ok("true".to_owned())
        }
        "getFile" => match body["file_id"].as_str() {
            Some("big") => Err((400, "Bad Request: file is too big")),
            Some(file) => Ok(json!({
                "file_id": file, "file_unique_id": "u", "file_path": format!("photos/{file}.jpg"),
            })
            .to_string()),
            None => Err((400, "Bad Request: file_id not specified")),
        },
        "answerCallbackQuery" | "sendChatAction" => Ok("true".to_owned()),
        _ => Err((404, "Not Found: method not found")),
    }
}

fn me(state: &State) -> Value {
    let number = state.token.split(':').next().unwrap_or_default();
    json!({
        "id": number.parse::<i64>().unwrap_or(0), "is_bot": true, "first_name": "Switchboard",
        "username": "sb_case_bot", "can_join_groups": true, "can_read_all_group_messages": false,
        "supports_inline_queries": false,
    })
}

async fn get_updates(shared: &Arc<Shared>, body: &Value) -> Answered {
    let offset = body["offset"].as_i64().unwrap_or(0);
    let limit = body["limit"].as_u64().unwrap_or(100).clamp(1, 100);
    let timeout = Duration::from_secs(body["timeout"].as_u64().unwrap_or(0)).min(LONGEST_POLL);
    let mut changes = shared.changes();
    let poll = {
        let mut state = shared.lock();
        if state.webhook.is_some() {
            return Err((409, WEBHOOK_SET));
        }
        state.remember_kinds(&body["allowed_updates"]);
        state.confirm(offset);
        state.poll += 1;
        state.poll_ended_by = OTHER_POLL;
        state.poll
    };
    shared.change();
    let until = Instant::now() + timeout;
    loop {
        changes.borrow_and_update();
        {
            let state = shared.lock();
            if state.poll != poll {
                return Err((409, state.poll_ended_by));
            }
            let limit = usize::try_from(limit).unwrap_or(100);
            let texts: Vec<_> = state
                .updates
                .iter()
                .take(limit)
                .map(|update| update.text.as_str())
                .collect();
            if !texts.is_empty() || Instant::now() >= until || state.closed {
                return Ok(format!("[{}]", texts.join(",")));
            }
        }
        let left = until.saturating_duration_since(Instant::now());
        // Either way there is something to look at again.
        drop(tokio::time::timeout(left, changes.changed()).await);
    }
}

impl State {
    fn remember_kinds(&mut self, kinds: &Value) {
        if let Some(kinds) = kinds.as_array().filter(|kinds| !kinds.is_empty()) {
            let names = kinds.iter().filter_map(Value::as_str);
            self.allowed = Some(names.map(str::to_owned).collect());
        }
    }

    /// Forgets what an offset confirms: all before it; before the last so many if it is negative.
    fn confirm(&mut self, offset: i64) {
        if offset < 0 {
            let keep = usize::try_from(-offset).unwrap_or(usize::MAX);
            while self.updates.len() > keep {
                self.updates.pop_front();
            }
        } else {
            self.updates.retain(|update| update.id >= offset);
        }
    }
}

fn set_webhook(shared: &Arc<Shared>, body: &Value) -> Answered {
    let url = body["url"].as_str().unwrap_or_default();
    let secret = body["secret_token"].as_str().map(str::to_owned);
    let fits = |secret: &String| {
        secret.len() <= 256
            && secret
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    if !secret.iter().all(fits) {
        return Err((
            400,
            "Bad Request: secret token contains unallowed characters",
        ));
    }
    // Telegram wants https; the loopback is for tests.
    let is_fit = url.starts_with("https://") || url.starts_with("http://127.0.0.1:");
    if !url.is_empty() && !is_fit {
        return Err((
            400,
            "Bad Request: bad webhook: An HTTPS URL must be provided for webhook",
        ));
    }
    {
        let mut state = shared.lock();
        state.remember_kinds(&body["allowed_updates"]);
        if body["drop_pending_updates"] == true {
            state.updates.clear();
        }
        state.poll += 1;
        state.poll_ended_by = "Conflict: terminated by setWebhook request";
        state.webhook = (!url.is_empty()).then(|| Webhook {
            url: url.to_owned(),
            secret,
            last_error: None,
        });
    }
    shared.change();
    delivery::wake(shared);
    Ok("true".to_owned())
}

fn webhook_info(state: &State) -> Value {
    let mut info = json!({
        "url": "", "has_custom_certificate": false, "pending_update_count": state.updates.len(),
    });
    if let Some(allowed) = &state.allowed {
        info["allowed_updates"] = json!(allowed);
    }
    if let Some(webhook) = &state.webhook {
        info["url"] = json!(webhook.url);
        info["max_connections"] = json!(40);
        if let Some((date, message)) = &webhook.last_error {
            info["last_error_date"] = json!(date);
            info["last_error_message"] = json!(message);
        }
    }
    info
}

/// What a reader sees of a text.
fn shown(text: &Value, parse_mode: &Value) -> Result<String, (u16, &'static str)> {
    let text = text.as_str().unwrap_or_default();
    match parse_mode.as_str() {
        None => Ok(text.to_owned()),
        Some("HTML") => html::shown(text).ok_or((
            400,
            "Bad Request: can't parse entities: unsupported start tag",
        )),
        Some(_) => Err((400, "Bad Request: unsupported parse_mode")),
    }
}

fn check_text(text: &str, limit: usize) -> Result<(), (u16, &'static str)> {
    if text.is_empty() {
        return Err((400, "Bad Request: message text is empty"));
    }
    if text.chars().all(is_blank) {
        return Err((400, "Bad Request: text must be non-empty"));
    }
    if text.encode_utf16().count() > limit {
        return Err((400, "Bad Request: message is too long"));
    }
    Ok(())
}

fn send_file(shared: &Arc<Shared>, method: &str, body: &Value) -> Answered {
    let field = method.trim_start_matches("send").to_lowercase();
    if !body[&field]
        .as_str()
        .is_some_and(|url| url.starts_with("http"))
    {
        return Err((400, "Bad Request: wrong file identifier/HTTP URL specified"));
    }
    let caption = shown(&body["caption"], &body["parse_mode"])?;
    if caption.encode_utf16().count() > 1024 {
        return Err((400, "Bad Request: message caption is too long"));
    }
    send(shared, &field, body, &caption)
}

/// The rules of buttons that Telegram refuses a message for.
fn check_markup(markup: &Value) -> Result<(), (u16, &'static str)> {
    let rows = markup["inline_keyboard"].as_array().into_iter().flatten();
    let buttons: Vec<_> = rows
        .flat_map(|row| row.as_array().into_iter().flatten())
        .collect();
    if buttons.len() > 100 {
        return Err((400, "Bad Request: BUTTON_COUNT_INVALID"));
    }
    for button in buttons {
        if button["text"].as_str().is_none_or(str::is_empty) {
            return Err((400, "Bad Request: text buttons must have text"));
        }
        match (&button["callback_data"], &button["url"]) {
            (Value::String(data), _) if (1..=64).contains(&data.len()) => {}
            (Value::Null, Value::String(_)) => {}
            _ => return Err((400, "Bad Request: BUTTON_DATA_INVALID")),
        }
    }
    Ok(())
}

fn send(shared: &Arc<Shared>, kind: &str, body: &Value, text: &str) -> Answered {
    let chat = match &body["chat_id"] {
        Value::Number(chat) => chat.as_i64(),
        Value::String(chat) => chat.parse().ok(),
        _ => return Err((400, "Bad Request: chat_id is empty")),
    };
    let Some(chat) = chat else {
        return Err((400, "Bad Request: chat not found"));
    };
    check_markup(&body["reply_markup"])?;
    let thread = body["message_thread_id"].as_i64();
    let date = date();
    let mut state = shared.lock();
    let exists = |thread| {
        state
            .topics
            .get(&chat)
            .is_none_or(|all| all.contains(&thread))
    };
    // General is the chat itself, and no thread to send to.
    if thread.is_some_and(|thread| thread == 1 || !exists(thread)) {
        return Err((400, "Bad Request: message thread not found"));
    }
    let message_id = state.next_message_id(chat);
    state.sent.push(Sent {
        chat,
        thread,
        text: text.to_owned(),
        kind: kind.to_owned(),
        now: Some(text.to_owned()),
        markup: body["reply_markup"].clone(),
        message_id,
        at: Instant::now(),
    });
    let kind = if chat > 0 { "private" } else { "supergroup" };
    let mut message = json!({
        "message_id": message_id, "from": me(&state), "date": date, "text": text,
        "chat": { "id": chat, "type": kind },
    });
    if let Some(thread) = thread {
        message["message_thread_id"] = json!(thread);
        message["is_topic_message"] = json!(true);
    }
    Ok(message.to_string())
}

/// A text stays a text until a file takes its place; a file stays one.
fn edit(shared: &Arc<Shared>, method: &str, body: &Value) -> Answered {
    let is_text = method == "editMessageText";
    let media = &body["media"];
    let (text, limit) = match method {
        "editMessageText" => (shown(&body["text"], &body["parse_mode"])?, 4096),
        "editMessageCaption" => (shown(&body["caption"], &body["parse_mode"])?, 1024),
        _ => (shown(&media["caption"], &media["parse_mode"])?, 1024),
    };
    if is_text {
        check_text(&text, limit)?;
    } else if text.encode_utf16().count() > limit {
        return Err((400, "Bad Request: message caption is too long"));
    }
    check_markup(&body["reply_markup"])?;
    if let Some(id) = body["inline_message_id"].as_str() {
        let mut state = shared.lock();
        let answer = state.guest_answers.get_mut(id);
        *answer.ok_or((400, "Bad Request: MESSAGE_ID_INVALID"))? = text;
        return Ok("true".to_owned());
    }
    let mut state = shared.lock();
    let sent = state.find(body);
    let sent = sent.ok_or((400, "Bad Request: message to edit not found"))?;
    match (method, sent.kind.as_str()) {
        ("editMessageText", kind) if kind != "text" => {
            return Err((400, "Bad Request: there is no text in the message to edit"));
        }
        ("editMessageCaption", "text" | "place") => {
            return Err((
                400,
                "Bad Request: there is no caption in the message to edit",
            ));
        }
        ("editMessageMedia", "place" | "voice") => {
            return Err((400, "Bad Request: message can't be edited"));
        }
        _ => {}
    }
    let markup = &body["reply_markup"];
    if method != "editMessageMedia" && sent.now.as_ref() == Some(&text) && sent.markup == *markup {
        return Err((
            400,
            "Bad Request: message is not modified: specified new message content and reply markup \
             are exactly the same as a current content and reply markup of the message",
        ));
    }
    sent.now = Some(text);
    sent.markup = markup.clone();
    if let Some(kind) = media["type"].as_str() {
        kind.clone_into(&mut sent.kind);
    }
    let (chat, number) = (sent.chat, sent.message_id);
    let edited = json!({
        "message_id": number, "date": date(), "edit_date": date(),
        "chat": { "id": chat, "type": if chat > 0 { "private" } else { "supergroup" } },
    });
    Ok(edited.to_string())
}

fn delete(shared: &Arc<Shared>, body: &Value) -> Answered {
    let mut state = shared.lock();
    let sent = state.find(body);
    sent.ok_or((400, "Bad Request: message to delete not found"))?
        .now = None;
    Ok("true".to_owned())
}

/// A guest query is answered once, with something that is shown.
fn answer_guest(shared: &Arc<Shared>, body: &Value) -> Answered {
    let result = &body["result"];
    let content = &result["input_message_content"];
    let text = match result["type"].as_str() {
        Some("article") => {
            let text = shown(&content["message_text"], &content["parse_mode"])?;
            check_text(&text, 4096)?;
            text
        }
        Some(_) => shown(&result["caption"], &result["parse_mode"])?,
        None => return Err((400, "Bad Request: can't parse inline query result")),
    };
    if result["id"].as_str().is_none_or(str::is_empty) {
        return Err((400, "Bad Request: RESULT_ID_INVALID"));
    }
    let query = body["guest_query_id"].as_str().unwrap_or_default();
    let id = format!("inline-{query}");
    let mut state = shared.lock();
    if query.is_empty() || state.guest_answers.contains_key(&id) {
        return Err((
            400,
            "Bad Request: query is too old and response timeout expired or query ID is invalid",
        ));
    }
    state.guest_answers.insert(id.clone(), text);
    Ok(json!({ "inline_message_id": id }).to_string())
}

/// Telegram cuts white space and what has no width.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}
