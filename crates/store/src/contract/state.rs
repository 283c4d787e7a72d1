//! States.

use std::time::Duration;

use switchboard_model::ids::Ulid;
use switchboard_model::{Error, Event, EventPayload, Json, StateId, StateKind};

use super::Factory;
use super::world::{World, all, delivered, json};
use crate::{EventFilter, Lane, SetState, StateKey, StateOwner};

fn key(world: &World, kind: StateKind, subject: Ulid) -> StateKey {
    StateKey {
        bot: world.bot,
        owner: StateOwner::Bot,
        kind,
        subject,
        name: "s".to_owned(),
    }
}

fn set(world: &World, key: &StateKey, payload: &Json, expiry: Option<u64>) -> SetState {
    SetState {
        id: StateId::new(world.env.ulid()),
        key: key.clone(),
        payload: payload.clone(),
        expiry: expiry.map(Duration::from_millis),
        now: world.now(),
    }
}

/// Set, get, get-or-set, patch, delete; for each kind of subject.
pub async fn a_state_is_written_patched_and_removed(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let subjects = [
        (StateKind::Conversation, world.thread("1").await.id.ulid()),
        (StateKind::User, world.person("7").await.id.ulid()),
        (StateKind::Bot, world.bot.ulid()),
        (StateKind::Integration, world.integration.ulid()),
    ];
    for (kind, subject) in subjects {
        let key = key(&world, kind, subject);
        let get = async || store.get_state(key.clone(), world.now()).await.unwrap();
        assert_eq!(get().await, None);
        let patch = store.patch_state(key.clone(), json("{}"), world.now());
        assert_eq!(patch.await.unwrap(), None);
        let first = set(&world, &key, &json("{\"a\":1}"), None);
        let found = store.get_or_set_state(first.clone()).await.unwrap();
        assert!(found.created);
        assert_eq!(found.value.id, first.id);
        assert_eq!(get().await, Some(found.value.clone()));
        let again = set(&world, &key, &json("{\"a\":2}"), None);
        let same = store.get_or_set_state(again.clone()).await.unwrap();
        assert_eq!((same.value, same.created), (found.value.clone(), false));
        world.pass(Duration::from_secs(1));
        let written = store.set_state(again).await.unwrap();
        assert_eq!(written.id, found.value.id);
        assert_eq!(written.created_at, found.value.created_at);
        assert_eq!(written.payload, json("{\"a\":2}"));
        let patch = json("{\"b\":[1],\"a\":null}");
        let patched = store.patch_state(key.clone(), patch, world.now()).await;
        assert_eq!(patched.unwrap().unwrap().payload, json("{\"b\":[1]}"));
        let deleted = store.delete_state(key.clone(), world.now()).await;
        assert_eq!(deleted.unwrap().unwrap().payload, json("{\"b\":[1]}"));
        let again = store.delete_state(key.clone(), world.now()).await;
        assert_eq!(again.unwrap(), None);
        assert_eq!(get().await, None);
    }
}

