//! Files that are not what they must be, at opening and while the server runs.

use std::path::Path;

use rusqlite::Connection;
use switchboard_model::Error;
use switchboard_store::Store as _;

use super::{database, folder};
use crate::SqliteStore;

fn refused(path: &Path) -> String {
    match SqliteStore::open(path).map(|_| ()) {
        Err(Error::Unavailable { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

async fn not_well(store: &SqliteStore) -> String {
    match store.ping().await {
        Err(Error::Unavailable { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let folder = folder();
    let path = database(&folder);
    SqliteStore::open(&path).unwrap().close().await.unwrap();
    let connection = Connection::open(&path).unwrap();
    connection
        .pragma_update(None, "user_version", 9999)
        .unwrap();
    drop(connection);
    let reason = refused(&path);
    assert!(
        reason.contains("9999") && reason.contains("newer program"),
        "{reason}"
    );
    let connection = Connection::open(&path).unwrap();
    let version: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 9999);
}

#[test]
fn another_programs_database_is_refused_and_left_alone() {
    let folder = folder();
    let path = database(&folder);
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch("CREATE TABLE user (name TEXT)")
        .unwrap();
    drop(connection);
    let before = std::fs::read(&path).unwrap();
    let reason = refused(&path);
    assert!(reason.contains("another program"), "{reason}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn what_is_no_database_or_a_damaged_one_is_refused_with_advice() {
    let folder = folder();
    let path = folder.path().join("letter.txt");
    std::fs::write(&path, "Dear reader,\n".repeat(1000)).unwrap();
    let reason = refused(&path);
    assert!(
        reason.contains("no database") && reason.contains("backup"),
        "{reason}"
    );

    let path = database(&folder);
    SqliteStore::open(&path).unwrap().close().await.unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    // Behind the header: the schema itself.
    bytes[100..4096].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let reason = refused(&path);
    assert!(
        reason.contains("damaged") && reason.contains("backup"),
        "{reason}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let store = SqliteStore::open(&database(&folder)).unwrap();
    store.ping().await.unwrap();
    let mut seen = 0;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        seen += 1;
    }
    assert_eq!(seen, 3, "database, log and index of the log");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_goes_or_is_replaced_under_a_running_store_is_noticed() {
    for name in ["switchboard.db", "switchboard.db-wal"] {
        let folder = folder();
        let store = SqliteStore::open(&database(&folder)).unwrap();
        store.ping().await.unwrap();
        let path = folder.path().join(name);
        let aside = folder.path().join("aside");
        std::fs::rename(&path, &aside).unwrap();
        let reason = not_well(&store).await;
        assert!(
            reason.contains("deleted") && reason.contains(name),
            "{reason}"
        );
        std::fs::copy(&aside, &path).unwrap();
        let reason = not_well(&store).await;
        assert!(
            reason.contains("replaced") && reason.contains(name),
            "{reason}"
        );
        // Nothing was taken meanwhile, so that the file put back is whole.
        std::fs::rename(&aside, &path).unwrap();
        store.ping().await.unwrap();
        store.close().await.unwrap();
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_to_the_database_will_do() {
    let folder = folder();
    let elsewhere = tempfile::tempdir().unwrap();
    let path = database(&folder);
    std::os::unix::fs::symlink(elsewhere.path().join("real.db"), &path).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    store.ping().await.unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(not_well(&store).await.contains("deleted"));
}
