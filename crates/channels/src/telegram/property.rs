//! What holds for any input. `cargo xtask properties` tries a million cases of each.
//!
//! A case is cheap, for there are many: patterns are compiled once, large inputs are rare, and what
//! is stored goes to no disk.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use proptest::prelude::*;
use proptest::string::{RegexGeneratorStrategy, string_regex};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use switchboard_engine::{Update, UpdateContent};
use switchboard_model::Tags;
use switchboard_store::Ingested;

use super::Account;
use super::fixture::{Bench, TOKEN, links, outgoing};
use super::inbound;
use super::markdown;
use super::outbound::plan::Plan;
use super::polling::is_passing;
use super::strict;
use super::visible::is_visible;

/// Texts that a pattern matches. A pattern in the place of a strategy is compiled for each case.
pub(super) fn matching(pattern: &str) -> RegexGeneratorStrategy<String> {
    string_regex(pattern).unwrap()
}

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
        20 => Just(None),
        170 => prop::sample::select(&ODD[..]).prop_map(|odd| Some(odd.to_owned())),
        8 => (1_usize..400).prop_map(|deep| Some("[".repeat(deep) + &"]".repeat(deep))),
        2 => (1_usize..5000).prop_map(|long| Some(format!("\"{}\"", "é🙂".repeat(long)))),
        20 => matching("\\PC{0,30}").prop_map(|text| Some(Value::from(text).to_string())),
    ]
}

/// An update of the case file and what becomes of it.
fn bent_update() -> impl Strategy<Value = (Value, Vec<(usize, Option<String>)>)> {
    (
        prop::sample::select(updates()),
        prop::collection::vec((0_usize..60, odd()), 1..4),
    )
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

/// Of a text field, what readers see.
fn visible(call: &serde_json::Map<String, Value>, field: &str) -> Option<String> {
    let text = call.get(field)?.as_str()?;
    match call.get("parse_mode") {
        Some(_) => Some(strict::read(text).unwrap().text),
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

/// Markdown, mostly a few words of it; now and then more than a message has room for.
fn long_text() -> impl Strategy<Value = String> {
    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            matching("\\PC{0,40}"),
            matching("[a-z🙂é ]{1,60}"),
            prop::sample::select(
                &[
                    "\n",
                    "```\n",
                    "**",
                    "`",
                    "[a](https://ex.test/?a=1&b=\"2\")",
                    "[![a](https://ex.test/a.png)](https://ex.test/)",
                    "<b>",
                    "&",
                    "> ",
                    "| a | b |\n|---|---|\n"
                ][..]
            )
            .prop_map(str::to_owned),
        ]
    }
    prop_oneof![
        60 => prop::collection::vec(piece(), 0..10).prop_map(|pieces| pieces.concat()),
        1 => (prop::collection::vec(piece(), 20..40), 1_usize..8)
            .prop_map(|(pieces, times)| pieces.concat().repeat(times)),
    ]
}

proptest! {
    #[test]
    fn any_update_is_taken((update, bends) in bent_update()) {
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
    fn any_text_is_taken_as_an_update(
        raw in matching("\\PC{0,200}"),
        json in matching("[\\[\\]{}\",:0-9a-z\\\\ -]{0,60}"),
    ) {
        is_taken(&raw);
        is_taken(&json);
        is_taken(&format!("{{\"update_id\":7,\"message\":{json}}}"));
    }

    #[test]
    fn any_markdown_becomes_telegrams_html(text in long_text()) {
        markdown::read(&text).assert_reads_back();
        can_be_sent("markdown", &json!({ "markdown": text }));
    }

    #[test]
    fn anything_that_can_be_sent_keeps_telegrams_limits(
        text in long_text(),
        label in matching("\\PC{0,80}"),
        value in matching("\\PC{0,80}"),
        count in prop_oneof![40 => 0_usize..4, 1 => 4_usize..30],
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

    #[test]
    fn deep_nesting_overflows_nothing(
        opening in prop::sample::select(
            &["> ", "- ", "1. ", "[", "**", "*", "_", "`", "<b>", "![", "(", "~~"][..]
        ),
        depth in prop_oneof![200 => 1_usize..40, 1 => 40_usize..1500],
    ) {
        let rich = markdown::read(&format!("{}x\nx", opening.repeat(depth)));
        rich.assert_reads_back();
        prop_assert!(rich.text().contains('x'));
        prop_assert!(rich.text().len() < 100 + 60 * depth);
    }
}

/// The same update with numbers that no other case has.
fn renumbered(value: &Value, number: i64) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(name, inner)| {
                let inner = match (name.as_str(), inner.as_i64()) {
                    ("update_id" | "message_id", Some(old)) => (old % 100 + number * 100).into(),
                    _ => renumbered(inner, number),
                };
                (name.clone(), inner)
            })
            .collect(),
        Value::Array(list) => list.iter().map(|inner| renumbered(inner, number)).collect(),
        other => other.clone(),
    }
}

/// How many updates one store takes before the next: as many as leave it small.
const STORED: i64 = 2000;

/// An account and the store behind it.
struct Place {
    bench: Bench,
    account: Arc<Account>,
    /// The last update that was taken.
    last: Option<Update>,
}

impl Place {
    async fn new() -> Self {
        let bench = Bench::on_no_disk().await;
        let account = bench.account("http://127.0.0.1:9");
        Self {
            bench,
            account,
            last: None,
        }
    }

    /// Takes an update twice at once, and once more the one before it.
    async fn take(&mut self, raw: &str) -> Vec<Ingested> {
        let (mut update, _) = self.account.read(raw).await.unwrap();
        let engine = &self.bench.engine;
        loop {
            let copies = [
                Some(update.clone()),
                Some(update.clone()),
                self.last.clone(),
            ];
            let copies = copies.into_iter().flatten().collect();
            match engine.ingest(&self.bench.integration, copies, None).await {
                Ok(taken) => {
                    self.last = Some(update);
                    return taken;
                }
                // What is refused is kept as it came; that is not refused.
                Err(error) => {
                    assert!(!is_passing(&error), "{error}");
                    let kept = inbound::unreadable("7000000001", raw);
                    assert_ne!(kept.once, update.once, "{error}: {raw}");
                    update = kept;
                }
            }
        }
    }
}

#[test]
fn an_update_that_comes_again_is_stored_once_and_without_the_token() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let secret = TOKEN.split_once(':').unwrap().1;
    let place = RefCell::new(runtime.block_on(Place::new()));
    let (tried, stored) = (Cell::new(0_i64), Cell::new(0_i64));
    // No file of failures: the seed that is printed says enough.
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&bent_update(), |(update, bends)| {
        tried.set(tried.get() + 1);
        if tried.get() % STORED == 0 {
            place.replace(runtime.block_on(Place::new()));
        }
        let (at, odd) = &bends[0];
        let mut raw = String::new();
        let update = renumbered(&update, tried.get());
        bend(&update, &mut at.clone(), odd.as_deref(), &mut raw);
        let mut place = place.borrow_mut();
        let taken = runtime.block_on(place.take(&raw));
        prop_assert!(!format!("{:?}", place.last).contains(secret), "{}", raw);
        // What lost its number is told from others by its text alone, and may have come before.
        stored.set(stored.get() + i64::from(taken[0] != Ingested::Duplicate));
        let again = taken[1..].iter().all(|taken| *taken == Ingested::Duplicate);
        prop_assert!(again, "{taken:?}: {raw}");
        Ok(())
    });
    result.unwrap();
    let (tried, stored) = (tried.get(), stored.get());
    assert!(stored * 10 > tried * 8, "{stored} of {tried} were new");
}
