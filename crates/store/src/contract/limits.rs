//! No number of small changes makes what one big one may not.

use switchboard_model::{Error, Json, StateId, StateKind, TagPatch, Tags};

use super::Factory;
use super::world::{World, json, tags};
use crate::{InboundContent, MessageUpdate, Outcome, SetState, StateKey, StateOwner, UserUpdate};

/// So many tags, with names that sort behind those of `world`.
fn many(prefix: &str, count: usize) -> TagPatch {
    let pair = |number| (format!("z{prefix}{number:03}"), "x");
    (0..count).map(pair).collect()
}

fn is_too_many<T: std::fmt::Debug>(result: &Result<T, Error>) {
    let refused = matches!(
        result,
        Err(Error::InvalidPayload { field, expected })
            if field == "tags" && expected.contains("100")
    );
    assert!(refused, "{result:?}");
}

/// Of conversations, users and messages, by updates and get-or-creates: more than 100 are refused,
/// and nothing is written.
pub async fn merged_tags_are_counted(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let (store, bot, now) = (&world.store, world.bot, world.now());
    let full = Tags::COUNT_LIMIT - 1;

    let conversation = world.thread("1").await.id;
    let filled = store.update_conversation(bot, conversation, many("a", full), now);
    let filled = filled.await.unwrap().unwrap();
    is_too_many(
        &store
            .update_conversation(bot, conversation, many("b", 1), now)
            .await,
    );
    let identity = tags([("telegram:id", "1")]);
    let more = identity.clone().with("zb", "x");
    let again = world.get_or_create(identity, more);
    is_too_many(&store.get_or_create_conversation(again).await);
    let kept = store.get_conversation(bot, conversation).await.unwrap();
    assert_eq!(kept, Some(filled));
    let swap = tags([("za000", ""), ("zb", "x")]);
    let swapped = store.update_conversation(bot, conversation, swap, now);
    assert_eq!(
        swapped.await.unwrap().unwrap().tags.len(),
        Tags::COUNT_LIMIT
    );

    let user = world.person("7").await.id;
    let update = |tags| UserUpdate {
        tags,
        ..UserUpdate::default()
    };
    let filled = store.update_user(bot, user, update(many("a", full)), now);
    let filled = filled.await.unwrap().unwrap();
    is_too_many(
        &store
            .update_user(bot, user, update(many("b", 1)), now)
            .await,
    );
    let mut again = world.new_user("7");
    again.user.tags.insert("zb", "x");
    is_too_many(&store.get_or_create_user(again).await);
    assert_eq!(store.get_user(bot, user).await.unwrap(), Some(filled));

    let message = world.post(world.outgoing(conversation, "x")).await.value.id;
    let update = |tags| MessageUpdate {
        tags,
        payload: Some(json("{\"text\":\"new\"}")),
        delivery: None,
    };
    let filled = store.update_message(bot, message, update(many("a", full + 1)), now);
    let filled = filled.await.unwrap().unwrap();
    is_too_many(
        &store
            .update_message(bot, message, update(many("b", 1)), now)
            .await,
    );
    assert_eq!(world.message(message).await, filled);
}

/// What a channel brings is taken all the same: new tags that have no room are left out, those that
/// identify never.
pub async fn what_a_channel_brings_never_bounces(factory: &dyn Factory) {
    let world = World::new(factory).await;
    for round in ["a", "b", "c"] {
        let mut update = world.update("1", "7", "hi", None);
        if let InboundContent::Message(message) = &mut update.content {
            let crowd = many(round, 150);
            message.thread.tags.apply(&crowd);
            message.sender.tags.apply(&crowd);
            message.tags.apply(&crowd);
        }
        world.ingest(vec![update]).await;
    }
    let conversations = world.conversations().await;
    let [conversation] = conversations.as_slice() else {
        panic!("one conversation, not {}", conversations.len());
    };
    assert_eq!(conversation.tags.len(), Tags::COUNT_LIMIT);
    assert_eq!(conversation.tags.get("telegram:id"), Some("1"));
    let user = world.person("7").await;
    assert_eq!(user.tags.len(), Tags::COUNT_LIMIT);
    assert_eq!(user.tags.get("telegram:id"), Some("7"));
    let messages = world
        .store
        .messages_after(world.bot, conversation.id, 0, 10)
        .await
        .unwrap();
    assert_eq!(messages.len(), 3);
    for message in messages {
        assert_eq!(message.tags.len(), Tags::COUNT_LIMIT);
    }

    let mut post = world.outgoing(conversation.id, "x");
    post.message.tags = many("a", Tags::COUNT_LIMIT - 1);
    let message = world.post(post).await.value.id;
    let claimed = world.claim_one(world.channel()).await;
    let sent = Outcome::Delivered {
        replies: Vec::new(),
        tags: tags([("telegram:id", "5"), ("telegram:more", "6")]),
        change: None,
    };
    assert!(world.finish(&claimed, sent).await);
    let tags = world.message(message).await.tags;
    assert_eq!(tags.len(), Tags::COUNT_LIMIT);
    assert_eq!(tags.get("telegram:id"), Some("5"));
}

/// A state that is patched again and again stays within the size of a payload.
pub async fn a_patched_state_keeps_its_size(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let key = StateKey {
        bot: world.bot,
        owner: StateOwner::Bot,
        kind: StateKind::Bot,
        subject: world.bot.ulid(),
        name: "s".to_owned(),
    };
    let first = SetState {
        id: StateId::new(world.env.ulid()),
        key: key.clone(),
        payload: json("{}"),
        expiry: None,
        now: world.now(),
    };
    world.store.set_state(first).await.unwrap();
    let part = |name: &str, size| json(&format!("{{\"{name}\":\"{}\"}}", "x".repeat(size)));
    let patch = async |patch| {
        let patched = world.store.patch_state(key.clone(), patch, world.now());
        patched.await.map(|state| state.unwrap().payload)
    };
    let half = patch(part("a", Json::PAYLOAD_LIMIT / 2)).await.unwrap();
    let refused = patch(part("b", Json::PAYLOAD_LIMIT / 2)).await;
    assert_eq!(
        refused,
        Err(Error::PayloadTooLarge {
            what: "payload".to_owned(),
            limit: Json::PAYLOAD_LIMIT
        })
    );
    let state = world.store.get_state(key.clone(), world.now()).await;
    assert_eq!(state.unwrap().unwrap().payload, half);
    // Up to the last byte: `,"b":""` is what the rest comes with.
    let rest = Json::PAYLOAD_LIMIT - half.as_str().len() - 7;
    let whole = patch(part("b", rest)).await.unwrap();
    assert_eq!(whole.as_str().len(), Json::PAYLOAD_LIMIT);
    assert!(patch(part("b", rest + 1)).await.is_err());
}
