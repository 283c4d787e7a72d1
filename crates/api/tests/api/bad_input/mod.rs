//! Every operation of the document, and every other route, with every kind of bad input that it can
//! get: an error of the API's form, a line in the log without the token, and nothing written.
//!
//! The operations come from the document and the other routes from the source, so that a new one is
//! tried without a word here. What comes before a request can be read is in `server.rs`.

mod document;
mod local;
mod log;

use serde_json::{Map, Value, json};
use switchboard_api::URI_LIMIT;

use self::document::{Known, Operation, operations};
use self::log::Log;
use crate::support::{Answer, Client, World};

/// The types of JSON, each with a value of it that is right nowhere.
fn values() -> [(&'static str, Value); 6] {
    [
        ("null", Value::Null),
        ("boolean", json!(true)),
        ("number", json!(-1.5)),
        ("string", json!("\u{0}")),
        ("array", json!([[]])),
        ("object", json!({ "\u{0}": [] })),
    ]
}

/// Checks that nothing was done and the caller was told so; gives type and message.
#[track_caller]
fn refused(what: &str, answer: &Answer) -> (String, String) {
    let body = &answer.body;
    let status = answer.status.as_u16();
    assert!(
        (400..500).contains(&status),
        "{what}: {status} {}",
        answer.text
    );
    assert_eq!(answer.headers["content-type"], "application/json", "{what}");
    assert_eq!(body["code"], status, "{what}: {}", answer.text);
    assert_eq!(
        body.as_object().unwrap().len(),
        4,
        "{what}: {}",
        answer.text
    );
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    assert!(text("id").starts_with("err_"), "{what}");
    assert!(!text("message").is_empty(), "{what}");
    (text("type"), text("message"))
}

struct Trial<'a> {
    operation: &'a Operation,
    known: &'a Known,
    path: String,
    client: Client,
    tried: usize,
}

