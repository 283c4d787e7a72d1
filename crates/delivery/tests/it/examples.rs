//! The bot and the channel of `examples/`, which the documents show, at work.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use ring::hmac;
use serde_json::{Value, json};
use switchboard_integration::{Integration as _, Webhook, WebhookRequest};
use switchboard_store::DeliveryRecordStatus;

use crate::support::{World, eventually, quick};

#[path = "../../../../examples/channel.rs"]
#[allow(unreachable_pub, reason = "an example is public where it is used")]
mod channel;
#[path = "../../../../examples/counter.rs"]
#[allow(unreachable_pub, reason = "an example is public where it is used")]
mod counter;

#[tokio::test]
async fn the_counter_counts_each_conversation_and_goes_on_after_a_restart() {
    let mut world = World::new().await;
    let (_, conversation) = world.say("1", "a").await;
    let (_, other) = world.say("2", "a").await;
    world.say("1", "b").await;
    let worker = world.run_bot(counter::Counter, quick());
    world.bot_is_idle().await;
    worker.stop().await;
    world.restart().await;
    world.say("1", "c").await;
    let worker = world.run_bot(counter::Counter, quick());
    world.bot_is_idle().await;
    assert_eq!(
        world.said(conversation).await,
        [
            "That was message 1.",
            "That was message 2.",
            "That was message 3."
        ]
    );
    assert_eq!(world.said(other).await, ["That was message 1."]);
    worker.stop().await;
}

/// The other side of the channel.
#[derive(Clone, Default)]
struct Partner(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    posted: Vec<Value>,
    /// What to answer, last first; then 200.
    statuses: Vec<u16>,
}

impl Partner {
    async fn start(statuses: &[u16]) -> (Self, String) {
        let partner = Self::default();
        partner.0.lock().unwrap().statuses = statuses.iter().rev().copied().collect();
        let router = Router::new()
            .route("/", post(take))
            .with_state(partner.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (partner, url)
    }

    fn posted(&self) -> Vec<Value> {
        self.0.lock().unwrap().posted.clone()
    }
}

async fn take(State(partner): State<Partner>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = BASE64_STANDARD.decode(&headers[channel::SIGNATURE]);
    hmac::verify(&key(), &body, &signature.unwrap()).unwrap();
    let mut seen = partner.0.lock().unwrap();
    seen.posted.push(serde_json::from_slice(&body).unwrap());
    let status = seen.statuses.pop().unwrap_or(200);
    StatusCode::from_u16(status).unwrap()
}

fn key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, b"a secret of both sides")
}

fn account(world: &World, send_to: &str) -> channel::Account {
    // Only a second call could fail.
    drop(rustls::crypto::ring::default_provider().install_default());
    channel::Account {
        engine: world.engine.clone(),
        integration: world.integration.clone(),
        key: key(),
        send_to: send_to.to_owned(),
        http: reqwest::Client::builder().no_proxy().build().unwrap(),
    }
}

fn request(body: &Value, key: &hmac::Key) -> WebhookRequest {
    let body = body.to_string().into_bytes();
    let signature = BASE64_STANDARD.encode(hmac::sign(key, &body));
    WebhookRequest {
        method: "POST".to_owned(),
        headers: vec![(channel::SIGNATURE.to_owned(), signature)],
        body,
        ..WebhookRequest::default()
    }
}

#[tokio::test]
async fn the_channel_takes_what_is_signed_and_the_same_message_once() {
    let world = World::new().await;
    let account = account(&world, "http://127.0.0.1:9/");
    assert_eq!(channel::Hook.definition().platform, "hook");
    let said = json!({ "id": "1", "thread": "t", "person": "ada", "name": "Ada", "text": "hi" });
    for _ in 0..2 {
        let answer = account.receive(request(&said, &key())).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    }
    let forger = hmac::Key::new(hmac::HMAC_SHA256, b"another");
    assert_eq!(account.receive(request(&said, &forger)).await.status, 401);
    for wrong in [json!({ "id": "2" }), json!([]), {
        let mut long = said.clone();
        long["thread"] = "t".repeat(501).into();
        long
    }] {
        let answer = account.receive(request(&wrong, &key())).await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
    let worker = world.run_bot(counter::Counter, quick());
    world.bot_is_idle().await;
    let waiting = world.deliveries(DeliveryRecordStatus::Pending).await;
    assert_eq!(waiting.len(), 1, "one answer to one message: {waiting:?}");
    worker.stop().await;
}

#[tokio::test]
async fn the_channel_says_of_each_answer_what_it_means() {
    let (partner, url) = Partner::start(&[429, 500, 200, 400]).await;
    let world = World::new().await;
    let (_, conversation) = world.say("t", "hi").await;
    let account = Arc::new(account(&world, &url));
    let worker = world.run_channel(account, quick());
    world
        .post(conversation, "waits, is uncertain, gets there")
        .await;
    world.post(conversation, "refused").await;
    world.post(conversation, "after it").await;
    eventually("the last is delivered", async || {
        let delivered = world.deliveries(DeliveryRecordStatus::Delivered).await;
        (delivered.len() == 2).then_some(())
    })
    .await;
    let texts: Vec<_> = partner
        .posted()
        .iter()
        .map(|body| body["text"].as_str().unwrap().to_owned())
        .collect();
    let first = "waits, is uncertain, gets there";
    assert_eq!(texts, [first, first, first, "refused", "after it"]);
    let posted = partner.posted();
    assert_eq!(posted[0]["id"], posted[2]["id"], "the same id on each try");
    assert_eq!(posted[0]["thread"], "t");
    let dead = world.deliveries(DeliveryRecordStatus::Dead).await;
    assert_eq!(dead.len(), 1);
    let said = dead[0].error.as_deref();
    assert_eq!(said, Some("the other side answered 400"));
    worker.stop().await;
}
