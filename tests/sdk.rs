//! The promise: a bot process of npm `@botpress/sdk`, unmodified, works behind the bot URL.

use serde_json::json;
use tokio::process::Child;

use crate::support::{Server, http, node, texts, wait};

const TOKEN: &str = "sdk-bot-token-of-at-least-32-characters";

/// A server and a bot process that know each other.
async fn start() -> (Server, Child) {
    let port = http::free_port();
    let mut server = Server::builder()
        .bot(&format!("http://127.0.0.1:{port}/"))
        .env("SWITCHBOARD_TOKEN", TOKEN)
        .start()
        .await;
    server.expect_dead_deliveries(); // The answers: there is no Telegram token.
    let bot = node::script("sdk/echo.cjs")
        .arg(port.to_string())
        .env("BP_API_URL", &server.ready.url)
        .env("BP_TOKEN", TOKEN)
        .spawn()
        .expect("node starts");
    let health = format!("http://127.0.0.1:{port}/health");
    let client = http::client();
    wait::until("the bot process listens", || async {
        client.get(&health).send().await.ok()
    })
    .await;
    (server, bot)
}

#[tokio::test]
async fn it_hears_messages_and_answers_through_the_runtime_api() {
    let (server, _bot) = start().await;
    let api = server.integration();
    let conversation = api.conversation("501").await;
    let user = api.user("501").await;
    api.say(&conversation, &user, "hello").await;
    let messages = wait::until("the bot has answered", || async {
        let messages = server.bot().messages(&conversation).await;
        (messages.len() == 2).then_some(messages)
    })
    .await;
    assert_eq!(texts(&messages), ["hello", "501: hello"]);
    assert_eq!(messages[1]["direction"], "outgoing");
    assert_eq!(messages[1]["userId"], server.ready.bot_id.as_str());
}

#[tokio::test]
async fn it_hears_the_integration_s_events_and_keeps_states() {
    let (server, _bot) = start().await;
    let api = server.integration();
    let conversation = api.conversation("501").await;
    let event = json!({
        "type": "custom", "payload": { "n": 1 }, "conversationId": conversation["id"],
    });
    api.post("/v1/chat/events", &event).await.created("event");
    let id = conversation["id"].as_str().expect("an id");
    let path = format!("/v1/chat/states/conversation/{id}/custom");
    let state = wait::until("the bot has set its state", || async {
        let answer = server.bot().get(&path).await;
        (answer.status == 200).then(|| answer.ok("state"))
    })
    .await;
    assert_eq!(state["payload"], json!({ "n": 1 }));
}

#[tokio::test]
async fn a_handler_that_throws_fails_its_event_and_nothing_else() {
    let (server, _bot) = start().await;
    let api = server.integration();
    let conversation = api.conversation("501").await;
    let user = api.user("501").await;
    api.say(&conversation, &user, "throw").await;
    api.say(&conversation, &user, "on").await;
    wait::until("the second message is answered", || async {
        let messages = server.bot().messages(&conversation).await;
        texts(&messages).contains(&"501: on").then_some(())
    })
    .await;
    let failed = server
        .bot()
        .list("/v1/chat/events?status=failed", "events")
        .await;
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["payload"]["message"]["payload"]["text"], "throw");
}