impl Trial<'_> {
    async fn send(
        &mut self,
        what: &str,
        path: &str,
        body: impl Into<Vec<u8>>,
    ) -> (u16, String, String) {
        let (client, method) = (self.client.clone(), self.operation.method.clone());
        self.send_as(&client, &method, what, path, body).await
    }

    async fn send_as(
        &mut self,
        client: &Client,
        method: &str,
        what: &str,
        path: &str,
        body: impl Into<Vec<u8>>,
    ) -> (u16, String, String) {
        self.tried += 1;
        let answer = client.send(method, path, body.into()).await;
        let what = format!("{}: {what}", self.operation.name());
        let (kind, message) = refused(&what, &answer);
        if answer.status.as_u16() == 405 {
            assert!(answer.headers.contains_key("allow"), "{what}");
        }
        (answer.status.as_u16(), kind, message)
    }

    /// The body that must be there, or none.
    fn body(&self) -> Vec<u8> {
        let has_body = self.operation.fields.is_some();
        let body = has_body.then(|| self.operation.body(self.known));
        body.map_or_else(Vec::new, |body| {
            Value::Object(body).to_string().into_bytes()
        })
    }

    async fn callers(&mut self, world: &World, other: &Client) {
        let (path, body, client) = (self.path.clone(), self.body(), self.client.clone());
        let method = self.operation.method.clone();
        for (what, client, status) in [
            ("no token", client.clone().without("authorization"), 401),
            (
                "a wrong token",
                client.clone().with("authorization", "Bearer x"),
                401,
            ),
            (
                "an empty token",
                client.clone().with("authorization", "Bearer "),
                401,
            ),
            (
                "another scheme",
                client.clone().with("authorization", "Basic eDp4"),
                401,
            ),
            ("no bot", client.clone().without("x-bot-id"), 400),
            (
                "another bot",
                other.clone().with("x-bot-id", world.bot_id()),
                403,
            ),
            ("no bot's id", client.with("x-bot-id", "x"), 403),
        ] {
            let (found, ..) = self
                .send_as(&client, &method, what, &path, body.clone())
                .await;
            assert_eq!(found, status, "{}: {what}", self.operation.name());
        }
    }

    async fn paths(&mut self) {
        let long = "x".repeat(1000);
        for part in self.operation.parts.clone() {
            let mut texts = vec!["%zz", "%", "%ff", "%00", long.as_str()];
            if part != "name" && part != "key" {
                texts.extend([
                    "x",
                    "conv_01ARZ3NDEKTSV4RRFFQ69G5FAV",
                    "user_01ARZ3NDEKTSV4RRFFQ69G5FAV",
                    "msg_01ARZ3NDEKTSV4RRFFQ69G5FAV",
                    "conv_01arz3ndektsv4rrffq69g5fav",
                    "%F0%9F%99%82",
                ]);
            }
            for text in texts {
                let path = self.operation.path_with(self.known, &part, text);
                let body = self.body();
                self.send(&format!("{part} is {text:.40}"), &path, body)
                    .await;
            }
        }
        let long = format!("{}?{}", self.path, "x".repeat(URI_LIMIT));
        let body = self.body();
        let (status, ..) = self.send("a long query", &long, body).await;
        assert_eq!(status, 414);
    }

    /// What it would miss in silence.
    async fn unknown(&mut self) {
        let path = self.path.clone();
        let body = self.body();
        let mut names = vec!["colour".to_owned(), "x".repeat(1000), "tag.a".to_owned()];
        names.extend(
            self.operation
                .parameters
                .iter()
                .map(|(name, _)| format!("{name}x")),
        );
        for name in names {
            let (status, kind, message) = self
                .send(
                    &format!("?{name:.40}"),
                    &format!("{path}?{name}=1"),
                    body.clone(),
                )
                .await;
            assert_eq!((status, kind.as_str()), (400, "InvalidQuery"), "{message}");
            let beginning = format!("query parameter {name:.200}: unknown parameter");
            assert!(message.starts_with(&beginning), "{message}");
            for (known, _) in &self.operation.parameters {
                assert!(message.contains(known.as_str()), "{known}: {message}");
            }
        }
        let Some(fields) = self.operation.fields.clone() else {
            return;
        };
        let base = self.operation.body(self.known);
        let names = fields.keys().map(|name| format!("{name}x"));
        for name in names.chain(["colour".to_owned(), String::new()]) {
            let mut body = base.clone();
            body.insert(name.clone(), Value::Null);
            let body = Value::Object(body).to_string();
            let (status, kind, message) = self.send(&body, &path, body.clone()).await;
            assert_eq!(
                (status, kind.as_str()),
                (400, "InvalidPayload"),
                "{message}"
            );
            let beginning = format!("{name}: unknown field");
            assert!(message.starts_with(&beginning), "{message}");
            for known in fields.keys() {
                assert!(message.contains(known.as_str()), "{known}: {message}");
            }
        }
        for (name, schema) in &fields {
            self.unknown_within(&base, name, schema).await;
        }
    }

    /// The same of an object, or of those in a list, whose fields are known.
    async fn unknown_within(&mut self, base: &Map<String, Value>, name: &str, schema: &Value) {
        let schema = self.operation.resolved(schema);
        let (schema, is_list) = match &schema["items"] {
            Value::Null => (schema, false),
            items => (self.operation.resolved(items), true),
        };
        let alternatives = schema["oneOf"].as_array().into_iter().flatten();
        let closed = alternatives
            .chain([schema])
            .map(|one| self.operation.resolved(one))
            .any(|one| one["properties"].is_object());
        if !closed {
            return;
        }
        let value = json!({ "colour": 1 });
        let mut body = base.clone();
        body.insert(
            name.to_owned(),
            if is_list { json!([value]) } else { value },
        );
        let body = Value::Object(body).to_string();
        let path = self.path.clone();
        let (_, kind, message) = self.send(&body, &path, body.clone()).await;
        let place = if is_list { "[0]" } else { "" };
        let beginning = format!("{name}{place}.colour: unknown field");
        assert!(message.starts_with(&beginning), "{message}");
        assert_eq!(kind, "InvalidPayload");
    }

    async fn queries(&mut self, foreign: &[String]) {
        let path = self.path.clone();
        if self.operation.parameters.is_empty() {
            return;
        }
        for query in ["a=%zz", "%=1", "a=%ff", "%ff"] {
            let (_, kind, _) = self.send(query, &format!("{path}?{query}"), "").await;
            assert_eq!(kind, "InvalidQuery");
        }
        for (name, many) in self.operation.parameters.clone() {
            let mut queries = vec![];
            if name == "tags" {
                queries.extend(["tags.a=1&tags.a=2".to_owned(), "tags.=1".to_owned()]);
                queries.push(format!("tags.a={}", "x".repeat(501)));
                queries.push(format!("tags.{}=x", "a".repeat(201)));
                queries.push("tags.a=%00".to_owned());
                let all: Vec<_> = (0..101).map(|n| format!("tags.{n}=x")).collect();
                queries.push(all.join("&"));
            } else {
                let sign = if many { "%00" } else { "x" };
                queries.push(format!("{name}={sign}&{name}={sign}"));
                queries.push(format!("{name}=%00"));
                if name != "nextToken" {
                    queries.push(format!("{name}="));
                    queries.push(name.clone());
                }
            }
            if name == "nextToken" {
                queries.extend(foreign.iter().map(|token| format!("nextToken={token}")));
                queries.extend([
                    "nextToken=!".to_owned(),
                    format!("nextToken={}", "A".repeat(9000)),
                ]);
            }
            for query in queries {
                // What else must be there, so that this alone is wrong.
                let needed = if path.contains("/tags/") && name != "type" {
                    "&type=user"
                } else {
                    ""
                };
                let path = format!("{path}?{query}{needed}");
                let (_, kind, message) = self.send(&format!("{query:.60}"), &path, "").await;
                let name_of_it = name.trim_end_matches('s');
                assert!(message.contains(name_of_it), "{query:.60}: {message}");
                assert_eq!(kind, "InvalidQuery", "{query:.60}: {message}");
            }
        }
    }

    async fn bodies(&mut self) {
        let Some(fields) = self.operation.fields.clone() else {
            return;
        };
        let path = self.path.clone();
        let base = self.operation.body(self.known);
        let free = ["payload", "input", "output"]
            .into_iter()
            .find(|name| fields.contains_key(*name));
        let with = |name: &str, text: &str| {
            // Where anything may stand, only this is wrong in it.
            if let Some(free) = free {
                let mut base = base.clone();
                base.insert(free.to_owned(), json!("?"));
                let inner = format!("{{\"{name}\":{text}}}");
                return Value::Object(base).to_string().replace("\"?\"", &inner);
            }
            let mut inner = Value::Object(base.clone()).to_string();
            inner.pop();
            let comma = if base.is_empty() { "" } else { "," };
            format!("{inner}{comma}\"{name}\":{text}}}")
        };
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let mut invalid_utf8 = with("more", "\"?\"").into_bytes();
        let place = invalid_utf8.iter().position(|byte| *byte == b'?').unwrap();
        invalid_utf8[place] = 0xff;
        for (what, body) in [
            ("half an object", b"{".to_vec()),
            ("an array", b"[]".to_vec()),
            ("a text", b"\"x\"".to_vec()),
            ("null", b"null".to_vec()),
            ("a trailing comma", b"{,}".to_vec()),
            (
                "something behind",
                [&with("more", "1"), " x"].concat().into_bytes(),
            ),
            ("invalid UTF-8", invalid_utf8),
            (
                "half a surrogate pair",
                with("more", r#""\ud800""#).into_bytes(),
            ),
            ("10,000 levels", with("more", &deep).into_bytes()),
            (
                "a name twice",
                with("more", r#"{"a":1,"a":1}"#).into_bytes(),
            ),
            (
                "an escaped name twice",
                with("more", r#"[{"a":1,"\u0061":1}]"#).into_bytes(),
            ),
            ("no number", with("more", "1e999").into_bytes()),
            ("not a number", with("more", "NaN").into_bytes()),
            (
                "a control character",
                with("more", "\"\u{0}\"").into_bytes(),
            ),
            (
                "over 1 MiB",
                with("more", &format!("\"{}\"", "x".repeat(1 << 20))).into_bytes(),
            ),
        ] {
            let (status, kind, message) = self.send(what, &path, body).await;
            let expected = match what {
                "over 1 MiB" => (413, "PayloadTooLarge", "body"),
                _ => (400, "InvalidPayload", ""),
            };
            assert_eq!(
                (status, kind.as_str()),
                (expected.0, expected.1),
                "{what}: {message}"
            );
            assert!(message.contains(expected.2), "{what}: {message}");
        }
        for (header, value, body) in [
            (
                "content-type",
                "application/x-www-form-urlencoded",
                &b"a=b"[..],
            ),
            ("content-type", "text/xml", b"<a/>"),
            ("content-encoding", "gzip", b"{}"),
        ] {
            let client = self.client.clone().with(header, value);
            let method = self.operation.method.clone();
            let (status, _, message) = self.send_as(&client, &method, value, &path, body).await;
            assert_eq!(status, 415, "{message}");
            assert!(message.contains(header), "{message}");
        }
        for name in &self.operation.required {
            let mut body = base.clone();
            body.remove(name);
            let body = Value::Object(body).to_string();
            let (_, _, message) = self.send(&format!("no {name}"), &path, body).await;
            assert!(message.contains(name.as_str()), "no {name}: {message}");
        }
        for (name, schema) in &fields {
            self.field(&base, name, schema).await;
        }
    }

    async fn field(&mut self, base: &Map<String, Value>, name: &str, schema: &Value) {
        let path = self.path.clone();
        let mut wrong: Vec<Value> = values()
            .into_iter()
            .filter(|(kind, _)| !self.operation.admits(schema, kind))
            .map(|(_, value)| value)
            .collect();
        let resolved = self.operation.resolved(schema);
        if let Some(limit) = resolved["maxLength"].as_u64() {
            wrong.push(json!("x".repeat(usize::try_from(limit).unwrap() + 1)));
        }
        if resolved["minLength"] == 1 {
            wrong.extend([json!(""), json!("\u{0}")]);
        }
        // Tasks are not served, so that nothing is known of their ids.
        let is_id = name.ends_with("Id") && name != "currentTaskId";
        if resolved["pattern"].is_string() || is_id {
            wrong.extend([
                json!(""),
                json!("x"),
                json!("int_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            ]);
        }
        match name {
            "tags" => {
                let many: Map<_, _> = (0..101).map(|n| (n.to_string(), json!("x"))).collect();
                wrong.extend([
                    json!(many),
                    json!({ "x".repeat(201): "x" }),
                    json!({ "x": "x".repeat(501) }),
                    json!({ "": "x" }),
                    json!({ "x": "\u{0}" }),
                    json!({ "x": 1 }),
                ]);
            }
            // An action's is its own matter.
            "payload" | "input" | "output" if !path.ends_with("/actions") => {
                wrong.push(json!({ "x": "x".repeat(131_072) }));
            }
            _ => {}
        }
        for value in wrong {
            let mut body = base.clone();
            body.insert(name.to_owned(), value);
            let body = Value::Object(body).to_string();
            let what = format!("{body:.200}");
            let (_, kind, message) = self.send(&what, &path, body).await;
            // The field is right, and the caller is not.
            let is_absent = kind == "ResourceNotFound" && path.contains("/workflows/");
            if kind == "Forbidden" || is_absent {
                continue;
            }
            let is_payload = message.starts_with("payload is over the limit");
            assert!(message.contains(name) || is_payload, "{what}: {message}");
        }
        // Twice, though each by itself would be right.
        let mut once = base.clone();
        once.remove(name);
        let mut text = Value::Object(once).to_string();
        text.pop();
        let comma = if text.len() > 1 { "," } else { "" };
        let twice = format!("{text}{comma}\"{name}\":null,\"{name}\":null}}");
        let (_, _, message) = self.send(&format!("{name} twice"), &path, twice).await;
        assert!(message.contains(name), "{message}");
    }
}

#[tokio::test]
async fn whatever_comes_to_an_operation_is_done_or_refused_with_reason() {
    let world = World::new().await;
    let known = Known::new(&world).await;
    let another = world.another_bot().await;
    let other = world.client(&another, None);
    // Page tokens of other lists.
    world.telegram().conversation(json!({ "id": "3" })).await;
    let page = world
        .bot()
        .get("/conversations?pageSize=1&sortDirection=asc")
        .await
        .ok();
    let token = page.body["meta"]["nextToken"].as_str().unwrap().to_owned();
    let foreign = [token.clone(), token[1..].to_owned()];
    let operations = operations();
    let before = world.rows();
    let mut tried = 0;
    for client in [world.bot(), world.telegram()] {
        for operation in &operations {
            let (log, _guard) = Log::start();
            let mut trial = Trial {
                operation,
                known: &known,
                path: operation.path(&known),
                client: client.clone(),
                tried: 0,
            };
            trial.callers(&world, &other).await;
            trial.paths().await;
            trial.queries(&foreign).await;
            trial.bodies().await;
            trial.unknown().await;
            assert_eq!(world.rows(), before, "{}", operation.name());
            let log = log.take();
            let refusals = log.matches("a request was refused").count();
            assert_eq!(refusals, trial.tried, "{}", operation.name());
            for secret in [&world.bot.token, &another.token] {
                assert!(!log.contains(secret.as_str()), "{}", operation.name());
            }
            tried += trial.tried;
        }
    }
    assert!(tried > 3000, "{tried}");
    for path in operations.iter().map(|operation| operation.path(&known)) {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
            let served = |one: &Operation| one.path(&known) == path && one.method == method;
            if operations.iter().any(served) {
                continue;
            }
            let answer = world.bot().send(method, &path, "").await;
            assert!(answer.headers.contains_key("allow"), "{method} {path}");
            answer.error(405, "MethodNotFound");
        }
    }
    assert_eq!(world.rows(), before);
}

#[tokio::test]
async fn what_is_kept_comes_back_digit_for_digit() {
    let world = World::new().await;
    let (bot, conversation) = (world.bot(), world.telegram().conversation(json!({})).await);
    let payload =
        r#"{"n":9007199254740993,"m":-18446744073709551616,"e":1e308,"z":-0.0,"t":"\u0000"}"#;
    let body = format!(r#"{{"type":"x","payload":{payload},"conversationId":"{conversation}"}}"#);
    let made = bot.send("POST", "/v1/chat/events", body).await.created();
    let id = made.id("event");
    let read = bot.get(&format!("/events/{id}")).await.ok();
    assert!(read.text.contains(payload), "{}", read.text);
}
