//! What a script decides: which conversation a thread is, and which user a person.

use switchboard_model::{Conversation, Error, IntegrationId, Kind, User};

use super::Factory;
use super::world::{World, all, new_integration, once_of, tags};
use crate::{
    Inbound, InboundContent, Ingested, IntegrationChange, MessageFilter, PollPosition, SealedSecret,
};

/// An update whose conversation and sender may be decided.
fn decided(
    world: &World,
    conversation: Option<&Conversation>,
    user: Option<&User>,
    once: u64,
) -> Inbound {
    let mut update = world.update("thread", "person", "hi", Some(once));
    if let InboundContent::Message(message) = &mut update.content {
        message.thread.known = conversation.map(|found| found.id);
        message.sender.known = user.map(|found| found.id);
    }
    update
}

async fn messages(world: &World) -> usize {
    let all = world
        .store
        .list_messages(world.bot, MessageFilter::default(), all());
    all.await.unwrap().items.len()
}

async fn refused(world: &World, update: Inbound, kind: Kind) {
    let mut batch = world.batch(vec![world.update("other", "7", "first", Some(90)), update]);
    batch.position = Some(PollPosition {
        account: "1".to_owned(),
        next: 9,
    });
    let before = (messages(world).await, world.conversations().await.len());
    let error = world.store.ingest(batch).await.unwrap_err();
    let named = matches!(&error, Error::ReferenceNotFound { kind: found, .. } if *found == kind);
    assert!(named, "{error:?}");
    let after = (messages(world).await, world.conversations().await.len());
    assert_eq!(before, after, "nothing of the batch was taken");
    let position = world.store.poll_position(world.integration, "1").await;
    assert_eq!(position.unwrap(), None);
}

/// Another integration of the same bot.
async fn another_integration(world: &World) -> IntegrationId {
    let new = new_integration(&world.env, world.bot, "second", true);
    let id = new.integration.id;
    world.store.create_integration(new).await.unwrap();
    id
}

/// It changes by itself, and is nobody else's.
pub async fn a_script_is_kept_with_its_integration(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let script = |id| store.integration_script(world.bot, id);
    assert_eq!(script(world.integration).await.unwrap(), None);
    let mut new = new_integration(&world.env, world.bot, "scripted", false);
    new.script = Some("const integration = '🙂'".to_owned());
    let id = new.integration.id;
    store.create_integration(new).await.unwrap();
    let kept = script(id).await.unwrap();
    assert_eq!(kept.as_deref(), Some("const integration = '🙂'"));
    assert_eq!(script(world.integration).await.unwrap(), None);

    let other = world.another_bot().await;
    let foreign = store.integration_script(other.bot, id).await.unwrap();
    assert_eq!(foreign, None, "another bot's is absent");
    let change = |script: Option<&str>, secret: Option<&[u8]>| IntegrationChange {
        script: script.map(ToOwned::to_owned),
        secret: secret.map(|secret| SealedSecret(secret.to_owned())),
        active: None,
    };
    let changed = store
        .update_integration(other.bot, id, change(Some("theirs"), None), world.now())
        .await;
    assert_eq!(changed.unwrap(), None);
    for (change, script_then, secret_then) in [
        (change(None, Some(b"s")), "const integration = '🙂'", b"s"),
        (change(Some("another"), None), "another", b"s"),
        (change(Some(""), None), "", b"s"),
        (change(None, Some(b"t")), "", b"t"),
        (change(Some("another"), None), "another", b"t"),
    ] {
        let changed = store
            .update_integration(world.bot, id, change, world.now())
            .await;
        assert!(changed.unwrap().is_some());
        let kept = script(id).await.unwrap();
        let then = Some(script_then).filter(|then| !then.is_empty());
        assert_eq!(kept.as_deref(), then);
        let secret = store.integration_secret(id).await.unwrap().unwrap();
        assert_eq!(secret.0, secret_then);
    }
    let store = factory.reopen(std::sync::Arc::clone(store)).await;
    let kept = store.integration_script(world.bot, id).await.unwrap();
    assert_eq!(kept.as_deref(), Some("another"));
}

