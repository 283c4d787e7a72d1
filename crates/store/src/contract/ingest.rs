//! What channels bring in.

use std::time::Duration;

use switchboard_model::{Direction, Error, EventPayload, IntegrationId};

use super::Factory;
use super::world::{World, all, json, tags};
use crate::{
    EventFilter, Inbound, InboundContent, InboundEvent, Ingested, Lane, MessageFilter,
    PollPosition, Subject, Taken,
};

fn happening(world: &World, thread: &str, once: Option<u64>) -> Inbound {
    let mut update = world.update(thread, "7", "x", once);
    update.content = InboundContent::Event(Box::new(InboundEvent {
        kind: "telegram:reaction".to_owned(),
        payload: json("{\"emoji\":\"🙂\"}"),
        thread: Some(world.external_thread(thread)),
        sender: Some(world.sender("7")),
        moved_from: None,
        edit: None,
        about: None,
        tags: tags([]),
        news: None,
    }));
    update
}

async fn counts(world: &World) -> (usize, usize, usize) {
    let messages = world
        .store
        .list_messages(world.bot, MessageFilter::default(), all());
    let events = world
        .store
        .list_events(world.bot, EventFilter::default(), all());
    (
        world.conversations().await.len(),
        messages.await.unwrap().items.len(),
        events.await.unwrap().items.len(),
    )
}

/// Thread, sender, participant, message, event, delivery: all from one update.
pub async fn an_update_makes_all_that_belongs_to_it(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let done = world
        .ingest(vec![world.update("501", "7", "hi", Some(1))])
        .await;
    let Ingested::Message {
        message,
        event,
        conversation,
        conversation_created: true,
        user,
        user_created: true,
    } = &done[0]
    else {
        panic!("a new message, not {done:?}");
    };
    assert_eq!(conversation.tags.get("telegram:chatId"), Some("501"));
    let stored = world.message(*message).await;
    assert_eq!(stored.direction, Direction::Incoming);
    assert_eq!((stored.seq, stored.user), (1, *user));
    assert_eq!(stored.delivery, None);
    let participant = world
        .store
        .get_participant(world.bot, conversation.id, *user);
    let participant = participant.await.unwrap().unwrap();
    assert_eq!(participant.name.as_deref(), Some("Person 7"));
    let claimed = world.claim_one(Lane::Bots).await;
    assert_eq!(claimed.bot, world.bot);
    let Subject::Event(told) = claimed.subject else {
        panic!("an event");
    };
    assert_eq!((told.id, told.message), (*event, Some(*message)));
    let EventPayload::MessageCreated(what) = told.payload else {
        panic!("an announcement");
    };
    assert_eq!(*what, (stored, participant, conversation.clone()));

    // The second one finds what the first has made, and renames the sender.
    let mut update = world.update("501", "7", "again", Some(2));
    if let InboundContent::Message(new) = &mut update.content {
        new.sender.name = Some("Ada".to_owned());
        new.thread.tags.insert("telegram:title", "T");
    }
    world.pass(Duration::from_secs(1));
    let done = world.ingest(vec![update]).await;
    let Ingested::Message {
        conversation: found,
        conversation_created: false,
        user: same,
        user_created: false,
        ..
    } = &done[0]
    else {
        panic!("a known thread, not {done:?}");
    };
    assert_eq!((found.id, same), (conversation.id, user));
    assert_eq!(found.tags.get("telegram:title"), Some("T"));
    let renamed = world.store.get_user(world.bot, *user).await.unwrap();
    assert_eq!(renamed.unwrap().name.as_deref(), Some("Ada"));
}

/// The same update again, in the same batch or later, as message or event.
pub async fn a_redelivery_writes_nothing(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let batch = || {
        vec![
            world.update("1", "7", "a", Some(1)),
            world.update("1", "7", "a", Some(1)),
            happening(&world, "1", Some(2)),
            happening(&world, "1", Some(2)),
            world.update("1", "7", "no key", None),
        ]
    };
    let done = world.ingest(batch()).await;
    assert_eq!(done[1], Ingested::Duplicate);
    assert_eq!(done[3], Ingested::Duplicate);
    assert_eq!(counts(&world).await, (1, 2, 3));
    let mut again = batch();
    if let InboundContent::Message(new) = &mut again[0].content {
        new.thread.tags.insert("telegram:title", "late");
    }
    let done = world.ingest(again).await;
    assert_eq!(done[..4], vec![Ingested::Duplicate; 4]);
    assert!(matches!(done[4], Ingested::Message { .. }));
    assert_eq!(counts(&world).await, (1, 3, 4));
    assert_eq!(
        world.conversations().await[0].tags.get("telegram:title"),
        None
    );
    // Keys are the integration's own.
    let other = world.another_bot().await;
    let done = other
        .ingest(vec![other.update("1", "7", "a", Some(1))])
        .await;
    assert!(matches!(done[0], Ingested::Message { .. }));
}

/// Neither a deleted message nor a deleted conversation comes back, whether or not a sweep passed.
pub async fn a_redelivery_does_not_bring_back_what_was_deleted(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let updates = || {
        vec![
            world.update("1", "7", "a", Some(1)),
            happening(&world, "1", Some(2)),
            world.update("1", "7", "b", Some(3)),
        ]
    };
    let done = world.ingest(updates()).await;
    let Ingested::Message {
        message,
        conversation,
        ..
    } = &done[0]
    else {
        panic!("a message");
    };
    let delete = world
        .store
        .delete_message(world.bot, *message, None, world.now());
    assert!(delete.await.unwrap());
    let duplicates = vec![Ingested::Duplicate; 3];
    assert_eq!(world.ingest(updates()).await, duplicates);
    let delete = world
        .store
        .delete_conversation(world.bot, conversation.id, world.now());
    assert!(delete.await.unwrap());
    assert_eq!(world.ingest(updates()).await, duplicates);
    while world.store.sweep(world.now()).await.unwrap() > 0 {}
    world.pass(Duration::from_hours(6 * 24));
    while world.store.sweep(world.now()).await.unwrap() > 0 {}
    assert_eq!(world.ingest(updates()).await, duplicates);
    assert_eq!(counts(&world).await, (0, 0, 0));
    let new = world
        .ingest(vec![world.update("1", "7", "c", Some(4))])
        .await;
    assert!(matches!(
        new[0],
        Ingested::Message {
            conversation_created: true,
            user_created: false,
            ..
        }
    ));
}

