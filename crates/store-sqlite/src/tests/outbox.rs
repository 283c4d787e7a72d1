//! What an enqueue and a claim touch, and what they know of a database that is older.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ToSql};
use switchboard_model::{BotId, WorkflowId, WorkflowStatus};
use switchboard_store::contract::world::{World, all, delivered, json, tags};
use switchboard_store::{
    Claim, ClaimedDelivery, DeliveryRecordStatus, DeliveryStore as _, EventFilter, EventStore as _,
    Lane, LostSends, NewWorkflow, Outcome, Rekeyed, Store as _, Subject,
};

use super::{One, database, folder, plan, steps};
use crate::outbox::look;
use crate::{SqliteStore, delivery, event, outbox, record, schema, workflow};

const ENTRIES: &str = "SELECT name, sum(ncell) FROM dbstat
    WHERE name LIKE 'delivery_%' GROUP BY name";

/// How many entries each index of deliveries has.
fn entries(path: &Path) -> BTreeMap<String, u64> {
    let beside = Connection::open(path).unwrap();
    let mut statement = beside.prepare(ENTRIES).unwrap();
    let rows = statement.query_map([], |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// So many updates, each in a thread of its own or all in one.
async fn fill(world: &World, from: u64, count: u64, threads: u64) {
    let numbers: Vec<u64> = (from..from + count).collect();
    for part in numbers.chunks(200) {
        let updates = part.iter().map(|number| {
            let thread = (number % threads).to_string();
            world.update(&thread, &thread, &number.to_string(), Some(*number))
        });
        world.ingest(updates.collect()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enqueue_enters_no_line_and_a_claim_each_once() {
    const COUNT: u64 = 600;
    let folder = folder();
    let path = database(&folder);
    let world = World::new(&One(path.clone())).await;
    fill(&world, 0, COUNT, 200).await;
    let of = |name: &str| entries(&path).get(name).copied().unwrap_or(0);
    let ordered = ["delivery_line", "delivery_first", "delivery_again"];
    assert_eq!(of("delivery_new"), COUNT);
    assert_eq!(ordered.map(of), [0; 3]);

    let claim = |limit| Claim {
        limit,
        ..world.a_claim(Lane::Bots)
    };
    // As many as it takes, and no more are looked at.
    let three = world.store.claim(claim(3)).await.unwrap().deliveries;
    assert_eq!(three.len(), 3);
    assert_eq!(of("delivery_new"), COUNT - 3);
    assert_eq!(of("delivery_line"), 3);
    let rest = world.store.claim(claim(1_000)).await.unwrap();
    assert_eq!(rest.deliveries.len(), 197, "of each line the first");
    assert_eq!(of("delivery_new"), COUNT - 3 - look::AT_ONCE as u64);
    assert_eq!(rest.next_due, Some(world.now()), "more is to be looked at");
    let none = world.store.claim(claim(1_000)).await.unwrap();
    assert!(none.deliveries.is_empty());
    assert_eq!(of("delivery_new"), 0);
    assert_eq!(of("delivery_line"), COUNT);
    assert!(none.next_due.unwrap() > world.now(), "the end of a lease");
    for one in three.iter().chain(&rest.deliveries) {
        assert!(world.finish(one, delivered()).await);
    }
    assert_eq!(of("delivery_line"), COUNT - 200);
    assert_eq!(of("delivery_first"), 200, "the second of each line");
}

/// Each in its index; a scan would cost what waits, or all that was.
#[test]
fn what_reads_the_outbox_reads_an_index() {
    let mut connection = Connection::open_in_memory().unwrap();
    schema::migrate(&mut connection).unwrap();
    let pending = format!("SELECT e.id FROM event e WHERE {}", event::PENDING);
    let pending_messages = format!(
        "SELECT m.id FROM message m WHERE {}",
        event::PENDING_MESSAGES
    );
    for (sql, indexes) in [
        (look::FIRST, vec!["delivery_new (destination=?)"]),
        (look::ANY, vec!["delivery_new (destination=?)"]),
        (
            look::BUSY,
            vec!["delivery_line (destination=? AND conversation=?)"],
        ),
        (
            look::ANEW,
            vec!["delivery_line (destination=? AND conversation=?)"],
        ),
        (
            outbox::NEXT,
            vec!["delivery_line (destination=? AND conversation=?)"],
        ),
        (
            delivery::ACTIVE,
            vec!["delivery_line (destination=? AND conversation=?)"],
        ),
        (
            delivery::ACTIVE_OR_NEW,
            vec![
                "delivery_line (destination=? AND conversation=?)",
                "delivery_new (destination=?)",
            ],
        ),
        (
            workflow::UNTOLD,
            vec!["delivery_line (destination=? AND conversation=?)"],
        ),
        (
            workflow::UNTOLD_NEW,
            vec!["event_workflow (workflow=?)", "delivery_event (event=?)"],
        ),
        (
            &pending,
            vec![
                "delivery_new (destination=?)",
                "delivery_line (destination=? AND conversation>?)",
                "delivery_first (destination=?)",
                "delivery_again (destination=?)",
                "delivery_leased (destination=?)",
            ],
        ),
        (
            &pending_messages,
            vec![
                "delivery_new (destination=?)",
                "delivery_line (destination=? AND conversation>?)",
            ],
        ),
    ] {
        let plan = plan(&connection, sql);
        for index in indexes {
            let found = plan.iter().any(|step| step.ends_with(index));
            assert!(found, "{sql}: {plan:?} without {index}");
        }
        let scans = plan.iter().any(|step| step.starts_with("SCAN"));
        let sorts = plan.iter().any(|step| step.contains("TEMP B-TREE"));
        assert!(!scans && !sorts, "{sql}: {plan:?}");
    }
}

/// The next that is new is found in the same steps, however many wait and were there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_costs_the_same_however_much_waits() {
    let folder = folder();
    let path = database(&folder);
    let world = World::new(&One(path.clone())).await;
    let beside = Connection::open(&path).unwrap();
    let steps = |sql: &str, parameters: &[&dyn ToSql]| steps(&beside, sql, parameters);
    fill(&world, 0, 5, 5).await;
    let few = steps(look::FIRST, &[&0]);
    fill(&world, 5, 2_000, 5).await;
    assert_eq!(steps(look::FIRST, &[&0]), few);
    world.claim(Lane::Bots).await;
    assert_eq!(steps(look::FIRST, &[&0]), few);
}

/// Deliveries of an older database go on from where they are, and what is new comes behind them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_database_keeps_its_lines() {
    const BEFORE: usize = 13;
    let folder = folder();
    let path = database(&folder);
    let mut old = Connection::open(&path).unwrap();
    schema::migrate_to(&mut old, BEFORE).unwrap();
    old.execute_batch(
        "INSERT INTO bot VALUES (1, x'00000000000000000000000000000001', 'b', 1);
        INSERT INTO integration (id, public, bot, alias, platform, webhook_id, active, created_at,
            updated_at) VALUES (1, randomblob(16), 1, 'telegram', 'telegram', 'w', 1, 1, 1);
        INSERT INTO conversation (id, public, bot, integration, channel, tags, created_at,
            updated_at) VALUES (1, randomblob(16), 1, 1, 'c', '{}', 1, 1);
        INSERT INTO event (id, public, bot, kind, payload, conversation, created_at)
            SELECT value, randomblob(16), 1, printf('k%d', value), '{}', 1, 1
            FROM json_each('[1, 2, 3, 4, 5]');
        INSERT INTO delivery (public, bot, destination, conversation, event, status, due_at,
            leased_until, trying_since, created_at)
            SELECT randomblob(16), 1, 0, 1, value, iif(value = 1, 3, iif(value = 2, 2, 0)), 1,
                iif(value = 2, 100, NULL), iif(value = 2, 1, NULL), 1
            FROM json_each('[1, 2, 3, 4]');",
    )
    .unwrap();
    drop(old);
    let store = SqliteStore::open(&path).unwrap();
    let bot = BotId::from_bytes(1_u128.to_be_bytes());
    let now = switchboard_model::Timestamp::from_millis(50);
    let insert = store.write(move |tx| {
        let new = outbox::Enqueue {
            id: switchboard_model::DeliveryId::from_bytes([7; 16]),
            bot: 1,
            destination: outbox::BOTS,
            conversation: Some(1),
            event: Some(5),
            message: None,
            action: outbox::SEND,
            now,
        };
        outbox::enqueue(tx, new)
    });
    insert.await.unwrap();
    let pending = store.list_deliveries(bot, Some(DeliveryRecordStatus::Pending), None, all());
    assert_eq!(pending.await.unwrap().items.len(), 3);
    let filter = EventFilter {
        status: Some(switchboard_model::EventStatus::Pending),
        ..EventFilter::default()
    };
    let events = store.list_events(bot, filter, all()).await.unwrap().items;
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["k5", "k4", "k3", "k2"]);

    let lost = LostSends::Retry;
    assert_eq!(store.release_in_flight(now, lost).await.unwrap(), 1);
    for expected in ["k2", "k3", "k4", "k5"] {
        let claim = Claim {
            lane: Lane::Bots,
            limit: 10,
            again: 10,
            lease: std::time::Duration::from_mins(1),
            lost,
            now,
        };
        let claimed = store.claim(claim).await.unwrap().deliveries;
        assert_eq!(claimed.len(), 1);
        let Subject::Event(event) = &claimed[0].subject else {
            panic!("an event");
        };
        assert_eq!(event.kind, expected);
        let finish = switchboard_store::Finish {
            id: claimed[0].id,
            epoch: claimed[0].epoch,
            outcome: delivered(),
            now,
        };
        assert!(store.finish(finish).await.unwrap());
    }
    store.close().await.unwrap();
}

/// What a merge leaves in flight may be younger than what waits; a workflow that goes from among that
/// lets nothing past it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_that_goes_makes_no_second_head_of_its_line() {
    let folder = folder();
    let world = World::new(&One(database(&folder))).await;
    let say = async |thread: &str| {
        world
            .ingest(vec![world.update(thread, "7", thread, None)])
            .await
    };
    say("1").await;
    let [old, new] = [world.thread("1").await.id, world.thread("2").await.id];
    let workflow = NewWorkflow {
        id: WorkflowId::new(world.env.ulid()),
        bot: world.bot,
        name: "order".to_owned(),
        status: WorkflowStatus::Pending,
        event: None,
        input: json("{}"),
        parent: None,
        conversation: Some(old),
        user: None,
        tags: tags([]),
        timeout_at: world.now().plus(Duration::from_hours(1)),
        now: world.now(),
    };
    let workflow = world.store.create_workflow(workflow).await.unwrap().id;
    say("2").await;
    let both = world.claim(Lane::Bots).await.deliveries;
    assert_eq!(both.len(), 2);
    let place = |one: &ClaimedDelivery| match &one.subject {
        Subject::Event(event) => event.conversation,
        other => panic!("{other:?}"),
    };
    let of_old = both.iter().find(|one| place(one) == Some(old)).unwrap();
    let in_flight = both.iter().find(|one| place(one) == Some(new)).unwrap();
    let again = Outcome::Retry {
        after: Duration::ZERO,
        error: "503".to_owned(),
        uncertain: false,
        counts: true,
    };
    assert!(world.finish(of_old, again).await);
    let rekey = world.renamed(old, "2");
    let merged = world.store.rekey_conversation(rekey).await.unwrap();
    assert!(matches!(merged, Rekeyed::Merged { .. }), "{merged:?}");
    assert!(world.claim(Lane::Bots).await.deliveries.is_empty());

    let gone = world
        .store
        .delete_workflow(world.bot, workflow, world.now());
    assert!(gone.await.unwrap());
    world.pass(Duration::from_secs(1));
    assert!(world.claim(Lane::Bots).await.deliveries.is_empty());
    assert!(world.finish(in_flight, delivered()).await);
    let next = world.claim_one(Lane::Bots).await;
    assert_eq!(next.id, of_old.id);
}

/// What waits for a person is found without a look at what was dismissed, in the order of the list.
#[test]
fn lists_of_what_was_given_up_are_ranges_of_an_index() {
    let mut connection = Connection::open_in_memory().unwrap();
    schema::migrate(&mut connection).unwrap();
    for status in [record::DEAD, record::UNCERTAIN, record::DISMISSED] {
        let sql =
            format!("SELECT d.id FROM delivery d WHERE d.bot = 1 AND {status} ORDER BY d.id DESC");
        let plan = plan(&connection, &sql);
        let [step] = &plan[..] else {
            panic!("{plan:?}");
        };
        assert!(
            step.contains("delivery_failed (bot=? AND <expr>=?)"),
            "{step}"
        );
    }
}
