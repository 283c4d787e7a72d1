//! With a public URL Telegram calls the server.

use std::time::Duration;

use serde_json::json;

use super::{conversation, health, settled};
use crate::support::telegram::{FakeTelegram, TOKEN};
use crate::support::{Bot, Reply, Server, http, texts, wait};

/// A server that is reached at the address it listens on.
async fn with_webhook(telegram: &FakeTelegram, bot: Option<&Bot>) -> Server {
    let address = format!("127.0.0.1:{}", http::free_port());
    let mut builder = Server::builder()
        .telegram(&telegram.url(), TOKEN)
        .env("SWITCHBOARD_LISTEN", &address)
        .env("SWITCHBOARD_PUBLIC_URL", format!("http://{address}"));
    if let Some(bot) = bot {
        builder = builder.bot(&bot.url);
    }
    let server = builder.start().await;
    telegram
        .wait_until("the webhook is set", FakeTelegram::webhook_url)
        .await;
    server
}

fn update(id: i64, text: &str) -> serde_json::Value {
    json!({ "update_id": 9000 + id, "message": {
        "message_id": id, "date": 1_790_000_000 + id, "chat": { "id": 501, "type": "private" },
        "from": { "id": 501, "is_bot": false, "first_name": "Ada" }, "text": text,
    } })
}

#[tokio::test]
async fn updates_come_by_webhook_at_the_contract_s_path_and_are_acknowledged_with_nothing() {
    let telegram = FakeTelegram::start().await;
    let server = with_webhook(&telegram, None).await;
    let url = telegram.webhook_url().expect("a webhook");
    let prefix = format!("{}/webhook/", server.ready.url);
    let id = url
        .strip_prefix(&prefix)
        .expect("<public url>/webhook/<webhook id>");
    assert!(id.len() >= 32 && !id.contains('/'), "{id}");
    telegram.push_text(501, 501, "hello");
    telegram.wait_for_text(501, "hello").await;
    telegram.wait_until_taken().await;
    for delivery in telegram.deliveries() {
        // A body would be executed by Telegram as a method.
        assert_eq!(delivery.answer, Ok((200, String::new())));
    }
    assert_eq!(telegram.calls("getUpdates").len(), 0);
    let set = &telegram.calls("setWebhook")[0].body;
    assert!(
        set["secret_token"]
            .as_str()
            .is_some_and(|secret| secret.len() >= 32)
    );
    assert_ne!(set["drop_pending_updates"], true);
    assert!(
        set["allowed_updates"]
            .as_array()
            .is_some_and(|kinds| kinds.len() > 10)
    );
}

#[tokio::test]
async fn without_the_right_secret_nothing_is_taken() {
    let telegram = FakeTelegram::start().await;
    let server = with_webhook(&telegram, None).await;
    let url = telegram.webhook_url().expect("a webhook");
    for secret in ["wrong", "", "0"] {
        let (status, _) = telegram.post(&update(1, "forged"), Some(secret)).await;
        assert!((400..500).contains(&status), "{status}");
    }
    let bare = http::client()
        .post(&url)
        .json(&update(2, "forged"))
        .send()
        .await;
    assert!(bare.expect("an answer").status().is_client_error());
    let elsewhere = http::client()
        .post(format!("{}/webhook/nonsense", server.ready.url))
        .json(&update(3, "forged"))
        .send()
        .await;
    assert_eq!(elsewhere.expect("an answer").status(), 404);
    let (status, _) = telegram.post(&update(4, "true"), None).await;
    assert_eq!(status, 200);
    telegram.wait_for_text(501, "true").await;
    assert_eq!(telegram.texts(501), ["true"]);
}

