//! What is recognised is stored behind its number, and what was stored without is recognised still.

use std::path::Path;

use rusqlite::Connection;
use switchboard_model::ids::Ulid;
use switchboard_model::{IntegrationId, Tags};
use switchboard_store::contract::world::{World, key, once_of, text_payload};
use switchboard_store::{
    Inbound, InboundContent, InboundEdit, InboundEvent, IngestStore as _, Ingested, Once,
    Store as _,
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

/// Makes a database as the version before has left it.
async fn left(path: &Path, world: &World) {
    world.ingest(vec![said(world)]).await;
    world.store.close().await.unwrap();
    let earlier = once::earlier(world.integration, once_of(NUMBERED)).unwrap();
    let old = Connection::open(path).unwrap();
    let changed = old.execute("UPDATE message SET once = ?1", [earlier]);
    assert_eq!(changed.unwrap(), 1);
    old.execute_batch("DROP TABLE once_digest").unwrap();
    old.pragma_update(None, "user_version", BEFORE).unwrap();
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_version_has_taken_is_recognised() {
    let folder = folder();
    let path = database(&folder);
    let mut world = World::new(&Given(SqliteStore::open(&path).unwrap())).await;
    left(&path, &world).await;

    let store = SqliteStore::open(&path).unwrap();
    world.store = std::sync::Arc::new(store.clone());
    let taken = store.find_taken(world.bot, world.integration, once_of(NUMBERED));
    let message = taken.await.unwrap().unwrap().message.unwrap();
    assert!(matches!(
        *world.ingest(vec![said(&world)]).await,
        [Ingested::Duplicate]
    ));
    world.ingest(vec![edit(&world)]).await;
    assert_eq!(
        world.message(message).await.payload,
        text_payload("changed")
    );
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ingest_asks_for_it_for_a_month_and_a_new_database_never() {
    let folder = folder();
    let path = database(&folder);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.shared.asks_for_digests_until, i64::MIN);
    let mut world = World::new(&Given(store)).await;
    left(&path, &world).await;

    let store = SqliteStore::open(&path).unwrap();
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
    old.execute(
        "UPDATE once_digest SET until = ?1",
        [world.now().as_millis()],
    )
    .unwrap();
    drop(old);
    let store = SqliteStore::open(&path).unwrap();
    world.store = std::sync::Arc::new(store.clone());
    assert!(matches!(
        *world.ingest(vec![said(&world)]).await,
        [Ingested::Message { .. }]
    ));
    store.close().await.unwrap();
}
