//! What is told is on disk, be it to who wrote it or to who reads it, whatever the writer does
//! meanwhile.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use switchboard_model::{ConversationId, Error, Result};
use switchboard_store::contract::world::World;
use switchboard_store::{AccessStore as _, Change, Store as _};
use tokio::sync::broadcast::error::TryRecvError;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::tag_values::Given;
use super::{COUNT, Gate, PUT, database, folder};
use crate::failure::Failure;
use crate::{Options, SqliteStore, rows};

/// Long, for a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(30);
/// Long enough for what should not happen.
const A_WHILE: Duration = Duration::from_millis(100);

/// What the log is on.
#[derive(Default)]
struct Disk {
    slow: Mutex<()>,
    broken: AtomicBool,
    syncs: AtomicUsize,
}

impl Disk {
    fn open(self: &Arc<Self>, path: &Path) -> SqliteStore {
        let disk = Arc::clone(self);
        SqliteStore::open_synced(path, &Options::default(), |log| {
            Arc::new(move || {
                let _held = disk.slow.blocking_lock();
                disk.syncs.fetch_add(1, Ordering::SeqCst);
                if disk.broken.load(Ordering::SeqCst) {
                    return Err(std::io::Error::other("the disk is gone"));
                }
                log.sync_data()
            })
        })
        .unwrap()
    }

    /// Nothing gets onto it until the guard is dropped.
    async fn hold(&self) -> MutexGuard<'_, ()> {
        self.slow.lock().await
    }

    fn syncs(&self) -> usize {
        self.syncs.load(Ordering::SeqCst)
    }
}

/// Writes a row, and tells of a change.
fn put(store: &SqliteStore, number: i64) -> JoinHandle<Result<i64>> {
    let store = store.clone();
    tokio::spawn(async move {
        let work = move |tx: &mut crate::writer::Tx<'_>| {
            tx.conversation_changed(ConversationId::from_bytes([7; 16]));
            rows::insert(tx.connection, PUT, [number, number])
        };
        store.write(work).await
    })
}

async fn read(store: &SqliteStore, number: i64) -> Result<Option<i64>> {
    let read = store.read(|connection| rows::value(connection, COUNT, [number]));
    read.await
}

async fn list(store: &SqliteStore, number: i64) -> Result<Option<i64>> {
    let list = store.list(move |connection| rows::value(connection, COUNT, [number]));
    list.await
}

