//! Commands of one commit harm each other in nothing, and each leaves what it left if it ran once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use switchboard_model::{
    ConversationId, Error, IntegrationId, Kind, Result, Timestamp, Token, TokenId,
};
use switchboard_store::contract::world::World;
use switchboard_store::{AccessStore as _, Change, NewToken, Store as _, TokenHash};
use tokio::sync::broadcast::error::TryRecvError;
use tokio::task::JoinHandle;

use super::tag_values::Given;
use super::{Gate, database, folder};
use crate::failure::{Done, Failure};
use crate::writer::Tx;
use crate::{SqliteStore, rows};

/// Counts how often it was done.
const ADD: &str = "INSERT INTO probe (id, count) VALUES (?1, 1)
    ON CONFLICT (id) DO UPDATE SET count = count + 1";
const COUNT: &str = "SELECT count FROM probe WHERE id = ?1";
/// What all commands write to.
const TOTAL: i64 = 0;
const NEVER: &str = "INSERT INTO probe (id, count) VALUES (?1, NULL)";

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Succeeds,
    RefusedBeforeItWrites,
    FailsBeforeItWrites,
    PanicsBeforeItWrites,
    RefusedAfterItWrote,
    FailsAfterItWrote,
    PanicsAfterItWrote,
}

fn place(number: i64) -> ConversationId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    ConversationId::from_bytes(bytes)
}

fn refusal() -> Failure {
    Failure::Refused(Error::invalid("end", "expected another"))
}

/// Tells of its place, counts in its own row and in that of all, and gives the total that it saw.
fn work(tx: &mut Tx<'_>, number: i64, end: End) -> Done<i64> {
    tx.conversation_changed(place(number));
    match end {
        End::RefusedBeforeItWrites => return Err(refusal()),
        End::FailsBeforeItWrites => {
            rows::execute(tx.connection, NEVER, [number])?;
        }
        End::PanicsBeforeItWrites => panic!("a defect in a command"),
        _ => {}
    }
    rows::execute(tx.connection, ADD, [number])?;
    rows::execute(tx.connection, ADD, [TOTAL])?;
    match end {
        End::RefusedAfterItWrote => return Err(refusal()),
        End::FailsAfterItWrote => {
            rows::execute(tx.connection, NEVER, [-number])?;
        }
        End::PanicsAfterItWrote => panic!("a defect in a command"),
        _ => {}
    }
    let total = rows::value(tx.connection, COUNT, [TOTAL])?;
    total.ok_or_else(|| rows::gone("the total"))
}

/// A command in the queue, and how often it was run.
struct Queued {
    runs: Arc<AtomicUsize>,
    answer: JoinHandle<Result<i64>>,
}

/// Puts a command at the end of the queue.
async fn queue<F>(store: &SqliteStore, work: F) -> Queued
where
    F: Fn(&mut Tx<'_>) -> Done<i64> + Send + 'static,
{
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let write = {
        let store = store.clone();
        async move {
            let work = move |tx: &mut Tx<'_>| {
                counted.fetch_add(1, Ordering::SeqCst);
                work(tx)
            };
            store.write(work).await
        }
    };
    let answer = behind(store, write).await;
    Queued { runs, answer }
}

/// Starts a call that writes; comes back when its command is in the queue.
async fn behind<T: Send + 'static>(
    store: &SqliteStore,
    call: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    let room = store.queue.capacity();
    let task = tokio::spawn(call);
    while store.queue.capacity() == room {
        tokio::time::sleep(Duration::from_micros(50)).await;
    }
    task
}

/// Runs commands of these ends in one commit. Gives their answers, and how often each was run.
async fn commit(store: &SqliteStore, ends: &[End]) -> Vec<(Result<i64>, usize)> {
    let gate = Gate::shut(store);
    let mut queued = Vec::new();
    for (number, end) in (1..).zip(ends.iter().copied()) {
        queued.push(queue(store, move |tx| work(tx, number, end)).await);
    }
    let before = store.written();
    drop(gate);
    let mut done = Vec::new();
    for Queued { runs, answer } in queued {
        let answer = answer.await.unwrap();
        done.push((answer, runs.load(Ordering::SeqCst)));
    }
    let after = store.written();
    assert_eq!(after.commits, before.commits + 2, "the gate's, and one");
    assert_eq!(after.commands, before.commands + 1 + ends.len() as u64);
    done
}

