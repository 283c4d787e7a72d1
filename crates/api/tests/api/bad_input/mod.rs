//! Every operation of the document, and every other route, with every kind of bad input that it can
//! get: an error of the API's form, a line in the log without the token, and nothing written.
//!
//! The operations come from the document and the other routes from the source, so that a new one is
//! tried without a word here. What comes before a request can be read is in `server.rs`.

mod address;
mod bodies;
mod document;
mod local;
mod log;
mod unknown;

use serde_json::{Value, json};

use self::document::{Known, Operation, operations};
use self::log::Log;
use crate::support::{Answer, Client, World};

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
            // Whatever else is wrong, this is what is said.
            for query in ["", "?colour=1", "?%zz", "?nextToken=x"] {
                let path = format!("{path}{query}");
                let (found, ..) = self
                    .send_as(&client, &method, what, &path, body.clone())
                    .await;
                let operation = self.operation.name();
                assert_eq!(found, status, "{operation}{query}: {what}");
            }
        }
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
        r#"{"n":9007199254740993,"m":-18446744073709551616.0,"e":1e308,"z":-0.0,"t":"\u0000"}"#;
    let body = format!(r#"{{"type":"x","payload":{payload},"conversationId":"{conversation}"}}"#);
    let made = bot.send("POST", "/v1/chat/events", body).await.created();
    let id = made.id("event");
    let read = bot.get(&format!("/events/{id}")).await.ok();
    assert!(read.text.contains(payload), "{}", read.text);
}

/// What a payload may hold is too much where the API counts by it.
#[tokio::test]
async fn a_number_beyond_two_to_the_53_is_refused_where_the_api_reads_it() {
    const LARGE: &str = "9007199254740993";
    let world = World::new().await;
    let (bot, conversation) = (world.bot(), world.telegram().conversation(json!({})).await);
    let before = world.rows();
    for parameter in ["limit", "pageSize"] {
        let path = format!("/conversations?{parameter}={LARGE}");
        let message = bot.get(&path).await.error(400, "InvalidQuery");
        assert!(message.contains(parameter), "{message}");
    }
    let state = format!("/v1/chat/states/conversation/{conversation}/s");
    let body = format!(r#"{{"payload":{{}},"expiry":{LARGE}}}"#);
    let message = bot.send("POST", &state, body).await;
    let message = message.error(400, "InvalidPayload");
    assert!(message.contains("expiry"), "{message}");
    assert_eq!(world.rows(), before);
}
