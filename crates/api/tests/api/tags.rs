//! The values of tags.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Client, World};

const KINDS: [&str; 3] = ["conversation", "user", "message"];

fn values(body: &Value) -> Vec<String> {
    let tags = body["tags"].as_array().unwrap();
    tags.iter()
        .map(|tag| {
            assert_eq!(tag.as_object().unwrap().len(), 1, "{tag}");
            tag["value"].as_str().unwrap().to_owned()
        })
        .collect()
}

/// All pages, each of so many.
async fn all(client: &Client, key: &str, kind: &str, size: usize) -> Vec<String> {
    let path = format!("/tags/{key}/values?type={kind}&pageSize={size}");
    let mut found = Vec::new();
    let mut page = client.get(&path).await.ok();
    loop {
        found.extend(values(&page.body));
        let Some(token) = page.body["meta"]["nextToken"].as_str() else {
            assert_eq!(page.body["meta"], json!({}));
            return found;
        };
        assert_eq!(values(&page.body).len(), size);
        page = client.get(&format!("{path}&nextToken={token}")).await.ok();
    }
}

/// Something of each kind with these tags.
async fn make(client: &Client, tags: Value) {
    let channel = match client.headers.last() {
        Some((_, alias)) if alias == "terminal" => "terminal",
        _ => "channel",
    };
    let body = json!({ "channel": channel, "tags": tags });
    let made = client.post("/conversations", body).await.created();
    let conversation = made.id("conversation");
    let user = client.user(tags.clone()).await;
    let message = json!({
        "conversationId": conversation, "userId": user, "type": "text", "payload": { "text": "x" },
        "tags": tags,
    });
    client.post("/messages", message).await.created();
}

#[tokio::test]
async fn values_are_listed_page_by_page() {
    let world = World::new().await;
    let telegram = world.telegram();
    let long = "é".repeat(500);
    let mut expected = BTreeSet::new();
    for value in ["b", "a", "a/b?c=d&e", "%41", "😀", "b", &long] {
        make(&telegram, json!({ "lang": value })).await;
        expected.insert(value.to_owned());
    }
    let expected: Vec<_> = expected.into_iter().collect();
    for kind in KINDS {
        for size in [1, 2, 5, 6, 7] {
            assert_eq!(all(&telegram, "lang", kind, size).await, expected);
        }
        let by_bot = all(&world.bot(), "telegram%3Alang", kind, 4).await;
        assert_eq!(by_bot, expected);
        assert_eq!(all(&world.bot(), "telegram:lang", kind, 4).await, expected);
    }
    let page = telegram
        .get("/tags/lang/values?type=user&limit=1")
        .await
        .ok();
    assert_eq!(values(&page.body), ["%41"]);
}

#[tokio::test]
async fn a_page_has_twenty_values_if_nothing_is_said() {
    let world = World::new().await;
    for number in 0..21 {
        world
            .telegram()
            .user(json!({ "n": number.to_string() }))
            .await;
    }
    let page = world.telegram().get("/tags/n/values?type=user").await.ok();
    assert_eq!(values(&page.body).len(), 20);
    assert!(page.body["meta"]["nextToken"].is_string());
}

#[tokio::test]
async fn names_of_odd_characters_are_decoded_once() {
    let world = World::new().await;
    let telegram = world.telegram();
    for (name, key) in [
        ("a/b", "a%2Fb"),
        ("a%2Fb", "a%252Fb"),
        ("a b", "a%20b"),
        ("a+b", "a+b"),
        ("x:y", "x%3Ay"),
        ("?#&=", "%3F%23%26%3D"),
        ("名", "%E5%90%8D"),
        (".", "."),
    ] {
        telegram.user(json!({ name: name })).await;
        assert_eq!(all(&telegram, key, "user", 10).await, [name], "{key}");
        let by_bot = all(&world.bot(), &format!("telegram%3A{key}"), "user", 10).await;
        assert_eq!(by_bot, [name], "{key}");
    }
    let long = "é".repeat(200);
    telegram.user(json!({ &long: "long" })).await;
    let key = "%C3%A9".repeat(200);
    assert_eq!(all(&telegram, &key, "user", 10).await, ["long"]);
}

