//! Edits that come before the message that they change.

use std::sync::Arc;
use std::time::Duration;

use switchboard_model::{EventPayload, Message, MessageId};
use tokio::task::JoinSet;

use super::Factory;
use super::world::{World, all, json, once_of, tags, text_payload};
use crate::{
    Inbound, InboundContent, InboundEdit, InboundEvent, Ingested, Lane, MessageFilter, Remap,
    Remapped, Subject, UnmappedUpdate,
};

/// An edit of the message that is recognised by `of`, as an update that is recognised by `once`.
fn edit(world: &World, of: u64, at: Option<i64>, text: &str, once: u64) -> Inbound {
    let mut update = world.update("unused", "unused", "unused", Some(once));
    let date = at.unwrap_or_default().to_string();
    update.content = InboundContent::Event(Box::new(InboundEvent {
        kind: "telegram:edited_message".to_owned(),
        payload: json(r#"{"update":{}}"#),
        thread: Some(world.external_thread("1")),
        sender: Some(world.sender("ada")),
        moved_from: None,
        edit: Some(InboundEdit {
            once: once_of(of),
            at,
            kind: "text".to_owned(),
            payload: text_payload(text),
            tags: tags([("telegram:editDate", &date)]),
        }),
        about: None,
        tags: tags([]),
        news: None,
    }));
    update
}

/// What no script could place.
fn unmapped(world: &World, once: u64) -> Inbound {
    let mut update = world.update("unused", "unused", "unused", Some(once));
    update.content = InboundContent::Unmapped(Box::new(UnmappedUpdate {
        kind: "telegram:unmapped".to_owned(),
        payload: json(r#"{"reason":"it fails","update":{}}"#),
        thread: Some("1".to_owned()),
    }));
    update
}

/// The message that this update becomes.
async fn say(world: &World, update: Inbound) -> MessageId {
    match &world.ingest(vec![update]).await[0] {
        Ingested::Message { message, .. } => *message,
        other => panic!("a message, not {other:?}"),
    }
}

/// Takes what can only become an event.
async fn tell(world: &World, update: Inbound) {
    let taken = world.ingest(vec![update]).await;
    assert!(matches!(taken[0], Ingested::Event { .. }), "{taken:?}");
}

async fn versions(world: &World, message: MessageId) -> Vec<String> {
    let versions = world.store.message_versions(world.bot, message).await;
    let payload = |one: crate::MessageVersion| one.payload.as_str().to_owned();
    versions.unwrap().into_iter().map(payload).collect()
}

fn payloads<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts
        .map(|text| text_payload(text).as_str().to_owned())
        .into()
}

async fn messages(world: &World) -> Vec<Message> {
    let list = world
        .store
        .list_messages(world.bot, MessageFilter::default(), all());
    list.await.unwrap().items
}

/// Over a restart, once however often either comes, and of its integration alone.
pub async fn an_edit_before_its_message_changes_it(factory: &dyn Factory) {
    let mut world = World::new(factory).await;
    let other = world.another_bot().await;
    tell(&world, edit(&world, 1, Some(2), "hello", 101)).await;
    let again = world
        .ingest(vec![edit(&world, 1, Some(2), "hello", 101)])
        .await;
    assert_eq!(again, [Ingested::Duplicate]);
    let taken = async |world: &World| {
        let found = world
            .store
            .find_taken(world.bot, world.integration, once_of(1))
            .await;
        found.unwrap()
    };
    assert_eq!(taken(&world).await, None, "the message is still to come");
    assert!(world.conversations().await.is_empty());

    world.store = factory.reopen(Arc::clone(&world.store)).await;
    let other = World {
        store: Arc::clone(&world.store),
        ..other
    };
    let theirs = say(&other, other.update("1", "ada", "helo", Some(1))).await;
    assert_eq!(other.message(theirs).await.payload, text_payload("helo"));
    let id = say(&world, world.update("1", "ada", "helo", Some(1))).await;
    let again = world
        .ingest(vec![world.update("1", "ada", "helo", Some(1))])
        .await;
    assert_eq!(again, [Ingested::Duplicate]);
    let message = world.message(id).await;
    assert_eq!(message.payload, text_payload("hello"));
    assert_eq!(message.tags.get("telegram:editDate"), Some("2"));
    assert_eq!(message.tags.get("telegram:id"), Some("helo"));
    assert_eq!(versions(&world, id).await, payloads(["helo"]));
    assert_eq!(messages(&world).await.len(), 1);
    assert_eq!(taken(&world).await.unwrap().message, Some(id));
    for tag in [("telegram:id", "helo"), ("telegram:editDate", "2")] {
        let filter = MessageFilter {
            conversation: Some(message.conversation),
            tags: tags([tag]),
            ..MessageFilter::default()
        };
        let found = world.store.list_messages(world.bot, filter, all()).await;
        assert_eq!(found.unwrap().items.len(), 1, "{tag:?}");
    }

    // The bot is told of the edit, then of the message as it is.
    let mut told = Vec::new();
    for claimed in world.claim(Lane::Bots).await.deliveries {
        let Subject::Event(event) = claimed.subject else {
            panic!("an event");
        };
        if event.bot == world.bot {
            told.push(event);
        }
    }
    assert_eq!(told.len(), 2);
    assert_eq!(told[0].kind, "telegram:edited_message");
    assert_eq!((told[0].message, told[0].conversation), (None, None));
    match &told[1].payload {
        EventPayload::MessageCreated(what) => assert_eq!(what.0, message),
        other => panic!("an announcement, not {other:?}"),
    }

    // It changes on as any message does.
    for (at, text, once) in [(1, "late", 102), (3, "hello!", 103)] {
        tell(&world, edit(&world, 1, Some(at), text, once)).await;
    }
    assert_eq!(world.message(id).await.payload, text_payload("hello!"));
    assert_eq!(versions(&world, id).await, payloads(["helo", "hello"]));
}

/// All orders of a message, its redelivery, three edits and the redelivery of one.
pub async fn a_message_and_its_edits_end_alike_in_every_order(factory: &dyn Factory) {
    const MESSAGE: i64 = 0;
    let world = World::new(factory).await;
    let mut orders = Vec::new();
    permute(&mut [MESSAGE, MESSAGE, 2, 3, 3, 4], 0, &mut orders);
    assert_eq!(orders.len(), 720);
    for (number, order) in (0_u64..).zip(orders) {
        let of = 10 * number;
        let update = |at: &i64| match *at {
            MESSAGE => world.update(&of.to_string(), "ada", "said", Some(of)),
            at => {
                let once = of + u64::try_from(at).unwrap();
                edit(&world, of, Some(at), &at.to_string(), once)
            }
        };
        let updates: Vec<_> = order.iter().map(update).collect();
        // Each by itself, or all in one.
        let mut taken = Vec::new();
        if number % 7 == 0 {
            for update in updates {
                taken.extend(world.ingest(vec![update]).await);
            }
        } else {
            taken = world.ingest(updates).await;
        }
        let ids: Vec<_> = taken
            .iter()
            .filter_map(|taken| match taken {
                Ingested::Message { message, .. } => Some(*message),
                _ => None,
            })
            .collect();
        let again = taken.iter().filter(|taken| **taken == Ingested::Duplicate);
        assert_eq!((ids.len(), again.count()), (1, 2), "{order:?}: {taken:?}");

        // What it said, one after the other.
        let came = order.iter().position(|at| *at == MESSAGE).unwrap();
        let (mut early, late) = (order[..came].to_vec(), &order[came..]);
        early.sort_unstable();
        early.dedup();
        let mut said = vec!["said".to_owned()];
        let mut last = MESSAGE;
        for at in early.iter().chain(late) {
            if *at > last {
                said.push(at.to_string());
                last = *at;
            }
        }
        let said: Vec<_> = said.iter().map(|text| text_payload(text)).collect();
        let (newest, before) = said.split_last().unwrap();
        assert_eq!(world.message(ids[0]).await.payload, *newest, "{order:?}");
        let before: Vec<_> = before.iter().map(|text| text.as_str().to_owned()).collect();
        assert_eq!(versions(&world, ids[0]).await, before, "{order:?}");
    }
}

fn permute(items: &mut [i64], from: usize, orders: &mut Vec<Vec<i64>>) {
    if from == items.len() {
        orders.push(items.to_vec());
        return;
    }
    for other in from..items.len() {
        items.swap(from, other);
        permute(items, from + 1, orders);
        items.swap(from, other);
    }
}

/// 200 messages and an edit of each, all at once and each twice.
pub async fn racing_messages_and_edits_end_with_the_edit(factory: &dyn Factory) {
    const MESSAGES: u64 = 200;
    let world = Arc::new(World::new(factory).await);
    let mut racing = JoinSet::new();
    for number in 0..MESSAGES {
        for _ in 0..2 {
            for is_edit in [number % 2 == 0, number % 2 == 1] {
                let world = Arc::clone(&world);
                racing.spawn(async move {
                    let thread = (number % 10).to_string();
                    let update = if is_edit {
                        edit(&world, number, Some(1), "edited", 1000 + number)
                    } else {
                        world.update(&thread, "ada", "said", Some(number))
                    };
                    world.ingest(vec![update]).await
                });
            }
        }
    }
    racing.join_all().await;
    let messages = messages(&world).await;
    assert_eq!(messages.len() as u64, MESSAGES);
    for message in messages {
        assert_eq!(message.payload, text_payload("edited"));
        assert_eq!(versions(&world, message.id).await, payloads(["said"]));
    }
}

/// The newest of many that wait become versions; one without a date counts as it came.
pub async fn of_many_early_edits_the_newest_are_kept(factory: &dyn Factory) {
    let world = World::new(factory).await;
    for (once, at) in (101..).zip(1..=30) {
        let update = edit(&world, 1, Some(at), &format!("edit {at}"), once);
        tell(&world, update).await;
    }
    tell(&world, edit(&world, 1, None, "undated", 200)).await;
    let id = say(&world, world.update("1", "ada", "said", Some(1))).await;
    assert_eq!(world.message(id).await.payload, text_payload("undated"));
    let versions = versions(&world, id).await;
    assert_eq!(versions.first(), payloads(["said"]).first());
    assert_eq!(versions.last(), payloads(["edit 30"]).first());
    assert!((3..30).contains(&versions.len()), "{versions:?}");
    // Nothing waits any more.
    let again = world
        .ingest(vec![world.update("1", "ada", "said", Some(1))])
        .await;
    assert_eq!(again, [Ingested::Duplicate]);
}

/// What waits for a message that never comes goes in time, and a message that was deleted does not come
/// back for its edit.
pub async fn an_edit_without_a_message_is_forgotten(factory: &dyn Factory) {
    let world = World::new(factory).await;
    tell(&world, edit(&world, 1, Some(1), "edited", 101)).await;
    world.pass(Duration::from_hours(24));
    while world.store.sweep(world.now()).await.unwrap() > 0 {}
    tell(&world, edit(&world, 2, Some(1), "edited", 102)).await;
    world.pass(Duration::from_hours(6 * 24 + 1));
    while world.store.sweep(world.now()).await.unwrap() > 0 {}
    for (number, expected) in [(1, "said"), (2, "edited")] {
        let id = say(&world, world.update("1", "ada", "said", Some(number))).await;
        assert_eq!(world.message(id).await.payload, text_payload(expected));
    }

    let id = say(&world, world.update("1", "ada", "said", Some(3))).await;
    let conversation = world.message(id).await.conversation;
    let delete = world.store.delete_message(world.bot, id, None, world.now());
    assert!(delete.await.unwrap());
    let again = async |once| {
        tell(&world, edit(&world, 3, Some(1), "edited", once)).await;
        let again = world.update("1", "ada", "said", Some(3));
        assert_eq!(world.ingest(vec![again]).await, [Ingested::Duplicate]);
    };
    again(103).await;
    let delete = world
        .store
        .delete_conversation(world.bot, conversation, world.now());
    assert!(delete.await.unwrap());
    again(104).await;
    while world.store.sweep(world.now()).await.unwrap() > 0 {}
    again(105).await;
    assert!(messages(&world).await.is_empty());
}

/// Whether the script fails before or after the edit has come.
pub async fn an_edit_waits_for_what_no_script_could_place(factory: &dyn Factory) {
    let world = World::new(factory).await;
    tell(&world, edit(&world, 1, Some(2), "edited", 101)).await;
    for number in [1, 2] {
        let kept = world.ingest(vec![unmapped(&world, number)]).await;
        let Ingested::Event { event, .. } = kept[0] else {
            panic!("an event, not {kept:?}");
        };
        tell(&world, edit(&world, number, Some(1), "first", 110 + number)).await;
        tell(
            &world,
            edit(&world, number, Some(2), "edited", 120 + number),
        )
        .await;
        for update in [
            unmapped(&world, number),
            world.update("1", "ada", "said", Some(number)),
        ] {
            assert_eq!(world.ingest(vec![update]).await, [Ingested::Duplicate]);
        }
        let remap = Remap {
            bot: world.bot,
            integration: world.integration,
            event,
            item: world.update("1", "ada", "said", None),
            out_of_turn: false,
            now: world.now(),
        };
        let taken = world.store.remap(remap.clone()).await.unwrap();
        let Remapped::Taken(Ingested::Message { message, .. }) = taken else {
            panic!("a message, not {taken:?}");
        };
        assert_eq!(world.message(message).await.payload, text_payload("edited"));
        assert_eq!(versions(&world, message).await, payloads(["said", "first"]));
        assert_eq!(world.store.remap(remap).await.unwrap(), Remapped::Missing);
        let again = world.update("1", "ada", "said", Some(number));
        assert_eq!(world.ingest(vec![again]).await, [Ingested::Duplicate]);
    }
    assert_eq!(messages(&world).await.len(), 2);
}

/// Also where a script decides on the conversation, and where the chat has moved meanwhile.
pub async fn an_early_edit_finds_its_message_in_any_conversation(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let chosen = world.thread("chosen").await;
    for once in [1, 2] {
        tell(&world, edit(&world, once, Some(2), "edited", 100 + once)).await;
    }
    let mut known = world.update("1", "ada", "said", Some(1));
    if let InboundContent::Message(message) = &mut known.content {
        message.thread.known = Some(chosen.id);
        message.thread.tags = tags([]);
    }
    let known = say(&world, known).await;
    let renamed = world.renamed(chosen.id, "2");
    world.store.rekey_conversation(renamed).await.unwrap();
    let moved = say(&world, world.update("2", "ada", "said", Some(2))).await;
    for id in [known, moved] {
        let message = world.message(id).await;
        assert_eq!(message.conversation, chosen.id);
        assert_eq!(message.payload, text_payload("edited"));
    }
}
