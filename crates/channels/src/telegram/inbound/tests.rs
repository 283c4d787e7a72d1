mod cases;
mod places;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::fixture::{case, links};
use super::super::once::update_id;
use super::super::target::target;
use super::*;

const ACCOUNT: &str = "7000000001";

fn take(update: &Value) -> Update {
    read(ACCOUNT, &links(), &update.to_string())
}

fn thread(update: &Update) -> Option<&ExternalThread> {
    match &update.content {
        UpdateContent::Message(message) => Some(&message.thread),
        UpdateContent::Event(event) => event.thread.as_ref(),
        UpdateContent::Unmapped(_) => None,
    }
}

fn sender_id(update: &Update) -> Option<&str> {
    match &update.content {
        UpdateContent::Message(message) => Some(&message.sender.id),
        UpdateContent::Event(event) => event.sender.as_ref().map(|sender| sender.id.as_str()),
        UpdateContent::Unmapped(_) => None,
    }
}

fn message(update: &Update) -> &IncomingMessage {
    match &update.content {
        UpdateContent::Message(message) => message,
        other => panic!("not a message: {other:?}"),
    }
}

fn event_of(update: &Update) -> &IncomingEvent {
    match &update.content {
        UpdateContent::Event(event) => event,
        other => panic!("not an event: {other:?}"),
    }
}

/// The distinct values of what is asked of the updates that bring a message.
fn of_messages<T: Ord>(updates: &[&Update], ask: impl Fn(&Update, &IncomingMessage) -> T) -> usize {
    let all: BTreeSet<T> = updates
        .iter()
        .filter_map(|update| match &update.content {
            UpdateContent::Message(message) => Some(ask(update, message)),
            _ => None,
        })
        .collect();
    all.len()
}

fn place(update: &Update) -> Option<Thread> {
    let thread = thread(update)?;
    Some(target(&thread.tags).expect("a thread's tags say where it is"))
}

#[test]
fn tg_in_014_what_one_bot_was_sent_is_never_taken_for_what_another_was() {
    let case = case("tg-in-014");
    let steps = case["input"]["steps"].as_array().unwrap();
    let mut bot = "";
    let mut messages = BTreeSet::new();
    let numbers: Vec<_> = steps
        .iter()
        .map(|step| &step["poll_as"]["bot_id"])
        .collect();
    let accounts: Vec<_> = numbers.iter().map(ToString::to_string).collect();
    for (step, account) in steps.iter().zip(&accounts) {
        if let Some(update) = step["returns"].get(0) {
            bot = account;
            let update = read(bot, &links(), &update.to_string());
            message(&update);
            messages.insert(update.once);
        }
    }
    assert_eq!(messages.len(), 2);
    // Private chats and basic groups are numbered per account: the same number says nothing.
    for update in [
        private(&json!({})),
        private(&json!({ "chat": { "id": -4_100_200, "type": "group" } })),
        json!({ "update_id": 5, "poll": { "id": "1" } }),
        json!({ "update_id": 5, "nothing": 1 }),
        json!([]),
    ] {
        let once = |account: &str| read(account, &links(), &update.to_string()).once;
        assert_ne!(once("1"), once(bot), "{update}");
        assert_eq!(once(bot), once(bot), "{update}");
    }
}

fn private(more: &Value) -> Value {
    let mut message = json!({
        "message_id": 11, "date": 1_790_000_001,
        "chat": { "id": 501, "type": "private", "first_name": "Ada" },
        "from": { "id": 501, "is_bot": false, "first_name": "Ada", "last_name": "L", "username": "ada" },
        "text": "hello",
    });
    for (name, value) in more.as_object().unwrap() {
        message[name] = value.clone();
    }
    json!({ "update_id": 1, "message": message })
}

