//! A router over a fresh store, and callers of it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use switchboard_api::{ActionRegistry, Api, FileSources, Limits, Readiness, Webhooks, router};
use switchboard_engine::access::{Install, NewBot};
use switchboard_engine::{
    Definition, Engine, Explanation, IncomingEvent, Update, UpdateContent, Vault,
};
use switchboard_integration::Explain;
use switchboard_model::Integration;
use switchboard_model::testing::{self, ManualClock};
use switchboard_store_sqlite::SqliteStore;
use tempfile::TempDir;
use tower::ServiceExt;

/// The integrations that each bot has.
const INSTALLED: [Install<'static>; 2] = [
    Install {
        alias: "telegram",
        platform: "telegram",
        active: true,
    },
    Install {
        alias: "terminal",
        platform: "terminal",
        active: true,
    },
];

const DEFINITIONS: [Definition; 2] = [
    Definition {
        platform: "telegram",
        channels: &["channel"],
    },
    Definition {
        platform: "terminal",
        channels: &["terminal"],
    },
];

/// Explains each update as an event of no thread, through the engine.
struct NoUpdates(Engine);

#[async_trait::async_trait]
impl Explain for NoUpdates {
    async fn explain(
        &self,
        integration: &Integration,
        raw: &[u8],
    ) -> switchboard_model::Result<Explanation> {
        let update = Update {
            once: Vec::new(),
            content: UpdateContent::Event(IncomingEvent {
                kind: String::from_utf8_lossy(raw).into_owned(),
                payload: switchboard_model::Json::empty(),
                thread: None,
                sender: None,
                moved_from: None,
                edit: None,
                about: None,
                tags: switchboard_model::Tags::new(),
                news: None,
            }),
        };
        self.0.explain(integration, update).await
    }
}

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) store: SqliteStore,
    pub(crate) router: Router,
    pub(crate) webhooks: Webhooks,
    pub(crate) actions: ActionRegistry,
    pub(crate) readiness: Readiness,
    pub(crate) clock: ManualClock,
    pub(crate) bot: NewBot,
    dir: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), limits).await
    }

    /// One whose commits wait for no disk, where the system has a folder in memory.
    pub(crate) async fn on_no_disk() -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self::in_folder(dir.unwrap(), Limits::default()).await
    }

    async fn in_folder(dir: TempDir, limits: Limits) -> Self {
        let store = SqliteStore::open(&dir.path().join("switchboard.db")).unwrap();
        let (env, clock) = testing::environment(7);
        let engine = Engine::new(
            Arc::new(store.clone()),
            env,
            Vault::new(&[7; Vault::KEY_LEN]).unwrap(),
        )
        .with_definitions(DEFINITIONS);
        let webhooks = Webhooks::default();
        let actions = ActionRegistry::default();
        let readiness = Readiness::default();
        readiness.set(true);
        let bot = engine.create_bot("first", &INSTALLED, None).await.unwrap();
        let router = router(Api {
            engine: engine.clone(),
            webhooks: webhooks.clone(),
            files: FileSources::default(),
            actions: actions.clone(),
            readiness: readiness.clone(),
            explain: Arc::new(NoUpdates(engine.clone())),
            limits,
        });
        Self {
            engine,
            store,
            router,
            webhooks,
            actions,
            readiness,
            clock,
            bot,
            dir,
        }
    }

    /// The same data in a new process.
    pub(crate) async fn restart(&mut self) {
        use switchboard_store::Store;
        self.store.close().await.unwrap();
        self.store = SqliteStore::open(&self.dir.path().join("switchboard.db")).unwrap();
        self.engine = Engine::new(
            Arc::new(self.store.clone()),
            self.engine.env().clone(),
            self.engine.vault().clone(),
        )
        .with_definitions(DEFINITIONS);
        self.router = router(Api {
            engine: self.engine.clone(),
            webhooks: self.webhooks.clone(),
            files: FileSources::default(),
            actions: self.actions.clone(),
            readiness: self.readiness.clone(),
            explain: Arc::new(NoUpdates(self.engine.clone())),
            limits: Limits::default(),
        });
    }

    pub(crate) async fn another_bot(&self) -> NewBot {
        self.engine
            .create_bot("another", &INSTALLED, None)
            .await
            .unwrap()
    }

    /// The first bot.
    pub(crate) fn bot(&self) -> Client {
        self.client(&self.bot, None)
    }

    /// Its Telegram integration.
    pub(crate) fn telegram(&self) -> Client {
        self.client(&self.bot, Some(0))
    }

    /// Its terminal integration.
    pub(crate) fn terminal(&self) -> Client {
        self.client(&self.bot, Some(1))
    }

    /// A bot, or its integration of this number.
    pub(crate) fn client(&self, bot: &NewBot, integration: Option<usize>) -> Client {
        let mut headers = vec![
            ("authorization", format!("Bearer {}", bot.token)),
            ("x-bot-id", bot.bot.id.to_string()),
        ];
        if let Some(number) = integration {
            let integration = &bot.integrations[number];
            headers.push(("x-integration-id", integration.id.to_string()));
            headers.push(("x-integration-alias", integration.alias.clone()));
        }
        Client {
            router: self.router.clone(),
            headers,
        }
    }

    /// Who explains updates.
    pub(crate) fn explain(&self) -> Arc<dyn Explain> {
        Arc::new(NoUpdates(self.engine.clone()))
    }

    /// How many rows each table has.
    pub(crate) fn rows(&self) -> std::collections::BTreeMap<String, i64> {
        let database = rusqlite::Connection::open(self.dir.path().join("switchboard.db")).unwrap();
        let mut tables = database
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
            .unwrap();
        let names: Vec<String> = tables
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let count = |name: &String| {
            let question = format!("SELECT count(*) FROM \"{name}\"");
            database.query_row(&question, [], |row| row.get(0)).unwrap()
        };
        names
            .iter()
            .map(|name| (name.clone(), count(name)))
            .collect()
    }

    pub(crate) fn bot_id(&self) -> String {
        self.bot.bot.id.to_string()
    }
}

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) router: Router,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Client {
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(given, _)| *given != name);
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(given, _)| *given != name);
        self
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let request = request.body(body.into()).unwrap();
        Answer::read(self.router.clone().oneshot(request).await.unwrap()).await
    }

    /// Below `/v1/chat`.
    pub(crate) async fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.send(method, &format!("/v1/chat{path}"), body.to_string())
            .await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", &format!("/v1/chat{path}"), Body::empty())
            .await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, &body).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.call("PUT", path, &body).await
    }

    /// As the official client deletes: with the body `{}`.
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, &json!({})).await
    }

    /// A new conversation with these tags, its id.
    pub(crate) async fn conversation(&self, tags: Value) -> String {
        let body = json!({ "channel": "channel", "tags": tags });
        self.post("/conversations", body)
            .await
            .created()
            .id("conversation")
    }

    /// A new user with these tags, its id.
    pub(crate) async fn user(&self, tags: Value) -> String {
        let user = self.post("/users", json!({ "tags": tags })).await;
        user.created().id("user")
    }

    /// A new text message, its id.
    pub(crate) async fn say(&self, conversation: &str, user: &str, text: &str) -> String {
        self.post("/messages", text_message(conversation, user, text))
            .await
            .created()
            .id("message")
    }

    /// All items of a list, page by page. Fails if a page before the end is empty.
    pub(crate) async fn list_all(&self, path: &str, key: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut next = String::new();
        loop {
            let sign = if path.contains('?') { '&' } else { '?' };
            let page = self
                .get(&format!("{path}{sign}nextToken={next}"))
                .await
                .ok();
            let found = page.body[key].as_array().unwrap().clone();
            let token = page.body["meta"]["nextToken"].as_str().map(str::to_owned);
            assert!(!found.is_empty() || token.is_none(), "an empty page");
            items.extend(found);
            match token {
                Some(token) => next = token,
                None => return items,
            }
        }
    }
}

