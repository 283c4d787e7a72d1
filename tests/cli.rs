//! The promise: commands for people, `--json` for programs, documented exit codes, with a running
//! server and without one.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::{Server, program, wait};

async fn conversation_with_a_message(server: &Server) -> Value {
    let api = server.integration();
    let conversation = api.conversation("501").await;
    let user = api.user("501").await;
    api.say(&conversation, &user, "hello").await;
    conversation
}

#[tokio::test]
async fn conversations_are_listed_and_shown_with_how_far_deliveries_got() {
    let mut server = Server::echo().await;
    server.expect_dead_deliveries(); // The echo: there is no Telegram token.
    let conversation = conversation_with_a_message(&server).await;
    let id = conversation["id"].as_str().expect("an id");

    let shown = wait::until("the echo has failed", || async {
        let shown = server
            .command(&["conversations", "show", id, "--json"])
            .await
            .json();
        let failed = shown["messages"]
            .as_array()?
            .iter()
            .any(|message| message["delivery"]["status"] == "failed");
        failed.then_some(shown)
    })
    .await;
    assert_eq!(shown["conversation"]["id"], id);
    assert_eq!(shown["messages"][0]["payload"]["text"], "hello");

    let list = server.command(&["conversations", "list"]).await;
    assert!(
        list.ok().contains(id) && list.stdout.contains("telegram:id"),
        "{}",
        list.stdout
    );
    let text = server.command(&["conversations", "show", id]).await;
    assert!(
        text.ok().contains("hello") && text.stdout.contains("failed"),
        "{}",
        text.stdout
    );

    // The same commands without a server.
    server.terminate().await;
    let alone = server
        .command(&["conversations", "show", id, "--json"])
        .await;
    assert_eq!(alone.json()["messages"], shown["messages"]);
    assert!(alone.stderr.contains("no server runs"), "{}", alone.stderr);
}

#[tokio::test]
async fn follow_prints_messages_as_they_come() {
    let mut server = Server::echo().await;
    server.expect_dead_deliveries();
    let conversation = conversation_with_a_message(&server).await;
    let id = conversation["id"].as_str().expect("an id");
    let mut follow = program::bare(server.folder())
        .args(["conversations", "follow", id, "--last", "2", "--json"])
        .env("SWITCHBOARD_DATA_DIR", server.data_dir())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(follow.stdout.take().expect("a pipe")).lines();
    let mut next = async || {
        let line = tokio::time::timeout(wait::PATIENCE, lines.next_line()).await;
        let line = line.expect("in time").expect("readable").expect("a line");
        serde_json::from_str::<Value>(&line).expect("JSON")
    };
    assert_eq!(next().await["payload"]["text"], "hello");
    assert_eq!(next().await["direction"], "outgoing");
    let api = server.integration();
    let user = api.user("501").await;
    api.say(&conversation, &user, "more").await;
    assert_eq!(next().await["payload"]["text"], "more");
    follow.kill().await.expect("it runs");

    // Where no server runs it ends with what is there.
    server.terminate().await;
    for (last, count) in [("1", 1), ("3", 3), ("0", 0)] {
        let follow = ["conversations", "follow", id, "--last", last];
        let ended = server.command(&follow).await;
        assert_eq!(ended.ok().lines().count(), count, "{ended:#?}");
    }
}

#[tokio::test]
async fn follow_begins_with_the_last_ten() {
    let bot = crate::support::Bot::silent().await;
    let server = Server::builder().bot(&bot.url).start().await;
    let api = server.integration();
    let conversation = api.conversation("501").await;
    let user = api.user("501").await;
    for number in 1..=12 {
        api.say(&conversation, &user, &format!("number {number}"))
            .await;
    }
    let id = conversation["id"].as_str().expect("an id");
    let follow = |last: &'static [&'static str]| {
        let mut follow = program::bare(server.folder())
            .args(["conversations", "follow", id, "--json"])
            .args(last)
            .env("SWITCHBOARD_DATA_DIR", server.data_dir())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(follow.stdout.take().expect("a pipe")).lines();
        (follow, lines)
    };
    let (mut ten, mut lines) = follow(&[]);
    let mut texts = Vec::new();
    for _ in 3..=12 {
        let line = tokio::time::timeout(wait::PATIENCE, lines.next_line()).await;
        let line = line.expect("in time").expect("readable").expect("a line");
        let message: Value = serde_json::from_str(&line).expect("JSON");
        texts.push(
            message["payload"]["text"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        );
    }
    let expected: Vec<_> = (3..=12).map(|number| format!("number {number}")).collect();
    assert_eq!(texts, expected);
    ten.kill().await.expect("it runs");

    // None of them: only what comes.
    let (mut none, mut lines) = follow(&["--last", "0"]);
    let line = tokio::time::timeout(std::time::Duration::from_secs(2), lines.next_line());
    assert!(line.await.is_err(), "something was printed");
    api.say(&conversation, &user, "new").await;
    let line = tokio::time::timeout(wait::PATIENCE, lines.next_line()).await;
    let line = line.expect("in time").expect("readable").expect("a line");
    assert!(line.contains("\"new\""), "{line}");
    none.kill().await.expect("it runs");
}

