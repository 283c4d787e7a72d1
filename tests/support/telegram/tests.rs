//! The fake itself: what other tests take for granted.

use std::time::Duration;

use serde_json::{Value, json};

use super::{FakeTelegram, TOKEN};
use crate::support::{Server, http};

async fn call(telegram: &FakeTelegram, method: &str, body: Value) -> reqwest::Result<Value> {
    let url = format!("{}/bot{TOKEN}/{method}", telegram.url());
    let response = http::client().post(url).json(&body).send().await?;
    response.json().await
}

async fn poll(telegram: &FakeTelegram, body: Value) -> Vec<i64> {
    let answer = call(telegram, "getUpdates", body).await.expect("an answer");
    let updates = answer["result"].as_array().expect("updates").clone();
    updates
        .iter()
        .map(|update| update["update_id"].as_i64().expect("a number"))
        .collect()
}

#[tokio::test]
async fn an_offset_confirms_and_forgets_and_without_one_all_comes_again() {
    let telegram = FakeTelegram::start().await;
    let ids: Vec<_> = (0..3).map(|_| telegram.push_text(501, 501, "x")).collect();
    assert_eq!(poll(&telegram, json!({})).await, ids);
    assert_eq!(poll(&telegram, json!({ "limit": 1 })).await, ids[..1]);
    assert_eq!(poll(&telegram, json!({ "offset": ids[1] })).await, ids[1..]);
    assert_eq!(poll(&telegram, json!({})).await, ids[1..]);
    assert_eq!(poll(&telegram, json!({ "offset": -1 })).await, ids[2..]);
    assert_eq!(telegram.pending(), ids[2..]);
    assert_eq!(
        poll(&telegram, json!({ "offset": ids[2] + 1 })).await,
        [0_i64; 0]
    );
}

#[tokio::test]
async fn a_poll_waits_for_updates_and_ends_when_another_begins() {
    let telegram = FakeTelegram::start().await;
    let wait = json!({ "timeout": 30 });
    let (first, second) = tokio::join!(call(&telegram, "getUpdates", wait.clone()), async {
        telegram.wait_for_calls("getUpdates", 1).await;
        let second = call(&telegram, "getUpdates", wait);
        let (second, ()) = tokio::join!(second, async {
            telegram.wait_for_calls("getUpdates", 2).await;
            telegram.push_text(501, 501, "x");
        });
        second
    });
    assert_eq!(first.expect("an answer")["error_code"], 409);
    assert_eq!(
        second.expect("an answer")["result"][0]["message"]["text"],
        "x"
    );
}

#[tokio::test]
async fn kinds_that_were_not_asked_for_do_not_come_to_be() {
    let telegram = FakeTelegram::start().await;
    telegram.push(json!({ "chat_member": {} }));
    poll(&telegram, json!({ "allowed_updates": ["chat_member"] })).await;
    let wanted = telegram.push(json!({ "chat_member": {} }));
    telegram.push_text(501, 501, "unasked");
    assert_eq!(poll(&telegram, json!({})).await, [wanted]);
}

#[tokio::test]
async fn sending_has_telegrams_limits() {
    let telegram = FakeTelegram::start().await;
    telegram.set_topics(-100, &[42]);
    for (body, code) in [
        (json!({ "chat_id": 501, "text": "x".repeat(4096) }), None),
        (
            json!({ "chat_id": 501, "text": "x".repeat(4097) }),
            Some(400),
        ),
        (json!({ "chat_id": 501, "text": "" }), Some(400)),
        (json!({ "chat_id": 501, "text": "\u{200b}" }), Some(400)),
        (
            json!({ "chat_id": -100, "text": "x", "message_thread_id": 42 }),
            None,
        ),
        (
            json!({ "chat_id": -100, "text": "x", "message_thread_id": 43 }),
            Some(400),
        ),
        (
            json!({ "chat_id": -100, "text": "x", "message_thread_id": 1 }),
            Some(400),
        ),
    ] {
        let answer = call(&telegram, "sendMessage", body)
            .await
            .expect("an answer");
        assert_eq!(answer["error_code"].as_i64(), code, "{answer}");
    }
    assert_eq!(telegram.sent().len(), 2);
}

