//! States that expire.

use std::time::Duration;

use serde_json::json;

use crate::support::{Server, wait};

#[tokio::test]
async fn an_expired_state_is_gone_even_if_nobody_swept() {
    // The case "api-009". The bot is told of each expiry, as the end of it checks.
    let mut server = Server::echo().await;
    let api = server.bot();
    let conversation = server.integration().conversation("501").await;
    let id = conversation["id"].as_str().expect("an id");
    let path = format!("/v1/chat/states/conversation/{id}/s");
    let set = json!({ "payload": { "n": 1 }, "expiry": 1000 });
    api.post(&path, &set).await.ok("state");

    // Writing renews the timer, reading does not.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let renew = json!({ "payload": { "n": 1 }, "expiry": 1000 });
    api.post(&path, &renew).await.ok("state");
    tokio::time::sleep(Duration::from_millis(700)).await;
    let first = api.get(&path).await.ok("state");
    assert_eq!(first["payload"], json!({ "n": 1 }));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let gone = api.get(&path).await;
    gone.error(404, "ResourceNotFound");
    assert!(gone.body["message"].to_string().contains("not found"));

    let fresh = json!({ "payload": { "n": 2 }, "expiry": 1000 });
    let set = api
        .post(&format!("{path}/get-or-set"), &fresh)
        .await
        .ok("state");
    assert_eq!(set["payload"], json!({ "n": 2 }));
    server.terminate().await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    server.start().await;
    let api = server.bot();
    api.get(&path).await.error(404, "ResourceNotFound");

    // One event each, newest first, with the state as it was when its time ended.
    let told = wait::until("both expiries are told", || async {
        let told = api
            .list("/v1/chat/events?type=state_expired", "events")
            .await;
        assert!(told.len() <= 2, "{told:#?}");
        let done = told.len() == 2 && told.iter().all(|event| event["status"] == "processed");
        done.then_some(told)
    });
    let told = told.await;
    assert_eq!(told[1]["payload"], json!({ "state": first }));
    assert_eq!(told[0]["payload"], json!({ "state": set }));
    assert_eq!(told[0]["conversationId"], conversation["id"]);
}
