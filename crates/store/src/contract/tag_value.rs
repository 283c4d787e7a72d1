//! The values of tags, against what the objects themselves say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use switchboard_model::testing::SeededRandom;
use switchboard_model::{
    ConversationId, Direction, IntegrationId, MessageId, Random as _, Tags, UserId,
};

use super::Factory;
use super::world::{World, all, delivered, new_integration, tags};
use crate::{
    ConversationFilter, CreateConversation, Created, MessageFilter, MessageUpdate, NewUser,
    Occupied, Place, Rekey, TagKind, TagValueFilter, TagValuePage, UserFilter, UserUpdate,
};

use TagKind::{Conversation, Message, User};

/// All values of a tag, by pages of so many.
async fn paged(
    world: &World,
    kind: TagKind,
    name: &str,
    integration: Option<IntegrationId>,
    limit: usize,
) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    loop {
        let filter = TagValueFilter {
            kind,
            name: name.to_owned(),
            integration,
        };
        let after = values.last().cloned();
        let page = TagValuePage { after, limit };
        let found = world.store.list_tag_values(world.bot, filter, page).await;
        let found = found.unwrap();
        assert!(found.values.len() <= limit, "a page over its limit");
        assert!(
            !found.more || found.values.len() == limit,
            "a page with a next one that is not full"
        );
        values.extend(found.values);
        if !found.more {
            return values;
        }
    }
}

async fn values(world: &World, kind: TagKind, name: &str) -> Vec<String> {
    paged(world, kind, name, None, 100).await
}

/// What the objects say: by kind, name and integration of the tag, its values.
async fn told(world: &World) -> BTreeMap<(TagKind, String, Option<IntegrationId>), Vec<String>> {
    let (store, bot) = (&world.store, world.bot);
    let mut objects: Vec<(TagKind, Option<IntegrationId>, Tags)> = Vec::new();
    let list = store.list_conversations(bot, ConversationFilter::default(), all());
    let conversations = list.await.unwrap().items;
    let of: BTreeMap<ConversationId, IntegrationId> = conversations
        .iter()
        .map(|one| (one.id, one.integration))
        .collect();
    for one in conversations {
        objects.push((Conversation, Some(one.integration), one.tags));
    }
    let list = store.list_users(bot, UserFilter::default(), all());
    for one in list.await.unwrap().items {
        objects.push((User, one.integration, one.tags));
    }
    let list = store.list_messages(bot, MessageFilter::default(), all());
    for one in list.await.unwrap().items {
        objects.push((Message, of.get(&one.conversation).copied(), one.tags));
    }
    let mut sets: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for (kind, integration, tags) in objects {
        for (name, value) in tags {
            for of in BTreeSet::from([None, integration]) {
                let key = (kind, name.clone(), of);
                sets.entry(key).or_default().insert(value.clone());
            }
        }
    }
    sets.into_iter()
        .map(|(key, set)| (key, set.into_iter().collect()))
        .collect()
}

/// Compares all, also what nothing has: `names` are all that ever were.
async fn agree(world: &World, names: &[&str], integrations: &[IntegrationId]) {
    let told = told(world).await;
    for kind in TagKind::ALL {
        for name in names {
            for of in std::iter::once(None).chain(integrations.iter().copied().map(Some)) {
                let key = (kind, (*name).to_owned(), of);
                let expected = told.get(&key).cloned().unwrap_or_default();
                let listed = paged(world, kind, name, of, 7).await;
                assert_eq!(listed, expected, "{key:?}");
            }
        }
    }
}

async fn tag_conversation(world: &World, id: ConversationId, patch: Tags) {
    let update = world
        .store
        .update_conversation(world.bot, id, patch, world.now());
    update.await.unwrap().unwrap();
}

async fn tag_user(world: &World, id: UserId, tags: Tags) {
    let update = UserUpdate {
        tags,
        ..UserUpdate::default()
    };
    let update = world.store.update_user(world.bot, id, update, world.now());
    update.await.unwrap().unwrap();
}

async fn tag_message(world: &World, id: MessageId, tags: Tags) {
    let update = MessageUpdate {
        tags,
        ..MessageUpdate::default()
    };
    let update = world
        .store
        .update_message(world.bot, id, update, world.now());
    update.await.unwrap().unwrap();
}

