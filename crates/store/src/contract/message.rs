//! Messages.

use std::sync::Arc;
use std::time::Duration;

use switchboard_model::{DeliveryStatus, Direction, Error, Kind, Message, MessageId, UserId};

use super::Factory;
use super::world::{World, all, json, key, new_integration, tags, walk};
use crate::{
    Discriminate, EventFilter, Idempotency, IntegrationChange, MessageFilter, MessageUpdate,
    PageRequest, Posted,
};

fn of(conversation: switchboard_model::ConversationId) -> MessageFilter {
    MessageFilter {
        conversation: Some(conversation),
        ..MessageFilter::default()
    }
}

async fn texts(world: &World, filter: MessageFilter) -> Vec<MessageId> {
    let list = world.store.list_messages(world.bot, filter, all()).await;
    list.unwrap()
        .items
        .into_iter()
        .map(|message| message.id)
        .collect()
}

/// What a post answers is what a read gives afterwards.
pub async fn a_post_answers_with_what_is_stored(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let conversation = world.thread("1").await;
    let person = world.person("7").await;
    for active in [true, false] {
        let change = IntegrationChange {
            active: Some(active),
            script: None,
            secret: None,
        };
        let update =
            world
                .store
                .update_integration(world.bot, world.integration, change, world.now());
        update.await.unwrap();
        for (author, direction) in [
            (UserId::from(world.bot), Direction::Outgoing),
            (person.id, Direction::Incoming),
        ] {
            world.pass(Duration::from_millis(3));
            let mut command = world.said(conversation.id, author, direction, "x");
            command.message.tags = tags([("mood", "good"), ("unset", "")]);
            command.message.payload = json(r#"{"n":9007199254740993, "a":-0.0}"#);
            command.message.synthetic = active;
            let id = command.message.id;
            let posted = world.post(command).await;
            assert!(posted.created);
            assert_eq!(posted.value, world.message(id).await);
        }
    }
}

/// 1, 2, 3, … in the order of commit, in each conversation, also under a race.
pub async fn places_are_counted_without_gaps(factory: &dyn Factory) {
    let world = Arc::new(World::new(factory).await);
    let (a, b) = (world.thread("a").await, world.thread("b").await);
    let mut tasks = Vec::new();
    for number in 0..40 {
        let world = Arc::clone(&world);
        let conversation = if number % 2 == 0 { a.id } else { b.id };
        tasks.push(tokio::spawn(async move {
            world
                .post(world.outgoing(conversation, "x"))
                .await
                .value
                .seq
        }));
    }
    let mut seqs = Vec::new();
    for task in tasks {
        seqs.push(task.await.unwrap());
    }
    seqs.sort_unstable();
    let expected: Vec<i64> = (1..=20).flat_map(|seq| [seq, seq]).collect();
    assert_eq!(seqs, expected);
    let after = world
        .store
        .messages_after(world.bot, a.id, 17, 2)
        .await
        .unwrap();
    assert_eq!(
        after.iter().map(|message| message.seq).collect::<Vec<_>>(),
        [18, 19]
    );
    assert_eq!(
        after[0].delivery.as_ref().unwrap().status,
        DeliveryStatus::Queued
    );
}

/// 250 messages of one millisecond; between two pages one comes and the last shown goes.
pub async fn pages_hold_within_one_millisecond_while_rows_come_and_go(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let conversation = world.thread("1").await;
    let mut setup = Vec::new();
    for number in 0..250 {
        let post = world.outgoing(conversation.id, &number.to_string());
        setup.push(world.post(post).await.value.id);
    }
    setup.reverse();
    for filter in [of(conversation.id), MessageFilter::default()] {
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = PageRequest { after, limit: 20 };
            let list = world.store.list_messages(world.bot, filter.clone(), page);
            let list = list.await.unwrap();
            let ids: Vec<_> = list.items.iter().map(|message| message.id).collect();
            seen.extend(ids.iter().copied());
            let Some(next) = list.next else { break };
            assert_eq!(ids.len(), 20);
            after = Some(next);
            world.post(world.outgoing(conversation.id, "more")).await;
            let shown = *ids.last().unwrap();
            let delete = world
                .store
                .delete_message(world.bot, shown, None, world.now());
            assert!(delete.await.unwrap());
        }
        let shown: Vec<_> = seen
            .iter()
            .filter(|id| setup.contains(id))
            .copied()
            .collect();
        assert_eq!(shown, setup, "each once, newest first");
        // What was deleted on the way is gone for the second walk.
        let left = texts(&world, of(conversation.id)).await;
        setup.retain(|id| left.contains(id));
    }
}

