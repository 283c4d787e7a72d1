//! Two conversations of one thread become one, and what a channel changes.

use std::time::Duration;

use switchboard_model::{ConversationId, StateId, StateKind};

use super::Factory;
use super::delivery::{payload, text_of};
use super::world::{World, all, delivered, json, once_of, tags, text_payload};
use crate::{
    Claim, EventFilter, Inbound, InboundContent, InboundEdit, InboundEvent, Ingested, Lane,
    MessageFilter, Occupied, Outcome, Rekey, Rekeyed, SetState, StateKey, StateOwner,
};

fn happening(world: &World, thread: &str) -> InboundEvent {
    InboundEvent {
        kind: "telegram:message".to_owned(),
        payload: json(r#"{"update":{}}"#),
        thread: Some(world.external_thread(thread)),
        sender: None,
        moved_from: None,
        edit: None,
        about: None,
        tags: tags([]),
        news: None,
    }
}

fn update(world: &World, event: InboundEvent) -> Inbound {
    let mut update = world.update("unused", "unused", "unused", None);
    update.content = InboundContent::Event(Box::new(event));
    update
}

async fn texts(world: &World, conversation: switchboard_model::ConversationId) -> Vec<String> {
    let filter = MessageFilter {
        conversation: Some(conversation),
        ..MessageFilter::default()
    };
    let list = world.store.list_messages(world.bot, filter, all()).await;
    let mut items = list.unwrap().items;
    items.reverse();
    let seqs: Vec<_> = items.iter().map(|message| message.seq).collect();
    assert_eq!(seqs, (1..).take(items.len()).collect::<Vec<_>>());
    items
        .into_iter()
        .map(|message| message.payload.as_str().to_owned())
        .collect()
}

/// Told by an update, in either order and twice: the conversation stays with all it has.
pub async fn a_thread_that_moves_keeps_its_conversation(factory: &dyn Factory) {
    let world = World::new(factory).await;
    world
        .ingest(vec![world.update("-5", "ada", "before", Some(1))])
        .await;
    let old = world.thread("-5").await;
    for _ in 0..2 {
        let moved = InboundEvent {
            moved_from: Some(tags([("telegram:id", "-5")])),
            ..happening(&world, "-1005")
        };
        let taken = world.ingest(vec![update(&world, moved)]).await;
        let Ingested::Event { conversation, .. } = &taken[0] else {
            panic!("an event, not {taken:?}");
        };
        assert_eq!(*conversation, Some(old.id));
    }
    world
        .ingest(vec![world.update("-1005", "ada", "after", Some(2))])
        .await;
    world
        .ingest(vec![world.update("-5", "ada", "late", Some(3))])
        .await;
    let only = world.conversations().await;
    assert_eq!(only.len(), 1);
    assert_eq!(only[0].tags.get("telegram:id"), Some("-1005"));
    assert_eq!(
        texts(&world, old.id).await,
        ["before", "after", "late"].map(|text| text_payload(text).as_str().to_owned())
    );
    // One that nobody knows moves nothing and opens nothing.
    let moved = InboundEvent {
        moved_from: Some(tags([("telegram:id", "-6")])),
        ..happening(&world, "-1006")
    };
    world.ingest(vec![update(&world, moved)]).await;
    assert_eq!(world.conversations().await.len(), 1);
}

/// What announces the messages of a conversation is where they are, by whichever id it is asked for.
async fn are_announced_in(world: &World, ids: &[ConversationId], count: usize) {
    for id in ids {
        let filter = EventFilter {
            conversation: Some(*id),
            ..EventFilter::default()
        };
        let events = world.store.list_events(world.bot, filter, all()).await;
        let events = events.unwrap().items;
        let places: Vec<_> = events.iter().map(|event| event.conversation).collect();
        assert_eq!(places, vec![Some(ids[0]); count]);
        assert!(events.is_sorted_by(|one, other| one.created_at > other.created_at));
        let told = world
            .store
            .list_deliveries(world.bot, None, Some(*id), all());
        let told = told.await.unwrap().items;
        assert_eq!(told.iter().filter(|one| one.event.is_some()).count(), count);
        assert!(told.iter().all(|one| one.conversation == Some(ids[0])));
    }
}

/// Where both have a conversation they become one, with the messages by time, and nothing that
/// waits is lost or overtaken.
pub async fn two_conversations_of_one_thread_become_one(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let minute = Duration::from_mins(1);
    world
        .ingest(vec![world.update("-5", "ada", "1 old", Some(1))])
        .await;
    world.pass(minute);
    world
        .ingest(vec![world.update("-1005", "bob", "2 new", Some(2))])
        .await;
    world.pass(minute);
    let (old, new) = (world.thread("-5").await, world.thread("-1005").await);
    world.post(world.outgoing(old.id, "3 old")).await;
    world.pass(minute);
    world.post(world.outgoing(new.id, "4 new")).await;
    for (conversation, value) in [(&old, "old"), (&new, "new")] {
        let command = SetState {
            id: StateId::new(world.env.ulid()),
            key: StateKey {
                bot: world.bot,
                owner: StateOwner::Bot,
                kind: StateKind::Conversation,
                subject: conversation.id.ulid(),
                name: "s".to_owned(),
            },
            payload: json(&format!(r#"{{"of":"{value}"}}"#)),
            expiry: None,
            now: world.now(),
        };
        world.store.set_state(command).await.unwrap();
    }
    let claimed = world.claim_one_of(world.channel(), old.id).await;

    let rekey = Rekey {
        bot: world.bot,
        conversation: old.id,
        tags: tags([("telegram:id", "-1005"), ("telegram:chatId", "-1005")]),
        identity: tags([("telegram:id", "-1005")]),
        occupied: Occupied::Merge,
        now: world.now(),
    };
    let merged = world.store.rekey_conversation(rekey.clone()).await.unwrap();
    let Rekeyed::Merged { survivor, merged } = merged else {
        panic!("merged, not {merged:?}");
    };
    assert_eq!((survivor.id, merged), (old.id, new.id));
    assert_eq!(survivor.tags.get("telegram:id"), Some("-1005"));
    let again = world.store.rekey_conversation(rekey).await.unwrap();
    assert_eq!(again, Rekeyed::Unchanged(survivor.clone()));

    assert_eq!(
        texts(&world, old.id).await,
        ["1 old", "2 new", "3 old", "4 new"].map(|text| text_payload(text).as_str().to_owned())
    );
    // Whoever knows the other's id or either name is led to it.
    let found = world.store.get_conversation(world.bot, new.id).await;
    assert_eq!(found.unwrap().map(|found| found.id), Some(old.id));
    assert_eq!(texts(&world, new.id).await.len(), 4);
    for name in ["-5", "-1005"] {
        assert_eq!(world.thread(name).await.id, old.id);
    }
    let users = world
        .store
        .list_participants(world.bot, old.id, all())
        .await;
    assert_eq!(users.unwrap().unwrap().items.len(), 3);
    let state = |name: &str| StateKey {
        bot: world.bot,
        owner: StateOwner::Bot,
        kind: StateKind::Conversation,
        subject: old.id.ulid(),
        name: name.to_owned(),
    };
    for (name, value) in [("s".to_owned(), "old"), (format!("s@{}", new.id), "new")] {
        let kept = world
            .store
            .get_state(state(&name), world.now())
            .await
            .unwrap();
        assert_eq!(
            kept.unwrap().payload.as_str(),
            format!(r#"{{"of":"{value}"}}"#)
        );
    }

    are_announced_in(&world, &[old.id, new.id], 2).await;

    // What was on its way ends as it would have, and the rest follows, one line each way.
    assert!(world.finish(&claimed, delivered()).await);
    let next = world.claim_one(world.channel()).await;
    assert!(world.finish(&next, delivered()).await);
    assert!(world.claim(world.channel()).await.deliveries.is_empty());
    for _ in 0..2 {
        let event = world.claim_one(Lane::Bots).await;
        assert!(world.finish(&event, delivered()).await);
    }
    assert!(world.claim(Lane::Bots).await.deliveries.is_empty());
    assert!(!world.store.is_busy(world.bot, old.id).await.unwrap());

    let delete = world
        .store
        .delete_conversation(world.bot, new.id, world.now());
    assert!(delete.await.unwrap());
    let gone = world.store.get_conversation(world.bot, new.id).await;
    assert_eq!(gone.unwrap(), None);
}

/// However much of the two lines was looked at or tried, one line comes of it, in the order in which
/// all of it came.
pub async fn lines_that_become_one_keep_the_order(factory: &dyn Factory) {
    let world = World::new(factory).await;
    for claimed in 0..3 {
        let names = [format!("-{claimed}"), format!("-100{claimed}")];
        let old = world.thread(&names[0]).await.id;
        let new = world.thread(&names[1]).await.id;
        for (conversation, text) in [(old, "1"), (new, "2"), (old, "3"), (new, "4")] {
            world.post(world.outgoing(conversation, text)).await;
            world.pass(Duration::from_millis(1));
        }
        if claimed > 0 {
            let claim = Claim {
                limit: claimed,
                ..world.a_claim(world.channel())
            };
            let tried = world.store.claim(claim).await.unwrap().deliveries;
            assert_eq!(tried.len(), claimed);
            for one in &tried {
                let again = Outcome::Retry {
                    after: Duration::from_secs(5),
                    error: "503".to_owned(),
                    uncertain: false,
                    counts: true,
                };
                assert!(world.finish(one, again).await);
            }
        }
        let rekey = world.renamed(old, &names[1]);
        let merged = world.store.rekey_conversation(rekey).await.unwrap();
        assert!(matches!(merged, Rekeyed::Merged { .. }), "{merged:?}");
        world.post(world.outgoing(old, "5")).await;
        assert!(world.store.is_busy(world.bot, old).await.unwrap());
        for expected in ["1", "2", "3", "4", "5"] {
            let next = world.claim_one(world.channel()).await;
            assert_eq!(text_of(&next), payload(expected), "{claimed} were tried");
            assert!(world.finish(&next, delivered()).await);
        }
        assert!(!world.store.is_busy(world.bot, old).await.unwrap());
    }
}

/// An edit changes the message and keeps what it said; of one that is not there it is an event.
pub async fn an_edit_changes_the_message_and_keeps_what_it_said(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let said = world
        .ingest(vec![world.update("1", "ada", "helo", Some(61))])
        .await;
    let Ingested::Message { message, .. } = &said[0] else {
        panic!("a message, not {said:?}");
    };
    let edit = |once: u64, at: i64, kind: &str, text: &str| InboundEvent {
        edit: Some(InboundEdit {
            once: once_of(once),
            at: Some(at),
            kind: kind.to_owned(),
            payload: text_payload(text),
            tags: tags([("telegram:editDate", at.to_string().as_str())]),
        }),
        ..happening(&world, "1")
    };
    for (at, kind, text) in [
        (2, "text", "hello"),
        (2, "text", "hello"),
        (4, "image", "hello"),
        (4, "image", "hello!"),
    ] {
        world
            .ingest(vec![update(&world, edit(61, at, kind, text))])
            .await;
    }
    // One that comes late, and one of an unknown message, are events only.
    for event in [
        edit(61, 3, "text", "late"),
        edit(60, 5, "text", "never seen"),
    ] {
        let taken = world.ingest(vec![update(&world, event)]).await;
        assert!(matches!(taken[0], Ingested::Event { .. }), "{taken:?}");
    }
    let changed = world.message(*message).await;
    assert_eq!(changed.payload, text_payload("hello!"));
    assert_eq!(changed.kind, "image");
    assert_eq!(changed.tags.get("telegram:editDate"), Some("4"));
    let versions = world
        .store
        .message_versions(world.bot, *message)
        .await
        .unwrap();
    let said: Vec<_> = versions
        .into_iter()
        .map(|version| (version.kind, version.payload))
        .collect();
    let version = |kind: &str, text: &str| (kind.to_owned(), text_payload(text));
    assert_eq!(
        said,
        [
            version("text", "helo"),
            version("text", "hello"),
            version("image", "hello")
        ]
    );
    assert_eq!(texts(&world, world.thread("1").await.id).await.len(), 1);

    let another = world.another_bot().await;
    let hidden = another.store.message_versions(another.bot, *message).await;
    assert!(hidden.unwrap().is_empty());
    let delete = world
        .store
        .delete_message(world.bot, *message, None, world.now());
    assert!(delete.await.unwrap());
    let gone = world.store.message_versions(world.bot, *message).await;
    assert!(gone.unwrap().is_empty());
}

/// Of its integration only, and over a restart.
pub async fn a_threads_earlier_name_is_remembered(factory: &dyn Factory) {
    let mut world = World::new(factory).await;
    let other = world.another_bot().await;
    let (bot, integration) = (world.bot, world.integration);
    for was in ["-4", "-5", "-5"] {
        let noted = world.store.note_move(bot, integration, "-1005", was).await;
        noted.unwrap();
    }
    let crossed = world.store.note_move(other.bot, integration, "-1005", "-6");
    assert!(crossed.await.is_err());
    world.store = factory.reopen(std::sync::Arc::clone(&world.store)).await;
    for (bot, integration, thread, expected) in [
        (bot, integration, "-1005", Some("-5")),
        (bot, integration, "-5", None),
        (other.bot, other.integration, "-1005", None),
        (other.bot, integration, "-1005", None),
    ] {
        let was = world.store.moved_from(bot, integration, thread).await;
        assert_eq!(was.unwrap().as_deref(), expected);
    }
}
