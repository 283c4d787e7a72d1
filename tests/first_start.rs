//! The promise: a start that is not possible says which path is in the way, and what to do.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{notes, program};

/// Starts a server on `data` in `folder`, which must not start.
async fn refused(folder: &Path, data: &str, words: &[&str]) {
    let mut command = program::bare(folder);
    command
        .args(["serve", "--ready-json", "--data-dir", data])
        .env("SWITCHBOARD_LISTEN", "127.0.0.1:0");
    let ended = program::run(&mut command, "").await;
    assert_eq!(ended.code, Some(4), "{data}: {ended:#?}");
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
    for word in words.iter().chain([&data]) {
        assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
    }
    assert!(
        !ended.stderr.contains("cannot take this now"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn what_is_in_the_place_of_the_folder_or_the_database_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("file"), "no folder").expect("writable");
    std::fs::create_dir_all(at("nested/switchboard.db")).expect("writable");
    std::fs::create_dir(at("foreign")).expect("writable");
    let text = "this is no database, and longer than the head of one";
    std::fs::write(at("foreign/switchboard.db"), text).expect("writable");

    refused(folder.path(), "file", &["--data-dir", "move away"]).await;
    refused(folder.path(), "file/deeper", &["--data-dir"]).await;
    let words = [
        "nested/switchboard.db",
        "is a folder",
        "move the folder away",
    ];
    refused(folder.path(), "nested", &words).await;
    let words = ["foreign/switchboard.db", "no database", "check the path"];
    refused(folder.path(), "foreign", &words).await;
    let kept = std::fs::read_to_string(at("foreign/switchboard.db"));
    assert_eq!(kept.expect("still there"), text);

    // Commands say the same.
    for arguments in [&["tokens", "list"][..], &["backup", "copy"]] {
        let mut command = program::bare(folder.path());
        command.args(arguments).args(["--data-dir", "nested"]);
        let ended = program::run(&mut command, "").await;
        assert_eq!(ended.code, Some(4), "{ended:#?}");
        assert!(ended.stderr.contains("is a folder"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let locked = folder.path().join("locked");
    std::fs::create_dir(&locked).expect("writable");
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o500)).expect("ours");
    if std::fs::write(locked.join("probe"), "").is_ok() {
        notes::leave("locked_folder", "skipped: this user may write anywhere");
        return;
    }
    let words = ["--data-dir", "who may write there"];
    refused(folder.path(), "locked", &words).await;
    refused(folder.path(), "locked/data", &words).await;
}

/// A file system of its own, taken away at the end.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn mount(at: &'a Path, options: &str) -> Option<Self> {
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "none"])
            .arg(at)
            .stderr(std::process::Stdio::null())
            .status();
        mounted
            .is_ok_and(|ended| ended.success())
            .then_some(Self(at))
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        drop(std::process::Command::new("umount").arg(self.0).status());
    }
}

#[tokio::test]
async fn a_full_disk_is_named_and_a_start_after_it_goes_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().join("disk");
    std::fs::create_dir(&at).expect("writable");
    // 16 MB: room enough, but for the file that takes it.
    let Some(_disk) = Disk::mount(&at, "size=16m") else {
        notes::leave("full_disk", "skipped: this user may not mount one");
        return;
    };
    let filler = at.join("filler");
    for left in [0, 8, 100] {
        let bytes = vec![1; (16 * 1024 - left) * 1024];
        // What fits is written.
        drop(std::fs::write(&filler, bytes));
        refused(folder.path(), "disk/data", &["free some space"]).await;
        std::fs::remove_file(&filler).expect("ours");
    }
    // Nothing half made is in the way.
    let mut command = program::bare(folder.path());
    command.args(["chat", "--data-dir", "disk/data"]);
    let said = program::run(&mut command, "hello\n").await;
    assert!(said.ok().contains("hello"), "{said:#?}");
}

#[tokio::test]
async fn a_disk_that_is_read_only_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().join("disk");
    std::fs::create_dir(&at).expect("writable");
    let Some(_disk) = Disk::mount(&at, "ro") else {
        notes::leave("read_only_disk", "skipped: this user may not mount one");
        return;
    };
    let words = ["--data-dir", "who may write there"];
    refused(folder.path(), "disk", &words).await;
    refused(folder.path(), "disk/data", &words).await;
}
