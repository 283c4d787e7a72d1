//! Health.

use serde_json::json;
use switchboard_engine::Condition;
use switchboard_store::Store;

use crate::support::World;

#[tokio::test]
async fn health_tells_how_the_channels_are_and_asks_for_no_token() {
    let world = World::new().await;
    let anyone = world.bot().without("authorization");
    let healthy = anyone.send("GET", "/healthz", "").await.ok();
    assert_eq!(healthy.body, json!({ "status": "ok", "integrations": {} }));
    let [one, two] = [0, 1].map(|number| world.bot.integrations[number].id);
    world.engine.health().set(one, Condition::Well);
    let trouble = "another program polls with this token; stop it".to_owned();
    world
        .engine
        .health()
        .set(two, Condition::Troubled(trouble.clone()));
    let healthy = anyone.send("GET", "/healthz", "").await.ok();
    assert_eq!(
        healthy.body["integrations"],
        json!({ one.to_string(): "ok", two.to_string(): trouble })
    );
}

#[tokio::test]
async fn the_root_says_what_this_is_and_where_to_go_on() {
    let world = World::new().await;
    let anyone = world.bot().without("authorization");
    let product = anyone.send("GET", "/", "").await.ok().body;
    assert_eq!(product["name"], "Switchboard");
    for way in ["docs", "openapi", "health"] {
        let path = product[way].as_str().unwrap();
        anyone.send("GET", path, "").await.ok();
    }
}

#[tokio::test]
async fn ready_means_that_work_is_taken_and_writes_get_through() {
    let world = World::new().await;
    let anyone = world.bot().without("authorization");
    let ready = anyone.send("GET", "/readyz", "").await.ok();
    assert_eq!(ready.body, json!({ "status": "ready" }));
    world.readiness.set(false);
    let answer = anyone.send("GET", "/readyz", "").await.is(503);
    assert!(
        answer.body["reason"]
            .as_str()
            .unwrap()
            .contains("no work is taken")
    );
    world.readiness.set(true);
    world.store.close().await.unwrap();
    let answer = anyone.send("GET", "/readyz", "").await.is(503);
    assert!(answer.body["reason"].as_str().unwrap().contains("closed"));
    anyone.send("GET", "/healthz", "").await.ok();
}
