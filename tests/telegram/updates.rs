//! What comes in: each update is taken, once, whatever it holds.

use serde_json::{Value, json};

use super::{conversation, listening, polling, settled};
use crate::support::telegram::{FakeTelegram, TOKEN};
use crate::support::{Server, texts, wait};

#[tokio::test]
async fn an_update_that_cannot_be_understood_is_kept_as_an_event_and_holds_up_nothing() {
    let (telegram, bot, server) = listening().await;
    telegram.push_raw(r#"{"update_id":9001,"message":{"message_id":"seven","chat":5}}"#);
    telegram.push_raw(r#"{"update_id":9002,"brand_new_kind":{"x":[1,2,{"y":null}]}}"#);
    telegram.push_raw(r#"{"update_id":9003,"message":{"message_id":1,"date":1,"chat":{"id":501,"type":"private"},"text":"lone \ud83d half"}}"#);
    telegram.push(json!({ "update_id": 9004, "my_chat_member": {
        "chat": { "id": 503, "type": "private" }, "date": 1_790_000_000,
        "from": { "id": 503, "is_bot": false, "first_name": "Cy" },
        "old_chat_member": { "status": "member", "user": { "id": 7_000_000_001_i64, "is_bot": true, "first_name": "S" } },
        "new_chat_member": { "status": "kicked", "user": { "id": 7_000_000_001_i64, "is_bot": true, "first_name": "S" }, "until_date": 0 },
    } }));
    telegram.push_text(501, 501, "still here");
    telegram.wait_until_taken().await;
    bot.wait_for_text("still here").await;
    let events = server.bot().list("/v1/chat/events", "events").await;
    let kinds: Vec<_> = events
        .iter()
        .filter_map(|event| event["type"].as_str())
        .collect();
    assert_eq!(events.len(), 5, "{kinds:?}");
    assert!(kinds.contains(&"telegram:my_chat_member"), "{kinds:?}");
    assert!(kinds.contains(&"telegram:brand_new_kind"), "{kinds:?}");
    // Only what was said opens a conversation.
    let all = server
        .bot()
        .list("/v1/chat/conversations", "conversations")
        .await;
    assert_eq!(all.len(), 1);
    let asked = telegram.allowed_updates().expect("all kinds are named");
    for kind in [
        "chat_member",
        "message_reaction",
        "message_reaction_count",
        "my_chat_member",
    ] {
        assert!(asked.iter().any(|name| name == kind), "{kind}");
    }
}

#[tokio::test]
async fn the_position_survives_a_restart_and_moves_only_over_what_was_taken() {
    let (telegram, mut server) = polling().await;
    let last = telegram.push_text(501, 501, "one");
    telegram.wait_until_taken().await;
    telegram.wait_for_text(501, "one").await;
    server.terminate().await;
    telegram.push_text(501, 501, "two");
    let polls = telegram.calls("getUpdates").len();
    server.start().await;
    telegram.wait_for_text(501, "two").await;
    let first = &telegram.calls("getUpdates")[polls];
    assert_eq!(first.body["offset"], last + 1);
    assert_eq!(telegram.texts(501), ["one", "two"]);
}

#[tokio::test]
async fn the_same_message_again_is_one_message_whatever_its_update_number() {
    // tg-in-011 over the whole way.
    let (telegram, server) = polling().await;
    let message = json!({
        "message_id": 64, "date": 1_790_000_101, "chat": { "id": 501, "type": "private" },
        "from": { "id": 501, "is_bot": false, "first_name": "Ada" }, "text": "hi",
    });
    for _ in 0..3 {
        telegram.push(json!({ "message": message.clone() }));
    }
    telegram.push_text(501, 501, "after");
    telegram.wait_for_text(501, "after").await;
    let api = server.integration();
    let chat = conversation(&api, "501").await;
    let messages = settled(&api, &chat, 4).await;
    assert_eq!(
        texts(&messages)
            .iter()
            .filter(|text| **text == "hi")
            .count(),
        2
    );
    assert_eq!(telegram.texts(501), ["hi", "after"]);
}

#[tokio::test]
async fn the_position_belongs_to_the_bot_account() {
    // tg-in-014: another bot's token in the same folder, with lower numbers.
    let old = FakeTelegram::start().await;
    let mut server = Server::builder().telegram(&old.url(), TOKEN).start().await;
    old.push(json!({ "update_id": 910_000_434, "message": {
        "message_id": 80, "date": 1_790_000_434, "chat": { "id": 501, "type": "private" },
        "from": { "id": 501, "is_bot": false, "first_name": "Ada" }, "text": "to the old bot",
    } }));
    old.wait_for_text(501, "to the old bot").await;
    server.terminate().await;

    let token = "7000000002:another-Bot";
    let new = FakeTelegram::start_as(token).await;
    for (update_id, message_id, text) in [
        (340_000_195, 1, "to the new bot"),
        (340_000_196, 80, "with the old bot's number"),
    ] {
        new.push(json!({ "update_id": update_id, "message": {
            "message_id": message_id, "date": 1_790_000_195,
            "chat": { "id": 501, "type": "private" },
            "from": { "id": 501, "is_bot": false, "first_name": "Ada" }, "text": text,
        } }));
    }
    server.set_env("SWITCHBOARD_TELEGRAM_API_URL", new.url());
    server.set_env("SWITCHBOARD_TELEGRAM_TOKEN", token);
    server.start().await;
    new.wait_for_text(501, "to the new bot").await;
    new.wait_for_text(501, "with the old bot's number").await;
    let offset = new.calls("getUpdates")[0].body["offset"].as_i64();
    assert!(
        offset.is_none_or(|offset| offset <= 340_000_195),
        "{offset:?}"
    );
}

#[tokio::test]
async fn an_update_whose_number_cannot_be_one_holds_up_no_other() {
    let (telegram, bot, server) = listening().await;
    let said = |update_id: i64, text: &str| {
        json!({ "update_id": update_id, "message": {
            "message_id": update_id, "date": 1_790_000_000,
            "chat": { "id": 501, "type": "private" },
            "from": { "id": 501, "is_bot": false, "first_name": "Ada" }, "text": text,
        } })
    };
    let odd = json!({ "update_id": i64::MAX, "poll": {} });
    telegram.on("getUpdates").answer(
        200,
        &json!({ "ok": true, "result": [said(9001, "before"), odd, said(9002, "after")] }),
    );
    bot.wait_for_text("after").await;
    telegram
        .wait_until("the others are confirmed", |telegram| {
            let calls = telegram.calls("getUpdates");
            let last = calls.last()?.body["offset"].as_i64();
            (last == Some(9003)).then_some(())
        })
        .await;
    let events = server.bot().list("/v1/chat/events", "events").await;
    let odd = events
        .iter()
        .filter(|event| event["type"] == "telegram:unknown");
    assert_eq!(odd.count(), 1, "{events:#?}");
}

#[tokio::test]
async fn a_large_update_large_numbers_and_nul_are_taken() {
    // The updates of api-005, api-006 and api-007.
    let (telegram, server) = polling().await;
    telegram.push_raw(
        r#"{"update_id":9401,"message":{"message_id":12,"date":1790000000,"chat":{"id":501,"type":"private"},"from":{"id":501,"is_bot":false,"first_name":"A\u0000da"},"text":"x\u0000y"}}"#,
    );
    let entities: Vec<Value> = (0..4000)
        .map(|n| json!({ "type": "custom_emoji", "offset": n, "length": 1, "custom_emoji_id": "5368324170671202286" }))
        .collect();
    let large = json!({ "message": {
        "message_id": 13, "date": 1_790_000_001, "chat": { "id": 502, "type": "private" },
        "from": { "id": 502, "is_bot": false, "first_name": "Ben" }, "text": "large",
        "reply_to_message": { "message_id": 1, "date": 1, "chat": { "id": 502, "type": "private" },
            "text": "x".repeat(4000), "entities": entities },
    } });
    assert!(large.to_string().len() > 300_000);
    telegram.push(large);
    telegram.push_raw(
        r#"{"update_id":2147483646,"message":{"message_id":2147483647,"date":2147483648,"chat":{"id":-1003999999999,"type":"supergroup","title":"T"},"from":{"id":4503599627370495,"is_bot":false,"first_name":"Z"},"text":"big"}}"#,
    );
    telegram.wait_for_text(502, "large").await;
    telegram.wait_for_text(-1_003_999_999_999, "big").await;
    telegram.wait_until_taken().await;
    let api = server.integration();
    let nul = settled(&api, &conversation(&api, "501").await, 2).await;
    assert!(["x\0y", "x\u{fffd}y"].contains(&texts(&nul)[0]), "{nul:?}");
    let big = settled(&api, &conversation(&api, "-1003999999999").await, 2).await;
    assert_eq!(big[0]["tags"]["id"], "2147483647");
    let users = api
        .list("/v1/chat/users?tags.id=4503599627370495", "users")
        .await;
    assert_eq!(users.len(), 1);
}

#[tokio::test]
async fn plugging_in_needs_no_restart() {
    let telegram = FakeTelegram::start().await;
    let server = Server::builder()
        .env("SWITCHBOARD_TELEGRAM_API_URL", telegram.url())
        .start()
        .await;
    telegram.push_text(501, 501, "is anyone there?");
    server
        .command_with_input(&["integrations", "add", "telegram"], &format!("{TOKEN}\n"))
        .await
        .ok();
    telegram.wait_for_text(501, "is anyone there?").await;
    let listed = server
        .command(&["integrations", "list", "--json"])
        .await
        .json();
    let telegrams: Vec<_> = listed["integrations"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|integration| integration["platform"] == "telegram")
        .collect();
    assert_eq!(telegrams.len(), 1);
    assert_eq!(telegrams[0]["id"], server.ready.integration_id.as_str());
    assert_eq!(telegrams[0]["active"], true);
    // Encrypted at rest.
    let secret = TOKEN.split_once(':').expect("a token").1;
    for entry in std::fs::read_dir(server.data_dir()).expect("the folder") {
        let bytes = std::fs::read(entry.expect("an entry").path()).expect("a file");
        let found = bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "the channel's token is stored in clear");
    }
}

#[tokio::test]
async fn a_stored_token_is_used_again_after_a_restart_and_opens_only_with_its_key() {
    let telegram = FakeTelegram::start().await;
    let mut server = Server::builder()
        .env("SWITCHBOARD_TELEGRAM_API_URL", telegram.url())
        .start()
        .await;
    server
        .command_with_input(&["integrations", "add", "telegram"], &format!("{TOKEN}\n"))
        .await
        .ok();
    server.restart().await;
    telegram.push_text(501, 501, "after the restart");
    telegram.wait_for_text(501, "after the restart").await;

    server.set_env("SWITCHBOARD_ENCRYPTION_KEY", "ab".repeat(32));
    server.restart().await;
    let told = wait::until("it is told that the key is wrong", || async {
        let health = super::health(&server).await;
        health.contains("encryption key").then_some(health)
    })
    .await;
    assert!(!told.contains(TOKEN));
}
