//! `HttpBot` against real servers on loopback.
#![allow(clippy::unwrap_used)] // Helpers of tests may panic as tests may.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Router, routing::post};
use switchboard_bots::{Bot, BotAnswer, BotEvent, BotFailure, BotReply, HttpBot};
use switchboard_model::{
    BotId, Event, EventId, EventPayload, EventStatus, Json, Timestamp, ids::Ulid,
};

type Seen = Arc<Mutex<Vec<(HeaderMap, String)>>>;

fn event(kind: &str) -> BotEvent {
    let event = Event {
        id: EventId::new(Ulid(7)),
        bot: BotId::new(Ulid(8)),
        kind: kind.to_owned(),
        payload: EventPayload::Other(Json::parse(r#"{"n":1.50}"#).unwrap()),
        conversation: None,
        user: None,
        message: None,
        workflow: None,
        status: EventStatus::Pending,
        failure_reason: None,
        created_at: Timestamp::from_millis(0),
    };
    BotEvent::new(event, 3)
}

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/bot?x=1")
}

async fn answering<R: IntoResponse + Clone + Send + Sync + 'static>(answer: R) -> HttpBot {
    let router = Router::new().route("/bot", post(move || std::future::ready(answer.clone())));
    HttpBot::new(&serve(router).await, Duration::from_secs(5)).unwrap()
}

async fn failure<R: IntoResponse + Clone + Send + Sync + 'static>(answer: R) -> BotFailure {
    let bot = answering(answer).await;
    bot.handle(&event("tick")).await.unwrap_err()
}

#[tokio::test]
async fn the_request_is_what_a_bot_process_of_the_sdk_expects() {
    async fn note(State(seen): State<Seen>, headers: HeaderMap, body: String) -> Response {
        seen.lock().unwrap().push((headers, body));
        // The SDK's own answer: without a content type.
        Response::new("{}".into())
    }
    let seen = Seen::default();
    let router = Router::new()
        .route("/bot", post(note))
        .with_state(Arc::clone(&seen));
    let bot = HttpBot::new(&serve(router).await, Duration::from_secs(5)).unwrap();

    assert_eq!(
        bot.handle(&event("telegram:join")).await,
        Ok(BotAnswer::default())
    );
    assert_eq!(
        bot.handle(&event("bad\nkind")).await,
        Ok(BotAnswer::default())
    );

    let seen = seen.lock().unwrap();
    let (headers, body) = &seen[0];
    for (name, value) in [
        ("content-type", "application/json"),
        ("x-bp-operation", "event_received"),
        ("x-bp-type", "telegram:join"),
        ("x-bot-id", "bot_00000000000000000000000008"),
        ("x-bp-configuration", "e30="),
        ("x-switchboard-event-id", "evt_00000000000000000000000007"),
        ("x-switchboard-attempt", "3"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    assert_eq!(
        body,
        r#"{"event":{"id":"evt_00000000000000000000000007","createdAt":"1970-01-01T00:00:00.000Z","type":"telegram:join","payload":{"n":1.50},"status":"pending","failureReason":null}}"#
    );
    assert_eq!(seen[1].0["x-bp-type"], "other");
}

#[tokio::test]
async fn messages_are_taken_from_the_answer_whatever_its_content_type() {
    let bot = answering(r#"{"messages":[{"type":"text","payload":{"text":"hi"}}]}"#).await;
    assert_eq!(
        bot.handle(&event("tick")).await,
        Ok(vec![BotReply::text("hi")].into())
    );
    let bot = answering(StatusCode::NO_CONTENT).await;
    assert_eq!(bot.handle(&event("tick")).await, Ok(BotAnswer::default()));
}

#[tokio::test]
async fn an_answer_that_says_json_and_is_none_is_refused_and_another_says_nothing() {
    for kind in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/problem+json",
    ] {
        let refused = failure(([("content-type", kind)], "<html>")).await;
        assert!(matches!(refused, BotFailure::Permanent { .. }), "{kind}");
        assert!(refused.to_string().contains("content-type"), "{refused}");
        let bot = answering(([("content-type", kind)], "")).await;
        assert_eq!(
            bot.handle(&event("tick")).await,
            Ok(BotAnswer::default()),
            "{kind}"
        );
    }
    for kind in ["text/html", "text/plain", "application/jsonlines"] {
        let bot = answering(([("content-type", kind)], "<html>")).await;
        assert_eq!(
            bot.handle(&event("tick")).await,
            Ok(BotAnswer::default()),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn each_status_has_its_consequence() {
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let status = StatusCode::from_u16(status).unwrap();
        assert!(
            matches!(failure(status).await, BotFailure::Retry { .. }),
            "{status}"
        );
    }
    for status in [400, 401, 403, 404, 410, 413, 422] {
        let status = StatusCode::from_u16(status).unwrap();
        assert!(
            matches!(failure(status).await, BotFailure::Permanent { .. }),
            "{status}"
        );
    }
    for status in [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ] {
        let expected = BotFailure::Wait {
            after: Duration::from_secs(3),
            error: format!("the bot answered {}: later", status.as_u16()),
        };
        assert_eq!(
            failure((status, [("retry-after", "3")], "later")).await,
            expected
        );
    }
    let refused = failure((StatusCode::BAD_REQUEST, r#"{"code":400,"message":"no"}"#)).await;
    assert_eq!(refused.to_string(), "the bot answered 400: no");
    let moved = failure(Redirect::temporary("/elsewhere")).await;
    assert!(moved.to_string().contains("redirects are not followed"));
}

#[tokio::test]
async fn silence_refusal_and_a_cut_answer_are_tried_again_and_name_no_url() {
    let router = Router::new().route("/bot", post(std::future::pending::<StatusCode>));
    let url = serve(router)
        .await
        .replace("http://", "http://user:hidden@");
    let bot = HttpBot::new(&url, Duration::from_millis(100)).unwrap();
    let silent = bot.handle(&event("tick")).await.unwrap_err();
    assert_eq!(silent.to_string(), "the bot has not answered within 0.1 s");
    assert!(matches!(silent, BotFailure::Retry { .. }));

    let cut = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = cut.local_addr().unwrap();
    let bot = HttpBot::new(
        &format!("http://user:hidden@{address}/"),
        Duration::from_secs(5),
    )
    .unwrap();
    let taking = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = cut.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"messages\":[";
        stream.write_all(head).await.unwrap();
    });
    let broken = bot.handle(&event("tick")).await.unwrap_err();
    taking.await.unwrap();
    let refused = bot.handle(&event("tick")).await.unwrap_err();
    assert!(refused.to_string().starts_with("the bot cannot be reached"));
    for failure in [broken, refused] {
        assert!(matches!(failure, BotFailure::Retry { .. }), "{failure}");
        assert!(!failure.to_string().contains("hidden"), "{failure}");
        assert!(!failure.to_string().contains("http://"), "{failure}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let large = Bytes::from(vec![b' '; 17 * 1024 * 1024]);
    assert!(matches!(failure(large).await, BotFailure::Permanent { .. }));
}

#[test]
fn a_url_that_cannot_be_posted_to_is_refused_with_an_example() {
    for url in [
        "",
        "localhost:9000",
        "ftp://bot/",
        "unix:/run/bot",
        "http://",
    ] {
        let error = HttpBot::new(url, Duration::from_secs(1)).err().unwrap();
        assert!(
            error.to_string().contains("http://127.0.0.1:9000/"),
            "{url}"
        );
    }
}