/// Checks that those that succeed left what they leave alone, and the others nothing.
async fn check(store: &SqliteStore, ends: &[End]) -> Vec<usize> {
    let mut changes = store.changes();
    let done = commit(store, ends).await;
    let count = async |id: i64| {
        let read = store.read(|connection| rows::value::<i64>(connection, COUNT, [id]));
        read.await.unwrap()
    };
    let mut total = 0;
    let mut told = Vec::new();
    for ((number, end), (answer, _)) in (1..).zip(ends).zip(&done) {
        if *end == End::Succeeds {
            total += 1;
            told.push(Change::Conversation(place(number)));
            assert_eq!(answer, &Ok(total), "{number} of {ends:?}");
            assert_eq!(count(number).await, Some(1), "{number} of {ends:?}");
        } else {
            assert!(answer.is_err(), "{number} of {ends:?}");
            assert_eq!(count(number).await, None, "{number} of {ends:?}");
        }
    }
    assert_eq!(count(TOTAL).await.unwrap_or_default(), total, "{ends:?}");
    // Changes are told after the answers; another commit is behind them.
    store.ping().await.unwrap();
    for expected in told {
        assert_eq!(changes.try_recv(), Ok(expected), "{ends:?}");
    }
    assert_eq!(changes.try_recv(), Err(TryRecvError::Empty), "{ends:?}");
    done.into_iter().map(|(_, runs)| runs).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_before_it_writes_is_no_reason_to_run_anything_twice() {
    use End::{FailsBeforeItWrites, PanicsBeforeItWrites, RefusedBeforeItWrites, Succeeds};
    let folder = folder();
    let store = SqliteStore::open(&database(&folder)).unwrap();
    let ends = [
        Succeeds,
        RefusedBeforeItWrites,
        Succeeds,
        FailsBeforeItWrites,
        PanicsBeforeItWrites,
        Succeeds,
    ];
    assert_eq!(check(&store, &ends).await, [1; 6]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_after_it_wrote_leaves_nothing_and_the_others_are_written_once() {
    use End::{FailsAfterItWrote, PanicsAfterItWrote, RefusedAfterItWrote, Succeeds};
    let runs = async |ends: &[End]| {
        let folder = folder();
        let store = SqliteStore::open(&database(&folder)).unwrap();
        check(&store, ends).await
    };
    assert_eq!(
        runs(&[Succeeds, RefusedAfterItWrote, Succeeds]).await,
        [2, 2, 1]
    );
    assert_eq!(
        runs(&[Succeeds, FailsAfterItWrote, Succeeds]).await,
        [2, 2, 1]
    );
    // What panicked is not run again: what it holds may be halfway through a change.
    assert_eq!(
        runs(&[Succeeds, PanicsAfterItWrote, Succeeds]).await,
        [2, 1, 1]
    );
    assert_eq!(runs(&[RefusedAfterItWrote]).await, [2]);
    assert_eq!(
        runs(&[
            RefusedAfterItWrote,
            PanicsAfterItWrote,
            FailsAfterItWrote,
            Succeeds
        ])
        .await,
        [2, 1, 1, 1]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_commands_of_which_several_fail_leave_what_the_others_wrote() {
    let folder = folder();
    let store = SqliteStore::open(&database(&folder)).unwrap();
    let ends: Vec<End> = (0..200)
        .map(|number| match number % 40 {
            7 => End::RefusedBeforeItWrites,
            13 => End::RefusedAfterItWrote,
            21 => End::FailsAfterItWrote,
            22 => End::FailsBeforeItWrites,
            35 => End::PanicsAfterItWrote,
            _ => End::Succeeds,
        })
        .collect();
    let runs = check(&store, &ends).await;
    assert_eq!(runs[..14], [2; 14]);
    assert_eq!(runs[14..], [1; 186]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_commands_of_a_rolled_back_run_knew_is_looked_up_anew() {
    let folder = folder();
    let store = SqliteStore::open(&database(&folder)).unwrap();
    let gate = Gate::shut(&store);
    // It is refused for what another wrote before it, and the refusal is that of the run that counts.
    let first = queue(&store, |tx| work(tx, 1, End::Succeeds)).await;
    let second = queue(&store, |tx| {
        let seen = rows::value::<i64>(tx.connection, COUNT, [TOTAL])?;
        rows::execute(tx.connection, ADD, [2])?;
        Err(Error::invalid("total", format!("expected none, found {seen:?}")).into())
    })
    .await;
    drop(gate);
    assert_eq!(first.answer.await.unwrap(), Ok(1));
    let Err(Error::InvalidPayload { expected, .. }) = second.answer.await.unwrap() else {
        panic!("it must be refused");
    };
    assert_eq!(expected, "expected none, found Some(1)");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_integration_of_an_undone_command_is_not_known_to_those_behind_it() {
    const MAKE: &str = "INSERT INTO integration
        (public, bot, alias, platform, webhook_id, active, created_at, updated_at)
        VALUES (?1, (SELECT id FROM bot), 'new', 'new', 'new', 1, 1, 1)";
    let folder = folder();
    let store = SqliteStore::open(&database(&folder)).unwrap();
    let world = World::new(&Given(store.clone())).await;
    let (bot, id) = (world.bot, IntegrationId::from_bytes([9; 16]));
    let look = move |tx: &mut Tx<'_>| Ok(tx.home(bot, id)?.integration.id);
    let make = move |tx: &mut Tx<'_>| {
        rows::insert(tx.connection, MAKE, [id.to_bytes()])?;
        look(tx)
    };
    let refused = move |tx: &mut Tx<'_>| {
        make(tx)?;
        Err(refusal())
    };
    let gate = Gate::shut(&store);
    let known = queue(&store, move |tx| {
        Ok(tx.home(bot, world.integration)?.integration.id)
    })
    .await;
    let first = queue(&store, refused).await;
    let behind = queue(&store, look).await;
    let real = queue(&store, make).await;
    let last = queue(&store, look).await;
    drop(gate);
    assert!(known.answer.await.unwrap().is_ok());
    assert!(first.answer.await.unwrap().is_err());
    assert_eq!(first.runs.load(Ordering::SeqCst), 2);
    assert_eq!(
        behind.answer.await.unwrap(),
        Err(Error::not_found(Kind::Integration, id))
    );
    let real = real.answer.await.unwrap();
    assert!(real.is_ok(), "{real:?}");
    assert_eq!(last.answer.await.unwrap(), real);
}

fn token(world: &World, number: u8) -> NewToken {
    let hash = TokenHash([number; 32]);
    let token = Token {
        id: TokenId::from_bytes([number; 16]),
        bot: world.bot,
        integration: None,
        label: "a test".to_owned(),
        hint: "abcd".to_owned(),
        created_at: Timestamp::from_millis(1),
        revoked_at: None,
    };
    NewToken { token, hash }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_revoked_in_a_commit_that_is_run_twice_is_known_no_more() {
    let folder = folder();
    let store = SqliteStore::open(&database(&folder)).unwrap();
    let world = World::new(&Given(store.clone())).await;
    let (one, other) = (token(&world, 1), token(&world, 2));
    for token in [&one, &other] {
        store.create_token(token.clone()).await.unwrap();
        let found = store.find_token(token.hash).await.unwrap().unwrap();
        assert_eq!(found.revoked_at, None);
    }
    let gate = Gate::shut(&store);
    let now = Timestamp::from_millis(2);
    let revoke = {
        let (store, bot, id) = (store.clone(), one.token.bot, one.token.id);
        async move { store.revoke_token(bot, id, now).await }
    };
    let revoke = behind(&store, revoke).await;
    let refused = queue(&store, move |tx| {
        tx.access_changed();
        rows::execute(tx.connection, "UPDATE token SET revoked_at = ?1", [7])?;
        Err(refusal())
    })
    .await;
    drop(gate);
    assert!(refused.answer.await.unwrap().is_err());
    assert_eq!(refused.runs.load(Ordering::SeqCst), 2);
    assert!(revoke.await.unwrap().unwrap().is_some());
    let found = async |hash| store.find_token(hash).await.unwrap().unwrap().revoked_at;
    assert_eq!(found(one.hash).await, Some(now));
    assert_eq!(found(other.hash).await, None);
}
