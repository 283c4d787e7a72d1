//! Users.

use std::time::Duration;

use serde_json::json;

use crate::support::{World, pluck};

#[tokio::test]
async fn a_user_is_made_read_changed_and_deleted() {
    let world = World::new().await;
    let telegram = world.telegram();
    let body = json!({ "tags": { "id": "7" }, "name": "Ann", "pictureUrl": "data:," });
    let made = telegram.post("/users", body).await.created();
    let id = made.id("user");
    assert_eq!(
        made.body["user"],
        json!({
            "id": id,
            "createdAt": made.body["user"]["createdAt"],
            "updatedAt": made.body["user"]["createdAt"],
            "tags": { "id": "7" },
            "name": "Ann",
            "pictureUrl": "data:,",
        })
    );
    let path = format!("/users/{id}");
    assert_eq!(telegram.get(&path).await.ok().body, made.body);
    let as_bot = world.bot().get(&path).await.ok();
    assert_eq!(as_bot.body["user"]["tags"], json!({ "telegram:id": "7" }));

    // What is not mentioned stays.
    let change = json!({ "tags": { "lang": "en" }, "name": "Anna" });
    let changed = telegram.put(&path, change).await.ok();
    assert_eq!(
        changed.body["user"]["tags"],
        json!({ "id": "7", "lang": "en" })
    );
    assert_eq!(changed.body["user"]["name"], "Anna");
    assert_eq!(changed.body["user"]["pictureUrl"], "data:,");
    let cleared = telegram
        .put(&path, json!({ "name": null, "pictureUrl": null }))
        .await
        .ok();
    let fields: Vec<_> = cleared.body["user"].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["createdAt", "id", "tags", "updatedAt"]);

    assert_eq!(telegram.delete(&path).await.ok().text, "{}");
    telegram.get(&path).await.missing();
    telegram.put(&path, json!({})).await.missing();
    telegram.delete(&path).await.missing();
}

#[tokio::test]
async fn get_or_create_keeps_the_name_of_a_found_user() {
    let world = World::new().await;
    let body =
        |name: &str| json!({ "tags": { "id": "7" }, "name": name, "discriminateByTags": ["id"] });
    let telegram = world.telegram();
    let made = telegram
        .post("/users/get-or-create", body("Ann"))
        .await
        .ok();
    assert_eq!(made.body["meta"], json!({ "created": true }));
    let found = telegram
        .post("/users/get-or-create", body("Bob"))
        .await
        .ok();
    assert_eq!(found.body["meta"], json!({ "created": false }));
    assert_eq!(found.body["user"], made.body["user"]);
    let by_bot = json!({ "tags": { "telegram:id": "7" } });
    let found = world.bot().post("/users/get-or-create", by_bot).await.ok();
    assert_eq!(found.id("user"), made.id("user"));
}

#[tokio::test]
async fn the_bots_id_means_its_user() {
    let world = World::new().await;
    let bot = world.bot_id();
    let path = format!("/users/{bot}");
    for caller in [world.bot(), world.telegram()] {
        assert_eq!(caller.get(&path).await.ok().id("user"), bot);
    }
    world.bot().put(&path, json!({ "name": "Robo" })).await.ok();
    let tagged = world
        .telegram()
        .put(&path, json!({ "tags": { "id": "99" } }))
        .await;
    assert_eq!(tagged.ok().body["user"]["tags"], json!({ "id": "99" }));
    let renamed = world.telegram().put(&path, json!({ "name": "Evil" })).await;
    renamed.error(403, "Forbidden");
    world.bot().delete(&path).await.error(403, "Forbidden");
    let read = world.bot().get(&path).await.ok();
    assert_eq!(read.body["user"]["name"], "Robo");
    assert_eq!(read.body["user"]["tags"], json!({ "telegram:id": "99" }));
}

#[tokio::test]
async fn lists_filter_sort_and_page() {
    let world = World::new().await;
    let telegram = world.telegram();
    let mut ids = Vec::new();
    for number in 0..25 {
        world.clock.advance(Duration::from_millis(10));
        let tags = json!({ "id": number.to_string(), "odd": (number % 2).to_string() });
        ids.push(telegram.user(tags).await);
    }
    let all = telegram.list_all("/users?sortDirection=asc", "users").await;
    assert_eq!(pluck(&all, "id"), ids);
    let odd = telegram
        .list_all("/users?tags.odd=1&pageSize=5", "users")
        .await;
    assert_eq!(odd.len(), 12);
    let odd = world
        .bot()
        .list_all("/users?tags.telegram%3Aodd=1", "users")
        .await;
    assert_eq!(odd.len(), 12);

    let conversation = telegram.conversation(json!({ "id": "1" })).await;
    let path = format!("/conversations/{conversation}/participants");
    telegram.post(&path, json!({ "userId": ids[4] })).await.ok();
    let taking_part = format!("/users?conversationId={conversation}");
    for caller in [telegram.clone(), world.bot()] {
        let found = caller.list_all(&taking_part, "users").await;
        assert_eq!(pluck(&found, "id"), [ids[4].clone()]);
    }

    world.clock.advance(Duration::from_secs(1));
    let change = json!({ "name": "changed" });
    let changed = telegram
        .put(&format!("/users/{}", ids[2]), change)
        .await
        .ok();
    let at = changed.body["user"]["updatedAt"].as_str().unwrap();
    let late = format!("/users?rangeField=updatedAt&afterDate={at}");
    let found = telegram.list_all(&late, "users").await;
    assert_eq!(pluck(&found, "id"), [ids[2].clone()]);
    let late = format!("/users?afterDate={at}");
    assert_eq!(telegram.list_all(&late, "users").await.len(), 0);
}

#[tokio::test]
async fn names_and_pictures_have_limits() {
    let world = World::new().await;
    let telegram = world.telegram();
    let id = telegram.user(json!({ "id": "7" })).await;
    for (field, limit) in [("name", 200), ("pictureUrl", 40_000)] {
        for (length, status) in [(limit, 200), (limit + 1, 400)] {
            let body = json!({ field: "é".repeat(length) });
            let answer = telegram.put(&format!("/users/{id}"), body).await.is(status);
            if status == 400 {
                assert!(answer.error(400, "InvalidPayload").starts_with(field));
            }
        }
    }
}
