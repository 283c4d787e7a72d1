//! What only this backend promises: how its commits, its file and its log behave.

mod commits;
mod durable;
mod events;
mod files;
mod identity;
mod message_tags;
mod once;
mod outbox;
mod size;
mod snapshots;
mod tag_values;
mod threads;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::{Connection, StatementStatus, ToSql};
use switchboard_model::{Error, Timestamp};
use switchboard_store::Store as _;
use switchboard_store::contract::world::World;

use crate::failure::Failure;
use crate::{Options, SqliteStore, rows};

const COUNT: &str = "SELECT count FROM probe WHERE id = ?1";
const PUT: &str = "INSERT INTO probe (id, count) VALUES (?1, ?2)";

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn database(folder: &tempfile::TempDir) -> std::path::PathBuf {
    folder.path().join("switchboard.db")
}

/// How a statement goes, whatever its parameters are.
fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let explain = format!("EXPLAIN QUERY PLAN {sql}");
    let mut statement = connection.prepare(&explain).unwrap();
    let mut rows = statement.raw_query();
    let mut plan = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        plan.push(row.get(3).unwrap());
    }
    plan
}

/// What a statement costs, in steps of SQLite's machine.
fn steps(connection: &Connection, sql: &str, parameters: &[&dyn ToSql]) -> i32 {
    let mut statement = connection.prepare(sql).unwrap();
    let mut found = statement.query(parameters).unwrap();
    while found.next().unwrap().is_some() {}
    drop(found);
    statement.get_status(StatementStatus::VmStep)
}

/// Holds the writer up inside a command until the guard is dropped, so that others gather behind.
struct Gate(Arc<AtomicBool>);

impl Gate {
    fn shut(store: &SqliteStore) -> Self {
        let open = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&open);
        let entered = Arc::new(AtomicBool::new(false));
        let entering = Arc::clone(&entered);
        let store = store.clone();
        tokio::spawn(async move {
            store
                .write(move |_| {
                    entering.store(true, Ordering::SeqCst);
                    while !seen.load(Ordering::SeqCst) {
                        std::thread::yield_now();
                    }
                    Ok(())
                })
                .await
        });
        while !entered.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        Self(open)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_fails_harms_no_other_of_its_batch() {
    let folder = folder();
    let store = SqliteStore::open(&database(&folder)).unwrap();
    let gate = Gate::shut(&store);
    let mut tasks = Vec::new();
    for number in 0..30_i64 {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            let work = move |tx: &mut crate::writer::Tx<'_>| {
                rows::insert(tx.connection, PUT, [number, 1])?;
                match number % 3 {
                    0 => Ok(number),
                    1 => Err(Failure::Refused(Error::invalid(
                        "number",
                        "expected another",
                    ))),
                    // The same row again breaks a constraint.
                    _ if number % 2 == 0 => rows::insert(tx.connection, PUT, [number, 1]),
                    _ => panic!("a defect in a command"),
                }
            };
            (number, store.write(work).await)
        }));
    }
    drop(gate);
    for task in tasks {
        let (number, outcome) = task.await.unwrap();
        let kept = store
            .read(|connection| rows::value::<i64>(connection, COUNT, [number]))
            .await
            .unwrap();
        assert_eq!(outcome.is_ok(), number % 3 == 0, "{outcome:?}");
        assert_eq!(kept.is_some(), outcome.is_ok());
    }
    store.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_is_busy_at_once() {
    let folder = folder();
    let options = Options {
        queue: 2,
        ..Options::default()
    };
    let store = SqliteStore::open_with(&database(&folder), &options).unwrap();
    let gate = Gate::shut(&store);
    let mut waiting = 0;
    // A caller that gives up leaves its command in the queue.
    while let Err(_elapsed) = tokio::time::timeout(Duration::from_millis(20), async {
        assert_eq!(store.ping().await, Err(Error::Busy));
    })
    .await
    {
        waiting += 1;
        assert!(waiting <= 2, "a full queue must refuse");
    }
    assert_eq!(waiting, 2);
    drop(gate);
    while store.ping().await == Err(Error::Busy) {}
    store.ping().await.unwrap();
}