pub(crate) fn text_message(conversation: &str, user: &str, text: &str) -> Value {
    json!({
        "conversationId": conversation,
        "userId": user,
        "type": "text",
        "payload": { "text": text },
        "tags": {},
    })
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) async fn read(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Self {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        }
    }

    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.is(200)
    }

    #[track_caller]
    pub(crate) fn created(self) -> Self {
        self.is(201)
    }

    /// An error of this type, in the official shape.
    #[track_caller]
    pub(crate) fn error(self, status: u16, kind: &str) -> String {
        let answer = self.is(status);
        let body = &answer.body;
        assert_eq!(body["code"], status, "{}", answer.text);
        assert_eq!(body["type"], kind, "{}", answer.text);
        let id = body["id"].as_str().unwrap();
        assert!(id.starts_with("err_") && id.len() == 27, "{id}");
        let fields = body.as_object().unwrap().len();
        assert_eq!(fields, 4, "{}", answer.text);
        body["message"].as_str().unwrap().to_owned()
    }

    /// A 404 with the words that integrations look for.
    #[track_caller]
    pub(crate) fn missing(self) {
        let message = self.error(404, "ResourceNotFound");
        assert!(message.contains("not found"), "{message}");
    }

    #[track_caller]
    pub(crate) fn id(&self, key: &str) -> String {
        self.body[key]["id"].as_str().unwrap().to_owned()
    }
}

/// The values of a field of all items.
pub(crate) fn pluck(items: &[Value], field: &str) -> Vec<String> {
    items
        .iter()
        .map(|item| item[field].as_str().unwrap().to_owned())
        .collect()
}
