//! The promise: `doctor` finds what is wrong and says what to do, with a server and without one.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::support::telegram::{FakeTelegram, TOKEN};
use crate::support::{Server, program};

fn check<'a>(found: &'a Value, name: &str) -> &'a Value {
    let checks = found["checks"].as_array().expect("a list");
    checks
        .iter()
        .find(|check| {
            let full = check["name"].as_str().unwrap_or_default();
            full == name || full.starts_with(&format!("{name} "))
        })
        .unwrap_or_else(|| panic!("no check {name}: {found:#}"))
}

/// What `doctor` finds where something is wrong.
async fn faults(server: &Server) -> Value {
    let ended = server.command(&["doctor", "--json"]).await;
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    serde_json::from_str(&ended.stdout).expect("JSON")
}

#[tokio::test]
async fn a_server_that_is_well_passes_and_faults_are_named() {
    let telegram = FakeTelegram::start().await;
    let mut server = Server::builder()
        .telegram(&telegram.url(), TOKEN)
        .start()
        .await;
    let well = server.command(&["doctor", "--json"]).await.json();
    assert_eq!(well["ok"], true, "{well:#}");
    for name in [
        "data folder",
        "disk",
        "database",
        "encryption key",
        "writing",
        "clock",
        "telegram",
        "bot",
    ] {
        assert_ne!(check(&well, name)["status"], "fail", "{well:#}");
    }
    let text = well.to_string();
    assert!(!text.contains("fake-Bot_token"), "{text}");

    telegram.revoke_token();
    let database = server.data_dir().join("switchboard.db");
    std::fs::set_permissions(&database, std::fs::Permissions::from_mode(0o644)).expect("ours");
    let ended = server.command(&["doctor", "--json", "--deep"]).await;
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    let ill: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(ill["ok"], false);
    let broken = check(&ill, "telegram");
    assert_eq!(broken["status"], "fail", "{ill:#}");
    assert!(broken["fix"].as_str().is_some_and(|text| !text.is_empty()));
    assert_eq!(check(&ill, "database's file")["status"], "warn", "{ill:#}");
    assert!(!ended.stdout.contains("fake-Bot_token"));

    // Without a server: the bot's address leads nowhere.
    server.terminate().await;
    server.set_env("SWITCHBOARD_BOT_URL", "http://127.0.0.1:9/");
    let alone = server.command(&["doctor"]).await;
    assert_eq!(alone.code, Some(1), "{alone:#?}");
    assert!(alone.stdout.contains("FAIL  bot:"), "{}", alone.stdout);
    assert!(alone.stdout.contains("do: "), "{}", alone.stdout);
}

#[tokio::test]
async fn a_lost_key_and_a_damaged_database_are_found() {
    let telegram = FakeTelegram::start().await;
    let mut server = Server::builder()
        .telegram(&telegram.url(), TOKEN)
        .start()
        .await;
    server.terminate().await;
    server.set_env("SWITCHBOARD_TELEGRAM_TOKEN", "");
    let key = server.data_dir().join("encryption.key");
    std::fs::write(&key, "ab".repeat(32)).expect("writable");
    let ill = faults(&server).await;
    let found = check(&ill, "telegram")["found"].to_string();
    assert!(found.contains("does not open"), "{ill:#}");

    std::fs::write(server.data_dir().join("switchboard.db"), "no database").expect("writable");
    let ill = faults(&server).await;
    assert_eq!(check(&ill, "database")["status"], "fail", "{ill:#}");
    server.expect_dead_deliveries(); // Nothing can be listed any more.
}

#[tokio::test]
async fn sizes_are_told_and_a_server_that_was_killed_is_not_called_running() {
    let mut server = Server::echo().await;
    let well = server.command(&["doctor", "--json"]).await.json();
    assert_eq!(check(&well, "server")["status"], "ok", "{well:#}");
    for (name, words) in [("database's size", "MB in use"), ("database's log", "MB")] {
        let found = check(&well, name);
        assert_eq!(found["status"], "ok", "{well:#}");
        let text = found["found"].as_str().unwrap_or_default();
        assert!(text.contains(words), "{text}");
    }
    server.kill().await;
    assert!(server.data_dir().join("run.json").exists());
    let dead = server.command(&["doctor", "--json"]).await.json();
    let found = check(&dead, "server");
    assert_eq!(found["status"], "skip", "{dead:#}");
    assert!(
        found["found"].to_string().contains("was killed"),
        "{dead:#}"
    );

    // A server of another folder has the address, as while a backup is tried out.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("an address");
    let address = taken.local_addr().expect("an address").to_string();
    server.set_env("SWITCHBOARD_LISTEN", &address);
    let beside = server.command(&["doctor", "--json"]).await.json();
    assert_eq!(beside["ok"], true, "{beside:#}");
    assert_eq!(check(&beside, "server")["status"], "warn", "{beside:#}");

    let key = server.data_dir().join("encryption.key");
    std::fs::write(&key, "no key").expect("writable");
    let ill = faults(&server).await;
    let found = check(&ill, "encryption key's content");
    assert_eq!(found["status"], "fail", "{ill:#}");
    server.expect_dead_deliveries(); // Nothing can be listed any more.
}

