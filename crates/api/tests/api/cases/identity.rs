//! Which thread is meant.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::json;

use super::{case, client, fill, run, run_all};
use crate::support::{World, pluck};

#[tokio::test(flavor = "multi_thread")]
async fn api_001_racing_get_or_creates_make_one_conversation() {
    let world = World::new().await;
    let case = case("api-001");
    let answers = run_all(&world, case["input"]["concurrent"].as_array().unwrap()).await;
    assert_eq!(answers.len(), 48);
    let ids: BTreeSet<_> = answers
        .iter()
        .map(|a| a.clone().ok().id("conversation"))
        .collect();
    assert_eq!(ids.len(), 1);
    let created = answers
        .iter()
        .filter(|a| a.body["meta"]["created"] == true)
        .count();
    assert_eq!(created, 1);
    let all = world
        .telegram()
        .list_all("/conversations", "conversations")
        .await;
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["tags"]["id"], case["expect"]["then_tags"]["id"]);
}

#[tokio::test]
async fn api_002_odd_tags_come_back_and_filter_exactly() {
    let world = World::new().await;
    let case = case("api-002");
    let calls = case["input"]["calls"].as_array().unwrap();
    let mut made = Vec::new();
    for call in calls.iter().take(18) {
        let answer = run(&client(&world, call), call).await.created();
        let value = call["body"]["tags"]["id"].as_str().unwrap().to_owned();
        assert_eq!(answer.body["conversation"]["tags"]["id"], value.as_str());
        made.push((answer.id("conversation"), value));
    }
    let distinct: BTreeSet<_> = made.iter().map(|(id, _)| id).collect();
    assert_eq!(distinct.len(), 18);
    for (id, value) in &made {
        let encoded = value.bytes().fold(String::new(), |mut text, byte| {
            write!(text, "%{byte:02X}").unwrap();
            text
        });
        let path = format!("/conversations?tags.id={encoded}");
        let found = world.telegram().list_all(&path, "conversations").await;
        assert_eq!(pluck(&found, "id"), std::slice::from_ref(id), "{value:?}");
        let body = json!({ "channel": "channel", "tags": { "id": value } });
        let same = world
            .telegram()
            .post("/conversations/get-or-create", body)
            .await
            .ok();
        assert_eq!(same.id("conversation"), *id);
    }
    run(&world.telegram(), &calls[19]).await.created();
    run(&world.telegram(), &calls[20])
        .await
        .error(400, "InvalidPayload");
}

#[tokio::test]
async fn api_008_a_deleted_thread_starts_anew() {
    let world = World::new().await;
    let case = case("api-008");
    let calls = case["input"]["calls"].as_array().unwrap();
    let expect = &case["expect"];
    let (mut first, mut second) = (String::new(), String::new());
    for (number, call) in calls.iter().enumerate() {
        let call = fill(call, &[("$1", &first), ("$2", &second)]);
        let answer = run(&client(&world, &call), &call).await;
        assert_eq!(
            json!(answer.status.as_u16()),
            expect["statuses"][number],
            "{call}"
        );
        if !expect["created"][number].is_null() {
            assert_eq!(answer.body["meta"]["created"], expect["created"][number]);
        }
        match number {
            0 => first = answer.id("conversation"),
            4 => second = answer.id("conversation"),
            5 => assert_eq!(answer.body["messages"], json!([])),
            6 => answer.missing(),
            _ => {}
        }
    }
    assert_ne!(first, second);
}

#[tokio::test(flavor = "multi_thread")]
async fn api_010_tag_updates_at_once_all_survive() {
    let world = World::new().await;
    let case = case("api-010");
    let tags = case["input"]["setup_tags"].clone();
    let conversation = world.telegram().conversation(tags).await;
    let calls: Vec<_> = case["input"]["concurrent"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| fill(call, &[("$1", &conversation)]))
        .collect();
    for answer in run_all(&world, &calls).await {
        answer.ok();
    }
    let read = world
        .telegram()
        .get(&format!("/conversations/{conversation}"))
        .await;
    assert_eq!(
        read.ok().body["conversation"]["tags"],
        case["expect"]["tags_after"]
    );
}

#[tokio::test]
async fn api_012_found_by_a_part_of_its_tags_however_it_was_made() {
    let world = World::new().await;
    let case = case("api-012");
    let mut letters: Vec<String> = Vec::new();
    for (number, call) in case["input"]["calls"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
    {
        let answer = run(&client(&world, call), call).await;
        assert!(answer.status.is_success(), "{}", answer.text);
        let id = answer.id("conversation");
        let place = letters
            .iter()
            .position(|known| *known == id)
            .unwrap_or_else(|| {
                letters.push(id);
                letters.len() - 1
            });
        let letter = ["A", "B", "C"][place];
        assert_eq!(
            json!(letter),
            case["expect"]["ids"][number],
            "call {number}"
        );
        let created = answer.body["meta"]["created"].clone();
        assert_eq!(created, case["expect"]["created"][number], "call {number}");
    }
}
