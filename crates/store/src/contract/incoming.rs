//! What integrations bring in through the API.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use switchboard_model::{
    ConversationId, DeliveryId, Direction, Error, Message, MessageId, Tags, Timestamp, UserId,
};

use super::Factory;
use super::world::{World, all, tags, text_payload, walk};
use crate::{
    EventFilter, ImportMessages, ImportedMessage, InitialMessage, InitializeIncoming, Lane,
    MessageFilter, NewMessage, SomeConversation, SomeUser,
};

fn initialize(world: &World, thread: &str, person: &str, said: &str) -> InitializeIncoming {
    let identity = tags([("telegram:id", thread)]);
    InitializeIncoming {
        bot: world.bot,
        user: SomeUser::Meant(Box::new(world.new_user(person))),
        conversation: SomeConversation::Meant(Box::new(
            world.get_or_create(identity.clone(), identity),
        )),
        message: Some(InitialMessage {
            id: MessageId::new(world.env.ulid()),
            kind: "text".to_owned(),
            payload: text_payload(said),
            tags: tags([("telegram:id", said)]),
            synthetic: false,
            identity: tags([("telegram:id", said)]),
        }),
        delivery: DeliveryId::new(world.env.ulid()),
        now: world.now(),
    }
}

async fn events(world: &World) -> usize {
    let list = world
        .store
        .list_events(world.bot, EventFilter::default(), all());
    list.await.unwrap().items.len()
}

/// All three are made, the user takes part, and a redelivery finds what is there.
pub async fn a_message_is_initialized_with_all_that_it_belongs_to(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let first = initialize(&world, "1", "7", "hi");
    let made = world.store.initialize_incoming(first).await.unwrap();
    assert!(made.user.created && made.conversation.created);
    let message = made.message.unwrap();
    assert!(message.created);
    assert_eq!(message.value.direction, Direction::Incoming);
    assert_eq!(message.value.seq, 1);
    let (conversation, user) = (made.conversation.value.id, made.user.value.id);
    assert_eq!(message.value.conversation, conversation);
    assert_eq!(message.value.user, user);
    let part = world.store.get_participant(world.bot, conversation, user);
    assert!(part.await.unwrap().is_some());

    world.pass(Duration::from_secs(1));
    let mut again = initialize(&world, "1", "7", "hi");
    again.message.as_mut().unwrap().payload = text_payload("other words");
    let found = world.store.initialize_incoming(again).await.unwrap();
    assert!(!found.user.created && !found.conversation.created);
    let again = found.message.unwrap();
    assert!(!again.created);
    assert_eq!(again.value, world.message(message.value.id).await);
    assert_eq!(again.value.payload, text_payload("hi"));
    assert_eq!(events(&world).await, 1);
    assert_eq!(world.claim(Lane::Bots).await.deliveries.len(), 1);

    // By ids, and without a message.
    let mut known = initialize(&world, "1", "7", "hi");
    known.user = SomeUser::Known(user);
    known.conversation = SomeConversation::Known(conversation);
    known.message = None;
    let known = world.store.initialize_incoming(known).await.unwrap();
    assert_eq!(known.user.value.id, user);
    assert_eq!(known.conversation.value.id, conversation);
    assert_eq!(known.message, None);

    // What nothing identifies is always new.
    for _ in 0..2 {
        let mut new = initialize(&world, "1", "7", "hi");
        new.message.as_mut().unwrap().identity = Tags::new();
        let new = world.store.initialize_incoming(new).await.unwrap();
        assert!(new.message.unwrap().created);
    }
    assert_eq!(events(&world).await, 3);
}

/// What is refused leaves nothing behind.
pub async fn an_initialization_happens_whole_or_not_at_all(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let mut command = initialize(&world, "1", "7", "hi");
    command.conversation = SomeConversation::Known(ConversationId::new(world.env.ulid()));
    let refused = world.store.initialize_incoming(command).await.unwrap_err();
    assert!(
        matches!(&refused, Error::ReferenceNotFound { field, .. } if field == "conversationId"),
        "{refused}"
    );
    let mut command = initialize(&world, "1", "7", "hi");
    command.user = SomeUser::Known(UserId::new(world.env.ulid()));
    let refused = world.store.initialize_incoming(command).await.unwrap_err();
    assert!(
        matches!(&refused, Error::ReferenceNotFound { field, .. } if field == "userId"),
        "{refused}"
    );
    assert!(world.conversations().await.is_empty());
    let users = world
        .store
        .list_users(world.bot, crate::UserFilter::default(), all());
    // The bot's own.
    assert_eq!(users.await.unwrap().items.len(), 1);
    assert_eq!(events(&world).await, 0);
}

