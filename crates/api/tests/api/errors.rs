//! Errors: one shape, the right status and type, nothing told that should not be.

use serde_json::{Value, json};
use switchboard_store::Store;

use crate::support::World;

#[tokio::test]
async fn a_caller_says_who_it_is_or_gets_nothing() {
    let world = World::new().await;
    let bot = world.bot();
    let path = "/conversations";
    let none = bot.clone().without("authorization").get(path).await;
    let message = none.error(401, "Unauthorized");
    assert!(message.contains("Authorization: Bearer"), "{message}");
    for token in ["Bearer nonsense", "Basic abc", "Bearer", "Bearer "] {
        let wrong = bot.clone().with("authorization", token).get(path).await;
        wrong.error(401, "Unauthorized");
    }
    let lower = format!("bearer {}", world.bot.token);
    bot.clone()
        .with("authorization", lower)
        .get(path)
        .await
        .ok();
    let message = bot
        .clone()
        .without("x-bot-id")
        .get(path)
        .await
        .error(400, "InvalidPayload");
    assert!(message.contains("x-bot-id"), "{message}");
    for (header, value) in [
        ("x-bot-id", "bot_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        ("x-bot-id", "nonsense"),
        ("x-integration-id", "int_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        ("x-integration-id", "telegram"),
        ("x-integration-alias", "slack"),
    ] {
        let answer = world.telegram().with(header, value).get(path).await;
        answer.error(403, "Forbidden");
    }
    // The client sends the headers it has; the alias alone makes no integration.
    let alias = bot.with("x-integration-alias", "telegram");
    alias.get(path).await.ok();
}

#[tokio::test]
async fn who_is_not_known_is_told_so_before_the_body_is_looked_at() {
    let world = World::new().await;
    let stranger = world.bot().without("authorization");
    let answer = stranger
        .send("POST", "/v1/chat/messages", "{nonsense")
        .await;
    answer.error(401, "Unauthorized");
    let answer = stranger
        .send("POST", "/v1/chat/messages", vec![b'x'; 2 << 20])
        .await;
    answer.error(401, "Unauthorized");
}

#[tokio::test]
async fn unknown_routes_and_methods_are_errors_of_the_same_shape() {
    let world = World::new().await;
    let bot = world.bot();
    for path in [
        "/v1",
        "/v1/chat",
        "/v1/chat/planets",
        "/v1/chat/users/x/y/z",
    ] {
        bot.send("GET", path, "").await.missing();
    }
    for (method, path, allow) in [
        ("DELETE", "/v1/chat/conversations", "GET"),
        ("PATCH", "/v1/chat/users/x", "PUT"),
        ("POST", "/v1/chat/users/x", "PUT"),
        // Words that are no ids, though an id could stand in their place.
        ("GET", "/v1/chat/conversations/get-or-create", "POST"),
        ("DELETE", "/v1/chat/users/get-or-create", "POST"),
        ("PUT", "/v1/chat/messages/get-or-create", "POST"),
        ("GET", "/v1/chat/messages/import-messages", "POST"),
        ("GET", "/v1/chat/initialize-incoming-message", "POST"),
        ("GET", "/v1/chat/events/scheduled/x", "DELETE"),
        ("DELETE", "/v1/chat/events/x", "GET"),
        ("PUT", "/v1/chat/states/bot/x/y", "PATCH"),
        ("POST", "/healthz", "GET"),
    ] {
        let answer = bot.send(method, path, "{}").await;
        let allowed = answer.headers["allow"].to_str().unwrap().to_owned();
        assert!(allowed.contains(allow), "{allowed}");
        answer.error(405, "MethodNotFound");
    }
}

#[tokio::test]
async fn bodies_need_no_content_type_and_errors_in_them_are_precise() {
    let world = World::new().await;
    let bot = world.bot();
    let path = "/v1/chat/users";
    bot.send("POST", path, "").await.created();
    bot.send("POST", path, "  {\"tags\":{}}  ").await.created();
    bot.clone()
        .with("content-type", "text/plain")
        .send("POST", path, "{}")
        .await
        .created();
    // An old client sends a body with GET.
    bot.send("GET", path, "{}").await.ok();
    for (body, words) in [
        ("{\n  \"tags\": {,}}", "line 2 column 12"),
        ("[]", "expected a JSON object"),
        ("null", "expected a JSON object"),
        ("{\"name\": 1}", "name: "),
        ("{} {}", "trailing characters"),
        ("{\"tags\": {\"a\": [\"b\"]}}", "tags.a: "),
        ("{\"name\":\"a\",\"name\":\"b\"}", "name"),
        ("{\"name\":\"\u{0}\"}", "control character"),
        (
            "{\"tags\":{\"a\":\"b\",\"\\u0061\":\"b\"}}",
            "tags: expected the name \"a\" once",
        ),
        (
            "{\"nmae\": 1}",
            "nmae: unknown field, perhaps name is meant",
        ),
    ] {
        let message = bot
            .send("POST", path, body)
            .await
            .error(400, "InvalidPayload");
        assert!(message.contains(words), "{body}: {message}");
    }
    let bytes = b"{\"name\":\"\xff\"}".to_vec();
    bot.send("POST", path, bytes)
        .await
        .error(400, "InvalidPayload");
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(1 << 20));
    bot.send("POST", path, large)
        .await
        .error(413, "PayloadTooLarge");
}

#[tokio::test]
async fn a_path_that_names_nothing_is_not_found() {
    let world = World::new().await;
    for path in [
        "/conversations/x",
        "/conversations/user_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "/conversations/%F0%9F%99%82",
        "/conversations/%FF",
        "/conversations/x/participants",
        "/conversations/conv_01ARZ3NDEKTSV4RRFFQ69G5FAV/participants",
        "/conversations/conv_01ARZ3NDEKTSV4RRFFQ69G5FAV/participants/x",
        "/users/x",
        "/users/user_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "/users/user_01arz3ndektsv4rrffq69g5fav",
        "/messages/x",
        "/messages/msg_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "/events/x",
        "/events/evt_01ARZ3NDEKTSV4RRFFQ69G5FAV",
    ] {
        world.bot().get(path).await.missing();
        world.telegram().get(path).await.missing();
    }
}

#[tokio::test]
async fn a_query_that_cannot_be_read_is_named() {
    let world = World::new().await;
    for (path, parameter) in [
        ("/conversations?nextToken=abc", "nextToken"),
        ("/conversations?pageSize=0", "pageSize"),
        ("/conversations?pageSize=101", "pageSize"),
        ("/conversations?pageSize=5&limit=x", "limit"),
        ("/conversations?limit=many", "limit"),
        ("/conversations?sortField=name", "sortField"),
        ("/conversations?sortDirection=up", "sortDirection"),
        ("/conversations?afterDate=monday", "afterDate"),
        ("/conversations?participantIds=x", "participantIds"),
        ("/conversations?tags.a%00=x", "tags.a"),
        ("/users?rangeField=birthday", "rangeField"),
        ("/users?conversationId=x", "conversationId"),
        ("/messages?conversationId=x", "conversationId"),
        ("/messages?beforeDate=1", "beforeDate"),
        ("/events?userId=x", "userId"),
        ("/events?messageId=x", "messageId"),
        ("/events?status=x", "status"),
        ("/events?type=%ff", "type"),
        ("/events?flag", "flag"),
        ("/conversations?tags=x", "tags"),
        (
            "/messages?conversation_id=x",
            "conversation_id: unknown parameter, perhaps conversationId is meant",
        ),
    ] {
        let message = world.bot().get(path).await.error(400, "InvalidQuery");
        assert!(message.contains(parameter), "{path}: {message}");
    }
    world.bot().get("/conversations?&nextToken=&").await.ok();
}

#[tokio::test]
async fn a_store_that_takes_nothing_is_a_503_to_be_tried_again() {
    let world = World::new().await;
    world.store.close().await.unwrap();
    let answer = world.bot().post("/users", json!({ "tags": {} })).await;
    assert_eq!(answer.headers["retry-after"], "1");
    answer.error(503, "Internal");
}

#[tokio::test]
async fn limits_of_tags_name_the_tag() {
    let world = World::new().await;
    let many: Value = (0..101).map(|n| (n.to_string(), json!("x"))).collect();
    for (tags, field) in [
        (json!({ "id": "é".repeat(501) }), "tags.id:"),
        (json!({ "id": "a\u{0}" }), "tags.id:"),
        (json!({ "": "a" }), "tags.:"),
        (many, "tags:"),
    ] {
        for path in ["/users", "/users/get-or-create"] {
            let answer = world.telegram().post(path, json!({ "tags": tags })).await;
            let message = answer.error(400, "InvalidPayload");
            assert!(message.starts_with(field), "{message}");
        }
    }
}
