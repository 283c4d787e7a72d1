//! What is read from one commit to the next is read in one snapshot, which is in nobody's way.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use switchboard_store::Store as _;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::{COUNT, Gate, database, folder};
use crate::failure::Failure;
use crate::{SqliteStore, rows};

const SET: &str = "INSERT INTO probe (id, count) VALUES (7, ?1)
    ON CONFLICT (id) DO UPDATE SET count = excluded.count";

async fn count(store: &SqliteStore) -> i64 {
    store
        .read_one(|connection| rows::value::<i64>(connection, COUNT, [7]))
        .await
        .unwrap()
        .unwrap()
}

async fn set(store: &SqliteStore, value: i64) {
    store
        .write(move |tx| rows::execute(tx.connection, SET, [value]))
        .await
        .unwrap();
}

/// What may still be going on when a write has been answered.
async fn until_kept(store: &SqliteStore, kept: usize) {
    let reached = async {
        while store.shared.snapshots.kept() != kept {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let reached = timeout(Duration::from_secs(30), reached).await;
    let now = store.shared.snapshots.kept();
    assert!(reached.is_ok(), "{now} kept in place of {kept}");
}

/// Reads on this thread until the snapshot is kept.
async fn keep(store: &SqliteStore) {
    let kept = async {
        while store.shared.snapshots.kept() == 0 {
            count(store).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(30), kept).await.unwrap();
}

#[tokio::test]
async fn a_snapshot_is_kept_while_nothing_is_written_and_ended_by_a_write() {
    let folder = folder();
    let store = SqliteStore::open(&database(&folder)).unwrap();
    set(&store, 1).await;
    keep(&store).await;
    assert_eq!(count(&store).await, 1);
    set(&store, 2).await;
    // Nobody has read since.
    until_kept(&store, 0).await;
    assert_eq!(count(&store).await, 2);
    keep(&store).await;
    assert_eq!(count(&store).await, 2);
    store.close().await.unwrap();
}

#[tokio::test]
async fn several_statements_and_long_reads_fit_in_a_kept_snapshot() {
    let folder = folder();
    let store = SqliteStore::open(&database(&folder)).unwrap();
    set(&store, 1).await;
    keep(&store).await;
    let both = store
        .read(|connection| {
            let one = rows::value::<i64>(connection, COUNT, [7])?;
            Ok((one, rows::value::<i64>(connection, COUNT, [7])?))
        })
        .await;
    assert_eq!(both.unwrap(), (Some(1), Some(1)));
    let long = store.list(|connection| rows::value::<i64>(connection, COUNT, [7]));
    assert_eq!(long.await.unwrap(), Some(1));
    assert_eq!(store.shared.snapshots.kept(), 1);
    // One that fails leaves nothing behind that the next read would meet.
    let failed = store
        .read_one(|connection| rows::value::<i64>(connection, "SELECT no", []))
        .await;
    failed.unwrap_err();
    until_kept(&store, 0).await;
    assert_eq!(count(&store).await, 1);
    let refused = store.read::<()>(|_| Err(Failure::Damage("so it is".to_owned())));
    refused.await.unwrap_err();
    assert_eq!(count(&store).await, 1);
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn none_is_kept_while_something_is_written() {
    let folder = folder();
    let store = SqliteStore::open(&database(&folder)).unwrap();
    set(&store, 1).await;
    let gate = Gate::shut(&store);
    for _ in 0..5 {
        assert_eq!(count(&store).await, 1);
    }
    assert_eq!(store.shared.snapshots.kept(), 0);
    drop(gate);
    set(&store, 2).await;
    assert_eq!(count(&store).await, 2);
    store.close().await.unwrap();
}

/// Threads that read all the time, and one that writes now and then: whoever begins to read after
/// a write was answered sees it.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn whatever_was_answered_is_seen_by_all() {
    const LAST: i64 = 400;
    let folder = folder();
    let store = SqliteStore::open(&database(&folder)).unwrap();
    set(&store, 0).await;
    let answered = Arc::new(AtomicI64::new(0));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (store, answered) = (store.clone(), Arc::clone(&answered));
            let runtime = Handle::current();
            std::thread::spawn(move || {
                let mut reads = 0_u64;
                loop {
                    let before = answered.load(Ordering::SeqCst);
                    let seen = runtime.block_on(count(&store));
                    assert!(
                        seen >= before,
                        "{seen} was read after {before} was answered"
                    );
                    reads += 1;
                    if before == LAST {
                        return reads;
                    }
                }
            })
        })
        .collect();
    for value in 1..=LAST {
        set(&store, value).await;
        answered.store(value, Ordering::SeqCst);
        if value % 8 == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    for reader in readers {
        assert!(reader.join().unwrap() > 0);
    }
    store.close().await.unwrap();
}

/// Another program's look at the log, for which a reader's snapshot would be in the way.
#[tokio::test]
async fn a_reader_that_does_nothing_any_more_is_not_in_the_way_of_the_log() {
    let folder = folder();
    let path = database(&folder);
    let store = SqliteStore::open(&path).unwrap();
    set(&store, 1).await;
    keep(&store).await;
    set(&store, 2).await;
    until_kept(&store, 0).await;
    let other = Connection::open(&path).unwrap();
    let busy = other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
        row.get::<_, i64>(0)
    });
    assert_eq!(busy.unwrap(), 0);
    keep(&store).await;
    let closing = timeout(Duration::from_secs(30), store.close()).await;
    closing.unwrap().unwrap();
    assert_eq!(store.shared.snapshots.kept(), 0);
    assert!(
        !folder
            .path()
            .join("switchboard.db-wal")
            .metadata()
            .is_ok_and(|log| log.len() > 0)
    );
}
