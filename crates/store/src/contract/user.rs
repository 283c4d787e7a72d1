//! Users.

use std::time::Duration;

use switchboard_model::{Direction, Error, UserId};

use super::Factory;
use super::world::{World, all, new_integration, tags, walk};
use crate::{SortField, SortOrder, UserFilter, UserUpdate};

/// The same external id at two integrations is two people, and a third without one.
pub async fn a_user_is_found_within_its_integration(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let other = new_integration(&world.env, world.bot, "other", true);
    store.create_integration(other.clone()).await.unwrap();
    let mut ids = Vec::new();
    for integration in [Some(world.integration), Some(other.integration.id), None] {
        for created in [true, false] {
            let mut command = world.new_user("7");
            command.user.integration = integration;
            command.user.name = Some("first".to_owned());
            let found = store.get_or_create_user(command).await.unwrap();
            assert_eq!(found.created, created);
            assert_eq!(found.value.integration, integration);
            let same = store.find_user(world.bot, integration, tags([("telegram:id", "7")]));
            assert_eq!(same.await.unwrap().as_ref(), Some(&found.value));
            ids.push(found.value.id);
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 3);

    let mut command = world.new_user("7");
    command.user.name = Some("second".to_owned());
    command.user.tags.insert("lang", "en");
    let found = store.get_or_create_user(command).await.unwrap().value;
    assert_eq!(found.name.as_deref(), Some("first"), "a found name stays");
    assert_eq!(found.tags.get("lang"), Some("en"));
}

/// Changes merge, clear and are listed in each order.
pub async fn a_user_changes_and_is_listed(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let mut users = vec![UserId::from(world.bot)];
    for number in 0..9 {
        users.push(world.person(&number.to_string()).await.id);
    }
    let listed = async |filter: UserFilter| {
        let list = walk(4, async |page| {
            store
                .list_users(world.bot, filter.clone(), page)
                .await
                .unwrap()
        });
        list.await
            .into_iter()
            .map(|user| user.id)
            .collect::<Vec<_>>()
    };
    let ascending = UserFilter {
        order: SortOrder::Ascending,
        ..UserFilter::default()
    };
    assert_eq!(listed(ascending.clone()).await, users);

    world.pass(Duration::from_secs(1));
    let update = UserUpdate {
        tags: tags([("vip", "yes")]),
        name: Some(Some("Ada".to_owned())),
        picture_url: None,
    };
    let changed = store.update_user(world.bot, users[4], update, world.now());
    let changed = changed.await.unwrap().unwrap();
    assert_eq!(changed.name.as_deref(), Some("Ada"));
    assert_eq!(changed.updated_at, world.now());
    let filter = UserFilter {
        tags: tags([("vip", "yes")]),
        ..UserFilter::default()
    };
    assert_eq!(listed(filter).await, [users[4]]);
    let filter = UserFilter {
        range: SortField::UpdatedAt,
        after: Some(world.now()),
        ..UserFilter::default()
    };
    assert_eq!(listed(filter).await, [users[4]]);
    let filter = UserFilter {
        sort: SortField::UpdatedAt,
        ..UserFilter::default()
    };
    assert_eq!(listed(filter).await[0], users[4]);
    let conversation = world.thread("1").await;
    let join = store.add_participant(world.bot, conversation.id, users[2]);
    join.await.unwrap();
    let filter = UserFilter {
        conversation: Some(conversation.id),
        ..UserFilter::default()
    };
    assert_eq!(listed(filter).await, [users[2]]);
    let clear = UserUpdate {
        name: Some(None),
        ..UserUpdate::default()
    };
    let cleared = store.update_user(world.bot, users[4], clear, world.now());
    assert_eq!(cleared.await.unwrap().unwrap().name, None);
}

/// A deleted user is free to come again as a new one; what it said stays.
pub async fn a_deleted_user_frees_its_identity_and_leaves_its_messages(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let conversation = world.thread("1").await;
    let user = world.person("7").await;
    let said = world.said(conversation.id, user.id, Direction::Incoming, "hi");
    let message = world.post(said).await.value;
    assert!(
        store
            .delete_user(world.bot, user.id, world.now())
            .await
            .unwrap()
    );
    assert!(
        !store
            .delete_user(world.bot, user.id, world.now())
            .await
            .unwrap()
    );
    assert_eq!(store.get_user(world.bot, user.id).await.unwrap(), None);
    let list = store.list_participants(world.bot, conversation.id, all());
    assert!(list.await.unwrap().unwrap().items.is_empty());
    assert_eq!(world.message(message.id).await, message);
    assert_ne!(world.person("7").await.id, user.id);
    let own = store.delete_user(world.bot, world.bot.into(), world.now());
    assert!(matches!(own.await, Err(Error::Forbidden { .. })));
}
