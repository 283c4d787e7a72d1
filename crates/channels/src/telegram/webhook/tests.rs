use serde_json::{Value, json};
use switchboard_engine::Condition;
use switchboard_model::EventPayload;

use super::super::fixture::{Api, Bench, Reply, case, until};
use super::*;

pub(in crate::telegram) fn request(account: &Account, body: &Value) -> WebhookRequest {
    request_of(account, &body.to_string())
}

pub(in crate::telegram) fn request_of(account: &Account, body: &str) -> WebhookRequest {
    WebhookRequest {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        query: String::new(),
        headers: vec![(
            SECRET_HEADER.to_owned(),
            account.webhook_secret.expose_secret().to_owned(),
        )],
        body: body.as_bytes().to_vec(),
    }
}

#[tokio::test]
async fn tg_in_010_copies_at_once_are_all_acknowledged_and_stored_once() {
    let bench = Bench::new().await;
    let account = bench.account("http://127.0.0.1:9");
    let update = case("tg-in-010")["input"]["updates"][0]["update"].clone();
    let mut copies = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (account, request) = (account.clone(), request(&account, &update));
        copies.spawn(async move { account.receive(request).await });
    }
    while let Some(answer) = copies.join_next().await {
        assert_eq!(answer.unwrap(), WebhookAnswer::OK);
    }
    assert_eq!(bench.events().await.len(), 1);
}

#[tokio::test]
async fn without_the_secret_nothing_is_stored() {
    let bench = Bench::new().await;
    let account = bench.account("http://127.0.0.1:9");
    let update = json!({ "update_id": 1, "poll": {} });
    let mut missing = request(&account, &update);
    missing.headers.clear();
    let mut wrong = request(&account, &update);
    wrong.headers[0].1.pop();
    let mut empty = request(&account, &update);
    empty.headers[0].1.clear();
    for request in [missing, wrong, empty] {
        assert_eq!(account.receive(request).await.status, 401);
    }
    assert!(bench.events().await.is_empty());
}

#[tokio::test]
async fn what_is_no_delivery_is_refused_and_what_cannot_be_understood_is_kept() {
    let bench = Bench::new().await;
    let account = bench.account("http://127.0.0.1:9");
    let mut get = request(&account, &json!({}));
    get.method = "GET".to_owned();
    assert_eq!(account.receive(get).await.status, 405);
    let mut elsewhere = request(&account, &json!({}));
    elsewhere.path = "/more".to_owned();
    assert_eq!(account.receive(elsewhere).await.status, 404);
    assert!(bench.events().await.is_empty());
    let odd = request(&account, &json!({ "update_id": "?" }));
    assert_eq!(account.receive(odd).await, WebhookAnswer::OK);
    assert_eq!(bench.events().await[0].kind, "telegram:unknown");
}

