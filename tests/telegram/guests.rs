//! Guest messages: asked in a chat where the bot is not, and answered there once.

use serde_json::{Value, json};

use super::{conversation, delivery, polling};
use crate::support::telegram::{FakeTelegram, TOKEN};
use crate::support::{Bot, Server, wait};

const CHAT: i64 = -1_002_100_000_001;

fn case() -> Value {
    include_str!("../fixtures/cases/telegram.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a case"))
        .find(|case| case["id"] == "tg-in-015")
        .expect("the case")
}

fn guest(query: &str, text: &str) -> Value {
    json!({ "guest_message": {
        "message_id": 15, "date": 1_790_000_132, "text": text, "guest_query_id": query,
        "chat": { "id": CHAT, "type": "supergroup", "title": "Team" },
        "from": { "id": 502, "is_bot": false, "first_name": "Ben" },
    } })
}

/// A server whose bot says nothing by itself, and a guest query's conversation.
async fn asked(query: &str, policy: &str) -> (FakeTelegram, Server, Value) {
    let telegram = FakeTelegram::start().await;
    let bot = Bot::silent().await;
    let server = Server::builder()
        .telegram(&telegram.url(), TOKEN)
        .env("SWITCHBOARD_UNCERTAIN_SENDS", policy)
        .bot(&bot.url)
        .start()
        .await;
    telegram.push(guest(query, "what is this?"));
    let event = bot.wait_for_text("what is this?").await;
    assert_eq!(event.kind(), "message_created");
    let id = format!("guest:{query}");
    let asked = conversation(&server.integration(), &id).await;
    (telegram, server, asked)
}

async fn answer(server: &Server, conversation: &Value, text: &str) -> Value {
    let bot = server.bot();
    bot.say(conversation, &json!({ "id": bot.bot_id }), text)
        .await
}

#[tokio::test]
async fn tg_in_015_a_guest_message_is_answered_where_it_was_asked_and_nowhere_else() {
    // The case "tg-in-015", whole, with the echo bot.
    let (telegram, server) = polling().await;
    let case = case();
    for update in case["input"]["updates"].as_array().expect("updates") {
        telegram.push(update["update"].clone());
    }
    let answered = telegram.wait_for_calls("answerGuestQuery", 1).await;
    telegram.wait_for_text(CHAT, "member chat").await;
    let body = &answered[0].body;
    let expected = &case["expect"]["reply"]["u2"]["params"];
    assert_eq!(body["guest_query_id"], expected["guest_query_id"]);
    assert_eq!(body["result"]["type"], "article");
    assert_eq!(telegram.guest_answers(), ["@sb_case_bot what is this?"]);

    let api = server.integration();
    let chat = conversation(&api, &CHAT.to_string()).await;
    let asked = conversation(&api, "guest:gq-1").await;
    assert_ne!(chat["id"], asked["id"]);
    assert_eq!(asked["tags"]["guestQueryId"], "gq-1");
    assert!(asked["tags"]["chatId"].is_null(), "{asked}");
    let messages = super::settled(&api, &asked, 2).await;
    let user = messages
        .iter()
        .find(|message| message["direction"] == "incoming")
        .expect("the question")["userId"]
        .as_str()
        .expect("a user")
        .to_owned();
    let user = api.get(&format!("/v1/chat/users/{user}")).await.ok("user");
    assert_eq!(user["tags"]["id"], "502");

    // Told again, it is the same; nothing more is said.
    telegram.push(case["input"]["updates"][1]["update"].clone());
    telegram.push_text(501, 501, "after");
    telegram.wait_for_text(501, "after").await;
    assert_eq!(telegram.calls("answerGuestQuery").len(), 1);
    assert_eq!(telegram.texts(CHAT), ["member chat"]);
}

#[tokio::test]
async fn a_second_answer_fails_and_the_first_can_be_edited() {
    let (telegram, mut server, asked) = asked("gq-2", "retry").await;
    server.expect_dead_deliveries();
    let first = answer(&server, &asked, "an answer").await;
    delivery(&server, &first, "sent").await;
    let second = answer(&server, &asked, "another").await;
    let report = delivery(&server, &second, "failed").await;
    let error = report["error"].as_str().expect("an error");
    assert!(
        error.contains(first["id"].as_str().expect("an id")),
        "{error}"
    );
    assert_eq!(report["attempts"], 1);
    assert_eq!(telegram.calls("answerGuestQuery").len(), 1);

    let path = format!("/v1/chat/messages/{}", first["id"].as_str().expect("an id"));
    let body = json!({ "tags": {}, "payload": { "text": "a better answer" } });
    server.bot().put(&path, &body).await.ok("message");
    telegram
        .wait_until("the answer is another", |telegram| {
            (telegram.guest_answers() == ["a better answer"]).then_some(())
        })
        .await;
    let edit = &telegram.calls("editMessageText")[0].body;
    assert_eq!(edit["inline_message_id"], "inline-gq-2");
    assert!(edit["chat_id"].is_null(), "{edit}");
    assert!(telegram.sent().is_empty());
}

#[tokio::test]
async fn an_answer_that_may_have_been_taken_waits_for_a_person_whatever_the_policy() {
    for policy in ["retry", "at-most-once"] {
        let (telegram, server, asked) = asked("gq-3", policy).await;
        telegram.on("answerGuestQuery").reset();
        let first = answer(&server, &asked, "an answer").await;
        let report = delivery(&server, &first, "uncertain").await;
        assert_eq!(report["attempts"], 1, "{report}");
        assert_eq!(telegram.calls("answerGuestQuery").len(), 1);
    }
}

#[tokio::test]
async fn a_kill_on_the_way_of_an_answer_does_not_send_it_twice() {
    let (telegram, mut server, asked) = asked("gq-4", "retry").await;
    telegram.on("answerGuestQuery").hang();
    let first = answer(&server, &asked, "an answer").await;
    telegram.wait_for_calls("answerGuestQuery", 1).await;
    server.kill().await;
    server.start().await;
    delivery(&server, &first, "uncertain").await;
    assert_eq!(telegram.calls("answerGuestQuery").len(), 1);
}

#[tokio::test]
async fn what_was_certainly_not_taken_leaves_the_query_open() {
    let (telegram, mut server, asked) = asked("gq-5", "retry").await;
    server.expect_dead_deliveries();
    // Two parts are no answer, and Telegram is not asked.
    let long = answer(&server, &asked, &"x".repeat(5000)).await;
    let report = delivery(&server, &long, "failed").await;
    assert!(
        report["error"]
            .as_str()
            .is_some_and(|error| error.contains("one message"))
    );
    assert!(telegram.calls("answerGuestQuery").is_empty());
    telegram.on("answerGuestQuery").answer_text(502, "<html>");
    let next = answer(&server, &asked, "short").await;
    delivery(&server, &next, "sent").await;
    assert_eq!(telegram.guest_answers(), ["short"]);
    let id = asked["id"].as_str().expect("an id");
    wait::until("the conversation says what answered", || async {
        let path = format!("/v1/chat/conversations/{id}");
        let shown = server.bot().get(&path).await.ok("conversation");
        (shown["tags"]["telegram:guestAnswer"] == next["id"]).then_some(())
    })
    .await;
}