#[test]
fn a_text_carries_its_words_its_ids_and_its_author() {
    let update = take(&private(&json!({
        "text": "nul \u{0}here", "reply_to_message": { "message_id": 7 },
    })));
    assert_eq!(update.once, ["message", ACCOUNT, "", "501", "11"]);
    let message = message(&update);
    assert_eq!(message.kind, "text");
    assert_eq!(message.payload.as_str(), "{\"text\":\"nul \u{fffd}here\"}");
    assert_eq!(
        message.tags,
        Tags::from_iter([
            ("id", "11"),
            ("chatId", "501"),
            ("date", "1790000001"),
            ("replyTo", "7"),
        ])
    );
    assert_eq!(message.thread.id, "501");
    assert_eq!(
        message.thread.tags,
        Tags::from_iter([("chatId", "501"), ("chatType", "private")])
    );
    assert_eq!(message.sender.id, "501");
    assert_eq!(message.sender.name.as_deref(), Some("Ada L"));
    assert_eq!(message.sender.tags, Tags::from_iter([("username", "ada")]));
}

#[test]
fn the_chat_that_speaks_goes_before_the_person_and_before_nobody_the_place() {
    let channel = json!({ "id": -1_002_200_000_001_i64, "type": "channel", "title": "News" });
    let update = take(&private(&json!({ "sender_chat": channel })));
    assert_eq!(sender_id(&update), Some("-1002200000001"));
    let group = json!({ "id": -1_002_100_000_001_i64, "type": "supergroup", "title": "Team" });
    for stand_in in [1_087_968_824_i64, 777_000, 136_817_688] {
        let nobody = json!({ "id": stand_in, "is_bot": true, "first_name": "Group" });
        let update = take(&private(&json!({ "chat": group, "from": nobody })));
        assert_eq!(sender_id(&update), Some("-1002100000001"));
        let change = json!({ "chat": group, "from": nobody, "date": 1 });
        let update = take(&json!({ "update_id": 1, "chat_member": change }));
        assert_eq!(sender_id(&update), Some("-1002100000001"));
    }
}

#[test]
fn ids_and_dates_wider_than_32_bits_stay_as_they_are() {
    let update = take(&private(&json!({
        "message_id": 4_294_967_297_i64, "date": 4_102_444_800_i64,
        "chat": { "id": -4_503_599_627_370_495_i64, "type": "supergroup" },
        "from": { "id": 4_503_599_627_370_495_i64, "is_bot": false, "first_name": "Ada" },
    })));
    let message = message(&update);
    assert_eq!(message.thread.id, "-4503599627370495");
    assert_eq!(message.sender.id, "4503599627370495");
    assert_eq!(message.tags.get("id"), Some("4294967297"));
    assert_eq!(message.tags.get("date"), Some("4102444800"));
}

#[test]
fn a_business_chat_is_another_thread_and_numbers_its_messages_apart() {
    let mut update = private(&json!({ "business_connection_id": "bc-1" }));
    let message_fields = update["message"].take();
    let update = take(&json!({ "update_id": 1, "business_message": message_fields }));
    assert_eq!(message(&update).thread.id, "business:bc-1/501");
    assert_eq!(update.once, ["message", ACCOUNT, "bc-1", "501", "11"]);
}

#[test]
fn what_a_bot_says_for_a_business_account_is_no_message_to_answer() {
    let mut update = private(&json!({
        "business_connection_id": "bc-1",
        "sender_business_bot": { "id": 7_000_000_001_i64, "is_bot": true, "first_name": "S" },
    }));
    let message_fields = update["message"].take();
    let update = take(&json!({ "update_id": 1, "business_message": message_fields }));
    assert_eq!(event_of(&update).kind, "business_message");
}

#[test]
fn a_channels_direct_messages_are_a_thread_a_person() {
    let update = take(&private(&json!({
        "chat": { "id": -1_002_200_000_009_i64, "type": "supergroup", "is_direct_messages": true },
        "direct_messages_topic": { "topic_id": 501 }, "message_thread_id": 501,
    })));
    assert_eq!(message(&update).thread.id, "-1002200000009/direct/501");
}

