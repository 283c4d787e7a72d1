//! What is recognised is stored behind its number, and what was stored without is recognised still.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use switchboard_model::ids::Ulid;
use switchboard_model::{IntegrationId, Tags};
use switchboard_store::contract::world::{World, key, once_of, text_payload};
use switchboard_store::{
    Inbound, InboundContent, InboundEdit, InboundEvent, IngestStore as _, Ingested,
    MessageStore as _, Once, Remap, Remapped, Store as _, UnmappedStore as _, UnmappedUpdate,
};

use super::tag_values::Given;
use super::{database, folder};
use crate::{SqliteStore, once};

/// The version before.
const BEFORE: i64 = 18;
/// Of these the contract's updates tell the number.
const NUMBERED: u64 = 8;

fn integration(number: u128) -> IntegrationId {
    IntegrationId::new(Ulid(number))
}

fn numbered(number: u64) -> Once {
    Once {
        key: key(number),
        number: Some(number),
    }
}

#[test]
fn what_follows_each_other_lies_side_by_side_and_integrations_share_nothing() {
    let edges = [
        0,
        255,
        1 << 32,
        (1 << 48) - (1 << 17),
        1 << 50,
        u64::MAX - (1 << 17),
    ];
    for edge in edges {
        let near = once::stored(integration(1), numbered(edge));
        let far = once::stored(integration(1), numbered(edge + (1 << 16)));
        assert!(near < far, "{edge}");
        assert_ne!(near, once::stored(integration(2), numbered(edge)), "{edge}");
        let other = Once {
            key: key(7),
            ..numbered(edge)
        };
        assert_ne!(near, once::stored(integration(1), other), "{edge}");
    }
    let plain = Once::from(key(1));
    assert_eq!(once::earlier(integration(1), plain), None);
    let earlier = once::earlier(integration(1), numbered(1));
    assert_eq!(earlier, Some(once::stored(integration(1), plain)));
}

/// Makes a database as the version before has left it, and opens it.
async fn upgraded(path: &Path, world: &mut World) -> SqliteStore {
    world.store.close().await.unwrap();
    let earlier = once::earlier(world.integration, once_of(NUMBERED)).unwrap();
    let old = Connection::open(path).unwrap();
    let mut changed = 0;
    for table in ["message", "event"] {
        let sql = format!("UPDATE {table} SET once = ?1 WHERE once IS NOT NULL");
        changed += old.execute(&sql, [earlier]).unwrap();
    }
    assert_eq!(changed, 1);
    old.execute_batch("DROP TABLE once_digest").unwrap();
    old.pragma_update(None, "user_version", BEFORE).unwrap();
    drop(old);
    let store = SqliteStore::open(path).unwrap();
    world.store = Arc::new(store.clone());
    store
}

fn said(world: &World) -> Inbound {
    world.update("501", "501", "hello", Some(NUMBERED))
}

fn edit(world: &World) -> Inbound {
    let content = InboundContent::Event(Box::new(InboundEvent {
        kind: "telegram:edited_message".to_owned(),
        payload: text_payload("edit"),
        thread: None,
        sender: None,
        moved_from: None,
        edit: Some(InboundEdit {
            once: once_of(NUMBERED),
            at: None,
            kind: "text".to_owned(),
            payload: text_payload("changed"),
            tags: Tags::new(),
        }),
        about: None,
        tags: Tags::new(),
        news: None,
    }));
    Inbound {
        once: None,
        content,
        ..said(world)
    }
}

async fn is_a_duplicate(world: &World) -> bool {
    let taken = world.ingest(vec![said(world)]).await;
    matches!(*taken, [Ingested::Duplicate])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_version_has_taken_is_recognised() {
    let folder = folder();
    let path = database(&folder);
    let mut world = World::new(&Given(SqliteStore::open(&path).unwrap())).await;
    world.ingest(vec![said(&world)]).await;
    let store = upgraded(&path, &mut world).await;
    let taken = store.find_taken(world.bot, world.integration, once_of(NUMBERED));
    let message = taken.await.unwrap().unwrap().message.unwrap();
    assert!(is_a_duplicate(&world).await);
    world.ingest(vec![edit(&world)]).await;
    let changed = text_payload("changed");
    assert_eq!(world.message(message).await.payload, changed);
    let deleted = store.delete_message(world.bot, message, None, world.now());
    assert!(deleted.await.unwrap());
    // An edit does not wait for what was deleted, and does not bring it back.
    world.ingest(vec![edit(&world)]).await;
    assert!(is_a_duplicate(&world).await);
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_version_could_not_place_is_edited_and_taken_once() {
    let folder = folder();
    let path = database(&folder);
    let mut world = World::new(&Given(SqliteStore::open(&path).unwrap())).await;
    let content = InboundContent::Unmapped(Box::new(UnmappedUpdate {
        kind: "telegram:unmapped".to_owned(),
        payload: text_payload("kept"),
        thread: None,
    }));
    let kept = world
        .ingest(vec![Inbound {
            content,
            ..said(&world)
        }])
        .await;
    let [Ingested::Event { event, .. }] = *kept else {
        panic!("it is kept: {kept:?}");
    };
    let store = upgraded(&path, &mut world).await;
    world.ingest(vec![edit(&world)]).await;
    assert!(is_a_duplicate(&world).await);
    let remap = Remap {
        bot: world.bot,
        integration: world.integration,
        event,
        item: said(&world),
        out_of_turn: false,
        now: world.now(),
    };
    let Remapped::Taken(Ingested::Message { message, .. }) = store.remap(remap).await.unwrap()
    else {
        panic!("it is placed");
    };
    let changed = text_payload("changed");
    assert_eq!(world.message(message).await.payload, changed);
    assert!(is_a_duplicate(&world).await);
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ingest_asks_for_it_for_a_month_and_a_new_database_never() {
    let folder = folder();
    let path = database(&folder);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.shared.asks_for_digests_until, i64::MIN);
    let mut world = World::new(&Given(store)).await;
    world.ingest(vec![said(&world)]).await;
    let store = upgraded(&path, &mut world).await;
    let until = store.shared.asks_for_digests_until;
    store.close().await.unwrap();
    let old = Connection::open(&path).unwrap();
    let now: i64 = old
        .query_row("SELECT unixepoch() * 1000", [], |row| row.get(0))
        .unwrap();
    let (hour, month) = (3_600_000, 30 * 86_400_000);
    assert!(
        until > now + month - hour && until <= now + month,
        "{until}"
    );
    let set = "UPDATE once_digest SET until = ?1";
    old.execute(set, [world.now().as_millis()]).unwrap();
    drop(old);
    let store = SqliteStore::open(&path).unwrap();
    world.store = Arc::new(store.clone());
    assert!(!is_a_duplicate(&world).await);
    store.close().await.unwrap();
}
