//! Conversations and their participants.

use std::sync::Arc;
use std::time::Duration;

use switchboard_model::{Conversation, Error, Kind, StateKind, Tags, UserId};

use super::Factory;
use super::world::{World, all, json, tags, walk};
use crate::{
    ConversationFilter, CreateConversation, Created, Ingested, MessageFilter, Occupied, Rekey,
    Rekeyed, SetState, SortField, SortOrder, StateKey, StateOwner, Subject,
};

fn create(world: &World, tags: Tags) -> CreateConversation {
    CreateConversation {
        id: world.conversation_id(),
        place: world.place(),
        tags,
        unless: None,
        participants: Vec::new(),
        now: world.now(),
    }
}

async fn made(world: &World, tags: Tags) -> Conversation {
    match world.store.create_conversation(create(world, tags)).await {
        Ok(Created::Created(conversation)) => conversation,
        other => panic!("a new conversation, not {other:?}"),
    }
}

/// External ids are opaque: nothing is trimmed, folded, decoded or taken for a pattern.
pub async fn odd_characters_come_back_and_filter_exactly(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let long = "é".repeat(500);
    let values = [
        "a&b=c",
        "a+b",
        "a b",
        "100%",
        "%2B",
        "x#y:z",
        "\"quoted\"\\",
        "line1\nline2",
        "🙂é中",
        "A",
        "a",
        "  padded  ",
        "0",
        "-0",
        "00",
        "null",
        "*",
        "%",
        &long,
        "",
        "\u{1}",
    ];
    for value in values.into_iter().filter(|value| !value.is_empty()) {
        made(&world, tags([("id", value)])).await;
    }
    for value in values.into_iter().filter(|value| !value.is_empty()) {
        let wanted = tags([("id", value)]);
        let filter = ConversationFilter {
            tags: wanted.clone(),
            ..ConversationFilter::default()
        };
        let list = world.store.list_conversations(world.bot, filter, all());
        let found = list.await.unwrap().items;
        assert_eq!(found.len(), 1, "{value:?}");
        assert_eq!(found[0].tags, wanted);
        let same = world.store.find_conversation(world.place(), wanted).await;
        assert_eq!(same.unwrap().as_ref(), Some(&found[0]));
    }
    let unset = made(&world, tags([("id", "x"), ("empty", "")])).await;
    assert_eq!(unset.tags, tags([("id", "x")]));
}

/// Delete, then the same thread again: a new conversation with no memory of the old.
pub async fn a_deleted_thread_starts_anew(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let first = world.thread("501").await;
    world.post(world.outgoing(first.id, "hi")).await;
    let state_of = |conversation: &Conversation| StateKey {
        bot: world.bot,
        owner: StateOwner::Bot,
        kind: StateKind::Conversation,
        subject: conversation.id.ulid(),
        name: "s".to_owned(),
    };
    let state = SetState {
        id: switchboard_model::StateId::new(world.env.ulid()),
        key: state_of(&first),
        payload: json("{\"x\":1}"),
        expiry: None,
        now: world.now(),
    };
    store.set_state(state).await.unwrap();

    let delete = store.delete_conversation(world.bot, first.id, world.now());
    assert!(delete.await.unwrap());
    let gone = store.get_conversation(world.bot, first.id).await.unwrap();
    assert_eq!(gone, None);
    let gone = store.get_state(state_of(&first), world.now()).await;
    assert_eq!(gone.unwrap(), None);
    let list = store.list_messages(world.bot, MessageFilter::default(), all());
    assert!(list.await.unwrap().items.is_empty());
    assert!(world.conversations().await.is_empty());

    let second = world.thread("501").await;
    assert_ne!(second.id, first.id);
    let filter = MessageFilter {
        conversation: Some(second.id),
        ..MessageFilter::default()
    };
    let list = store.list_messages(world.bot, filter, all());
    assert!(list.await.unwrap().items.is_empty());
    let none = store.get_state(state_of(&second), world.now()).await;
    assert_eq!(none.unwrap(), None);
    let again = store.delete_conversation(world.bot, first.id, world.now());
    assert!(!again.await.unwrap());
}

