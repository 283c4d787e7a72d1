//! Events.

use std::time::Duration;

use switchboard_model::{
    ConversationId, Direction, Error, Event, EventId, EventPayload, EventStatus, MessageId, UserId,
};

use super::Factory;
use super::world::{World, all, dead, delivered, tags, walk};
use crate::{EventFilter, Ingested, Lane, MessageUpdate, Outcome, PageRequest, Subject};

/// An announcement is derived on reading, and goes with its message.
pub async fn an_event_shows_what_it_announces_as_it_is_now(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let conversation = world.thread("1").await;
    let user = world.person("7").await;
    let post = world.said(conversation.id, user.id, Direction::Incoming, "hi");
    let id = EventId::from(post.message.id);
    let message = world.post(post).await.value;
    let conversation = world.thread("1").await;
    let event = store.get_event(world.bot, id).await.unwrap().unwrap();
    assert_eq!(event.kind, Event::MESSAGE_CREATED);
    assert_eq!(event.status, EventStatus::Pending);
    let update = MessageUpdate {
        tags: tags([("id", "5")]),
        ..MessageUpdate::default()
    };
    let changed = store.update_message(world.bot, message.id, update, world.now());
    let changed = changed.await.unwrap().unwrap();
    let event = store.get_event(world.bot, id).await.unwrap().unwrap();
    let EventPayload::MessageCreated(what) = event.payload else {
        panic!("an announcement");
    };
    assert_eq!(*what, (changed, user, conversation));
    let delete = store.delete_message(world.bot, message.id, None, world.now());
    assert!(delete.await.unwrap());
    assert_eq!(store.get_event(world.bot, id).await.unwrap(), None);
    let list = store.list_events(world.bot, EventFilter::default(), all());
    assert!(list.await.unwrap().items.is_empty());
}

/// Each filter, newest first, in pages.
pub async fn events_are_filtered_and_paged(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let conversation = world.thread("1").await;
    let mut made = Vec::new();
    for number in 0..9 {
        let place = (number % 3 == 0).then_some(conversation.id);
        let kind = if number % 2 == 0 {
            "telegram:x"
        } else {
            "timer"
        };
        let event = world.store.create_event(world.event(place, kind)).await;
        made.push(event.unwrap());
    }
    made.reverse();
    let listed = async |filter: EventFilter| {
        let list = walk(2, async |page| {
            world
                .store
                .list_events(world.bot, filter.clone(), page)
                .await
                .unwrap()
        });
        list.await
    };
    let only = |keep: fn(&Event) -> bool| {
        made.iter()
            .filter(|event| keep(event))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(listed(EventFilter::default()).await, made);
    let of_kind = EventFilter {
        kind: Some("timer".to_owned()),
        ..EventFilter::default()
    };
    assert_eq!(listed(of_kind).await, only(|event| event.kind == "timer"));
    let prefixed = EventFilter {
        kind_prefix: Some("telegram:".to_owned()),
        ..EventFilter::default()
    };
    assert_eq!(listed(prefixed).await, only(|event| event.kind != "timer"));
    let of_conversation = EventFilter {
        conversation: Some(conversation.id),
        ..EventFilter::default()
    };
    assert_eq!(
        listed(of_conversation.clone()).await,
        only(|event| event.conversation.is_some())
    );

    // What has no conversation has no order: six, and the head of the line.
    let claimed = world.claim(Lane::Bots).await.deliveries;
    assert_eq!(claimed.len(), 7);
    world.finish(&claimed[0], delivered()).await;
    world.finish(&claimed[1], dead(&"x".repeat(3000))).await;
    let count = async |status| {
        let filter = EventFilter {
            status: Some(status),
            ..EventFilter::default()
        };
        listed(filter).await
    };
    assert_eq!(count(EventStatus::Processed).await.len(), 1);
    let failed = count(EventStatus::Failed).await;
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].failure_reason.as_ref().unwrap().len(), 2000);
    assert_eq!(count(EventStatus::Pending).await.len(), 7);
    assert_eq!(count(EventStatus::Ignored).await.len(), 0);

    let user = world.person("7").await;
    let post = world.said(conversation.id, user.id, Direction::Incoming, "hi");
    let id = EventId::from(post.message.id);
    let message = world.post(post).await.value;
    for filter in [
        EventFilter {
            user: Some(user.id),
            ..EventFilter::default()
        },
        EventFilter {
            message: Some(message.id),
            ..EventFilter::default()
        },
    ] {
        let found = listed(filter).await;
        assert_eq!(found.iter().map(|event| event.id).collect::<Vec<_>>(), [id]);
    }
    assert_eq!(listed(of_conversation).await.len(), 4);
}