#[tokio::test]
async fn each_sees_the_values_of_its_own() {
    let world = World::new().await;
    let other = world.another_bot().await;
    let strangers = [world.client(&other, None), world.client(&other, Some(0))];
    make(&world.telegram(), json!({ "note": "telegram's" })).await;
    make(&world.terminal(), json!({ "note": "terminal's" })).await;
    // The bot may give a tag of one integration to what is another's: neither hears of it.
    let user = world.terminal().user(json!({})).await;
    let tags = json!({ "tags": { "telegram:note": "smuggled", "note": "bot's" } });
    world.bot().put(&format!("/users/{user}"), tags).await.ok();
    for stranger in &strangers {
        make(stranger, json!({ "note": "stranger's" })).await;
    }
    for kind in KINDS {
        let of = async |client: Client, key| all(&client, key, kind, 10).await;
        assert_eq!(of(world.telegram(), "note").await, ["telegram's"]);
        assert_eq!(of(world.terminal(), "note").await, ["terminal's"]);
        for (client, key) in [
            (world.telegram(), "terminal:note"),
            (world.telegram(), "telegram:note"),
            (world.terminal(), "telegram:note"),
            (world.bot(), "not"),
        ] {
            assert!(of(client, key).await.is_empty(), "{kind} {key}");
        }
        for stranger in &strangers {
            assert_eq!(of(stranger.clone(), "note").await, ["stranger's"]);
        }
    }
    let by_bot = all(&world.bot(), "telegram:note", "user", 1).await;
    assert_eq!(by_bot, ["smuggled", "telegram's"]);
    assert_eq!(all(&world.bot(), "note", "user", 1).await, ["bot's"]);
}

#[tokio::test]
async fn a_value_goes_with_what_has_it() {
    let world = World::new().await;
    let telegram = world.telegram();
    let user = telegram.user(json!({ "mail": "ann@example.com" })).await;
    assert_eq!(
        all(&telegram, "mail", "user", 10).await,
        ["ann@example.com"]
    );
    telegram.delete(&format!("/users/{user}")).await.ok();
    assert!(all(&telegram, "mail", "user", 10).await.is_empty());
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let world = World::new().await;
    let bot = world.bot();
    for (path, words) in [
        (
            "/tags/a/values",
            "parameter type: expected conversation, user or message",
        ),
        ("/tags/a/values?type=", "parameter type:"),
        ("/tags/a/values?type=workflow", "parameter type:"),
        ("/tags/a/values?type=user&type=message", "parameter type:"),
        ("/tags/a/values?type=user&pageSize=0", "parameter pageSize:"),
        ("/tags/a/values?type=user&limit=101", "parameter limit:"),
        (
            "/tags/a/values?type=user&nextToken=%21",
            "parameter nextToken:",
        ),
    ] {
        let message = bot.get(path).await.error(400, "InvalidQuery");
        assert!(message.contains(words), "{path}: {message}");
    }
    let long = "a".repeat(201);
    for key in ["a%00b", &long] {
        let answer = bot.get(&format!("/tags/{key}/values?type=user")).await;
        let message = answer.error(400, "InvalidPayload");
        assert!(
            message.contains("key: expected a name of 1 to 200"),
            "{message}"
        );
    }
    // A token of another list points at nothing here.
    for name in ["a", "b"] {
        bot.user(json!({ "x": name })).await;
    }
    let page = bot.get("/tags/x/values?type=user&limit=1").await.ok();
    let token = page.body["meta"]["nextToken"].as_str().unwrap().to_owned();
    let users = bot.get("/users?limit=1").await.ok();
    let of_users = users.body["meta"]["nextToken"].as_str().unwrap();
    for path in [
        format!("/users?nextToken={token}"),
        format!("/tags/x/values?type=message&nextToken={token}"),
        format!("/tags/x/values?type=user&nextToken={of_users}"),
    ] {
        bot.get(&path).await.error(400, "InvalidQuery");
    }
    // Neither is an object, so that there is nothing to miss.
    let none = bot.get("/tags/unknown/values?type=user").await.ok();
    assert_eq!(none.body, json!({ "tags": [], "meta": {} }));
    let empty = bot.get("/tags//values?type=user").await;
    let message = empty.error(400, "InvalidPayload");
    assert!(message.starts_with("key:"), "{message}");
}
