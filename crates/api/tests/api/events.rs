//! Events.

use serde_json::json;

use crate::support::{World, pluck};

#[tokio::test]
async fn an_integrations_event_reaches_the_bot_under_its_alias() {
    let world = World::new().await;
    let telegram = world.telegram();
    let conversation = telegram.conversation(json!({ "id": "1" })).await;
    let user = telegram.user(json!({ "id": "7" })).await;
    let message = telegram.say(&conversation, &user, "hi").await;
    let body = json!({
        "type": "reaction",
        "payload": { "emoji": "🙂" },
        "conversationId": conversation,
        "userId": user,
        "messageId": message,
    });
    let made = telegram.post("/events", body).await.created();
    let id = made.id("event");
    assert_eq!(
        made.body["event"],
        json!({
            "id": id,
            "createdAt": made.body["event"]["createdAt"],
            "type": "reaction",
            "payload": { "emoji": "🙂" },
            "conversationId": conversation,
            "userId": user,
            "messageId": message,
            "status": "pending",
            "failureReason": null,
        })
    );
    let path = format!("/events/{id}");
    assert_eq!(telegram.get(&path).await.ok().body, made.body);
    let as_bot = world.bot().get(&path).await.ok();
    assert_eq!(as_bot.body["event"]["type"], "telegram:reaction");
}

#[tokio::test]
async fn lists_filter_and_an_integration_sees_its_own_types() {
    let world = World::new().await;
    let telegram = world.telegram();
    let conversation = telegram.conversation(json!({ "id": "1" })).await;
    let user = telegram.user(json!({ "id": "7" })).await;
    telegram.say(&conversation, &user, "hi").await;
    let make = |caller: crate::support::Client, kind: &'static str| async move {
        let body = json!({ "type": kind, "payload": {} });
        caller.post("/events", body).await.created().id("event")
    };
    let reaction = make(telegram.clone(), "reaction").await;
    let typed = make(world.terminal(), "reaction").await;
    let own = make(world.bot(), "wakeUp").await;

    let seen = telegram.list_all("/events", "events").await;
    assert_eq!(pluck(&seen, "id"), [reaction.as_str()]);
    let seen = world.bot().list_all("/events", "events").await;
    assert_eq!(
        pluck(&seen, "type"),
        [
            "wakeUp",
            "terminal:reaction",
            "telegram:reaction",
            "message_created"
        ]
    );
    let bot = world.bot();
    for (query, expected) in [
        ("type=telegram%3Areaction".to_owned(), 1),
        ("type=reaction".to_owned(), 0),
        (format!("conversationId={conversation}"), 1),
        (format!("userId={user}&type=message_created"), 1),
        ("status=pending".to_owned(), 4),
        ("status=processed".to_owned(), 0),
        ("status=scheduled".to_owned(), 0),
        ("workflowId=wflow_01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(), 0),
    ] {
        let found = bot.list_all(&format!("/events?{query}"), "events").await;
        assert_eq!(found.len(), expected, "{query}");
    }
    bot.get("/events?status=done")
        .await
        .error(400, "InvalidQuery");
    let found = telegram.list_all("/events?type=reaction", "events").await;
    assert_eq!(pluck(&found, "id"), [reaction.as_str()]);
    for foreign in [&typed, &own] {
        telegram.get(&format!("/events/{foreign}")).await.missing();
    }
    let paged = bot.list_all("/events?pageSize=1", "events").await;
    assert_eq!(paged.len(), 4);
}

#[tokio::test]
async fn what_an_event_must_be_is_said_field_by_field() {
    let world = World::new().await;
    for (body, field) in [
        (json!({ "payload": {} }), "type"),
        (json!({ "type": "x" }), "payload"),
        (json!({ "type": "", "payload": {} }), "type"),
        (json!({ "type": "x", "payload": [] }), "payload"),
        (json!({ "type": "message_created", "payload": {} }), "type"),
        (
            json!({ "type": "x", "payload": {}, "schedule": {} }),
            "schedule",
        ),
        (
            json!({ "type": "x", "payload": {}, "schedule": { "delay": -1 } }),
            "schedule.delay",
        ),
        (
            json!({ "type": "x", "payload": {}, "schedule": { "dateTime": "soon" } }),
            "schedule.dateTime",
        ),
        (
            json!({ "type": "x", "payload": {}, "workflowId": "w" }),
            "workflowId",
        ),
        (
            json!({ "type": "x", "payload": {}, "messageId": "m" }),
            "messageId",
        ),
    ] {
        let message = world
            .bot()
            .post("/events", body)
            .await
            .error(400, "InvalidPayload");
        assert!(message.starts_with(field), "{message}");
    }
    for (field, prefix) in [
        ("conversationId", "conv"),
        ("userId", "user"),
        ("messageId", "msg"),
    ] {
        for caller in [world.bot(), world.telegram()] {
            let body = json!({
                "type": "x", "payload": {},
                field: format!("{prefix}_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            });
            let message = caller
                .post("/events", body)
                .await
                .error(400, "ReferenceNotFound");
            assert!(message.starts_with(field), "{message}");
        }
    }
}

#[tokio::test]
async fn a_scheduled_event_is_listed_canceled_once_and_only_by_who_sees_it() {
    let world = World::new().await;
    let (bot, telegram) = (world.bot(), world.telegram());
    let make = async |caller: &crate::support::Client, schedule: serde_json::Value| {
        let body = json!({ "type": "wakeUp", "payload": {}, "schedule": schedule });
        caller.post("/events", body).await.created()
    };
    let first = make(&bot, json!({ "delay": 60_000 })).await;
    assert_eq!(first.body["event"]["status"], "scheduled");
    let first = first.id("event");
    let dated = json!({ "dateTime": "2100-01-02T03:04:05.678Z" });
    let second = make(&telegram, dated).await.id("event");
    let past = json!({ "dateTime": "2001-01-02T03:04:05.678Z" });
    assert_eq!(make(&bot, past).await.body["event"]["status"], "pending");
    let scheduled = bot.list_all("/events?status=scheduled", "events").await;
    assert_eq!(pluck(&scheduled, "id"), [second.as_str(), first.as_str()]);
    let own = telegram.list_all("/events?status=scheduled", "events");
    assert_eq!(pluck(&own.await, "id"), [second.as_str()]);

    let cancel = |id: &str| format!("/events/scheduled/{id}");
    telegram.delete(&cancel(&first)).await.missing();
    world.terminal().delete(&cancel(&second)).await.missing();
    for _ in 0..2 {
        assert_eq!(bot.delete(&cancel(&first)).await.ok().body, json!({}));
    }
    telegram.delete(&cancel(&second)).await.ok();
    let event = bot.get(&format!("/events/{first}")).await.ok();
    assert_eq!(event.body["event"]["status"], "canceled");
    let told = json!({ "type": "x", "payload": {} });
    let told = bot.post("/events", told).await.created().id("event");
    let message = bot
        .delete(&cancel(&told))
        .await
        .error(400, "InvalidPayload");
    assert!(message.contains("pending"), "{message}");
    bot.delete("/events/scheduled/nonsense").await.missing();
}