/// 32 callers bring in the same 20 messages: each object is made once, and each message is
/// announced once.
pub async fn racing_initializations_make_each_once(factory: &dyn Factory) {
    let world = Arc::new(World::new(factory).await);
    let mut tasks = Vec::new();
    for task in 0..32 {
        let world = Arc::clone(&world);
        tasks.push(tokio::spawn(async move {
            let mut made = (0, 0, 0);
            for number in 0..20 {
                let number = (number + task * 3) % 20;
                let (thread, person) = ((number % 4).to_string(), (number % 3).to_string());
                let command = initialize(&world, &thread, &person, &number.to_string());
                let done = world.store.initialize_incoming(command).await.unwrap();
                made.0 += usize::from(done.user.created);
                made.1 += usize::from(done.conversation.created);
                made.2 += usize::from(done.message.unwrap().created);
            }
            made
        }));
    }
    let mut made = (0, 0, 0);
    for task in tasks {
        let (users, conversations, messages) = task.await.unwrap();
        made = (made.0 + users, made.1 + conversations, made.2 + messages);
    }
    assert_eq!(made, (3, 4, 20));
    assert_eq!(events(&world).await, 20);
}

fn past(
    world: &World,
    thread: ConversationId,
    user: UserId,
    said: &str,
    at: Timestamp,
) -> ImportedMessage {
    let own = tags([("telegram:id", said)]);
    ImportedMessage {
        message: NewMessage {
            id: MessageId::new(world.env.ulid()),
            conversation: thread,
            user,
            direction: Direction::Incoming,
            kind: "text".to_owned(),
            payload: text_payload(said),
            tags: own.clone(),
            synthetic: false,
        },
        identity: own,
        said_at: at,
    }
}

async fn import(world: &World, messages: Vec<ImportedMessage>) -> Vec<(Message, bool)> {
    let command = ImportMessages {
        bot: world.bot,
        messages,
        now: world.now(),
    };
    let done = world.store.import_messages(command).await.unwrap();
    done.into_iter()
        .map(|found| (found.value, found.created))
        .collect()
}

fn texts(messages: &[Message]) -> Vec<String> {
    messages
        .iter()
        .map(|message| message.payload.as_str().to_owned())
        .collect()
}

/// History comes between what is there, by time, whatever the order of importing; pages of one, the
/// whole bot's list and whoever follows the conversation agree; nobody is told.
pub async fn history_is_listed_by_its_time_and_told_to_nobody(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let thread = world.thread("1").await.id;
    let user = world.person("7").await.id;
    let start = world.now();
    let at = |seconds| start.plus(Duration::from_secs(seconds));
    world.pass(Duration::from_secs(10));
    for number in 1..=3 {
        world.pass(Duration::from_secs(10));
        // Said at 20, 30 and 40 s.
        let post = world.said(thread, user, Direction::Incoming, &format!("live {number}"));
        world.post(post).await;
    }
    let told = world.claim(Lane::Bots).await.deliveries.len();
    assert_eq!(told, 1, "the head of the line");
    let before = events(&world).await;
    let done = import(
        &world,
        vec![
            past(&world, thread, user, "at 35", at(35)),
            past(&world, thread, user, "at 5", at(5)),
            past(&world, thread, user, "at 25", at(25)),
            past(&world, thread, user, "at 1", at(1)),
            past(&world, thread, user, "at 5", at(7)),
        ],
    )
    .await;
    let created: Vec<bool> = done.iter().map(|(_, created)| *created).collect();
    assert_eq!(created, [true, true, true, true, false]);
    assert_eq!(done[4].0.id, done[1].0.id);
    assert_eq!(done[0].0.created_at, at(35));
    let more = import(
        &world,
        vec![
            past(&world, thread, user, "at 22", at(22)),
            past(&world, thread, user, "at 5", at(5)),
            past(&world, thread, user, "at 39", at(39)),
        ],
    )
    .await;
    assert_eq!(more[1], (world.message(done[1].0.id).await, false));
    world.pass(Duration::from_secs(10));
    let post = world.said(thread, user, Direction::Incoming, "live 4");
    world.post(post).await;

    let wanted: Vec<String> = [
        "live 4", "live 3", "at 39", "at 35", "live 2", "at 25", "at 22", "live 1", "at 5", "at 1",
    ]
    .map(|text| text_payload(text).as_str().to_owned())
    .to_vec();
    for of in [Some(thread), None] {
        for limit in 1..=11 {
            let filter = MessageFilter {
                conversation: of,
                ..MessageFilter::default()
            };
            let listed = walk(limit, async |page| {
                let list = world.store.list_messages(world.bot, filter.clone(), page);
                list.await.unwrap()
            })
            .await;
            assert_eq!(texts(&listed), wanted, "{of:?} in pages of {limit}");
        }
    }
    let live = world.store.messages_after(world.bot, thread, 0, 100);
    let live: Vec<i64> = live.await.unwrap().iter().map(|one| one.seq).collect();
    assert_eq!(live, [1, 2, 3, 4]);
    assert_eq!(events(&world).await, before + 1);
    let conversation = world.store.get_conversation(world.bot, thread).await;
    assert_eq!(conversation.unwrap().unwrap().message_count, 10);
    let delete = world
        .store
        .delete_message(world.bot, done[0].0.id, None, world.now());
    assert!(delete.await.unwrap());
    let conversation = world.store.get_conversation(world.bot, thread).await;
    assert_eq!(conversation.unwrap().unwrap().message_count, 9);
}

