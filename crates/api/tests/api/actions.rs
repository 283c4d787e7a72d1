//! Actions over HTTP: whose they are, and how they end.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use switchboard_integration::{ActionCall, ActionFailure, Actions};
use switchboard_model::Json;

use crate::support::World;

/// Says who it is and what it was given.
struct Named(&'static str);

#[async_trait]
impl Actions for Named {
    async fn call(&self, call: ActionCall) -> Result<Json, ActionFailure> {
        match call.name.as_str() {
            "tell" => {
                let input: Value = call.input.read().unwrap();
                let output = json!({ "by": self.0, "for": call.bot, "input": input });
                Ok(Json::from_serialize(&output).unwrap())
            }
            "fail" => Err(ActionFailure::failed("no luck today")),
            "sleep" => Err(ActionFailure::TimedOut),
            _ => Err(ActionFailure::Unknown),
        }
    }
}

async fn world() -> World {
    let world = World::new().await;
    world.actions.set_bots(Arc::new(Named("the bot")));
    let telegram = world.bot.integrations[0].id;
    world.actions.insert(telegram, Arc::new(Named("telegram")));
    world
}

fn call(kind: &str) -> Value {
    json!({ "type": kind, "input": { "n": 1 } })
}

#[tokio::test]
async fn a_name_says_whose_action_it_is() {
    let world = world().await;
    for (caller, kind, by) in [
        (world.bot(), "telegram:tell", "telegram"),
        (world.bot(), "tell", "the bot"),
        (world.telegram(), "tell", "telegram"),
    ] {
        let called = caller.post("/actions", call(kind)).await.ok();
        assert_eq!(
            called.body,
            json!({
                "output": { "by": by, "for": world.bot_id(), "input": { "n": 1 } },
                "meta": { "cached": false },
            })
        );
    }
}

#[tokio::test]
async fn how_an_action_ends_badly_is_told() {
    let world = world().await;
    for kind in ["telegram:fail", "fail"] {
        let message = world.bot().post("/actions", call(kind)).await;
        assert_eq!(message.error(400, "Runtime"), "no luck today");
    }
    let late = world.bot().post("/actions", call("telegram:sleep")).await;
    let message = late.error(504, "OperationTimeout");
    assert!(message.contains("the action telegram:sleep "), "{message}");
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let world = world().await;
    for (caller, kind, words) in [
        (world.bot(), "telegram:fly", "no action telegram:fly"),
        (world.bot(), "fly", "no action fly"),
        (
            world.bot(),
            "slack:tell",
            "has the alias slack; expected an action of one of: telegram",
        ),
        (
            world.bot(),
            "terminal:tell",
            "the integration terminal has none",
        ),
        (world.telegram(), "fly", "no action telegram:fly"),
        (
            world.telegram(),
            "terminal:tell",
            "no action telegram:terminal:tell",
        ),
        (world.bot(), "", "expected a text that is not empty"),
    ] {
        let refused = caller.post("/actions", call(kind)).await;
        let message = refused.error(400, "InvalidPayload");
        assert!(message.starts_with("type: "), "{message}");
        assert!(message.contains(words), "{message}");
    }
    let bare = World::new().await;
    let message = bare.bot().post("/actions", call("tell")).await;
    let message = message.error(400, "InvalidPayload");
    assert!(message.contains("--bot-url"), "{message}");
    let no_input = json!({ "type": "tell" });
    let message = world.bot().post("/actions", no_input).await;
    assert!(message.error(400, "InvalidPayload").starts_with("input"));
}

#[tokio::test]
async fn an_inactive_integration_and_anothers_are_not_called() {
    let world = world().await;
    let (bot, telegram) = (world.bot.bot.id, world.bot.integrations[0].id);
    let off = switchboard_store::IntegrationChange {
        active: Some(false),
        script: None,
        secret: None,
    };
    let now = world.engine.env().now();
    let store = world.engine.store();
    store
        .update_integration(bot, telegram, off, now)
        .await
        .unwrap();
    for (caller, kind) in [(world.bot(), "telegram:tell"), (world.telegram(), "tell")] {
        let message = caller.post("/actions", call(kind)).await;
        let message = message.error(400, "InvalidPayload");
        assert!(message.contains("telegram is not active"), "{message}");
    }
    // Another bot's own integration of the same alias has no actions here.
    let other = world.another_bot().await;
    let stranger = world.client(&other, None);
    let refused = stranger.post("/actions", call("telegram:tell")).await;
    refused.error(400, "InvalidPayload");
    let forged = stranger.with("x-integration-id", telegram.to_string());
    forged.post("/actions", call("tell")).await.is(403);
    world
        .bot()
        .without("authorization")
        .post("/actions", call("tell"))
        .await
        .is(401);
}
