//! What the lists of the values of tags cost, and what they know of a database that is older.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ToSql, params};
use switchboard_model::{BotId, Error};
use switchboard_store::contract::Factory;
use switchboard_store::contract::world::{World, tags};
use switchboard_store::{
    GetOrCreateUser, Store, TagKind, TagValueFilter, TagValuePage, TagValueStore as _, TagValues,
};

use super::{Gate, database, folder, plan, steps};
use crate::tag_value::{NAMES, VALUES, last_sql, rows_sql};
use crate::{SqliteStore, rows, schema};

/// Users of the first bot: so many, with this tag as their number.
const CROWD: &str = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
    INSERT INTO user (public, bot, tags, created_at, updated_at)
    SELECT randomblob(16), 1, json_object('n', printf('%06d', n), 'lang', iif(n % 3, 'en', 'fr')),
        n, n FROM n";
const MARKS: &str = "SELECT sum(upto) FROM tag_mark";

/// Gives the one store that it was given.
pub(super) struct Given(pub(super) SqliteStore);

#[async_trait::async_trait]
impl Factory for Given {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.0.clone())
    }

    async fn reopen(&self, _: Arc<dyn Store>) -> Arc<dyn Store> {
        self.open().await
    }
}

async fn page(store: &SqliteStore, bot: BotId, name: &str, limit: usize) -> TagValues {
    ask(store, bot, name, None, limit).await.unwrap()
}

async fn ask(
    store: &SqliteStore,
    bot: BotId,
    name: &str,
    after: Option<String>,
    limit: usize,
) -> Result<TagValues, Error> {
    let filter = TagValueFilter {
        kind: TagKind::User,
        name: name.to_owned(),
        integration: None,
    };
    let page = TagValuePage { after, limit };
    store.list_tag_values(bot, filter, page).await
}

async fn crowd(store: &SqliteStore, count: i64) {
    let write = store.write(move |tx| rows::execute(tx.connection, CROWD, [count]));
    write.await.unwrap();
}

