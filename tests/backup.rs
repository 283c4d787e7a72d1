//! The promise: a backup holds what was acknowledged before it began, whatever is written meanwhile,
//! and a server goes on from it.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::support::{Server, program, texts};

fn mode(path: &std::path::Path) -> u32 {
    let metadata = std::fs::metadata(path).expect("it is there");
    metadata.permissions().mode() & 0o777
}

#[tokio::test]
async fn what_was_acknowledged_before_a_backup_under_writes_is_there_after_a_restore() {
    let mut server = Server::echo().await;
    server.expect_dead_deliveries(); // The echo: there is no Telegram token.
    let api = server.integration();
    let conversation = api.conversation("501").await;
    let user = api.user("501").await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for writer in 0..4 {
        let (api, stop) = (api.clone(), Arc::clone(&stop));
        let (conversation, user) = (conversation.clone(), user.clone());
        writers.push(tokio::spawn(async move {
            let mut number = 0;
            while !stop.load(Ordering::Acquire) {
                api.say(&conversation, &user, &format!("w{writer} {number}"))
                    .await;
                number += 1;
            }
            number
        }));
    }
    let mut before = Vec::new();
    for number in 0..50 {
        let text = format!("before {number}");
        api.say(&conversation, &user, &text).await;
        before.push(text);
    }
    let made = server.command(&["backup", "copy", "--json"]).await.json();
    server.kill().await;
    stop.store(true, Ordering::Release);
    for writer in writers {
        // The server died under them: each of them ends, in whatever way.
        let _ = writer.await;
    }
    let copy = server.folder().join("copy");
    assert_eq!(mode(&copy), 0o700);
    assert_eq!(mode(&copy.join("encryption.key")), 0o600);
    assert_eq!(mode(&copy.join("switchboard.db")), 0o600);
    assert_eq!(made["backup"]["key"], true);
    let left: Vec<_> = std::fs::read_dir(server.folder())
        .expect("the folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .filter(|name| name.contains(".part"))
        .collect();
    assert!(left.is_empty(), "{left:?}");

    // Not over what is there, unless told so.
    let refused = server.command(&["restore", "copy"]).await;
    assert_eq!(refused.code, Some(4), "{refused:#?}");
    assert!(refused.stderr.contains("--replace"), "{}", refused.stderr);
    let restored = server
        .command(&["restore", "copy", "--replace", "--json"])
        .await
        .json();
    let kept = restored["kept"].as_str().expect("the old one is kept");
    assert!(std::path::Path::new(kept).join("switchboard.db").is_file());
    assert_eq!(mode(&server.data_dir()), 0o700);
    server.start().await;
    let api = server.integration();
    let messages = api.messages(&conversation).await;
    let known = texts(&messages);
    for text in &before {
        assert!(known.contains(&text.as_str()), "{text} is lost");
    }
    let count = made["backup"]["counts"]["messages"]
        .as_u64()
        .expect("a count");
    assert!(
        messages.len() as u64 >= count,
        "{} of {count}",
        messages.len()
    );
    api.say(&conversation, &user, "after").await;
    assert!(texts(&api.messages(&conversation).await).contains(&"after"));
}

#[tokio::test]
async fn what_is_no_whole_backup_is_refused_and_nothing_is_touched() {
    let mut server = Server::echo().await;
    server
        .command(&["backup", "copy", "--without-key"])
        .await
        .ok();
    let copy = server.folder().join("copy");
    assert!(!copy.join("encryption.key").exists());
    let again = server.command(&["backup", "copy"]).await;
    assert_eq!(again.code, Some(1), "{again:#?}");
    let running = server.command(&["restore", "copy", "--replace"]).await;
    assert_eq!(running.code, Some(4), "{running:#?}");
    assert!(running.stderr.contains("in use"), "{}", running.stderr);
    server.terminate().await;

    let before = std::fs::read(server.data_dir().join("switchboard.db")).expect("a database");
    let missing = server.command(&["restore", "nowhere", "--replace"]).await;
    assert_eq!(missing.code, Some(3), "{missing:#?}");
    let database = copy.join("switchboard.db");
    let whole = std::fs::read(&database).expect("a database");
    let mut torn = whole.clone();
    torn.truncate(whole.len() / 2);
    let mut counts: Value =
        serde_json::from_slice(&std::fs::read(copy.join("backup.json")).expect("contents"))
            .expect("JSON");
    for (bytes, bots) in [(torn, 1), (b"no database at all".to_vec(), 1), (whole, 2)] {
        std::fs::write(&database, bytes).expect("writable");
        counts["counts"]["bots"] = json!(bots);
        std::fs::write(copy.join("backup.json"), counts.to_string()).expect("writable");
        let refused = server.command(&["restore", "copy", "--replace"]).await;
        assert_ne!(refused.code, Some(0), "{refused:#?}");
        assert!(
            refused.stderr.contains("use another backup")
                || refused.stderr.contains("restore a backup"),
            "{}",
            refused.stderr
        );
        let now = std::fs::read(server.data_dir().join("switchboard.db")).expect("a database");
        assert!(now == before, "the data folder was touched");
    }
}

#[tokio::test]
async fn a_backup_is_restored_where_nothing_is_and_the_manual_is_written() {
    let server = Server::echo().await;
    server.command(&["backup", "copy"]).await.ok();
    let folder = server.folder().to_owned();
    let mut command = program::bare(&folder);
    let restored = program::run(
        command.args(["restore", "copy", "--data-dir", "elsewhere"]),
        "",
    )
    .await;
    restored.ok();
    let mut command = program::bare(&folder);
    let listed = program::run(
        command.args(["bots", "list", "--json", "--data-dir", "elsewhere"]),
        "",
    )
    .await
    .json();
    assert_eq!(listed["bots"][0]["id"], server.ready.bot_id);

    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let mut command = program::bare(&folder);
        let script = program::run(command.args(["completions", shell]), "").await;
        assert!(script.ok().contains("conversations"), "{shell}");
    }
    let mut command = program::bare(&folder);
    program::run(command.args(["man", "pages"]), "").await.ok();
    for (page, words) in [
        ("switchboard.1", "conversation server"),
        ("switchboard-tokens-rotate.1", "overlap"),
        ("switchboard-backup.1", "without"),
    ] {
        let text = std::fs::read_to_string(folder.join("pages").join(page)).expect(page);
        assert!(text.contains(words), "{page}: {text}");
    }
    let short = program::run(program::bare(&folder).args(["tokens", "-h"]), "").await;
    let long = program::run(program::bare(&folder).args(["tokens", "--help"]), "").await;
    assert!(
        !short.ok().contains("SWITCHBOARD_LISTEN"),
        "{}",
        short.stdout
    );
    assert!(long.ok().contains("SWITCHBOARD_LISTEN"), "{}", long.stdout);
}