#[tokio::test]
async fn tokens_are_created_listed_without_the_secret_and_revoked_at_once() {
    let mut server = Server::echo().await;
    let made = server
        .command(&["tokens", "create", "for a script", "--json"])
        .await
        .json();
    let secret = made["secret"].as_str().expect("a token").to_owned();
    let id = made["token"]["id"].as_str().expect("an id").to_owned();
    let api = server.bot().with_token(&secret);
    assert_eq!(api.get("/v1/chat/users").await.status, 200);

    let list = server.command(&["tokens", "list"]).await;
    assert!(list.ok().contains("for a script"));
    assert!(!list.stdout.contains(&secret));
    let listed = server.command(&["tokens", "list", "--json"]).await;
    assert!(!listed.ok().contains(&secret));
    assert_eq!(listed.json()["tokens"].as_array().map(Vec::len), Some(2));

    server.command(&["tokens", "revoke", &id]).await.ok();
    api.get("/v1/chat/users").await.error(401, "Unauthorized");

    // A token made while no server runs counts in the next one.
    server.terminate().await;
    let made = server.command(&["tokens", "create", "--json"]).await.json();
    server.start().await;
    let api = server
        .bot()
        .with_token(made["secret"].as_str().expect("a token"));
    assert_eq!(api.get("/v1/chat/users").await.status, 200);
    // Hashes only: no token is in any file of the folder.
    for entry in std::fs::read_dir(server.data_dir()).expect("the folder") {
        let bytes = std::fs::read(entry.expect("an entry").path()).expect("a file");
        for token in [&secret, &api.token] {
            let found = bytes
                .windows(token.len())
                .any(|window| window == token.as_bytes());
            assert!(!found, "a token is stored in clear");
        }
    }
}

#[tokio::test]
async fn exit_codes_are_as_documented() {
    let server = Server::echo().await;
    server.command(&["backup", "backup"]).await.ok();
    let missing = "conv_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    for (arguments, code) in [
        (&["config"][..], 0),
        (&["conversations", "show", missing], 3),
        (&["conversations", "show", "nonsense"], 3),
        (&["tokens", "revoke", "tok_01ARZ3NDEKTSV4RRFFQ69G5FAV"], 3),
        (
            &["deliveries", "replay", "dlv_01ARZ3NDEKTSV4RRFFQ69G5FAV"],
            3,
        ),
        (
            &["deliveries", "dismiss", "dlv_01ARZ3NDEKTSV4RRFFQ69G5FAV"],
            3,
        ),
        (&["tokens", "rotate", "nonsense"], 3),
        (&["messages", "show", "nonsense"], 3),
        (&["bots", "show", "nobody"], 3),
        (&["conversations", "list", "--bot", "nobody"], 3),
        (
            &[
                "--listen",
                "127.0.0.1:0",
                "tokens",
                "list",
                "--bot",
                "nobody",
            ],
            3,
        ),
        (&["integrations", "show", "nothing"], 3),
        (&["bots", "check", "missing.toml"], 3),
        (&["explain", "telegram", "missing.json"], 3),
        (
            &[
                "integrations",
                "add",
                "javascript",
                "missing.js",
                "--alias",
                "new",
                "--channel",
                "telegram",
            ],
            3,
        ),
        (&["restore", "missing"], 3),
        (&["bots", "create", "first bot"], 1),
        (
            &[
                "tokens",
                "create",
                "a label",
                "--integration",
                "telegram",
                "--bot",
                "first bot",
            ],
            0,
        ),
        (&["nonsense"], 2),
        (&["conversations", "list", "--limit", "many"], 2),
        (&["conversations", "follow", missing, "--last", "501"], 2),
        (&["config", "--bot-url", "ftp://127.0.0.1/"], 2),
        (&["config", "--config", "missing.toml"], 2),
        (&["serve"], 4),
        (&["restore", "backup"], 4),
    ] {
        let ended = server.command(arguments).await;
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:#?}");
        if code != 0 {
            assert_eq!(ended.stdout, "", "{arguments:?}");
            assert!(ended.stderr.contains("error: "), "{}", ended.stderr);
        }
    }
}

