//! The promise: what goes wrong around the server is told clearly, and nothing is half done.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::{Bot, Reply, Server, program};

#[tokio::test]
async fn a_log_that_cannot_be_written_stops_no_delivery() {
    // A bot that fails makes the worker write warnings.
    let first = AtomicBool::new(true);
    let bot = Bot::start(move |_| {
        if first.swap(false, Ordering::SeqCst) {
            Reply::status(500)
        } else {
            Reply::texts(&["ok"])
        }
    })
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = program::bare(folder.path())
        .args(["serve", "--ready-json"])
        .env("SWITCHBOARD_LISTEN", "127.0.0.1:0")
        .env("SWITCHBOARD_BOT_URL", &bot.url)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(server.stderr.take());
    let mut lines = BufReader::new(server.stdout.take().expect("a pipe")).lines();
    let ready = lines.next_line().await.expect("readable").expect("a line");
    assert!(ready.contains("bot_id"), "{ready}");

    let said = program::run(
        program::bare(folder.path()).args(["chat", "--timeout", "20", "--linger", "0"]),
        "one\ntwo\n",
    )
    .await;
    said.ok();
    assert_eq!(bot.texts(), ["one", "one", "two"]);
    server.kill().await.expect("it ends");
}

#[tokio::test]
async fn a_second_server_on_the_same_database_is_refused() {
    let server = Server::echo().await;
    let folder = tempfile::tempdir().expect("a folder");
    let database = server.data_dir().join("switchboard.db");
    let second = program::run(
        program::bare(folder.path())
            .args(["serve", "--ready-json"])
            .env("SWITCHBOARD_LISTEN", "127.0.0.1:0")
            .env(
                "SWITCHBOARD_DATABASE_URL",
                format!("sqlite:{}", database.display()),
            ),
        "",
    )
    .await;
    assert_eq!(second.code, Some(4), "{second:?}");
    assert!(
        second.stderr.contains("held by another process"),
        "{second:?}"
    );
}

#[tokio::test]
async fn a_command_in_the_wrong_folder_makes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    for arguments in [
        &["conversations", "list"][..],
        &["tokens", "create"],
        &["integrations", "list"],
        &["bots", "list"],
    ] {
        let ended = program::run(program::bare(folder.path()).args(arguments), "").await;
        assert_eq!(ended.code, Some(4), "{arguments:?}: {ended:?}");
        assert!(
            ended.stderr.contains(&*folder.path().to_string_lossy()),
            "{ended:?}"
        );
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("readable").count(),
        0
    );
}

#[tokio::test]
async fn a_chat_before_the_first_start_does_not_use_up_the_first_token() {
    let folder = tempfile::tempdir().expect("a folder");
    program::run(program::bare(folder.path()).arg("chat"), "hi\n")
        .await
        .ok();
    let server = Server::builder().start_in(folder).await;
    let token = server
        .ready
        .token
        .clone()
        .expect("a token at the first start");
    assert!(token.len() >= 32);
}

#[tokio::test]
async fn an_account_is_plugged_in_once() {
    let server = Server::echo().await;
    let add = |alias: &'static str, token: &'static str| {
        let mut command = program::bare(server.folder());
        command
            .args([
                "integrations",
                "add",
                "telegram",
                "--no-check",
                "--alias",
                alias,
            ])
            .env("SWITCHBOARD_DATA_DIR", server.data_dir());
        async move { program::run(&mut command, token).await }
    };
    add("telegram", "7000000001:AAAA\n").await.ok();
    // Its secret renewed: still the same account.
    add("telegram", "7000000001:BBBB\n").await.ok();
    let second = add("telegram-two", "7000000001:AAAA\n").await;
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.stderr.contains("plugged in already"), "{second:?}");
    add("telegram-two", "7000000002:AAAA\n").await.ok();
}

