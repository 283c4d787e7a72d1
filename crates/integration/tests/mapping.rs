//! The conversation layer as a user of the trait meets it.

#![allow(clippy::unwrap_used)] // A test fails where its helpers do.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use switchboard_engine::access::BUILT_IN;
use switchboard_engine::{Engine, Vault};
use switchboard_integration::{
    Context, Conversations, DefaultMapping, Definition, Integration, NewConversation, NewUser,
    Users,
};
use switchboard_model::{Conversation, Error, Integration as Installed, Kind, Result, UserId};
use switchboard_store_sqlite::SqliteStore;
use tempfile::TempDir;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

const TASKS: usize = 64;
const THREADS: usize = 200;

/// An integration whose author looks up, then creates, as the platform's documentation does.
struct LookThenCreate;

impl Integration for LookThenCreate {
    fn definition(&self) -> Definition {
        Definition {
            platform: "telegram",
            channels: &["channel"],
        }
    }
    fn conversations(&self) -> &dyn Conversations {
        self
    }
}

#[async_trait]
impl Conversations for LookThenCreate {
    async fn get_or_create_conversation(&self, ctx: &Context, id: &str) -> Result<Conversation> {
        if let Some(found) = ctx.bp.conversations().get_by_id(id).await? {
            return Ok(found);
        }
        // Gives the others every chance to slip in between.
        tokio::task::yield_now().await;
        match self.create_conversation(ctx, id).await {
            Err(Error::ConversationExists { existing, .. }) => {
                ctx.bp.conversations().get(existing).await
            }
            created => created,
        }
    }
}

async fn installed() -> (Engine, Vec<Installed>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("switchboard.db")).unwrap();
    let (env, _clock) = switchboard_model::testing::environment(7);
    let engine = Engine::new(Arc::new(store), env, Vault::new(&[3; 32]).unwrap());
    let bot = engine.create_bot("test", &BUILT_IN, None).await.unwrap();
    (engine, bot.integrations, folder)
}

async fn context() -> (Context, TempDir) {
    let (engine, integrations, folder) = installed().await;
    let ctx = Context::new(engine, integrations[0].clone(), "channel");
    (ctx, folder)
}

/// Runs `call` from all tasks at once for each thread; the answers by thread.
async fn race<T, F, Fut>(ctx: &Context, call: F) -> HashMap<usize, Vec<T>>
where
    T: Send + 'static,
    F: Fn(Context, String) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = T> + Send,
{
    let start = Arc::new(Barrier::new(TASKS));
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (ctx, call, start) = (ctx.clone(), call.clone(), start.clone());
        tasks.spawn(async move {
            start.wait().await;
            let mut answers = Vec::new();
            for thread in 0..THREADS {
                answers.push((thread, call(ctx.clone(), format!("-100{thread}")).await));
            }
            answers
        });
    }
    let mut all: HashMap<_, Vec<_>> = HashMap::new();
    while let Some(joined) = tasks.join_next().await {
        for (thread, answer) in joined.unwrap() {
            all.entry(thread).or_default().push(answer);
        }
    }
    all
}

