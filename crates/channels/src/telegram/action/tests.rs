use serde_json::{Value, json};
use switchboard_engine::{Condition, Engine};
use switchboard_model::{Integration, Tags};
use switchboard_store::{CreateConversation, Created, Place};

use super::super::CHANNEL;
use super::super::fixture::{Api, Bench, Reply};
use super::*;

async fn conversation(engine: &Engine, integration: &Integration, tags: &[(&str, &str)]) -> String {
    let tags: Tags = tags
        .iter()
        .map(|(name, value)| (format!("telegram:{name}"), *value))
        .collect();
    let command = CreateConversation {
        id: engine.new_conversation_id(),
        place: Place {
            bot: integration.bot,
            integration: integration.id,
            channel: CHANNEL.to_owned(),
        },
        tags,
        unless: None,
        participants: Vec::new(),
        now: engine.env().now(),
    };
    match engine.store().create_conversation(command).await.unwrap() {
        Created::Created(made) => made.id.to_string(),
        Created::Exists(_) => panic!("it is new"),
    }
}

struct Desk {
    bench: Bench,
    api: Api,
}

impl Desk {
    async fn new() -> Self {
        Self {
            bench: Bench::new().await,
            api: Api::start().await,
        }
    }

    async fn call(&self, name: &str, input: Value) -> Result<Json, ActionFailure> {
        let call = ActionCall {
            bot: self.bench.integration.bot,
            name: name.to_owned(),
            input: Json::from_serialize(&input).unwrap(),
        };
        self.bench.account(&self.api.url).call(call).await
    }

    async fn typing(&self, tags: &[(&str, &str)]) -> Result<Json, ActionFailure> {
        let id = conversation(&self.bench.engine, &self.bench.integration, tags).await;
        let input = json!({ "conversationId": id, "messageId": "msg_x", "timeout": 1000 });
        self.call("startTypingIndicator", input).await
    }
}

#[tokio::test]
async fn typing_is_shown_in_the_conversations_own_thread() {
    let desk = Desk::new().await;
    for (tags, expected) in [
        (&[("id", "501")][..], json!({ "chat_id": 501 })),
        (
            &[("id", "-1002100000001/42")],
            json!({ "chat_id": -1_002_100_000_001_i64, "message_thread_id": 42 }),
        ),
        (
            &[("id", "-1002100000001/1")],
            json!({ "chat_id": -1_002_100_000_001_i64 }),
        ),
        (
            &[("id", "business:bc1/501")],
            json!({ "chat_id": 501, "business_connection_id": "bc1" }),
        ),
    ] {
        assert_eq!(desk.typing(tags).await, Ok(Json::empty()));
        let mut expected = expected;
        expected["action"] = json!("typing");
        assert_eq!(desk.api.calls("sendChatAction").last(), Some(&expected));
    }
    let calls = desk.api.calls("sendChatAction").len();
    let direct = desk.typing(&[("id", "-1002100000001/direct/7")]).await;
    assert_eq!(direct, Ok(Json::empty()));
    assert_eq!(desk.api.calls("sendChatAction").len(), calls);
}

#[tokio::test]
async fn stopping_tells_telegram_nothing() {
    let desk = Desk::new().await;
    let (engine, integration) = (&desk.bench.engine, &desk.bench.integration);
    let id = conversation(engine, integration, &[("id", "501")]).await;
    let input = json!({ "conversationId": id, "messageId": "msg_x" });
    let stopped = desk.call("stopTypingIndicator", input).await;
    assert_eq!(stopped, Ok(Json::empty()));
    assert!(desk.api.calls("sendChatAction").is_empty());
}

#[tokio::test]
async fn what_cannot_be_done_says_why() {
    let desk = Desk::new().await;
    let unknown = desk.call("fly", json!({})).await;
    assert_eq!(unknown, Err(ActionFailure::Unknown));
    let fails = |result: Result<Json, ActionFailure>, words: &str| {
        let error = result.unwrap_err();
        assert!(matches!(error, ActionFailure::Failed { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    };
    let start = "startTypingIndicator";
    fails(desk.call(start, json!({})).await, "conversationId");
    let id = desk.bench.engine.new_conversation_id().to_string();
    let input = json!({ "conversationId": id });
    fails(desk.call(start, input).await, "not found");
    fails(desk.typing(&[("mood", "x")]).await, "tag telegram:id");
    for (reply, words) in [
        (
            Reply::refused(403, "Forbidden: bot was blocked by the user"),
            "blocked by the user",
        ),
        (
            Reply::RetryAfter(429, "9", "{\"ok\":false,\"description\":\"slow\"}"),
            "try again after 9 s",
        ),
        (Reply::refused(401, "Unauthorized"), "@BotFather"),
    ] {
        desk.api.script("sendChatAction", reply);
        fails(desk.typing(&[("id", "501")]).await, words);
    }
    assert_eq!(desk.api.calls("sendChatAction").len(), 3);
}

#[tokio::test]
async fn an_account_that_is_refused_is_in_trouble() {
    let desk = Desk::new().await;
    desk.api
        .script("sendChatAction", Reply::refused(401, "Unauthorized"));
    let account = desk.bench.account(&desk.api.url);
    let (engine, integration) = (&desk.bench.engine, &desk.bench.integration);
    let id = conversation(engine, integration, &[("id", "501")]).await;
    account.condition.receives();
    let call = ActionCall {
        bot: integration.bot,
        name: "startTypingIndicator".to_owned(),
        input: Json::from_serialize(&json!({ "conversationId": id })).unwrap(),
    };
    account.call(call).await.unwrap_err();
    let condition = desk.bench.condition();
    assert!(
        matches!(condition, Some(Condition::Troubled(_))),
        "{condition:?}"
    );
}