/// Each once, by their bytes, of each kind apart; names and values of odd characters and of every
/// length are exact.
pub async fn values_come_once_and_in_order(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let long = "é".repeat(Tags::VALUE_LIMIT);
    let longer = format!("{}z", "é".repeat(Tags::VALUE_LIMIT - 1));
    let odd = [
        "b",
        "a",
        "B",
        "a ",
        "%41",
        "a/b?c=d&e#f",
        "10",
        "9",
        "😀",
        "ü",
    ];
    let all_values = odd.into_iter().chain([&*long, &*longer, "a", "b"]);
    for (number, value) in all_values.clone().enumerate() {
        let conversation = world.thread(&number.to_string()).await;
        tag_conversation(&world, conversation.id, tags([("mood", value)])).await;
    }
    let expected: Vec<_> = all_values
        .map(str::to_owned)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    assert_eq!(expected.len(), 12);
    for limit in [1, 2, 5, 11, 12, 13, 100] {
        let listed = paged(&world, Conversation, "mood", None, limit).await;
        assert_eq!(listed, expected, "by {limit}");
    }
    for (kind, name) in [
        (User, "mood"),
        (Message, "mood"),
        (Conversation, "moo"),
        (Conversation, "mood "),
        (Conversation, "MOOD"),
        (Conversation, ""),
    ] {
        assert!(
            values(&world, kind, name).await.is_empty(),
            "{kind:?} {name}"
        );
    }

    let names = [
        "a/b?c#d",
        "%2F",
        "x:y:z",
        " ",
        "名",
        &"n".repeat(Tags::NAME_LIMIT),
    ];
    let person = world.person("7").await.id;
    let thread = world.thread("1").await.id;
    let message = world.post(world.outgoing(thread, "x")).await.value.id;
    for name in names {
        tag_user(&world, person, tags([(name, name)])).await;
        tag_message(&world, message, tags([(name, "m")])).await;
        assert_eq!(values(&world, User, name).await, [name]);
        assert_eq!(values(&world, Message, name).await, ["m"]);
    }
    // Of what a channel brings, too.
    let updates = ["one", "two"].map(|text| world.update("9", "8", text, None));
    world.ingest(updates.into()).await;
    assert_eq!(values(&world, Message, "telegram:id").await, ["one", "two"]);
    assert_eq!(values(&world, User, "telegram:id").await, ["7", "8"]);
}

/// Retagged, unset, deleted, merged: whether it was listed before or not.
pub async fn a_value_goes_with_the_last_that_has_it(factory: &dyn Factory) {
    let first = World::new(factory).await;
    let second = first.another_bot().await;
    for (listed_before, world) in [(false, first), (true, second)] {
        let (store, bot) = (&world.store, world.bot);
        let look = async || {
            if listed_before {
                for kind in TagKind::ALL {
                    values(&world, kind, "mood").await;
                }
            }
        };
        let good = || tags([("mood", "good")]);
        let (one, two) = (world.thread("1").await.id, world.thread("2").await.id);
        let (ann, bob) = (world.person("1").await.id, world.person("2").await.id);
        let mut said = Vec::new();
        for conversation in [one, two] {
            tag_conversation(&world, conversation, good()).await;
            let mut post = world.outgoing(conversation, "x");
            post.message.tags = good();
            said.push(world.post(post).await.value.id);
        }
        tag_user(&world, ann, good()).await;
        tag_user(&world, bob, good()).await;
        look().await;

        tag_conversation(&world, one, tags([("mood", "bad")])).await;
        tag_user(&world, ann, tags([("mood", "bad")])).await;
        tag_message(&world, said[0], tags([("mood", "bad")])).await;
        for kind in TagKind::ALL {
            assert_eq!(values(&world, kind, "mood").await, ["bad", "good"]);
        }
        tag_conversation(&world, two, tags([("mood", "")])).await;
        assert!(store.delete_user(bot, bob, world.now()).await.unwrap());
        let delete = store.delete_message(bot, said[1], None, world.now());
        assert!(delete.await.unwrap());
        for kind in TagKind::ALL {
            assert_eq!(values(&world, kind, "mood").await, ["bad"], "{kind:?}");
        }

        // A reset keeps its tags; what is deleted takes them along, its messages with the sweep.
        let reset = store.reset_conversation(bot, one, world.now());
        assert!(reset.await.unwrap().is_some());
        assert_eq!(values(&world, Conversation, "mood").await, ["bad"]);
        look().await;
        let delete = store.delete_conversation(bot, one, world.now());
        assert!(delete.await.unwrap());
        assert!(values(&world, Conversation, "mood").await.is_empty());
        while store.sweep(world.now()).await.unwrap() > 0 {}
        assert!(values(&world, Message, "mood").await.is_empty());
        assert_eq!(values(&world, User, "mood").await, ["bad"]);

        // Of two that become one, the tags of the one that stays count.
        for name in ["-5", "-1005"] {
            let id = world.thread(name).await.id;
            tag_conversation(&world, id, tags([("of", name), ("mood", name)])).await;
            let mut post = world.outgoing(id, "x");
            post.message.tags = tags([("mood", name)]);
            world.post(post).await;
        }
        look().await;
        let rekey = Rekey {
            bot,
            conversation: world.thread("-5").await.id,
            tags: tags([("telegram:id", "-1005")]),
            identity: tags([("telegram:id", "-1005")]),
            occupied: Occupied::Merge,
            now: world.now(),
        };
        store.rekey_conversation(rekey).await.unwrap();
        assert_eq!(values(&world, Conversation, "mood").await, ["-5"]);
        assert_eq!(values(&world, Message, "mood").await, ["-1005", "-5"]);
        agree(&world, &["mood", "of", "telegram:id"], &[world.integration]).await;

        // What a delivery brings home is a tag as any other.
        let thread = world.thread("-5").await.id;
        let claimed = world.claim_one_of(world.channel(), thread).await;
        let mut outcome = delivered();
        if let crate::Outcome::Delivered { tags, .. } = &mut outcome {
            tags.insert("telegram:sent", "41");
        }
        assert!(world.finish(&claimed, outcome).await);
        assert_eq!(values(&world, Message, "telegram:sent").await, ["41"]);
    }
}

