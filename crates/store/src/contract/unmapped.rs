//! Updates that no script could place: they wait, and are taken once.

use std::sync::Arc;

use switchboard_model::{Error, EventId};
use tokio::task::JoinSet;

use super::Factory;
use super::world::{World, all, json, once_of};
use crate::{
    EventFilter, Inbound, InboundContent, Ingested, MessageFilter, Remap, Remapped, UnmappedUpdate,
};

fn kept(world: &World, thread: Option<&str>, once: u64) -> Inbound {
    let mut update = world.update("unused", "unused", "unused", Some(once));
    update.content = InboundContent::Unmapped(Box::new(UnmappedUpdate {
        kind: "telegram:unmapped".to_owned(),
        payload: json(r#"{"reason":"it fails","update":{"update_id":1}}"#),
        thread: thread.map(ToOwned::to_owned),
    }));
    update
}

/// An update of this thread is kept; the event that holds it.
async fn keep(world: &World, thread: Option<&str>, once: u64) -> EventId {
    let taken = world.ingest(vec![kept(world, thread, once)]).await;
    match &taken[0] {
        Ingested::Event {
            event,
            conversation: None,
        } => *event,
        other => panic!("an event without a conversation, not {other:?}"),
    }
}

fn remap(world: &World, event: EventId, text: &str) -> Remap {
    Remap {
        bot: world.bot,
        integration: world.integration,
        event,
        item: world.update("thread", "ada", text, None),
        out_of_turn: false,
        now: world.now(),
    }
}

async fn waiting(world: &World) -> Vec<EventId> {
    let (bot, integration) = (world.bot, world.integration);
    let list = world.store.list_unmapped(bot, integration, None, 100).await;
    let list: Vec<_> = list.unwrap().into_iter().map(|one| one.event).collect();
    let count = world.store.count_unmapped(bot, integration).await.unwrap();
    assert_eq!(count, list.len() as u64);
    list
}

async fn messages(world: &World) -> Vec<String> {
    let list = world
        .store
        .list_messages(world.bot, MessageFilter::default(), all());
    let items = list.await.unwrap().items;
    let texts = items.into_iter().rev();
    texts
        .map(|message| message.payload.as_str().to_owned())
        .collect()
}

/// As a message with its event; the event that held it says which. Neither a redelivery nor a second
/// try adds anything, whoever comes first, also after a restart.
pub async fn what_waits_is_taken_once(factory: &dyn Factory) {
    let mut world = World::new(factory).await;
    let event = keep(&world, Some("1"), 1).await;
    let again = world.ingest(vec![kept(&world, Some("1"), 1)]).await;
    assert_eq!(again, [Ingested::Duplicate], "while it waits");
    assert_eq!(waiting(&world).await, [event]);

    let mut racing = JoinSet::new();
    for _ in 0..8 {
        let (store, command) = (Arc::clone(&world.store), remap(&world, event, "hi"));
        racing.spawn(async move { store.remap(command).await });
    }
    let mut taken = Vec::new();
    for outcome in racing.join_all().await {
        match outcome.unwrap() {
            Remapped::Taken(ingested) => taken.push(ingested),
            other => assert_eq!(other, Remapped::Missing),
        }
    }
    assert_eq!(taken.len(), 1, "{taken:?}");
    let Ingested::Message {
        message,
        event: told,
        ..
    } = &taken[0]
    else {
        panic!("a message, not {taken:?}");
    };
    assert_eq!(waiting(&world).await, []);
    let held = world.store.get_event(world.bot, event).await.unwrap();
    assert_eq!(held.unwrap().message, Some(*message));
    let filter = EventFilter {
        kind: Some("message_created".to_owned()),
        ..EventFilter::default()
    };
    let events = world.store.list_events(world.bot, filter, all()).await;
    let events: Vec<_> = events
        .unwrap()
        .items
        .into_iter()
        .map(|one| one.id)
        .collect();
    assert_eq!(events, [*told]);

    for _ in 0..2 {
        let item = world.update("thread", "ada", "hi", Some(1));
        assert_eq!(world.ingest(vec![item]).await, [Ingested::Duplicate]);
        let found = world
            .store
            .find_taken(world.bot, world.integration, once_of(1))
            .await;
        assert_eq!(found.unwrap().unwrap().message, Some(*message));
        let late = world.store.remap(remap(&world, event, "hi")).await;
        assert_eq!(late.unwrap(), Remapped::Missing);
        assert_eq!(messages(&world).await, [r#"{"text":"hi"}"#]);
        world.store = factory.reopen(Arc::clone(&world.store)).await;
    }
}

/// Of other threads, and of none, each by itself.
pub async fn what_waits_in_a_thread_is_taken_in_order(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let first = keep(&world, Some("1"), 1).await;
    let second = keep(&world, Some("1"), 2).await;
    let other = keep(&world, Some("2"), 3).await;
    let of_none = [keep(&world, None, 4).await, keep(&world, None, 5).await];
    let all = [first, second, other, of_none[0], of_none[1]];
    assert_eq!(waiting(&world).await, all);
    let (bot, integration) = (world.bot, world.integration);
    let page = world
        .store
        .list_unmapped(bot, integration, Some(second), 2)
        .await;
    let page: Vec<_> = page.unwrap().into_iter().map(|one| one.thread).collect();
    assert_eq!(page, [Some("2".to_owned()), None]);

    let take = async |event, text: &str| {
        let outcome = world.store.remap(remap(&world, event, text)).await.unwrap();
        matches!(outcome, Remapped::Taken(_))
    };
    let early = world.store.remap(remap(&world, second, "second")).await;
    assert_eq!(early.unwrap(), Remapped::Behind(first));
    assert!(take(of_none[1], "none").await);
    assert!(take(other, "other").await);
    assert!(take(first, "first").await);
    assert!(take(second, "second").await);
    let third = keep(&world, Some("1"), 6).await;
    let fourth = keep(&world, Some("1"), 7).await;
    let mut early = remap(&world, fourth, "fourth");
    early.out_of_turn = true;
    let early = world.store.remap(early).await.unwrap();
    assert!(matches!(early, Remapped::Taken(_)), "{early:?}");
    assert_eq!(waiting(&world).await, [of_none[0], third]);
}

/// Also where what was decided on is gone: it waits on. Nothing of another bot's is reached.
pub async fn what_cannot_be_taken_waits_on(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let event = keep(&world, Some("1"), 1).await;
    let gone = world.thread("gone").await;
    let deleted = world
        .store
        .delete_conversation(world.bot, gone.id, world.now());
    assert!(deleted.await.unwrap());
    let mut command = remap(&world, event, "hi");
    if let InboundContent::Message(message) = &mut command.item.content {
        message.thread.known = Some(gone.id);
    }
    let error = world.store.remap(command).await.unwrap_err();
    assert!(matches!(error, Error::ReferenceNotFound { .. }), "{error}");
    let mut command = remap(&world, event, "hi");
    command.item = kept(&world, Some("1"), 1);
    let error = world.store.remap(command).await.unwrap_err();
    assert!(matches!(error, Error::InvalidPayload { .. }), "{error}");

    let other = world.another_bot().await;
    let foreign = world.store.remap(remap(&other, event, "hi")).await;
    assert_eq!(foreign.unwrap(), Remapped::Missing);
    let crossed = Remap {
        bot: other.bot,
        ..remap(&world, event, "hi")
    };
    let crossed = world.store.remap(crossed).await.unwrap_err();
    assert!(matches!(crossed, Error::NotFound { .. }), "{crossed}");
    assert_eq!(waiting(&other).await, []);
    let crossed = world
        .store
        .list_unmapped(other.bot, world.integration, None, 9)
        .await;
    assert!(crossed.is_err(), "{crossed:?}");

    assert_eq!(waiting(&world).await, [event]);
    assert!(messages(&world).await.is_empty());
    let taken = world.store.remap(remap(&world, event, "hi")).await.unwrap();
    assert!(matches!(taken, Remapped::Taken(_)), "{taken:?}");
    assert!(messages(&other).await.is_empty());
}
