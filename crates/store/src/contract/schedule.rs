//! What waits for its time.

use std::sync::Arc;
use std::time::Duration;

use switchboard_model::{
    ConversationId, DeliveryId, DeliveryStatus, Direction, Event, EventId, EventStatus,
};

use super::Factory;
use super::world::{World, all, delivered, json};
use crate::{Canceled, EventFilter, IntegrationChange, Lane, MessageFilter, NewEvent, Subject};

const MINUTE: Duration = Duration::from_mins(1);

fn later(world: &World, kind: &str, place: Option<ConversationId>, after: Duration) -> NewEvent {
    NewEvent {
        id: EventId::new(world.env.ulid()),
        delivery: DeliveryId::new(world.env.ulid()),
        bot: world.bot,
        kind: kind.to_owned(),
        payload: json("{\"n\":1}"),
        conversation: place,
        user: None,
        message: None,
        workflow: None,
        due: Some(world.now().plus(after)),
        now: world.now(),
    }
}

async fn status(world: &World, id: EventId) -> EventStatus {
    let event = world.store.get_event(world.bot, id).await.unwrap();
    event.unwrap().status
}

async fn of_status(world: &World, status: EventStatus) -> Vec<EventId> {
    let filter = EventFilter {
        status: Some(status),
        ..EventFilter::default()
    };
    let list = world.store.list_events(world.bot, filter, all()).await;
    list.unwrap().items.iter().map(|event| event.id).collect()
}

async fn deliver_all(world: &World, lane: Lane) -> Vec<Event> {
    let mut taken = Vec::new();
    loop {
        let claimed = world.claim(lane).await.deliveries;
        if claimed.is_empty() {
            return taken;
        }
        for delivery in claimed {
            assert!(world.finish(&delivery, delivered()).await);
            if let Subject::Event(event) = delivery.subject {
                taken.push(*event);
            }
        }
    }
}

/// It waits, holds up nothing, comes when it is due, longest due first, also after a restart.
pub async fn a_scheduled_event_comes_when_it_is_due(factory: &dyn Factory) {
    let mut world = World::new(factory).await;
    let thread = world.thread("1").await.id;
    let to_bots = Lane::Bots;
    let late = later(&world, "late", Some(thread), 2 * MINUTE);
    let soon = later(&world, "soon", Some(thread), MINUTE);
    let past = later(&world, "past", Some(thread), Duration::ZERO);
    let ids = [late.id, soon.id, past.id];
    for (event, expected) in [
        (late, EventStatus::Scheduled),
        (soon, EventStatus::Scheduled),
        (past, EventStatus::Pending),
    ] {
        let made = world.store.create_event(event).await.unwrap();
        assert_eq!(made.status, expected);
    }
    assert_eq!(
        of_status(&world, EventStatus::Scheduled).await,
        [ids[1], ids[0]]
    );
    assert_eq!(of_status(&world, EventStatus::Pending).await, [ids[2]]);

    let kinds = |events: Vec<Event>| {
        events
            .into_iter()
            .map(|event| event.kind)
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(deliver_all(&world, to_bots).await), ["past"]);
    let idle = world.claim(to_bots).await;
    assert_eq!(idle.next_due, Some(world.now().plus(MINUTE)));
    assert!(!world.store.is_busy(world.bot, thread).await.unwrap());

    world.store = factory.reopen(Arc::clone(&world.store)).await;
    world.pass(MINUTE);
    assert_eq!(kinds(deliver_all(&world, to_bots).await), ["soon"]);
    assert_eq!(status(&world, ids[1]).await, EventStatus::Processed);
    assert_eq!(status(&world, ids[0]).await, EventStatus::Scheduled);

    // What is due comes behind what waits in its line already.
    let more = later(&world, "more", Some(thread), MINUTE / 2);
    world.store.create_event(more).await.unwrap();
    let now = NewEvent {
        due: None,
        ..later(&world, "now", Some(thread), MINUTE)
    };
    world.store.create_event(now).await.unwrap();
    world.pass(MINUTE);
    assert_eq!(
        kinds(deliver_all(&world, to_bots).await),
        ["now", "more", "late"]
    );
    assert_eq!(world.claim(to_bots).await.next_due, None);
    assert!(of_status(&world, EventStatus::Scheduled).await.is_empty());
}