#[tokio::test]
async fn empty_variables_count_as_none_and_misspelt_values_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = program::bare(folder.path());
    command.args(["config", "--json"]);
    for name in [
        "LISTEN",
        "DATA_DIR",
        "DATABASE_URL",
        "BOT_URL",
        "BOT_TIMEOUT",
        "RETRY_FOR",
        "UNCERTAIN_SENDS",
        "TELEGRAM_TOKEN",
        "TELEGRAM_API_URL",
        "PUBLIC_URL",
        "TOKEN",
        "ENCRYPTION_KEY",
        "MAX_CONNECTIONS",
        "READ_TIMEOUT",
        "IDLE_TIMEOUT",
        "LOG",
        "CONFIG",
    ] {
        command.env(format!("SWITCHBOARD_{name}"), "");
    }
    let shown = program::run(&mut command, "").await.json();
    assert_eq!(shown["listen"], "127.0.0.1:4000");
    assert_eq!(shown["token"], json!(null));

    for (name, value, word) in [
        ("LOG", "debgu", "log"),
        ("PUBLIC_URL", "http://example.com", "public_url"),
        ("PUBLIC_URL", "https://example.com/a?b=c", "public_url"),
        ("LISTEN", "4000", "listen"),
    ] {
        let ended = program::run(
            program::bare(folder.path())
                .arg("serve")
                .env(format!("SWITCHBOARD_{name}"), value),
            "",
        )
        .await;
        assert_eq!(ended.code, Some(2), "{name}: {ended:?}");
        assert!(ended.stderr.contains(word), "{name}: {ended:?}");
    }
}

#[tokio::test]
async fn an_answer_that_comes_after_the_bot_has_taken_the_line_is_printed() {
    let bot = Bot::silent().await;
    let server = Server::builder().bot(&bot.url).start().await;
    let api = server.bot();
    let (bot_id, late) = (server.ready.bot_id.clone(), "later, over the API");
    let answer = tokio::spawn(async move {
        let event = bot.wait_for(1).await[0].event.clone();
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let body = json!({
            "conversationId": event["conversationId"], "userId": bot_id,
            "type": "text", "payload": { "text": late }, "tags": {},
        });
        api.post("/v1/chat/messages", &body)
            .await
            .created("message");
    });
    let mut chat = program::bare(server.folder());
    chat.arg("chat")
        .env("SWITCHBOARD_DATA_DIR", server.data_dir());
    let said = program::run(&mut chat, "hi\n").await;
    assert_eq!(said.ok().trim(), late);
    answer.await.expect("it answers");
}

#[tokio::test]
async fn a_mistyped_variable_is_named_and_what_is_in_it_is_not() {
    let server = Server::builder()
        .env("SWITCHBOARD_TOKN", "a-secret-in-the-wrong-place")
        .start()
        .await;
    let log = server.log();
    assert!(
        log.contains("SWITCHBOARD_TOKN is no setting; did you mean SWITCHBOARD_TOKEN?"),
        "{log}"
    );
    assert!(!log.contains("a-secret"), "{log}");
    assert!(!log.contains("SWITCHBOARD_LISTEN"), "{log}");
}

#[tokio::test]
async fn a_bot_whose_answer_says_nothing_by_mistake_is_told_of_once() {
    let bot = Bot::start(|_| Reply {
        body: json!({ "message": [{ "type": "text", "payload": { "text": "SAID" } }] }),
        ..Reply::nothing()
    })
    .await;
    let mut server = Server::builder().bot(&bot.url).start().await;
    let api = server.integration();
    let conversation = api.conversation("501").await;
    let user = api.user("501").await;
    let warnings = |log: &str| log.matches("no `messages`").count();
    for start in 1..=2 {
        for number in 0..3 {
            let text = format!("{start} {number}");
            server.integration().say(&conversation, &user, &text).await;
            bot.wait_for_text(&text).await;
        }
        server.terminate().await;
        let log = server.log();
        assert_eq!(warnings(&log), start, "{log}");
        assert!(
            log.contains("has the fields \\\"message\\\"")
                || log.contains("has the fields \"message\""),
            "{log}"
        );
        assert!(!log.contains("SAID"), "{log}");
        server.start().await;
    }
}
