//! What the tag indexes name by digest is checked against the row, however it is looked for.

use rusqlite::Connection;
use switchboard_model::Tags;
use switchboard_store::contract::world::{World, new_integration, tags};
use switchboard_store::{AccessStore as _, ConversationStore as _, Place, UserStore as _};

use super::tag_values::Given;
use super::{database, folder, plan};
use crate::tags::digests;
use crate::{SqliteStore, conversation, rows, user};

/// Gives all objects all of these digests, as if their own tags had them too.
async fn collide(store: &SqliteStore, table: &str, all: &str, identity: &Tags) {
    let sql = format!("INSERT OR IGNORE INTO {table} SELECT bot, ?1, id FROM {all}");
    for pair in digests(identity) {
        let sql = sql.clone();
        let write = store.write(move |tx| rows::execute(tx.connection, &sql, [pair]));
        write.await.unwrap();
    }
}

fn identities() -> [Tags; 2] {
    [
        tags([("x:id", "7")]),
        tags([("x:id", "7"), ("x:topic", "9")]),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_is_not_found_by_a_digest_that_others_have_too() {
    for identity in identities() {
        let folder = folder();
        let store = SqliteStore::open(&database(&folder)).unwrap();
        let world = World::new(&Given(store.clone())).await;
        let beside = new_integration(&world.env, world.bot, "beside", true);
        let elsewhere = Place {
            integration: beside.integration.id,
            ..world.place()
        };
        store.create_integration(beside).await.unwrap();
        let another_channel = Place {
            channel: "another".to_owned(),
            ..world.place()
        };
        let put = async |place: Place, tags: Tags| {
            let mut command = world.get_or_create(tags.clone(), tags);
            command.place = place;
            let found = store.get_or_create_conversation(command).await.unwrap();
            assert!(found.created);
            found.value.id
        };
        // Of all that have the digests, only the last has the tags, here.
        let other = put(world.place(), tags([("x:id", "8")])).await;
        put(elsewhere, identity.clone()).await;
        put(another_channel, identity.clone()).await;
        let deleted = put(world.place(), identity.clone()).await;
        let delete = store.delete_conversation(world.bot, deleted, world.now());
        assert!(delete.await.unwrap());
        let find = async || {
            let found = store.find_conversation(world.place(), identity.clone());
            found.await.unwrap().map(|found| found.id)
        };
        collide(&store, "conversation_tag", "conversation", &identity).await;
        assert_eq!(find().await, None);
        let made = put(world.place(), identity.clone()).await;
        collide(&store, "conversation_tag", "conversation", &identity).await;
        assert_eq!(find().await, Some(made));
        let found = store.find_conversation(world.place(), tags([("x:id", "8")]));
        assert_eq!(found.await.unwrap().map(|found| found.id), Some(other));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_not_found_by_a_digest_that_others_have_too() {
    for identity in identities() {
        let folder = folder();
        let store = SqliteStore::open(&database(&folder)).unwrap();
        let world = World::new(&Given(store.clone())).await;
        let put = async |integration, tags: &Tags| {
            let mut command = world.new_user("1");
            command.identity = tags.clone();
            command.user.tags = tags.clone();
            command.user.integration = integration;
            let found = store.get_or_create_user(command).await.unwrap();
            assert!(found.created);
            found.value.id
        };
        put(Some(world.integration), &tags([("x:id", "8")])).await;
        let of_no_integration = put(None, &identity).await;
        let deleted = put(Some(world.integration), &identity).await;
        let delete = store.delete_user(world.bot, deleted, world.now());
        assert!(delete.await.unwrap());
        let find = async |integration| {
            let found = store.find_user(world.bot, integration, identity.clone());
            found.await.unwrap().map(|found| found.id)
        };
        collide(&store, "user_tag", "user", &identity).await;
        assert_eq!(find(Some(world.integration)).await, None);
        assert_eq!(find(None).await, Some(of_no_integration));
        let made = put(Some(world.integration), &identity).await;
        collide(&store, "user_tag", "user", &identity).await;
        assert_eq!(find(Some(world.integration)).await, Some(made));
    }
}

#[test]
fn one_statement_finds_in_the_order_of_the_index() {
    let folder = folder();
    let path = database(&folder);
    SqliteStore::open(&path).unwrap();
    let connection = Connection::open(path).unwrap();
    for sql in [conversation::BY_PAIR, user::BY_PAIR] {
        let plan = plan(&connection, sql).join("; ");
        let seek = "SEARCH t USING PRIMARY KEY (scope=? AND pair=? AND item>?); SEARCH ";
        assert!(plan.starts_with(seek), "{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
}