/// Updates merge; nobody's is lost.
pub async fn racing_tag_updates_all_survive(factory: &dyn Factory) {
    let world = Arc::new(World::new(factory).await);
    let conversation = made(&world, tags([("id", "501"), ("c", "x")])).await;
    let mut tasks = Vec::new();
    for patch in [("a", "1"), ("b", "2"), ("c", "")].repeat(8) {
        let world = Arc::clone(&world);
        tasks.push(tokio::spawn(async move {
            let patch = tags([patch]);
            let store = &world.store;
            let update = store.update_conversation(world.bot, conversation.id, patch, world.now());
            update.await.unwrap().expect("a conversation");
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let after = world.store.get_conversation(world.bot, conversation.id);
    let after = after.await.unwrap().unwrap();
    assert_eq!(after.tags, tags([("id", "501"), ("a", "1"), ("b", "2")]));
}

/// Matching looks at tags, not at which tags the maker happened to name.
pub async fn found_by_a_part_of_its_tags_however_it_was_made(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let get = async |identity: Tags, all: Tags| {
        let command = world.get_or_create(identity, all);
        let found = world.store.get_or_create_conversation(command).await;
        let found = found.unwrap();
        (found.value.id, found.created)
    };
    let both = tags([("id", "9"), ("chatId", "c9")]);
    let (a, created) = get(both.clone(), both).await;
    assert!(created);
    let id = tags([("id", "9")]);
    assert_eq!(get(id.clone(), id).await, (a, false));
    let more = tags([("chatId", "c9"), ("lang", "en")]);
    assert_eq!(get(tags([("chatId", "c9")]), more).await, (a, false));
    let b = made(&world, tags([("id", "10"), ("chatId", "c10")])).await;
    let id = tags([("id", "10")]);
    assert_eq!(get(id.clone(), id).await, (b.id, false));
    let mixed = tags([("id", "9"), ("chatId", "c10")]);
    let (c, created) = get(mixed.clone(), mixed).await;
    assert!(created && c != a && c != b.id);
    // The first made answers where several match, until it matches no more.
    let id = tags([("id", "9")]);
    assert_eq!(get(id.clone(), id.clone()).await, (a, false));
    let update = world
        .store
        .update_conversation(world.bot, a, tags([("id", "11")]), world.now());
    update.await.unwrap();
    assert_eq!(get(id.clone(), id).await, (c, false));
}

/// A found conversation takes the other tags over; `updated_at` tells of real changes only.
pub async fn other_tags_are_merged_and_empty_ones_unset(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let identity = tags([("id", "1")]);
    let old = tags([("id", "1"), ("lang", "en"), ("old", "x")]);
    let command = world.get_or_create(identity.clone(), old);
    let first = world.store.get_or_create_conversation(command).await;
    let first = first.unwrap().value;
    world.pass(Duration::from_secs(1));
    let same = tags([("id", "1"), ("lang", "en")]);
    let command = world.get_or_create(identity.clone(), same);
    let found = world.store.get_or_create_conversation(command).await;
    assert_eq!(found.unwrap().value, first);
    let new = tags([("id", "1"), ("lang", "fr"), ("old", ""), ("new", "y")]);
    let command = world.get_or_create(identity, new);
    let found = world.store.get_or_create_conversation(command).await;
    let found = found.unwrap().value;
    assert_eq!(
        found.tags,
        tags([("id", "1"), ("lang", "fr"), ("new", "y")])
    );
    assert_eq!(found.updated_at, world.now());
    let french = world
        .store
        .find_conversation(world.place(), tags([("lang", "fr")]));
    assert_eq!(french.await.unwrap(), Some(found));
    let english = world
        .store
        .find_conversation(world.place(), tags([("lang", "en")]));
    assert_eq!(english.await.unwrap(), None);
    let nobody = world.store.find_conversation(world.place(), Tags::new());
    assert_eq!(nobody.await.unwrap(), None);
    let empty = world.get_or_create(Tags::new(), Tags::new());
    let refused = world.store.get_or_create_conversation(empty).await;
    assert!(matches!(refused, Err(Error::InvalidPayload { .. })));
}

/// Plain `create` always makes one; with `unless` the existing one is named.
pub async fn create_unless_names_the_existing_one(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let first = made(&world, tags([("id", "1")])).await;
    let second = made(&world, tags([("id", "1")])).await;
    assert_ne!(first.id, second.id);
    let mut command = create(&world, tags([("id", "1"), ("x", "y")]));
    command.unless = Some(tags([("id", "1")]));
    let exists = world.store.create_conversation(command.clone()).await;
    assert_eq!(exists.unwrap(), Created::Exists(first.id));
    command.place.channel = String::from("another");
    let made = world.store.create_conversation(command).await.unwrap();
    assert!(matches!(made, Created::Created(_)));
    assert_eq!(world.conversations().await.len(), 3);
}

/// After a re-key both names match, and who still uses the old one does not undo it.
pub async fn a_rekey_keeps_the_old_name_and_never_brings_it_back(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let old = tags([("id", "-500"), ("chatId", "-500")]);
    let command = world.get_or_create(tags([("id", "-500")]), old.clone());
    let first = world.store.get_or_create_conversation(command).await;
    let first = first.unwrap().value;
    let new = tags([("id", "-100500"), ("chatId", "-100500")]);
    let rekey = Rekey {
        bot: world.bot,
        conversation: first.id,
        tags: new.clone(),
        identity: tags([("id", "-100500")]),
        occupied: Occupied::Refuse,
        now: world.now(),
    };
    let done = world.store.rekey_conversation(rekey.clone()).await.unwrap();
    let Rekeyed::Rekeyed(done) = done else {
        panic!("re-keyed, not {done:?}");
    };
    assert_eq!(done.tags, new);
    let again = world.store.rekey_conversation(rekey.clone()).await;
    assert_eq!(again.unwrap(), Rekeyed::Unchanged(done.clone()));

    let command = world.get_or_create(tags([("id", "-500")]), old.clone());
    let late = world
        .store
        .get_or_create_conversation(command)
        .await
        .unwrap();
    assert_eq!((late.value, late.created), (done.clone(), false));
    let command = world.get_or_create(tags([("id", "-100500")]), new);
    let found = world
        .store
        .get_or_create_conversation(command)
        .await
        .unwrap();
    assert_eq!((found.value, found.created), (done.clone(), false));
    // A filter shows tags as they are; an alias is no tag.
    let filter = ConversationFilter {
        tags: tags([("id", "-500")]),
        ..ConversationFilter::default()
    };
    let list = world.store.list_conversations(world.bot, filter, all());
    assert!(list.await.unwrap().items.is_empty());

    let delete = world
        .store
        .delete_conversation(world.bot, done.id, world.now());
    assert!(delete.await.unwrap());
    let freed = world
        .store
        .find_conversation(world.place(), tags([("id", "-500")]));
    assert_eq!(freed.await.unwrap(), None);
    let missing = world.store.rekey_conversation(rekey).await.unwrap();
    assert_eq!(missing, Rekeyed::Missing);
}

/// An identity that means another conversation is left to it.
pub async fn a_rekey_does_not_take_an_identity_from_another(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let first = world.thread("1").await;
    let second = world.thread("2").await;
    let identity = tags([("telegram:id", "1")]);
    let rekey = Rekey {
        bot: world.bot,
        conversation: second.id,
        tags: identity.clone(),
        identity,
        occupied: Occupied::Refuse,
        now: world.now(),
    };
    let occupied = world.store.rekey_conversation(rekey).await.unwrap();
    assert_eq!(occupied, Rekeyed::Occupied(first.id));
    assert_eq!(world.thread("2").await, second);
}

/// Joining twice changes nothing; the order is that of joining.
pub async fn participants_join_once_in_order(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let store = &world.store;
    let conversation = world.thread("1").await;
    let mut users = Vec::new();
    for id in ["c", "a", "b"] {
        let user = world.person(id).await;
        for _ in 0..2 {
            let joined = store.add_participant(world.bot, conversation.id, user.id);
            assert_eq!(joined.await.unwrap().as_ref(), Some(&user));
        }
        users.push(user);
    }
    let listed = walk(2, async |page| {
        let list = store.list_participants(world.bot, conversation.id, page);
        list.await.unwrap().unwrap()
    });
    assert_eq!(listed.await, users);
    let get = store.get_participant(world.bot, conversation.id, users[0].id);
    assert_eq!(get.await.unwrap().as_ref(), Some(&users[0]));
    for expected in [true, false] {
        let remove = store.remove_participant(world.bot, conversation.id, users[0].id);
        assert_eq!(remove.await.unwrap(), expected);
    }
    let get = store.get_participant(world.bot, conversation.id, users[0].id);
    assert_eq!(get.await.unwrap(), None);

    let unknown = UserId::new(world.env.ulid());
    let refused = store.add_participant(world.bot, conversation.id, unknown);
    assert!(matches!(
        refused.await,
        Err(Error::ReferenceNotFound {
            kind: Kind::User,
            ..
        })
    ));
    let nowhere = world.conversation_id();
    let none = store.add_participant(world.bot, nowhere, users[0].id).await;
    assert_eq!(none.unwrap(), None);
    let none = store.list_participants(world.bot, nowhere, all()).await;
    assert_eq!(none.unwrap(), None);

    let identity = tags([("id", "with an unknown")]);
    let mut command = world.get_or_create(identity.clone(), identity.clone());
    command.participants = vec![users[1].id, unknown];
    let refused = store.get_or_create_conversation(command.clone()).await;
    assert!(matches!(refused, Err(Error::ReferenceNotFound { .. })));
    let none = store.find_conversation(world.place(), identity).await;
    assert_eq!(none.unwrap(), None, "nothing of a refused command stays");
    command.participants = vec![users[1].id];
    let found = store.get_or_create_conversation(command).await.unwrap();
    let filter = ConversationFilter {
        participants: vec![users[1].id],
        order: SortOrder::Ascending,
        ..ConversationFilter::default()
    };
    let list = store.list_conversations(world.bot, filter, all()).await;
    let ids: Vec<_> = list.unwrap().items.into_iter().map(|c| c.id).collect();
    assert_eq!(ids, [conversation.id, found.value.id]);
}

/// Every order and filter pages to the end without repeating or skipping.
pub async fn lists_sort_filter_and_page(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let mut ids = Vec::new();
    for number in 0..25 {
        // Five of each instant: ties are broken by the order of making.
        if number % 5 == 0 {
            world.pass(Duration::from_millis(1));
        }
        let parity = if number % 2 == 0 { "even" } else { "odd" };
        let tags = tags([("n", &*number.to_string()), ("parity", parity)]);
        ids.push(made(&world, tags).await.id);
    }
    let walked = async |filter: ConversationFilter| {
        let list = walk(4, async |page| {
            let list = world
                .store
                .list_conversations(world.bot, filter.clone(), page);
            list.await.unwrap()
        });
        list.await.into_iter().map(|c| c.id).collect::<Vec<_>>()
    };
    let ascending = ConversationFilter {
        order: SortOrder::Ascending,
        ..ConversationFilter::default()
    };
    assert_eq!(walked(ascending.clone()).await, ids);
    let newest_first: Vec<_> = ids.iter().rev().copied().collect();
    assert_eq!(walked(ConversationFilter::default()).await, newest_first);
    let even: Vec<_> = ids.iter().step_by(2).copied().collect();
    let filter = ConversationFilter {
        tags: tags([("parity", "even")]),
        ..ascending.clone()
    };
    assert_eq!(walked(filter).await, even);
    let filter = ConversationFilter {
        tags: tags([("parity", "even"), ("n", "3")]),
        ..ascending.clone()
    };
    assert!(walked(filter).await.is_empty());

    world.pass(Duration::from_millis(1));
    let update =
        world
            .store
            .update_conversation(world.bot, ids[3], tags([("x", "y")]), world.now());
    update.await.unwrap();
    let filter = ConversationFilter {
        sort: SortField::UpdatedAt,
        ..ConversationFilter::default()
    };
    assert_eq!(walked(filter).await[0], ids[3]);
    let fifth = world.store.get_conversation(world.bot, ids[5]).await;
    let fifth = fifth.unwrap().unwrap();
    let filter = ConversationFilter {
        after: Some(fifth.created_at),
        before: Some(fifth.created_at),
        channel: Some("channel".to_owned()),
        integration: Some(world.integration),
        ..ascending
    };
    assert_eq!(walked(filter.clone()).await, ids[5..10]);
    let filter = ConversationFilter {
        channel: Some("another".to_owned()),
        ..filter
    };
    assert!(walked(filter).await.is_empty());
}

/// History, tags, lists and what waits to go out stay with the old one.
pub async fn a_reset_thread_begins_anew_and_the_old_one_stays(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let (store, bot) = (&world.store, world.bot);
    let old = world.thread("1").await;
    world.post(world.outgoing(old.id, "waits")).await;
    world.pass(Duration::from_secs(1));
    let reset = store.reset_conversation(bot, old.id, world.now()).await;
    let reset = reset.unwrap().unwrap();
    assert_eq!((reset.id, &reset.tags), (old.id, &old.tags));
    let again = store.reset_conversation(bot, old.id, world.now()).await;
    assert_eq!(again.unwrap().as_ref(), Some(&reset));

    let identity = tags([("telegram:id", "1")]);
    let found = store.find_conversation(world.place(), identity.clone());
    assert_eq!(found.await.unwrap(), None);
    let new = world.thread("1").await;
    assert_ne!(new.id, old.id);
    assert_eq!(world.thread("1").await.id, new.id);
    // Changing its tags does not bring it back, nor does a new identity.
    let patch = tags([("telegram:id", "1"), ("mood", "old")]);
    let tagged = store.update_conversation(bot, old.id, patch, world.now());
    assert_eq!(tagged.await.unwrap().unwrap().tags.get("mood"), Some("old"));
    let mood = store.find_conversation(world.place(), tags([("mood", "old")]));
    assert_eq!(mood.await.unwrap(), None);
    let rekey = Rekey {
        bot,
        conversation: old.id,
        tags: tags([("telegram:id", "9")]),
        identity: tags([("telegram:id", "9")]),
        occupied: Occupied::Refuse,
        now: world.now(),
    };
    let rekeyed = store.rekey_conversation(rekey).await.unwrap();
    assert!(matches!(rekeyed, Rekeyed::Rekeyed(_)), "{rekeyed:?}");
    let found = store.find_conversation(world.place(), tags([("telegram:id", "9")]));
    assert_eq!(found.await.unwrap(), None);
    assert_eq!(world.thread("1").await.id, new.id);

    let listed = async |wanted: Tags| -> Vec<_> {
        let filter = ConversationFilter {
            tags: wanted,
            ..ConversationFilter::default()
        };
        let page = store.list_conversations(bot, filter, all()).await.unwrap();
        page.items.into_iter().map(|found| found.id).collect()
    };
    assert_eq!(listed(tags([("mood", "old")])).await, [old.id]);
    assert_eq!(listed(identity).await, [new.id]);
    assert_eq!(listed(Tags::new()).await.len(), 2);
    let Subject::Message(outgoing) = world.claim_one(world.channel()).await.subject else {
        panic!("the message that waited");
    };
    assert_eq!(outgoing.conversation.id, old.id);

    let deleted = store.delete_conversation(bot, old.id, world.now()).await;
    assert!(deleted.unwrap());
    assert!(listed(tags([("mood", "old")])).await.is_empty());
    let gone = store.reset_conversation(bot, old.id, world.now()).await;
    assert_eq!(gone.unwrap(), None);
    let other = world.another_bot().await;
    let stranger = store.reset_conversation(other.bot, new.id, world.now());
    assert_eq!(stranger.await.unwrap(), None);
    assert_eq!(world.thread("1").await.id, new.id);
}

/// Each message is in the old one or in the new one, and there is one new one.
pub async fn a_reset_races_with_what_comes_in(factory: &dyn Factory) {
    let world = Arc::new(World::new(factory).await);
    for round in 0..10_u64 {
        let thread = format!("race {round}");
        let old = world.thread(&thread).await.id;
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..8 {
            let (world, thread) = (Arc::clone(&world), thread.clone());
            tasks.spawn(async move {
                if number == 3 {
                    let reset = world.store.reset_conversation(world.bot, old, world.now());
                    reset.await.unwrap().unwrap();
                    return None;
                }
                let once = Some(round * 100 + number);
                let text = number.to_string();
                let done = world
                    .ingest(vec![world.update(&thread, "7", &text, once)])
                    .await;
                match done.into_iter().next() {
                    Some(Ingested::Message { conversation, .. }) => Some(conversation.id),
                    other => panic!("a message, not {other:?}"),
                }
            });
        }
        let places: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        let new = world.thread(&thread).await.id;
        assert_ne!(new, old);
        assert_eq!(places.len(), 7);
        assert!(places.iter().all(|id| *id == old || *id == new));
    }
}