/// For each thread all answers are one object, made once, and another than any other thread's.
fn one_each<T, Id: std::hash::Hash + Eq>(
    answers: &HashMap<usize, Vec<T>>,
    told: impl Fn(&T) -> (Id, bool),
) {
    let mut all = HashSet::new();
    for answers in answers.values() {
        let ids: HashSet<_> = answers.iter().map(|answer| told(answer).0).collect();
        assert_eq!(ids.len(), 1);
        assert_eq!(answers.iter().filter(|answer| told(answer).1).count(), 1);
        all.extend(ids);
    }
    assert_eq!(all.len(), THREADS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_callers_for_one_thread_get_one_conversation_and_one_is_told_it_is_new() {
    let (ctx, _folder) = context().await;
    let answers = race(&ctx, |ctx, id| async move {
        ctx.bp
            .conversations()
            .get_or_create(NewConversation::new(id, "telegram"))
            .await
            .unwrap()
    })
    .await;
    one_each(&answers, |found| (found.value.id, found.created));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_callers_for_one_person_get_one_user_and_one_is_told_it_is_new() {
    let (ctx, _folder) = context().await;
    let answers = race(&ctx, |ctx, id| async move {
        ctx.bp
            .users()
            .get_or_create(NewUser::new(id))
            .await
            .unwrap()
    })
    .await;
    one_each(&answers, |found| (found.value.id, found.created));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn look_then_create_by_many_at_once_still_ends_with_one_conversation() {
    let (ctx, _folder) = context().await;
    let answers = race(&ctx, |ctx, id| async move {
        LookThenCreate
            .conversations()
            .get_or_create_conversation(&ctx, &id)
            .await
            .unwrap()
            .id
    })
    .await;
    let all: HashSet<_> = answers
        .values()
        .map(|ids| {
            assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 1);
            ids[0]
        })
        .collect();
    assert_eq!(all.len(), THREADS);
}

#[tokio::test]
async fn the_loser_of_a_create_is_told_who_won_and_an_unknown_id_is_nothing() {
    let (ctx, _folder) = context().await;
    assert_eq!(ctx.bp.conversations().get_by_id("501").await.unwrap(), None);
    let first = DefaultMapping
        .create_conversation(&ctx, "501")
        .await
        .unwrap();
    let second = DefaultMapping.create_conversation(&ctx, "501").await;
    assert_eq!(
        second,
        Err(Error::ConversationExists {
            external_id: "501".to_owned(),
            existing: first.id
        })
    );
    assert_eq!(
        ctx.bp
            .conversations()
            .get_by_id("501")
            .await
            .unwrap()
            .unwrap(),
        first
    );
    assert_eq!(first.tags.get("id"), Some("501"));

    DefaultMapping.create_user(&ctx, "9").await.unwrap();
    assert!(matches!(
        DefaultMapping.create_user(&ctx, "9").await,
        Err(Error::AlreadyExists { .. })
    ));
}

#[tokio::test]
async fn a_given_user_must_exist_and_joins() {
    let (ctx, _folder) = context().await;
    let user = DefaultMapping.get_or_create_user(&ctx, "9").await.unwrap();
    let new = |user_id| NewConversation {
        user_id,
        ..NewConversation::new("501", "telegram")
    };

    let missing = UserId::from_bytes([7; 16]);
    assert_eq!(
        ctx.bp.conversations().create(new(Some(missing))).await,
        Err(Error::reference("userId", Kind::User, missing))
    );
    assert_eq!(ctx.bp.conversations().get_by_id("501").await.unwrap(), None);

    ctx.bp
        .conversations()
        .create(new(Some(user.id)))
        .await
        .unwrap();
}

#[tokio::test]
async fn only_the_documented_fields_are_taken_and_the_platform_must_fit() {
    let (ctx, _folder) = context().await;
    let new = NewConversation::from_json(&json!({ "id": "501", "platform": "telegram" })).unwrap();
    assert_eq!(new, NewConversation::new("501", "telegram"));

    for (value, field) in [
        (
            json!({ "id": "501", "platform": "telegram", "topic": "x" }),
            "topic",
        ),
        (json!({ "id": 501, "platform": "telegram" }), "id"),
        (
            json!({ "id": "501", "platform": "telegram", "userId": "u1" }),
            "userId",
        ),
        (json!(["501"]), "conversation"),
    ] {
        let Err(Error::InvalidPayload { field: named, .. }) = NewConversation::from_json(&value)
        else {
            panic!("{value} was taken");
        };
        assert_eq!(named, field);
    }
    for (new, field) in [
        (NewConversation::new("501", "slack"), "platform"),
        (NewConversation::new("501", ""), "platform"),
        (NewConversation::new("", "telegram"), "id"),
        (NewConversation::new("5\u{0}1", "telegram"), "id"),
        (NewConversation::new("5".repeat(501), "telegram"), "id"),
    ] {
        let Err(Error::InvalidPayload { field: named, .. }) =
            ctx.bp.conversations().create(new).await
        else {
            panic!("{field} was taken");
        };
        assert_eq!(named, field);
    }
}

#[tokio::test]
async fn nobody_else_s_user_takes_part() {
    let (engine, integrations, _folder) = installed().await;
    let mut contexts = integrations
        .into_iter()
        .map(|integration| Context::new(engine.clone(), integration, "channel"));
    let (ctx, other) = (contexts.next().unwrap(), contexts.next().unwrap());
    let person = || NewUser {
        id: "7".to_owned(),
        ..NewUser::default()
    };
    let stranger = other.bp.users().create(person()).await.unwrap().id;
    let own = ctx.bp.users().create(person()).await.unwrap().id;
    let new = |id: &str, user| NewConversation {
        id: id.to_owned(),
        platform: ctx.integration.platform.clone(),
        user_id: Some(user),
    };
    let conversations = ctx.bp.conversations();
    for refused in [
        conversations.create(new("1", stranger)).await.err(),
        conversations.get_or_create(new("1", stranger)).await.err(),
    ] {
        assert!(
            matches!(
                &refused,
                Some(Error::ReferenceNotFound {
                    kind: Kind::User,
                    ..
                })
            ),
            "{refused:?}"
        );
    }
    assert_eq!(conversations.get_by_id("1").await.unwrap(), None);
    conversations.create(new("1", own)).await.unwrap();
    let bot = UserId::from(ctx.integration.bot);
    conversations.create(new("2", bot)).await.unwrap();
}
