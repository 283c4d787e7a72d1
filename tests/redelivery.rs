//! The promise: the bot is told every event at least once, with the same id on each try, over
//! failures, waits and restarts; and what it answers is stored once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Api, Bot, Reply, Server, message, texts, wait};

/// Says something in a new thread; gives the conversation and the message.
async fn say(server: &Server, thread: &str, text: &str) -> (Value, Value) {
    let api = server.integration();
    let conversation = api.conversation(thread).await;
    let user = api.user(thread).await;
    let said = api.say(&conversation, &user, text).await;
    (conversation, said)
}

/// A bot that refuses all until it is said to be mended.
async fn broken_bot() -> (Bot, Arc<AtomicBool>) {
    let mended = Arc::new(AtomicBool::new(false));
    let is_mended = Arc::clone(&mended);
    let bot = Bot::start(move |_| {
        if is_mended.load(Ordering::SeqCst) {
            Reply::nothing()
        } else {
            Reply::status(422)
        }
    })
    .await;
    (bot, mended)
}

/// Waits until an event of the message has this status.
async fn event_of(bot: &Api, said: &Value, status: &str) -> Value {
    let id = said["id"].as_str().expect("an id");
    let path = format!("/v1/chat/events?messageId={id}");
    wait::until(&format!("the event is {status}"), || async {
        let events = bot.list(&path, "events").await;
        assert!(events.len() <= 1, "one message, one event: {events:#?}");
        events.into_iter().find(|event| event["status"] == status)
    })
    .await
}

#[tokio::test]
async fn an_event_that_fails_comes_again_with_the_same_id_and_is_answered_once() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    let bot = Bot::start(move |_| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::status(500),
        1 => Reply::status(503),
        _ => Reply::texts(&["one", "two"]),
    })
    .await;
    let mut server = Server::builder().bot(&bot.url).start().await;
    server.expect_dead_deliveries(); // The answers: there is no Telegram token.
    let (conversation, said) = say(&server, "501", "hello").await;

    let event = event_of(&server.bot(), &said, "processed").await;
    let received = bot.received();
    assert_eq!(received.len(), 3);
    for (index, received) in received.iter().enumerate() {
        assert_eq!(received.id(), event["id"]);
        assert_eq!(received.kind(), "message_created");
        assert_eq!(received.headers["x-bp-operation"], "event_received");
        let attempt = received.headers["x-switchboard-attempt"].to_str();
        assert_eq!(attempt.expect("text"), (index + 1).to_string());
    }
    let messages = server.bot().messages(&conversation).await;
    assert_eq!(texts(&messages), ["hello", "one", "two"]);
    assert_eq!(messages[1]["direction"], "outgoing");
    assert_eq!(messages[1]["userId"], server.ready.bot_id.as_str());
}

#[tokio::test]
async fn a_refusal_is_final_and_visible_and_the_conversation_goes_on() {
    let bot = Bot::start(|received| match received.text() {
        Some("bad") => Reply {
            body: json!({ "message": "I do not like this" }),
            ..Reply::status(400)
        },
        _ => Reply::nothing(),
    })
    .await;
    let mut server = Server::builder().bot(&bot.url).start().await;
    server.expect_dead_deliveries();
    let (_, bad) = say(&server, "501", "bad").await;
    let (_, good) = say(&server, "501", "good").await;
    event_of(&server.bot(), &good, "processed").await;
    let failed = event_of(&server.bot(), &bad, "failed").await;
    let reason = failed["failureReason"].as_str().unwrap_or_default();
    assert!(reason.contains("I do not like this"), "{reason}");
    assert_eq!(bot.texts(), ["bad", "good"], "a refusal is not repeated");
}

#[tokio::test]
async fn a_dead_delivery_can_be_replayed_and_keeps_its_event_id() {
    let (bot, mended) = broken_bot().await;
    let server = Server::builder().bot(&bot.url).start().await;
    let (_, said) = say(&server, "501", "hello").await;
    let failed = event_of(&server.bot(), &said, "failed").await;

    let dead = server
        .command(&["deliveries", "list", "--status", "dead", "--json"])
        .await
        .json();
    let id = dead["deliveries"][0]["id"].as_str().expect("a delivery");
    assert_eq!(dead["deliveries"][0]["event"], failed["id"]);
    mended.store(true, Ordering::SeqCst);
    server.command(&["deliveries", "replay", id]).await.ok();
    let processed = event_of(&server.bot(), &said, "processed").await;
    assert_eq!(processed["id"], failed["id"]);
    let ids: Vec<String> = bot.received().iter().map(|r| r.id().to_owned()).collect();
    assert_eq!(ids, [failed["id"].as_str().unwrap(); 2]);
}

#[tokio::test]
async fn all_dead_deliveries_can_be_replayed_in_their_order() {
    let (bot, mended) = broken_bot().await;
    let server = Server::builder().bot(&bot.url).start().await;
    let texts = ["one", "two", "three"];
    let (mut conversations, mut messages) = (Vec::new(), Vec::new());
    for text in texts {
        for thread in ["501", "502"] {
            let (conversation, said) = say(&server, thread, text).await;
            event_of(&server.bot(), &said, "failed").await;
            conversations.push(conversation["id"].clone());
            messages.push(said);
        }
    }
    let before = bot.received().len();
    mended.store(true, Ordering::SeqCst);
    let replayed = server
        .command(&["deliveries", "replay", "--all", "--json"])
        .await
        .json();
    assert_eq!(replayed["deliveries"].as_array().map(Vec::len), Some(6));
    for said in &messages {
        event_of(&server.bot(), said, "processed").await;
    }
    for conversation in &conversations[..2] {
        let again = bot.received().into_iter().skip(before);
        let heard = again.filter(|one| one.conversation_id() == conversation.as_str());
        let heard: Vec<_> = heard
            .filter_map(|one| one.text().map(str::to_owned))
            .collect();
        assert_eq!(heard, texts);
    }
    let again = server.command(&["deliveries", "replay", "--all"]).await;
    assert!(again.ok().contains("0 deliveries wait again"));
}

