//! What a bot changes after sending is changed in the chat.

use std::time::Duration;

use serde_json::{Value, json};

use super::{delivery, polling, send};
use crate::support::telegram::{FakeTelegram, TOKEN};
use crate::support::{Server, wait};

fn path(message: &Value) -> String {
    format!(
        "/v1/chat/messages/{}",
        message["id"].as_str().expect("an id")
    )
}

async fn edit(server: &Server, message: &Value, payload: &Value) {
    let body = json!({ "tags": {}, "payload": payload });
    server.bot().put(&path(message), &body).await.ok("message");
}

async fn edit_text(server: &Server, message: &Value, text: &str) {
    edit(server, message, &json!({ "text": text })).await;
}

async fn delete(server: &Server, message: &Value) {
    let answer = server.bot().delete(&path(message)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// A message of another type.
async fn say(server: &Server, chat: &str, kind: &str, payload: &Value) -> Value {
    let conversation = server.integration().conversation(chat).await;
    let bot = server.bot();
    let message = json!({
        "conversationId": conversation["id"], "userId": bot.bot_id, "tags": {},
        "type": kind, "payload": payload,
    });
    bot.post("/v1/chat/messages", &message)
        .await
        .created("message")
}

/// A message to 501 that is sent.
async fn sent(server: &Server, text: &str) -> Value {
    let message = send(server, "501", text).await;
    delivery(server, &message, "sent").await;
    message
}

/// The changes of sent messages, newest first: what they do, how they stand and why.
async fn changes(server: &Server) -> Vec<Value> {
    let listed = server
        .command(&["deliveries", "list", "--json"])
        .await
        .json();
    let listed = listed["deliveries"].as_array().expect("a list").clone();
    listed
        .into_iter()
        .filter(|one| one["action"] != "send")
        .collect()
}

/// Waits until the newest change has this status.
async fn changed(server: &Server, status: &str) -> Value {
    wait::until(&format!("the change is {status}"), || async {
        let newest = changes(server).await.into_iter().next()?;
        (newest["status"] == status).then_some(newest)
    })
    .await
}

#[tokio::test]
async fn an_edit_and_a_deletion_reach_the_chat_in_their_line() {
    let (telegram, server) = polling().await;
    let first = sent(&server, "one").await;
    sent(&server, "two").await;
    edit_text(&server, &first, "uno").await;
    telegram.wait_for_shown(501, &["uno", "two"]).await;
    let call = &telegram.calls("editMessageText")[0].body;
    let number = telegram.sent()[0].message_id;
    assert_eq!(call["chat_id"], 501);
    assert_eq!(call["message_id"], number);
    changed(&server, "delivered").await;
    // The message's own delivery stays that of its sending.
    let report = delivery(&server, &first, "sent").await;
    assert_eq!(report["attempts"], 1);

    delete(&server, &first).await;
    telegram.wait_for_shown(501, &["two"]).await;
    let call = &telegram.calls("deleteMessage")[0].body;
    assert_eq!(
        (&call["chat_id"], &call["message_id"]),
        (&json!(501), &json!(number))
    );
    assert_eq!(telegram.texts(501), ["one", "two"], "nothing is sent anew");
    let shown = changed(&server, "delivered").await;
    assert_eq!(shown["action"], "delete");
}

#[tokio::test]
async fn tags_alone_and_what_people_said_change_nothing_in_the_chat() {
    let (telegram, server) = polling().await;
    telegram.push_text(501, 501, "hello");
    telegram.wait_for_text(501, "hello").await;
    let chat = super::conversation(&server.integration(), "501").await;
    let messages = super::settled(&server.integration(), &chat, 2).await;
    for message in &messages {
        let body = json!({ "tags": { "seen": "yes" } });
        server.bot().put(&path(message), &body).await.ok("message");
        if message["direction"] == "incoming" {
            edit_text(&server, message, "never said").await;
            delete(&server, message).await;
        }
    }
    // What the integration changes it knows already.
    let outgoing = messages
        .iter()
        .find(|message| message["direction"] == "outgoing")
        .expect("the echo");
    let body = json!({ "tags": {}, "payload": { "text": "so the channel says" } });
    let told = server.integration().put(&path(outgoing), &body).await;
    told.ok("message");
    let next = sent(&server, "next").await;
    edit_text(&server, &next, "changed").await;
    telegram.wait_for_shown(501, &["hello", "changed"]).await;
    assert_eq!(telegram.calls("editMessageText").len(), 1);
    assert!(telegram.calls("deleteMessage").is_empty());
}

#[tokio::test]
async fn tg_fail_011_a_fulfilled_edit_succeeds_and_an_impossible_one_is_kept() {
    // The case "tg-fail-011"; its third part is in `buttons.rs`.
    let (telegram, mut server) = polling().await;
    server.expect_dead_deliveries();
    let case: Value = include_str!("../fixtures/cases/telegram.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a case"))
        .find(|case| case["id"] == "tg-fail-011")
        .expect("the case");
    let expected = ["delivered", "dead"];
    for (at, status) in expected.into_iter().enumerate() {
        let message = sent(&server, &format!("message {at}")).await;
        let answer = &case["input"]["cases"][at]["answer"];
        telegram.on("editMessageText").answer(400, &answer["body"]);
        edit_text(&server, &message, "changed").await;
        let next = send(&server, "501", &format!("next {at}")).await;
        delivery(&server, &next, "sent").await;
        let change = changed(&server, status).await;
        assert_eq!(change["attempts"], 1, "{change}");
        assert_eq!(telegram.calls("editMessageText").len(), at + 1);
        delivery(&server, &message, "sent").await;
    }
    let texts = ["message 0", "next 0", "message 1", "next 1"];
    assert_eq!(telegram.texts(501), texts, "nothing is sent anew");
    let kept = changed(&server, "dead").await;
    let error = kept["error"].as_str().expect("an error");
    assert!(error.contains("message to edit not found"), "{error}");
    let conversation = server.integration().conversation("501").await;
    let id = conversation["id"].as_str().expect("an id");
    let shown = server.command(&["conversations", "show", id]).await;
    assert!(shown.stdout.contains("! edit: dead"), "{}", shown.stdout);

    // Replayed, it is made.
    let id = kept["id"].as_str().expect("an id").to_owned();
    server.command(&["deliveries", "replay", &id]).await.ok();
    changed(&server, "delivered").await;
    assert_eq!(telegram.shown(501)[2], "changed");
}

#[tokio::test]
async fn a_deletion_that_is_fulfilled_succeeds_and_a_refused_one_is_kept() {
    let (telegram, mut server) = polling().await;
    server.expect_dead_deliveries();
    let words = "Bad Request: message to delete not found";
    let first = sent(&server, "one").await;
    telegram.on("deleteMessage").refuse(400, words);
    delete(&server, &first).await;
    changed(&server, "delivered").await;
    let second = sent(&server, "two").await;
    let words = "Bad Request: message can't be deleted for everyone";
    telegram.on("deleteMessage").refuse(400, words);
    delete(&server, &second).await;
    let kept = changed(&server, "dead").await;
    assert_eq!(
        (&kept["error"], &kept["attempts"]),
        (&json!(words), &json!(1))
    );
    sent(&server, "next").await;
    assert_eq!(telegram.calls("deleteMessage").len(), 2);
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let (telegram, server) = polling().await;
    let message = sent(&server, "one").await;
    let wait_1 = json!({
        "ok": false, "error_code": 429, "description": "Too Many Requests: retry after 1",
        "parameters": { "retry_after": 1 },
    });
    telegram.on("editMessageText").answer(429, &wait_1);
    telegram.on("editMessageText").answer_text(502, "<html>");
    // Made, but the answer is lost: to make it once more does no harm.
    telegram.on("editMessageText").reset();
    edit_text(&server, &message, "uno").await;
    changed(&server, "delivered").await;
    assert_eq!(telegram.shown(501), ["uno"]);
    telegram.on("deleteMessage").reset();
    delete(&server, &message).await;
    telegram.wait_for_calls("deleteMessage", 2).await;
    let change = changed(&server, "delivered").await;
    assert_eq!(change["action"], "delete");
    assert_eq!(telegram.texts(501), ["one"]);
}

#[tokio::test]
async fn the_parts_follow_what_the_message_says() {
    let (telegram, server) = polling().await;
    let long = |letter: &str, parts: usize| {
        let lines = vec![letter.repeat(4096); parts];
        lines.join("\n")
    };
    let message = sent(&server, &long("a", 2)).await;
    sent(&server, "between").await;
    let (a, b) = ("a".repeat(4096), "b".repeat(4096));
    telegram.wait_for_shown(501, &[&a, &a, "between"]).await;
    edit_text(&server, &message, &long("b", 3)).await;
    telegram.wait_for_shown(501, &[&b, &b, "between", &b]).await;
    changed(&server, "delivered").await;
    edit_text(&server, &message, "short").await;
    telegram.wait_for_shown(501, &["short", "between"]).await;
    changed(&server, "delivered").await;
    let tags = server.bot().get(&path(&message)).await.ok("message")["tags"].clone();
    assert_eq!(
        tags["telegram:id"],
        telegram.sent()[0].message_id.to_string()
    );
    assert!(tags["telegram:ids"].is_null(), "{tags}");
    edit_text(&server, &message, &long("a", 2)).await;
    telegram.wait_for_shown(501, &[&a, "between", &a]).await;
    delete(&server, &message).await;
    telegram.wait_for_shown(501, &["between"]).await;
}

#[tokio::test]
async fn files_and_captions_are_changed_as_far_as_telegram_can() {
    let (telegram, mut server) = polling().await;
    server.expect_dead_deliveries();
    let image = |name: &str, caption: &str| json!({ "imageUrl": format!("https://files.example/{name}"), "caption": caption });
    let message = say(&server, "501", "image", &image("a.png", "first")).await;
    delivery(&server, &message, "sent").await;
    edit(&server, &message, &image("a.png", "second")).await;
    telegram.wait_for_shown(501, &["second"]).await;
    assert_eq!(telegram.calls("editMessageCaption").len(), 1);
    edit(&server, &message, &image("b.gif", "third")).await;
    telegram.wait_for_shown(501, &["third"]).await;
    let media = &telegram.calls("editMessageMedia")[0].body["media"];
    assert_eq!(media["type"], "animation");
    assert_eq!(media["media"], "https://files.example/b.gif");
    changed(&server, "delivered").await;

    let place = say(
        &server,
        "501",
        "location",
        &json!({ "latitude": 1.5, "longitude": 2.5 }),
    )
    .await;
    delivery(&server, &place, "sent").await;
    edit(
        &server,
        &place,
        &json!({ "latitude": 3.5, "longitude": 2.5 }),
    )
    .await;
    let kept = changed(&server, "dead").await;
    let error = kept["error"].as_str().expect("an error");
    assert!(
        error.contains("Telegram cannot make a place of a place"),
        "{error}"
    );
    // A choice keeps its buttons.
    let options = json!([{ "label": "Yes", "value": "y" }]);
    let choice = say(
        &server,
        "501",
        "choice",
        &json!({ "text": "Sure?", "options": options }),
    )
    .await;
    delivery(&server, &choice, "sent").await;
    edit(
        &server,
        &choice,
        &json!({ "text": "Really?", "options": options }),
    )
    .await;
    let edited = telegram.wait_for_calls("editMessageText", 1).await;
    let keyboard = &edited[0].body["reply_markup"]["inline_keyboard"];
    assert_eq!(keyboard[0][0]["callback_data"], "y");
}

#[tokio::test]
async fn before_it_is_sent_the_newest_is_sent_and_a_deleted_one_never() {
    let (mut telegram, mut server) = polling().await;
    server.expect_dead_deliveries();
    sent(&server, "first").await;
    telegram.refuse_connections();
    let waits = send(&server, "501", "old").await;
    let never = send(&server, "501", "never").await;
    edit_text(&server, &waits, "older").await;
    edit_text(&server, &waits, "new").await;
    delete(&server, &never).await;
    telegram.accept_connections().await;
    delivery(&server, &waits, "sent").await;
    sent(&server, "last").await;
    assert_eq!(telegram.texts(501), ["first", "new", "last"]);
    assert!(telegram.calls("editMessageText").is_empty());
    assert!(telegram.calls("deleteMessage").is_empty());
}

#[tokio::test]
async fn a_message_in_flight_is_changed_behind_it() {
    let (telegram, server) = polling().await;
    for (text, is_deleted) in [("edited", false), ("deleted", true)] {
        let rule = telegram
            .on("sendMessage")
            .when(move |body| body["text"] == text);
        rule.delay(Duration::from_secs(1));
        let message = send(&server, "501", text).await;
        telegram.wait_for_text(501, text).await;
        if is_deleted {
            delete(&server, &message).await;
        } else {
            edit_text(&server, &message, "newer").await;
        }
        changed(&server, "delivered").await;
    }
    telegram.wait_for_shown(501, &["newer"]).await;
}

#[tokio::test]
async fn changes_survive_a_kill_and_only_the_newest_is_made() {
    for policy in ["retry", "at-most-once"] {
        let telegram = FakeTelegram::start().await;
        let mut server = Server::builder()
            .telegram(&telegram.url(), TOKEN)
            .env("SWITCHBOARD_UNCERTAIN_SENDS", policy)
            .start()
            .await;
        let edited = sent(&server, "one").await;
        let deleted = sent(&server, "two").await;
        // What is first in the line holds up the changes behind it.
        let wait_2 = json!({
            "ok": false, "error_code": 429, "description": "Too Many Requests: retry after 2",
            "parameters": { "retry_after": 2 },
        });
        telegram.on("sendMessage").answer(429, &wait_2);
        let first = send(&server, "501", "three").await;
        telegram.wait_for_calls("sendMessage", 3).await;
        edit_text(&server, &edited, "uno").await;
        edit_text(&server, &edited, "eins").await;
        delete(&server, &deleted).await;
        server.kill().await;
        server.start().await;
        telegram.wait_for_shown(501, &["eins", "three"]).await;
        delivery(&server, &first, "sent").await;
        assert_eq!(telegram.calls("editMessageText").len(), 1);
        assert_eq!(telegram.texts(501), ["one", "two", "three"]);

        // A deletion that is killed on its way is made again, whatever the policy.
        telegram.on("deleteMessage").delay(Duration::from_secs(30));
        delete(&server, &edited).await;
        telegram.wait_for_calls("deleteMessage", 2).await;
        server.kill().await;
        server.start().await;
        telegram.wait_for_calls("deleteMessage", 3).await;
        changed(&server, "delivered").await;
        assert_eq!(telegram.shown(501), ["three"]);
    }
}

#[tokio::test]
async fn a_message_of_a_group_that_moved_is_changed_nowhere_else() {
    const GROUP: i64 = -4_100_200;
    const SUPERGROUP: i64 = -1_002_100_000_002;
    let (telegram, mut server) = polling().await;
    server.expect_dead_deliveries();
    let message = send(&server, &GROUP.to_string(), "in the group").await;
    delivery(&server, &message, "sent").await;
    let moved = json!({ "message": {
        "message_id": 9, "date": 1_790_000_000, "migrate_to_chat_id": SUPERGROUP,
        "chat": { "id": GROUP, "type": "group", "title": "Team" },
        "from": { "id": 501, "is_bot": false, "first_name": "Ada" },
    } });
    telegram.push(moved);
    super::conversation(&server.integration(), &SUPERGROUP.to_string()).await;
    let there = send(&server, &SUPERGROUP.to_string(), "in the supergroup").await;
    delivery(&server, &there, "sent").await;
    // The same number means another message there.
    let numbers: Vec<_> = telegram.sent().iter().map(|sent| sent.message_id).collect();
    assert_eq!(numbers[0], numbers[1]);
    let words = "Bad Request: group chat was upgraded to a supergroup chat";
    let refusal = json!({
        "ok": false, "error_code": 400, "description": words,
        "parameters": { "migrate_to_chat_id": SUPERGROUP },
    });
    telegram
        .on("editMessageText")
        .in_chat(GROUP)
        .answer(400, &refusal);
    edit_text(&server, &message, "changed").await;
    changed(&server, "dead").await;
    telegram
        .on("deleteMessage")
        .in_chat(GROUP)
        .answer(400, &refusal);
    delete(&server, &message).await;
    let kept = changed(&server, "dead").await;
    assert_eq!(kept["action"], "delete");
    let error = kept["error"].as_str().expect("words");
    assert!(error.starts_with(words), "{error}");
    assert_eq!(telegram.shown(SUPERGROUP), ["in the supergroup"]);
}