#[tokio::test]
async fn exit_codes_are_the_same_where_no_server_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = async |variable: (&str, &str), arguments: &[&str]| {
        let mut command = program::bare(folder.path());
        command
            .args(arguments)
            .env("SWITCHBOARD_LISTEN", "127.0.0.1:0")
            .env(variable.0, variable.1);
        program::run(&mut command, "").await
    };
    let none = ("SWITCHBOARD_LOG", "");
    let short = ("SWITCHBOARD_TOKEN", "short");
    let spaced = ("SWITCHBOARD_TOKEN", "thirty-two characters and a space");
    let elsewhere = ("SWITCHBOARD_DATABASE_URL", "sqlite:missing/other.db");
    let no_server = ("SWITCHBOARD_DATABASE_URL", "postgres://127.0.0.1/x");
    let no_file = ("SWITCHBOARD_FAQ", "missing.toml");
    for (variable, arguments, code) in [
        // Nothing is there yet.
        (none, &["tokens", "list"][..], 4),
        (none, &["backup", "copy"], 4),
        (none, &["doctor"], 1),
        (spaced, &["serve"], 2),
        (spaced, &["config"], 2),
        (short, &["serve"], 2),
        (no_server, &["serve"], 2),
        (no_file, &["serve"], 2),
        (("SWITCHBOARD_LOG", "chatty"), &["serve"], 2),
        (("SWITCHBOARD_RETRY_FOR", "soon"), &["serve"], 2),
        (("SWITCHBOARD_LISTEN", "192.0.2.1:1"), &["serve"], 4),
        // One that was begun.
        (none, &["chat"], 0),
        (none, &["tokens", "list"], 0),
        (none, &["conversations", "show", "nonsense"], 3),
        (none, &["bots", "create", "first bot"], 1),
        (elsewhere, &["tokens", "list"], 4),
        (elsewhere, &["backup", "copy"], 4),
        (elsewhere, &["restore", "copy"], 2),
        (none, &["backup", "copy"], 0),
        (none, &["backup", "copy"], 1),
        (none, &["restore", "copy"], 4),
    ] {
        let ended = run(variable, arguments).await;
        let called = format!("{variable:?} {arguments:?}");
        assert_eq!(ended.code, Some(code), "{called}: {ended:#?}");
        assert!(!ended.stderr.contains("a space"), "{called}: {ended:#?}");
    }
    // A database that was lost, or is none.
    let database = folder.path().join("data/switchboard.db");
    std::fs::remove_file(&database).expect("ours");
    assert_eq!(run(none, &["tokens", "list"]).await.code, Some(4));
    assert_eq!(run(none, &["backup", "other"]).await.code, Some(4));
    std::fs::write(&database, "no database at all, but some text").expect("writable");
    for arguments in [&["tokens", "list"][..], &["serve"], &["backup", "other"]] {
        let ended = run(none, arguments).await;
        assert_eq!(ended.code, Some(4), "{arguments:?}: {ended:#?}");
    }
}

#[tokio::test]
async fn the_settings_in_effect_are_shown_with_secrets_masked() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = async |arguments: &[&str]| {
        let mut command = program::bare(folder.path());
        command
            .args(arguments)
            .env(
                "SWITCHBOARD_TELEGRAM_TOKEN",
                "7000000001:SECRET-secret-SECRET",
            )
            .env("SWITCHBOARD_TOKEN", "SECRET-SECRET-SECRET-SECRET-SECRET")
            .env("SWITCHBOARD_ENCRYPTION_KEY", &"5ec7e7".repeat(11)[..64])
            .env("SWITCHBOARD_BOT_URL", "http://me:SECRET@127.0.0.1:9/");
        program::run(&mut command, "").await
    };
    for arguments in [&["config"][..], &["config", "--json"]] {
        let ended = run(arguments).await;
        assert!(!ended.ok().contains("SECRET") && !ended.stdout.contains("5ec7e7"));
        assert!(ended.stdout.contains("****"), "{}", ended.stdout);
    }
    let config = run(&["config", "--json"]).await.json();
    assert_eq!(config["listen"], "127.0.0.1:4000");
    assert!(
        !folder.path().join("data").exists(),
        "looking changes nothing"
    );
}