/// Decided on reading, whether or not a sweep has passed; writing renews, reading does not.
pub async fn a_state_is_over_when_its_time_is(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let key = key(&world, StateKind::Bot, world.bot.ulid());
    let there = async || {
        let state = store.get_state(key.clone(), world.now()).await.unwrap();
        state.map(|state| state.payload)
    };
    let old = json("{\"old\":true}");
    let first = store
        .set_state(set(&world, &key, &old, Some(1000)))
        .await
        .unwrap();
    let end = world.now().plus(Duration::from_secs(1));
    assert_eq!(first.expires_at, Some(end));
    world.pass(Duration::from_millis(999));
    assert_eq!(there().await, Some(old.clone()));
    let patched = store
        .patch_state(key.clone(), json("{}"), world.now())
        .await;
    assert!(patched.unwrap().is_some());
    world.pass(Duration::from_millis(999));
    assert_eq!(there().await, Some(old.clone()), "writing renews the time");
    world.pass(Duration::from_millis(1));
    assert_eq!(there().await, None);
    let gone = store.delete_state(key.clone(), world.now()).await.unwrap();
    assert_eq!(gone, None);
    let new = json("{\"new\":true}");
    let found = store
        .get_or_set_state(set(&world, &key, &new, None))
        .await
        .unwrap();
    assert!(found.created);
    assert_ne!(found.value.id, first.id);
    assert_eq!(there().await, Some(new));
    let expiry = Some(Duration::from_millis(10));
    let set_expiry = store.set_state_expiry(key.clone(), expiry, world.now());
    assert!(set_expiry.await.unwrap().unwrap().expires_at.is_some());
    let forever = store.set_state_expiry(key.clone(), None, world.now());
    assert_eq!(forever.await.unwrap().unwrap().expires_at, None);
    let set_expiry = store.set_state_expiry(key.clone(), expiry, world.now());
    set_expiry.await.unwrap();
    world.pass(Duration::from_millis(10));
    let late = store.set_state_expiry(key.clone(), None, world.now());
    assert_eq!(late.await.unwrap(), None);
    assert_eq!(store.sweep(world.now()).await.unwrap(), 1);
    assert_eq!(store.sweep(world.now()).await.unwrap(), 0);
}