#[tokio::test]
async fn a_path_that_is_no_folder_is_told_apart_from_one_that_is_not_there() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("data"), "a file").expect("writable");
    for (path, words) in [
        ("data", "is not a folder"),
        ("data/deeper", "cannot be looked at"),
    ] {
        let mut command = program::bare(folder.path());
        let ended = program::run(command.args(["--data-dir", path, "doctor"]), "").await;
        assert_eq!(ended.code, Some(1), "{ended:#?}");
        assert!(ended.stdout.contains(words), "{}", ended.stdout);
    }
}

#[tokio::test]
async fn where_nothing_is_it_says_so_and_makes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = program::bare(folder.path());
    let ended = program::run(command.arg("doctor"), "").await;
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(
        ended.stdout.contains("FAIL  data folder"),
        "{}",
        ended.stdout
    );
    assert!(!folder.path().join("data").exists());
}

#[tokio::test]
async fn a_database_or_key_that_is_lost_is_not_made_anew() {
    let telegram = FakeTelegram::start().await;
    let mut server = Server::builder()
        .telegram(&telegram.url(), TOKEN)
        .start()
        .await;
    server.terminate().await;
    server.set_env("SWITCHBOARD_TELEGRAM_TOKEN", "");
    let key = server.data_dir().join("encryption.key");
    let kept = std::fs::read(&key).expect("a key");
    std::fs::remove_file(&key).expect("ours");
    let ill = faults(&server).await;
    assert_eq!(check(&ill, "encryption key")["status"], "fail", "{ill:#}");
    for words in [["tokens", "list"], ["serve", "--ready-json"]] {
        let refused = server.command(&words).await;
        assert_ne!(refused.code, Some(0), "{refused:#?}");
        assert!(refused.stderr.contains("is missing"), "{refused:#?}");
        assert!(!key.exists(), "a new key was made by {words:?}");
    }

    std::fs::write(&key, kept).expect("writable");
    let database = server.data_dir().join("switchboard.db");
    std::fs::write(&database, "").expect("writable");
    let ill = faults(&server).await;
    assert_eq!(check(&ill, "database")["status"], "fail", "{ill:#}");
    let refused = server.command(&["conversations", "list"]).await;
    assert!(refused.stderr.contains("restore a backup"), "{refused:#?}");
    assert_eq!(std::fs::metadata(&database).expect("there").len(), 0);
    server.expect_dead_deliveries(); // Nothing can be listed any more.
}

#[tokio::test]
async fn a_server_that_hangs_is_named_within_seconds() {
    let server = Server::echo().await;
    server.signal("STOP").await;
    let begun = std::time::Instant::now();
    let ill = faults(&server).await;
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
    let found = check(&ill, "asking");
    assert_eq!(found["status"], "fail", "{ill:#}");
    let text = found["found"].as_str().unwrap_or_default();
    assert!(text.contains("does not answer within"), "{text}");
    assert!(text.contains(&format!("kill {}", server.pid())), "{text}");
    server.signal("CONT").await;
}

#[tokio::test]
async fn a_telegram_that_never_answers_holds_up_nothing_else() {
    // Connections are made, and nobody takes them.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("an address");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let server = Server::builder().telegram(&url, TOKEN).start().await;
    // Two more accounts, of which none may wait for the other.
    for (alias, account) in [("second", "7000000002"), ("third", "7000000003")] {
        let add = [
            "integrations",
            "add",
            "telegram",
            "--no-check",
            "--alias",
            alias,
        ];
        let token = format!("{account}:fake-Bot_token");
        server.command_with_input(&add, &token).await.ok();
    }
    let begun = std::time::Instant::now();
    let ill = faults(&server).await;
    assert!(begun.elapsed().as_secs() < 25, "{:?}", begun.elapsed());
    for alias in ["telegram", "second", "third"] {
        let found = check(&ill, alias);
        assert_eq!(found["status"], "fail", "{ill:#}");
        let fix = found["fix"].as_str().unwrap_or_default();
        assert!(fix.contains("check the network"), "{found:#}");
    }
    assert_eq!(check(&ill, "bot")["status"], "ok", "{ill:#}");
    assert!(!ill.to_string().contains("fake-Bot_token"));
}

#[tokio::test]
async fn the_bot_that_answers_is_named_and_its_file_is_read() {
    let shop =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/faq/shop.toml");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bot.toml");
    std::fs::copy(&shop, &file).expect("writable");
    let shown = file.display().to_string();
    let mut server = Server::builder()
        .env("SWITCHBOARD_FAQ", &shown)
        .start()
        .await;
    let well = server.command(&["doctor", "--json"]).await.json();
    let found = check(&well, "bot")["found"].to_string();
    assert!(
        found.contains("the FAQ bot of") && found.contains("bot.toml"),
        "{well:#}"
    );

    std::fs::write(&file, "menus = 7").expect("writable");
    let warned = server.command(&["doctor", "--json"]).await.json();
    assert_eq!(check(&warned, "bot")["status"], "warn", "{warned:#}");
    server.terminate().await;
    let ill = faults(&server).await;
    assert_eq!(check(&ill, "bot")["status"], "fail", "{ill:#}");
}
