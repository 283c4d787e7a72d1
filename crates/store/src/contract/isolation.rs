//! Two bots in one store know nothing of each other, even where their external ids are the same.

use switchboard_model::{DeliveryId, Direction, Error, EventId, StateId, StateKind, Tags, TokenId};

use super::Factory;
use super::world::{World, all, dead, json, tags};
use crate::{
    ConversationFilter, EventFilter, IntegrationChange, Lane, MessageFilter, MessageUpdate,
    NewEvent, Occupied, Place, Rekey, Rekeyed, SetState, StateKey, StateOwner, UserFilter,
    UserUpdate,
};

/// What a stranger tries, knowing every id.
pub async fn nothing_of_another_bot_is_read(factory: &dyn Factory) {
    let own = World::new(factory).await;
    let other = own.another_bot().await;
    let store = &own.store;
    let conversation = own.thread("1").await;
    let user = own.person("7").await;
    let post = own.said(conversation.id, user.id, Direction::Incoming, "hi");
    let event = EventId::from(post.message.id);
    let message = own.post(post).await.value;
    let bot = other.bot;

    assert_eq!(
        store.get_conversation(bot, conversation.id).await.unwrap(),
        None
    );
    assert_eq!(store.get_user(bot, user.id).await.unwrap(), None);
    assert_eq!(store.get_message(bot, message.id).await.unwrap(), None);
    assert_eq!(store.get_event(bot, event).await.unwrap(), None);
    assert_eq!(
        store.get_integration(bot, own.integration).await.unwrap(),
        None
    );
    let participant = store.get_participant(bot, conversation.id, user.id);
    assert_eq!(participant.await.unwrap(), None);
    let participants = store.list_participants(bot, conversation.id, all());
    assert_eq!(participants.await.unwrap(), None);
    let after = store.messages_after(bot, conversation.id, 0, 10).await;
    assert!(after.unwrap().is_empty());
    assert!(!store.is_busy(bot, conversation.id).await.unwrap());
    let place = Place { bot, ..own.place() };
    let identity = tags([("telegram:id", "1")]);
    let found = store.find_conversation(place, identity.clone()).await;
    assert_eq!(found.unwrap(), None);
    let found = store.find_conversation(other.place(), identity).await;
    assert_eq!(found.unwrap(), None);
    let identity = tags([("telegram:id", "7")]);
    for integration in [Some(own.integration), Some(other.integration), None] {
        let found = store.find_user(bot, integration, identity.clone()).await;
        assert_eq!(found.unwrap(), None);
    }

    assert!(other.conversations().await.is_empty());
    let filter = ConversationFilter {
        participants: vec![user.id],
        ..ConversationFilter::default()
    };
    let list = store.list_conversations(bot, filter, all()).await.unwrap();
    assert!(list.items.is_empty());
    let filter = UserFilter {
        conversation: Some(conversation.id),
        ..UserFilter::default()
    };
    assert!(
        store
            .list_users(bot, filter, all())
            .await
            .unwrap()
            .items
            .is_empty()
    );
    for filter in [
        MessageFilter::default(),
        MessageFilter {
            conversation: Some(conversation.id),
            ..MessageFilter::default()
        },
    ] {
        let list = store.list_messages(bot, filter, all()).await.unwrap();
        assert!(list.items.is_empty());
    }
    for filter in [
        EventFilter::default(),
        EventFilter {
            conversation: Some(conversation.id),
            ..EventFilter::default()
        },
    ] {
        assert!(
            store
                .list_events(bot, filter, all())
                .await
                .unwrap()
                .items
                .is_empty()
        );
    }
    for conversation in [None, Some(conversation.id)] {
        let list = store.list_deliveries(bot, None, conversation, all()).await;
        assert!(list.unwrap().items.is_empty());
    }
}