/// A canceled one never comes, and stays to be seen.
pub async fn a_canceled_event_never_comes(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let event = later(&world, "x", None, MINUTE);
    let id = event.id;
    store.create_event(event).await.unwrap();
    let other = world.another_bot().await;
    assert_eq!(
        store.cancel_event(other.bot, id).await.unwrap(),
        Canceled::Missing
    );
    for _ in 0..2 {
        assert_eq!(
            store.cancel_event(world.bot, id).await.unwrap(),
            Canceled::Canceled
        );
    }
    world.pass(2 * MINUTE);
    let claimed = world.claim(Lane::Bots).await;
    assert!(claimed.deliveries.is_empty());
    assert_eq!(claimed.next_due, None);
    assert_eq!(status(&world, id).await, EventStatus::Canceled);
    assert_eq!(of_status(&world, EventStatus::Canceled).await, [id]);
    assert!(of_status(&world, EventStatus::Pending).await.is_empty());
    assert!(of_status(&world, EventStatus::Scheduled).await.is_empty());

    let event = NewEvent {
        due: None,
        ..later(&world, "x", None, MINUTE)
    };
    let id = event.id;
    store.create_event(event).await.unwrap();
    assert_eq!(
        store.cancel_event(world.bot, id).await.unwrap(),
        Canceled::NotScheduled(EventStatus::Pending)
    );
    let nothing = EventId::new(world.env.ulid());
    assert_eq!(
        store.cancel_event(world.bot, nothing).await.unwrap(),
        Canceled::Missing
    );
}

/// Cancels race with the claim that delivers: each event is canceled or delivered, never both and
/// never neither.
pub async fn a_cancel_and_a_delivery_never_both_win(factory: &dyn Factory) {
    let world = Arc::new(World::new(factory).await);
    let mut ids = Vec::new();
    for _ in 0..100 {
        let event = later(&world, "x", None, MINUTE);
        ids.push(event.id);
        world.store.create_event(event).await.unwrap();
    }
    world.pass(MINUTE);
    let delivering = {
        let world = Arc::clone(&world);
        tokio::spawn(async move { deliver_all(&world, Lane::Bots).await })
    };
    let mut canceling = Vec::new();
    for id in ids.iter().rev().copied() {
        let world = Arc::clone(&world);
        canceling.push(tokio::spawn(async move {
            (id, world.store.cancel_event(world.bot, id).await.unwrap())
        }));
    }
    let mut canceled = Vec::new();
    for task in canceling {
        let (id, outcome) = task.await.unwrap();
        if outcome == Canceled::Canceled {
            canceled.push(id);
        }
    }
    let mut taken = delivering.await.unwrap();
    taken.extend(deliver_all(&world, Lane::Bots).await);
    assert_eq!(taken.len() + canceled.len(), ids.len());
    for event in taken {
        assert!(!canceled.contains(&event.id), "delivered though canceled");
        assert_eq!(status(&world, event.id).await, EventStatus::Processed);
    }
    for id in canceled {
        assert_eq!(status(&world, id).await, EventStatus::Canceled);
    }
}

