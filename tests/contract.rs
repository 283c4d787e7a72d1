//! The promise: automation can start, find, use and stop a server without reading its logs.
//! docs/automation.md is the text of this contract.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Bot, Reply, Server, http, program, wait};

const PRESET: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn one_line_on_standard_output_says_all_that_is_needed() {
    let mut server = Server::echo().await;
    let ready = server.ready.clone();
    assert!(ready.url.starts_with("http://127.0.0.1:"), "{}", ready.url);
    assert!(!ready.url.ends_with(":0") && !ready.url.ends_with('/'));
    assert!(ready.bot_id.starts_with("bot_"));
    assert!(ready.integration_id.starts_with("int_"));
    let token = ready.token.expect("the first start gives a token");
    assert!(token.len() >= 32);

    // The token acts as the bot and as the integration; both exist without a Telegram token.
    let conversation = server.integration().conversation("c").await;
    let seen = server
        .bot()
        .get(&path("conversations", &conversation))
        .await;
    assert_eq!(seen.ok("conversation")["tags"]["telegram:id"], "c");

    let log = server.log();
    assert!(!log.is_empty(), "logs go to standard error");
    assert!(!log.contains(&token), "a token is no matter for a log");
    assert_eq!(server.stdout().len(), 1, "{:?}", server.stdout());
    assert!(server.terminate().await.success());
}

#[tokio::test]
async fn the_token_is_given_once_unless_it_is_preset() {
    let mut server = Server::echo().await;
    server.restart().await;
    assert_eq!(server.ready.token, None);
    // The first one goes on working.
    assert_eq!(server.bot().get("/v1/chat/users").await.status, 200);

    let mut preset = Server::builder()
        .env("SWITCHBOARD_TOKEN", PRESET)
        .start()
        .await;
    let first = preset.ready.clone();
    assert_eq!(first.token.as_deref(), Some(PRESET));
    preset.restart().await;
    assert_eq!(preset.ready.token.as_deref(), Some(PRESET));
    assert_eq!(preset.ready.bot_id, first.bot_id);
    assert_eq!(preset.ready.integration_id, first.integration_id);
    assert_eq!(preset.bot().get("/v1/chat/users").await.status, 200);

    // With one that has ended the server would not start again.
    let tokens = preset.command(&["tokens", "list", "--json"]).await.json();
    let id = tokens["tokens"][0]["id"].as_str().expect("an id");
    let refused = preset.command(&["tokens", "rotate", id]).await;
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(
        refused.stderr.contains("preset another"),
        "{}",
        refused.stderr
    );
    assert_eq!(preset.bot().get("/v1/chat/users").await.status, 200);
}

#[tokio::test]
async fn a_short_preset_token_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = program::bare(folder.path());
    command
        .args(["serve", "--ready-json"])
        .env("SWITCHBOARD_LISTEN", "127.0.0.1:0")
        .env("SWITCHBOARD_TOKEN", &PRESET[..31]);
    let ended = program::run(&mut command, "").await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_eq!(ended.stdout, "");
    assert!(
        ended.stderr.contains("SWITCHBOARD_TOKEN") && ended.stderr.contains("32"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains(&PRESET[..31]));
}

#[tokio::test]
async fn health_and_readiness_tell_the_truth() {
    let mut server = Server::echo().await;
    let http = http::client();
    for probe in ["/healthz", "/readyz"] {
        let url = format!("{}{probe}", server.ready.url);
        let answer = http.get(&url).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{probe}");
    }
    let url = server.ready.url.clone();
    server.terminate().await;
    let gone = http.get(format!("{url}/readyz")).send().await;
    assert!(gone.is_err(), "nothing answers after the end");
}

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_refused_with_a_clear_error() {
    let server = Server::echo().await;
    let ended = program::run(&mut server.serve_command(), "").await;
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert_eq!(ended.stdout, "");
    let folder = server.data_dir().display().to_string();
    assert!(ended.stderr.contains(&folder), "{}", ended.stderr);
    // The first one is unharmed.
    assert_eq!(server.bot().get("/v1/chat/users").await.status, 200);
}