/// Waits until the log has it, as whoever else opens the database sees.
async fn logged(path: &Path, number: i64) {
    let beside = Connection::open(path).unwrap();
    let is_there = || {
        rows::value::<i64>(&beside, COUNT, [number])
            .unwrap()
            .is_some()
    };
    let there = async {
        while !is_there() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, there).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_before_it_is_on_disk() {
    let folder = folder();
    let path = database(&folder);
    let disk = Arc::new(Disk::default());
    let store = disk.open(&path);
    let mut changes = store.changes();
    let held = disk.hold().await;
    let mut written = put(&store, 1);
    logged(&path, 1).await;
    timeout(A_WHILE, &mut written).await.unwrap_err();
    timeout(A_WHILE, read(&store, 1)).await.unwrap_err();
    timeout(A_WHILE, list(&store, 1)).await.unwrap_err();
    // Nor is it told that there is something else.
    timeout(A_WHILE, read(&store, 2)).await.unwrap_err();
    assert_eq!(changes.try_recv(), Err(TryRecvError::Empty));
    // Who acts is another matter, as long as nothing of that is being written.
    let bots = timeout(PATIENCE, store.list_bots()).await.unwrap();
    assert_eq!(bots, Ok(Vec::new()));
    drop(held);
    timeout(PATIENCE, written).await.unwrap().unwrap().unwrap();
    assert_eq!(read(&store, 1).await, Ok(Some(1)));
    assert_eq!(list(&store, 1).await, Ok(Some(1)));
    let told = timeout(PATIENCE, changes.recv()).await.unwrap();
    assert!(matches!(told, Ok(Change::Conversation(_))), "{told:?}");
    // With nothing on its way, a slow disk holds up no read.
    let _held = disk.hold().await;
    let quick = timeout(PATIENCE, read(&store, 1)).await;
    assert_eq!(quick.unwrap(), Ok(Some(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_is_not_told_of_before_it_is_on_disk() {
    let folder = folder();
    let path = database(&folder);
    let disk = Arc::new(Disk::default());
    let store = disk.open(&path);
    let held = disk.hold().await;
    let make = tokio::spawn({
        let given = Given(store.clone());
        async move { World::new(&given).await }
    });
    let beside = Connection::open(&path).unwrap();
    let bots = || -> i64 {
        let sql = "SELECT count(*) FROM bot";
        beside.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    while bots() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    timeout(A_WHILE, store.list_bots()).await.unwrap_err();
    drop(held);
    let world = timeout(PATIENCE, make).await.unwrap().unwrap();
    let bots = store.list_bots().await.unwrap();
    assert!(bots.iter().any(|bot| bot.id == world.bot));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_commit_is_made_while_one_is_synced() {
    // More than one commit holds.
    const ALL: i64 = 300;
    let folder = folder();
    let path = database(&folder);
    let disk = Arc::new(Disk::default());
    let store = disk.open(&path);
    let gate = Gate::shut(&store);
    let room = store.queue.capacity();
    let written: Vec<_> = (1..=ALL).map(|number| put(&store, number)).collect();
    while room - store.queue.capacity() < written.len() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let held = disk.hold().await;
    drop(gate);
    let beside = Connection::open(&path).unwrap();
    let count = || -> i64 {
        let sql = "SELECT count(*) FROM probe";
        beside.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let all = async {
        while count() < ALL {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, all).await.unwrap();
    timeout(A_WHILE, read(&store, 1)).await.unwrap_err();
    assert!(written.iter().all(|one| !one.is_finished()));
    assert_eq!(disk.syncs(), 0);
    drop(held);
    for one in written {
        timeout(PATIENCE, one).await.unwrap().unwrap().unwrap();
    }
    assert_eq!(disk.syncs(), 2);
    assert_eq!(read(&store, ALL).await, Ok(Some(ALL)));
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_wrote_nothing_is_not_synced_but_waits_for_what_it_has_seen() {
    let folder = folder();
    let path = database(&folder);
    let disk = Arc::new(Disk::default());
    let store = disk.open(&path);
    let refused = |store: &SqliteStore| {
        let store = store.clone();
        tokio::spawn(async move {
            let work = |tx: &mut crate::writer::Tx<'_>| {
                rows::value::<i64>(tx.connection, COUNT, [1])?;
                Err::<(), _>(Failure::Refused(Error::Busy))
            };
            store.write(work).await
        })
    };
    assert_eq!(refused(&store).await.unwrap(), Err(Error::Busy));
    assert_eq!(disk.syncs(), 0);
    let held = disk.hold().await;
    let written = put(&store, 1);
    logged(&path, 1).await;
    let mut behind = refused(&store);
    timeout(A_WHILE, &mut behind).await.unwrap_err();
    drop(held);
    assert_eq!(behind.await.unwrap(), Err(Error::Busy));
    assert_eq!(written.await.unwrap(), Ok(1));
    assert_eq!(disk.syncs(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_synced_ends_the_store_and_is_told_to_nobody() {
    let folder = folder();
    let path = database(&folder);
    let disk = Arc::new(Disk::default());
    let store = disk.open(&path);
    let mut changes = store.changes();
    assert_eq!(put(&store, 1).await.unwrap(), Ok(1));
    // It is told behind the answer.
    timeout(PATIENCE, changes.recv()).await.unwrap().unwrap();
    let held = disk.hold().await;
    let written = put(&store, 2);
    logged(&path, 2).await;
    let behind = put(&store, 3);
    let reading = tokio::spawn({
        let store = store.clone();
        async move { read(&store, 2).await }
    });
    tokio::time::sleep(A_WHILE).await;
    disk.broken.store(true, Ordering::SeqCst);
    drop(held);
    timeout(PATIENCE, store.poisoned()).await.unwrap();
    assert_eq!(written.await.unwrap(), Err(Error::OutcomeUnknown));
    let refused = behind.await.unwrap();
    assert!(
        matches!(
            refused,
            Err(Error::OutcomeUnknown | Error::Unavailable { .. })
        ),
        "{refused:?}"
    );
    let refused = timeout(PATIENCE, reading).await.unwrap().unwrap();
    assert!(
        matches!(refused, Err(Error::Unavailable { .. })),
        "{refused:?}"
    );
    assert_eq!(changes.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(disk.syncs(), 2, "a second sync would claim what never was");
    timeout(PATIENCE, store.close()).await.unwrap().unwrap();
    // What was answered with success is there.
    disk.broken.store(false, Ordering::SeqCst);
    let again = disk.open(&path);
    assert_eq!(read(&again, 1).await, Ok(Some(1)));
    again.close().await.unwrap();
}
