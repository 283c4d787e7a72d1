//! A thread that is gone ends the store, visibly, and leaves nobody waiting.

use std::time::Duration;

use switchboard_model::Error;
use switchboard_store::Store as _;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{Gate, database, folder};
use crate::failure::Done;
use crate::writer::{Answer, Command, Job, Request, Tx};
use crate::{SqliteStore, rows, thread};

/// Long, for a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// A defect outside of what a command is fenced by.
struct Defect;

impl Job for Defect {
    fn run(&mut self, _: &mut Tx<'_>) -> Result<(), ()> {
        panic!("a defect in the writer")
    }

    fn forget(&mut self) {}

    fn answer(self: Box<Self>, _: Result<(), Error>) {}
}

type Work = fn(&mut Tx<'_>) -> Done<()>;

/// A command whose caller can be held beside.
fn write(store: &SqliteStore) -> oneshot::Receiver<Answer<(), Work>> {
    let (reply, answer) = oneshot::channel();
    let work: Work = |_| Ok(());
    let command = Command::new(work, reply);
    store
        .queue
        .try_send(Request::Job(Box::new(command)))
        .unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_panics_ends_the_store_and_answers_everyone() {
    let folder = folder();
    let store = SqliteStore::open(&database(&folder)).unwrap();
    let gate = Gate::shut(&store);
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.ping().await }
    });
    let before = write(&store);
    store
        .queue
        .try_send(Request::Job(Box::new(Defect)))
        .unwrap();
    let behind = write(&store);
    drop(gate);
    timeout(PATIENCE, store.poisoned()).await.unwrap();
    let told = timeout(PATIENCE, waiting).await.unwrap().unwrap();
    assert!(
        matches!(told, Err(Error::OutcomeUnknown | Error::Unavailable { .. })),
        "{told:?}"
    );
    for answer in [before, behind] {
        // Whoever waits for an answer that is dropped is told that the outcome is unknown.
        assert!(timeout(PATIENCE, answer).await.unwrap().is_err());
    }
    assert!(matches!(store.ping().await, Err(Error::Unavailable { .. })));
    let read = store
        .read(|connection| rows::value::<i64>(connection, "SELECT 1", []))
        .await;
    assert!(matches!(read, Err(Error::Unavailable { .. })));
    timeout(PATIENCE, store.close()).await.unwrap().unwrap();
}

#[tokio::test]
async fn any_thread_that_panics_ends_the_store_and_one_that_is_done_does_not() {
    let folder = folder();
    let store = SqliteStore::open(&database(&folder)).unwrap();
    let done = thread::spawn(&store.shared, "a-test", |_| ()).unwrap();
    done.join().unwrap();
    assert!(!store.is_poisoned());
    let defect = thread::spawn(&store.shared, "a-test", |_| panic!("a defect")).unwrap();
    assert!(defect.join().is_err());
    assert!(store.is_poisoned());
}
