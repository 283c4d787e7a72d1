//! The routes that are no operations of the document, read off the source: local administration
//! and what is open to all.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use switchboard_api::admin::{self, Account, Admin, Channels, Check, Doctor};
use switchboard_api::{Limits, URI_LIMIT};
use switchboard_integration::{Explain, Replay, Replayed};
use switchboard_model::{Error, EventId, Integration, Result};

use super::log::Log;
use super::refused;
use crate::support::{Client, World};

const SECRET: &str = "the-secret-of-this-run";

/// A route of the source: its path, and the methods that follow it there.
struct Route {
    path: String,
    methods: Vec<&'static str>,
}

/// Every `.route(…)` of the crate but those of the document, which have another form.
fn routes() -> Vec<Route> {
    fn walk(folder: &Path, found: &mut Vec<Route>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                let prefix = match path.to_str().unwrap() {
                    path if path.contains("/src/admin/") => "/local",
                    path if path.ends_with("/src/explain.rs") => "/v1/switchboard",
                    _ => "",
                };
                read(&text, prefix, found);
            }
        }
    }
    fn read(text: &str, prefix: &str, found: &mut Vec<Route>) {
        let starts: Vec<_> = text.match_indices(".route(").map(|(at, _)| at).collect();
        for (number, start) in starts.iter().enumerate() {
            let end = starts.get(number + 1).copied().unwrap_or(text.len());
            let end = text[*start..end]
                .find(";\n")
                .map_or(end, |length| start + length);
            let rest = &text[*start..end];
            let path = rest.split('"').nth(1).unwrap();
            let methods = [
                ("get(", "GET"),
                ("post(", "POST"),
                ("put(", "PUT"),
                ("delete(", "DELETE"),
                ("any(", "any"),
            ];
            let handlers = rest.split_once('"').unwrap().1;
            let methods: Vec<_> = methods
                .into_iter()
                .filter(|(word, _)| {
                    let mut places = handlers.match_indices(word);
                    places.any(|(at, _)| !handlers[..at].ends_with(char::is_alphabetic))
                })
                .map(|(_, method)| method)
                .collect();
            assert!(!methods.is_empty(), "{rest}");
            found.push(Route {
                path: format!("{prefix}{path}"),
                methods,
            });
        }
    }
    let mut found = Vec::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    walk(&source, &mut found);
    assert!(found.len() > 30, "{}", found.len());
    found
}

/// Nothing runs here.
struct Nothing;

#[async_trait]
impl Channels for Nothing {
    async fn reload(&self, _: Integration) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Doctor for Nothing {
    async fn checks(&self) -> Vec<Check> {
        Vec::new()
    }

    async fn telegram_account(&self, _: &str) -> Account {
        Account::Unreachable("there is no Telegram here".to_owned())
    }
}

#[async_trait]
impl Replay for Nothing {
    async fn replay(&self, _: &Integration, event: EventId, _: bool) -> Result<Replayed> {
        Err(Error::invalid("event", format!("{event} does not wait")))
    }
}

fn administered(world: &World, explain: Arc<dyn Explain>) -> Router {
    let admin = admin::router(Admin {
        engine: world.engine.clone(),
        channels: Arc::new(Nothing),
        doctor: Arc::new(Nothing),
        explain,
        replay: Arc::new(Nothing),
        secret: SECRET.into(),
        limits: Limits::default(),
    });
    world.router.clone().merge(admin)
}

fn filled(path: &str, text: &str) -> String {
    let mut filled = String::new();
    for (number, part) in path.split('/').enumerate() {
        if number > 0 {
            filled.push('/');
        }
        filled.push_str(if part.starts_with('{') { text } else { part });
    }
    filled
}

/// Who asks there is a monitor, a browser or a platform, which may add what they like; and there is
/// nothing to choose, so that nothing can be missed.
fn takes_any_parameter(path: &str) -> bool {
    let open = [
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/docs",
        "/files/",
        "/webhook/",
    ];
    path == "/" || open.iter().any(|open| path.starts_with(open))
}

#[tokio::test]
async fn every_other_route_refuses_in_the_same_form() {
    let world = World::new().await;
    let router = administered(&world, world.explain());
    let stranger = Client {
        router,
        headers: vec![],
    };
    let caller = stranger.clone().with(admin::SECRET_HEADER, SECRET);
    let bot = Client {
        router: stranger.router.clone(),
        headers: world.bot().headers,
    };
    let before = world.rows();
    let (log, _guard) = Log::start();
    for route in routes() {
        let is_local = route.path.starts_with("/local");
        let caller = if is_local { &caller } else { &bot };
        let path = filled(&route.path, "x");
        let endless = format!("{path}?{}", "x".repeat(URI_LIMIT));
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let what = format!("{method} {}", route.path);
            let is_served = route.methods.contains(&method) || route.methods.contains(&"any");
            if is_local {
                let answer = stranger.send(method, &path, "{}").await;
                let (kind, _) = refused(&what, &answer);
                assert_eq!(kind, "Unauthorized", "{what}");
                let wrong = stranger.clone().with(admin::SECRET_HEADER, "x");
                refused(&what, &wrong.send(method, &path, "{}").await);
            }
            let answer = caller.send(method, &endless, "").await;
            assert_eq!(answer.status.as_u16(), 414, "{what}");
            refused(&what, &answer);
            if !is_served {
                let answer = caller.send(method, &path, "").await;
                assert!(answer.headers.contains_key("allow"), "{what}");
                answer.error(405, "MethodNotFound");
                continue;
            }
            if route.path.contains('{') {
                for text in ["%zz", "%ff", "%00", "x", "conv_01ARZ3NDEKTSV4RRFFQ69G5FAV"] {
                    let answer = caller.send(method, &filled(&route.path, text), "{}").await;
                    refused(&format!("{what} {text}"), &answer);
                }
            }
            let has_body = method == "POST" && is_local && !route.path.contains('{');
            for body in ["{", "[]", "null", "{\"name\":1,\"name\":1}", "\u{0}"] {
                if has_body {
                    let answer = caller.send(method, &path, body).await;
                    let (kind, message) = refused(&format!("{what} {body}"), &answer);
                    assert_eq!(kind, "InvalidPayload", "{what}: {message}");
                }
            }
            if !takes_any_parameter(&route.path) {
                let wrong = format!("{path}?colour=1");
                let (kind, message) = refused(&what, &caller.send(method, &wrong, "{}").await);
                let is_named = message.starts_with("query parameter colour: unknown parameter");
                assert!(is_named && kind == "InvalidQuery", "{what}: {message}");
            }
            if has_body {
                let wrong = "{\"colour\":1}";
                let (kind, message) = refused(&what, &caller.send(method, &path, wrong).await);
                let is_named = message.starts_with("colour: unknown field");
                assert!(is_named && kind == "InvalidPayload", "{what}: {message}");
            }
            if is_local && !["/local/doctor", "/local/bots"].contains(&route.path.as_str()) {
                let wrong = format!("{path}?bot=%zz");
                let (kind, message) = refused(&what, &caller.send(method, &wrong, "{}").await);
                assert!(
                    kind == "InvalidQuery" || kind == "ResourceNotFound",
                    "{what}: {message}"
                );
            }
        }
    }
    for path in [
        "/x",
        "/local",
        "/local/x",
        "/v1/switchboard/x",
        "/docs/x",
        "/%zz",
    ] {
        refused(path, &caller.send("GET", path, "").await);
    }
    assert_eq!(world.rows(), before);
    let log = log.take();
    assert!(log.contains("a request was refused"));
    assert!(!log.contains(SECRET) && !log.contains(&world.bot.token));
}