/// One bad message and nothing is imported; the error says which.
pub async fn an_import_is_taken_whole_or_not_at_all(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let thread = world.thread("1").await.id;
    let user = world.person("7").await.id;
    let nobody = UserId::new(world.env.ulid());
    let command = ImportMessages {
        bot: world.bot,
        messages: vec![
            past(&world, thread, user, "one", world.now()),
            past(&world, thread, nobody, "two", world.now()),
        ],
        now: world.now(),
    };
    let refused = world.store.import_messages(command).await.unwrap_err();
    assert!(
        matches!(&refused, Error::ReferenceNotFound { field, .. } if field == "messages[1].userId"),
        "{refused}"
    );
    let list = world
        .store
        .list_messages(world.bot, MessageFilter::default(), all());
    assert!(list.await.unwrap().items.is_empty());
}

/// Imports that race make each message once.
pub async fn racing_imports_make_each_once(factory: &dyn Factory) {
    let world = Arc::new(World::new(factory).await);
    let thread = world.thread("1").await.id;
    let user = world.person("7").await.id;
    let mut tasks = Vec::new();
    for task in 0..16 {
        let world = Arc::clone(&world);
        tasks.push(tokio::spawn(async move {
            let said = |number: usize| {
                let number = (number + task) % 40;
                past(&world, thread, user, &number.to_string(), world.now())
            };
            let done = import(&world, (0..40).map(said).collect()).await;
            let ids: BTreeSet<MessageId> = done.iter().map(|(message, _)| message.id).collect();
            (done.iter().filter(|(_, created)| *created).count(), ids)
        }));
    }
    let (mut created, mut known) = (0, BTreeSet::new());
    for task in tasks {
        let (made, ids) = task.await.unwrap();
        created += made;
        assert_eq!(ids.len(), 40);
        known.extend(ids);
    }
    assert_eq!((created, known.len()), (40, 40));
}

/// Where two conversations become one, history is in its place, what waits comes to the one that
/// stays, and all are counted.
pub async fn history_and_what_waits_go_with_a_merge(factory: &dyn Factory) {
    let world = World::new(factory).await;
    let (old, young) = (world.thread("1").await.id, world.thread("2").await.id);
    let user = world.person("7").await.id;
    let start = world.now();
    world.pass(Duration::from_secs(100));
    for thread in [old, young] {
        let post = world.said(thread, user, Direction::Incoming, "live");
        world.post(post).await;
        let at = |seconds| start.plus(Duration::from_secs(seconds));
        let (one, two) = if thread == old { (10, 30) } else { (20, 40) };
        import(
            &world,
            vec![
                past(&world, thread, user, &one.to_string(), at(one)),
                past(&world, thread, user, &two.to_string(), at(two)),
            ],
        )
        .await;
        world.pass(Duration::from_secs(1));
    }
    let mut later = world.said(young, user, Direction::Incoming, "later");
    later.due = Some(world.now().plus(Duration::from_secs(5)));
    let later = world.post(later).await.value;
    let merged = world.store.rekey_conversation(world.renamed(old, "2"));
    merged.await.unwrap();
    world.pass(Duration::from_secs(5));
    world.claim(Lane::Bots).await;
    let filter = MessageFilter {
        conversation: Some(old),
        ..MessageFilter::default()
    };
    let list = world.store.list_messages(world.bot, filter, all()).await;
    let listed = list.unwrap().items;
    let wanted = ["later", "live", "live", "40", "30", "20", "10"];
    assert_eq!(
        texts(&listed),
        wanted.map(|text| text_payload(text).as_str().to_owned())
    );
    assert_eq!(listed[0].id, later.id);
    let conversation = world.store.get_conversation(world.bot, old).await.unwrap();
    assert_eq!(conversation.unwrap().message_count, 7);
}

/// A stranger's message belongs to nothing that is not its own.
pub async fn nothing_comes_in_that_refers_to_another_bots(factory: &dyn Factory) {
    let own = World::new(factory).await;
    let other = own.another_bot().await;
    let (thread, user) = (own.thread("1").await.id, own.person("7").await.id);
    let mine = other.thread("1").await.id;
    let mut foreign = initialize(&other, "1", "7", "x");
    foreign.conversation = SomeConversation::Known(thread);
    let refused = own.store.initialize_incoming(foreign).await;
    assert!(matches!(refused, Err(Error::ReferenceNotFound { .. })));
    let mut foreign = initialize(&other, "1", "7", "x");
    foreign.user = SomeUser::Known(user);
    let refused = own.store.initialize_incoming(foreign).await;
    assert!(matches!(refused, Err(Error::ReferenceNotFound { .. })));
    for (place, author) in [(thread, other.bot.into()), (mine, user)] {
        let foreign = ImportMessages {
            bot: other.bot,
            messages: vec![past(&other, place, author, "x", own.now())],
            now: own.now(),
        };
        let refused = own.store.import_messages(foreign).await;
        assert!(matches!(refused, Err(Error::ReferenceNotFound { .. })));
    }
}