/// One that cannot be taken undoes the batch, its position too.
pub async fn a_batch_is_taken_whole_or_not_at_all(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let mut bad = world.update("2", "8", "b", Some(2));
    if let InboundContent::Message(new) = &mut bad.content {
        new.thread.identity = tags([]);
    }
    let mut batch = world.batch(vec![world.update("1", "7", "a", Some(1)), bad]);
    batch.position = Some(PollPosition {
        account: "42".to_owned(),
        next: 9,
    });
    let refused = world.store.ingest(batch).await.unwrap_err();
    assert!(matches!(refused, Error::InvalidPayload { .. }));
    assert_eq!(counts(&world).await, (0, 0, 0));
    let position = world.store.poll_position(world.integration, "42").await;
    assert_eq!(position.unwrap(), None);
    let mut stranger = world.batch(vec![world.update("1", "7", "a", Some(1))]);
    stranger.integration = IntegrationId::new(world.env.ulid());
    let refused = world.store.ingest(stranger).await.unwrap_err();
    assert!(matches!(refused, Error::NotFound { .. }));
    let done = world
        .ingest(vec![world.update("1", "7", "a", Some(1))])
        .await;
    assert!(matches!(done[0], Ingested::Message { .. }));
}

/// An event knows its conversation if there is one, and its sender in any case.
pub async fn an_event_makes_no_conversation(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let done = world.ingest(vec![happening(&world, "1", Some(1))]).await;
    let Ingested::Event {
        event,
        conversation: None,
    } = done[0]
    else {
        panic!("an event without conversation, not {done:?}");
    };
    let event = world
        .store
        .get_event(world.bot, event)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(event.kind, "telegram:reaction");
    assert_eq!(event.user, Some(world.person("7").await.id));
    assert_eq!(
        event.payload,
        EventPayload::Other(json("{\"emoji\":\"🙂\"}"))
    );
    assert!(world.conversations().await.is_empty());
    let known = world.thread("1").await;
    let done = world.ingest(vec![happening(&world, "1", Some(2))]).await;
    assert!(matches!(done[0], Ingested::Event { conversation: Some(id), .. } if id == known.id));
}

/// Where polling has got to; going back is allowed.
pub async fn a_poll_position_goes_with_its_batch(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let position = |next| PollPosition {
        account: "42".to_owned(),
        next,
    };
    let mut batch = world.batch(vec![world.update("1", "7", "a", Some(1))]);
    batch.position = Some(position(9));
    world.store.ingest(batch).await.unwrap();
    let first = world.now();
    let read = async || {
        let read = world.store.poll_position(world.integration, "42").await;
        read.unwrap()
    };
    assert_eq!(read().await, Some((9, first)));
    world.pass(Duration::from_secs(1));
    let set = world
        .store
        .set_poll_position(world.integration, position(3), world.now());
    set.await.unwrap();
    assert_eq!(read().await, Some((3, world.now())));
    let other = world.store.poll_position(world.integration, "43").await;
    assert_eq!(other.unwrap(), None);
}

/// Looking says what an ingest would, and where the update went.
pub async fn what_was_taken_is_told_without_taking_it(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let (message, event) = (
        world.update("1", "7", "a", Some(1)),
        happening(&world, "1", Some(2)),
    );
    let look = |world: &World, number| {
        let once = super::world::once_of(number);
        let (store, bot) = (std::sync::Arc::clone(&world.store), world.bot);
        let integration = world.integration;
        async move { store.find_taken(bot, integration, once).await.unwrap() }
    };
    assert_eq!(look(&world, 1).await, None);
    let done = world.ingest(vec![message, event]).await;
    let Ingested::Message {
        message,
        conversation,
        user,
        ..
    } = &done[0]
    else {
        panic!("a message, not {done:?}");
    };
    let Ingested::Event { event, .. } = &done[1] else {
        panic!("an event, not {done:?}");
    };
    let place = Taken {
        conversation: Some(conversation.id),
        user: Some(*user),
        ..Taken::default()
    };
    let told = Taken {
        message: Some(*message),
        ..place
    };
    assert_eq!(look(&world, 1).await, Some(told));
    let happened = Taken {
        event: Some(*event),
        ..place
    };
    assert_eq!(look(&world, 2).await, Some(happened));
    assert_eq!(counts(&world).await, (1, 1, 2));

    // What is deleted is remembered, before and after it is swept.
    let delete = store.delete_conversation(world.bot, conversation.id, world.now());
    delete.await.unwrap();
    let left = look(&world, 1).await.unwrap();
    assert_eq!((left.conversation, left.user), (None, Some(*user)));
    while store.sweep(world.now()).await.unwrap() > 0 {}
    assert!(look(&world, 1).await.is_some() && look(&world, 2).await.is_some());
    let other = world.another_bot().await;
    assert_eq!(look(&other, 1).await, None);
    let stranger = store.find_taken(other.bot, world.integration, super::world::once_of(1));
    assert_eq!(stranger.await.unwrap(), None);
}
