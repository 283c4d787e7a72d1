//! What the tests of this folder share: the case file, a Bot API server that answers by script, and
//! an engine with a bot.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use switchboard_engine::access::Install;
use switchboard_engine::{Condition, Engine, Vault};
use switchboard_model::testing::{self, ManualClock};
use switchboard_model::{
    ConversationId, Direction, Event, Integration, Json, Message, MessageId, Tags, Timestamp,
    UserId,
};
use switchboard_store::{EventFilter, PageRequest};
use switchboard_store_sqlite::SqliteStore;
use tempfile::TempDir;

use super::files::Links;
use super::{Account, AccountConfig, Pacing, Timing};

pub(super) const TOKEN: &str = "7000000001:SECRET-token_x";

/// A case of the shared files, by id.
pub(super) fn case(id: &str) -> Value {
    [
        include_str!("../../../../tests/fixtures/cases/telegram.jsonl"),
        include_str!("../../../../tests/fixtures/cases/telegram-more.jsonl"),
    ]
    .iter()
    .flat_map(|text| text.lines())
    .map(|line| serde_json::from_str::<Value>(line).unwrap())
    .find(|case| case["id"] == id)
    .unwrap_or_else(|| panic!("there is no case {id}"))
}

/// One call that was made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) body: Value,
}