#[tokio::test]
async fn a_wait_that_the_bot_asks_for_is_kept() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    let bot = Bot::start(move |_| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::status(429).header("retry-after", "2"),
        _ => Reply::nothing(),
    })
    .await;
    let server = Server::builder().bot(&bot.url).start().await;
    let start = Instant::now();
    say(&server, "501", "hello").await;
    let received = bot.wait_for(2).await;
    assert_eq!(received[0].id(), received[1].id());
    let waited = received[1].at - received[0].at;
    assert!(waited >= Duration::from_millis(1900), "{waited:?}");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_bot_that_takes_too_long_is_asked_again() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    let bot = Bot::start(move |_| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::nothing().after(Duration::from_secs(20)),
        _ => Reply::nothing(),
    })
    .await;
    let server = Server::builder()
        .bot(&bot.url)
        .env("SWITCHBOARD_BOT_TIMEOUT", "1")
        .start()
        .await;
    let (_, said) = say(&server, "501", "hello").await;
    event_of(&server.bot(), &said, "processed").await;
    assert_eq!(bot.received().len(), 2);
}

#[tokio::test]
async fn what_waits_for_the_bot_survives_a_kill() {
    let up = Arc::new(AtomicBool::new(false));
    let is_up = Arc::clone(&up);
    let bot = Bot::start(move |_| {
        if is_up.load(Ordering::SeqCst) {
            Reply::texts(&["back"])
        } else {
            Reply::status(503)
        }
    })
    .await;
    let mut server = Server::builder().bot(&bot.url).start().await;
    server.expect_dead_deliveries();
    let (conversation, said) = say(&server, "501", "hello").await;
    let before = bot.wait_for(1).await;
    server.kill().await;
    up.store(true, Ordering::SeqCst);
    server.start().await;
    let event = event_of(&server.bot(), &said, "processed").await;
    assert_eq!(event["id"], before[0].id());
    let messages = server.bot().messages(&conversation).await;
    assert_eq!(texts(&messages), ["hello", "back"]);
}

#[tokio::test]
async fn an_event_that_was_under_way_at_the_end_comes_again() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    let bot = Bot::start(move |_| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::nothing().after(Duration::from_secs(50)),
        _ => Reply::nothing(),
    })
    .await;
    let mut server = Server::builder().bot(&bot.url).start().await;
    let (_, said) = say(&server, "501", "hello").await;
    bot.wait_for(1).await;
    server.kill().await;
    server.start().await;
    let received = bot.wait_for(2).await;
    assert_eq!(received[0].id(), received[1].id());
    event_of(&server.bot(), &said, "processed").await;
}

#[tokio::test]
async fn patience_ends_and_the_next_message_gets_its_turn() {
    let bot = Bot::start(|received| match received.text() {
        Some("hopeless") => Reply::status(500),
        _ => Reply::nothing(),
    })
    .await;
    let mut server = Server::builder()
        .bot(&bot.url)
        .env("SWITCHBOARD_RETRY_FOR", "2")
        .start()
        .await;
    server.expect_dead_deliveries();
    let (_, hopeless) = say(&server, "501", "hopeless").await;
    let (_, next) = say(&server, "501", "next").await;
    event_of(&server.bot(), &next, "processed").await;
    event_of(&server.bot(), &hopeless, "failed").await;
    assert_eq!(bot.texts().last().map(String::as_str), Some("next"));
}

#[tokio::test]
async fn a_repeated_post_is_one_message_and_one_event() {
    let bot = Bot::silent().await;
    let server = Server::builder().bot(&bot.url).start().await;
    let api = server.integration();
    let conversation = api.conversation("501").await;
    let user = api.user("501").await;
    let mut body = message(&conversation["id"], &user["id"], "hi");
    body["tags"] = json!({ "id": "71" });
    body["discriminateByTags"] = json!(["id"]);
    let mut ids = Vec::new();
    for _ in 0..5 {
        let answer = api.post("/v1/chat/messages/get-or-create", &body).await;
        ids.push(answer.ok("message")["id"].clone());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    bot.wait_for_text("hi").await;
    let other = api.say(&conversation, &user, "after").await;
    event_of(&server.bot(), &other, "processed").await;
    assert_eq!(bot.texts(), ["hi", "after"]);
}

#[tokio::test]
async fn what_the_bot_is_at_work_on_is_finished_before_the_server_ends() {
    let bot = Bot::start(|_| Reply::texts(&["done"]).after(Duration::from_millis(1500))).await;
    let mut server = Server::builder().bot(&bot.url).start().await;
    server.expect_dead_deliveries(); // The answer: there is no Telegram token.
    let (conversation, said) = say(&server, "501", "work").await;
    bot.wait_for(1).await;
    assert_eq!(server.terminate().await.code(), Some(0));
    server.start().await;
    event_of(&server.bot(), &said, "processed").await;
    let messages = server.bot().messages(&conversation).await;
    assert_eq!(texts(&messages), ["work", "done"]);
    assert_eq!(bot.received().len(), 1, "it was not asked again");
}