fn log_size(path: &Path) -> u64 {
    let log = path.with_extension("db-wal");
    std::fs::metadata(log).map_or(0, |metadata| metadata.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_stays_bounded_and_is_gone_after_closing() {
    const FILL: &str = "INSERT OR REPLACE INTO once_kept (key, at) VALUES (zeroblob(?1), 1)";
    let folder = folder();
    let path = database(&folder);
    let store = SqliteStore::open(&path).unwrap();
    for _ in 0..300 {
        // About half a megabyte each, 150 in all.
        let write = store.write(|tx| rows::execute(tx.connection, FILL, [500_000]));
        write.await.unwrap();
    }
    let megabytes = log_size(&path) >> 20;
    assert!(megabytes < 100, "{megabytes} MiB of log");
    store.close().await.unwrap();
    assert_eq!(log_size(&path), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_writes_and_recovers() {
    const FILL: &str = "INSERT INTO once_kept (key, at) VALUES (zeroblob(?1), 1)";
    let folder = folder();
    let store = SqliteStore::open(&database(&folder)).unwrap();
    // A limit on the pages is what a full disk looks like to SQLite.
    let limit = async |pages: i64| {
        let set = store.write(move |tx| {
            let limit =
                tx.connection
                    .pragma_update_and_check(None, "max_page_count", pages, |row| {
                        row.get::<_, i64>(0)
                    });
            Ok(limit?)
        });
        set.await.unwrap()
    };
    let now = limit(1).await;
    limit(now + 10).await;
    let full = store.write(|tx| rows::execute(tx.connection, FILL, [1_000_000]));
    assert!(matches!(full.await, Err(Error::Unavailable { .. })));
    let read = store
        .read(|connection| rows::value::<i64>(connection, COUNT, [0]))
        .await;
    assert_eq!(read, Ok(None));
    assert!(!store.is_poisoned());
    limit(1_000_000).await;
    let again = store.write(|tx| rows::execute(tx.connection, FILL, [1_000_000]));
    assert_eq!(again.await, Ok(1));
}

/// What it was refused for may be what another of its commit wrote.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_in_a_commit_that_fails_is_told_as_that() {
    const FILL: &str = "INSERT INTO once_kept (key, at) VALUES (zeroblob(1000000), 1)";
    let folder = folder();
    let store = SqliteStore::open(&database(&folder)).unwrap();
    let limit = store.write(|tx| {
        let pages: i64 = tx
            .connection
            .pragma_query_value(None, "page_count", |row| row.get(0))?;
        let set = tx
            .connection
            .pragma_update(None, "max_page_count", pages + 10);
        Ok(set?)
    });
    limit.await.unwrap();
    let gate = Gate::shut(&store);
    let room = store.queue.capacity();
    let refused = tokio::spawn({
        let store = store.clone();
        async move {
            let work = |_: &mut crate::writer::Tx<'_>| {
                Err::<(), _>(Failure::Refused(Error::invalid(
                    "number",
                    "expected another",
                )))
            };
            store.write(work).await
        }
    });
    let full = tokio::spawn({
        let store = store.clone();
        async move {
            store
                .write(|tx| rows::execute(tx.connection, FILL, []))
                .await
        }
    });
    while room - store.queue.capacity() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(gate);
    let refused = refused.await.unwrap();
    assert!(
        matches!(refused, Err(Error::Unavailable { .. })),
        "{refused:?}"
    );
    assert!(full.await.unwrap().is_err());
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_poisoned_store_takes_nothing_and_says_so() {
    let folder = folder();
    let store = SqliteStore::open(&database(&folder)).unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(10), store.poisoned());
    assert!(waiting.await.is_err());
    store.shared.poison("a test");
    store.poisoned().await;
    assert!(store.is_poisoned());
    assert!(matches!(store.ping().await, Err(Error::Unavailable { .. })));
    let start = Instant::now();
    store.close().await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_with_nothing_to_do_does_not_trouble_the_writer() {
    let folder = folder();
    let store = SqliteStore::open(&database(&folder)).unwrap();
    let gate = Gate::shut(&store);
    let idle = tokio::time::timeout(
        Duration::from_secs(30),
        store.sweep(Timestamp::from_millis(1_790_000_000_000)),
    );
    assert_eq!(idle.await.unwrap(), Ok(0));
    drop(gate);
}

/// Opens one store in a folder.
struct One(std::path::PathBuf);

#[async_trait::async_trait]
impl switchboard_store::contract::Factory for One {
    async fn open(&self) -> Arc<dyn switchboard_store::Store> {
        Arc::new(SqliteStore::open(&self.0).unwrap())
    }

    async fn reopen(
        &self,
        _: Arc<dyn switchboard_store::Store>,
    ) -> Arc<dyn switchboard_store::Store> {
        self.open().await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_what_was_swept_is_never_given_again() {
    const TABLES: [&str; 4] = [
        "SELECT coalesce(max(id), 0) FROM conversation",
        "SELECT coalesce(max(id), 0) FROM message",
        "SELECT coalesce(max(id), 0) FROM event",
        "SELECT coalesce(max(id), 0) FROM participant",
    ];
    let folder = folder();
    let path = database(&folder);
    let world = World::new(&One(path.clone())).await;
    let beside = rusqlite::Connection::open(path).unwrap();
    let highest = || TABLES.map(|sql| rows::value::<i64>(&beside, sql, []).unwrap());
    let fill = async || {
        world.ingest(vec![world.update("1", "7", "hi", None)]).await;
        let thread = world.thread("1").await.id;
        let event = world.event(Some(thread), "timer");
        world.store.create_event(event).await.unwrap();
        highest()
    };
    let before = fill().await;
    let conversation = world.thread("1").await.id;
    let delete = world
        .store
        .delete_conversation(world.bot, conversation, world.now());
    assert!(delete.await.unwrap());
    while world.store.sweep(world.now()).await.unwrap() > 0 {}
    assert_eq!(highest(), [Some(0); 4], "all of it is gone");
    for (after, before) in fill().await.into_iter().zip(before) {
        assert!(after > before, "{after:?} after {before:?}");
    }
}
