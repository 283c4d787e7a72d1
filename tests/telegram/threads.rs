//! Where things belong: a chat or topic is a conversation, and an answer goes where it was asked.

use serde_json::{Value, json};

use super::{conversation, polling, settled};
use crate::support::telegram::{FakeTelegram, TOKEN};
use crate::support::{Bot, Server, texts};

const GROUP: i64 = -1_002_100_000_001;

fn in_topic(message_id: i64, topic: Option<i64>, text: &str) -> Value {
    let mut message = json!({
        "message_id": message_id, "date": 1_790_000_000,
        "chat": { "id": GROUP, "type": "supergroup", "title": "Team", "is_forum": true },
        "from": { "id": 501, "is_bot": false, "first_name": "Ada" }, "text": text,
    });
    if let Some(topic) = topic {
        message["message_thread_id"] = topic.into();
        message["is_topic_message"] = true.into();
    }
    json!({ "message": message })
}

#[tokio::test]
async fn a_private_chat_is_answered_and_keeps_telegram_s_numbers_as_tags() {
    let (telegram, server) = polling().await;
    telegram.push_text(501, 501, "hello");
    let shown = telegram.wait_for_text(501, "hello").await;
    assert_eq!(shown.thread, None);
    let api = server.integration();
    let chat = conversation(&api, "501").await;
    assert_eq!(chat["tags"]["chatId"], "501");
    let messages = settled(&api, &chat, 2).await;
    assert_eq!(texts(&messages), ["hello", "hello"]);
    assert!(messages[0]["tags"]["id"].is_string());
    assert_eq!(messages[1]["tags"]["id"], shown.message_id.to_string());
    assert_eq!(messages[1]["delivery"]["attempts"], 1);
    assert_eq!(messages[1]["delivery"]["error"], Value::Null);
    let users = api.list("/v1/chat/users?tags.id=501", "users").await;
    assert_eq!(users[0]["name"], "P501");
    let participants = format!(
        "/v1/chat/conversations/{}/participants",
        chat["id"].as_str().expect("an id")
    );
    let participants = api.list(&participants, "participants").await;
    assert!(participants.iter().any(|user| user["id"] == users[0]["id"]));
    // The bot's view of the same.
    let seen = server.bot().messages(&chat).await;
    assert_eq!(seen[0]["tags"]["telegram:chatId"], "501");
}

#[tokio::test]
async fn groups_supergroups_and_channels_are_answered_in_place() {
    let (telegram, server) = polling().await;
    let said = |kind: &str, chat: i64| {
        json!({ "message": {
            "message_id": 7, "date": 1_790_000_000, "chat": { "id": chat, "type": kind, "title": "T" },
            "from": { "id": 501, "is_bot": false, "first_name": "Ada" }, "text": format!("in {kind}"),
        } })
    };
    telegram.push(said("group", -4_100_200));
    telegram.push(said("supergroup", GROUP));
    telegram.push(json!({ "channel_post": {
        "message_id": 5, "date": 1_790_000_000,
        "chat": { "id": -1_002_200_000_001_i64, "type": "channel", "title": "News" },
        "sender_chat": { "id": -1_002_200_000_001_i64, "type": "channel", "title": "News" },
        "text": "in channel",
    } }));
    telegram.wait_for_text(-4_100_200, "in group").await;
    telegram.wait_for_text(GROUP, "in supergroup").await;
    telegram
        .wait_for_text(-1_002_200_000_001, "in channel")
        .await;
    let api = server.integration();
    assert_eq!(
        api.list("/v1/chat/conversations", "conversations")
            .await
            .len(),
        3
    );
    // One person in two groups is one user; the channel speaks for itself.
    let users = api.list("/v1/chat/users", "users").await;
    let ids: Vec<_> = users
        .iter()
        .filter_map(|user| user["tags"]["id"].as_str())
        .collect();
    assert!(
        ids.contains(&"501") && ids.contains(&"-1002200000001"),
        "{ids:?}"
    );
    assert_eq!(ids.len(), 2);
}

#[tokio::test]
async fn topics_are_conversations_of_their_own_and_general_is_the_chat_itself() {
    let (telegram, server) = polling().await;
    telegram.set_topics(GROUP, &[42, 43]);
    telegram.push(in_topic(1, Some(42), "about work"));
    telegram.push(in_topic(2, Some(43), "about home"));
    telegram.push(in_topic(3, None, "in general"));
    telegram.push(in_topic(4, Some(42), "work again"));
    // A chain of replies has a number too, which is no topic.
    let mut reply = in_topic(5, None, "a reply");
    reply["message"]["message_thread_id"] = 3.into();
    telegram.push(reply);
    telegram.wait_for_sent(5).await;
    let place = |text: &str| {
        let sent = telegram.sent();
        let sent = sent
            .iter()
            .find(|sent| sent.text == text)
            .expect("it was shown");
        assert_eq!(sent.chat, GROUP);
        sent.thread
    };
    assert_eq!(place("about work"), Some(42));
    assert_eq!(place("work again"), Some(42));
    assert_eq!(place("about home"), Some(43));
    assert_eq!(place("in general"), None);
    assert_eq!(place("a reply"), None);
    for call in telegram.calls("sendMessage") {
        assert_ne!(call.body["message_thread_id"], 1);
    }
    let api = server.integration();
    assert_eq!(
        api.list("/v1/chat/conversations", "conversations")
            .await
            .len(),
        3
    );
    let work = conversation(&api, &format!("{GROUP}/42")).await;
    assert_eq!(work["tags"]["threadId"], "42");
    assert_eq!(work["tags"]["chatId"], GROUP.to_string());
}