/// One answer to give.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Json(u16, Value),
    Text(u16, &'static str),
    Bytes(Vec<u8>),
    /// Status, `Retry-After`, body.
    RetryAfter(u16, &'static str, &'static str),
    Redirect(&'static str),
    Hang,
}

impl Reply {
    pub(super) fn ok(result: &Value) -> Self {
        Self::Json(200, json!({ "ok": true, "result": result }))
    }

    pub(super) fn refused(code: u16, description: &str) -> Self {
        Self::Json(
            code,
            json!({ "ok": false, "error_code": code, "description": description }),
        )
    }
}

#[derive(Default)]
struct Script {
    calls: Vec<Call>,
    replies: VecDeque<(String, Reply)>,
    next_message: i64,
}

/// A Bot API server on the loopback. Scripted replies come first, each once, in order; after them
/// everything is accepted.
#[derive(Clone)]
pub(super) struct Api {
    pub(super) url: String,
    script: Arc<Mutex<Script>>,
}

impl Api {
    pub(super) async fn start() -> Self {
        let script = Arc::new(Mutex::new(Script::default()));
        let router = Router::new().fallback(answer).with_state(script.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, script }
    }

    pub(super) fn script(&self, method: &str, reply: Reply) {
        let mut script = self.script.lock().unwrap();
        script.replies.push_back((method.to_owned(), reply));
    }

    /// The methods that were called, in order.
    pub(super) fn methods(&self) -> Vec<String> {
        let script = self.script.lock().unwrap();
        let calls = script.calls.iter();
        calls.map(|call| call.method.clone()).collect()
    }

    pub(super) fn calls(&self, method: &str) -> Vec<Value> {
        let script = self.script.lock().unwrap();
        script
            .calls
            .iter()
            .filter(|call| call.method == method)
            .map(|call| call.body.clone())
            .collect()
    }
}

async fn answer(State(script): State<Arc<Mutex<Script>>>, uri: Uri, body: Bytes) -> Response {
    let file = uri.path().strip_prefix(&format!("/file/bot{TOKEN}/"));
    let call = uri.path().strip_prefix(&format!("/bot{TOKEN}/"));
    let method = file.map_or_else(
        || call.expect("the token").to_owned(),
        |path| format!("file:{path}"),
    );
    let reply = {
        let mut script = script.lock().unwrap();
        script.calls.push(Call {
            method: method.clone(),
            body: serde_json::from_slice(&body).unwrap_or_default(),
        });
        let scripted = script.replies.iter().position(|(name, _)| *name == method);
        scripted
            .and_then(|at| script.replies.remove(at))
            .map_or_else(
                || {
                    script.next_message += 1;
                    accept(&method, script.next_message)
                },
                |(_, reply)| reply,
            )
    };
    match reply {
        Reply::Json(status, body) => {
            (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
        }
        Reply::Text(status, body) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        Reply::Bytes(body) => body.into_response(),
        Reply::RetryAfter(status, after, body) => {
            let status = StatusCode::from_u16(status).unwrap();
            (status, [("retry-after", after)], body).into_response()
        }
        Reply::Redirect(to) => (StatusCode::FOUND, [("location", to)]).into_response(),
        Reply::Hang => std::future::pending().await,
    }
}

fn accept(method: &str, next_message: i64) -> Reply {
    match method {
        send if send.starts_with("send") => Reply::ok(&json!({ "message_id": next_message })),
        "getUpdates" => Reply::Hang,
        _ => Reply::ok(&json!(true)),
    }
}

/// A bot with a Telegram integration.
pub(super) struct Bench {
    pub(super) engine: Engine,
    pub(super) integration: Integration,
    pub(super) clock: ManualClock,
    _folder: TempDir,
}

impl Bench {
    pub(super) async fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap()).await
    }

    /// One whose commits wait for no disk, where the system has a folder in memory.
    pub(super) async fn on_no_disk() -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self::in_folder(folder.unwrap()).await
    }

    async fn in_folder(folder: TempDir) -> Self {
        let store = SqliteStore::open(&folder.path().join("db")).unwrap();
        let (env, clock) = switchboard_model::testing::environment(1);
        let engine = Engine::new(Arc::new(store), env, Vault::new(&[0; 32]).unwrap());
        let telegram = Install {
            alias: "telegram",
            platform: "telegram",
            active: true,
        };
        let bot = engine.create_bot("test", &[telegram], None).await.unwrap();
        Self {
            engine,
            integration: bot.integrations[0].clone(),
            clock,
            _folder: folder,
        }
    }

    /// An account that takes no longer than a test may.
    pub(super) fn account(&self, api_url: &str) -> Arc<Account> {
        self.scripted(api_url, None)
    }

    /// One whose threads a script maps.
    pub(super) fn scripted(
        &self,
        api_url: &str,
        script: Option<switchboard_script::Script>,
    ) -> Arc<Account> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let short = Duration::from_millis(20);
        let config = AccountConfig {
            engine: self.engine.clone(),
            integration: self.integration.clone(),
            token: TOKEN.to_owned().into(),
            api_url: api_url.to_owned(),
            own_url: "http://127.0.0.1:4000/".to_owned(),
            script,
            pacing: Pacing::Fresh,
            timing: Timing {
                poll: Duration::from_secs(1),
                request: Duration::from_secs(5),
                idle: short,
                retry: short,
                conflict: short,
                calm: Duration::from_secs(30),
                refused: short,
                longest: short * 4,
                watch: short,
            },
        };
        Arc::new(Account::new(config).unwrap())
    }

    /// What the bot is told, oldest first.
    pub(super) async fn events(&self) -> Vec<Event> {
        let filter = EventFilter::default();
        let page = PageRequest {
            after: None,
            limit: 1000,
        };
        let page = self
            .engine
            .store()
            .list_events(self.integration.bot, filter, page)
            .await;
        let mut events = page.unwrap().items;
        events.reverse();
        events
    }

    pub(super) fn condition(&self) -> Option<Condition> {
        let all = self.engine.health().all();
        all.into_iter()
            .find(|(id, _)| *id == self.integration.id)
            .map(|(_, condition)| condition)
    }
}

/// Where files are found.
pub(super) fn links() -> Links {
    Links {
        base: "http://127.0.0.1:4000".to_owned(),
        integration: "int_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(),
        vault: Vault::new(&[0; 32]).unwrap(),
    }
}

/// A message that a bot sends.
pub(super) fn outgoing(kind: &str, payload: &Value) -> Message {
    let (env, _clock) = testing::environment(1);
    let at = Timestamp::default();
    Message {
        id: MessageId::new(env.ulid()),
        conversation: ConversationId::new(env.ulid()),
        user: UserId::new(env.ulid()),
        direction: Direction::Outgoing,
        kind: kind.to_owned(),
        payload: Json::from_serialize(payload).unwrap(),
        tags: Tags::new(),
        synthetic: false,
        seq: 1,
        created_at: at,
        updated_at: at,
        delivery: None,
    }
}

/// Waits until something holds.
pub(super) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..2000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never happened: {what}");
}
