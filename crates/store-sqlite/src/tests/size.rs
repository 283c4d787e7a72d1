//! What a message takes on disk, and how long the log gets while many write and read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use switchboard_store::Store as _;
use switchboard_store::contract::world::World;

use super::{One, database, folder, log_size};
use crate::size::{LOG_BOUND, look, parts};
use crate::{SqliteStore, rows};

/// What is in a message of the test takes no more than this, with all that belongs to it.
const MOST: u64 = 600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_takes_no_more_than_is_said() {
    const ROUND: u64 = 6_000;
    let folder = folder();
    let path = database(&folder);
    let world = World::new(&One(path.clone())).await;
    let mut number = 0;
    let mut fill = async || {
        for _ in 0..ROUND / 100 {
            let updates = (0..100)
                .map(|_| {
                    number += 1;
                    // Few threads, and each grows: their rows lie apart, as they do at any size.
                    let thread = (number * 7 % 501).to_string();
                    let text = format!("What I have to say, {number}.");
                    world.update(&thread, &thread, &text, Some(number))
                })
                .collect();
            world.ingest(updates).await;
        }
        look(&path).unwrap()
    };
    let before = fill().await;
    let after = fill().await;
    assert_eq!(after.messages - before.messages, ROUND, "{after:?}");
    let each = (after.used - before.used) / ROUND;
    assert!(each > after.text, "{each} bytes cannot hold {after:?}");
    assert!(each < MOST, "{each} bytes a message, {after:?}");
    assert!(MOST < after.bound(), "{after:?}");
    assert!(after.a_message().unwrap() < after.bound(), "{after:?}");

    let parts = parts(&path).unwrap();
    let whole: u64 = parts.iter().map(|(_, size)| size).sum();
    assert!(
        parts.iter().any(|(name, _)| name == "message_once"),
        "{parts:?}"
    );
    // Beside its parts a database has nothing but free pages.
    assert_eq!(whole, after.used, "{parts:?}");
}

/// Each reads and writes as fast as it can, so that there is no moment at which nobody does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_stays_bounded_while_many_write_and_read() {
    const FILL: &str = "INSERT OR REPLACE INTO once_kept (key, at) VALUES (zeroblob(?1), 1)";
    const READ: &str = "SELECT coalesce(sum(length(key)), 0) FROM once_kept";
    let folder = folder();
    let path = database(&folder);
    let store = SqliteStore::open(&path).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (store, done) = (store.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    let read = store.list(|connection| rows::value::<i64>(connection, READ, []));
                    read.await.unwrap();
                }
            })
        })
        .collect();
    let writers: Vec<_> = (0..8_i64)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                // Forty megabytes each, over and over the same rows.
                for _ in 0..80 {
                    let size = 500_000 + writer;
                    let write = store.write(move |tx| rows::execute(tx.connection, FILL, [size]));
                    write.await.unwrap();
                }
            })
        })
        .collect();
    let mut longest = 0;
    while writers.iter().any(|writer| !writer.is_finished()) {
        longest = longest.max(log_size(&path));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(longest > 0);
    let megabytes = longest >> 20;
    assert!(
        longest < LOG_BOUND,
        "{megabytes} MiB of log, of 320 written"
    );
    store.close().await.unwrap();
}
