//! Messages are found by their tags wherever those are kept: in the index, or still waiting.

use std::time::Duration;

use proptest::prelude::*;
use rusqlite::Connection;
use switchboard_model::ids::Ulid;
use switchboard_model::{
    BotId, ConversationId, DeliveryId, Direction, IntegrationId, Message, MessageId, TagPatch, Tags,
};
use switchboard_store::contract::world::{World, all, delivered, json, tags, text_payload};
use switchboard_store::{
    ConversationStore as _, Discriminate, ImportMessages, ImportedMessage, InboundContent,
    Ingested, Lane, MessageFilter, MessageStore as _, MessageUpdate, NewMessage, Rekeyed,
    Store as _,
};

use super::tag_values::Given;
use super::{database, folder, plan};
use crate::message_tag::{BEHIND, TAIL};
use crate::{SqliteStore, rows, schema};

const THREADS: [&str; 2] = ["1", "2"];
const MINUTE: Duration = Duration::from_mins(1);

/// What may happen, with which thread, tag and message it concerns.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A channel brings so many messages.
    Bring(usize, u8, u8),
    Post(usize, u8),
    PostLater(usize, u8),
    Pass,
    Import(usize, u8),
    Retag(prop::sample::Index, u8),
    Delete(prop::sample::Index),
    Gather,
    Merge,
}

fn step() -> impl Strategy<Value = Step> {
    let thread = || 0..THREADS.len();
    prop_oneof![
        6 => (thread(), 1..40_u8, 0..4_u8).prop_map(|(thread, count, tag)| Step::Bring(thread, count, tag)),
        3 => (thread(), 0..4_u8).prop_map(|(thread, tag)| Step::Post(thread, tag)),
        1 => (thread(), 0..4_u8).prop_map(|(thread, tag)| Step::PostLater(thread, tag)),
        1 => Just(Step::Pass),
        1 => (thread(), 0..4_u8).prop_map(|(thread, tag)| Step::Import(thread, tag)),
        2 => (any::<prop::sample::Index>(), 0..4_u8).prop_map(|(which, tag)| Step::Retag(which, tag)),
        1 => any::<prop::sample::Index>().prop_map(Step::Delete),
        1 => Just(Step::Gather),
        1 => Just(Step::Merge),
    ]
}

fn tag(number: u8) -> Tags {
    tags([("topic", &number.to_string())])
}

/// The store, and what was made in it, in the order of making.
struct History {
    world: World,
    store: SqliteStore,
    made: Vec<MessageId>,
    merged: bool,
}

impl History {
    async fn thread(&self, number: usize) -> ConversationId {
        self.world.thread(THREADS[number]).await.id
    }

    async fn said(&self, number: usize, topic: u8) -> NewMessage {
        NewMessage {
            id: MessageId::new(self.world.env.ulid()),
            conversation: self.thread(number).await,
            user: self.world.person(THREADS[number]).await.id,
            direction: Direction::Incoming,
            kind: "text".to_owned(),
            payload: text_payload("then"),
            tags: tag(topic),
            synthetic: false,
        }
    }

