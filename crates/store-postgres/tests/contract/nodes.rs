//! Several nodes on one database.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use switchboard_model::{ConversationId, DeliveryId, Error, WorkflowId};
use switchboard_store::contract::world::{World, delivered, tags};
use switchboard_store::{
    Claim, Finish, IngestStore as _, Ingested, Lane, LostSends, Outcome, Store,
};
use switchboard_store::{ConversationStore as _, DeliveryStore as _};
use switchboard_store_postgres::{MISSING, OutboxClock, PostgresStore};

use crate::cluster::Database;

/// A world on one node, and a second node.
async fn two(database: &Database) -> (World, PostgresStore) {
    let world = World::new(database).await;
    let second = database.node().await;
    (world, second)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_get_or_creates_on_two_nodes_make_one() {
    let database = Database::new();
    let (world, second) = two(&database).await;
    for round in 0..5 {
        let id = format!("thread {round}");
        let mut tasks = Vec::new();
        for number in 0..64 {
            let identity = tags([("telegram:id", id.as_str())]);
            let command = world.get_or_create(identity.clone(), identity);
            let store: Arc<dyn Store> = if number % 2 == 0 {
                Arc::clone(&world.store)
            } else {
                Arc::new(second.clone())
            };
            tasks.push(tokio::spawn(async move {
                store.get_or_create_conversation(command).await.unwrap()
            }));
        }
        let mut ids = BTreeSet::<ConversationId>::new();
        let mut created = 0;
        for task in tasks {
            let found = task.await.unwrap();
            ids.insert(found.value.id);
            created += usize::from(found.created);
        }
        assert_eq!((ids.len(), created), (1, 1));
    }
    assert_eq!(world.conversations().await.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_update_that_comes_to_both_nodes_is_stored_once() {
    let database = Database::new();
    let (world, second) = two(&database).await;
    for round in 0..20_u64 {
        // The first rounds make the thread, the later ones find it; some are events without one.
        let thread = (round / 4).to_string();
        let mut tasks = Vec::new();
        for number in 0..8 {
            let update = world.update(&thread, "7", "hi", Some(round));
            let batch = world.batch(vec![update]);
            let store: Arc<dyn Store> = if number % 2 == 0 {
                Arc::clone(&world.store)
            } else {
                Arc::new(second.clone())
            };
            tasks.push(tokio::spawn(
                async move { store.ingest(batch).await.unwrap() },
            ));
        }
        let mut new = 0;
        for task in tasks {
            let ingested = task.await.unwrap();
            new += usize::from(matches!(ingested[0], Ingested::Message { .. }));
        }
        assert_eq!(new, 1);
    }
    // Each thread's places are without gaps.
    for conversation in world.conversations().await {
        let messages = world
            .store
            .messages_after(world.bot, conversation.id, 0, 100);
        let places: Vec<i64> = messages.await.unwrap().iter().map(|one| one.seq).collect();
        assert_eq!(places, [1, 2, 3, 4]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_never_claim_the_same_and_keep_each_line() {
    const LINES: usize = 12;
    const EACH: usize = 5;
    let database = Database::new();
    let (world, second) = two(&database).await;
    for number in 0..EACH {
        for line in 0..LINES {
            let once = u64::try_from(number * LINES + line).unwrap();
            let update = world.update(&line.to_string(), "7", &number.to_string(), Some(once));
            world.ingest(vec![update]).await;
        }
    }
    let claim = Claim {
        limit: 3,
        ..world.a_claim(Lane::Bots)
    };
    let work = async |store: Arc<dyn Store>| {
        let mut done: Vec<DeliveryId> = Vec::new();
        loop {
            let claimed = store.claim(claim).await.unwrap();
            if claimed.deliveries.is_empty() && claimed.next_due.is_none() {
                return done;
            }
            for delivery in claimed.deliveries {
                let finish = Finish {
                    id: delivery.id,
                    epoch: delivery.epoch,
                    outcome: delivered(),
                    now: claim.now,
                };
                assert!(store.finish(finish).await.unwrap());
                assert_eq!(delivery.epoch, 1);
                done.push(delivery.id);
            }
        }
    };
    let (a, b) = tokio::join!(
        work(Arc::clone(&world.store)),
        work(Arc::new(second.clone()))
    );
    let all: BTreeSet<_> = a.iter().chain(&b).copied().collect();
    assert_eq!(all.len(), LINES * EACH);
    assert_eq!(a.len() + b.len(), LINES * EACH);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_frees_what_lost_nodes_held_and_leaves_the_living_alone() {
    let database = Database::new();
    let (world, second) = two(&database).await;
    let lost = database.node().await;
    for line in ["1", "2", "3"] {
        world
            .ingest(vec![world.update(line, "7", "hi", None)])
            .await;
    }
    let claim = Claim {
        limit: 1,
        ..world.a_claim(Lane::Bots)
    };
    let living = second.claim(claim).await.unwrap().deliveries.remove(0);
    let gone = lost.claim(claim).await.unwrap().deliveries.remove(0);
    lost.close().await.unwrap();
    let release = || world.store.release_in_flight(world.now(), LostSends::Retry);
    assert_eq!(release().await, Ok(1));
    assert_eq!(release().await, Ok(0));
    let claimed = world.claim(Lane::Bots).await.deliveries;
    assert!(claimed.iter().any(|again| again.id == gone.id));
    assert!(claimed.iter().all(|again| again.id != living.id));
    let finish = Finish {
        id: living.id,
        epoch: living.epoch,
        outcome: delivered(),
        now: world.now(),
    };
    assert_eq!(second.finish(finish).await, Ok(true));
}

/// A node whose clock runs ahead must not take what another has under lease.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_go_by_the_clock_of_the_database() {
    let database = Database::new();
    let world = World::new(&database).await;
    let (first, second) = (
        database.node_by(OutboxClock::Database).await,
        database.node_by(OutboxClock::Database).await,
    );
    first
        .ingest(world.batch(vec![world.update("1", "7", "hi", None)]))
        .await
        .unwrap();
    let claim = world.a_claim(Lane::Bots);
    let taken = first.claim(claim).await.unwrap().deliveries.remove(0);
    assert_eq!(taken.trying_since, claim.now);
    let ahead = Claim {
        now: claim.now.plus(Duration::from_hours(5)),
        ..claim
    };
    let none = second.claim(ahead).await.unwrap();
    assert!(none.deliveries.is_empty());
    let wait = none.next_due.unwrap().since(ahead.now);
    assert!(
        wait > Duration::from_secs(30) && wait <= Duration::from_mins(1),
        "{wait:?}"
    );
    let retry = Finish {
        id: taken.id,
        epoch: taken.epoch,
        outcome: Outcome::Retry {
            after: Duration::from_mins(10),
            error: "a text with \0 in it".to_owned(),
            uncertain: false,
            counts: true,
        },
        now: claim.now,
    };
    assert_eq!(first.finish(retry).await, Ok(true));
    let none = second.claim(ahead).await.unwrap();
    let wait = none.next_due.unwrap().since(ahead.now);
    assert!(
        none.deliveries.is_empty() && wait > Duration::from_mins(9),
        "{wait:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_start_at_once_make_the_schema_once() {
    let database = Database::new();
    let mut tasks = Vec::new();
    for _ in 0..6 {
        let url = database.url();
        tasks.push(tokio::spawn(async move { PostgresStore::open(&url).await }));
    }
    for task in tasks {
        task.await.unwrap().unwrap().ping().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_schema_is_refused() {
    let database = Database::new();
    database.node().await.close().await.unwrap();
    database.sql("INSERT INTO switchboard.migration (version) VALUES (9999)");
    let Err(refused) = PostgresStore::open(&database.url()).await else {
        panic!("a newer schema was taken");
    };
    assert!(refused.to_string().contains("9999"), "{refused}");
}

#[tokio::test]
async fn what_a_url_asks_for_in_vain_is_said() {
    for url in [
        "postgres://x?sslmode=require",
        "postgres://:pa ss@@/?nonsense=1",
    ] {
        let Err(refused) = PostgresStore::open(url).await else {
            panic!("{url} was taken");
        };
        assert!(matches!(refused, Error::InvalidPayload { .. }), "{refused}");
        assert!(!refused.to_string().contains("pa ss"));
    }
    let nowhere = PostgresStore::open("postgres://x@127.0.0.1:1/x").await;
    assert!(matches!(nowhere.err(), Some(Error::Unavailable { .. })));
}

/// Sessions that are cut off: what was answered is there, what was not can be done again, and no
/// commit is guessed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_that_is_cut_off_loses_and_doubles_nothing() {
    let database = Database::new();
    let (world, second) = two(&database).await;
    let conversation = world.thread("1").await.id;
    let mut tasks = Vec::new();
    for number in 0..200 {
        let command = world.outgoing(conversation, &number.to_string());
        let store: Arc<dyn Store> = if number % 2 == 0 {
            Arc::clone(&world.store)
        } else {
            Arc::new(second.clone())
        };
        tasks.push(tokio::spawn(async move {
            let id = command.message.id;
            store.post_message(command).await.map(|_| id)
        }));
    }
    for _ in 0..5 {
        database.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
    }
    let mut answered = BTreeSet::new();
    for task in tasks {
        if let Ok(id) = task.await.unwrap() {
            answered.insert(id);
        }
    }
    assert!(!answered.is_empty());
    let messages = world.store.messages_after(world.bot, conversation, 0, 1000);
    let messages = messages.await.unwrap();
    let stored: BTreeSet<_> = messages.iter().map(|message| message.id).collect();
    assert_eq!(stored.len(), messages.len());
    assert!(answered.is_subset(&stored), "an answer without its message");
    assert!(
        stored.is_subset(&answered),
        "a message that was answered as not stored"
    );
    assert!(
        second
            .get_conversation(world.bot, conversation)
            .await
            .unwrap()
            .is_some()
    );
}

/// The parts of the suite that do not run here, `merge`, `workflow` and `workflow_news`, are of what
/// this store refuses by name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_served_is_listed_and_refused() {
    let database = Database::new();
    let world = World::new(&database).await;
    assert!(MISSING.contains(&"workflows"));
    let id = WorkflowId::new(world.env.ulid());
    for refused in [
        world.store.get_workflow(world.bot, id).await.err(),
        world
            .store
            .delete_workflow(world.bot, id, world.now())
            .await
            .err(),
    ] {
        assert!(
            matches!(refused, Some(Error::Unavailable { ref reason }) if reason.contains("workflows"))
        );
    }
}