#[tokio::test]
async fn twenty_copies_at_once_and_twenty_after_a_restart_are_one_message() {
    // tg-in-010.
    let telegram = FakeTelegram::start().await;
    let bot = Bot::echo().await;
    let mut server = with_webhook(&telegram, Some(&bot)).await;
    telegram.set_copies(20);
    telegram.push(update(63, "once please"));
    telegram.wait_until_taken().await;
    server.restart().await;
    telegram.push(update(63, "once please"));
    telegram.wait_until_taken().await;
    telegram.set_copies(1);
    telegram.push(update(64, "and on"));
    telegram.wait_for_text(501, "echo: and on").await;
    for delivery in telegram.deliveries() {
        // While the server was down there was no answer at all.
        assert!(
            delivery.is_taken() || delivery.answer.is_err(),
            "{delivery:?}"
        );
    }
    assert_eq!(bot.texts(), ["once please", "and on"]);
    let api = server.integration();
    let messages = settled(&api, &conversation(&api, "501").await, 4).await;
    assert_eq!(
        texts(&messages),
        ["once please", "echo: once please", "and on", "echo: and on"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_messages_of_a_new_chat_all_at_once_make_one_conversation() {
    let telegram = FakeTelegram::start().await;
    // It answers nothing: 40 answers in a chat take their time.
    let bot = Bot::start(|_| Reply::nothing()).await;
    let server = with_webhook(&telegram, Some(&bot)).await;
    let mut posts = Vec::new();
    for id in 1..=40 {
        let (telegram, update) = (&telegram, update(id, &format!("{id}")));
        posts.push(async move { telegram.post(&update, None).await.0 });
    }
    let statuses = futures::future::join_all(posts).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    let api = server.integration();
    let chat = conversation(&api, "501").await;
    let messages = settled(&api, &chat, 40).await;
    let incoming = messages
        .iter()
        .filter(|message| message["direction"] == "incoming");
    assert_eq!(incoming.count(), 40);
    assert_eq!(
        api.list("/v1/chat/users?tags.id=501", "users").await.len(),
        1
    );
}

fn edit(id: i64, text: &str) -> serde_json::Value {
    let mut content = update(id, text)["message"].take();
    content["edit_date"] = json!(1_790_001_000 + id);
    json!({ "update_id": 19_000 + id, "edited_message": content })
}

#[tokio::test]
async fn an_edit_that_is_handed_over_before_its_message_is_not_lost() {
    let telegram = FakeTelegram::start().await;
    let bot = Bot::silent().await;
    let mut server = with_webhook(&telegram, Some(&bot)).await;
    for _ in 0..2 {
        assert_eq!(telegram.post(&edit(7, "hello"), None).await.0, 200);
    }
    let first = bot.wait_for(1).await;
    assert_eq!(first[0].kind(), "telegram:edited_message");
    assert!(first[0].event["messageId"].is_null(), "{:?}", first[0].raw);
    server.kill().await;
    server.start().await;
    for _ in 0..2 {
        assert_eq!(telegram.post(&update(7, "helo"), None).await.0, 200);
    }
    let told = bot.wait_for_text("hello").await;
    assert_eq!(told.kind(), "message_created");
    let api = server.integration();
    let chat = conversation(&api, "501").await;
    let messages = settled(&api, &chat, 1).await;
    assert_eq!(texts(&messages), ["hello"]);
    assert_eq!(messages[0]["tags"]["editDate"], "1790001007");
    assert_eq!(messages[0]["tags"]["id"], "7");
    // And on.
    assert_eq!(telegram.post(&edit(7, "hello!"), None).await.0, 200);
    wait::until("the later edit is there", || async {
        (texts(&api.messages(&chat).await) == ["hello!"]).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_and_their_edits_all_at_once_end_as_they_were_edited() {
    let telegram = FakeTelegram::start().await;
    let bot = Bot::silent().await;
    let server = with_webhook(&telegram, Some(&bot)).await;
    let mut posts = Vec::new();
    for id in 1..=40 {
        let mut both = [update(id, "said"), edit(id, &format!("edited {id}"))];
        if id % 3 > 0 {
            both.reverse();
        }
        for update in both {
            let telegram = &telegram;
            posts.push(async move { telegram.post(&update, None).await.0 });
        }
    }
    let statuses = futures::future::join_all(posts).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    let api = server.integration();
    let messages = settled(&api, &conversation(&api, "501").await, 40).await;
    for message in &messages {
        let expected = format!("edited {}", message["tags"]["id"].as_str().expect("an id"));
        assert_eq!(message["payload"]["text"], expected);
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_is_kept_as_an_event_and_stalls_nothing() {
    let telegram = FakeTelegram::start().await;
    let server = with_webhook(&telegram, None).await;
    let set = &telegram.calls("setWebhook")[0].body;
    let secret = set["secret_token"].as_str().expect("a secret");
    for _ in 0..2 {
        let answer = http::client()
            .post(telegram.webhook_url().expect("a webhook"))
            .header("x-telegram-bot-api-secret-token", secret)
            .body(b"{\"update_id\":1,\xff".to_vec())
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.text().await.expect("a body"), "");
    }
    let events = server.bot().list("/v1/chat/events", "events").await;
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!(events[0]["type"], "telegram:unknown");
    assert_eq!(
        events[0]["payload"],
        json!({ "raw": "{\"update_id\":1,\u{fffd}" })
    );
}

#[tokio::test]
async fn polling_after_a_webhook_takes_it_back() {
    let telegram = FakeTelegram::start().await;
    let mut server = with_webhook(&telegram, None).await;
    server.set_env("SWITCHBOARD_PUBLIC_URL", "");
    server.restart().await;
    telegram.push_text(501, 501, "by polling");
    telegram.wait_for_text(501, "by polling").await;
    assert_eq!(telegram.webhook_url(), None);
}

#[tokio::test]
async fn a_webhook_that_telegram_refuses_is_reported() {
    let telegram = FakeTelegram::start().await;
    let words = "Bad Request: bad webhook: An HTTPS URL must be provided for webhook";
    telegram
        .on("setWebhook")
        .for_a(Duration::from_secs(2))
        .refuse(400, words);
    let address = format!("127.0.0.1:{}", http::free_port());
    let server = Server::builder()
        .telegram(&telegram.url(), TOKEN)
        .env("SWITCHBOARD_LISTEN", &address)
        .env("SWITCHBOARD_PUBLIC_URL", format!("http://{address}"))
        .start()
        .await;
    wait::until("health repeats Telegram's words", || async {
        health(&server)
            .await
            .contains("HTTPS URL must be provided")
            .then_some(())
    })
    .await;
    assert!(telegram.calls("setWebhook").len() <= 3);
}
