//! Messages.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{World, pluck, text_message};

#[tokio::test]
async fn an_integrations_message_is_incoming_and_announced_to_the_bot() {
    let world = World::new().await;
    let telegram = world.telegram();
    let conversation = telegram.conversation(json!({ "id": "1" })).await;
    let user = telegram.user(json!({ "id": "7" })).await;
    let mut body = text_message(&conversation, &user, "hi");
    body["tags"] = json!({ "id": "71" });
    body["origin"] = json!("synthetic");
    let made = telegram.post("/messages", body).await.created();
    let id = made.id("message");
    assert_eq!(
        made.body["message"],
        json!({
            "id": id,
            "createdAt": made.body["message"]["createdAt"],
            "updatedAt": made.body["message"]["createdAt"],
            "type": "text",
            "payload": { "text": "hi" },
            "direction": "incoming",
            "userId": user,
            "conversationId": conversation,
            "tags": { "id": "71" },
            "origin": "synthetic",
        })
    );
    let read = world.bot().get(&format!("/messages/{id}")).await.ok();
    assert_eq!(read.body["message"]["tags"], json!({ "telegram:id": "71" }));

    let events = world
        .bot()
        .get(&format!("/events?messageId={id}"))
        .await
        .ok();
    let event = &events.body["events"][0];
    assert_eq!(event["type"], "message_created");
    assert_eq!(event["payload"]["message"], read.body["message"]);
    assert_eq!(
        event["payload"]["user"]["tags"],
        json!({ "telegram:id": "7" })
    );
    assert_eq!(
        event["payload"]["conversation"]["id"],
        conversation.as_str()
    );
}

#[tokio::test]
async fn a_bots_message_is_outgoing_and_shows_its_delivery() {
    let world = World::new().await;
    let conversation = world.telegram().conversation(json!({ "id": "1" })).await;
    let body = text_message(&conversation, &world.bot_id(), "hello");
    let made = world.bot().post("/messages", body).await.created();
    let message = &made.body["message"];
    assert_eq!(message["direction"], "outgoing");
    assert_eq!(message["userId"], world.bot_id());
    assert_eq!(
        message["delivery"],
        json!({ "status": "queued", "attempts": 0, "error": null })
    );
    let events = world.bot().get("/events").await.ok();
    assert_eq!(events.body["events"], json!([]));
    let path = format!("/conversations/{conversation}/participants");
    let participants = world.telegram().list_all(&path, "participants").await;
    assert_eq!(pluck(&participants, "id"), [world.bot_id()]);
}

#[tokio::test]
async fn a_message_is_changed_and_deleted() {
    let world = World::new().await;
    let conversation = world.telegram().conversation(json!({ "id": "1" })).await;
    let id = world
        .bot()
        .say(&conversation, &world.bot_id(), "hello")
        .await;
    let path = format!("/messages/{id}");
    // The acknowledgement of official integrations.
    let acknowledged = world
        .telegram()
        .put(&path, json!({ "tags": { "id": "77" } }))
        .await
        .ok();
    assert_eq!(acknowledged.body["message"]["tags"], json!({ "id": "77" }));
    let changed = world
        .bot()
        .put(&path, json!({ "payload": { "text": "bye" } }))
        .await
        .ok();
    assert_eq!(changed.body["message"]["payload"], json!({ "text": "bye" }));
    assert_eq!(
        changed.body["message"]["tags"],
        json!({ "telegram:id": "77" })
    );
    assert_eq!(world.bot().delete(&path).await.ok().text, "{}");
    world.bot().get(&path).await.missing();
    world.bot().delete(&path).await.missing();
    world
        .bot()
        .put(&path, json!({ "tags": {} }))
        .await
        .missing();
}

#[tokio::test]
async fn get_or_create_recognises_within_a_conversation() {
    let world = World::new().await;
    let telegram = world.telegram();
    let user = telegram.user(json!({ "id": "7" })).await;
    let mut made = Vec::new();
    for chat in ["1", "2"] {
        let conversation = telegram.conversation(json!({ "id": chat })).await;
        for created in [true, false] {
            let mut body = text_message(&conversation, &user, "hi");
            body["tags"] = json!({ "id": "71" });
            body["discriminateByTags"] = json!(["id"]);
            let answer = telegram.post("/messages/get-or-create", body).await.ok();
            assert_eq!(answer.body["meta"]["created"], created);
            made.push(answer.id("message"));
        }
    }
    assert_eq!(made[0], made[1]);
    assert_ne!(made[1], made[2]);
    assert_eq!(made[2], made[3]);
}

