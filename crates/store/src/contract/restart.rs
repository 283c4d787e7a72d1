//! What stays, and what goes in the end.

use std::sync::Arc;
use std::time::Duration;

use switchboard_model::Error;

use super::Factory;
use super::world::{World, key};
use crate::{Discriminate, Idempotency, Ingested, Lane, LostSends, Subject};

/// What was answered `Ok` is there after the store was closed and opened again.
pub async fn what_was_answered_is_there_after_a_restart(factory: &dyn Factory) {
    let mut world = World::new(factory).await;
    let conversation = world.thread("1").await;
    let keyed = Discriminate::ByKey(Idempotency {
        key: key(1),
        request: key(2),
    });
    let mut post = world.outgoing(conversation.id, "x");
    post.discriminate = keyed.clone();
    let message = world.post(post).await.value;
    world
        .ingest(vec![world.update("1", "7", "hi", Some(1))])
        .await;
    let held = world.claim_one(Lane::Bots).await;

    world.store = factory.reopen(Arc::clone(&world.store)).await;
    assert_eq!(world.thread("1").await.id, conversation.id);
    assert_eq!(world.message(message.id).await, message);
    let mut post = world.outgoing(conversation.id, "x");
    post.discriminate = keyed;
    let again = world.post(post).await;
    assert_eq!((again.value, again.created), (message.clone(), false));
    let done = world
        .ingest(vec![world.update("1", "7", "hi", Some(1))])
        .await;
    assert_eq!(done, [Ingested::Duplicate]);
    assert!(world.claim(Lane::Bots).await.deliveries.is_empty());
    assert_eq!(
        world
            .store
            .release_in_flight(world.now(), LostSends::Retry)
            .await
            .unwrap(),
        1
    );
    assert_eq!(world.claim_one(Lane::Bots).await.id, held.id);
    let out = world.claim_one(world.channel()).await;
    let Subject::Message(outgoing) = out.subject else {
        panic!("a message");
    };
    assert_eq!(outgoing.message.id, message.id);
    let next = world.post(world.outgoing(conversation.id, "y")).await;
    assert_eq!(next.value.seq, 3);
}

/// A bounded number of rows a call, until there are none; what lives is left alone.
pub async fn a_sweep_removes_the_rest_of_what_was_deleted(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let kept = world.thread("kept").await;
    let message = world.post(world.outgoing(kept.id, "x")).await.value;
    let kept = world.thread("kept").await;
    let update = |number: u64| world.update("1", "7", "hi", Some(number));
    world.ingest((0..400).map(update).collect()).await;
    let conversation = world.thread("1").await;
    let user = world.person("7").await;
    let delete = world
        .store
        .delete_conversation(world.bot, conversation.id, world.now());
    assert!(delete.await.unwrap());
    assert!(
        world
            .store
            .delete_user(world.bot, user.id, world.now())
            .await
            .unwrap()
    );
    let mut calls = 0;
    let mut removed = 0;
    loop {
        let some = world.store.sweep(world.now()).await.unwrap();
        if some == 0 {
            break;
        }
        assert!(some < 2000, "{some} rows in one call");
        removed += some;
        calls += 1;
    }
    assert!(calls > 1 && removed > 400);
    assert_eq!(world.message(message.id).await, message);
    assert_eq!(world.conversations().await, [kept]);
    // Keys are forgotten after a week, and not before.
    assert_eq!(world.ingest(vec![update(3)]).await, [Ingested::Duplicate]);
    world.pass(Duration::from_hours(8 * 24));
    while world.store.sweep(world.now()).await.unwrap() > 0 {}
    let done = world.ingest(vec![update(3)]).await;
    assert!(matches!(
        done[0],
        Ingested::Message {
            conversation_created: true,
            user_created: true,
            ..
        }
    ));
}

/// Each later call says so.
pub async fn a_closed_store_takes_nothing(factory: &dyn Factory) {
    let world = World::new(factory).await;
    world.store.ping().await.unwrap();
    world.store.close().await.unwrap();
    let unavailable = |error| matches!(error, Some(Error::Unavailable { .. }));
    assert!(unavailable(world.store.ping().await.err()));
    assert!(unavailable(world.store.get_bot(world.bot).await.err()));
    assert!(unavailable(world.store.sweep(world.now()).await.err()));
}