#[test]
fn message_0_is_no_identity() {
    let first = take(&private(&json!({ "message_id": 0 })));
    let mut other = private(&json!({ "message_id": 0 }));
    other["update_id"] = json!(2);
    assert_eq!(message(&first).tags.get("id"), None);
    assert_ne!(first.once, take(&other).once);
    assert_eq!(first.once, take(&private(&json!({ "message_id": 0 }))).once);
}

#[test]
fn what_one_person_only_sees_belongs_to_no_conversation() {
    let update = take(&private(&json!({
        "message_id": 0, "ephemeral_message_id": 3,
        "chat": { "id": -1_002_100_000_001_i64, "type": "supergroup" },
    })));
    assert_eq!(event_of(&update).kind, "message");
    assert!(thread(&update).is_none());
}

#[test]
fn an_edit_and_an_upgrade_are_events_of_their_conversation() {
    let upgrade = json!({
        "text": null, "migrate_to_chat_id": -1_002_100_000_002_i64,
        "chat": { "id": -4_100_300, "type": "group" },
    });
    let raw = private(&upgrade);
    let update = take(&raw);
    let event = event_of(&update);
    assert_eq!(event.kind, "message");
    assert_eq!(event.payload.as_str(), format!("{{\"update\":{raw}}}"));
    assert_eq!(thread(&update).unwrap().id, "-1002100000002");
    assert_eq!(event.moved_from.as_deref(), Some("-4100300"));
    assert_eq!(sender_id(&update), Some("501"));
    let edited = json!({ "update_id": 2, "edited_message": private(&json!({}))["message"] });
    let update = take(&edited);
    assert_eq!(event_of(&update).kind, "edited_message");
    assert_eq!(thread(&update).unwrap().id, "501");
}

#[test]
fn an_edit_tells_its_date_and_the_type_that_the_message_has_now() {
    let photo = json!([{ "file_id": "F", "file_unique_id": "U", "width": 9, "height": 9 }]);
    let mut edited = private(&json!({ "text": null, "photo": photo, "edit_date": 1_790_000_009 }));
    let edited = json!({ "update_id": 3, "edited_message": edited["message"].take() });
    let update = take(&edited);
    let edit = event_of(&update).edit.as_ref().unwrap();
    assert_eq!(
        (edit.kind.as_str(), edit.at),
        ("image", Some(1_790_000_009))
    );
}

#[test]
fn an_edit_with_the_same_content_is_new_under_another_number_and_the_reverse() {
    let edit = |id: i64, text: &str| {
        let edited = private(&json!({ "text": text }))["message"].clone();
        take(&json!({ "update_id": id, "edited_message": edited })).once
    };
    assert_ne!(edit(1, "a"), edit(2, "a"));
    assert_ne!(edit(1, "a"), edit(1, "b"));
    assert_eq!(edit(1, "a"), edit(1, "a"));
}

#[test]
fn a_reaction_in_a_forum_names_no_topic_so_it_belongs_to_none() {
    let reaction = |chat: Value| {
        take(&json!({ "update_id": 1, "message_reaction": {
            "chat": chat, "message_id": 5, "date": 1, "old_reaction": [], "new_reaction": [],
            "user": { "id": 501, "is_bot": false, "first_name": "Ada" },
        } }))
    };
    let forum = reaction(json!({ "id": -100, "type": "supergroup", "is_forum": true }));
    assert!(thread(&forum).is_none());
    assert_eq!(sender_id(&forum), Some("501"));
    let group = reaction(json!({ "id": -100, "type": "supergroup" }));
    assert_eq!(thread(&group).unwrap().id, "-100");
}

#[test]
fn every_kind_that_is_asked_for_is_an_event_under_its_own_name() {
    for kind in KINDS {
        let update = take(&json!({ "update_id": 1, kind: {
            "message_id": 1, "chat": { "id": 5, "type": "private" }, "date": 1,
        } }));
        assert_eq!(event_of(&update).kind, kind);
    }
}