/// Bots share nothing; an integration's are those of its own objects, a bot's those of all.
pub async fn values_of_others_are_not_told(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let stranger = world.another_bot().await;
    let terminal = new_integration(&world.env, world.bot, "terminal", true);
    let store = &world.store;
    store.create_integration(terminal.clone()).await.unwrap();
    let terminal = terminal.integration.id;
    for (of, integration, value) in [
        (&world, world.integration, "mine"),
        (&world, terminal, "the terminal's"),
        (&stranger, stranger.integration, "a stranger's"),
    ] {
        for value in [value, "shared"] {
            let command = CreateConversation {
                id: of.conversation_id(),
                place: Place {
                    integration,
                    ..of.place()
                },
                tags: tags([("telegram:key", value)]),
                unless: None,
                participants: Vec::new(),
                now: of.now(),
            };
            let Created::Created(made) = store.create_conversation(command).await.unwrap() else {
                panic!("nothing is in its way");
            };
            let mut post = of.outgoing(made.id, "x");
            post.message.tags = tags([("telegram:key", value)]);
            of.post(post).await;
            for integration in [Some(integration), None] {
                let user = NewUser {
                    integration,
                    tags: tags([("telegram:key", value)]),
                    ..of.new_user("7").user
                };
                store.create_user(user).await.unwrap();
            }
        }
    }
    for kind in TagKind::ALL {
        let key = "telegram:key";
        let of = async |world: &World, integration| {
            let one_by_one = paged(world, kind, key, integration, 1).await;
            assert_eq!(paged(world, kind, key, integration, 50).await, one_by_one);
            one_by_one
        };
        assert_eq!(of(&world, None).await, ["mine", "shared", "the terminal's"]);
        assert_eq!(
            of(&world, Some(world.integration)).await,
            ["mine", "shared"]
        );
        assert_eq!(
            of(&world, Some(terminal)).await,
            ["shared", "the terminal's"]
        );
        assert_eq!(of(&stranger, None).await, ["a stranger's", "shared"]);
        // Another bot's integration is absent, and so is an unknown bot.
        for integration in [world.integration, terminal] {
            assert!(of(&stranger, Some(integration)).await.is_empty());
        }
    }
    agree(&world, &["telegram:key"], &[world.integration, terminal]).await;
    agree(&stranger, &["telegram:key"], &[stranger.integration]).await;
}

