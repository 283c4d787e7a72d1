//! Explaining an update: for whoever may act as the integration, and nobody else.

use serde_json::json;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn an_update_is_explained_by_alias_or_id_and_nothing_is_written() {
    let world = World::new().await;
    let bot = world.bot();
    let id = world.bot.integrations[0].id;
    for name in ["telegram".to_owned(), id.to_string()] {
        let path = format!("/v1/switchboard/integrations/{name}/explain");
        let said = bot.send("POST", &path, "hello").await.is(200).body;
        assert_eq!(said["event"], "telegram:hello");
        assert_eq!(said["created"], false);
        for absent in ["key", "conversation_id", "user_id", "sender"] {
            assert_eq!(said[absent], json!(null), "{absent}");
        }
        assert!(!said["reasons"].as_array().unwrap().is_empty());
    }
    assert!(bot.list_all("/events", "events").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_s_integration_is_absent() {
    let world = World::new().await;
    let other = world.another_bot().await;
    let path = |name: &str| format!("/v1/switchboard/integrations/{name}/explain");
    let theirs = path(&other.integrations[0].id.to_string());
    world.bot().send("POST", &theirs, "x").await.missing();
    world
        .bot()
        .send("POST", &path("nobody"), "x")
        .await
        .missing();
    world
        .terminal()
        .send("POST", &path("telegram"), "x")
        .await
        .missing();
    world
        .telegram()
        .send("POST", &path("telegram"), "x")
        .await
        .is(200);
    let nobody = world.bot().without("authorization");
    nobody
        .send("POST", &path("telegram"), "x")
        .await
        .error(401, "Unauthorized");
    world
        .bot()
        .send("GET", &path("telegram"), "")
        .await
        .error(405, "MethodNotFound");
}
