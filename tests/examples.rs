//! The promise: a whole bot is ten lines in any language, and the ones in examples/ run as they are.

use std::path::Path;

use tokio::process::{Child, Command};

use crate::support::{Server, http, wait};

async fn start(program: &str, file: &str) -> (Server, Child) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let port = http::free_port();
    let child = Command::new(program)
        .arg(root.join("examples").join(file))
        .arg(port.to_string())
        .kill_on_drop(true)
        .spawn()
        .expect("the example starts");
    wait::until("the example listens", || async {
        tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .ok()
    })
    .await;
    let server = Server::builder()
        .bot(&format!("http://127.0.0.1:{port}/"))
        .start()
        .await;
    (server, child)
}

async fn answers(program: &str, file: &str) {
    let (server, _child) = start(program, file).await;
    let ended = server
        .command_with_input(&["chat"], "hi\nö 🙂 \"quoted\"\n")
        .await;
    assert_eq!(ended.ok(), "You said: hi\nYou said: ö 🙂 \"quoted\"\n");
    // Another kind of event is taken, and the bot lives on.
    let api = server.integration();
    let event = serde_json::json!({ "type": "custom", "payload": {} });
    api.post("/v1/chat/events", &event).await.created("event");
    wait::until("the event is processed", || async {
        let path = "/v1/chat/events?type=telegram%3Acustom&status=processed";
        let events = server.bot().list(path, "events").await;
        (!events.is_empty()).then_some(())
    })
    .await;
    assert_eq!(
        server
            .command_with_input(&["chat"], "still there?\n")
            .await
            .ok(),
        "You said: still there?\n"
    );
}

#[tokio::test]
async fn the_python_example_answers() {
    answers("python3", "bot.py").await;
}

#[tokio::test]
async fn the_javascript_example_answers() {
    answers("node", "bot.mjs").await;
}

#[test]
fn they_are_short_enough_to_read_at_once() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    for file in ["bot.py", "bot.mjs"] {
        let text = std::fs::read_to_string(folder.join(file)).expect("the example");
        let lines = text
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.starts_with(['#', '/']));
        assert!(lines.count() <= 16, "{file}");
    }
}