#[tokio::test]
async fn rules_count_and_faults_happen_after_the_message_was_shown() {
    let mut telegram = FakeTelegram::start().await;
    telegram
        .on("sendMessage")
        .in_chat(501)
        .nth(2)
        .refuse(403, "Forbidden: x");
    telegram.on("sendMessage").in_chat(502).reset();
    let send = |chat: i64| json!({ "chat_id": chat, "text": "x" });
    for (chat, code) in [(501, None), (503, None), (501, Some(403)), (501, None)] {
        let answer = call(&telegram, "sendMessage", send(chat))
            .await
            .expect("an answer");
        assert_eq!(answer["error_code"].as_i64(), code);
    }
    let reset = call(&telegram, "sendMessage", send(502)).await.unwrap_err();
    assert!(!reset.is_connect(), "{reset:?}");
    assert_eq!(telegram.texts(502), ["x"]);
    telegram.refuse_connections();
    let refused = call(&telegram, "sendMessage", send(502)).await.unwrap_err();
    assert!(refused.is_connect(), "{refused:?}");
    telegram.accept_connections().await;
    call(&telegram, "sendMessage", send(502))
        .await
        .expect("an answer");
    assert_eq!(telegram.sent().len(), 5);
}

#[tokio::test]
async fn a_webhook_excludes_polling_and_is_served_in_order_until_it_takes() {
    let telegram = FakeTelegram::start().await;
    let (sink, answers) = sink().await;
    telegram.push_text(501, 501, "one");
    telegram.push_text(501, 501, "two");
    let webhook = json!({ "url": sink, "secret_token": "s" });
    call(&telegram, "setWebhook", webhook)
        .await
        .expect("an answer");
    let answer = call(&telegram, "getUpdates", json!({}))
        .await
        .expect("an answer");
    assert_eq!(answer["error_code"], 409);
    telegram.wait_until_taken().await;
    let seen = answers.lock().expect("not poisoned").clone();
    assert_eq!(seen, ["one", "one", "two"], "the first is refused once");
    let info = call(&telegram, "getWebhookInfo", json!({}))
        .await
        .expect("an answer");
    assert_eq!(
        info["result"]["last_error_message"],
        "Wrong response from the webhook: 503"
    );
    call(&telegram, "deleteWebhook", json!({}))
        .await
        .expect("an answer");
    let empty = json!({ "timeout": 0 });
    assert_eq!(poll(&telegram, empty).await, [0_i64; 0]);
}

type Seen = std::sync::Arc<std::sync::Mutex<Vec<String>>>;

/// A webhook that refuses the first post and takes the rest.
async fn sink() -> (String, Seen) {
    let seen = Seen::default();
    let kept = Seen::clone(&seen);
    let take = move |headers: axum::http::HeaderMap, body: axum::body::Bytes| async move {
        assert_eq!(headers["x-telegram-bot-api-secret-token"], "s");
        let update: Value = serde_json::from_slice(&body).expect("an update");
        let text = update["message"]["text"]
            .as_str()
            .expect("a text")
            .to_owned();
        let mut kept = kept.lock().expect("not poisoned");
        kept.push(text);
        if kept.len() == 1 {
            axum::http::StatusCode::SERVICE_UNAVAILABLE
        } else {
            axum::http::StatusCode::OK
        }
    };
    let router = axum::Router::new().fallback(take);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, seen)
}

#[tokio::test]
async fn a_token_that_is_not_the_bots_is_refused() {
    let telegram = FakeTelegram::start().await;
    telegram.on("getMe").delay(Duration::from_millis(1));
    assert_eq!(
        call(&telegram, "getMe", json!({}))
            .await
            .expect("an answer")["result"]["id"],
        7_000_000_001_i64
    );
    telegram.revoke_token();
    let answer = call(&telegram, "getMe", json!({}))
        .await
        .expect("an answer");
    assert_eq!(answer["error_code"], 401);
}

#[tokio::test]
async fn the_server_under_test_polls_it_and_answers_through_it() {
    let telegram = FakeTelegram::start().await;
    telegram.push_text(501, 501, "hello");
    let builder = Server::builder().telegram(&telegram.url(), TOKEN);
    let mut server = builder.start().await;
    let sent = telegram.wait_for_sent(1).await;
    assert!(sent[0].text.contains("hello"), "{sent:?}");
    telegram.wait_until_taken().await;
    server.kill().await;
    telegram.push_text(501, 501, "after");
    server.start().await;
    // The first answer may come again: the kill may have been faster than the note that it went out.
    telegram.wait_for_text(501, "after").await;
}
