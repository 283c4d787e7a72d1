//! States.

use std::time::Duration;

use serde_json::json;

use crate::support::World;

#[tokio::test]
async fn a_state_of_each_kind_is_set_read_patched_and_removed() {
    let world = World::new().await;
    let telegram = world.telegram();
    let conversation = telegram.conversation(json!({ "id": "1" })).await;
    let user = telegram.user(json!({ "id": "7" })).await;
    let bot = world.bot_id();
    let integration = world.bot.integrations[0].id.to_string();
    for (kind, id, field) in [
        ("conversation", &conversation, Some("conversationId")),
        ("user", &user, Some("userId")),
        ("user", &bot, Some("userId")),
        ("bot", &bot, Some("botId")),
        ("integration", &integration, None),
    ] {
        let path = format!("/states/{kind}/{id}/a%20b%2Fc");
        let absent = telegram.get(&path).await;
        absent.missing();
        let set = telegram
            .post(&path, json!({ "payload": { "x": 1, "y": 2 } }))
            .await
            .ok();
        let state = &set.body["state"];
        assert_eq!(state["type"], kind);
        assert_eq!(state["name"], "a b/c");
        assert_eq!(state["botId"], bot);
        if let Some(field) = field {
            assert_eq!(state[field], id.as_str());
        }
        let read = telegram.get(&path).await.ok();
        assert_eq!(&read.body["state"], state);
        assert_eq!(read.body["meta"], json!({ "cached": false }));

        let merge = json!({ "payload": { "x": null, "z": 3 } });
        let patched = telegram.call("PATCH", &path, &merge).await.ok();
        assert_eq!(patched.body["state"]["payload"], json!({ "y": 2, "z": 3 }));
        let kept = telegram
            .post(&format!("{path}/get-or-set"), json!({ "payload": {} }))
            .await
            .ok();
        assert_eq!(kept.body["state"]["payload"], json!({ "y": 2, "z": 3 }));
        assert_eq!(kept.body["meta"], json!({ "cached": false }));
        let replaced = telegram.post(&path, json!({ "payload": { "n": 0 } })).await;
        assert_eq!(replaced.ok().body["state"]["payload"], json!({ "n": 0 }));

        let removed = telegram.post(&path, json!({ "payload": null })).await.ok();
        assert_eq!(removed.body["state"]["payload"], json!({ "n": 0 }));
        telegram.get(&path).await.missing();
        let again = telegram.post(&path, json!({ "payload": null })).await.ok();
        assert_eq!(again.text, "{}");
        telegram.call("PATCH", &path, &merge).await.missing();
    }
}

#[tokio::test]
async fn a_bot_and_each_integration_have_names_of_their_own() {
    let world = World::new().await;
    let conversation = world.telegram().conversation(json!({ "id": "1" })).await;
    let path = format!("/states/conversation/{conversation}/s");
    world
        .telegram()
        .post(&path, json!({ "payload": { "of": "telegram" } }))
        .await
        .ok();
    world.bot().get(&path).await.missing();
    world
        .bot()
        .post(&path, json!({ "payload": { "of": "bot" } }))
        .await
        .ok();
    let read = world.telegram().get(&path).await.ok();
    assert_eq!(read.body["state"]["payload"], json!({ "of": "telegram" }));

    let path = format!("/states/bot/{}/s", world.bot_id());
    world
        .terminal()
        .post(&path, json!({ "payload": {} }))
        .await
        .ok();
    world.telegram().get(&path).await.missing();
}

#[tokio::test]
async fn an_expiry_is_set_moved_and_lifted() {
    let world = World::new().await;
    let bot = world.bot();
    let path = format!("/states/bot/{}/s", world.bot_id());
    let expiry = format!("{path}/expiry");
    bot.post(&expiry, json!({ "expiry": 5 })).await.missing();
    bot.post(&path, json!({ "payload": {}, "expiry": 1000 }))
        .await
        .ok();
    world.clock.advance(Duration::from_millis(999));
    bot.post(&expiry, json!({ "expiry": 2000 })).await.ok();
    world.clock.advance(Duration::from_millis(1999));
    bot.get(&path).await.ok();
    bot.post(&expiry, json!({ "expiry": null })).await.ok();
    world.clock.advance(Duration::from_hours(1000));
    bot.get(&path).await.ok();
    // Setting replaces the expiry as well.
    bot.post(&path, json!({ "payload": {}, "expiry": 10 }))
        .await
        .ok();
    bot.post(&path, json!({ "payload": {} })).await.ok();
    world.clock.advance(Duration::from_millis(10));
    bot.get(&path).await.ok();
    for wrong in [json!(0), json!(-1), json!(2_592_000_001_u64), json!("1")] {
        for (path, body) in [
            (&path, json!({ "payload": {}, "expiry": wrong })),
            (&expiry, json!({ "expiry": wrong })),
        ] {
            let message = bot.post(path, body).await.error(400, "InvalidPayload");
            assert!(message.starts_with("expiry"), "{message}");
        }
    }
    bot.post(&expiry, json!({}))
        .await
        .error(400, "InvalidPayload");
}

#[tokio::test]
async fn what_names_no_state_is_refused() {
    let world = World::new().await;
    let bot = world.bot();
    for kind in ["task", "planet"] {
        let message = bot
            .get(&format!("/states/{kind}/x/s"))
            .await
            .error(400, "InvalidPayload");
        assert!(message.contains("not served"), "{message}");
    }
    let telegram_id = world.bot.integrations[0].id;
    let terminal_id = world.bot.integrations[1].id;
    for path in [
        "/states/conversation/x/s".to_owned(),
        "/states/conversation/conv_01ARZ3NDEKTSV4RRFFQ69G5FAV/s".to_owned(),
        "/states/user/user_01ARZ3NDEKTSV4RRFFQ69G5FAV/s".to_owned(),
        "/states/bot/bot_01ARZ3NDEKTSV4RRFFQ69G5FAV/s".to_owned(),
        format!("/states/integration/{terminal_id}/s"),
    ] {
        for caller in [&bot, &world.telegram()] {
            caller.get(&path).await.missing();
            caller.post(&path, json!({ "payload": {} })).await.missing();
            caller
                .post(&format!("{path}/get-or-set"), json!({ "payload": {} }))
                .await
                .missing();
            caller
                .post(&format!("{path}/expiry"), json!({ "expiry": 1 }))
                .await
                .missing();
            caller
                .call("PATCH", &path, &json!({ "payload": {} }))
                .await
                .missing();
        }
    }
    bot.get(&format!("/states/integration/{telegram_id}/s"))
        .await
        .missing();
    let path = format!("/states/bot/{}/s", world.bot_id());
    bot.post(&path, json!({}))
        .await
        .error(400, "InvalidPayload");
    bot.post(&path, json!({ "payload": [] }))
        .await
        .error(400, "InvalidPayload");
    let long = format!("/states/bot/{}/{}", world.bot_id(), "x".repeat(201));
    bot.get(&long).await.error(400, "InvalidPayload");
}
