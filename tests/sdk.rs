//! The promise: a bot process of npm `@botpress/sdk`, unmodified, works behind the bot URL.

use serde_json::{Value, json};
use tokio::process::Child;

use crate::support::server::Builder;
use crate::support::telegram::{FakeTelegram, TOKEN as TELEGRAM_TOKEN};
use crate::support::{Server, http, node, texts, wait};

const TOKEN: &str = "sdk-bot-token-of-at-least-32-characters";

/// A server and a bot process that know each other.
async fn start() -> (Server, Child) {
    start_with(Server::builder(), "sdk/echo.cjs").await
}

async fn start_with(builder: Builder, script: &str) -> (Server, Child) {
    let port = http::free_port();
    let mut server = builder
        .bot(&format!("http://127.0.0.1:{port}/"))
        .env("SWITCHBOARD_TOKEN", TOKEN)
        .start()
        .await;
    server.expect_dead_deliveries(); // The answers: there is no Telegram token.
    let bot = node::script(script)
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

/// The workflow, once it has this status.
async fn becomes(server: &Server, id: &Value, status: &str) -> Value {
    let path = format!("/v1/chat/workflows/{}", id.as_str().expect("an id"));
    wait::until(&format!("the workflow is {status}"), || async {
        let workflow = server.bot().get(&path).await.ok("workflow");
        (workflow["status"] == status).then_some(workflow)
    })
    .await
}

async fn create(server: &Server, workflow: Value) -> Value {
    let answer = server.bot().post("/v1/chat/workflows", &workflow).await;
    answer.created("workflow")
}

#[tokio::test]
async fn its_workflows_start_and_go_on_until_they_are_done() {
    let (server, _bot) = start_with(Server::builder(), "sdk/workflows.cjs").await;
    let order = json!({ "type": "order", "input": { "steps": 3 } });
    let called = server.bot().post("/v1/chat/actions", &order).await;
    let done = becomes(&server, &called.ok("output")["id"], "completed").await;
    let seen = json!(["started", "continued", "continued"]);
    assert_eq!(done["output"]["seen"], seen);
    assert_eq!(done["tags"], json!({ "for": "order" }));

    let parent = json!({ "name": "parent", "status": "pending" });
    let parent = create(&server, parent).await;
    let done = becomes(&server, &parent["id"], "completed").await;
    assert_eq!(done["output"], json!({ "parts": ["completed"] }));
    let id = parent["id"].as_str().expect("an id");
    let path = format!("/v1/chat/events?workflowId={id}");
    let told = server.bot().list(&path, "events").await;
    let news: Vec<_> = told
        .iter()
        .rev()
        .map(|event| event["payload"]["type"].as_str())
        .collect();
    assert_eq!(
        news,
        [
            Some("workflow_started"),
            Some("child_workflow_finished"),
            Some("workflow_continued")
        ]
    );
    assert_eq!(told[1]["payload"]["childWorkflow"]["status"], "completed");
}

#[tokio::test]
async fn its_workflows_time_out_also_after_a_crash() {
    // The bot process knows one address only.
    let listen = format!("127.0.0.1:{}", http::free_port());
    let builder = Server::builder().env("SWITCHBOARD_LISTEN", listen);
    let (mut server, _bot) = start_with(builder, "sdk/workflows.cjs").await;
    let conversation = server.integration().conversation("501").await;
    let slow = json!({
        "name": "slow", "status": "listening", "input": { "what": "tea" },
        "conversationId": conversation["id"], "timeoutAt": "2020-01-02T03:04:05.678Z",
    });
    let slow = create(&server, slow).await;
    server.kill().await;
    server.start().await;
    becomes(&server, &slow["id"], "timedout").await;
    let said = wait::until("the bot was told", || async {
        let messages = server.bot().messages(&conversation).await;
        (!messages.is_empty()).then_some(messages)
    })
    .await;
    assert_eq!(texts(&said)[0], "timedout: tea");
}

#[tokio::test]
async fn its_actions_are_called_and_it_calls_telegrams() {
    let telegram = FakeTelegram::start().await;
    let builder = Server::builder().telegram(&telegram.url(), TELEGRAM_TOKEN);
    let (server, _bot) = start_with(builder, "sdk/workflows.cjs").await;
    let call = async |kind: &str, input: Value| {
        let body = json!({ "type": kind, "input": input });
        server.bot().post("/v1/chat/actions", &body).await
    };
    let added = call("add", json!({ "a": 2, "b": 3 })).await;
    assert_eq!(added.ok("output"), json!({ "sum": 5 }));
    assert_eq!(added.body["meta"], json!({ "cached": false }));
    let refused = call("refuse", json!({})).await;
    refused.error(400, "Runtime");
    assert_eq!(refused.body["message"], "no sums today");
    // The SDK says no more of an action that it does not know.
    call("fly", json!({})).await.error(400, "Runtime");

    let conversation = server.integration().conversation("-1002100000001/42").await;
    let input = json!({ "conversationId": conversation["id"], "messageId": "any" });
    for kind in ["type", "telegram:startTypingIndicator"] {
        let called = call(kind, input.clone()).await;
        assert_eq!(called.ok("output"), json!({}), "{kind}");
    }
    let shown = telegram.calls("sendChatAction");
    assert_eq!(shown.len(), 2);
    for call in shown {
        let call = call.body;
        assert_eq!(call["chat_id"], -1_002_100_000_001_i64);
        assert_eq!(call["message_thread_id"], 42);
        assert_eq!(call["action"], "typing");
    }
}
