//! Sizes and characters that are refused, or kept exactly.

use serde_json::{Value, json};

use super::case;
use crate::support::{Server, message};

/// The resident memory of a process, in MiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("its memory");
    let kib = line
        .split_whitespace()
        .nth(1)
        .and_then(|text| text.parse::<u64>().ok());
    kib.expect("a number") / 1024
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_read_to_the_end() {
    let case = case("api-006");
    let mut server = Server::echo().await;
    server.expect_dead_deliveries(); // The echo: there is no Telegram token.
    let api = server.integration();
    let conversation = api.conversation("501").await;
    let user = api.user("501").await;
    let body = |call: usize| {
        let text = &case["input"]["calls"][call]["body"]["payload"]["text"];
        let mut body = message(&conversation["id"], &user["id"], "");
        body["payload"]["text"] = text.clone();
        body
    };
    api.post("/v1/chat/messages", &body(0))
        .await
        .created("message");
    let before = resident(server.pid());
    api.post("/v1/chat/messages", &body(1))
        .await
        .error(413, "PayloadTooLarge");
    let huge = &case["input"]["calls"][2]["body"]["raw"];
    let text = huge.as_str().expect("a text").to_owned();
    let (status, answer) = api.post_text("/v1/chat/messages", &text).await;
    assert_eq!(status, 413, "the answer can be read");
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!(answer["type"], "PayloadTooLarge");
    let grown = resident(server.pid()).saturating_sub(before);
    assert!(grown <= 64, "{grown} MiB more");
}

#[tokio::test]
async fn nul_is_kept_exactly_or_refused_and_never_cuts() {
    let case = case("api-005");
    let mut server = Server::echo().await;
    server.expect_dead_deliveries();
    let api = server.integration();
    let conversation = api.conversation("501").await;
    let user = api.user("501").await;
    for call in case["input"]["calls"].as_array().expect("calls") {
        let text = call["body"]
            .to_string()
            .replace("\"$c\"", &conversation["id"].to_string())
            .replace("\"$u\"", &user["id"].to_string());
        let body: Value = serde_json::from_str(&text).expect("JSON");
        let answer = api
            .post(call["path"].as_str().expect("a path"), &body)
            .await;
        match answer.status {
            200 | 201 => {
                let kept = [&answer.body["message"], &answer.body["conversation"]]
                    .into_iter()
                    .find(|object| object.is_object())
                    .expect("an object");
                assert_eq!(kept["tags"], body["tags"]);
                if body["payload"].is_object() {
                    assert_eq!(kept["payload"], body["payload"]);
                }
            }
            _ => answer.error(400, "InvalidPayload"),
        }
    }
    let sevens = api
        .list("/v1/chat/conversations?tags.id=7", "conversations")
        .await;
    assert_eq!(sevens.len(), 1);
    assert_eq!(sevens[0]["tags"], json!({ "id": "7" }));
}
