//! Conversations and participants.

use std::time::Duration;

use serde_json::json;

use crate::support::{World, pluck};

#[tokio::test]
async fn a_conversation_is_made_read_changed_and_deleted() {
    let world = World::new().await;
    let telegram = world.telegram();
    let body = json!({
        "channel": "channel",
        "tags": { "id": "1", "empty": "" },
    });
    let made = telegram.post("/conversations", body).await.created();
    let id = made.id("conversation");
    assert_eq!(
        made.body["conversation"],
        json!({
            "id": id,
            "createdAt": made.body["conversation"]["createdAt"],
            "updatedAt": made.body["conversation"]["createdAt"],
            "channel": "channel",
            "messageCount": 0,
            "integration": "telegram",
            "tags": { "id": "1" },
        })
    );
    assert!(id.starts_with("conv_"));
    let path = format!("/conversations/{id}");
    let read = telegram.get(&path).await.ok();
    assert_eq!(read.body, made.body);

    world.clock.advance(Duration::from_millis(5));
    let tags = json!({ "tags": { "id": "", "a": "1", "b": null }, "currentTaskId": "x" });
    let changed = telegram.put(&path, tags).await.ok();
    assert_eq!(changed.body["conversation"]["tags"], json!({ "a": "1" }));
    assert_ne!(
        changed.body["conversation"]["updatedAt"],
        made.body["conversation"]["updatedAt"]
    );

    assert_eq!(telegram.delete(&path).await.ok().text, "{}");
    telegram.get(&path).await.missing();
    telegram.delete(&path).await.missing();
    telegram.put(&path, json!({})).await.missing();
}

#[tokio::test]
async fn an_integration_sees_its_tag_bare_and_a_bot_prefixed() {
    let world = World::new().await;
    let id = world.telegram().conversation(json!({ "id": "1" })).await;
    let path = format!("/conversations/{id}");
    let as_bot = world.bot().get(&path).await.ok();
    assert_eq!(
        as_bot.body["conversation"]["tags"],
        json!({ "telegram:id": "1" })
    );
    let tags = json!({ "tags": { "mood": "good", "telegram:id": "2" } });
    world.bot().put(&path, tags).await.ok();
    let as_integration = world.telegram().get(&path).await.ok();
    assert_eq!(
        as_integration.body["conversation"]["tags"],
        json!({ "id": "2" })
    );
    let found = world
        .bot()
        .get("/conversations?tags.telegram%3Aid=2&tags.mood=good")
        .await
        .ok();
    assert_eq!(found.body["conversations"][0]["id"], id);
    let found = world.telegram().get("/conversations?tags.mood=good").await;
    assert_eq!(found.ok().body["conversations"], json!([]));
}

#[tokio::test]
async fn get_or_create_finds_by_the_named_tags_in_either_view() {
    let world = World::new().await;
    let body = json!({
        "channel": "channel",
        "tags": { "id": "1", "lang": "en" },
        "discriminateByTags": ["id"],
    });
    let made = world
        .telegram()
        .post("/conversations/get-or-create", body.clone())
        .await
        .ok();
    assert_eq!(made.body["meta"], json!({ "created": true }));
    let again = world
        .telegram()
        .post("/conversations/get-or-create", body)
        .await
        .ok();
    assert_eq!(again.body["meta"], json!({ "created": false }));
    assert_eq!(again.id("conversation"), made.id("conversation"));

    // The prefix of the tag says which integration a bot means.
    let body = json!({
        "channel": "channel",
        "tags": { "telegram:id": "1", "telegram:lang": "de", "own": "x" },
        "discriminateByTags": ["telegram:id"],
    });
    let by_bot = world
        .bot()
        .post("/conversations/get-or-create", body)
        .await
        .ok();
    assert_eq!(by_bot.id("conversation"), made.id("conversation"));
    assert_eq!(
        by_bot.body["conversation"]["tags"],
        json!({ "telegram:id": "1", "telegram:lang": "de", "own": "x" })
    );
}

#[tokio::test]
async fn what_does_not_identify_is_refused() {
    let world = World::new().await;
    for (tags, by, field) in [
        (json!({ "id": "1" }), json!([]), "discriminateByTags:"),
        (
            json!({ "id": "1" }),
            json!(["chatId"]),
            "discriminateByTags[0]:",
        ),
        (json!({ "id": "" }), json!(["id"]), "discriminateByTags[0]:"),
        (json!({}), json!(null), "tags:"),
        (json!({ "id": "" }), json!(null), "tags:"),
    ] {
        for kind in ["conversations", "users"] {
            let mut body = json!({ "tags": tags, "discriminateByTags": by });
            if kind == "conversations" {
                body["channel"] = json!("channel");
            }
            let answer = world
                .telegram()
                .post(&format!("/{kind}/get-or-create"), body)
                .await;
            let message = answer.error(400, "InvalidPayload");
            assert!(message.starts_with(field), "{message}");
        }
    }
}