#[tokio::test]
async fn only_the_owner_can_read_the_data_folder_and_the_run_file_goes_with_the_server() {
    let mut server = Server::echo().await;
    let folder = server.data_dir();
    assert_eq!(mode(&folder), 0o700);
    for entry in std::fs::read_dir(&folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }
    let run_file = folder.join("run.json");
    assert_eq!(mode(&run_file), 0o600);
    let text = std::fs::read_to_string(&run_file).expect("run.json");
    let run: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(run["url"], server.ready.url.as_str());
    let secret = run["secret"].as_str().expect("a secret").to_owned();
    assert!(secret.len() >= 32);

    server.restart().await;
    let text = std::fs::read_to_string(&run_file).expect("run.json");
    assert!(!text.contains(&secret), "the secret is made anew");
    server.terminate().await;
    assert!(!run_file.exists());
}

#[tokio::test]
async fn sigterm_ends_it_soon_and_in_order() {
    let mut server = Server::echo().await;
    let conversation = server.integration().conversation("c").await;
    let start = Instant::now();
    let status = server.terminate().await;
    assert_eq!(status.code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(10));
    let wal = server.data_dir().join("switchboard.db-wal");
    let left = std::fs::metadata(wal).map_or(0, |file| file.len());
    assert_eq!(left, 0, "a closed database has no log left");
    server.start().await;
    let again = server.integration().conversation("c").await;
    assert_eq!(again["id"], conversation["id"]);
}

#[tokio::test]
async fn a_connection_that_says_nothing_does_not_hold_up_the_end() {
    let mut server = Server::echo().await;
    let address = server.ready.url.trim_start_matches("http://").to_owned();
    let _idle = tokio::net::TcpStream::connect(&address)
        .await
        .expect("a connection");
    assert_eq!(server.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let bot = Bot::start(|_| Reply::nothing().after(Duration::from_secs(50))).await;
    let mut server = Server::builder().bot(&bot.url).start().await;
    let api = server.integration();
    let (conversation, user) = (api.conversation("501").await, api.user("501").await);
    api.say(&conversation, &user, "hello").await;
    bot.wait_for(1).await;
    let start = Instant::now();
    server.signal("TERM").await;
    wait::until("it is stopping", || async {
        server.log().contains("stopping").then_some(())
    })
    .await;
    let status = server.terminate().await;
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(status.code(), Some(1));
}

#[tokio::test]
async fn the_database_may_lie_elsewhere() {
    let elsewhere = tempfile::tempdir().expect("a folder");
    let file = elsewhere.path().join("other.db");
    let server = Server::builder()
        .env(
            "SWITCHBOARD_DATABASE_URL",
            format!("sqlite:{}", file.display()),
        )
        .start()
        .await;
    server.integration().conversation("c").await;
    assert!(file.exists());
    assert!(!server.data_dir().join("switchboard.db").exists());
}

#[tokio::test]
async fn flags_win_over_variables_and_variables_over_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = "log = \"error\"\nretry_for = 77\nbot_timeout = 66\n";
    std::fs::write(folder.path().join("switchboard.toml"), file).expect("the file");
    let mut command = program::bare(folder.path());
    command
        .args(["config", "--json", "--bot-timeout", "44"])
        .env("SWITCHBOARD_BOT_TIMEOUT", "55")
        .env("SWITCHBOARD_RETRY_FOR", "88");
    let config = program::run(&mut command, "").await.json();
    assert_eq!(config["log"], "error");
    assert_eq!(config["retry_for"], "88");
    assert_eq!(config["bot_timeout"], "44");
}

#[tokio::test]
async fn a_message_to_the_inactive_integration_fails_where_it_can_be_seen() {
    let mut server = Server::echo().await;
    server.expect_dead_deliveries();
    let (bot, integration) = (server.bot(), server.integration());
    let conversation = integration.conversation("501").await;
    let message = bot
        .say(&conversation, &json!({ "id": bot.bot_id }), "anyone there?")
        .await;
    let shown = wait::until("the message has failed", || async {
        let shown = bot.get(&path("messages", &message)).await.ok("message");
        (shown["delivery"]["status"] == "failed").then_some(shown)
    })
    .await;
    let error = shown["delivery"]["error"].as_str().unwrap_or_default();
    assert!(!error.is_empty(), "{shown}");
}

fn path(resource: &str, object: &Value) -> String {
    let id = object["id"].as_str().expect("an id");
    format!("/v1/chat/{resource}/{id}")
}

fn mode(path: &Path) -> u32 {
    let metadata = std::fs::metadata(path).expect("it exists");
    metadata.permissions().mode() & 0o777
}