/// The same request again is answered with the same message.
pub async fn a_repetition_by_tags_or_key_adds_nothing(factory: &dyn Factory) {
    let world = Arc::new(World::new(factory).await);
    let conversation = world.thread("1").await;
    let user = world.person("7").await;
    let race = async |by: Discriminate, direction: Direction| {
        let mut tasks = Vec::new();
        for _ in 0..16 {
            let world = Arc::clone(&world);
            let by = by.clone();
            tasks.push(tokio::spawn(async move {
                let mut post = world.said(conversation.id, user.id, direction, "hi");
                post.message.tags = tags([("id", "71"), ("x", "y")]);
                post.discriminate = by;
                world.post(post).await
            }));
        }
        let mut found = Vec::new();
        for task in tasks {
            found.push(task.await.unwrap());
        }
        let id = found[0].value.id;
        assert!(found.iter().all(|found| found.value.id == id));
        assert_eq!(found.iter().filter(|found| found.created).count(), 1);
        id
    };
    let by_tags = Discriminate::ByTags(tags([("id", "71")]));
    let first = race(by_tags.clone(), Direction::Incoming).await;
    let keyed = Idempotency {
        key: key(1),
        request: key(2),
    };
    let second = race(Discriminate::ByKey(keyed), Direction::Outgoing).await;
    assert_ne!(first, second);
    assert_eq!(texts(&world, of(conversation.id)).await, [second, first]);
    let events = world
        .store
        .list_events(world.bot, EventFilter::default(), all());
    assert_eq!(events.await.unwrap().items.len(), 1);
    assert_eq!(world.claim(world.channel()).await.deliveries.len(), 1);

    let mut other = world.outgoing(conversation.id, "other");
    other.discriminate = Discriminate::ByKey(Idempotency {
        request: key(3),
        ..keyed
    });
    let reused = world.store.post_message(other).await.unwrap();
    assert_eq!(reused, Posted::KeyReused);
    // A key belongs to its bot.
    let stranger = world.another_bot().await;
    let elsewhere = stranger.thread("1").await;
    let mut post = stranger.outgoing(elsewhere.id, "hi");
    post.discriminate = Discriminate::ByKey(keyed);
    assert!(stranger.post(post).await.created);
    // Tags recognise within their conversation.
    let third = world.thread("2").await;
    let mut post = world.said(third.id, user.id, Direction::Incoming, "hi");
    post.message.tags = tags([("id", "71")]);
    post.discriminate = by_tags;
    assert!(world.post(post).await.created);
}

/// What a message names must exist.
pub async fn unknown_references_are_named(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let conversation = world.thread("1").await;
    let nowhere = world.outgoing(world.conversation_id(), "x");
    let refused = world.store.post_message(nowhere).await.unwrap_err();
    assert!(matches!(
        refused,
        Error::ReferenceNotFound { ref field, kind: Kind::Conversation, .. }
            if field == "conversationId"
    ));
    let nobody = UserId::new(world.env.ulid());
    let post = world.said(conversation.id, nobody, Direction::Outgoing, "x");
    let refused = world.store.post_message(post).await.unwrap_err();
    assert!(matches!(
        refused,
        Error::ReferenceNotFound { ref field, kind: Kind::User, .. } if field == "userId"
    ));
    // A refused message takes no place.
    let first = world.post(world.outgoing(conversation.id, "x")).await;
    assert_eq!(first.value.seq, 1);
}