#[tokio::test]
async fn a_backup_is_restored_into_an_empty_folder_that_stays_the_same_folder() {
    use std::os::unix::fs::MetadataExt as _;

    let server = Server::echo().await;
    server.command(&["backup", "copy"]).await.ok();
    let folder = server.folder().to_owned();
    let restore = async |to: &str| {
        let mut command = program::bare(&folder);
        program::run(command.args(["restore", "copy", "--data-dir", to]), "").await
    };
    let inode = |to: &str| std::fs::metadata(folder.join(to)).expect("a folder").ino();
    let key = std::fs::read(folder.join("copy/encryption.key")).expect("a key");
    // As a disk is mounted; and as a restore that was cut off leaves it.
    std::fs::create_dir_all(folder.join("disk/lost+found")).expect("a folder");
    std::fs::create_dir_all(folder.join("cut/.restoring")).expect("a folder");
    std::fs::write(folder.join("cut/.restoring/switchboard.db"), "half").expect("a file");
    std::fs::write(folder.join("cut/encryption.key"), &key).expect("a file");
    for to in ["disk", "cut"] {
        let before = inode(to);
        restore(to).await.ok();
        assert_eq!(inode(to), before, "{to} is another folder");
        assert!(!folder.join(to).join(".restoring").exists());
        for file in ["switchboard.db", "encryption.key"] {
            assert_eq!(mode(&folder.join(to).join(file)), 0o600);
        }
        assert_eq!(
            std::fs::read(folder.join(to).join("encryption.key")).expect("a key"),
            key
        );
        let mut command = program::bare(&folder);
        let listed = program::run(
            command.args(["bots", "list", "--json", "--data-dir", to]),
            "",
        );
        assert_eq!(listed.await.json()["bots"][0]["id"], server.ready.bot_id);
        let again = restore(to).await;
        assert_eq!(again.code, Some(4), "{again:#?}");
    }
    assert!(folder.join("disk/lost+found").is_dir());
    // Another key is somebody's, and not to be lost.
    std::fs::create_dir(folder.join("keyed")).expect("a folder");
    std::fs::write(folder.join("keyed/encryption.key"), "another").expect("a file");
    let refused = restore("keyed").await;
    assert_eq!(refused.code, Some(4), "{refused:#?}");
    let kept = std::fs::read(folder.join("keyed/encryption.key")).expect("a key");
    assert_eq!(kept, b"another");
}

