//! What holds for any input. `PROPTEST_CASES=1000000` is the long mode.

use std::collections::HashMap;
use std::sync::OnceLock;

use proptest::prelude::*;
use serde_json::{Value, json};
use switchboard_engine::UpdateContent;
use switchboard_model::Tags;

use super::fixture::{links, outgoing};
use super::inbound;
use super::markdown;
use super::outbound::plan::Plan;
use super::visible::is_visible;

/// All updates of the case file.
fn updates() -> &'static [Value] {
    static UPDATES: OnceLock<Vec<Value>> = OnceLock::new();
    UPDATES.get_or_init(|| {
        let mut found = Vec::new();
        for line in include_str!("../../../../tests/fixtures/cases/telegram.jsonl").lines() {
            collect(serde_json::from_str(line).unwrap(), &mut found);
        }
        assert!(found.len() > 10, "{}", found.len());
        found
    })
}

fn collect(value: Value, found: &mut Vec<Value>) {
    match value {
        Value::Object(map) if map.contains_key("update_id") => found.push(map.into()),
        Value::Object(map) => map.into_iter().for_each(|(_, inner)| collect(inner, found)),
        Value::Array(list) => list.into_iter().for_each(|inner| collect(inner, found)),
        _ => {}
    }
}

/// What is put where something else was: JSON that need not be anything Telegram says.
const ODD: [&str; 22] = [
    "null",
    "true",
    "0",
    "-1",
    "1.5",
    "1e999",
    "-9223372036854775809",
    "9007199254740993",
    "99999999999999999999999999",
    "\"\"",
    "\"\\ud800\"",
    "\"\\udc00 \\ud83d\"",
    "\"\\u0000\"",
    "\"a\\u202eb\\uffff\"",
    "[]",
    "{}",
    "[[[[[[[[]]]]]]]]",
    "{\"id\":1,\"id\":2}",
    "{\"id\":-100,\"type\":\"supergroup\"}",
    "\"501\"",
    "nul",
    "",
];

/// Writes a value with the `at`th thing in it replaced, or left out.
fn bend(value: &Value, at: &mut usize, odd: Option<&str>, text: &mut String) {
    if *at == 0 {
        *at = usize::MAX;
        text.push_str(odd.unwrap_or("null"));
        return;
    }
    *at -= 1;
    match value {
        Value::Object(map) => {
            text.push('{');
            let mut first = true;
            for (name, inner) in map {
                if *at == 0 && odd.is_none() {
                    *at = usize::MAX;
                    continue;
                }
                if !std::mem::take(&mut first) {
                    text.push(',');
                }
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                bend(inner, at, odd, text);
            }
            text.push('}');
        }
        Value::Array(list) => {
            text.push('[');
            for (number, inner) in list.iter().enumerate() {
                if number > 0 {
                    text.push(',');
                }
                bend(inner, at, odd, text);
            }
            text.push(']');
        }
        other => text.push_str(&other.to_string()),
    }
}

fn odd() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        1 => Just(None),
        8 => prop::sample::select(&ODD[..]).prop_map(|odd| Some(odd.to_owned())),
        1 => (1_usize..400).prop_map(|deep| Some("[".repeat(deep) + &"]".repeat(deep))),
        1 => (1_usize..5000).prop_map(|long| Some(format!("\"{}\"", "é🙂".repeat(long)))),
        1 => "\\PC{0,30}".prop_map(|text| Some(Value::from(text).to_string())),
    ]
}

type Fields = HashMap<String, Box<serde_json::value::RawValue>>;

/// It is taken, as something that can be stored.
fn is_taken(raw: &str) {
    let update = inbound::read("7000000001", &links(), raw);
    let fits = |id: &str| assert!(!id.is_empty() && id.len() <= Tags::VALUE_LIMIT, "{id:?}");
    match update.content {
        UpdateContent::Message(message) => {
            fits(&message.thread.id);
            fits(&message.sender.id);
            message.payload.check_payload().unwrap();
            // Values of tags that are too long the engine cuts.
            assert!(!message.kind.is_empty());
        }
        UpdateContent::Event(event) => {
            assert!(!event.kind.is_empty());
            event.payload.check_payload().unwrap();
            if let Some(thread) = &event.thread {
                fits(&thread.id);
            }
            let is_object = serde_json::from_str::<Fields>(raw).is_ok();
            assert!(
                is_object || event.kind == "unknown",
                "{} of {raw}",
                event.kind
            );
        }
        UpdateContent::Unmapped(_) => panic!("no script was asked"),
    }
    if let Some(query) = inbound::pressed(raw) {
        let value = query.data.as_deref().unwrap_or_default();
        drop(inbound::press("7000000001", &query, value, None));
    }
}

