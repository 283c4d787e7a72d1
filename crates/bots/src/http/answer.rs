//! What a bot says in its response.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use switchboard_model::Json;

use crate::{BotFailure, BotReply};

/// The most messages in one answer.
const COUNT_LIMIT: usize = 100;
/// The longest type, in characters.
const KIND_LIMIT: usize = 200;
/// The largest payload, in bytes (the platform's limit).
const PAYLOAD_LIMIT: usize = 128 * 1024;
/// Some write it before their JSON, which knows none.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// How much of a bot's words an error repeats, in characters.
const WORDS_LIMIT: usize = 500;
/// How many names of fields are shown, and how much of each, in characters.
const SHOWN_NAMES: usize = 5;
const SHOWN_NAME: usize = 50;

/// The messages in the body of a 2xx answer. One that is empty, no JSON object, or has no
/// `messages`, has none: it is how a bot says only that it has taken the event. But an answer that
/// was meant as JSON and is none may have held messages, and is refused.
pub(super) fn replies(body: &[u8], says_json: bool) -> Result<Vec<BotReply>, BotFailure> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let body = body.trim_ascii();
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let value: &RawValue = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(_) if !says_json => return Ok(Vec::new()),
        Err(error) => {
            return Err(BotFailure::permanent(format!(
                "the bot's answer: its content-type says JSON, and the body is none ({error}); \
                 send JSON, or an empty body to say nothing"
            )));
        }
    };
    let Some(messages) = messages(value)? else {
        return Ok(Vec::new());
    };
    let list: Vec<&RawValue> =
        serde_json::from_str(messages.get()).map_err(|_| malformed("messages", "an array"))?;
    if list.len() > COUNT_LIMIT {
        return Err(malformed(
            "messages",
            &format!("at most {COUNT_LIMIT} items"),
        ));
    }
    list.iter()
        .enumerate()
        .map(|(index, item)| reply(&format!("messages[{index}]"), item))
        .collect()
}

fn messages(value: &RawValue) -> Result<Option<&RawValue>, BotFailure> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        messages: Option<&'a RawValue>,
    }
    // Serde would also fill a struct from an array, by position.
    if !value.get().starts_with('{') {
        return Ok(None);
    }
    serde_json::from_str::<Answer<'_>>(value.get())
        .map(|answer| answer.messages)
        .map_err(|_| malformed("messages", "it once"))
}

/// The names of the fields, to be shown, of an answer that is an object, has some, and no `messages`
/// among them.
pub(super) fn other_fields(body: &[u8]) -> Option<String> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let fields: BTreeMap<String, &RawValue> = serde_json::from_slice(body).ok()?;
    if fields.is_empty() || fields.contains_key("messages") {
        return None;
    }
    let shown = |name: &String| format!("{:?}", name.chars().take(SHOWN_NAME).collect::<String>());
    let names: Vec<_> = fields.keys().take(SHOWN_NAMES).map(shown).collect();
    let more = if fields.len() > SHOWN_NAMES {
        ", …"
    } else {
        ""
    };
    Some(format!("{}{more}", names.join(", ")))
}

fn reply(path: &str, item: &RawValue) -> Result<BotReply, BotFailure> {
    #[derive(Deserialize)]
    struct Item<'a> {
        #[serde(borrow, rename = "type")]
        kind: Option<&'a RawValue>,
        #[serde(borrow)]
        payload: Option<&'a RawValue>,
    }
    let item: Item<'_> = Some(item.get())
        .filter(|text| text.starts_with('{'))
        .and_then(|text| serde_json::from_str(text).ok())
        .ok_or_else(|| malformed(path, "an object"))?;
    let kind = item
        .kind
        .and_then(|kind| serde_json::from_str::<String>(kind.get()).ok())
        .filter(|kind| {
            !kind.is_empty() && !kind.contains('\0') && kind.chars().count() <= KIND_LIMIT
        })
        .ok_or_else(|| {
            malformed(
                &format!("{path}.type"),
                &format!("a text of 1 to {KIND_LIMIT} characters"),
            )
        })?;
    let payload = item.payload.map_or("", RawValue::get);
    let path = format!("{path}.payload");
    if payload.len() > PAYLOAD_LIMIT {
        return Err(malformed(
            &path,
            &format!("at most {PAYLOAD_LIMIT} bytes of JSON"),
        ));
    }
    let payload = Json::parse(payload).map_err(|_| malformed(&path, "an object"))?;
    Ok(BotReply { kind, payload })
}

fn malformed(path: &str, expected: &str) -> BotFailure {
    BotFailure::permanent(format!("the bot's answer: {path}: expected {expected}"))
}

