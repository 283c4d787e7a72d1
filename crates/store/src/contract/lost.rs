//! What was in flight when its holder was lost.

use std::time::Duration;

use switchboard_model::DeliveryStatus;

use super::Factory;
use super::delivery::{payload, text_of};
use super::world::{World, delivered};
use crate::{Change, Claim, Lane, LostSends, Outcome, SentPart};

/// After the lease another may claim; a result under the old epoch is refused.
pub async fn a_lease_runs_out_and_its_holder_is_too_late(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let conversation = world.thread("1").await;
    world.post(world.outgoing(conversation.id, "x")).await;
    world.post(world.outgoing(conversation.id, "y")).await;
    let first = world.claim_one(world.channel()).await;
    world.pass(Duration::from_millis(59_999));
    let waiting = world.claim(world.channel()).await;
    assert!(waiting.deliveries.is_empty());
    assert_eq!(
        waiting.next_due,
        Some(world.now().plus(Duration::from_millis(1)))
    );
    world.pass(Duration::from_millis(1));
    let second = world.claim_one(world.channel()).await;
    assert_eq!(second.id, first.id);
    assert!(second.epoch > first.epoch);
    assert_eq!((first.attempt, second.attempt), (1, 2));
    assert_eq!(second.trying_since, first.trying_since);
    assert!(!world.finish(&first, delivered()).await);
    let part = SentPart::new(0, "5");
    let record = world.store.record_part(first.id, first.epoch, part);
    assert!(!record.await.unwrap());
    assert!(world.finish(&second, delivered()).await);
    assert_eq!(
        text_of(&world.claim_one(world.channel()).await),
        payload("y")
    );
}

/// A try that may have been taken is counted for good: the mark outlives the try that succeeds.
pub async fn uncertain_tries_stay_counted(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let conversation = world.thread("1").await;
    let message = world.post(world.outgoing(conversation.id, "x")).await.value;
    let uncertain = async || world.message(message.id).await.delivery.unwrap().uncertain;
    let retry = |uncertain| Outcome::Retry {
        after: Duration::ZERO,
        error: "the connection broke".to_owned(),
        uncertain,
        counts: true,
    };
    for (may_be_taken, counted) in [(false, 0), (true, 1), (false, 1)] {
        let claimed = world.claim_one(world.channel()).await;
        assert!(world.finish(&claimed, retry(may_be_taken)).await);
        assert_eq!(uncertain().await, counted);
    }
    // Lost with its lease, and with its process.
    world.claim_one(world.channel()).await;
    world.pass(Duration::from_mins(1));
    world.claim_one(world.channel()).await;
    assert_eq!(uncertain().await, 2);
    let released = world.store.release_in_flight(world.now(), LostSends::Retry);
    assert_eq!(released.await.unwrap(), 1);
    let last = world.claim_one(world.channel()).await;
    assert!(world.finish(&last, delivered()).await);
    let shown = world.message(message.id).await.delivery.unwrap();
    assert_eq!((shown.status, shown.uncertain), (DeliveryStatus::Sent, 3));
}

/// A start frees what the process before it held.
pub async fn in_flight_is_freed_at_the_start(factory: &dyn Factory) {
    let world = World::new(factory).await;
    world
        .ingest(vec![world.update("1", "7", "hi", Some(1))])
        .await;
    let old = world.claim_one(Lane::Bots).await;
    let release = || world.store.release_in_flight(world.now(), LostSends::Retry);
    assert_eq!(release().await.unwrap(), 1);
    assert_eq!(release().await.unwrap(), 0);
    assert!(!world.finish(&old, delivered()).await);
    let new = world.claim_one(Lane::Bots).await;
    assert_eq!(new.id, old.id);
    assert!(world.finish(&new, delivered()).await);
}

/// Where a message must not go out twice, one that was lost on its way waits for a person, and the
/// next follows; events come again all the same.
pub async fn a_lost_send_is_uncertain_where_it_must_not_be_repeated(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let conversation = world.thread("1").await;
    let mut messages = Vec::new();
    for text in ["x", "y", "z"] {
        let posted = world.post(world.outgoing(conversation.id, text)).await;
        messages.push(posted.value.id);
    }
    world
        .ingest(vec![world.update("1", "7", "hi", Some(1))])
        .await;
    let event = world.claim_one(Lane::Bots).await;
    let x = world.claim_one(world.channel()).await;
    let mut changes = store.changes();
    let released = store.release_in_flight(world.now(), LostSends::Uncertain);
    assert_eq!(released.await.unwrap(), 2);
    let mut wanted = vec![
        Change::Lane(Lane::Bots),
        Change::Lane(world.channel()),
        Change::Conversation(conversation.id),
    ];
    while !wanted.is_empty() {
        let change = tokio::time::timeout(Duration::from_secs(5), changes.recv());
        let change = change.await.expect("a change in time").unwrap();
        wanted.retain(|other| *other != change);
    }
    assert!(!world.finish(&x, delivered()).await);
    let shown = world.message(messages[0]).await.delivery.unwrap();
    assert_eq!(shown.status, DeliveryStatus::Uncertain);
    assert_eq!(shown.attempts, 1);
    assert!(shown.error.unwrap().contains("replay"));
    assert_eq!(world.claim_one(Lane::Bots).await.id, event.id);

    // The same, in a process that goes on.
    let careful = |lane| Claim {
        lost: LostSends::Uncertain,
        ..world.a_claim(lane)
    };
    let y = store.claim(careful(world.channel())).await.unwrap();
    assert_eq!(text_of(&y.deliveries[0]), payload("y"));
    world.pass(Duration::from_mins(1));
    let z = store.claim(careful(world.channel())).await.unwrap();
    assert_eq!(z.deliveries.len(), 1);
    assert_eq!(text_of(&z.deliveries[0]), payload("z"));
    assert!(!world.finish(&y.deliveries[0], delivered()).await);
    let shown = world.message(messages[1]).await.delivery.unwrap();
    assert_eq!(shown.status, DeliveryStatus::Uncertain);
    assert!(shown.error.unwrap().contains("replay"));
    let again = store.claim(careful(Lane::Bots)).await.unwrap();
    assert_eq!(again.deliveries[0].id, event.id);

    let replay = store.replay_delivery(world.bot, x.id, world.now()).await;
    assert!(replay.unwrap().is_some());
    assert!(world.finish(&z.deliveries[0], delivered()).await);
    assert_eq!(world.claim_one(world.channel()).await.id, x.id);
}