/// Telegram's HTML (<https://core.telegram.org/bots/api#html-style>), and nothing else: the text.
fn shown(html: &str) -> Result<String, String> {
    let (mut text, mut open, mut rest) = (String::new(), Vec::new(), html);
    while let Some(at) = rest.find(['<', '>', '&']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find(['>', ';']).ok_or(format!("no end: {rest}"))?;
        let piece = &rest[..=end];
        rest = &rest[end + 1..];
        match piece {
            "&lt;" => text.push('<'),
            "&gt;" => text.push('>'),
            "&amp;" => text.push('&'),
            "&quot;" => text.push('"'),
            _ if piece.starts_with("</") => {
                let name = piece.trim_matches(['<', '/', '>']);
                if open.pop().as_deref() != Some(name) {
                    return Err(format!("{piece} closes nothing in {html}"));
                }
            }
            _ => {
                // An address may hold an escape, whose semicolon is not the end.
                let mut tag = piece.to_owned();
                while !tag.ends_with('>') {
                    let end = rest.find('>').ok_or(format!("no end: {tag}"))?;
                    tag.push_str(&rest[..=end]);
                    rest = &rest[end + 1..];
                }
                let inner = tag
                    .strip_prefix('<')
                    .and_then(|tag| tag.strip_suffix('>'))
                    .ok_or(format!("{tag} is no tag"))?;
                let (name, attribute) = inner.split_once(' ').unwrap_or((inner, ""));
                let fits = match name {
                    "b" | "i" | "s" | "u" | "pre" | "blockquote" => attribute.is_empty(),
                    "code" => {
                        attribute.is_empty()
                            || attribute.starts_with("class=\"language-")
                                && open.last().map(String::as_str) == Some("pre")
                    }
                    "a" => attribute.starts_with("href=\""),
                    _ => false,
                };
                let quotes = attribute.matches('"').count();
                if !fits || quotes != 0 && (quotes != 2 || !attribute.ends_with('"')) {
                    return Err(format!("{tag} is not one of Telegram's"));
                }
                open.push(name.to_owned());
            }
        }
    }
    text.push_str(rest);
    if open.is_empty() {
        return Ok(text);
    }
    Err(format!("{open:?} stays open in {html}"))
}

/// Of a text field, what readers see.
fn visible(call: &serde_json::Map<String, Value>, field: &str) -> Option<String> {
    let text = call.get(field)?.as_str()?;
    match call.get("parse_mode") {
        Some(_) => Some(shown(text).unwrap()),
        None => Some(text.to_owned()),
    }
}

/// No call is one that Telegram is known to refuse.
fn can_be_sent(kind: &str, payload: &Value) {
    let Ok(plan) = Plan::of(&outgoing(kind, payload)) else {
        return;
    };
    for call in plan.calls {
        for (field, limit) in [("text", 4096), ("caption", 1024)] {
            if let Some(text) = visible(&call.parameters, field) {
                let units = text.encode_utf16().count();
                assert!((1..=limit).contains(&units), "{units} units of {field}");
            }
        }
        let Some(markup) = call.parameters.get("reply_markup") else {
            continue;
        };
        let rows = markup["inline_keyboard"].as_array().unwrap();
        let buttons: Vec<_> = rows
            .iter()
            .flat_map(|row| row.as_array().unwrap())
            .collect();
        assert!((1..=100).contains(&buttons.len()));
        for button in buttons {
            assert!(button["text"].as_str().unwrap().chars().any(is_visible));
            if let Some(data) = button.get("callback_data") {
                assert!((1..=64).contains(&data.as_str().unwrap().len()), "{data}");
            }
        }
    }
}

fn long_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,40}",
        "[a-z🙂é ]{1,60}",
        prop::sample::select(
            &[
                "\n",
                "```\n",
                "**",
                "[a](https://ex.test/?a=1&b=\"2\")",
                "<b>",
                "&",
                "> ",
                "| a | b |\n|---|---|\n"
            ][..]
        )
        .prop_map(str::to_owned),
    ];
    (prop::collection::vec(piece, 0..40), 1_usize..8)
        .prop_map(|(pieces, times)| pieces.concat().repeat(times))
}

proptest! {
    #[test]
    fn any_update_is_taken(
        (update, bends) in (
            prop::sample::select(updates()),
            prop::collection::vec((0_usize..60, odd()), 1..4),
        ),
    ) {
        let mut value = update;
        for (at, odd) in bends {
            let mut text = String::new();
            bend(&value, &mut at.clone(), odd.as_deref(), &mut text);
            is_taken(&text);
            match serde_json::from_str(&text) {
                Ok(bent) => value = bent,
                Err(_) => break,
            }
        }
    }

    #[test]
    fn any_text_is_taken_as_an_update(raw in "\\PC{0,200}", json in "[\\[\\]{}\",:0-9a-z\\\\ -]{0,60}") {
        is_taken(&raw);
        is_taken(&json);
        is_taken(&format!("{{\"update_id\":7,\"message\":{json}}}"));
    }

    #[test]
    fn any_markdown_becomes_telegrams_html(text in long_text()) {
        let rich = markdown::read(&text);
        let html = shown(&rich.html());
        prop_assert_eq!(html.as_deref(), Ok(rich.text()));
        can_be_sent("markdown", &json!({ "markdown": text }));
    }

    #[test]
    fn anything_that_can_be_sent_keeps_telegrams_limits(
        text in long_text(), label in "\\PC{0,80}", value in "\\PC{0,80}", count in 0_usize..30,
    ) {
        let options: Vec<_> = (0..count)
            .map(|n| json!({ "label": label, "value": format!("{value}{n}") }))
            .collect();
        can_be_sent("text", &json!({ "text": text }));
        can_be_sent("choice", &json!({ "text": text, "options": options }));
        let image = json!({ "imageUrl": "https://ex.test/a.png", "caption": text });
        can_be_sent("image", &image);
        let actions: Vec<_> = (0..count)
            .map(|_| json!({ "action": "say", "label": label, "value": value }))
            .collect();
        can_be_sent("card", &json!({
            "title": text, "subtitle": value, "imageUrl": "https://ex.test/a.png", "actions": actions,
        }));
    }
}

proptest! {
    // Each is a large text.
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn deep_nesting_overflows_nothing(
        opening in prop::sample::select(&["> ", "- ", "1. ", "[", "**", "*", "_", "`", "<b>", "![", "(", "~~"][..]),
        depth in 1_usize..1500,
    ) {
        let rich = markdown::read(&format!("{}x\nx", opening.repeat(depth)));
        prop_assert!(shown(&rich.html()).is_ok());
        prop_assert!(rich.text().contains('x'));
        prop_assert!(rich.text().len() < 100 + 60 * depth);
    }
}
