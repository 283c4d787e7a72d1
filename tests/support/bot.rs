//! A bot over HTTP: it records what it is sent and answers as a test tells it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::wait;

/// What the bot was sent.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) event: Value,
    pub(crate) headers: HeaderMap,
    pub(crate) at: Instant,
    /// The body as it came.
    pub(crate) raw: String,
}

/// What the bot answers.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) after: Duration,
    pub(crate) status: u16,
    pub(crate) header: Option<(&'static str, &'static str)>,
    pub(crate) body: Value,
}

impl Received {
    /// The event's id, the same on each try.
    pub(crate) fn id(&self) -> &str {
        self.event["id"].as_str().expect("an event has an id")
    }

    pub(crate) fn kind(&self) -> &str {
        self.event["type"].as_str().expect("an event has a type")
    }

    /// The text of a message's event.
    pub(crate) fn text(&self) -> Option<&str> {
        self.event["payload"]["message"]["payload"]["text"].as_str()
    }

    pub(crate) fn conversation_id(&self) -> Option<&str> {
        self.event["conversationId"].as_str()
    }
}

impl Reply {
    /// Taken, nothing to say.
    pub(crate) fn nothing() -> Self {
        Self {
            after: Duration::ZERO,
            status: 200,
            header: None,
            body: json!({}),
        }
    }

    /// Texts in answer.
    pub(crate) fn texts(texts: &[&str]) -> Self {
        let messages: Vec<Value> = texts
            .iter()
            .map(|text| json!({ "type": "text", "payload": { "text": text } }))
            .collect();
        Self {
            body: json!({ "messages": messages }),
            ..Self::nothing()
        }
    }

    /// A bare status.
    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::nothing()
        }
    }

    #[must_use]
    pub(crate) fn header(self, name: &'static str, value: &'static str) -> Self {
        Self {
            header: Some((name, value)),
            ..self
        }
    }

    #[must_use]
    pub(crate) fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }
}

type Script = dyn Fn(&Received) -> Reply + Send + Sync;

struct Shared {
    script: Box<Script>,
    received: Mutex<Vec<Received>>,
}

/// A running bot.
pub(crate) struct Bot {
    pub(crate) url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Bot {
    /// Starts a bot that answers by a script.
    pub(crate) async fn start(script: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let shared = Arc::new(Shared {
            script: Box::new(script),
            received: Mutex::new(Vec::new()),
        });
        let router = Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the bot serves");
        });
        Self { url, shared, task }
    }

    /// A bot that only listens.
    pub(crate) async fn silent() -> Self {
        Self::start(|_| Reply::nothing()).await
    }

    /// A bot that answers each text with `echo: <text>`, in its response.
    pub(crate) async fn echo() -> Self {
        Self::start(|received| match received.text() {
            Some(text) => Reply::texts(&[&format!("echo: {text}")]),
            None => Reply::nothing(),
        })
        .await
    }

    /// All it was sent, each try by itself.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().expect("not poisoned").clone()
    }

    /// The bodies as they came.
    pub(crate) fn raw(&self) -> Vec<String> {
        self.received().into_iter().map(|got| got.raw).collect()
    }

    /// The texts of messages it was sent, each try by itself.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.received()
            .iter()
            .filter_map(|received| received.text().map(str::to_owned))
            .collect()
    }

    /// Waits until it was sent so many events, tries included.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Received> {
        wait::until(&format!("the bot was sent {count} events"), || async {
            let received = self.received();
            (received.len() >= count).then_some(received)
        })
        .await
    }

    /// Waits until it was sent a message of this text.
    pub(crate) async fn wait_for_text(&self, text: &str) -> Received {
        wait::until(&format!("the bot was sent {text:?}"), || async {
            self.received()
                .into_iter()
                .find(|received| received.text() == Some(text))
        })
        .await
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let text = String::from_utf8(body.to_vec()).expect("an event is UTF-8");
    let body: Value = serde_json::from_str(&text).expect("an event is JSON");
    let received = Received {
        event: body["event"].clone(),
        headers,
        at: Instant::now(),
        raw: text,
    };
    let reply = (shared.script)(&received);
    shared.received.lock().expect("not poisoned").push(received);
    tokio::time::sleep(reply.after).await;
    let status = StatusCode::from_u16(reply.status).expect("a status");
    let mut response = (status, axum::Json(reply.body)).into_response();
    if let Some((name, value)) = reply.header {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
