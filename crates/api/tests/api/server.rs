//! Connections: who sends nothing, slowly or nonsense, who takes nothing and who goes away. All of
//! it over real sockets, with limits short enough to wait for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use switchboard_api::{HEAD_LIMIT, Limits, URI_LIMIT, serve};
use switchboard_integration::{Webhook, WebhookAnswer, WebhookRequest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::World;

/// Longer than anything here takes, on however slow a machine; a limit that nothing should meet.
const LONG: Duration = Duration::from_mins(2);
const SHORT: Duration = Duration::from_millis(200);

const PATIENT: Limits = Limits {
    connections: 100,
    read: LONG,
    idle: LONG,
    request: LONG,
    stall: LONG,
};

struct Served {
    world: World,
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Served {
    async fn new(limits: Limits) -> Self {
        let world = World::with(limits).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (router, env) = (world.router.clone(), world.engine.env().clone());
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(listener, router, env, limits, stop.clone()));
        Self {
            world,
            address,
            stop,
            task,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn send(&self, bytes: impl AsRef<[u8]>) -> TcpStream {
        let mut stream = self.connect().await;
        // The server may refuse before it has read everything.
        let _ = stream.write_all(bytes.as_ref()).await;
        stream
    }

    fn head(&self, line: &str, more: &str) -> String {
        let (token, bot) = (&self.world.bot.token, self.world.bot_id());
        format!(
            "{line} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nx-bot-id: {bot}\r\n{more}\r\n"
        )
    }

    /// Ends when every connection has.
    async fn stopped(self) {
        self.stop.cancel();
        within(self.task).await.unwrap();
    }
}

async fn within<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(LONG, work).await.unwrap()
}

/// Reads to the end of the connection; a reset is an end too.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = within(stream.read_to_end(&mut bytes)).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads until these words have come.
async fn until(stream: &mut TcpStream, words: &str) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let size = within(stream.read(&mut buffer)).await.unwrap();
        bytes.extend_from_slice(&buffer[..size]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if text.contains(words) {
            return text;
        }
        assert_ne!(size, 0, "it ended with {text}");
    }
}

/// Checks that these are a response with an error of the API's form; gives the message.
#[track_caller]
fn refusal(text: &str, status: u16, kind: &str) -> String {
    assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    assert!(head.contains("content-type: application/json"), "{head}");
    assert!(head.contains("connection: close"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["code"], status, "{body}");
    assert_eq!(body["type"], kind, "{body}");
    assert_eq!(body.as_object().unwrap().len(), 4, "{body}");
    body["message"].as_str().unwrap().to_owned()
}

struct Webhooks {
    /// Told when a request has come.
    came: Notify,
    /// Waited for before it is answered.
    go: Notify,
}

#[async_trait]
impl Webhook for Webhooks {
    async fn receive(&self, request: WebhookRequest) -> WebhookAnswer {
        self.came.notify_one();
        match request.path.as_str() {
            "/wait" => self.go.notified().await,
            "/large" => return WebhookAnswer::new(200, "x".repeat(64 << 20)),
            _ => {}
        }
        WebhookAnswer::new(200, "said")
    }
}

fn webhook(served: &Served) -> Arc<Webhooks> {
    let webhook = Arc::new(Webhooks {
        came: Notify::new(),
        go: Notify::new(),
    });
    served.world.webhooks.insert("wh", webhook.clone());
    webhook
}

#[tokio::test]
async fn a_head_that_does_not_come_to_its_end_is_told_so() {
    let limits = Limits {
        read: SHORT,
        ..PATIENT
    };
    let served = Served::new(limits).await;
    let mut stream = served.send("GET /healthz HTTP/1.1\r\nhost: x\r\n").await;
    let slow = async {
        // A byte now and then is no new beginning.
        while stream.write_all(b"x-a: b\r\n").await.is_ok() {
            let mut answer = [0; 4096];
            let pause = tokio::time::timeout(SHORT / 4, stream.read(&mut answer)).await;
            if let Ok(Ok(size)) = pause {
                return String::from_utf8_lossy(&answer[..size]).into_owned();
            }
        }
        String::new()
    };
    let answer = within(slow).await;
    let message = refusal(&answer, 408, "OperationTimeout");
    assert!(message.starts_with("head: "), "{message}");
    served.stopped().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_to_its_end_is_told_so_and_nothing_is_written() {
    let limits = Limits {
        read: SHORT,
        ..PATIENT
    };
    let served = Served::new(limits).await;
    let before = served.world.rows();
    for more in ["content-length: 100\r\n", "transfer-encoding: chunked\r\n"] {
        let head = served.head("POST /v1/chat/users", more);
        let part = if more.contains("chunked") {
            "2\r\n{}\r\n"
        } else {
            "{}"
        };
        let mut stream = served.send(format!("{head}{part}")).await;
        let answer = until(&mut stream, "OperationTimeout").await;
        let message = refusal(&answer, 408, "OperationTimeout");
        assert!(message.starts_with("body: "), "{message}");
    }
    assert_eq!(served.world.rows(), before);
    served.stopped().await;
}

#[tokio::test]
async fn a_connection_on_which_nothing_is_asked_closes() {
    let limits = Limits {
        idle: SHORT,
        ..PATIENT
    };
    let served = Served::new(limits).await;
    let mut silent = served.connect().await;
    assert_eq!(rest(&mut silent).await, "");
    let mut used = served
        .send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    let answer = rest(&mut used).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    served.stopped().await;
}

#[tokio::test]
async fn many_requests_go_over_one_connection() {
    let served = Served::new(PATIENT).await;
    let mut stream = served.connect().await;
    for _ in 0..50 {
        let request = served.head("GET /v1/chat/users", "");
        stream.write_all(request.as_bytes()).await.unwrap();
        until(&mut stream, "\"meta\":{}}").await;
    }
    // And at once.
    let request = served.head("GET /v1/chat/users", "").repeat(20);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut seen = 0;
    while seen < 20 {
        let text = until(&mut stream, "\"meta\":{}}").await;
        seen += text.matches("\"meta\":{}}").count();
    }
    served.stopped().await;
}

#[tokio::test]
async fn heads_that_are_too_large_or_no_http_are_refused_in_the_apis_form() {
    let served = Served::new(PATIENT).await;
    let before = served.world.rows();
    let get = |more: &str| format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{more}\r\n");
    let many = "x-a: 1\r\n".repeat(200);
    let path = "a".repeat(URI_LIMIT);
    for (head, status, kind, word) in [
        (
            get(&format!("x-a: {}\r\n", "b".repeat(HEAD_LIMIT))),
            431,
            "PayloadTooLarge",
            "headers",
        ),
        (
            get(&format!("x-a: {}\r\n", "b".repeat(4 << 20))),
            431,
            "PayloadTooLarge",
            "headers",
        ),
        (get(&many), 431, "PayloadTooLarge", "100 headers"),
        (
            format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(70_000)),
            431,
            "PayloadTooLarge",
            "headers",
        ),
        ("nonsense\r\n\r\n".into(), 400, "InvalidPayload", "head"),
        (get("x a: b\r\n"), 400, "InvalidPayload", "head"),
        (get("x-a: \u{1}\r\n"), 400, "InvalidPayload", "head"),
        (
            "GET /a b HTTP/1.1\r\n\r\n".into(),
            400,
            "InvalidPayload",
            "head",
        ),
        (
            get("content-length: 1\r\ncontent-length: 2\r\n"),
            400,
            "InvalidPayload",
            "head",
        ),
        (
            "GET / HTTP/9.9\r\n\r\n".into(),
            400,
            "InvalidPayload",
            "head",
        ),
        (
            "\u{16}\u{3}\u{1}\0\r\n\r\n".into(),
            400,
            "InvalidPayload",
            "head",
        ),
    ] {
        let mut stream = served.send(head).await;
        let message = refusal(&rest(&mut stream).await, status, kind);
        assert!(message.contains(word), "{message}");
    }
    let long = format!("GET /{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    let answer = rest(&mut served.send(long).await).await;
    let message = refusal(&answer, 414, "PayloadTooLarge");
    assert!(message.contains("path and query"), "{message}");
    assert_eq!(served.world.rows(), before);
    served.stopped().await;
}

#[tokio::test]
async fn a_head_that_cannot_be_read_is_refused_after_others_were_answered() {
    let served = Served::new(PATIENT).await;
    let mut stream = served
        .send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    until(&mut stream, "\"ok\"").await;
    stream.write_all(b"nonsense\r\n\r\n").await.unwrap();
    refusal(&rest(&mut stream).await, 400, "InvalidPayload");
    served.stopped().await;
}

#[tokio::test]
async fn a_connection_too_many_takes_the_place_of_an_idle_one_or_is_refused() {
    let limits = Limits {
        connections: 1,
        ..PATIENT
    };
    let served = Served::new(limits).await;
    let get = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut idle = served.send(get).await;
    until(&mut idle, "\"ok\"").await;
    let mut second = served.send(get).await;
    until(&mut second, "\"ok\"").await;
    assert_eq!(rest(&mut idle).await, "");

    let webhook = webhook(&served);
    let post = "POST /webhook/wh/wait HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    second.write_all(post.as_bytes()).await.unwrap();
    within(webhook.came.notified()).await;
    for _ in 0..3 {
        let answer = rest(&mut served.send(get).await).await;
        let message = refusal(&answer, 503, "Internal");
        assert!(message.contains("max_connections"), "{message}");
        assert!(answer.contains("retry-after: 1"), "{answer}");
    }
    webhook.go.notify_one();
    until(&mut second, "said").await;
    within(served_again(&served)).await;
    served.stopped().await;
}

#[tokio::test]
async fn one_connection_too_many_ends_no_more_than_one() {
    let limits = Limits {
        connections: 3,
        ..PATIENT
    };
    let served = Served::new(limits).await;
    let get = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut idle = Vec::new();
    for _ in 0..3 {
        let mut stream = served.send(get).await;
        until(&mut stream, "\"ok\"").await;
        idle.push(stream);
    }
    let mut fourth = served.send(get).await;
    until(&mut fourth, "\"ok\"").await;
    tokio::time::sleep(SHORT).await;
    let mut ended = 0;
    for stream in &idle {
        match stream.try_read(&mut [0]) {
            Ok(size) => {
                assert_eq!(size, 0);
                ended += 1;
            }
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
    }
    assert_eq!(ended, 1);
    drop((idle, fourth));
    served.stopped().await;
}

#[tokio::test]
async fn who_is_slow_to_ask_makes_way() {
    let limits = Limits {
        connections: 1,
        ..PATIENT
    };
    let served = Served::new(limits).await;
    let get = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut slow = served.send(&get[..20]).await;
    refusal(&rest(&mut served.send(get).await).await, 503, "Internal");
    within(served_again(&served)).await;
    let message = refusal(&rest(&mut slow).await, 408, "OperationTimeout");
    let reason = "the server has no free connection, and this one had sent no whole head for 2 s";
    assert!(message.contains(reason), "{message}");
    served.stopped().await;
}

/// Asks until there is a place.
async fn served_again(served: &Served) {
    loop {
        let get = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let answer = rest(&mut served.send(get).await).await;
        if answer.starts_with("HTTP/1.1 200 ") {
            return;
        }
    }
}

#[tokio::test]
async fn who_closes_its_half_after_asking_gets_the_answer() {
    let served = Served::new(PATIENT).await;
    let webhook = webhook(&served);
    let post = "POST /webhook/wh/wait HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    let mut stream = served.send(post).await;
    stream.shutdown().await.unwrap();
    within(webhook.came.notified()).await;
    webhook.go.notify_one();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("said"), "{answer}");
    // Before the end of a head there is nothing to answer.
    let mut stream = served.send("GET /healthz HTTP/1.1\r\n").await;
    stream.shutdown().await.unwrap();
    rest(&mut stream).await;
    served.stopped().await;
}

#[tokio::test]
async fn a_client_that_vanishes_in_the_middle_of_a_body_writes_nothing() {
    let served = Served::new(PATIENT).await;
    let before = served.world.rows();
    let body = r#"{"name":"half"}"#;
    for (half_closed, more, part) in [
        (false, "content-length: 16\r\n", body.to_owned()),
        (true, "content-length: 16\r\n", body.to_owned()),
        (
            false,
            "transfer-encoding: chunked\r\n",
            format!("f\r\n{body}\r\n"),
        ),
        (
            true,
            "transfer-encoding: chunked\r\n",
            format!("f\r\n{body}\r\n"),
        ),
    ] {
        let head = served.head("POST /v1/chat/users", more);
        let mut stream = served.send(format!("{head}{part}")).await;
        if half_closed {
            stream.shutdown().await.unwrap();
            let answer = rest(&mut stream).await;
            if !answer.is_empty() {
                assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
            }
        }
    }
    let world_rows = |served: &Served| served.world.rows();
    // All connections have ended.
    served.stop.cancel();
    let mut served = served;
    within(&mut served.task).await.unwrap();
    assert_eq!(world_rows(&served), before);
}

#[tokio::test]
async fn a_stop_ends_idle_and_slow_connections_and_finishes_what_is_answered() {
    let served = Served::new(PATIENT).await;
    let webhook = webhook(&served);
    let mut silent = served.connect().await;
    let mut slow = served.send("GET /healthz HTTP/1.1\r\nhost: x\r\n").await;
    let mut idle = served
        .send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    until(&mut idle, "\"ok\"").await;
    let post = "POST /webhook/wh/wait HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    let mut busy = served.send(post).await;
    within(webhook.came.notified()).await;
    served.stop.cancel();
    for stream in [&mut silent, &mut slow, &mut idle] {
        assert_eq!(rest(stream).await, "");
    }
    assert!(!served.task.is_finished());
    webhook.go.notify_one();
    let answer = rest(&mut busy).await;
    assert!(answer.contains("said"), "{answer}");
    served.stopped().await;
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_told_so() {
    let limits = Limits {
        request: SHORT,
        ..PATIENT
    };
    let served = Served::new(limits).await;
    webhook(&served);
    let post = "POST /webhook/wh/wait HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answer = rest(&mut served.send(post).await).await;
    refusal(&answer, 504, "OperationTimeout");
    served.stopped().await;
}

#[tokio::test]
async fn who_takes_nothing_of_an_answer_loses_its_place() {
    let limits = Limits {
        connections: 1,
        stall: SHORT,
        ..PATIENT
    };
    let served = Served::new(limits).await;
    webhook(&served);
    let post = "POST /webhook/wh/large HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    let _deaf = served.send(post).await;
    within(served_again(&served)).await;
    served.stopped().await;
}