#[tokio::test]
async fn a_body_that_is_no_json_is_kept_once_and_stalls_nothing() {
    let bench = Bench::new().await;
    let account = bench.account("http://127.0.0.1:9");
    for body in [
        b"{not json \xf0".as_slice(),
        b"{not json \xf0",
        b"",
        b"{} {}",
    ] {
        let mut garbage = request(&account, &json!({}));
        garbage.body = body.to_vec();
        assert_eq!(account.receive(garbage).await, WebhookAnswer::OK);
    }
    let events = bench.events().await;
    let kept: Vec<Value> = events
        .iter()
        .map(|event| match &event.payload {
            EventPayload::Other(payload) => payload.read().unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(events.iter().all(|event| event.kind == "telegram:unknown"));
    assert_eq!(
        kept,
        [
            json!({ "raw": "{not json \u{fffd}" }),
            json!({ "raw": "" }),
            json!({ "raw": "{} {}" }),
        ]
    );
    bench.engine.store().close().await.unwrap();
    let mut garbage = request(&account, &json!({}));
    garbage.body = b"not stored".to_vec();
    assert_eq!(account.receive(garbage).await.status, 503);
}

#[tokio::test]
async fn what_could_not_be_stored_is_asked_for_again() {
    let bench = Bench::new().await;
    let account = bench.account("http://127.0.0.1:9");
    bench.engine.store().close().await.unwrap();
    let request = request(&account, &json!({ "update_id": 1, "poll": {} }));
    assert_eq!(account.receive(request).await.status, 503);
}

struct Watched {
    bench: Bench,
    api: Api,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Watched {
    /// Runs a webhook against replies that are given beforehand.
    async fn start(script: impl FnOnce(&Api, &str)) -> Self {
        let (bench, api) = (Bench::new().await, Api::start().await);
        let url = format!(
            "https://bots.example/base/webhook/{}",
            bench.integration.webhook_id
        );
        script(&api, &url);
        let shutdown = CancellationToken::new();
        let public = "https://bots.example/base/".to_owned();
        let account = bench.account(&api.url);
        let task = tokio::spawn(account.run_webhook(public, shutdown.clone()));
        Self {
            bench,
            api,
            shutdown,
            task,
        }
    }

    async fn calls(&self, method: &str, count: usize) -> Vec<Value> {
        until(method, async || self.api.calls(method).len() >= count).await;
        self.api.calls(method)
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}

#[tokio::test]
async fn the_webhook_is_set_with_its_secret_and_every_kind_after_failures() {
    let mut url = String::new();
    let watched = Watched::start(|api, expected| {
        expected.clone_into(&mut url);
        api.script("setWebhook", Reply::Text(502, "<html>"));
        api.script(
            "setWebhook",
            Reply::refused(400, "Bad Request: bad webhook: no host"),
        );
    })
    .await;
    let calls = watched.calls("setWebhook", 3).await;
    let secret = calls[2]["secret_token"].as_str().unwrap();
    assert_eq!(
        calls[2],
        json!({
            "url": url, "secret_token": secret, "drop_pending_updates": false,
            "allowed_updates": inbound::KINDS,
        })
    );
    assert_eq!(
        secret,
        watched
            .bench
            .account(&watched.api.url)
            .webhook_secret
            .expose_secret()
    );
    watched.stop().await;
}

#[tokio::test]
async fn a_refused_webhook_is_told_to_people() {
    let watched = Watched::start(|api, _| {
        let words = "Bad Request: bad webhook: no host";
        api.script("setWebhook", Reply::refused(400, words));
        api.script("setWebhook", Reply::Hang);
    })
    .await;
    watched.calls("setWebhook", 2).await;
    let condition = format!("{:?}", watched.bench.condition());
    assert!(condition.contains("bad webhook: no host"), "{condition}");
    watched.stop().await;
}

#[tokio::test]
async fn a_webhook_that_cannot_be_reached_is_told_to_people() {
    let watched = Watched::start(|api, url| {
        let info = json!({
            // The tests' clock stands there.
            "url": url, "last_error_date": 1_790_000_000,
            "last_error_message": "Connection refused",
        });
        api.script("getWebhookInfo", Reply::ok(&info));
        api.script("getWebhookInfo", Reply::Hang);
    })
    .await;
    watched.calls("getWebhookInfo", 2).await;
    let condition = format!("{:?}", watched.bench.condition());
    assert!(condition.contains("Connection refused"), "{condition}");
    watched.stop().await;
}

#[tokio::test]
async fn a_webhook_that_another_program_has_changed_is_set_again() {
    let watched = Watched::start(|api, url| {
        let other = json!({ "url": "https://other.example/" });
        api.script("getWebhookInfo", Reply::ok(&other));
        api.script("getWebhookInfo", Reply::ok(&json!({ "url": url })));
        api.script("getWebhookInfo", Reply::Hang);
    })
    .await;
    watched.calls("getWebhookInfo", 3).await;
    assert_eq!(watched.api.calls("setWebhook").len(), 2);
    assert_eq!(watched.bench.condition(), Some(Condition::Well));
    watched.stop().await;
}