#[tokio::test]
async fn lists_are_newest_first_and_filter() {
    let world = World::new().await;
    let telegram = world.telegram();
    let (one, two) = (
        telegram.conversation(json!({ "id": "1" })).await,
        telegram.conversation(json!({ "id": "2" })).await,
    );
    let user = telegram.user(json!({ "id": "7" })).await;
    let mut ids = Vec::new();
    for number in 0..30 {
        world.clock.advance(Duration::from_millis(1));
        let conversation = if number % 3 == 0 { &two } else { &one };
        ids.push(telegram.say(conversation, &user, &number.to_string()).await);
    }
    ids.reverse();
    let all = world.bot().list_all("/messages", "messages").await;
    assert_eq!(pluck(&all, "id"), ids);
    let path = format!("/messages?conversationId={one}");
    let of_one = telegram
        .list_all(&format!("{path}&limit=3"), "messages")
        .await;
    assert_eq!(of_one.len(), 20);
    let at = of_one[5]["createdAt"].as_str().unwrap();
    let later = telegram
        .list_all(&format!("{path}&afterDate={at}"), "messages")
        .await;
    assert_eq!(later.len(), 6);
    let earlier = telegram
        .list_all(&format!("{path}&beforeDate={at}"), "messages")
        .await;
    assert_eq!(earlier.len(), 15);

    let tags = json!({ "tags": { "id": "x" } });
    telegram
        .put(&format!("/messages/{}", ids[8]), tags)
        .await
        .ok();
    let tagged = world
        .bot()
        .list_all("/messages?tags.telegram%3Aid=x", "messages")
        .await;
    assert_eq!(pluck(&tagged, "id"), [ids[8].clone()]);

    // A cursor of the whole list means nothing in that of a conversation.
    let token = world.bot().get("/messages").await.ok().body["meta"]["nextToken"].clone();
    let wrong = format!("{path}&nextToken={}", token.as_str().unwrap());
    let message = telegram.get(&wrong).await.error(400, "InvalidQuery");
    assert!(message.contains("nextToken"), "{message}");
}

#[tokio::test]
async fn what_a_message_must_be_is_said_field_by_field() {
    let world = World::new().await;
    let telegram = world.telegram();
    let conversation = telegram.conversation(json!({ "id": "1" })).await;
    let user = telegram.user(json!({ "id": "7" })).await;
    let mut valid = text_message(&conversation, &user, "hi");
    valid["tags"] = json!({ "id": "71" });
    let with = |field: &str, value: Value| {
        let mut body = valid.clone();
        body[field] = value;
        body
    };
    let long = "x".repeat(201);
    for (field, value) in [
        ("type", json!(long)),
        ("type", json!("")),
        ("type", json!(1)),
        ("payload", json!("text")),
        ("payload", json!(null)),
        ("conversationId", json!("conv_1")),
        ("conversationId", json!(user)),
        ("userId", json!(conversation)),
        ("origin", json!("human")),
        ("schedule", json!({})),
        (
            "schedule",
            json!({ "delay": 1, "dateTime": "2100-01-02T03:04:05.678Z" }),
        ),
        ("schedule", json!({ "delay": "soon" })),
        ("tags", json!({ "id": "x".repeat(501) })),
        ("tags", json!({ "id": 5 })),
        ("userId", json!(world.bot_id())),
    ] {
        for path in ["/messages", "/messages/get-or-create"] {
            let answer = telegram.post(path, with(field, value.clone())).await;
            let message = answer.error(400, "InvalidPayload");
            assert!(message.starts_with(field), "{field} {value}: {message}");
        }
    }
    for (field, prefix) in [("conversationId", "conv"), ("userId", "user")] {
        let unknown = json!(format!("{prefix}_01ARZ3NDEKTSV4RRFFQ69G5FAV"));
        for caller in [telegram.clone(), world.bot()] {
            let answer = caller.post("/messages", with(field, unknown.clone())).await;
            let message = answer.error(400, "ReferenceNotFound");
            assert!(message.starts_with(field), "{message}");
        }
    }
    for field in ["payload", "userId", "conversationId", "type"] {
        let mut body = valid.clone();
        body.as_object_mut().unwrap().remove(field);
        let message = telegram
            .post("/messages", body)
            .await
            .error(400, "InvalidPayload");
        assert!(message.starts_with(&format!("{field}: ")), "{message}");
    }
    let list = telegram.get("/messages").await.ok();
    assert_eq!(list.body["messages"], json!([]));
}