    async fn take(&mut self, step: Step) {
        let world = &self.world;
        match step {
            Step::Bring(thread, count, topic) => {
                let items = (0..count).map(|_| {
                    let mut item = world.update(THREADS[thread], THREADS[thread], "now", None);
                    if let InboundContent::Message(message) = &mut item.content {
                        message.tags = tag(topic);
                    }
                    item
                });
                for taken in world.ingest(items.collect()).await {
                    let Ingested::Message { message, .. } = taken else {
                        panic!("{taken:?}");
                    };
                    self.made.push(message);
                }
            }
            Step::Post(thread, topic) => {
                let mut command = world.outgoing(self.thread(thread).await, "answer");
                command.message.tags = tag(topic);
                self.made.push(world.post(command).await.value.id);
            }
            Step::PostLater(thread, topic) => {
                let mut command = world.outgoing(self.thread(thread).await, "later");
                command.message = self.said(thread, topic).await;
                command.due = Some(world.now().plus(MINUTE));
                self.made.push(world.post(command).await.value.id);
            }
            Step::Pass => {
                world.pass(MINUTE * 2);
                // A merge waits for nothing that is in flight.
                for lane in [Lane::Bots, world.channel()] {
                    for claimed in world.claim(lane).await.deliveries {
                        world.finish(&claimed, delivered()).await;
                    }
                }
            }
            Step::Import(thread, topic) => {
                let command = ImportMessages {
                    bot: world.bot,
                    messages: vec![ImportedMessage {
                        message: self.said(thread, topic).await,
                        identity: Tags::new(),
                        said_at: world.now(),
                    }],
                    now: world.now(),
                };
                let done = world.store.import_messages(command).await.unwrap();
                self.made.extend(done.iter().map(|found| found.value.id));
            }
            Step::Retag(which, topic) if !self.made.is_empty() => {
                let update = MessageUpdate {
                    tags: TagPatch::from(tag(topic)),
                    payload: Some(json(r#"{"text":"other"}"#)),
                    delivery: None,
                };
                let id = *which.get(&self.made);
                let done = world
                    .store
                    .update_message(world.bot, id, update, world.now());
                done.await.unwrap();
            }
            Step::Delete(which) if !self.made.is_empty() => {
                let id = *which.get(&self.made);
                let delivery = Some(DeliveryId::new(world.env.ulid()));
                let done = world
                    .store
                    .delete_message(world.bot, id, delivery, world.now());
                done.await.unwrap();
            }
            Step::Gather => while self.store.gather_some().await.unwrap() > 0 {},
            Step::Merge if !self.merged => self.merge().await,
            Step::Retag(..) | Step::Delete(_) | Step::Merge => {}
        }
    }

    /// The first thread gets the name of the other.
    async fn merge(&mut self) {
        let [one, other] = [self.thread(0).await, self.thread(1).await];
        let command = self.world.renamed(one, THREADS[1]);
        let done = self.world.store.rekey_conversation(command).await;
        self.merged = matches!(done.unwrap(), Rekeyed::Merged { .. });
        assert!(self.merged && one != other);
    }

    async fn list(&self, conversation: Option<ConversationId>, tags: Tags) -> Vec<Message> {
        let filter = MessageFilter {
            conversation,
            tags,
            ..MessageFilter::default()
        };
        let page = self
            .world
            .store
            .list_messages(self.world.bot, filter, all());
        page.await.unwrap().items
    }

    /// All that is found by a tag is what a look at each message finds, and the first is the first.
    async fn check(&self) {
        for number in 0..THREADS.len() {
            self.check_in(Some(self.thread(number).await)).await;
        }
    }

    /// A question across conversations leaves nothing waiting: it comes last.
    async fn check_in(&self, conversation: Option<ConversationId>) {
        let messages = self.list(conversation, Tags::new()).await;
        if let Some(id) = conversation {
            let found = self.world.store.get_conversation(self.world.bot, id);
            let counted = found.await.unwrap().unwrap().message_count;
            assert_eq!(usize::try_from(counted).unwrap(), messages.len());
        }
        for topic in 0..4 {
            let wanted = tag(topic);
            let has: Vec<_> = messages
                .iter()
                .filter(|message| message.tags.contains(&wanted))
                .map(|message| message.id)
                .collect();
            let found = self.list(conversation, wanted.clone()).await;
            let found: Vec<_> = found.iter().map(|message| message.id).collect();
            assert_eq!(found, has, "topic {topic} in {conversation:?}");
            let first = self.made.iter().find(|id| has.contains(id)).copied();
            if let (Some(place), Some(first)) = (conversation, first) {
                self.check_first(place, wanted, first).await;
            }
        }
    }

    /// What waits for its time is found, too, and listed by nobody.
    async fn check_first(&self, place: ConversationId, wanted: Tags, first: MessageId) {
        let mut command = self.world.outgoing(place, "never stored");
        command.discriminate = Discriminate::ByTags(wanted.clone());
        command.message.tags = wanted;
        let known = self.world.post(command).await;
        assert!(!known.created);
        let waits = known.value.seq < 0;
        assert!(waits || known.value.id == first, "{known:?}");
        let at = |id| self.made.iter().position(|made| *made == id);
        assert!(at(known.value.id) <= at(first));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn every_message_is_found_by_its_tags(steps in prop::collection::vec(step(), 10..60)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let folder = folder();
            let path = database(&folder);
            let store = SqliteStore::open(&path).unwrap();
            let world = World::new(&Given(store.clone())).await;
            let mut history = History { world, store, made: Vec::new(), merged: false };
            for (number, step) in steps.into_iter().enumerate() {
                history.take(step).await;
                if number % 5 == 4 {
                    history.check().await;
                }
            }
            history.check().await;
            history.check_in(None).await;
        });
    }
}

/// A channel brings so many messages of a thread, one in a commit.
async fn bring(world: &World, thread: &str, count: i64) {
    for number in 0..count {
        let update = world.update(thread, "7", &number.to_string(), None);
        world.ingest(vec![update]).await;
    }
}

fn value(connection: &Connection, sql: &str) -> i64 {
    rows::value(connection, sql, []).unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_the_index_stays_little_and_enters_it_together() {
    const WAIT: &str = "SELECT max((SELECT max(seq) FROM message WHERE conversation = c.id) - settled) FROM conversation c";
    let folder = folder();
    let path = database(&folder);
    let store = SqliteStore::open(&path).unwrap();
    let world = World::new(&Given(store.clone())).await;
    let beside = Connection::open(&path).unwrap();
    bring(&world, "1", TAIL - 2).await;
    assert_eq!(value(&beside, "SELECT count(*) FROM message_tag"), 0);
    let mut longest = 0;
    for _ in 0..TAIL * 3 {
        bring(&world, "1", 1).await;
        longest = longest.max(value(&beside, WAIT));
    }
    assert!((TAIL - 2..TAIL).contains(&longest), "{longest}");
    let waiting = value(&beside, WAIT);
    let indexed = value(&beside, "SELECT count(DISTINCT item) FROM message_tag");
    assert_eq!(
        indexed + waiting,
        value(&beside, "SELECT count(*) FROM message")
    );

    // What is made by its tags does not wait, and keeps the way to what was made short.
    let thread = world.thread("2").await.id;
    for _ in 0..TAIL {
        let mut command = world.outgoing(thread, "hi");
        command.message.tags = tag(1);
        world.post(command).await;
    }
    let own = "SELECT (SELECT max(seq) FROM message WHERE conversation = c.id) - settled FROM conversation c ORDER BY id DESC LIMIT 1";
    assert_eq!(value(&beside, own), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_across_conversations_gathers_first() {
    let folder = folder();
    let path = database(&folder);
    let store = SqliteStore::open(&path).unwrap();
    let world = World::new(&Given(store.clone())).await;
    for thread in ["1", "2", "3"] {
        bring(&world, thread, 5).await;
    }
    let filter = MessageFilter {
        tags: tags([("telegram:id", "4")]),
        ..MessageFilter::default()
    };
    let found = store.list_messages(world.bot, filter, all()).await.unwrap();
    assert_eq!(found.items.len(), 3);
    let beside = Connection::open(&path).unwrap();
    assert_eq!(value(&beside, "SELECT count(*) FROM message_tag"), 15);
    let plan = plan(&beside, BEHIND);
    assert!(
        plan.iter()
            .all(|step| step.contains("USING INTEGER PRIMARY KEY")),
        "{plan:?}"
    );
}

/// One of the version before has all tags in the index, and nothing is looked through twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_database_waits_for_nothing() {
    const VERSION: usize = 12;
    const OLD: &str = "
        INSERT INTO bot (public, name, created_at) VALUES (randomblob(16), 'b', 0);
        INSERT INTO integration (public, bot, alias, platform, webhook_id, active, created_at,
            updated_at) VALUES (randomblob(16), 1, 'a', 'telegram', 'w', 1, 0, 0);
        INSERT INTO conversation (public, bot, integration, channel, tags, next_seq, created_at,
            updated_at) VALUES (randomblob(16), 1, 1, 'channel', '{}', 3, 0, 0);
        INSERT INTO user (public, bot, tags, created_at, updated_at)
            VALUES (randomblob(16), 1, '{}', 0, 0);
        INSERT INTO message (public, bot, conversation, user, direction, kind, payload, tags,
            synthetic, seq, created_at, updated_at)
        SELECT randomblob(16), 1, 1, 1, 0, 'text', '{}', '{}', 0, value, 0, 0
        FROM json_each('[1, 2]');";
    let folder = folder();
    let path = database(&folder);
    let mut old = Connection::open(&path).unwrap();
    schema::migrate_to(&mut old, VERSION).unwrap();
    old.execute_batch(OLD).unwrap();
    drop(old);
    SqliteStore::open(&path).unwrap().close().await.unwrap();
    let beside = Connection::open(&path).unwrap();
    assert_eq!(value(&beside, "SELECT settled FROM conversation"), 2);
    assert_eq!(
        value(&beside, "SELECT upto FROM tag_mark WHERE kind = 3"),
        2
    );
}

/// Of five messages that were counted one by one two are settled, and of the others one is deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_counted_one_by_one_counts_on() {
    const VERSION: usize = 15;
    const OLD: &str = "
        INSERT INTO bot (public, name, created_at) VALUES (zeroblob(16), 'b', 0);
        INSERT INTO integration (public, bot, alias, platform, webhook_id, active, created_at,
            updated_at) VALUES (zeroblob(16), 1, 'telegram', 'telegram', 'w', 1, 0, 0);
        INSERT INTO conversation (public, bot, integration, channel, tags, next_seq, message_count,
            tagged, created_at, updated_at)
        VALUES (zeroblob(16), 1, 1, 'channel', '{\"telegram:id\":\"1\"}', 6, 4, 2, 0, 0);
        INSERT INTO user (public, bot, tags, created_at, updated_at)
            VALUES (zeroblob(16), 1, '{}', 0, 0);
        INSERT INTO message (public, bot, conversation, user, direction, kind, payload, tags,
            synthetic, seq, created_at, updated_at, deleted_at)
        SELECT unhex(printf('%032x', value)), 1, 1, 1, 0, 'text', '{}',
            iif(value = 4, '{}', '{\"topic\":\"1\"}'), 0, value, 0, 0, iif(value = 4, 9, NULL)
        FROM json_each('[1, 2, 3, 4, 5]');
        INSERT INTO message_tag (scope, pair, item) VALUES (1, ?1, 1), (1, ?1, 2);";
    let folder = folder();
    let path = database(&folder);
    let mut old = Connection::open(&path).unwrap();
    schema::migrate_to(&mut old, VERSION).unwrap();
    let pair = crate::tags::digest("topic", "1").to_string();
    old.execute_batch(&OLD.replace("?1", &pair)).unwrap();
    drop(old);

    let store = SqliteStore::open(&path).unwrap();
    let mut world = World::new(&Given(store.clone())).await;
    world.bot = BotId::new(Ulid(0));
    world.integration = IntegrationId::new(Ulid(0));
    let thread = ConversationId::new(Ulid(0));
    let count = async || {
        let found = store.get_conversation(world.bot, thread).await;
        found.unwrap().unwrap().message_count
    };
    let tagged = async || {
        let filter = MessageFilter {
            conversation: Some(thread),
            tags: tag(1),
            ..MessageFilter::default()
        };
        let found = store.list_messages(world.bot, filter, all()).await;
        let found = found.unwrap().items.into_iter();
        found.map(|message| message.seq).collect::<Vec<_>>()
    };
    assert_eq!((count().await, tagged().await), (4, vec![5, 3, 2, 1]));
    let mut said = world.outgoing(thread, "on");
    said.message.tags = tag(1);
    assert_eq!(world.post(said).await.value.seq, 6);
    assert_eq!((count().await, tagged().await), (5, vec![6, 5, 3, 2, 1]));
    for number in [5, 1] {
        let id = MessageId::new(Ulid(number));
        let gone = store.delete_message(world.bot, id, None, world.now()).await;
        assert!(gone.unwrap());
    }
    assert_eq!((count().await, tagged().await), (3, vec![6, 3, 2]));
}