/// The same on each try and wherever it is read, and no other bot's.
pub async fn an_announcement_is_known_from_its_message(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let taken = world.ingest(vec![world.update("1", "7", "hi", None)]).await;
    let Ingested::Message { message, event, .. } = &taken[0] else {
        panic!("a message, not {taken:?}");
    };
    assert_eq!(*event, EventId::from(*message));
    let read = async || store.get_event(world.bot, *event).await.unwrap().unwrap();
    assert_eq!(read().await.status, EventStatus::Pending);

    let first = world.claim_one(Lane::Bots).await;
    let Subject::Event(told) = &first.subject else {
        panic!("an event, not {:?}", first.subject);
    };
    assert_eq!(**told, read().await);
    assert_eq!((told.id, told.message), (*event, Some(*message)));
    let again = Outcome::Retry {
        after: Duration::ZERO,
        error: "not now".to_owned(),
        uncertain: false,
        counts: true,
    };
    assert!(world.finish(&first, again).await);
    let second = world.claim_one(Lane::Bots).await;
    assert_eq!(second.id, first.id);
    assert!(matches!(&second.subject, Subject::Event(again) if again == told));
    assert!(world.finish(&second, dead("never")).await);
    let failed = read().await;
    assert_eq!(failed.status, EventStatus::Failed);
    assert_eq!(failed.failure_reason.as_deref(), Some("never"));

    // It was not sent anywhere, and what is told of it is the event's.
    assert_eq!(world.message(*message).await.delivery, None);
    let records = store.message_deliveries(world.bot, *message).await.unwrap();
    let [record] = &*records else {
        panic!("one delivery, not {records:?}");
    };
    assert_eq!((record.event, record.message), (Some(*event), None));
    assert_eq!(record.id, first.id);
    let replayed = store.replay_message(world.bot, *message, world.now());
    assert!(replayed.await.unwrap().is_some());
    let third = world.claim_one(Lane::Bots).await;
    assert!(world.finish(&third, delivered()).await);
    assert_eq!(read().await.status, EventStatus::Processed);
    let other = world.another_bot().await;
    assert_eq!(store.get_event(other.bot, *event).await.unwrap(), None);
}

