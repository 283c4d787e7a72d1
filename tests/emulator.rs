//! The promise: another's idea of Telegram works as well as our own: npm `telegram-test-api` plays
//! what it can (it ignores offsets, so it is no match for kills).

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::support::{Server, http, node};

const TOKEN: &str = "666:emulated-bot-token";

#[tokio::test]
async fn the_third_party_emulator_s_people_are_answered() {
    let port = http::free_port();
    let mut emulator = node::script("emulator.mjs")
        .args([&port.to_string(), TOKEN])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("node starts");
    let mut lines = BufReader::new(emulator.stdout.take().expect("a pipe")).lines();
    let ready = lines.next_line().await.expect("readable");
    assert_eq!(ready.as_deref(), Some("ready"));
    let server = Server::builder()
        .telegram(&format!("http://127.0.0.1:{port}"), TOKEN)
        .start()
        .await;
    let mut stdin = emulator.stdin.take().expect("a pipe");
    stdin.write_all(b"go\n").await.expect("it listens");
    let status = tokio::time::timeout(Duration::from_mins(1), emulator.wait())
        .await
        .expect("it ends")
        .expect("it ends");
    let mut words = String::new();
    let mut stderr = emulator.stderr.take().expect("a pipe");
    stderr.read_to_string(&mut words).await.expect("text");
    assert!(status.success(), "{words}");
    let all = server
        .bot()
        .list("/v1/chat/conversations", "conversations")
        .await;
    assert_eq!(all.len(), 2);
}