/// The thread's identity does not count; its other tags are merged, and an empty one goes.
pub async fn a_decided_conversation_is_taken_as_it_is(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let decided_on = world.thread("chosen").await;
    let add = tags([("telegram:chatId", "1"), ("telegram:threadId", "2")]);
    let tagged = world
        .store
        .update_conversation(world.bot, decided_on.id, add, world.now());
    tagged.await.unwrap();
    let mut update = decided(&world, Some(&decided_on), None, 1);
    if let InboundContent::Message(message) = &mut update.content {
        message.thread.tags = tags([("telegram:chatId", "3"), ("telegram:threadId", "")]);
    }
    let taken = world.ingest(vec![update.clone()]).await;
    let Ingested::Message {
        conversation,
        conversation_created: false,
        ..
    } = &taken[0]
    else {
        panic!("a message in what is there, not {taken:?}");
    };
    assert_eq!(conversation.id, decided_on.id);
    let all = world.conversations().await;
    assert_eq!(all.len(), 1, "the thread itself opened none: {all:?}");
    let expected = tags([("telegram:id", "chosen"), ("telegram:chatId", "3")]);
    assert_eq!(all[0].tags, expected);
    assert_eq!(world.ingest(vec![update]).await, [Ingested::Duplicate]);

    // An event belongs where it is said too, and opens nothing.
    let mut event = world.update("thread", "person", "x", Some(2));
    let mut thread = world.external_thread("thread");
    thread.known = Some(decided_on.id);
    event.content = InboundContent::Event(Box::new(crate::InboundEvent {
        kind: "telegram:reaction".to_owned(),
        payload: super::world::json("{}"),
        thread: Some(thread),
        sender: None,
        moved_from: None,
        edit: None,
        about: None,
        tags: tags([]),
        news: None,
    }));
    let taken = world.ingest(vec![event]).await;
    let Ingested::Event { conversation, .. } = &taken[0] else {
        panic!("an event, not {taken:?}");
    };
    assert_eq!(*conversation, Some(decided_on.id));
    assert_eq!(world.conversations().await.len(), 1);
}

/// Its name stays; its tags are merged.
pub async fn a_decided_user_is_taken_as_it_is(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let mut new = world.new_user("chosen");
    new.user.name = Some("Ada".to_owned());
    let ada = world.store.get_or_create_user(new).await.unwrap().value;
    let mut update = decided(&world, None, Some(&ada), 1);
    if let InboundContent::Message(message) = &mut update.content {
        message.sender.tags = tags([("telegram:username", "ada")]);
    }
    let taken = world.ingest(vec![update]).await;
    let Ingested::Message {
        message,
        user,
        user_created: false,
        ..
    } = &taken[0]
    else {
        panic!("a message of who is there, not {taken:?}");
    };
    assert_eq!(*user, ada.id);
    assert_eq!(world.message(*message).await.user, ada.id);
    let now = world.store.get_user(world.bot, ada.id).await.unwrap();
    let now = now.unwrap();
    assert_eq!(now.name.as_deref(), Some("Ada"));
    let expected = tags([("telegram:id", "chosen"), ("telegram:username", "ada")]);
    assert_eq!(now.tags, expected);
}

/// Whatever was decided on must be there, and the integration's own; else nothing is taken.
pub async fn what_is_gone_or_anothers_cannot_be_decided_on(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let (gone, nobody) = (world.thread("gone").await, world.person("nobody").await);
    let store = &world.store;
    let deleted = store.delete_conversation(world.bot, gone.id, world.now());
    assert!(deleted.await.unwrap());
    let deleted = store.delete_user(world.bot, nobody.id, world.now());
    assert!(deleted.await.unwrap());
    refused(
        &world,
        decided(&world, Some(&gone), None, 1),
        Kind::Conversation,
    )
    .await;
    refused(&world, decided(&world, None, Some(&nobody), 1), Kind::User).await;

    let other = world.another_bot().await;
    let second = World {
        store: std::sync::Arc::clone(store),
        clock: world.clock.clone(),
        env: world.env.clone(),
        bot: world.bot,
        integration: another_integration(&world).await,
    };
    for elsewhere in [&other, &second] {
        let (thread, person) = (elsewhere.thread("1").await, elsewhere.person("1").await);
        refused(
            &world,
            decided(&world, Some(&thread), None, 1),
            Kind::Conversation,
        )
        .await;
        refused(&world, decided(&world, None, Some(&person), 1), Kind::User).await;
    }
    // What was refused was not taken, so it can be.
    let there = world.thread("there").await;
    let taken = world
        .ingest(vec![decided(&world, Some(&there), None, 1)])
        .await;
    assert!(matches!(taken[0], Ingested::Message { .. }), "{taken:?}");
    let found = store
        .find_taken(world.bot, world.integration, once_of(1))
        .await;
    assert_eq!(found.unwrap().unwrap().conversation, Some(there.id));
}