#[tokio::test]
async fn help_and_version_are_there() {
    let folder = tempfile::tempdir().expect("a folder");
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["tokens", "create", "--help"],
    ] {
        let mut command = program::bare(folder.path());
        let ended = program::run(command.args(arguments), "").await;
        assert!(!ended.ok().is_empty());
    }
}

#[tokio::test]
async fn what_was_given_up_is_dismissed_and_no_longer_asked_about() {
    let bot = crate::support::Bot::silent().await;
    let server = Server::builder().bot(&bot.url).start().await;
    let api = server.integration();
    let conversation = api.conversation("501").await;
    let own = json!({ "id": server.ready.bot_id });
    for text in ["first", "second", "third"] {
        server.bot().say(&conversation, &own, text).await;
    }
    let list = async |status: &str| {
        let list = ["deliveries", "list", "--status", status, "--json"];
        let listed = server.command(&list).await.json();
        let found = listed["deliveries"].as_array().expect("a list").clone();
        found
            .into_iter()
            .map(|found| found["id"].as_str().expect("an id").to_owned())
            .collect::<Vec<_>>()
    };
    // There is no Telegram token.
    let dead = wait::until("all are given up", || async {
        Some(list("dead").await).filter(|dead| dead.len() == 3)
    })
    .await;
    let doctor = async || server.command(&["doctor"]).await.stdout;
    assert!(doctor().await.contains("WARN  dead deliveries"));

    let [_, second, first] = &dead[..] else {
        panic!("{dead:?}");
    };
    let dismissed = server
        .command(&["deliveries", "dismiss", first, second])
        .await;
    assert_eq!(dismissed.ok(), "2 deliveries are dismissed.\n");
    assert_eq!(list("dead").await, dead[..1]);
    let all = ["deliveries", "dismiss", "--all", "--json"];
    let rest = server.command(&all).await.json();
    assert_eq!(
        rest["deliveries"].as_array().map(Vec::len),
        Some(1),
        "{rest:#}"
    );
    assert_eq!(rest["deliveries"][0]["status"], "dismissed", "{rest:#}");
    assert_eq!(list("dismissed").await, dead);
    assert!(doctor().await.contains("ok    dead deliveries"));
    let replayed = server.command(&["deliveries", "replay", first]).await;
    assert!(replayed.ok().contains("waits again"), "{replayed:#?}");
    assert_eq!(list("dismissed").await, dead[..2]);
    let none = server.command(&["deliveries", "dismiss"]).await;
    assert_eq!(none.code, Some(2), "{none:#?}");
}

#[tokio::test]
async fn deliveries_that_wait_are_listed() {
    let bot = crate::support::Bot::start(|_| crate::support::Reply::status(503)).await;
    let server = Server::builder().bot(&bot.url).start().await;
    conversation_with_a_message(&server).await;
    bot.wait_for(1).await;
    let listed = server
        .command(&["deliveries", "list", "--json"])
        .await
        .json();
    assert_eq!(listed["deliveries"].as_array().map(Vec::len), Some(1));
    assert_ne!(listed["deliveries"][0]["status"], json!("dead"));
}

#[tokio::test]
async fn a_wrong_argument_is_told_without_what_variables_set() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = async |arguments: &[&str], listen: &str| {
        let mut command = program::bare(folder.path());
        command
            .args(arguments)
            .env("SWITCHBOARD_TOKEN", "SECRET-SECRET-SECRET-SECRET-SECRET")
            .env("SWITCHBOARD_LOG", "debug")
            .env("SWITCHBOARD_LISTEN", listen);
        program::run(&mut command, "").await
    };
    let wrong = run(&["tokens", "revoke"], "127.0.0.1:0").await;
    assert_eq!(wrong.code, Some(2), "{wrong:#?}");
    assert!(wrong.stderr.contains("<ID>"), "{}", wrong.stderr);
    for absent in ["--token", "--listen", "SECRET"] {
        assert!(!wrong.stderr.contains(absent), "{absent}: {}", wrong.stderr);
    }
    // What the arguments say stands there.
    let wrong = run(
        &["tokens", "revoke", "--listen", "127.0.0.1:0"],
        "127.0.0.1:0",
    )
    .await;
    assert!(wrong.stderr.contains("--listen"), "{}", wrong.stderr);
}
