//! The promise: an integration written in JavaScript, in the documented form, says which conversation
//! a channel's threads are; whatever it does, nothing is lost and the server goes on.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::telegram::{FakeTelegram, TOKEN};
use crate::support::{Server, texts, wait};

const GROUP: i64 = -1_002_100_000_001;
const GET_OR_CREATE: &str = "conversations.getOrCreateConversation";

fn file(path: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join(path).display().to_string()
}

fn documented() -> String {
    file("tests/fixtures/javascript/documented.js")
}

async fn add(server: &Server, script: &str, more: &[&str]) -> Value {
    let mut arguments = vec!["integrations", "add", "javascript", script];
    arguments.extend(["--alias", "scripted", "--channel", "telegram", "--json"]);
    arguments.extend(more);
    server.command(&arguments).await.json()
}

async fn call(server: &Server, function: &str, id: &str) -> Value {
    let arguments = ["integrations", "call", "scripted", function, id, "--json"];
    server.command(&arguments).await.json()
}

fn written(server: &Server, source: &str) -> String {
    let path = server.folder().join("script.js");
    std::fs::write(&path, source).expect("a file");
    path.display().to_string()
}

fn in_group(message: i64, person: i64, text: &str) -> Value {
    json!({ "message": {
        "message_id": message, "date": 1_790_000_000,
        "chat": { "id": GROUP, "type": "supergroup", "title": "Team" },
        "from": { "id": person, "is_bot": false, "first_name": format!("P{person}") }, "text": text,
    } })
}

async fn scripted(script: &str) -> (FakeTelegram, Server, String) {
    let telegram = FakeTelegram::start().await;
    let server = Server::builder()
        .env("SWITCHBOARD_TELEGRAM_API_URL", telegram.url())
        .start()
        .await;
    let added = add(&server, script, &["--telegram-token", TOKEN]).await;
    assert_eq!(added["active"], true);
    let id = added["integration_id"].as_str().expect("an id").to_owned();
    (telegram, server, id)
}

async fn conversations(server: &Server) -> Vec<Value> {
    server
        .bot()
        .list("/v1/chat/conversations", "conversations")
        .await
}

#[tokio::test]
async fn sixteen_calls_at_once_on_a_cold_thread_end_with_one_conversation() {
    let server = Server::echo().await;
    let added = add(&server, &documented(), &[]).await;
    assert_eq!(added["active"], false);
    let again = add(&server, &documented(), &[]).await;
    assert_eq!(added["integration_id"], again["integration_id"]);
    let calls = (0..16).map(|_| call(&server, GET_OR_CREATE, "-1001234"));
    let made = futures::future::join_all(calls).await;
    let ids: BTreeSet<_> = made.iter().map(|one| one["id"].as_str()).collect();
    assert_eq!(ids.len(), 1, "{made:#?}");
    assert_eq!(conversations(&server).await.len(), 1);
    assert_eq!(made[0]["tags"]["id"], "-1001234");

    let user = call(&server, "users.getOrCreateUser", "501").await;
    assert_eq!(user["tags"]["id"], "501");
    let name = [
        "integrations",
        "call",
        "scripted",
        "conversations.nonsense",
        "1",
    ];
    let unknown = server.command(&name).await;
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("users.createUser"), "{unknown:?}");
    let list = server.command(&["integrations", "list"]).await;
    assert!(list.ok().contains("a script maps it"), "{}", list.stdout);
}

#[tokio::test]
async fn a_script_is_added_and_called_also_without_a_server() {
    let mut server = Server::echo().await;
    server.terminate().await;
    let added = add(&server, &documented(), &[]).await;
    let made = call(&server, GET_OR_CREATE, "7").await;
    server.start().await;
    assert_eq!(call(&server, GET_OR_CREATE, "7").await, made);
    let broken = written(&server, "const integration = (a: string) => a");
    let arguments = ["integrations", "add", "javascript", &broken];
    let more = ["--alias", "scripted", "--channel", "telegram"];
    let refused = server.command(&[&arguments[..], &more].concat()).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("line 1, column"), "{refused:?}");
    let listed = server
        .command(&["integrations", "list", "--json"])
        .await
        .json();
    let found = listed["integrations"].as_array().expect("a list");
    let found = found
        .iter()
        .find(|one| one["id"] == added["integration_id"]);
    assert_eq!(found.expect("it is listed")["scripted"], true);
}

#[tokio::test]
async fn members_of_a_group_have_conversations_of_their_own_and_answers_reach_the_group() {
    let (telegram, mut server, id) = scripted(&file("examples/one-per-member.js")).await;
    telegram.push(in_group(1, 501, "from ada"));
    telegram.push(in_group(2, 502, "from bob"));
    telegram.push_text(503, 503, "alone");
    telegram.wait_for_text(GROUP, "from ada").await;
    telegram.wait_for_text(GROUP, "from bob").await;
    telegram.wait_for_text(503, "alone").await;
    server.kill().await;
    telegram.push(in_group(3, 501, "ada again"));
    server.start().await;
    telegram.wait_for_text(GROUP, "ada again").await;
    let all = conversations(&server).await;
    assert_eq!(all.len(), 3, "{all:#?}");
    let api = server.bot().acting_as(&id, "scripted");
    let ada = all.iter().find(|one| {
        one["tags"]["scripted:id"] == format!("{GROUP}#501")
            || one["tags"]["id"] == format!("{GROUP}#501")
    });
    let ada = ada.expect("ada's conversation");
    let messages = api.messages(ada).await;
    assert_eq!(texts(&messages).len(), 4, "{messages:#?}");
    // The same update again.
    telegram.push(in_group(3, 501, "ada again"));
    telegram.wait_until_taken().await;
    assert_eq!(conversations(&server).await.len(), 3);
    assert_eq!(api.messages(ada).await.len(), 4);
}

#[tokio::test]
async fn a_script_that_fails_loses_nothing_and_is_mended_without_a_restart() {
    let (telegram, server, id) = scripted(&file("examples/one-per-member.js")).await;
    let broken = "const integration = { conversations: { getOrCreateConversation() { throw new Error('broken') } } }";
    add(&server, &written(&server, broken), &[]).await;
    telegram.push_text(501, 501, "lost?");
    telegram.wait_until_taken().await;
    let events = wait::until("it is kept as an event", || async {
        let events = server.bot().list("/v1/chat/events", "events").await;
        let kept = |event: &&Value| event["type"] == "scripted:unmapped";
        events.iter().find(kept).cloned()
    })
    .await;
    assert_eq!(events["payload"]["update"]["message"]["text"], "lost?");
    assert!(
        events["payload"]["reason"]
            .as_str()
            .expect("a reason")
            .contains("broken")
    );
    let health = server.bot().get("/healthz").await.body;
    let trouble = health["integrations"][&id]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(trouble.contains("broken"), "{health}");
    assert!(conversations(&server).await.is_empty());

    add(&server, &documented(), &[]).await;
    telegram.push_text(501, 501, "hello");
    telegram.wait_for_text(501, "hello").await;
    let well = wait::until("it is well", || async {
        let health = server.bot().get("/healthz").await.body;
        let text = health["integrations"][&id].as_str()?.to_owned();
        (!text.contains("broken")).then_some(text)
    })
    .await;
    assert!(!well.is_empty());
}