#[tokio::test]
async fn an_idempotency_key_belongs_to_its_speaker_and_its_request() {
    let world = World::new().await;
    let telegram = world.telegram();
    let conversation = telegram.conversation(json!({ "id": "1" })).await;
    let user = telegram.user(json!({ "id": "7" })).await;
    let body = text_message(&conversation, &user, "hi");
    let as_bot = world.bot().with("idempotency-key", "k");
    let as_telegram = telegram.clone().with("idempotency-key", "k");
    let first = as_bot.post("/messages", body.clone()).await.created();
    let again = as_bot.post("/messages", body.clone()).await.created();
    assert_eq!(first.body, again.body);
    let incoming = as_telegram.post("/messages", body.clone()).await.created();
    assert_ne!(incoming.id("message"), first.id("message"));

    let other = text_message(&conversation, &user, "other");
    let message = as_bot
        .post("/messages", other)
        .await
        .error(409, "AlreadyExists");
    assert!(message.starts_with("Idempotency-Key:"), "{message}");
    let long = world.bot().with("idempotency-key", "k".repeat(256));
    long.post("/messages", body.clone())
        .await
        .error(400, "InvalidPayload");

    // Only the operation it is meant for looks at it.
    for _ in 0..2 {
        let body = json!({ "channel": "channel", "tags": {} });
        as_bot.post("/conversations", body).await.created();
    }
    let all = world
        .bot()
        .list_all("/conversations", "conversations")
        .await;
    assert_eq!(all.len(), 3);
}

#[tokio::test]
async fn a_deleted_message_is_not_the_answer_to_a_repetition() {
    let world = World::new().await;
    let telegram = world.telegram();
    let conversation = telegram.conversation(json!({ "id": "1" })).await;
    let user = telegram.user(json!({ "id": "7" })).await;
    let body = text_message(&conversation, &user, "hi");
    let keyed = world.bot().with("idempotency-key", "k");
    let made = keyed.post("/messages", body.clone()).await.created();
    let id = made.id("message");
    world.bot().delete(&format!("/messages/{id}")).await.ok();
    let answer = keyed.post("/messages", body.clone()).await;
    let message = answer.error(409, "AlreadyExists");
    assert!(
        message.contains(id.as_str()) && message.contains("deleted"),
        "{message}"
    );

    let mut tagged = body;
    tagged["tags"] = json!({ "id": "5" });
    let path = "/messages/get-or-create";
    let first = telegram.post(path, tagged.clone()).await.ok();
    let first = first.id("message");
    telegram.delete(&format!("/messages/{first}")).await.ok();
    let second = telegram.post(path, tagged).await.ok();
    assert_ne!(second.id("message"), first);
    let path = format!("/messages/{}", second.id("message"));
    let read = telegram.get(&path).await;
    assert_eq!(read.ok().body["message"], second.body["message"]);
}

