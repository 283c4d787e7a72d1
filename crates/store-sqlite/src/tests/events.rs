//! Events that announce messages: what they are in a database that is older, and what a list costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::{Connection, params};
use switchboard_model::ids::Ulid;
use switchboard_model::{
    BotId, ConversationId, Direction, Event, EventId, EventPayload, EventStatus, IntegrationId,
    MessageId, UserId,
};
use switchboard_store::contract::world::{World, all, delivered, walk};
use switchboard_store::{EventFilter, Lane, PageRequest, Subject};

use super::{One, database, folder};
use crate::{event, schema};

/// The version before an announcement was made of its message.
const BEFORE: usize = 14;

/// As the version before wrote them: three messages, of which the bot has taken the first, and not
/// the second, which was given up.
const OLD: [&str; 9] = [
    "INSERT INTO bot (public, name, created_at) VALUES (?1, 'old', 1)",
    "INSERT INTO integration (public, bot, alias, platform, webhook_id, active, created_at, updated_at)
        VALUES (?2, 1, 'telegram', 'telegram', 'w', 1, 1, 1)",
    "INSERT INTO conversation (public, bot, integration, channel, tags, next_seq, message_count,
            created_at, updated_at)
        VALUES (?3, 1, 1, 'channel', '{\"telegram:id\":\"1\"}', 4, 3, 1, 1)",
    "INSERT INTO user (public, bot, integration, tags, created_at, updated_at)
        VALUES (?4, 1, 1, '{}', 1, 1)",
    "INSERT INTO participant (conversation, user) VALUES (1, 1)",
    "WITH n (n) AS (VALUES (1), (2), (3))
        INSERT INTO message (public, bot, conversation, user, direction, kind, payload, tags,
            synthetic, seq, created_at, updated_at)
        SELECT unhex(printf('%032x', n)), 1, 1, 1, 0, 'text', '{\"text\":\"hi\"}', '{}',
            0, n, 1000 + n, 1000 + n FROM n",
    "INSERT INTO event (public, bot, kind, conversation, user, message, created_at)
        SELECT unhex(printf('%032x', 64 + id)), 1, 'message_created', 1, 1, id,
            created_at FROM message ORDER BY id",
    "INSERT INTO delivery (public, bot, destination, conversation, event, status, due_at, created_at)
        SELECT unhex(printf('%032x', 96 + id)), 1, 0, 1, id,
            CASE id WHEN 1 THEN 3 WHEN 2 THEN 5 ELSE 1 END, created_at, created_at
        FROM event ORDER BY id",
    "SELECT ?1, ?2, ?3, ?4",
];

