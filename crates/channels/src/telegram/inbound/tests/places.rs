//! The table "Which conversation" and the section "Which user" of docs/telegram.md.

use super::*;

const TEAM: i64 = -1_002_100_000_001;
const TEAM_ID: &str = "-1002100000001";
const NEWS: i64 = -1_002_200_000_001;
const NEWS_ID: &str = "-1002200000001";

fn team() -> Value {
    json!({ "id": TEAM, "type": "supergroup", "title": "Team", "is_forum": true })
}

fn news() -> Value {
    json!({ "id": NEWS, "type": "channel", "title": "News" })
}

fn stand_in(id: i64) -> Value {
    json!({ "id": id, "is_bot": true, "first_name": "Telegram" })
}

/// An update of this kind; what is null in `more` was not there at all.
fn update(kind: &str, more: &Value) -> Update {
    let mut message = private(more)["message"].take();
    let fields = message.as_object_mut().unwrap();
    fields.retain(|_, value| !value.is_null());
    take(&json!({ "update_id": 1, kind: message }))
}

fn said(kind: &str, more: &Value, key: &str, user: &str) {
    let update = update(kind, more);
    assert_eq!(message(&update).thread.id, key, "{kind} {more}");
    assert_eq!(sender_id(&update), Some(user), "{kind} {more}");
}

#[test]
fn a_chat_is_its_number_and_a_topic_of_it_adds_its_own() {
    let topic = |chat: &Value, topic: i64| json!({ "chat": chat, "message_thread_id": topic, "is_topic_message": true });
    let private = json!({ "id": 501, "type": "private" });
    let group = json!({ "chat": { "id": -4_100_200, "type": "group" } });
    said("message", &json!({}), "501", "501");
    said("message", &group, "-4100200", "501");
    said("message", &json!({ "chat": team() }), TEAM_ID, "501");
    said("message", &topic(&team(), 1), TEAM_ID, "501");
    said("message", &topic(&team(), 42), "-1002100000001/42", "501");
    said("message", &topic(&private, 77), "501/77", "501");
}

#[test]
fn a_channel_speaks_for_itself_wherever_it_speaks() {
    for more in [
        json!({ "chat": news(), "sender_chat": news(), "from": null }),
        json!({ "chat": news(), "from": null }),
        json!({ "chat": news(), "sender_chat": news(), "author_signature": "Ada" }),
    ] {
        said("channel_post", &more, NEWS_ID, NEWS_ID);
    }
    // Its post that Telegram copies into the discussion group, and somebody who writes as it there.
    let copy = json!({
        "chat": team(), "from": stand_in(777_000), "sender_chat": news(),
        "is_automatic_forward": true,
    });
    said("message", &copy, TEAM_ID, NEWS_ID);
    let tags = message(&update("message", &copy)).tags.clone();
    assert_eq!(tags.get("automatic_forward"), Some("true"));
    let as_channel = json!({
        "chat": team(), "from": stand_in(136_817_688), "sender_chat": news(),
    });
    said("message", &as_channel, TEAM_ID, NEWS_ID);
    let anonymous = json!({
        "chat": team(), "from": stand_in(1_087_968_824), "sender_chat": team(),
    });
    said("message", &anonymous, TEAM_ID, TEAM_ID);
}

#[test]
fn direct_messages_to_a_channel_are_a_thread_a_person_and_both_speak_there() {
    let chat = json!({
        "id": -1_002_200_000_009_i64, "type": "supergroup", "is_direct_messages": true,
    });
    let topic = json!({ "topic_id": 501, "user": { "id": 501, "is_bot": false } });
    let key = "-1002200000009/direct/501";
    let asks = json!({ "chat": chat, "direct_messages_topic": topic });
    said("message", &asks, key, "501");
    let answers = json!({ "chat": chat, "direct_messages_topic": topic, "sender_chat": news() });
    said("message", &answers, key, NEWS_ID);
    // Without its topic it is nobody's thread.
    let reaction = take(&json!({ "update_id": 1, "message_reaction": {
        "chat": chat, "message_id": 5, "date": 1, "old_reaction": [], "new_reaction": [],
    } }));
    assert!(thread(&reaction).is_none());
}