/// Announcements and other events in one list, in the order of making, also within a millisecond.
pub async fn events_of_all_kinds_are_listed_together(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let thread = world.thread("1").await.id;
    let other = world.thread("2").await.id;
    let user = world.person("7").await.id;
    // With the conversation of each, and whether it announces.
    let mut made = Vec::new();
    for number in 0..24 {
        let place = if number % 5 == 0 { other } else { thread };
        let announces = number % 3 != 1;
        let id = if announces {
            let post = world.said(place, user, Direction::Incoming, "hi");
            EventId::from(world.post(post).await.value.id)
        } else {
            let event = world.event(Some(place), "timer");
            world.store.create_event(event).await.unwrap().id
        };
        made.push((id, place, announces));
        if number % 4 == 3 {
            world.post(world.outgoing(place, "not told of")).await;
        }
        if number % 6 == 5 {
            world.pass(Duration::from_millis(1));
        }
    }
    made.reverse();
    let listed = async |filter: EventFilter, limit| {
        let list = walk(limit, async |page| {
            let list = world.store.list_events(world.bot, filter.clone(), page);
            list.await.unwrap()
        });
        let list = list.await;
        list.iter().map(|event| event.id).collect::<Vec<_>>()
    };
    let ids = |keep: &dyn Fn(ConversationId, bool) -> bool| {
        let kept = made.iter().filter(|(_, place, told)| keep(*place, *told));
        kept.map(|(id, ..)| *id).collect::<Vec<_>>()
    };
    let of_kind = |kind: &str| EventFilter {
        kind: Some(kind.to_owned()),
        ..EventFilter::default()
    };
    for limit in [1, 2, 5, 23, 24, 25] {
        let all = listed(EventFilter::default(), limit).await;
        assert_eq!(all, ids(&|_, _| true), "{limit} a page");
        let told = listed(of_kind(Event::MESSAGE_CREATED), limit).await;
        assert_eq!(told, ids(&|_, announces| announces));
        let timers = listed(of_kind("timer"), limit).await;
        assert_eq!(timers, ids(&|_, announces| !announces));
        let of_thread = EventFilter {
            conversation: Some(other),
            ..EventFilter::default()
        };
        let of_thread = listed(of_thread, limit).await;
        assert_eq!(of_thread, ids(&|place, _| place == other));
        let of_user = EventFilter {
            user: Some(user),
            ..EventFilter::default()
        };
        let of_user = listed(of_user, limit).await;
        assert_eq!(of_user, ids(&|_, announces| announces));
    }

    // Of each conversation the first, one of which fails.
    let claimed = world.claim(Lane::Bots).await.deliveries;
    assert_eq!(claimed.len(), 2);
    world.finish(&claimed[0], dead("never")).await;
    world.finish(&claimed[1], delivered()).await;
    let mut by_status = Vec::new();
    for status in [
        EventStatus::Pending,
        EventStatus::Failed,
        EventStatus::Processed,
        EventStatus::Ignored,
    ] {
        let filter = EventFilter {
            status: Some(status),
            ..EventFilter::default()
        };
        by_status.push(listed(filter, 3).await);
    }
    let counts: Vec<usize> = by_status.iter().map(Vec::len).collect();
    assert_eq!(counts, [22, 1, 1, 0]);
    let told = |id: &EventId| by_status[1..3].iter().any(|list| list.contains(id));
    let mut waiting = ids(&|_, _| true);
    waiting.retain(|id| !told(id));
    assert_eq!(by_status[0], waiting);
}

/// A page goes on where the last ended, also if what it ended with is gone.
pub async fn what_is_deleted_between_pages_is_passed_over(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let thread = world.thread("1").await.id;
    let user = world.person("7").await.id;
    let mut messages = Vec::new();
    for _ in 0..6 {
        let post = world.said(thread, user, Direction::Incoming, "hi");
        messages.push(world.post(post).await.value.id);
        let event = world.event(Some(thread), "timer");
        store.create_event(event).await.unwrap();
    }
    let page = async |after, limit| {
        let request = PageRequest { after, limit };
        let page = store.list_events(world.bot, EventFilter::default(), request);
        page.await.unwrap()
    };
    let first = page(None, 4).await;
    assert_eq!(first.items[3].id, EventId::from(messages[4]));
    // The one that the page ended with, and the one that would be next but one.
    for id in [messages[4], messages[3]] {
        let deleted = store.delete_message(world.bot, id, None, world.now());
        assert!(deleted.await.unwrap());
    }
    let second = page(first.next, 4).await;
    let announced: Vec<_> = second.items.iter().filter_map(|one| one.message).collect();
    assert_eq!(announced, [messages[2]]);
    assert_eq!(second.items.len(), 4);
    let third = page(second.next, 4).await;
    let announced: Vec<_> = third.items.iter().filter_map(|one| one.message).collect();
    assert_eq!(announced, [messages[1], messages[0]]);
    assert_eq!((third.items.len(), third.next), (3, None));
}

/// What an event names must exist.
pub async fn unknown_references_are_named(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let mut wrong = Vec::new();
    wrong.push((
        "conversationId",
        world.event(Some(world.conversation_id()), "x"),
    ));
    let mut event = world.event(None, "x");
    event.user = Some(UserId::new(world.env.ulid()));
    wrong.push(("userId", event));
    let mut event = world.event(None, "x");
    event.message = Some(MessageId::new(world.env.ulid()));
    wrong.push(("messageId", event));
    for (expected, event) in wrong {
        let refused = world.store.create_event(event).await.unwrap_err();
        let Error::ReferenceNotFound { field, .. } = refused else {
            panic!("a reference that is not found, not {refused:?}");
        };
        assert_eq!(field, expected);
    }
    assert!(world.claim(Lane::Bots).await.deliveries.is_empty());
}
