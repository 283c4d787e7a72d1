//! Who is in a chat, how the bot stands there, and what its topics are called.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{conversation, delivery, listening, settled};
use crate::support::{Api, wait};

const GROUP: i64 = -1_002_100_000_001;

fn person(id: i64) -> Value {
    json!({ "id": id, "is_bot": false, "first_name": format!("P{id}") })
}

fn itself() -> Value {
    json!({ "id": 7_000_000_001_i64, "is_bot": true, "first_name": "S" })
}

fn group() -> Value {
    json!({ "id": GROUP, "type": "supergroup", "title": "Team", "is_forum": true })
}

fn said(message_id: i64, topic: Option<i64>, from: i64, more: &Value) -> Value {
    let mut message = json!({
        "message_id": message_id, "date": 1_790_000_000 + message_id,
        "chat": group(), "from": person(from),
    });
    if let Some(topic) = topic {
        message["message_thread_id"] = topic.into();
        message["is_topic_message"] = true.into();
    }
    for (name, value) in more.as_object().expect("fields") {
        message[name] = value.clone();
    }
    json!({ "message": message })
}

fn text(message_id: i64, topic: Option<i64>, from: i64, text: &str) -> Value {
    said(message_id, topic, from, &json!({ "text": text }))
}

fn member(id: i64, status: &str, date: i64) -> Value {
    json!({ "chat_member": {
        "chat": group(), "from": person(500), "date": 1_790_000_000 + date,
        "old_chat_member": { "status": "restricted", "user": person(id), "is_member": true },
        "new_chat_member": { "status": status, "user": person(id), "until_date": 0 },
    } })
}