/// Whatever comes and goes meanwhile, what stays is shown once.
pub async fn pages_hold_while_values_come_and_go(factory: &dyn Factory) {
    let world = World::new(factory).await;
    for number in 0..40 {
        let conversation = world.thread(&format!("{number:02}")).await;
        tag_conversation(
            &world,
            conversation.id,
            tags([("n", &format!("{number:02}"))]),
        )
        .await;
    }
    let mut seen: Vec<String> = Vec::new();
    loop {
        let filter = TagValueFilter {
            kind: Conversation,
            name: "n".to_owned(),
            integration: None,
        };
        let after = seen.last().cloned();
        let page = TagValuePage { after, limit: 6 };
        let found = world.store.list_tag_values(world.bot, filter, page).await;
        let found = found.unwrap();
        seen.extend(found.values);
        if !found.more {
            break;
        }
        // The place itself goes, one before it and one behind it come.
        let last = seen.last().unwrap().clone();
        let gone = world.thread(&last).await.id;
        let delete = world
            .store
            .delete_conversation(world.bot, gone, world.now());
        assert!(delete.await.unwrap());
        for name in [format!("!{last}"), format!("{last}+")] {
            let conversation = world.thread(&name).await;
            tag_conversation(&world, conversation.id, tags([("n", &name)])).await;
        }
    }
    let distinct: BTreeSet<_> = seen.iter().cloned().collect();
    assert_eq!(distinct.len(), seen.len(), "a value twice: {seen:?}");
    for number in 0..40 {
        let value = format!("{number:02}");
        assert!(distinct.contains(&value), "{value} of {seen:?}");
    }
    assert!(seen.iter().any(|value| value.ends_with('+')), "{seen:?}");
    assert!(!seen.iter().any(|value| value.starts_with('!')), "{seen:?}");
}

/// Asked for or not before.
pub async fn what_was_there_is_listed_after_a_restart(factory: &dyn Factory) {
    let mut world = World::new(factory).await;
    let first = world.thread("1").await.id;
    tag_conversation(&world, first, tags([("mood", "good")])).await;
    assert_eq!(values(&world, Conversation, "mood").await, ["good"]);
    let second = world.thread("2").await.id;
    tag_conversation(&world, second, tags([("mood", "bad")])).await;
    tag_conversation(&world, first, tags([("mood", "fair")])).await;
    world.store = factory.reopen(Arc::clone(&world.store)).await;
    assert_eq!(values(&world, Conversation, "mood").await, ["bad", "fair"]);
}

/// What random changes do to a world.
struct Changes<'a> {
    world: &'a World,
    random: &'a SeededRandom,
    other: IntegrationId,
}

const NAMES: [&str; 4] = ["a", "b", "telegram:id", "telegram:chatId"];

