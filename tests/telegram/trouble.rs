//! What goes wrong on the way.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{delivery, health, polling, send};
use crate::support::telegram::{FakeTelegram, TOKEN};
use crate::support::{Server, http, wait};

/// No line of the log, and no word of health, shows the token.
async fn keeps_the_secret(server: &Server) {
    let secret = TOKEN.split_once(':').expect("a token").1;
    assert!(!server.log().contains(secret), "the token is in the log");
    assert!(!health(server).await.contains(secret));
}

#[tokio::test]
async fn another_poller_is_reported_without_a_hot_loop_and_sending_goes_on() {
    // tg-fail-004, shortened.
    let telegram = FakeTelegram::start().await;
    let words = "Conflict: terminated by other getUpdates request; make sure that only one bot \
                 instance is running";
    telegram
        .on("getUpdates")
        .for_a(Duration::from_secs(3))
        .refuse(409, words);
    let server = Server::builder()
        .telegram(&telegram.url(), TOKEN)
        .start()
        .await;
    wait::until("health names the conflict", || async {
        health(&server).await.contains("getUpdates").then_some(())
    })
    .await;
    let sent = send(&server, "501", "meanwhile").await;
    delivery(&server, &sent, "sent").await;
    telegram.push_text(502, 502, "after all");
    telegram.wait_for_text(502, "after all").await;
    wait::until("health is good again", || async {
        (health(&server).await == "ok").then_some(())
    })
    .await;
    assert!(telegram.calls("getUpdates").len() < 12);
    keeps_the_secret(&server).await;
}

#[tokio::test]
async fn a_webhook_that_is_set_is_removed_and_what_waits_is_kept() {
    let telegram = FakeTelegram::start().await;
    let call = format!("{}/bot{TOKEN}/setWebhook", telegram.url());
    let body = json!({ "url": "https://elsewhere.example/hook" });
    let answer = http::client().post(call).json(&body).send().await;
    assert_eq!(answer.expect("an answer").status(), 200);
    telegram.push_text(501, 501, "sent while the webhook was set");
    let server = Server::builder()
        .telegram(&telegram.url(), TOKEN)
        .start()
        .await;
    telegram
        .wait_for_text(501, "sent while the webhook was set")
        .await;
    assert_eq!(telegram.webhook_url(), None);
    let removals = telegram.calls("deleteWebhook");
    assert_ne!(removals[0].body["drop_pending_updates"], true);
    keeps_the_secret(&server).await;
}

#[tokio::test]
async fn a_429_holds_up_its_chat_for_as_long_as_told_and_no_other() {
    // tg-fail-001.
    let (telegram, server) = polling().await;
    let words = "Too Many Requests: retry after 5";
    let wait_5 = json!({
        "ok": false, "error_code": 429, "description": words, "parameters": { "retry_after": 5 },
    });
    telegram.on("sendMessage").in_chat(501).answer(429, &wait_5);
    let start = Instant::now();
    let a1 = send(&server, "501", "A1").await;
    let a2 = send(&server, "501", "A2").await;
    let b1 = send(&server, "502", "B1").await;
    delivery(&server, &b1, "sent").await;
    assert!(start.elapsed() < Duration::from_secs(2));
    let waited = delivery(&server, &a1, "sent").await;
    assert!(start.elapsed() >= Duration::from_secs(5));
    // A wait that was asked for uses up no attempt.
    assert_eq!(waited["attempts"], 1, "{waited}");
    delivery(&server, &a2, "sent").await;
    assert_eq!(telegram.texts(501), ["A1", "A2"]);
}

#[tokio::test]
async fn a_502_with_a_page_and_an_empty_answer_are_tried_again() {
    // tg-fail-006.
    let telegram = FakeTelegram::start().await;
    let page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n</html>\r\n";
    telegram.on("getUpdates").answer_text(502, page);
    telegram.on("getUpdates").answer_text(200, "");
    telegram.on("sendMessage").answer_text(502, page);
    telegram.push_text(501, 501, "through all that");
    let server = Server::builder()
        .telegram(&telegram.url(), TOKEN)
        .start()
        .await;
    telegram.wait_for_text(501, "through all that").await;
    assert_eq!(telegram.texts(501).len(), 1);
    let polls = telegram.calls("getUpdates");
    for poll in &polls[..3] {
        assert_eq!(
            poll.body["offset"], polls[0].body["offset"],
            "nothing was taken yet"
        );
    }
    assert!(!server.log().contains("<html>"), "a page is no log line");
}

#[tokio::test]
async fn a_final_refusal_is_kept_word_for_word_and_concerns_its_message_only() {
    // tg-fail-003 and tg-fail-009.
    let (telegram, mut server) = polling().await;
    server.expect_dead_deliveries();
    for (chat, code, words) in [
        ("501", 403, "Forbidden: bot was blocked by the user"),
        ("502", 400, "Bad Request: chat not found"),
        (
            "-1002100000001/42",
            400,
            "Bad Request: message thread not found",
        ),
        ("-1002100000001/43", 400, "Bad Request: TOPIC_CLOSED"),
    ] {
        telegram.on("sendMessage").refuse(code, words);
        let failed = send(&server, chat, "no").await;
        let report = delivery(&server, &failed, "failed").await;
        let error = report["error"].as_str().expect("an error");
        assert!(error.contains(words), "{error}");
        assert_eq!(report["attempts"], 1);
        assert_eq!(telegram.sent().len(), 0, "nothing goes to another place");
    }
    // A user who unblocks the bot is answered.
    telegram.push_text(501, 501, "I am back");
    telegram.wait_for_text(501, "I am back").await;
    assert_eq!(health(&server).await, "ok");
}