/// A scheduled message is read at once, and listed, counted and sent when it is due; its place is
/// where it is said. Deleting it takes it back.
pub async fn a_scheduled_message_takes_its_place_when_it_is_due(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let thread = world.thread("1").await.id;
    let user = world.person("7").await.id;
    let due = Some(world.now().plus(MINUTE));
    let mut out = world.outgoing(thread, "later");
    out.due = due;
    let mut back = world.outgoing(thread, "taken back");
    back.due = due;
    let mut come = world.said(thread, user, Direction::Incoming, "reminder");
    come.due = due;
    let event = EventId::from(come.message.id);
    let out = world.post(out).await.value;
    assert_eq!(
        out.delivery.as_ref().unwrap().status,
        DeliveryStatus::Scheduled
    );
    assert_eq!(world.message(out.id).await, out);
    let back = world.post(back).await.value;
    let come = world.post(come).await.value;
    let now = world.outgoing(thread, "now");
    let now = world.post(now).await.value;
    assert_eq!(now.seq, 1);

    let listed = async || {
        let mut lists = Vec::new();
        for conversation in [Some(thread), None] {
            let filter = MessageFilter {
                conversation,
                ..MessageFilter::default()
            };
            let list = store.list_messages(world.bot, filter, all()).await;
            let mut ids: Vec<_> = list.unwrap().items.iter().map(|one| one.id).collect();
            if conversation.is_none() {
                ids.sort();
            }
            lists.push(ids);
        }
        let conversation = store.get_conversation(world.bot, thread).await.unwrap();
        (lists, conversation.unwrap().message_count)
    };
    assert_eq!(listed().await, (vec![vec![now.id], vec![now.id]], 1));
    assert_eq!(store.get_event(world.bot, event).await.unwrap(), None);
    let sent = world.claim_one(world.channel()).await;
    assert!(world.finish(&sent, delivered()).await);
    assert!(
        store
            .delete_message(world.bot, back.id, None, world.now())
            .await
            .unwrap()
    );
    assert_eq!(store.get_message(world.bot, back.id).await.unwrap(), None);

    world.pass(MINUTE);
    let told = deliver_all(&world, Lane::Bots).await;
    assert_eq!(told.iter().map(|one| one.id).collect::<Vec<_>>(), [event]);
    let sent = world.claim_one(world.channel()).await;
    let Subject::Message(message) = &sent.subject else {
        panic!("a message");
    };
    assert_eq!(message.message.id, out.id);
    assert!(world.finish(&sent, delivered()).await);
    let mut known = vec![out.id, come.id, now.id];
    known.sort();
    assert_eq!(
        listed().await,
        (vec![vec![come.id, out.id, now.id], known], 3)
    );
    let out = world.message(out.id).await;
    assert_eq!(
        (out.seq, out.delivery.unwrap().status),
        (2, DeliveryStatus::Sent)
    );
    assert_eq!(world.claim(Lane::Bots).await.next_due, None);

    // Where nothing could send it, it fails when it is due, and can be seen.
    let mut never = world.outgoing(thread, "never");
    never.due = Some(world.now().plus(MINUTE));
    let never = world.post(never).await.value;
    let off = IntegrationChange {
        active: Some(false),
        ..IntegrationChange::default()
    };
    let off = store.update_integration(world.bot, world.integration, off, world.now());
    off.await.unwrap();
    world.pass(MINUTE);
    world.claim(Lane::Bots).await;
    let report = world.message(never.id).await.delivery.unwrap();
    assert_eq!(report.status, DeliveryStatus::Failed);
}

/// What waits goes with its conversation.
pub async fn what_was_deleted_never_comes(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let thread = world.thread("1").await.id;
    let mut out = world.outgoing(thread, "later");
    out.due = Some(world.now().plus(MINUTE));
    world.post(out).await;
    let event = later(&world, "x", Some(thread), MINUTE);
    store.create_event(event).await.unwrap();
    assert!(
        store
            .delete_conversation(world.bot, thread, world.now())
            .await
            .unwrap()
    );
    world.pass(MINUTE);
    assert!(world.claim(world.channel()).await.deliveries.is_empty());
    for delivery in world.claim(Lane::Bots).await.deliveries {
        assert!(matches!(delivery.subject, Subject::Gone));
    }
    while store.sweep(world.now()).await.unwrap() > 0 {}
    assert!(world.claim(world.channel()).await.deliveries.is_empty());
    assert_eq!(world.claim(Lane::Bots).await.next_due, None);
}