fn old_event(number: u128) -> EventId {
    EventId::new(Ulid(64 + number))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn announcements_of_before_are_read_told_and_removed() {
    let folder = folder();
    let path = database(&folder);
    let id = |number: u128| Ulid(number << 64);
    let thread = ConversationId::new(id(3));
    let mut before = Connection::open(&path).unwrap();
    schema::migrate_to(&mut before, BEFORE).unwrap();
    for sql in OLD {
        let mut statement = before.prepare(sql).unwrap();
        for number in 1..=statement.parameter_count() {
            let bytes = id(number as u128).0.to_be_bytes();
            statement.raw_bind_parameter(number, bytes).unwrap();
        }
        let mut rows = statement.raw_query();
        while rows.next().unwrap().is_some() {}
    }
    drop(before);

    let mut world = World::new(&One(path.clone())).await;
    world.bot = BotId::new(id(1));
    world.integration = IntegrationId::new(id(2));
    let store = Arc::clone(&world.store);
    let read = async |id| store.get_event(world.bot, id).await.unwrap();
    let status = async |number| read(old_event(number)).await.unwrap().status;
    assert_eq!(status(1).await, EventStatus::Processed);
    assert_eq!(status(2).await, EventStatus::Failed);
    assert_eq!(status(3).await, EventStatus::Pending);
    // They have the ids that they were told with, and no others.
    for number in 1..4 {
        let message = MessageId::new(Ulid(number));
        assert_eq!(read(EventId::from(message)).await, None);
        let event = read(old_event(number)).await.unwrap();
        assert_eq!(event.message, Some(message));
        assert!(matches!(event.payload, EventPayload::MessageCreated(_)));
        assert_eq!(
            store
                .get_message(world.bot, message)
                .await
                .unwrap()
                .unwrap()
                .delivery,
            None
        );
    }

    // What comes now is listed with them, each once, and told in its turn.
    let user = UserId::new(id(4));
    let said = world
        .post(world.said(thread, user, Direction::Incoming, "new"))
        .await;
    let timer = world.event(Some(thread), "timer");
    let timer = store.create_event(timer).await.unwrap().id;
    let new = EventId::from(said.value.id);
    let newest_first = [timer, new, old_event(3), old_event(2), old_event(1)];
    for conversation in [None, Some(thread)] {
        let filter = EventFilter {
            conversation,
            ..EventFilter::default()
        };
        for limit in [1, 2, 5] {
            let list = walk(limit, async |page| {
                let list = store.list_events(world.bot, filter.clone(), page);
                list.await.unwrap()
            });
            let listed: Vec<_> = list.await.iter().map(|event| event.id).collect();
            assert_eq!(listed, newest_first);
        }
    }
    let kind = EventFilter {
        kind: Some(Event::MESSAGE_CREATED.to_owned()),
        ..EventFilter::default()
    };
    let list = store.list_events(world.bot, kind, all()).await.unwrap();
    assert_eq!(list.items.len(), 4);
    let second = MessageId::new(Ulid(2));
    let replayed = store.replay_message(world.bot, second, world.now()).await;
    assert_eq!(replayed.unwrap().unwrap().event, Some(old_event(2)));
    for expected in [old_event(3), new, timer, old_event(2)] {
        let claimed = world.claim_one(Lane::Bots).await;
        assert!(
            matches!(&claimed.subject, Subject::Event(event) if event.id == expected),
            "{:?}",
            claimed.subject
        );
        assert!(world.finish(&claimed, delivered()).await);
    }
    let deliveries = store
        .list_deliveries(world.bot, None, Some(thread), all())
        .await;
    assert_eq!(deliveries.unwrap().items.len(), 5);

    let deleted = store.delete_conversation(world.bot, thread, world.now());
    assert!(deleted.await.unwrap());
    while store.sweep(world.now()).await.unwrap() > 0 {}
    let beside = Connection::open(&path).unwrap();
    for table in ["message", "event", "delivery"] {
        let sql = format!("SELECT count(*) FROM {table}");
        let count: i64 = beside.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(count, 0, "{table}");
    }
}

/// Many messages that came in and are taken, with as many that are announced to nobody, and as many
/// events of two kinds.
const CROWD: [&str; 4] = [
    "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
        INSERT INTO message (public, bot, conversation, user, direction, kind, payload, tags,
            synthetic, seq, created_at, updated_at, announced)
        SELECT randomblob(16), 1, 1, 1, n % 2, 'text', '{}', '{}', 0, n + 10, n / 3, n / 3, n % 2 = 0
        FROM n",
    "INSERT INTO delivery (public, bot, destination, conversation, message, status, due_at, created_at)
        SELECT randomblob(16), 1, 0, 1, id, 3, 1, 1 FROM message WHERE announced = 1 AND id > ?1 * 0",
    "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
        INSERT INTO event (id, public, bot, kind, payload, conversation, user, created_at)
        SELECT (n << 20) | 1, randomblob(16), 1, iif(n % 2, 'a', 'b'), '{}', 1, 1, n / 3 FROM n",
    "INSERT INTO delivery (public, bot, destination, conversation, event, status, due_at, created_at)
        SELECT randomblob(16), 1, 0, 1, id, 3, 1, 1 FROM event WHERE id > ?1 * 0",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_events_costs_what_it_shows() {
    let folder = folder();
    let path = database(&folder);
    let world = World::new(&One(path.clone())).await;
    world.pass(Duration::from_secs(1));
    let ingested = world.ingest(vec![world.update("1", "7", "hi", None)]).await;
    assert_eq!(ingested.len(), 1);
    let mut beside = Connection::open(&path).unwrap();
    let taken = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&taken);
    let count = move || {
        counter.fetch_add(1, Ordering::Relaxed);
        false
    };
    beside.progress_handler(1, Some(count)).unwrap();
    let steps = |filter: &EventFilter| {
        let mut after = None;
        let mut most = 0;
        // From the start, and then further on.
        for _ in 0..3 {
            taken.store(0, Ordering::Relaxed);
            let page = PageRequest { after, limit: 20 };
            let page = event::list(&beside, world.bot, filter, page).unwrap();
            most = most.max(taken.load(Ordering::Relaxed));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        most
    };
    let of_kind = |kind: &str| EventFilter {
        kind: Some(kind.to_owned()),
        ..EventFilter::default()
    };
    let of_status = |status| EventFilter {
        status: Some(status),
        ..EventFilter::default()
    };
    let filters = [
        EventFilter::default(),
        of_kind("a"),
        of_kind(Event::MESSAGE_CREATED),
        of_status(EventStatus::Pending),
        of_status(EventStatus::Processed),
        of_status(EventStatus::Failed),
    ];
    let fill = |count: i64| {
        let mut store = Connection::open(&path).unwrap();
        let tx = store.transaction().unwrap();
        for (table, kept) in [("delivery", 1), ("event", 0), ("message", 1)] {
            tx.execute(&format!("DELETE FROM {table} WHERE id > ?1"), [kept])
                .unwrap();
        }
        for sql in CROWD {
            tx.execute(sql, params![count]).unwrap();
        }
        tx.commit().unwrap();
    };
    fill(2_000);
    let few = filters.each_ref().map(&steps);
    fill(40_000);
    let many = filters.each_ref().map(&steps);
    for ((filter, few), many) in filters.iter().zip(few).zip(many) {
        assert!(few > 100, "{few} steps are not all: {filter:?}");
        assert!(
            many < few + few / 2,
            "{few} steps became {many}: {filter:?}"
        );
    }
}

/// A clock that was set back changes no page's meaning: what is there is shown once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_goes_back_makes_nothing_be_listed_twice() {
    let folder = folder();
    let world = World::new(&One(database(&folder))).await;
    let thread = world.thread("1").await.id;
    let user = world.person("7").await.id;
    let mut made = Vec::new();
    for number in 0..12_u64 {
        let now = world
            .now()
            .plus(Duration::from_millis(100 - number * 7 % 5 * 10));
        let id = if number % 2 == 0 {
            let mut post = world.said(thread, user, Direction::Incoming, "hi");
            post.now = now;
            EventId::from(world.post(post).await.value.id)
        } else {
            let mut event = world.event(Some(thread), "timer");
            event.now = now;
            world.store.create_event(event).await.unwrap().id
        };
        made.push(id);
    }
    made.sort();
    for limit in [1, 3, 12] {
        let list = walk(limit, async |page| {
            let list = world
                .store
                .list_events(world.bot, EventFilter::default(), page);
            list.await.unwrap()
        });
        let list = list.await;
        assert!(list.is_sorted_by(|one, other| one.created_at >= other.created_at));
        let mut ids: Vec<_> = list.iter().map(|event| event.id).collect();
        ids.sort();
        assert_eq!(ids, made);
    }
}