#[test]
fn a_business_connection_sees_chats_of_its_own() {
    let customer = json!({ "business_connection_id": "bc" });
    said("business_message", &customer, "business:bc/501", "501");
    let owner = json!({
        "business_connection_id": "bc",
        "from": { "id": 900, "is_bot": false, "first_name": "Owner" },
    });
    said("business_message", &owner, "business:bc/501", "900");
    let topic = json!({
        "business_connection_id": "bc", "message_thread_id": 77, "is_topic_message": true,
    });
    said("business_message", &topic, "business:bc/501/77", "501");
    let connected = take(&json!({ "update_id": 1, "business_connection": {
        "id": "bc", "user": { "id": 900, "is_bot": false, "first_name": "Owner" },
        "user_chat_id": 900, "date": 1, "is_enabled": true,
    } }));
    assert!(thread(&connected).is_none());
    assert_eq!(sender_id(&connected), Some("900"));
}

#[test]
fn a_guest_message_is_a_thread_of_its_own_whatever_its_chat() {
    for chat in [team(), json!({ "id": 501, "type": "private" })] {
        let more = json!({ "chat": chat, "guest_query_id": "g" });
        let asked = update("guest_message", &more);
        let thread = thread(&asked).expect("a thread");
        assert_eq!(thread.id, "guest:g");
        assert_eq!(thread.tags.get("guestQueryId"), Some("g"));
        assert_eq!(thread.tags.get("chatId"), None);
        assert_eq!(message(&asked).tags.get("chatId"), None);
        assert_eq!(sender_id(&asked), Some("501"));
        // The query is what it is, in whichever update it comes.
        assert_eq!(asked.once, ["guest", ACCOUNT, "g"]);
        // What nothing could answer.
        let unanswerable = update("guest_message", &json!({ "chat": chat }));
        assert_eq!(event_of(&unanswerable).kind, "guest_message");
    }
}

#[test]
fn a_guest_message_of_nobodys_is_not_its_chats() {
    let more = json!({ "chat": team(), "guest_query_id": "g", "from": null });
    let asked = update("guest_message", &more);
    assert_eq!(sender_id(&asked), Some("guest:g"));
}

#[test]
fn what_opens_a_topic_is_no_message_that_is_answered() {
    let said = |more: &Value| {
        let mut message = json!({
            "message_id": 50, "date": 1, "text": "hi", "message_thread_id": 42,
            "chat": { "id": -100, "type": "supergroup" },
            "from": { "id": 501, "is_bot": false, "first_name": "Ada" },
        });
        for (name, value) in more.as_object().unwrap() {
            message[name] = value.clone();
        }
        take(&json!({ "update_id": 7, "message": message }))
    };
    let reply = |update: &Update| message(update).tags.get("replyTo").map(str::to_owned);
    let created = json!({ "message_id": 42, "forum_topic_created": { "name": "Work" } });
    let plain = json!({ "message_id": 42, "text": "a post" });
    for head in [&created, &plain] {
        let first = said(&json!({ "is_topic_message": true, "reply_to_message": head }));
        assert_eq!(reply(&first), None);
        assert_eq!(thread(&first).unwrap().id, "-100/42");
    }
    // As when topics were switched off since.
    assert_eq!(reply(&said(&json!({ "reply_to_message": created }))), None);
    let other = json!({ "is_topic_message": true, "reply_to_message": { "message_id": 43 } });
    assert_eq!(reply(&said(&other)).as_deref(), Some("43"));
    // A chain of replies has the number of its first message, which is answered.
    let chain = said(&json!({ "reply_to_message": plain }));
    assert_eq!(reply(&chain).as_deref(), Some("42"));
}
