//! What is said and kept.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use super::{case, fill, run, run_all};
use crate::support::{World, pluck, text_message};

#[tokio::test]
async fn api_003_paging_neither_skips_nor_repeats_within_one_millisecond() {
    let world = World::new().await;
    let bot = world.bot();
    let conversation = world.telegram().conversation(json!({ "id": "1" })).await;
    let author = world.bot_id();
    let mut expected = Vec::new();
    for number in 0..250 {
        expected.push(bot.say(&conversation, &author, &number.to_string()).await);
    }
    expected.reverse();
    for path in [
        format!("/messages?conversationId={conversation}"),
        "/messages".to_owned(),
    ] {
        let mut seen = Vec::new();
        let mut deleted = Vec::new();
        let mut next = None;
        loop {
            let sign = if path.contains('?') { '&' } else { '?' };
            let token = next.map_or(String::new(), |token| format!("{sign}nextToken={token}"));
            let page = bot.get(&format!("{path}{token}")).await.ok();
            let ids = pluck(page.body["messages"].as_array().unwrap(), "id");
            assert!(!ids.is_empty());
            seen.extend(ids.clone());
            let meta = page.body["meta"].as_object().unwrap();
            let Some(token) = meta.get("nextToken") else {
                assert!(meta.is_empty());
                break;
            };
            next = Some(token.as_str().unwrap().to_owned());
            bot.say(&conversation, &author, "more").await;
            let last = ids.last().unwrap().clone();
            bot.delete(&format!("/messages/{last}")).await.ok();
            deleted.push(last);
        }
        assert_eq!(seen, expected);
        expected.retain(|id| !deleted.contains(id));
        let added: Vec<_> = bot.list_all(&path, "messages").await;
        expected = pluck(&added, "id");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn api_004_a_repeated_post_is_said_once() {
    let mut world = World::new().await;
    let case = case("api-004");
    let steps = case["input"]["steps"].as_array().unwrap();
    let conversation = world.telegram().conversation(json!({ "id": "1" })).await;
    let user = world.telegram().user(json!({ "id": "7" })).await;
    let bot = world.bot_id();
    let other = world.another_bot().await;
    let other_conversation = world
        .client(&other, Some(0))
        .conversation(json!({ "id": "1" }))
        .await;
    let other_bot = other.bot.id.to_string();
    // The longer names first: `$c` begins `$c2`.
    let names = [
        ("$c2", other_conversation.as_str()),
        ("$bot2", other_bot.as_str()),
        ("$bot", bot.as_str()),
        ("$c", conversation.as_str()),
        ("$u", user.as_str()),
    ];
    let steps: Vec<_> = steps.iter().map(|step| fill(step, &names)).collect();

    let answers = run_all(&world, &steps[..1]).await;
    let ids: BTreeSet<_> = answers
        .iter()
        .map(|a| a.clone().ok().id("message"))
        .collect();
    assert_eq!(ids.len(), 1);
    let announced = world
        .bot()
        .list_all("/events?type=message_created", "events")
        .await;
    assert_eq!(announced.len(), 1);

    let with_key = world.bot().with("idempotency-key", "k1");
    let tasks = (0..8).map(|_| {
        let (client, step) = (with_key.clone(), steps[1].clone());
        tokio::spawn(async move { run(&client, &step).await })
    });
    let answers = join_all(tasks.collect::<Vec<_>>()).await;
    let ids: BTreeSet<_> = answers
        .into_iter()
        .map(|answer| answer.unwrap().created().id("message"))
        .collect();
    assert_eq!(ids.len(), 1);
    run(&with_key, &steps[2]).await.error(409, "AlreadyExists");
    let second = world.client(&other, None).with("idempotency-key", "k1");
    run(&second, &steps[3]).await.created();

    let outgoing = |messages: Vec<Value>| {
        messages
            .into_iter()
            .filter(|m| m["direction"] == "outgoing")
            .count()
    };
    assert_eq!(
        outgoing(world.bot().list_all("/messages", "messages").await),
        1
    );
    world.restart().await;
    let with_key = world.bot().with("idempotency-key", "k1");
    let again = run(&with_key, &steps[1]).await.created();
    assert!(ids.contains(&again.id("message")));
    assert_eq!(
        outgoing(world.bot().list_all("/messages", "messages").await),
        1
    );
}

#[tokio::test]
async fn api_005_nul_is_kept_in_payloads_and_refused_in_tags() {
    let world = World::new().await;
    let case = case("api-005");
    let conversation = world.telegram().conversation(json!({ "id": "1" })).await;
    let user = world.telegram().user(json!({ "id": "7" })).await;
    let names = [("$c", conversation.as_str()), ("$u", user.as_str())];
    let mut answers = Vec::new();
    for call in case["input"]["calls"].as_array().unwrap() {
        answers.push(run(&world.telegram(), &fill(call, &names)).await);
    }
    let path = format!("/messages/{}", answers[0].clone().created().id("message"));
    let read = world.bot().get(&path).await.ok();
    assert_eq!(
        read.body["message"]["payload"],
        json!({ "text": "a\u{0}b" })
    );
    for refused in [1, 2, 4] {
        answers[refused].clone().error(400, "InvalidPayload");
    }
    answers[3].clone().ok();
    let found = world
        .telegram()
        .list_all("/conversations?tags.id=7", "conversations")
        .await;
    assert_eq!(found.len(), 1);
}

#[tokio::test]
async fn api_006_size_limits() {
    let world = World::new().await;
    let case = case("api-006");
    let conversation = world.telegram().conversation(json!({ "id": "1" })).await;
    let user = world.telegram().user(json!({ "id": "7" })).await;
    let names = [("$c", conversation.as_str()), ("$u", user.as_str())];
    let calls = case["input"]["calls"].as_array().unwrap();
    let statuses = case["expect"]["statuses"].as_array().unwrap();
    for (call, status) in calls.iter().zip(statuses) {
        let answer = run(&world.telegram(), &fill(call, &names)).await;
        assert_eq!(json!(answer.status.as_u16()), *status);
        if *status == 413 {
            answer.error(413, "PayloadTooLarge");
        }
    }
}

#[tokio::test]
async fn api_007_numbers_keep_every_digit() {
    let world = World::new().await;
    let case = case("api-007");
    let conversation = world.telegram().conversation(json!({ "id": "1" })).await;
    let user = world.telegram().user(json!({ "id": "7" })).await;
    let call = &case["input"]["calls"][0];
    let payload = call["body"]["payload"]["raw_json"].as_str().unwrap();
    let tags = &call["body"]["tags"];
    let body = format!(
        r#"{{"conversationId":"{conversation}","userId":"{user}","type":"custom","payload":{payload},"tags":{tags}}}"#
    );
    let made = world
        .telegram()
        .send("POST", "/v1/chat/messages", body)
        .await
        .created();
    let id = made.id("message");
    assert_eq!(&made.body["message"]["tags"], tags);
    assert!(made.text.contains(payload), "{}", made.text);
    for path in [
        format!("/messages/{id}"),
        format!("/messages?conversationId={conversation}"),
        format!("/events?messageId={id}"),
    ] {
        let read = world.bot().get(&path).await.ok();
        assert!(read.text.contains(payload), "{}", read.text);
    }
}

#[tokio::test]
async fn api_009_an_expired_state_is_gone_though_nobody_swept() {
    let mut world = World::new().await;
    let conversation = world
        .bot()
        .conversation(json!({ "telegram:id": "1" }))
        .await;
    let path = format!("/states/conversation/{conversation}/s");
    let body = json!({ "payload": { "n": 1 }, "expiry": 1000 });
    world.bot().post(&path, body).await.ok();
    world.clock.advance(Duration::from_millis(999));
    world.bot().get(&path).await.ok();
    // Reads do not renew.
    world.clock.advance(Duration::from_millis(999));
    world.bot().get(&path).await.missing();
    world.clock.advance(Duration::from_millis(1001));
    world.bot().get(&path).await.missing();
    let body = json!({ "payload": { "n": 2 }, "expiry": 1000 });
    let set = world
        .bot()
        .post(&format!("{path}/get-or-set"), body)
        .await
        .ok();
    assert_eq!(set.body["state"]["payload"], json!({ "n": 2 }));
    world.clock.advance(Duration::from_secs(5));
    world.restart().await;
    world.bot().get(&path).await.missing();
}

#[tokio::test(flavor = "multi_thread")]
async fn api_011_the_order_of_posting_is_the_order_of_the_list() {
    let world = World::new().await;
    let conversation = world.telegram().conversation(json!({ "id": "1" })).await;
    let (bot, author) = (world.bot(), world.bot_id());
    let mut expected = Vec::new();
    for number in 0..50 {
        expected.push(bot.say(&conversation, &author, &number.to_string()).await);
    }
    let tasks = (0..50).map(|number| {
        let (bot, body) = (
            bot.clone(),
            text_message(&conversation, &author, &number.to_string()),
        );
        tokio::spawn(async move { bot.post("/messages", body).await.created().id("message") })
    });
    let at_once: BTreeSet<_> = join_all(tasks.collect::<Vec<_>>())
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let path = format!("/messages?conversationId={conversation}");
    let mut listed = pluck(&bot.list_all(&path, "messages").await, "id");
    listed.reverse();
    assert_eq!(listed[..50], expected);
    let rest: BTreeSet<_> = listed[50..].iter().cloned().collect();
    assert_eq!(rest, at_once);
    assert_eq!(listed.len(), 100);
}
