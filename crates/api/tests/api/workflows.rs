//! Workflows over HTTP.

use std::time::Duration;

use serde_json::{Value, json};
use switchboard_store::Store;

use crate::support::{Client, World};

async fn pending(bot: &Client, name: &str, more: Value) -> Value {
    let mut body = json!({ "name": name, "status": "pending" });
    for (field, value) in more.as_object().unwrap() {
        body[field] = value.clone();
    }
    bot.post("/workflows", body).await.created().body["workflow"].clone()
}

#[tokio::test]
async fn a_workflow_is_shown_as_it_was_given() {
    let world = World::new().await;
    let bot = world.bot();
    let conversation = world.telegram().conversation(json!({ "id": "1" })).await;
    let user = world.telegram().user(json!({ "id": "7" })).await;
    let parent = pending(&bot, "parent", json!({})).await;
    let more = json!({
        "input": { "z": 1.5, "a": 9_007_199_254_740_993_u64 }, "tags": { "key": "k" },
        "conversationId": conversation, "userId": user, "parentWorkflowId": parent["id"],
        "timeoutAt": "2030-01-02T03:04:05.678Z",
    });
    let made = pending(&bot, "report", more.clone()).await;
    for (field, value) in more.as_object().unwrap() {
        assert_eq!(made[field], *value, "{field}");
    }
    assert_eq!(made["status"], "pending");
    assert_eq!(made["output"], json!({}));
    assert_eq!(made.get("completedAt"), None);
    let path = format!("/workflows/{}", made["id"].as_str().unwrap());
    assert_eq!(bot.get(&path).await.ok().body["workflow"], made);

    let done = json!({ "status": "completed", "output": { "pages": 3 } });
    let done = bot.put(&path, done).await.ok().body["workflow"].clone();
    assert_eq!(done["output"], json!({ "pages": 3 }));
    assert_eq!(done["completedAt"], done["updatedAt"]);
    assert_eq!(bot.delete(&path).await.ok().body, json!({}));
    bot.get(&path).await.is(404);
    bot.delete(&path).await.is(404);
}

#[tokio::test]
async fn the_time_of_a_workflow_is_five_minutes_unless_told() {
    let world = World::new().await;
    let made = pending(&world.bot(), "x", json!({})).await;
    let time = |field: &str| made[field].as_str().unwrap().parse().unwrap();
    let (from, until): (switchboard_model::Timestamp, _) = (time("createdAt"), time("timeoutAt"));
    assert_eq!(until.since(from), Duration::from_mins(5));
    let path = format!("/workflows/{}", made["id"].as_str().unwrap());
    world.clock.advance(Duration::from_mins(5));
    assert_eq!(world.store.sweep(world.engine.env().now()).await, Ok(1));
    let over = world.bot().get(&path).await.ok().body["workflow"].clone();
    assert_eq!(over["status"], "timedout");
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let world = World::new().await;
    let bot = world.bot();
    let made = pending(&bot, "x", json!({})).await;
    let path = format!("/workflows/{}", made["id"].as_str().unwrap());
    let long = "x".repeat(2001);
    for (method, path, body, words) in [
        (
            "POST",
            "/workflows",
            json!({ "name": "x" }),
            "status: expected this field",
        ),
        (
            "POST",
            "/workflows",
            json!({ "name": "x", "status": "done" }),
            "status: unknown",
        ),
        (
            "POST",
            "/workflows",
            json!({ "name": "x", "status": "completed" }),
            "status: expected pending, in_progress or listening",
        ),
        (
            "POST",
            "/workflows",
            json!({ "name": "", "status": "pending" }),
            "name: ",
        ),
        (
            "POST",
            "/workflows",
            json!({ "name": "x", "status": "in_progress" }),
            "eventId: expected",
        ),
        (
            "POST",
            "/workflows",
            json!({ "name": "x", "status": "pending", "timeoutAt": "soon" }),
            "timeoutAt: ",
        ),
        (
            "POST",
            "/workflows/get-or-create",
            json!({ "name": "x", "status": "pending" }),
            "tags: expected at least one",
        ),
        (
            "POST",
            "/workflows/get-or-create",
            json!({ "name": "x", "status": "pending", "discriminateByStatusGroup": "old" }),
            "discriminateByStatusGroup: ",
        ),
        (
            "PUT",
            path.as_str(),
            json!({ "status": "in_progress" }),
            "eventId: expected",
        ),
        (
            "PUT",
            path.as_str(),
            json!({ "status": "timedout" }),
            "status: the workflow is pending and cannot become timedout",
        ),
        (
            "PUT",
            path.as_str(),
            json!({ "failureReason": long }),
            "failureReason: ",
        ),
    ] {
        let answer = bot.call(method, path, &body).await.is(400);
        let message = answer.body["message"].as_str().unwrap();
        assert!(message.starts_with(words), "{words}: {message}");
    }
    let unknown = "evt_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let body = json!({ "status": "in_progress", "eventId": unknown });
    let refused = bot.put(&path, body).await.is(400);
    assert_eq!(refused.body["type"], "ReferenceNotFound");
    let large = json!({ "output": { "x": "x".repeat(131_072) } });
    let refused = bot.put(&path, large).await.is(413);
    assert!(refused.text.contains("output is over"), "{}", refused.text);
    let forged = json!({ "type": "workflow_update", "payload": {} });
    bot.post("/events", forged).await.is(400);
    bot.get("/workflows?statuses=done").await.is(400);
    assert_eq!(bot.get(&path).await.ok().body["workflow"], made);
}

#[tokio::test]
async fn events_of_a_workflow_are_found_by_it() {
    let world = World::new().await;
    let bot = world.bot();
    let made = pending(&bot, "x", json!({})).await;
    let id = made["id"].as_str().unwrap();
    let event = json!({ "type": "answer", "payload": {}, "workflowId": id });
    bot.post("/events", event).await.created();
    let found = bot
        .list_all(&format!("/events?workflowId={id}"), "events")
        .await;
    let kinds: Vec<_> = found.iter().map(|event| event["type"].as_str()).collect();
    assert_eq!(kinds, [Some("answer"), Some("workflow_update")]);
    assert_eq!(
        found[1]["payload"],
        json!({ "type": "workflow_started", "workflow": made })
    );
}

#[tokio::test]
async fn an_integration_has_no_workflows() {
    let world = World::new().await;
    let telegram = world.telegram();
    let body = json!({ "name": "x", "status": "pending", "tags": { "key": "k" } });
    for path in ["/workflows", "/workflows/get-or-create"] {
        telegram.post(path, body.clone()).await.is(403);
    }
}
