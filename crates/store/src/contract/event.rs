//! Events.

use switchboard_model::{
    ConversationId, DeliveryId, Direction, Error, Event, EventId, EventPayload, EventStatus,
    MessageId, UserId,
};

use super::Factory;
use super::world::{World, all, dead, delivered, json, tags, walk};
use crate::{EventFilter, Lane, MessageUpdate, NewEvent};

fn new_event(world: &World, kind: &str, conversation: Option<ConversationId>) -> NewEvent {
    NewEvent {
        id: EventId::new(world.env.ulid()),
        delivery: DeliveryId::new(world.env.ulid()),
        bot: world.bot,
        kind: kind.to_owned(),
        payload: json("{\"n\":1}"),
        conversation,
        user: None,
        message: None,
        workflow: None,
        due: None,
        now: world.now(),
    }
}

/// An announcement is derived on reading, and goes with its message.
pub async fn an_event_shows_what_it_announces_as_it_is_now(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let conversation = world.thread("1").await;
    let user = world.person("7").await;
    let post = world.said(conversation.id, user.id, Direction::Incoming, "hi");
    let id = post.event;
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
        let event = world
            .store
            .create_event(new_event(&world, kind, place))
            .await;
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
    let id = post.event;
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

/// What an event names must exist.
pub async fn unknown_references_are_named(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let mut wrong = Vec::new();
    wrong.push((
        "conversationId",
        new_event(&world, "x", Some(world.conversation_id())),
    ));
    let mut event = new_event(&world, "x", None);
    event.user = Some(UserId::new(world.env.ulid()));
    wrong.push(("userId", event));
    let mut event = new_event(&world, "x", None);
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