#[tokio::test]
async fn a_message_comes_in_with_all_that_it_belongs_to() {
    let world = World::new().await;
    let telegram = world.telegram();
    let body = json!({
        "user": { "tags": { "id": "7" }, "name": "Ada", "discriminateByTags": ["id"] },
        "conversation": { "channel": "channel", "tags": { "id": "1" }, "discriminateByTags": ["id"] },
        "message": {
            "type": "text",
            "payload": { "text": "hi" },
            "tags": { "id": "71" },
            "discriminateByTags": ["id"],
        },
    });
    let path = "/initialize-incoming-message";
    let made = telegram.post(path, body.clone()).await.ok();
    assert_eq!(made.body["user"]["name"], "Ada");
    assert_eq!(made.body["conversation"]["tags"], json!({ "id": "1" }));
    assert_eq!(made.body["conversation"]["messageCount"], 1);
    assert_eq!(made.body["message"]["direction"], "incoming");
    let again = telegram.post(path, body.clone()).await.ok();
    assert_eq!(again.body, made.body);
    let events = world.bot().list_all("/events", "events").await;
    assert_eq!(pluck(&events, "type"), ["message_created"]);

    world
        .bot()
        .post(path, body.clone())
        .await
        .error(403, "Forbidden");
    let with = |part: &str, value: serde_json::Value| {
        let mut body = body.clone();
        body[part] = value;
        body
    };
    let message = |by: &str| json!({ "type": "text", "payload": {}, "tags": { "id": "1" }, "discriminateByTags": [by] });
    for (body, field) in [
        (with("userId", made.body["user"]["id"].clone()), "userId"),
        (with("user", json!(null)), "userId"),
        (with("conversation", json!(null)), "conversationId"),
        (
            with("user", json!({ "tags": {} })),
            "user.discriminateByTags",
        ),
        (
            with("user", json!({ "tags": {}, "discriminateByTags": [] })),
            "user.discriminateByTags",
        ),
        (
            with(
                "conversation",
                json!({ "channel": "", "tags": { "id": "1" }, "discriminateByTags": ["id"] }),
            ),
            "conversation.channel",
        ),
        (with("message", message("x")), "discriminateByTags[0]"),
    ] {
        let message = telegram.post(path, body).await.error(400, "InvalidPayload");
        assert!(message.starts_with(field), "{field}: {message}");
    }
}

#[tokio::test]
async fn history_is_imported_once_and_in_its_place() {
    let world = World::new().await;
    let telegram = world.telegram();
    let conversation = telegram.conversation(json!({ "id": "1" })).await;
    let user = telegram.user(json!({ "id": "7" })).await;
    let live = telegram.say(&conversation, &user, "now").await;
    let path = "/messages/import-messages";
    let past = |id: &str, author: &str, at: &str| {
        json!({
            "conversationId": conversation,
            "userId": author,
            "type": "text",
            "payload": { "text": id },
            "tags": { "id": id },
            "createdAt": at,
            "discriminateByTags": ["id"],
        })
    };
    let (second, first) = ("2020-01-02T00:00:00.000Z", "2020-01-01T00:00:00.000Z");
    let body = json!({ "messages": [
        past("b", &world.bot_id(), second),
        past("a", &user, first),
    ] });
    let made = telegram.post(path, body.clone()).await.ok();
    assert_eq!(telegram.post(path, body).await.ok().body, made.body);
    assert_eq!(made.body["messages"][0]["direction"], "outgoing");
    assert_eq!(made.body["messages"][1]["direction"], "incoming");
    assert_eq!(made.body["messages"][1]["createdAt"], first);
    let listed = telegram
        .list_all(
            &format!("/messages?conversationId={conversation}&pageSize=1"),
            "messages",
        )
        .await;
    let texts: Vec<_> = listed
        .iter()
        .map(|one| one["payload"]["text"].clone())
        .collect();
    assert_eq!(texts, ["now", "b", "a"]);
    assert_eq!(listed[0]["id"], live);
    let early = format!("/messages?beforeDate={first}");
    assert_eq!(world.bot().list_all(&early, "messages").await.len(), 1);
    assert_eq!(world.bot().list_all("/events", "events").await.len(), 1);

    let foreign = world.terminal();
    let body = json!({ "messages": [past("c", &user, first)] });
    let message = foreign
        .post(path, body)
        .await
        .error(400, "ReferenceNotFound");
    assert!(
        message.starts_with("messages[0].conversationId"),
        "{message}"
    );
    let future = json!({ "messages": [past("c", &user, first), past("d", &user, "2100-01-02T00:00:00.000Z")] });
    let message = telegram
        .post(path, future)
        .await
        .error(400, "InvalidPayload");
    assert!(message.starts_with("messages[1].createdAt"), "{message}");
    for early in ["1969-12-31T23:59:59.999Z", "0000-01-01T00:00:00Z"] {
        let body = json!({ "messages": [past("c", &user, early)] });
        let message = telegram.post(path, body).await.error(400, "InvalidPayload");
        assert!(message.starts_with("messages[0].createdAt"), "{message}");
    }
    let many: Vec<_> = (0..101)
        .map(|n| past(&n.to_string(), &user, first))
        .collect();
    let message = telegram
        .post(path, json!({ "messages": many }))
        .await
        .error(400, "InvalidPayload");
    assert!(message.starts_with("messages:"), "{message}");
}
