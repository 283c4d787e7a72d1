//! Bodies over a real connection: refused early, and the refusal can be read.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::World;

struct Served {
    world: World,
    connection: TcpStream,
    task: tokio::task::JoinHandle<()>,
}

impl Served {
    async fn new() -> Self {
        let world = World::new().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = world.router.clone();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let connection = TcpStream::connect(address).await.unwrap();
        Self {
            world,
            connection,
            task,
        }
    }

    async fn head(&mut self, more: &str) {
        let head = format!(
            "POST /v1/chat/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
             x-bot-id: {}\r\n{more}\r\n",
            self.world.bot.token,
            self.world.bot_id(),
        );
        self.connection.write_all(head.as_bytes()).await.unwrap();
    }

    /// Reads until the end, or until `words` have come.
    async fn read(&mut self, words: &str) -> String {
        let read = async {
            let mut text = Vec::new();
            let mut buffer = [0; 4096];
            loop {
                let size = self.connection.read(&mut buffer).await.unwrap();
                text.extend_from_slice(&buffer[..size]);
                let so_far = String::from_utf8_lossy(&text).into_owned();
                if size == 0 || so_far.contains(words) {
                    return so_far;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), read)
            .await
            .unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn a_client_that_sends_fifty_megabytes_to_the_end_reads_the_413() {
    for announced in [true, false] {
        let mut served = Served::new().await;
        let chunk = vec![b'x'; 500_000];
        if announced {
            served.head("content-length: 50000000\r\n").await;
        } else {
            served.head("transfer-encoding: chunked\r\n").await;
        }
        for _ in 0..100 {
            if !announced {
                served.connection.write_all(b"7A120\r\n").await.unwrap();
            }
            served.connection.write_all(&chunk).await.unwrap();
            if !announced {
                served.connection.write_all(b"\r\n").await.unwrap();
            }
        }
        if !announced {
            served.connection.write_all(b"0\r\n\r\n").await.unwrap();
        }
        let answer = served.read("PayloadTooLarge").await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_waits_for_permission_is_refused_without_sending() {
    let mut served = Served::new().await;
    served
        .head("content-length: 50000000\r\nexpect: 100-continue\r\n")
        .await;
    let answer = served.read("PayloadTooLarge").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_body_that_nobody_reads_does_not_cost_the_connection() {
    let mut served = Served::new().await;
    for _ in 0..3 {
        let head = format!(
            "GET /v1/chat/users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
             x-bot-id: {}\r\ncontent-length: 2\r\n\r\n{{}}",
            served.world.bot.token,
            served.world.bot_id(),
        );
        served.connection.write_all(head.as_bytes()).await.unwrap();
        let answer = served.read("\"meta\":{}}").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}