/// The bot's own words in an answer that refuses, on one line, cut short.
pub(super) fn words(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(alias = "error")]
        message: String,
    }
    let text = match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => refusal.message,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    // Shown on terminals later: nothing in it may move the cursor there.
    let line = text.replace(char::is_control, " ");
    let mut characters = line.trim().chars();
    let mut words: String = characters.by_ref().take(WORDS_LIMIT).collect();
    if characters.next().is_some() {
        words.push('…');
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: &str) -> Result<Vec<BotReply>, String> {
        replies(body.as_bytes(), true).map_err(|error| error.to_string())
    }

    #[test]
    fn what_names_no_messages_is_an_empty_answer() {
        for body in [
            "",
            " \n",
            "\u{feff}",
            "{}",
            "[]",
            "[[1]]",
            "\"ok\"",
            "null",
            "{\"messages\":null}",
            "{\"ok\":1}",
        ] {
            assert_eq!(text(body), Ok(Vec::new()), "{body}");
        }
    }

    #[test]
    fn fields_that_say_nothing_are_named() {
        let fields = |body: &str| other_fields(body.as_bytes());
        for body in [
            "",
            "ok",
            "{}",
            "[]",
            "[{\"a\":1}]",
            "{\"messages\":null,\"a\":1}",
        ] {
            assert_eq!(fields(body), None, "{body}");
        }
        let found = fields("\u{feff}{\"text\":\"hi\",\"message\\n\":[]}");
        assert_eq!(found.as_deref(), Some(r#""message\n", "text""#));
        let many = (0..9).map(|n| format!("\"{n}{}\":{n}", "x".repeat(1000)));
        let many = fields(&format!("{{{}}}", many.collect::<Vec<_>>().join(",")));
        assert!(many.is_some_and(|many| many.len() < 300 && many.ends_with('…')));
    }

    #[test]
    fn what_is_no_json_is_refused_where_json_was_meant() {
        let cut = r#"{"messages":[{"type":"text","payload":{"text":"hi"}}"#;
        for body in ["ok", "<html>", cut, "{} {}", "\0\u{fffd}"] {
            let error = text(body).unwrap_err();
            assert!(error.contains("content-type says JSON"), "{error}");
            assert_eq!(replies(body.as_bytes(), false), Ok(Vec::new()), "{body}");
        }
        let marked = "\u{feff}{\"messages\":[{\"type\":\"t\",\"payload\":{}}]}";
        assert_eq!(text(marked).unwrap().len(), 1);
    }

    #[test]
    fn payloads_stay_as_they_came() {
        let payload = r#"{"z":1.0, "a":9007199254740993}"#;
        let body = format!(r#"{{"messages":[{{"payload":{payload},"type":"t","x":1}}]}}"#);
        let replies = text(&body).unwrap();
        assert_eq!(replies[0].kind, "t");
        assert_eq!(replies[0].payload.as_str(), payload);
    }

    #[test]
    fn a_malformed_answer_names_the_field() {
        let many = format!("{{\"messages\":[{}{{}}]}}", "{},".repeat(100));
        let long = format!(
            r#"{{"messages":[{{"type":"{}","payload":{{}}}}]}}"#,
            "t".repeat(201)
        );
        let large = format!(
            r#"{{"messages":[{{"type":"t","payload":{{"t":"{}"}}}}]}}"#,
            "x".repeat(PAYLOAD_LIMIT)
        );
        for (body, field) in [
            (r#"{"messages":{}}"#, "messages: "),
            (r#"{"messages":"hi"}"#, "messages: "),
            (r#"{"messages":[],"messages":[]}"#, "messages: "),
            (&many, "messages: "),
            (r#"{"messages":["hi"]}"#, "messages[0]: "),
            (r#"{"messages":[["t",{}]]}"#, "messages[0]: "),
            (r#"{"messages":[{"payload":{}}]}"#, "messages[0].type: "),
            (
                r#"{"messages":[{"type":"t","payload":{}},{"type":7,"payload":{}}]}"#,
                "messages[1].type: ",
            ),
            (
                r#"{"messages":[{"type":"","payload":{}}]}"#,
                "messages[0].type: ",
            ),
            (&long, "messages[0].type: "),
            (r#"{"messages":[{"type":"t"}]}"#, "messages[0].payload: "),
            (
                r#"{"messages":[{"type":"t","payload":"hi"}]}"#,
                "messages[0].payload: ",
            ),
            (&large, "messages[0].payload: "),
        ] {
            let error = text(body).unwrap_err();
            assert!(error.contains(field), "{field} in {error}");
        }
    }

    #[test]
    fn words_are_one_short_line() {
        assert_eq!(
            words(br#"{"message":"no\n\u001b[2Jway","code":400}"#),
            "no  [2Jway"
        );
        assert_eq!(
            words(br#"{"error":"Missing bot header"}"#),
            "Missing bot header"
        );
        assert_eq!(words(b"<html>"), "<html>");
        assert_eq!(words(b""), "");
        assert_eq!(words("é".repeat(501).as_bytes()).chars().count(), 501);
    }
}