/// Numbers and the order of keys stay as they were written.
pub async fn a_patch_keeps_every_digit_and_the_order_of_keys(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let key = key(&world, StateKind::Bot, world.bot.ulid());
    let before = json(r#"{"z":9007199254740993,"b":-0.0,"a":{"y":1e2,"x":18446744073709551615}}"#);
    let write = world.store.set_state(set(&world, &key, &before, None));
    write.await.unwrap();
    let patch = json(r#"{"n":0.10,"b":1E30,"gone":null}"#);
    let patched = world.store.patch_state(key, patch, world.now()).await;
    let after =
        r#"{"z":9007199254740993,"b":1E30,"a":{"y":1e2,"x":18446744073709551615},"n":0.10}"#;
    assert_eq!(patched.unwrap().unwrap().payload.as_str(), after);
}

/// The bot and an integration may use one name for two states.
pub async fn each_owner_has_names_of_its_own(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let bots = key(&world, StateKind::Bot, world.bot.ulid());
    let integrations = StateKey {
        owner: StateOwner::Integration(world.integration),
        ..bots.clone()
    };
    for (key, payload) in [(&bots, "{\"a\":1}"), (&integrations, "{\"b\":2}")] {
        let command = set(&world, key, &json(payload), None);
        let found = world.store.get_or_set_state(command).await.unwrap();
        assert!(found.created);
    }
    let read = world.store.get_state(bots, world.now()).await.unwrap();
    assert_eq!(read.unwrap().payload, json("{\"a\":1}"));
}

/// Each write whose subject is missing says so; a read finds nothing.
pub async fn a_missing_subject_is_named(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let deleted = world.thread("1").await.id;
    let delete = store.delete_conversation(world.bot, deleted, world.now());
    delete.await.unwrap();
    let kinds = [
        (StateKind::Conversation, deleted.ulid()),
        (StateKind::User, world.env.ulid()),
        (StateKind::Bot, world.env.ulid()),
        (StateKind::Integration, world.env.ulid()),
    ];
    for (kind, subject) in kinds {
        let key = key(&world, kind, subject);
        let command = set(&world, &key, &json("{}"), None);
        let now = world.now();
        let results = [
            store.set_state(command.clone()).await.err(),
            store.get_or_set_state(command).await.err(),
            store.patch_state(key.clone(), json("{}"), now).await.err(),
            store.set_state_expiry(key.clone(), None, now).await.err(),
            store.delete_state(key.clone(), now).await.err(),
        ];
        for result in results {
            assert!(matches!(result, Some(Error::NotFound { .. })), "{result:?}");
        }
        assert_eq!(store.get_state(key, now).await.unwrap(), None);
    }
}

async fn expiries(world: &World) -> Vec<Event> {
    let filter = EventFilter {
        kind: Some(Event::STATE_EXPIRED.to_owned()),
        ..EventFilter::default()
    };
    let list = world.store.list_events(world.bot, filter, all());
    list.await.unwrap().items
}

async fn sweep_all(world: &World) {
    while world.store.sweep(world.now()).await.unwrap() > 0 {}
}

/// By the sweep or by the write that takes its place, with the state as it was.
pub async fn the_bot_is_told_once_of_each_expiry(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let conversation = world.thread("1").await.id;
    let key = key(&world, StateKind::Conversation, conversation.ulid());
    let old = json("{\"n\":9007199254740993}");
    let first = set(&world, &key, &old, Some(1000));
    let first = store.set_state(first).await.unwrap();
    sweep_all(&world).await;
    assert_eq!(expiries(&world).await, [], "its time is not over");
    world.pass(Duration::from_secs(1));
    sweep_all(&world).await;
    sweep_all(&world).await;
    let events = expiries(&world).await;
    let [event] = events.as_slice() else {
        panic!("one event, not {}", events.len());
    };
    assert_eq!(event.id.ulid(), first.id.ulid());
    assert_eq!(event.conversation, Some(conversation));
    assert_eq!(event.created_at, world.now());
    let EventPayload::Other(payload) = &event.payload else {
        panic!("the payload of a state");
    };
    let (at, bot) = (first.created_at, world.bot);
    assert_eq!(
        payload.as_str(),
        format!(
            "{{\"state\":{{\"id\":\"{}\",\"createdAt\":\"{at}\",\"updatedAt\":\"{at}\",\"botId\":\"{bot}\",\
             \"conversationId\":\"{conversation}\",\"name\":\"s\",\"type\":\"conversation\",\
             \"payload\":{{\"n\":9007199254740993}}}}}}",
            first.id
        )
    );
    let claimed = world.claim_one(Lane::Bots).await;
    assert_eq!(claimed.id.ulid(), first.id.ulid());
    assert!(world.finish(&claimed, delivered()).await);

    let second = set(&world, &key, &json("{}"), Some(1000));
    let second = store.set_state(second).await.unwrap();
    world.pass(Duration::from_secs(1));
    // None of these finds it, and none of these tells of it.
    store.get_state(key.clone(), world.now()).await.unwrap();
    store.delete_state(key.clone(), world.now()).await.unwrap();
    assert_eq!(expiries(&world).await.len(), 1);
    let third = set(&world, &key, &json("{}"), None);
    assert!(store.get_or_set_state(third).await.unwrap().created);
    sweep_all(&world).await;
    let events = expiries(&world).await;
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].id.ulid(), second.id.ulid());
}

/// States of an integration's names, and those that go with what they belong to.
pub async fn what_is_not_the_bots_expires_in_silence(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let (store, bot) = (&world.store, world.bot);
    let deleted = world.thread("1").await.id;
    let user = world.person("7").await.id;
    let integrations = StateKey {
        owner: StateOwner::Integration(world.integration),
        ..key(&world, StateKind::Bot, bot.ulid())
    };
    for key in [
        integrations,
        key(&world, StateKind::Conversation, deleted.ulid()),
        key(&world, StateKind::User, user.ulid()),
    ] {
        let command = set(&world, &key, &json("{}"), Some(1000));
        store.set_state(command).await.unwrap();
    }
    let delete = store.delete_conversation(bot, deleted, world.now());
    assert!(delete.await.unwrap());
    assert!(store.delete_user(bot, user, world.now()).await.unwrap());
    world.pass(Duration::from_secs(1));
    sweep_all(&world).await;
    assert_eq!(expiries(&world).await, []);
    assert!(world.claim(Lane::Bots).await.deliveries.is_empty());
}
