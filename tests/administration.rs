//! The promise: what goes on with a server day by day has a command: tokens change without a gap,
//! what failed is sent again, bots and integrations are looked at, renamed and switched off and on.

use serde_json::{Value, json};

use crate::support::telegram::{FakeTelegram, TOKEN};
use crate::support::{Server, wait};

#[tokio::test]
async fn a_token_is_rotated_with_an_overlap_and_keeps_its_rights() {
    let mut server = Server::echo().await;
    let made = server
        .command(&[
            "tokens",
            "create",
            "script",
            "--integration",
            "telegram",
            "--json",
        ])
        .await
        .json();
    let (id, old) = (
        made["token"]["id"].as_str().expect("an id"),
        made["secret"].as_str().expect("a token"),
    );
    let rotated = server
        .command(&["tokens", "rotate", id, "--overlap", "1h", "--json"])
        .await
        .json();
    assert_eq!(rotated["old"]["id"], id);
    assert_eq!(rotated["token"]["label"], "script");
    assert_eq!(
        rotated["token"]["integration"],
        made["token"]["integration"]
    );
    let new = rotated["secret"].as_str().expect("a token");
    for token in [old, new] {
        let api = server.integration().with_token(token);
        assert_eq!(api.get("/v1/chat/users").await.status, 200);
        let bot = server.bot().with_token(token);
        bot.get("/v1/chat/users").await.error(403, "Forbidden");
    }
    let listed = server.command(&["tokens", "list"]).await;
    assert!(listed.ok().contains("ends 2"), "{}", listed.stdout);
    assert!(!listed.stdout.contains(new));

    // Without an overlap, and without a server.
    let new_id = rotated["token"]["id"].as_str().expect("an id");
    server.terminate().await;
    let next = server
        .command(&["tokens", "rotate", new_id, "--overlap", "0"])
        .await;
    let next = next.ok().trim().to_owned();
    server.start().await;
    let enter = async |token: &str| {
        let api = server.integration().with_token(token);
        api.get("/v1/chat/users").await
    };
    enter(new).await.error(401, "Unauthorized");
    assert_eq!(enter(&next).await.status, 200);
    assert_eq!(enter(old).await.status, 200, "its hour is not over");
    server.command(&["tokens", "revoke", id]).await.ok();
    enter(old).await.error(401, "Unauthorized");

    for (arguments, code) in [
        (&["tokens", "rotate", id][..], 1),
        (&["tokens", "rotate", "tok_01ARZ3NDEKTSV4RRFFQ69G5FAV"], 3),
        (&["tokens", "rotate", id, "--overlap", "24"], 2),
        (&["tokens", "rotate", id, "--overlap", "100000d"], 1),
    ] {
        let ended = server.command(arguments).await;
        assert_eq!(ended.code, Some(code), "{ended:#?}");
    }
}