async fn gather_all(store: &SqliteStore) -> Vec<usize> {
    let mut steps = Vec::new();
    loop {
        match store.gather_tag_values().await.unwrap() {
            0 => return steps,
            some => steps.push(some),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_values_costs_what_it_shows() {
    let folder = folder();
    let path = database(&folder);
    let store = SqliteStore::open(&path).unwrap();
    let world = World::new(&Given(store.clone())).await;
    let beside = Connection::open(&path).unwrap();
    let steps = |sql: &str, parameters: &[&dyn ToSql]| steps(&beside, sql, parameters);
    crowd(&store, 100_000).await;
    assert_eq!(gather_all(&store).await, vec![1000; 100]);
    let listed = page(&store, world.bot, "lang", 20).await;
    assert_eq!(listed.values, ["en", "fr"]);

    // 100,000 values of one name, and two of another, from the middle as from the start.
    let name = |name: &str| {
        let keys = params![1, 1, name, None::<i64>];
        rows::value::<i64>(&beside, NAMES, keys).unwrap().unwrap()
    };
    for (name, after) in [
        (name("n"), ""),
        (name("n"), "050000"),
        (name("n"), "099999"),
        (name("lang"), ""),
    ] {
        let taken = steps(VALUES, params![name, after, 21]);
        assert!(taken < 300, "{taken} steps behind {after:?}");
    }
    let taken = steps(NAMES, params![1, 1, "n", None::<i64>]);
    assert!(taken < 100, "{taken} steps to the name");
    for kind in TagKind::ALL {
        let taken = steps(last_sql(kind), params![]);
        assert!(taken < 30, "{taken} steps to the last row");
        let taken = steps(rows_sql(kind), params![100_001]);
        assert!(taken < 30, "{taken} steps where nothing is new");
    }
}

#[test]
fn no_part_of_it_walks_or_sorts() {
    let folder = folder();
    let path = database(&folder);
    drop(SqliteStore::open(&path).unwrap());
    let connection = Connection::open(&path).unwrap();
    let kinds = TagKind::ALL.map(rows_sql);
    for sql in [NAMES, VALUES].into_iter().chain(kinds) {
        for line in plan(&connection, sql) {
            assert!(line.starts_with("SEARCH"), "{sql}: {line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_new_costs_its_writer_nothing_and_waits_for_a_whole_step() {
    let folder = folder();
    let path = database(&folder);
    let store = SqliteStore::open(&path).unwrap();
    let world = World::new(&Given(store.clone())).await;
    let beside = Connection::open(&path).unwrap();
    let marks = || rows::value::<i64>(&beside, MARKS, []).unwrap().unwrap();
    for number in 0..50 {
        let id = number.to_string();
        world.ingest(vec![world.update(&id, &id, &id, None)]).await;
    }
    assert_eq!(
        gather_all(&store).await,
        [0; 0],
        "too few to be worth a commit"
    );
    assert_eq!(marks(), 0);
    let count = "SELECT count(*) FROM tag_value";
    assert_eq!(rows::value::<i64>(&beside, count, []).unwrap(), Some(0));

    // While others wait for the writer nothing is gathered.
    crowd(&store, 1000).await;
    let gate = Gate::shut(&store);
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.ping().await }
    });
    while !store.is_waited_for() {
        tokio::task::yield_now().await;
    }
    let none = tokio::time::timeout(Duration::from_secs(30), store.gather_tag_values());
    assert_eq!(none.await.unwrap(), Ok(0));
    drop(gate);
    waiting.await.unwrap().unwrap();
    assert_eq!(gather_all(&store).await, [1000]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_is_bounded_by_its_tags_too() {
    const SQL: &str =
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
        INSERT INTO user (public, bot, tags, created_at, updated_at)
        SELECT randomblob(16), 1, ?2, n, n FROM n";
    let folder = folder();
    let path = database(&folder);
    let store = SqliteStore::open(&path).unwrap();
    let world = World::new(&Given(store.clone())).await;
    let many: switchboard_model::Tags = (0..100).map(|n| (format!("n{n:02}"), "x")).collect();
    let text = serde_json::to_string(&many).unwrap();
    let write = store.write(move |tx| rows::execute(tx.connection, SQL, params![1000, text]));
    write.await.unwrap();
    let first = store.gather_tag_values().await.unwrap();
    assert!(first <= 60, "{first} rows of 100 tags");
    assert_eq!(page(&store, world.bot, "n99", 5).await.values, ["x"]);
    let beside = Connection::open(&path).unwrap();
    let count = "SELECT count FROM tag_value JOIN tag_name n ON n.id = tag_value.name
        WHERE n.name = 'n99'";
    assert_eq!(rows::value::<i64>(&beside, count, []).unwrap(), Some(1000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_waits_only_so_long_and_the_next_one_comes_further() {
    let folder = folder();
    let path = database(&folder);
    let store = SqliteStore::open(&path).unwrap();
    let world = World::new(&Given(store.clone())).await;
    crowd(&store, 150_000).await;
    let refused = ask(&store, world.bot, "lang", None, 5).await;
    let Err(Error::Unavailable { reason }) = refused else {
        panic!("{refused:?}");
    };
    assert!(
        reason.contains("100000 of 150001") && reason.contains("ask again"),
        "{reason}"
    );
    assert_eq!(
        page(&store, world.bot, "lang", 5).await.values,
        ["en", "fr"]
    );
}

/// An older database is taken as it is, at once; its values are gathered afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_database_is_gathered_from_its_first_row_on() {
    const BEFORE: usize = 6;
    let folder = folder();
    let path = database(&folder);
    let mut old = Connection::open(&path).unwrap();
    schema::migrate_to(&mut old, BEFORE).unwrap();
    old.execute_batch(
        "INSERT INTO bot VALUES (1, x'00000000000000000000000000000001', 'b', 1);
        INSERT INTO integration (id, public, bot, alias, platform, webhook_id, active, created_at,
            updated_at) VALUES (1, randomblob(16), 1, 'telegram', 'telegram', 'w', 1, 1, 1);
        INSERT INTO conversation (id, public, bot, integration, channel, tags, created_at,
            updated_at, deleted_at) VALUES
            (1, randomblob(16), 1, 1, 'c', '{\"k\":\"kept\"}', 1, 1, NULL),
            (2, randomblob(16), 1, 1, 'c', '{\"k\":\"gone\"}', 1, 1, 5);",
    )
    .unwrap();
    old.execute(CROWD, [3000]).unwrap();
    old.execute_batch(
        "INSERT INTO message (public, bot, conversation, user, direction, kind, payload, tags,
            synthetic, seq, created_at, updated_at)
        SELECT randomblob(16), 1, 1, 1, 0, 'text', '{}', json_object('telegram:id', printf('%d', id)), 0, id, 1, 1
            FROM user;",
    )
    .unwrap();
    drop(old);
    let store = SqliteStore::open(&path).unwrap();
    let bot = BotId::from_bytes(1_u128.to_be_bytes());
    let of = async |kind, name: &str, integration| {
        let filter = TagValueFilter {
            kind,
            name: name.to_owned(),
            integration,
        };
        let page = TagValuePage {
            after: None,
            limit: 10_000,
        };
        let listed = store.list_tag_values(bot, filter, page).await;
        listed.unwrap().values
    };
    assert_eq!(of(TagKind::Conversation, "k", None).await, ["kept"]);
    assert_eq!(of(TagKind::User, "lang", None).await, ["en", "fr"]);
    // Messages come without a question, too.
    assert_eq!(gather_all(&store).await, [1000; 3]);
    let integrations = switchboard_store::AccessStore::list_integrations(&store, bot);
    let telegram = integrations.await.unwrap()[0].id;
    let messages = of(TagKind::Message, "telegram:id", Some(telegram)).await;
    assert_eq!(messages.len(), 3000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_value_is_left_of_leaves_no_row() {
    let folder = folder();
    let path = database(&folder);
    let store = SqliteStore::open(&path).unwrap();
    let world = World::new(&Given(store.clone())).await;
    let beside = Connection::open(&path).unwrap();
    let left = || {
        let sql = "SELECT (SELECT count(*) FROM tag_name) + (SELECT count(*) FROM tag_value)";
        rows::value::<i64>(&beside, sql, []).unwrap().unwrap()
    };
    let mut command: GetOrCreateUser = world.new_user("7");
    command.user.tags = tags([("telegram:id", "7"), ("mail", "ann@example.com")]);
    let user = world.store.get_or_create_user(command).await.unwrap();
    assert_eq!(page(&store, world.bot, "mail", 5).await.values.len(), 1);
    assert_eq!(left(), 4);
    let id = user.value.id;
    let delete = world.store.delete_user(world.bot, id, world.now());
    assert!(delete.await.unwrap());
    assert_eq!(left(), 0);
}