#[tokio::test]
async fn a_conversation_made_over_http_and_the_chat_s_own_are_one() {
    let (telegram, server) = polling().await;
    let made = server.integration().conversation("501").await;
    telegram.push_text(501, 501, "hello");
    telegram.wait_for_text(501, "hello").await;
    let found = conversation(&server.integration(), "501").await;
    assert_eq!(found["id"], made["id"]);
    assert_eq!(
        found["tags"]["chatId"], "501",
        "the chat's other tags were merged"
    );
}

#[tokio::test]
async fn tags_say_together_where_a_message_goes_and_never_less_than_one_of_them() {
    let (telegram, mut server) = polling().await;
    server.expect_dead_deliveries(); // The message whose tags contradict each other.
    telegram.set_topics(GROUP, &[42, 43]);
    let group = GROUP.to_string();
    let (id, bot) = (format!("{GROUP}/42"), server.bot());
    let say = async |tags: Value, text: &str| {
        let body = json!({ "channel": "channel", "tags": tags });
        let made = server
            .integration()
            .post("/v1/chat/conversations", &body)
            .await
            .created("conversation");
        bot.say(&made, &json!({ "id": bot.bot_id }), text).await
    };
    for (tags, text) in [
        (json!({ "id": id, "chatId": group }), "id and chat"),
        (json!({ "id": id }), "id alone"),
        (json!({ "chatId": group, "threadId": "42" }), "parts alone"),
    ] {
        say(tags, text).await;
        let shown = telegram.wait_for_text(GROUP, text).await;
        assert_eq!(shown.thread, Some(42), "{text}");
    }
    let lost = say(json!({ "id": id, "threadId": "43" }), "torn").await;
    let delivery = super::delivery(&server, &lost, "failed").await;
    let error = delivery["error"].as_str().expect("an error");
    for tag in ["id is", "threadId is"] {
        assert!(error.contains(tag), "{error}");
    }
    assert_eq!(telegram.sent().len(), 3);
}

#[tokio::test]
async fn a_long_answer_is_split_at_words_and_every_part_goes_to_the_topic() {
    let telegram = FakeTelegram::start().await;
    let server = Server::builder()
        .telegram(&telegram.url(), TOKEN)
        .start()
        .await;
    telegram.set_topics(GROUP, &[42]);
    telegram.push(in_topic(1, Some(42), &"word 🙂 ".repeat(500)));
    let api = server.integration();
    let chat = conversation(&api, &format!("{GROUP}/42")).await;
    settled(&api, &chat, 2).await;
    let long = "word 🙂 ".repeat(2000);
    let bot = server.bot();
    bot.say(&chat, &json!({ "id": bot.bot_id }), &long).await;
    let messages = settled(&api, &chat, 3).await;
    assert!(messages[2]["tags"]["id"].is_string());
    let parts: Vec<_> = telegram.sent().into_iter().skip(1).collect();
    assert!(parts.len() >= 4);
    for part in &parts {
        assert!(part.text.encode_utf16().count() <= 4096);
        assert_eq!(part.thread, Some(42));
        assert!(!part.text.ends_with("wor") && !part.text.starts_with('d'));
    }
    let joined: Vec<_> = parts
        .iter()
        .flat_map(|part| part.text.split_whitespace())
        .collect();
    let expected: Vec<_> = long.split_whitespace().collect();
    assert_eq!(joined, expected);
}

#[tokio::test]
async fn a_bot_over_http_answers_in_the_topic_it_was_asked_in() {
    let telegram = FakeTelegram::start().await;
    let bot = Bot::echo().await;
    let _server = Server::builder()
        .telegram(&telegram.url(), TOKEN)
        .bot(&bot.url)
        .start()
        .await;
    telegram.push(in_topic(1, Some(42), "hello"));
    let shown = telegram.wait_for_text(GROUP, "echo: hello").await;
    assert_eq!(shown.thread, Some(42));
    let event = &bot.received()[0].event;
    assert_eq!(
        event["payload"]["conversation"]["tags"]["telegram:threadId"],
        "42"
    );
}
