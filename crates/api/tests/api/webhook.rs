//! Webhooks.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::body::Body;
use axum::http::Request;
use switchboard_integration::{Webhook, WebhookAnswer, WebhookRequest};
use tower::ServiceExt;

use crate::support::{Answer, Client, World};

#[derive(Default)]
struct Recorder(Mutex<Vec<WebhookRequest>>);

#[async_trait]
impl Webhook for Recorder {
    async fn receive(&self, request: WebhookRequest) -> WebhookAnswer {
        assert_ne!(request.path, "/panic", "a defect of the channel");
        let status = if request.path == "/no" { 403 } else { 200 };
        self.0.lock().unwrap().push(request);
        WebhookAnswer::new(status, "said")
    }
}

fn anyone(world: &World) -> Client {
    Client {
        router: world.router.clone(),
        headers: Vec::new(),
    }
}

#[tokio::test]
async fn a_request_is_handed_on_as_it_came_and_the_channels_answer_too() {
    let world = World::new().await;
    let recorder = Arc::new(Recorder::default());
    world.webhooks.insert("wh1", recorder.clone());
    let request = Request::post("/webhook/wh1/a%2Fb/c?x=1&y=%20")
        .header("X-Telegram-Bot-Api-Secret-Token", "s")
        .header("x-bytes", &b"\xff"[..])
        .body(Body::from(vec![0, 159, 146, 150]))
        .unwrap();
    let answer = Answer::read(world.router.clone().oneshot(request).await.unwrap()).await;
    assert_eq!(answer.ok().text, "said");
    let received = recorder.0.lock().unwrap().pop().unwrap();
    assert_eq!(received.method, "POST");
    assert_eq!(received.path, "/a%2Fb/c");
    assert_eq!(received.query, "x=1&y=%20");
    assert_eq!(
        received.header("x-telegram-bot-api-secret-token"),
        Some("s")
    );
    assert_eq!(received.body, [0, 159, 146, 150]);

    let anyone = anyone(&world);
    for (method, path, status) in [
        ("GET", "/webhook/wh1", 200),
        ("PUT", "/webhook/wh1/", 200),
        ("POST", "/webhook/wh1/no", 403),
    ] {
        anyone.send(method, path, "").await.is(status);
    }
    let paths: Vec<_> = recorder
        .0
        .lock()
        .unwrap()
        .drain(..)
        .map(|r| r.path)
        .collect();
    assert_eq!(paths, ["/", "/", "/no"]);
}

#[tokio::test]
async fn an_unknown_webhook_is_not_found_and_its_id_is_not_told() {
    let world = World::new().await;
    world.webhooks.insert("wh1", Arc::new(Recorder::default()));
    let anyone = anyone(&world);
    anyone.send("POST", "/webhook/wh1", "{}").await.ok();
    world.webhooks.remove("wh1");
    let message = anyone
        .send("POST", "/webhook/wh1", "{}")
        .await
        .error(404, "ResourceNotFound");
    assert!(!message.contains("wh1"), "{message}");
    // One that the server does not know yet is not wrong.
    world.readiness.set(false);
    let message = anyone
        .send("POST", "/webhook/wh1", "{}")
        .await
        .error(503, "Internal");
    assert!(message.contains("starting"), "{message}");
}

#[tokio::test]
async fn a_large_update_is_taken_and_a_huge_one_refused() {
    let world = World::new().await;
    let recorder = Arc::new(Recorder::default());
    world.webhooks.insert("wh1", recorder.clone());
    let anyone = anyone(&world);
    let large = vec![b'x'; 15 << 20];
    anyone.send("POST", "/webhook/wh1", large).await.ok();
    let huge = vec![b'x'; 17 << 20];
    anyone
        .send("POST", "/webhook/wh1", huge)
        .await
        .error(413, "PayloadTooLarge");
    assert_eq!(recorder.0.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_panic_is_an_internal_error_that_tells_nothing() {
    let world = World::new().await;
    world.webhooks.insert("wh1", Arc::new(Recorder::default()));
    let message = anyone(&world)
        .send("POST", "/webhook/wh1/panic", "{}")
        .await
        .error(500, "Internal");
    assert!(!message.contains("defect"), "{message}");
    assert!(message.contains("err_"), "{message}");
}