#[test]
fn what_cannot_be_understood_is_kept_whole() {
    for raw in [
        r#"{"update_id":1}"#,
        r#"{"update_id":1,"message":5}"#,
        r#"{"update_id":1,"message":{"message_id":"x","chat":{"id":1},"text":"hi"}}"#,
        r#"{"update_id":1,"message":{"message_id":1,"chat":{"id":1},"text":"hi","sender_chat":7}}"#,
        r#"{"update_id":"x","Weird Name":{}}"#,
        "[1,2]",
        r#"{"update_id":1,"message":{"message_id":99999999999999999999,"chat":{"id":1}}}"#,
        r#"{"update_id":9223372036854775807,"message":{"message_id":1,"chat":{"id":1},"text":"hi"}}"#,
        r#"{"update_id":-5,"message":{"message_id":1,"chat":{"id":1},"text":"hi"}}"#,
        r#"{"message":{"message_id":1,"chat":{"id":1},"text":"hi"}}"#,
    ] {
        let update = read(ACCOUNT, &links(), raw);
        let event = event_of(&update);
        assert_eq!(event.kind, "unknown", "{raw}");
        assert_eq!(event.payload.as_str(), format!("{{\"update\":{raw}}}"));
        assert!(event.thread.is_none() && event.sender.is_none());
        assert!(!update.once.is_empty());
    }
}

#[test]
fn what_is_no_json_that_can_be_kept_is_kept_as_text() {
    let half_pair = r#"{"update_id":1,"message":{"message_id":1,"chat":{"id":1},"text":"\ud800"}}"#;
    let deep = format!(
        r#"{{"update_id":7,"poll":{}{}}}"#,
        "[".repeat(300),
        "]".repeat(300)
    );
    for raw in [half_pair, &deep] {
        let update = read(ACCOUNT, &links(), raw);
        let payload: Value = event_of(&update).payload.read().unwrap();
        assert_eq!(payload["raw"], *raw);
    }
    assert_eq!(update_id(half_pair), Some(1));
    assert_eq!(update_id(&deep), Some(7));
}

#[test]
fn what_is_no_json_at_all_is_kept_up_to_a_limit_and_told_apart_whole() {
    let read = |body: &[u8]| no_json(ACCOUNT, body);
    let raw = |update: &Update| {
        let payload: Value = event_of(update).payload.read().unwrap();
        payload["raw"].as_str().unwrap().to_owned()
    };
    let update = read(b"{half \xf0 nul \0");
    assert_eq!(event_of(&update).kind, "unknown");
    assert_eq!(raw(&update), "{half \u{fffd} nul \u{fffd}");
    assert_eq!(raw(&read(b"")), "");
    let long = "🙂".repeat(RAW_LIMIT);
    let text = format!("x{long}");
    let kept = raw(&read(text.as_bytes()));
    assert!(text.starts_with(&kept) && (RAW_LIMIT - 3..=RAW_LIMIT).contains(&kept.len()));
    let other = read(format!("x{long}y").as_bytes());
    assert_eq!(raw(&other), kept);
    assert_ne!(other.once, read(text.as_bytes()).once);
    assert_eq!(other.once, read(format!("x{long}y").as_bytes()).once);
}

#[test]
fn a_kind_newer_than_this_program_keeps_its_name_and_is_attributed_to_nobody() {
    let update = take(&json!({
        "update_id": 1, "hologram": { "chat": { "id": 1 }, "from": { "id": 2 } },
    }));
    assert_eq!(event_of(&update).kind, "hologram");
    assert!(thread(&update).is_none() && sender_id(&update).is_none());
}

#[test]
fn an_unimportant_field_of_another_shape_costs_no_message() {
    let update = take(&private(&json!({
        "from": { "id": 501, "first_name": 5, "username": ["x"], "is_bot": "no" },
        "chat": { "id": 501, "type": 3, "title": {} },
        "date": "yesterday", "reply_to_message": "x", "is_automatic_forward": 1, "new_field": {},
    })));
    assert_eq!(message(&update).payload.as_str(), r#"{"text":"hello"}"#);
}