#[tokio::test]
async fn a_backup_with_a_damaged_or_another_key_is_refused() {
    let mut server = Server::echo().await;
    server.command(&["backup", "copy"]).await.ok();
    server.terminate().await;
    let before = std::fs::read(server.data_dir().join("encryption.key")).expect("a key");
    let key = server.folder().join("copy/encryption.key");
    for text in ["zz".to_owned(), "ab".repeat(32)] {
        std::fs::write(&key, text).expect("writable");
        let refused = server.command(&["restore", "copy", "--replace"]).await;
        assert_eq!(refused.code, Some(1), "{refused:#?}");
        assert!(
            refused.stderr.contains("use another backup"),
            "{refused:#?}"
        );
        let now = std::fs::read(server.data_dir().join("encryption.key")).expect("a key");
        assert!(now == before, "the data folder was touched");
    }
    // A backup of an older version does not tell which key it had.
    std::fs::write(&key, &before).expect("writable");
    let path = server.folder().join("copy/backup.json");
    let mut contents: Value =
        serde_json::from_slice(&std::fs::read(&path).expect("contents")).expect("JSON");
    let fields = contents.as_object_mut().expect("an object");
    assert!(fields.remove("key_digest").is_some());
    std::fs::write(&path, contents.to_string()).expect("writable");
    server.command(&["restore", "copy", "--replace"]).await.ok();
}

#[tokio::test]
async fn a_data_folder_that_is_a_link_stays_one_and_what_it_names_is_replaced() {
    let mut server = Server::echo().await;
    server.command(&["backup", "copy"]).await.ok();
    server.terminate().await;
    let folder = server.folder().to_owned();
    std::fs::create_dir_all(folder.join("disk/old")).expect("a folder");
    std::fs::write(folder.join("disk/old/before"), "x").expect("a file");
    std::os::unix::fs::symlink("disk/old", folder.join("link")).expect("a link");
    let restore = async |to: &str| {
        let mut command = program::bare(&folder);
        let arguments = ["restore", "copy", "--replace", "--json", "--data-dir", to];
        program::run(command.args(arguments), "").await
    };
    let restored = restore("link").await.json();
    assert!(folder.join("link").is_symlink());
    assert!(folder.join("disk/old/switchboard.db").is_file());
    let kept = std::path::PathBuf::from(restored["kept"].as_str().expect("a path"));
    assert!(kept.join("before").is_file(), "{}", kept.display());
    assert_eq!(
        kept.parent(),
        folder.join("disk").canonicalize().ok().as_deref()
    );

    std::os::unix::fs::symlink("nowhere", folder.join("broken")).expect("a link");
    let refused = restore("broken").await;
    assert_eq!(refused.code, Some(4), "{refused:#?}");
    assert!(
        refused.stderr.contains("leads nowhere"),
        "{}",
        refused.stderr
    );
    assert!(folder.join("broken").is_symlink());
}

#[tokio::test]
async fn what_a_cut_off_backup_or_restore_left_is_told_and_stays() {
    let mut server = Server::echo().await;
    server.terminate().await;
    let folder = server.folder().to_owned();
    let data = server.data_dir();
    let name = data.file_name().expect("a name").to_str().expect("UTF-8");
    let left = |name: &str| {
        let path = folder.join(name);
        std::fs::create_dir(&path).expect("a folder");
        path
    };
    let (part, other) = (left("copy.part"), left("copy.part-1"));
    let beside = data.with_file_name(format!("{name}.restoring"));
    std::fs::create_dir(&beside).expect("a folder");
    left("copy.parts");
    let backup = server.command(&["backup", "copy"]).await;
    backup.ok();
    for left in [&part, &other] {
        let path = left.display().to_string();
        assert!(backup.stderr.contains(&path), "{}", backup.stderr);
    }
    assert!(!backup.stderr.contains("copy.parts"), "{}", backup.stderr);
    let restore = server.command(&["restore", "copy", "--replace"]).await;
    restore.ok();
    let doctor = server.command(&["doctor", "--json"]).await;
    let path = beside.display().to_string();
    assert!(restore.stderr.contains(&path), "{}", restore.stderr);
    let checks: Value = serde_json::from_str(&doctor.stdout).expect("JSON");
    let checks = checks["checks"].as_array().expect("checks");
    let told = checks.iter().find(|check| check["name"] == "restores");
    let told = told.unwrap_or_else(|| panic!("{}", doctor.stdout));
    assert_eq!(told["status"], "warn");
    assert!(told["found"].to_string().contains(".restoring"), "{told}");
    assert!(part.is_dir() && other.is_dir() && beside.is_dir());
}
