//! Bodies that were right once: whatever is changed in them, the answer is of the API's form and
//! no defect shows. Each goes the whole way through the router and into a store, which is on no disk
//! and begins anew before it is large: there are many cases.

use std::cell::{Cell, RefCell};

use axum::http::Method;
use proptest::prelude::*;
use proptest::string::{RegexGeneratorStrategy, string_regex};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::support::{Client, World};

/// How many bodies one store takes.
const STORED: u32 = 2000;

/// Texts that a pattern matches. A pattern in the place of a strategy is compiled for each case.
fn matching(pattern: &str) -> RegexGeneratorStrategy<String> {
    string_regex(pattern).unwrap()
}

/// A change of a body.
#[derive(Debug, Clone)]
enum Change {
    /// Another value in the place of this number.
    Put(usize, Value),
    /// No value there.
    Remove(usize),
    /// Other bytes in the text.
    Bytes(usize, Vec<u8>),
    /// An end before the end.
    Cut(usize),
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        matching(".{0,8}").prop_map(Into::into),
        Just(json!([])),
        Just(json!({})),
        matching("[a-z]{1,6}").prop_map(|name| json!({ name: [1, { "x": null }] })),
        matching("(conv|user|msg|evt|int|bot)_01ARZ3NDEKTSV4RRFFQ69G5FAV").prop_map(Into::into),
        (0..600_usize).prop_map(|length| json!("x".repeat(length))),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (any::<usize>(), value()).prop_map(|(place, value)| Change::Put(place, value)),
        1 => any::<usize>().prop_map(Change::Remove),
        1 => (any::<usize>(), prop::collection::vec(any::<u8>(), 0..4))
            .prop_map(|(place, bytes)| Change::Bytes(place, bytes)),
        1 => any::<usize>().prop_map(Change::Cut),
    ]
}

/// The pointers of all values in it.
fn places(value: &Value) -> Vec<String> {
    fn walk(value: &Value, at: &str, found: &mut Vec<String>) {
        found.push(at.to_owned());
        match value {
            Value::Object(fields) => {
                for (name, inner) in fields {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    walk(inner, &format!("{at}/{name}"), found);
                }
            }
            Value::Array(items) => {
                for (number, inner) in items.iter().enumerate() {
                    walk(inner, &format!("{at}/{number}"), found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found
}

fn changed(mut body: Value, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let places = places(&body);
        match change {
            Change::Put(place, value) => {
                let pointer = &places[place % places.len()];
                *body.pointer_mut(pointer).unwrap() = value.clone();
            }
            Change::Remove(place) => {
                let pointer = &places[place % places.len()];
                if let Some((parent, name)) = pointer.rsplit_once('/')
                    && let Some(Value::Object(fields)) = body.pointer_mut(parent)
                {
                    fields.remove(&name.replace("~1", "/").replace("~0", "~"));
                }
            }
            Change::Bytes(..) | Change::Cut(_) => {}
        }
    }
    let mut text = body.to_string().into_bytes();
    for change in changes {
        match change {
            Change::Bytes(place, bytes) => {
                let place = place % (text.len() + 1);
                let end = text.len().min(place + bytes.len());
                text.splice(place..end, bytes.iter().copied());
            }
            Change::Cut(place) => text.truncate(place % (text.len() + 1)),
            _ => {}
        }
    }
    text
}

/// A store with a conversation and a user, and bodies that are right there.
struct Place {
    /// Gone, its folder would be.
    _world: World,
    telegram: Client,
    bodies: [(String, Value); 8],
}

impl Place {
    async fn new() -> Self {
        let world = World::on_no_disk().await;
        let telegram = world.telegram();
        let conversation = telegram.conversation(json!({ "id": "1" })).await;
        let user = telegram.user(json!({ "id": "1" })).await;
        Self {
            _world: world,
            telegram,
            bodies: bodies(&conversation, &user)
                .map(|(path, body)| (format!("/v1/chat{path}"), body)),
        }
    }
}

fn bodies(conversation: &str, user: &str) -> [(String, Value); 8] {
    let by = json!(["id"]);
    let said = json!({
        "conversationId": conversation, "userId": user, "type": "text",
        "payload": { "text": "a", "n": [1, { "x": "\u{1f600}" }] }, "tags": { "id": "5" },
        "discriminateByTags": by, "origin": "synthetic", "schedule": { "delay": 1000 },
    });
    [
        (
            "/users".to_owned(),
            json!({ "tags": { "id": "2" }, "name": "a", "pictureUrl": "b" }),
        ),
        (
            "/conversations/get-or-create".to_owned(),
            json!({ "channel": "channel", "tags": { "id": "3" }, "discriminateByTags": by }),
        ),
        ("/messages".to_owned(), said.clone()),
        ("/messages/get-or-create".to_owned(), said),
        (
            "/initialize-incoming-message".to_owned(),
            json!({
                "user": { "tags": { "id": "6" }, "discriminateByTags": by },
                "conversation": {
                    "channel": "channel", "tags": { "id": "7" }, "discriminateByTags": by,
                },
                "message": {
                    "type": "text", "payload": { "text": "b" }, "tags": { "id": "8" },
                    "discriminateByTags": by,
                },
            }),
        ),
        (
            "/events".to_owned(),
            json!({
                "type": "x", "payload": { "a": 1 }, "conversationId": conversation,
                "schedule": { "dateTime": "2030-01-01T00:00:00Z" },
            }),
        ),
        (
            format!("/states/conversation/{conversation}/x"),
            json!({ "payload": { "a": { "b": [] } }, "expiry": 100_000 }),
        ),
        (
            "/messages/import-messages".to_owned(),
            json!({ "messages": [{
                "conversationId": conversation, "userId": user, "type": "text",
                "createdAt": "2020-01-01T00:00:00Z", "payload": { "text": "c" },
                "tags": { "id": "9" }, "discriminateByTags": by,
            }] }),
        ),
    ]
}

#[test]
fn property_a_changed_body_is_taken_or_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let place = RefCell::new(runtime.block_on(Place::new()));
    let tried = Cell::new(0_u32);
    let cases = (0..8_usize, prop::collection::vec(change(), 0..4));
    // No file of failures: the seed that is printed says enough.
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&cases, |(number, changes)| {
        tried.set(tried.get() + 1);
        if tried.get().is_multiple_of(STORED) {
            place.replace(runtime.block_on(Place::new()));
        }
        let place = place.borrow();
        let (path, body) = &place.bodies[number];
        let text = changed(body.clone(), &changes);
        let answer = runtime.block_on(place.telegram.send(Method::POST.as_str(), path, text));
        let status = answer.status.as_u16();
        prop_assert!(matches!(status, 200 | 201 | 400..=499), "{}", answer.text);
        if status >= 400 {
            prop_assert_eq!(answer.body["code"].as_u64(), Some(u64::from(status)));
            let message = answer.body["message"].as_str();
            prop_assert!(message.is_some_and(|text| !text.is_empty()));
        } else {
            prop_assert!(answer.body.is_object());
        }
        Ok(())
    });
    result.unwrap();
}