/// A change hands nothing on; a deleted message is gone but not forgotten.
pub async fn a_message_changes_and_goes(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let conversation = world.thread("1").await;
    let odd = json(r#"{"a":9007199254740993,"z":-0.0,"b":1e2}"#);
    let mut post = world.outgoing(conversation.id, "x");
    post.message.payload = odd.clone();
    post.message.synthetic = true;
    let first = world.post(post).await.value;
    assert_eq!(first.payload, odd);
    assert!(first.synthetic);
    assert_eq!(world.message(first.id).await, first);
    world.pass(Duration::from_secs(1));
    let update = MessageUpdate {
        tags: tags([("id", "5")]),
        payload: Some(json("{\"text\":\"new\"}")),
        delivery: None,
    };
    let changed = store.update_message(world.bot, first.id, update.clone(), world.now());
    let changed = changed.await.unwrap().unwrap();
    assert_eq!(changed.tags, tags([("id", "5")]));
    assert_eq!(changed.updated_at, world.now());
    assert_eq!(changed.seq, first.seq);
    assert_eq!(world.message(first.id).await, changed);
    assert_eq!(world.claim(world.channel()).await.deliveries.len(), 1);
    let participants = store.list_participants(world.bot, conversation.id, all());
    assert_eq!(participants.await.unwrap().unwrap().items.len(), 1);

    for expected in [true, false] {
        let delete = store.delete_message(world.bot, first.id, None, world.now());
        assert_eq!(delete.await.unwrap(), expected);
    }
    assert_eq!(store.get_message(world.bot, first.id).await.unwrap(), None);
    let none = store.update_message(world.bot, first.id, update, world.now());
    assert_eq!(none.await.unwrap(), None);
    assert!(texts(&world, of(conversation.id)).await.is_empty());
    let second = world.post(world.outgoing(conversation.id, "y")).await;
    assert_eq!(second.value.seq, 2, "a deletion leaves a gap");
}

/// Each filter alone, of one conversation and of the bot.
pub async fn lists_filter_by_tags_time_and_integration(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let other = new_integration(&world.env, world.bot, "other", true);
    world.store.create_integration(other.clone()).await.unwrap();
    let conversation = world.thread("1").await;
    let start = world.now();
    let mut made: Vec<Message> = Vec::new();
    for number in 0..10 {
        let mut post = world.outgoing(conversation.id, "x");
        post.message.tags = tags([("half", if number < 5 { "first" } else { "second" })]);
        made.push(world.post(post).await.value);
        world.pass(Duration::from_secs(1));
    }
    made.reverse();
    let ids: Vec<_> = made.iter().map(|message| message.id).collect();
    for base in [of(conversation.id), MessageFilter::default()] {
        let half = MessageFilter {
            tags: tags([("half", "first")]),
            ..base.clone()
        };
        let paged = walk(2, async |page| {
            let list = world.store.list_messages(world.bot, half.clone(), page);
            list.await.unwrap()
        });
        let paged: Vec<_> = paged.await.into_iter().map(|message| message.id).collect();
        assert_eq!(paged, ids[5..]);
        let range = MessageFilter {
            after: Some(start.plus(Duration::from_secs(2))),
            before: Some(start.plus(Duration::from_secs(3))),
            ..base.clone()
        };
        assert_eq!(texts(&world, range).await, ids[6..8]);
        let here = MessageFilter {
            integration: Some(world.integration),
            ..base.clone()
        };
        assert_eq!(texts(&world, here).await, ids);
        let there = MessageFilter {
            integration: Some(other.integration.id),
            ..base
        };
        assert!(texts(&world, there).await.is_empty());
    }
}

/// Its tags identify nothing any more; its key says what became of it.
pub async fn a_deleted_message_is_never_the_answer(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let conversation = world.thread("1").await.id;
    let user = world.person("7").await.id;
    let by_tags = || {
        let mut post = world.said(conversation, user, Direction::Incoming, "hi");
        post.message.tags = tags([("id", "71")]);
        post.discriminate = Discriminate::ByTags(tags([("id", "71")]));
        post
    };
    let first = world.post(by_tags()).await.value;
    let delete = world
        .store
        .delete_message(world.bot, first.id, None, world.now());
    assert!(delete.await.unwrap());
    let second = world.post(by_tags()).await;
    assert!(second.created);
    assert_ne!(second.value.id, first.id);
    assert_eq!(world.message(second.value.id).await, second.value);
    let third = world.post(by_tags()).await;
    assert_eq!((third.value, third.created), (second.value, false));

    let keyed = |request| {
        let mut post = world.outgoing(conversation, "hi");
        post.discriminate = Discriminate::ByKey(Idempotency {
            key: key(1),
            request: key(request),
        });
        post
    };
    let made = world.post(keyed(2)).await.value;
    let delete = world
        .store
        .delete_message(world.bot, made.id, None, world.now());
    assert!(delete.await.unwrap());
    let delete = async || {
        let delete = world
            .store
            .delete_conversation(world.bot, conversation, world.now());
        assert!(delete.await.unwrap());
        while world.store.sweep(world.now()).await.unwrap() > 0 {}
    };
    for swept in [false, true] {
        let again = world.store.post_message(keyed(2)).await.unwrap();
        assert_eq!(again, Posted::Deleted(made.id));
        let other = world.store.post_message(keyed(3)).await.unwrap();
        assert_eq!(other, Posted::KeyReused);
        if !swept {
            delete().await;
        }
    }
}