impl Changes<'_> {
    fn below(&self, end: usize) -> usize {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        usize::try_from(u64::from_be_bytes(bytes) % u64::try_from(end).unwrap()).unwrap()
    }

    fn tags(&self, empty: bool) -> Tags {
        let count = 1 + self.below(2);
        (0..count)
            .map(|_| {
                let value = match self.below(6) {
                    0 if empty => String::new(),
                    value => value.to_string(),
                };
                (NAMES[self.below(2)], value)
            })
            .collect()
    }

    fn one_of<T: Copy>(&self, items: &[T]) -> Option<T> {
        (!items.is_empty()).then(|| items[self.below(items.len())])
    }

    async fn step(&self) {
        let (world, store, bot) = (self.world, &self.world.store, self.world.bot);
        let list = store.list_conversations(bot, ConversationFilter::default(), all());
        let conversations: Vec<_> = list.await.unwrap().items.iter().map(|one| one.id).collect();
        let list = store.list_users(bot, UserFilter::default(), all());
        let users: Vec<_> = list.await.unwrap().items.iter().map(|one| one.id).collect();
        let users: Vec<_> = users.into_iter().filter(|id| *id != bot.into()).collect();
        let list = store.list_messages(bot, MessageFilter::default(), all());
        let messages: Vec<_> = list.await.unwrap().items.iter().map(|one| one.id).collect();
        let conversation = self.one_of(&conversations);
        match (self.below(14), conversation) {
            (0, _) => {
                let integration = [world.integration, self.other][self.below(2)];
                let command = CreateConversation {
                    id: world.conversation_id(),
                    place: Place {
                        integration,
                        ..world.place()
                    },
                    tags: self.tags(true),
                    unless: None,
                    participants: Vec::new(),
                    now: world.now(),
                };
                store.create_conversation(command).await.unwrap();
            }
            (1, _) => {
                let integration = [None, Some(world.integration), Some(self.other)][self.below(3)];
                let user = NewUser {
                    integration,
                    tags: self.tags(true),
                    ..world.new_user("7").user
                };
                store.create_user(user).await.unwrap();
            }
            (2 | 3, Some(id)) => {
                let mut post = world.said(id, bot.into(), Direction::Outgoing, "x");
                post.message.tags = self.tags(true);
                world.post(post).await;
            }
            (4 | 5, _) => {
                let thread = self.below(4).to_string();
                let said = self.below(50).to_string();
                let update = world.update(&thread, &self.below(3).to_string(), &said, None);
                world.ingest(vec![update]).await;
            }
            (6, Some(id)) => tag_conversation(world, id, self.tags(true)).await,
            (7, _) => {
                if let Some(id) = self.one_of(&users) {
                    tag_user(world, id, self.tags(true)).await;
                }
            }
            (8, _) => {
                if let Some(id) = self.one_of(&messages) {
                    tag_message(world, id, self.tags(true)).await;
                }
            }
            (9, Some(id)) if self.below(2) == 0 => {
                store
                    .delete_conversation(bot, id, world.now())
                    .await
                    .unwrap();
            }
            (10, _) => {
                if let Some(id) = self.one_of(&users) {
                    store.delete_user(bot, id, world.now()).await.unwrap();
                }
            }
            (11, _) => {
                if let Some(id) = self.one_of(&messages) {
                    store
                        .delete_message(bot, id, None, world.now())
                        .await
                        .unwrap();
                }
            }
            (12, Some(id)) => {
                let to = self.below(4).to_string();
                let rekey = Rekey {
                    bot,
                    conversation: id,
                    tags: tags([("telegram:id", &to)]),
                    identity: tags([("telegram:id", &to)]),
                    occupied: Occupied::Merge,
                    now: world.now(),
                };
                store.rekey_conversation(rekey).await.unwrap();
            }
            (13, _) => {
                // The mark passes what there is, of one kind.
                let kind = TagKind::ALL[self.below(3)];
                values(world, kind, NAMES[self.below(4)]).await;
            }
            _ => {}
        }
    }
}

/// After any changes in any order, questions among them, the lists say what the objects say.
pub async fn random_changes_leave_the_values_that_there_are(factory: &dyn Factory) {
    let mut world = World::new(factory).await;
    let other = new_integration(&world.env, world.bot, "other", true);
    let store = Arc::clone(&world.store);
    store.create_integration(other.clone()).await.unwrap();
    let other = other.integration.id;
    let random = SeededRandom::new(11);
    for round in 0..12 {
        for _ in 0..40 {
            let changes = Changes {
                world: &world,
                random: &random,
                other,
            };
            changes.step().await;
        }
        while world.store.sweep(world.now()).await.unwrap() > 0 {}
        if round == 6 {
            world.store = factory.reopen(Arc::clone(&world.store)).await;
        }
        agree(&world, &NAMES, &[world.integration, other]).await;
    }
}

/// While eight write, retag and delete, others ask; in the end all agree.
pub async fn racing_writes_and_questions_agree_in_the_end(factory: &dyn Factory) {
    let world = Arc::new(World::new(factory).await);
    let mut tasks = Vec::new();
    for writer in 0..8 {
        let world = Arc::clone(&world);
        tasks.push(tokio::spawn(async move {
            for number in 0..25 {
                let name = format!("{writer}-{number}");
                let update = world.update(&name, &name, &name, None);
                world.ingest(vec![update]).await;
                let thread = world.thread(&name).await.id;
                let value = (number % 5).to_string();
                tag_conversation(&world, thread, tags([("a", &value)])).await;
                // What was acknowledged is listed.
                let listed = values(&world, Conversation, "a").await;
                assert!(listed.contains(&value), "{value} in {listed:?}");
                let person = world.person(&name).await.id;
                tag_user(&world, person, tags([("a", &name), ("b", &value)])).await;
                if number % 3 == 0 {
                    let delete = world.store.delete_user(world.bot, person, world.now());
                    assert!(delete.await.unwrap());
                }
                if number % 4 == 0 {
                    let delete = world
                        .store
                        .delete_conversation(world.bot, thread, world.now());
                    assert!(delete.await.unwrap());
                }
                world.store.gather_tag_values().await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    while world.store.sweep(world.now()).await.unwrap() > 0 {}
    agree(&world, &NAMES, &[world.integration]).await;
    let users = values(&world, User, "a").await;
    assert_eq!(users.len(), 8 * 16);
}