/// A stranger's write is refused or finds nothing, and changes nothing.
pub async fn nothing_of_another_bot_is_written(factory: &dyn Factory) {
    let own = World::new(factory).await;
    let other = own.another_bot().await;
    let store = &own.store;
    let conversation = own.thread("1").await;
    let user = own.person("7").await;
    let post = own.said(conversation.id, user.id, Direction::Incoming, "hi");
    let message = own.post(post).await.value;
    let conversation = own.thread("1").await;
    assert_eq!(conversation.message_count, 1);
    let claimed = own.claim_one(Lane::Bots).await;
    own.finish(&claimed, dead("no")).await;
    let (bot, now) = (other.bot, own.now());
    let patch = tags([("stolen", "yes")]);

    let update = store.update_conversation(bot, conversation.id, patch.clone(), now);
    assert_eq!(update.await.unwrap(), None);
    assert!(
        !store
            .delete_conversation(bot, conversation.id, now)
            .await
            .unwrap()
    );
    let rekey = Rekey {
        bot,
        conversation: conversation.id,
        tags: patch.clone(),
        identity: patch.clone(),
        occupied: Occupied::Refuse,
        now,
    };
    let rekeyed = store.rekey_conversation(rekey).await.unwrap();
    assert_eq!(rekeyed, Rekeyed::Missing);
    let theirs = other.person("7").await;
    assert_ne!(theirs.id, user.id);
    let join = store.add_participant(bot, conversation.id, theirs.id);
    assert_eq!(join.await.unwrap(), None);
    let mine = other.thread("1").await;
    assert_ne!(mine.id, conversation.id);
    let join = store.add_participant(bot, mine.id, user.id).await;
    assert!(matches!(join, Err(Error::ReferenceNotFound { .. })));
    let leave = store.remove_participant(bot, conversation.id, user.id);
    assert!(!leave.await.unwrap());
    let update = UserUpdate {
        tags: patch.clone(),
        ..UserUpdate::default()
    };
    let update = store.update_user(bot, user.id, update, now).await;
    assert_eq!(update.unwrap(), None);
    assert!(!store.delete_user(bot, user.id, now).await.unwrap());
    let update = MessageUpdate {
        tags: patch,
        ..MessageUpdate::default()
    };
    let update = store.update_message(bot, message.id, update, now).await;
    assert_eq!(update.unwrap(), None);
    assert!(
        !store
            .delete_message(bot, message.id, None, now)
            .await
            .unwrap()
    );
    let replay = store.replay_delivery(bot, claimed.id, now).await.unwrap();
    assert_eq!(replay, None);
    let dismissed = store.dismiss_delivery(bot, claimed.id).await.unwrap();
    assert_eq!(dismissed, None);

    let same = store
        .get_conversation(own.bot, conversation.id)
        .await
        .unwrap();
    assert_eq!(same, Some(conversation));
    assert_eq!(store.get_user(own.bot, user.id).await.unwrap(), Some(user));
    assert_eq!(own.message(message.id).await, message);
    assert_eq!(message.tags, Tags::new());
}

/// A stranger's new objects cannot refer to what is not its own.
pub async fn nothing_new_refers_to_another_bots(factory: &dyn Factory) {
    let own = World::new(factory).await;
    let other = own.another_bot().await;
    let store = &own.store;
    let conversation = own.thread("1").await;
    let mine = other.thread("1").await;
    let user = own.person("7").await;
    let post = own.said(conversation.id, user.id, Direction::Incoming, "hi");
    let message = own.post(post).await.value;
    let (bot, now) = (other.bot, own.now());
    let posts = [
        other.outgoing(conversation.id, "x"),
        other.said(mine.id, user.id, Direction::Incoming, "x"),
    ];
    for post in posts {
        let refused = store.post_message(post).await;
        assert!(matches!(refused, Err(Error::ReferenceNotFound { .. })));
    }
    let event = NewEvent {
        id: EventId::new(own.env.ulid()),
        delivery: DeliveryId::new(own.env.ulid()),
        bot,
        kind: "x".to_owned(),
        payload: json("{}"),
        conversation: None,
        user: None,
        message: Some(message.id),
        workflow: None,
        due: None,
        now,
    };
    let refused = store.create_event(event).await;
    assert!(matches!(refused, Err(Error::ReferenceNotFound { .. })));
    for (kind, subject) in [
        (StateKind::Conversation, conversation.id.ulid()),
        (StateKind::User, user.id.ulid()),
        (StateKind::Bot, own.bot.ulid()),
        (StateKind::Integration, own.integration.ulid()),
    ] {
        let command = SetState {
            id: StateId::new(own.env.ulid()),
            key: StateKey {
                bot,
                owner: StateOwner::Bot,
                kind,
                subject,
                name: "s".to_owned(),
            },
            payload: json("{}"),
            expiry: None,
            now,
        };
        let refused = store.set_state(command).await;
        assert!(matches!(refused, Err(Error::NotFound { .. })));
    }
    let mut foreign = other.get_or_create(tags([("a", "b")]), tags([("a", "b")]));
    foreign.place.integration = own.integration;
    let refused = store.get_or_create_conversation(foreign).await;
    assert!(matches!(refused, Err(Error::NotFound { .. })));
    let mut batch = other.batch(vec![other.update("1", "7", "x", None)]);
    batch.integration = own.integration;
    assert!(matches!(
        store.ingest(batch).await,
        Err(Error::NotFound { .. })
    ));
    let change = IntegrationChange {
        active: Some(false),
        secret: None,
        script: None,
    };
    let update = store.update_integration(bot, own.integration, change, now);
    assert_eq!(update.await.unwrap(), None);
    let revoke = store.revoke_token(bot, TokenId::new(own.env.ulid()), now);
    assert_eq!(revoke.await.unwrap(), None);

    let same = own.message(message.id).await;
    assert_eq!(same, message);
}