#[tokio::test]
async fn a_refused_token_pauses_the_account_and_a_new_one_sends_what_waited() {
    // The case "tg-fail-005".
    let (telegram, server) = polling().await;
    telegram.push_text(501, 501, "first");
    telegram.wait_for_text(501, "first").await;
    telegram.revoke_token();
    let later = send(&server, "501", "later").await;
    let other = send(&server, "502", "elsewhere").await;
    wait::until("health says that the token is refused", || async {
        let health = health(&server).await;
        (health.contains("401") || health.contains("token")).then_some(())
    })
    .await;
    // Nothing dies, and nobody hammers at the door.
    let (polls, sends) = (
        telegram.calls("getUpdates").len(),
        telegram.calls("sendMessage").len(),
    );
    wait::holds(Duration::from_secs(3), "the messages wait", || async {
        let calls = telegram.calls("getUpdates").len() - polls
            + telegram.calls("sendMessage").len()
            - sends;
        calls <= 4 && telegram.texts(501) == ["first"]
    })
    .await;
    for message in [&later, &other] {
        delivery(&server, message, "queued").await;
    }

    let renewed = "7000000001:another-Secret_of_the_same_bot";
    telegram.set_token(renewed);
    let added = server
        .command_with_input(
            &["integrations", "add", "telegram"],
            &format!("{renewed}\n"),
        )
        .await;
    added.ok();
    delivery(&server, &later, "sent").await;
    delivery(&server, &other, "sent").await;
    assert_eq!(telegram.texts(501), ["first", "later"]);
    telegram.push_text(501, 501, "again");
    telegram.wait_for_text(501, "again").await;
    keeps_the_secret(&server).await;
    assert!(!server.log().contains("another-Secret"));
    assert!(!added.stdout.contains("another-Secret") && !added.stderr.contains("another-Secret"));
}

#[tokio::test]
async fn what_certainly_was_not_taken_is_sent_again_and_shown_once() {
    // The case "tg-fail-007", its first part; the other two follow.
    let (mut telegram, server) = polling().await;
    telegram.push_text(501, 501, "hello");
    telegram.wait_for_text(501, "hello").await;
    telegram.refuse_connections();
    let message = send(&server, "501", "a").await;
    wait::until("it was tried twice", || async {
        let delivery = delivery(&server, &message, "queued").await;
        delivery["attempts"]
            .as_u64()
            .filter(|attempts| *attempts >= 2)
    })
    .await;
    telegram.accept_connections().await;
    let report = delivery(&server, &message, "sent").await;
    assert_eq!(telegram.texts(501), ["hello", "a"]);
    let error = report["error"].as_str().unwrap_or_default();
    assert!(!error.contains("uncertain"), "{report}");
    assert!(report["uncertain"].is_null(), "{report}");
}

#[tokio::test]
async fn what_may_have_been_taken_is_sent_again_by_default_and_marked() {
    let (telegram, server) = polling().await;
    telegram.on("sendMessage").reset();
    let message = send(&server, "501", "c").await;
    let marked = wait::until("the uncertain attempt can be seen", || async {
        let id = message["id"].as_str().expect("an id");
        let path = format!("/v1/chat/messages/{id}");
        let delivery = server.bot().get(&path).await.ok("message")["delivery"].clone();
        let error = delivery["error"].as_str().unwrap_or_default();
        error.contains("uncertain").then_some(delivery)
    })
    .await;
    assert_eq!(marked["attempts"], 1);
    // The mark stays when the second try is certain.
    let report = delivery(&server, &message, "sent").await;
    assert_eq!(report["uncertain"], 1, "{report}");
    assert_eq!(telegram.texts(501), ["c", "c"]);
}

#[tokio::test]
async fn at_most_once_leaves_it_uncertain_for_a_person_to_decide() {
    let telegram = FakeTelegram::start().await;
    let server = Server::builder()
        .telegram(&telegram.url(), TOKEN)
        .env("SWITCHBOARD_UNCERTAIN_SENDS", "at-most-once")
        .start()
        .await;
    telegram.on("sendMessage").reset();
    let message = send(&server, "501", "c").await;
    let next = send(&server, "501", "d").await;
    let report = delivery(&server, &message, "uncertain").await;
    assert_eq!(report["attempts"], 1);
    // It does not hold up the next one for ever.
    delivery(&server, &next, "sent").await;
    assert_eq!(telegram.texts(501), ["c", "d"]);
    let listed = server
        .command(&["deliveries", "list", "--status", "uncertain", "--json"])
        .await
        .json();
    let id = listed["deliveries"][0]["id"]
        .as_str()
        .expect("it is listed")
        .to_owned();
    server.command(&["deliveries", "replay", &id]).await.ok();
    delivery(&server, &message, "sent").await;
    assert_eq!(telegram.texts(501), ["c", "d", "c"]);
}

#[tokio::test]
async fn a_send_that_hangs_past_the_time_limit_is_uncertain() {
    let telegram = FakeTelegram::start().await;
    let server = Server::builder()
        .telegram(&telegram.url(), TOKEN)
        .env("SWITCHBOARD_UNCERTAIN_SENDS", "at-most-once")
        .start()
        .await;
    telegram.on("sendMessage").hang();
    let message = send(&server, "501", "b").await;
    let path = format!(
        "/v1/chat/messages/{}",
        message["id"].as_str().expect("an id")
    );
    wait::within(Duration::from_secs(90), "it is uncertain", || async {
        let shown = server.bot().get(&path).await.ok("message");
        (shown["delivery"]["status"] == "uncertain").then_some(())
    })
    .await;
    assert_eq!(telegram.texts(501), ["b"]);
}