#[tokio::test]
async fn a_bot_says_which_integration_it_means_or_is_told_to() {
    let world = World::new().await;
    let bot = world.bot();
    for (body, alias) in [
        (json!({ "channel": "channel", "tags": {} }), "telegram"),
        (json!({ "channel": "terminal", "tags": {} }), "terminal"),
        (
            json!({ "channel": "x", "tags": { "terminal:id": "1" } }),
            "terminal",
        ),
        (
            json!({ "channel": "x", "tags": {}, "integrationName": "telegram" }),
            "telegram",
        ),
    ] {
        let made = bot.post("/conversations", body).await.created();
        assert_eq!(made.body["conversation"]["integration"], alias);
    }
    for body in [
        json!({ "channel": "x", "tags": { "own": "1" } }),
        json!({ "channel": "channel", "tags": {}, "integrationName": "slack" }),
        json!({ "channel": "channel", "tags": { "terminal:id": "1", "telegram:id": "1" } }),
    ] {
        let message = bot
            .post("/conversations", body)
            .await
            .error(400, "InvalidPayload");
        assert!(
            message.starts_with("integrationName:") && message.contains("telegram, terminal"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn lists_filter_sort_and_page() {
    let world = World::new().await;
    let telegram = world.telegram();
    let mut ids = Vec::new();
    for number in 0..45 {
        world.clock.advance(Duration::from_millis(10));
        ids.push(
            telegram
                .conversation(json!({ "id": number.to_string() }))
                .await,
        );
    }
    let newest_first: Vec<_> = ids.iter().rev().cloned().collect();
    let first = telegram.get("/conversations").await.ok();
    assert_eq!(first.body["conversations"].as_array().unwrap().len(), 20);
    let all = telegram.list_all("/conversations", "conversations").await;
    assert_eq!(pluck(&all, "id"), newest_first);
    let all = world
        .bot()
        .list_all("/conversations?pageSize=7", "conversations")
        .await;
    assert_eq!(pluck(&all, "id"), newest_first);
    let all = telegram
        .list_all("/conversations?sortDirection=asc", "conversations")
        .await;
    assert_eq!(pluck(&all, "id"), ids);

    world.clock.advance(Duration::from_millis(10));
    let path = format!("/conversations/{}", ids[3]);
    telegram
        .put(&path, json!({ "tags": { "x": "1" } }))
        .await
        .ok();
    let updated = telegram
        .get("/conversations?sortField=updatedAt&limit=1")
        .await
        .ok();
    assert_eq!(updated.body["conversations"][0]["id"], ids[3].as_str());

    let at = all[10]["createdAt"].as_str().unwrap();
    let until = all[12]["createdAt"].as_str().unwrap();
    let between = telegram
        .list_all(
            &format!("/conversations?afterDate={at}&beforeDate={until}"),
            "conversations",
        )
        .await;
    assert_eq!(between.len(), 3);
    let none = telegram.get("/conversations?channel=other").await.ok();
    assert_eq!(none.body, json!({ "conversations": [], "meta": {} }));
    for (name, expected) in [("telegram", 45), ("terminal", 0), ("slack", 0)] {
        let path = format!("/conversations?integrationName={name}");
        let found = world.bot().list_all(&path, "conversations").await;
        assert_eq!(found.len(), expected, "{name}");
    }
}

#[tokio::test]
async fn participants_join_are_listed_and_leave() {
    let world = World::new().await;
    let telegram = world.telegram();
    let conversation = telegram.conversation(json!({ "id": "1" })).await;
    let user = telegram.user(json!({ "id": "7" })).await;
    let path = format!("/conversations/{conversation}/participants");
    let one = format!("{path}/{user}");
    telegram.get(&one).await.missing();
    for _ in 0..2 {
        let added = telegram.post(&path, json!({ "userId": user })).await.ok();
        assert_eq!(added.id("participant"), user);
        assert_eq!(added.body["participant"]["tags"], json!({ "id": "7" }));
    }
    let bot = world.bot_id();
    world.bot().post(&path, json!({ "userId": bot })).await.ok();
    let listed = world.bot().list_all(&path, "participants").await;
    assert_eq!(pluck(&listed, "id"), [user.clone(), bot.clone()]);
    assert_eq!(listed[0]["tags"], json!({ "telegram:id": "7" }));
    assert_eq!(world.bot().get(&one).await.ok().id("participant"), user);
    assert_eq!(
        world
            .bot()
            .get(&format!("{path}/{bot}"))
            .await
            .ok()
            .id("participant"),
        bot
    );

    let mine = format!("/conversations?participantIds={user}&participantIds={bot}");
    assert_eq!(world.bot().list_all(&mine, "conversations").await.len(), 1);
    let others = telegram.user(json!({ "id": "8" })).await;
    let none = format!("/conversations?participantIds={user}&participantIds={others}");
    assert_eq!(world.bot().list_all(&none, "conversations").await.len(), 0);

    assert_eq!(telegram.delete(&one).await.ok().text, "{}");
    telegram.delete(&one).await.missing();
    telegram.get(&one).await.missing();
    let unknown = json!({ "userId": "user_01ARZ3NDEKTSV4RRFFQ69G5FAV" });
    let message = telegram
        .post(&path, unknown)
        .await
        .error(400, "ReferenceNotFound");
    assert!(message.starts_with("userId:"), "{message}");
}