/// Names of those who take part, the bot's own user not among them.
async fn participants(api: &Api, conversation: &Value) -> BTreeSet<String> {
    let id = conversation["id"].as_str().expect("an id");
    let path = format!("/v1/chat/conversations/{id}/participants");
    let users = api.list(&path, "participants").await;
    users
        .iter()
        .filter(|user| user["tags"]["telegram:id"].is_string())
        .filter_map(|user| user["name"].as_str())
        .map(str::to_owned)
        .collect()
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[tokio::test]
async fn participants_are_who_is_in_the_chat_whichever_way_it_is_told() {
    let (telegram, bot, server) = listening().await;
    telegram.push(text(1, None, 501, "general"));
    telegram.push(text(2, None, 502, "general too"));
    telegram.push(text(3, Some(42), 502, "about work"));
    bot.wait_for_text("about work").await;
    let api = server.bot();
    let all = server.integration();
    let chat = conversation(&all, &GROUP.to_string()).await;
    let topic = conversation(&all, &format!("{GROUP}/42")).await;
    assert_eq!(participants(&api, &chat).await, names(["P501", "P502"]));

    // The same facts, each told twice, in either order.
    let leaves = said(10, None, 502, &json!({ "left_chat_member": person(502) }));
    let joins = said(
        11,
        None,
        500,
        &json!({ "new_chat_members": [person(503), itself()] }),
    );
    for update in [
        leaves.clone(),
        member(502, "left", 10),
        member(503, "member", 11),
        joins,
        leaves,
        // An older word that comes late.
        member(503, "kicked", 5),
    ] {
        telegram.push(update);
    }
    telegram.push(text(12, None, 501, "who is here?"));
    bot.wait_for_text("who is here?").await;
    let here = names(["P501", "P503"]);
    assert_eq!(participants(&api, &chat).await, here);
    assert_eq!(participants(&api, &topic).await, names([]));
    let users = all.list("/v1/chat/users?tags.id=503", "users").await;
    assert_eq!(users.len(), 1);
    let id = chat["id"].as_str().expect("an id");
    let shown = server.command(&["conversations", "show", id]).await;
    let shown = shown.ok();
    assert!(shown.contains("P503 (user_"), "{shown}");
    assert!(!shown.contains("P502 (user_"), "{shown}");

    // Who speaks is there.
    telegram.push(text(13, Some(42), 502, "I am back"));
    bot.wait_for_text("I am back").await;
    assert_eq!(participants(&api, &topic).await, names(["P502"]));
    // That they left before comes late.
    telegram.push(member(502, "left", 12));
    telegram.push(text(14, None, 501, "welcome back"));
    bot.wait_for_text("welcome back").await;
    assert_eq!(participants(&api, &topic).await, names(["P502"]));
    let events = api.list("/v1/chat/events", "events").await;
    let told = events
        .iter()
        .filter(|event| event["type"] == "telegram:chat_member");
    for event in told {
        assert_eq!(event["conversationId"], chat["id"]);
    }
    let conversations = all.list("/v1/chat/conversations", "conversations").await;
    assert_eq!(conversations.len(), 2);
}

#[tokio::test]
async fn a_bot_that_was_blocked_is_shown_so_and_speaks_again_when_it_may() {
    let (telegram, bot, mut server) = listening().await;
    server.expect_dead_deliveries();
    telegram.push_text(501, 501, "hello");
    bot.wait_for_text("hello").await;
    let all = server.integration();
    let chat = conversation(&all, "501").await;
    let status = async |expected: &str| {
        wait::until(&format!("the bot is {expected}"), || async {
            let chat = conversation(&all, "501").await;
            (chat["tags"]["botStatus"] == expected).then_some(())
        })
        .await;
    };
    let stands = |status: &str, date: i64| {
        json!({ "my_chat_member": {
            "chat": { "id": 501, "type": "private" }, "from": person(501), "date": date,
            "old_chat_member": { "status": "left", "user": itself() },
            "new_chat_member": { "status": status, "user": itself(), "until_date": 0 },
        } })
    };
    telegram
        .on("sendMessage")
        .in_chat(501)
        .refuse(403, "Forbidden: bot was blocked by the user");
    telegram.push(stands("kicked", 1_790_000_001));
    status("kicked").await;
    let api = server.bot();
    let me = json!({ "id": api.bot_id });
    let lost = api.say(&chat, &me, "are you there?").await;
    delivery(&server, &lost, "failed").await;
    telegram.push(stands("member", 1_790_000_002));
    status("member").await;
    let taken = api.say(&chat, &me, "welcome back").await;
    delivery(&server, &taken, "sent").await;
    assert_eq!(telegram.texts(501), ["welcome back"]);
    assert_eq!(participants(&api, &chat).await, names(["P501"]));
    let events = api.list("/v1/chat/events", "events").await;
    let told = events
        .iter()
        .filter(|event| event["type"] == "telegram:my_chat_member");
    let told: Vec<_> = told.map(|event| &event["conversationId"]).collect();
    assert_eq!(told, [&chat["id"], &chat["id"]]);
}

#[tokio::test]
async fn a_topic_has_its_name_and_what_names_only_a_message_finds_it() {
    let (telegram, bot, server) = listening().await;
    telegram.set_topics(GROUP, &[42]);
    let head = json!({
        "text": "first",
        "reply_to_message": {
            "message_id": 42, "date": 1, "chat": group(),
            "forum_topic_created": { "name": "Work", "icon_color": 7_322_096 },
        },
    });
    telegram.push(said(50, Some(42), 501, &head));
    bot.wait_for_text("first").await;
    let all = server.integration();
    let id = format!("{GROUP}/42");
    let topic = conversation(&all, &id).await;
    assert_eq!(topic["tags"]["topicName"], "Work");
    let renamed = json!({ "forum_topic_edited": { "name": "Home" } });
    telegram.push(said(51, Some(42), 501, &renamed));
    telegram.push(said(
        52,
        Some(42),
        501,
        &json!({ "forum_topic_closed": {} }),
    ));
    telegram.push(said(53, Some(42), 501, &head));
    wait::until("it is renamed and closed", || async {
        let tags = conversation(&all, &id).await["tags"].clone();
        (tags["topicName"] == "Home" && tags["topicClosed"] == "true").then_some(())
    })
    .await;

    let api = server.bot();
    let question = json!({
        "conversationId": topic["id"], "userId": api.bot_id, "tags": {}, "type": "choice",
        "payload": {
            "text": "Which? ".repeat(1000), "options": [{ "label": "Yes", "value": "yes" }],
        },
    });
    let question = api.post("/v1/chat/messages", &question).await;
    let question = question.created("message");
    delivery(&server, &question, "sent").await;
    let parts: Vec<_> = telegram.sent().iter().map(|sent| sent.message_id).collect();
    assert!(parts.len() > 1, "{parts:?}");
    let reaction = |message_id: i64| {
        json!({ "message_reaction": {
            "chat": group(), "message_id": message_id, "date": 1_790_000_100, "user": person(501),
            "old_reaction": [], "new_reaction": [{ "type": "emoji", "emoji": "👍" }],
        } })
    };
    for message in [parts[0], parts[parts.len() - 1], 50, 999] {
        telegram.push(reaction(message));
    }
    telegram.push(json!({ "callback_query": {
        "id": "q1", "chat_instance": "1", "data": "yes", "from": person(501),
        "message": { "message_id": parts[parts.len() - 1], "date": 0, "chat": group() },
    } }));
    let press = bot.wait_for_text("yes").await;
    assert_eq!(press.conversation_id(), topic["id"].as_str());
    let reactions: Vec<_> = bot
        .received()
        .iter()
        .filter(|event| event.kind() == "telegram:message_reaction")
        .filter(|event| event.conversation_id().is_some())
        .map(|event| {
            let event = &event.event;
            (event["conversationId"].clone(), event["messageId"].clone())
        })
        .collect();
    let messages = settled(&all, &topic, 4).await;
    let ours = (topic["id"].clone(), question["id"].clone());
    let theirs = (topic["id"].clone(), messages[0]["id"].clone());
    let place = |at: usize| reactions.get(at).expect("a reaction");
    assert_eq!((place(0), place(1), place(2)), (&ours, &ours, &theirs));
    wait::until("the last is there", || async {
        let events = api.list("/v1/chat/events", "events").await;
        let of = |event: &&Value| {
            event["type"] == "telegram:message_reaction" && event["conversationId"].is_null()
        };
        (events.iter().filter(of).count() == 1).then_some(())
    })
    .await;
}