#[tokio::test]
async fn a_message_that_failed_is_shown_and_retried() {
    let telegram = FakeTelegram::start().await;
    let server = Server::builder()
        .telegram(&telegram.url(), TOKEN)
        .start()
        .await;
    let refused =
        json!({ "ok": false, "error_code": 400, "description": "Bad Request: no \u{1b}[2J" });
    telegram.on("sendMessage").answer(400, &refused);
    telegram.push_text(501, 501, "hello");
    let api = server.bot();
    let failed = wait::until("the answer has failed", || async {
        let messages = api.list("/v1/chat/messages", "messages").await;
        messages
            .into_iter()
            .find(|found| found["delivery"]["status"] == "failed")
    })
    .await;
    let id = failed["id"].as_str().expect("an id");
    let shown = server.command(&["messages", "show", id]).await;
    assert!(shown.ok().contains("hello") && shown.stdout.contains("dead"));
    assert!(!shown.stdout.contains('\u{1b}'), "{}", shown.stdout);
    let shown = server
        .command(&["messages", "show", id, "--json"])
        .await
        .json();
    assert_eq!(shown["message"]["id"], id);
    assert_eq!(shown["deliveries"][0]["status"], "dead");

    let retried = server
        .command(&["messages", "retry", id, "--json"])
        .await
        .json();
    assert_eq!(retried["id"], shown["deliveries"][0]["id"]);
    telegram.wait_for_text(501, "hello").await;
    wait::until("it is sent", || async {
        let shown = server
            .command(&["messages", "show", id, "--json"])
            .await
            .json();
        (shown["message"]["delivery"]["status"] == "sent").then_some(())
    })
    .await;
    for (id, code, words) in [
        (id, 1, "needs no replay"),
        ("msg_01ARZ3NDEKTSV4RRFFQ69G5FAV", 3, "not found"),
        ("nonsense", 3, "not found"),
    ] {
        let ended = server.command(&["messages", "retry", id]).await;
        assert_eq!(ended.code, Some(code), "{ended:#?}");
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn bots_are_shown_and_renamed() {
    let server = Server::echo().await;
    server.command(&["bots", "create", "second"]).await.ok();
    let renamed = server
        .command(&["bots", "rename", "second", "third", "--json"])
        .await
        .json();
    let shown = server
        .command(&["bots", "show", "third", "--json"])
        .await
        .json();
    assert_eq!(shown["bot"]["id"], renamed["id"]);
    assert_eq!(shown["tokens"], 1);
    assert_eq!(shown["integrations"].as_array().map(Vec::len), Some(2));
    // Its own name again is no collision.
    server
        .command(&["bots", "rename", "third", "third"])
        .await
        .ok();
    let first = server.command(&["bots", "show"]).await;
    assert!(
        first.ok().contains(&server.ready.bot_id),
        "{}",
        first.stdout
    );
    for (arguments, code) in [
        (["bots", "rename", "third", "first bot"], 1),
        (["bots", "rename", "third", ""], 1),
        (["bots", "rename", "nobody", "x"], 3),
    ] {
        assert_eq!(
            server.command(&arguments).await.code,
            Some(code),
            "{arguments:?}"
        );
    }
}

#[tokio::test]
async fn an_integration_is_switched_off_and_on() {
    let telegram = FakeTelegram::start().await;
    let mut server = Server::builder()
        .telegram(&telegram.url(), TOKEN)
        .start()
        .await;
    server.expect_dead_deliveries(); // What was said while it was off.
    telegram.push_text(501, 501, "one");
    telegram.wait_for_text(501, "one").await;
    server
        .command(&["integrations", "disable", "telegram"])
        .await
        .ok();
    let shown = server
        .command(&["integrations", "show", "telegram", "--json"])
        .await
        .json();
    assert_eq!(shown["integration"]["active"], false);
    assert_eq!(shown["has_secret"], true);
    telegram.push_text(501, 501, "two");
    let api = server.bot();
    let chat: Value = api
        .list("/v1/chat/conversations", "conversations")
        .await
        .remove(0);
    let lost = api.say(&chat, &json!({ "id": api.bot_id }), "lost").await;
    let id = lost["id"].as_str().expect("an id");
    let shown = server
        .command(&["messages", "show", id, "--json"])
        .await
        .json();
    assert_eq!(shown["deliveries"][0]["status"], "dead", "{shown:#}");

    server
        .command(&["integrations", "enable", "telegram"])
        .await
        .ok();
    telegram.wait_for_text(501, "two").await;
    let shown = server.command(&["integrations", "show", "telegram"]).await;
    assert!(shown.ok().contains("active"), "{}", shown.stdout);
    let ended = server.command(&["integrations", "enable", "nobody"]).await;
    assert_eq!(ended.code, Some(3));
}

#[tokio::test]
async fn an_integration_without_a_token_cannot_be_switched_on() {
    let server = Server::echo().await;
    let ended = server
        .command(&["integrations", "enable", "telegram"])
        .await;
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("integrations add telegram"),
        "{}",
        ended.stderr
    );
}
