//! What changes later: messages that are edited, groups that become supergroups.

use serde_json::{Value, json};

use super::{conversation, delivery, listening, polling, settled};
use crate::support::{texts, wait};

const GROUP: i64 = -4_100_200;
const SUPERGROUP: i64 = -1_002_100_000_002;

fn case(id: &str) -> Value {
    include_str!("../fixtures/cases/telegram.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a case"))
        .find(|case| case["id"] == id)
        .expect("the case")
}

fn in_group(chat: i64, message_id: i64, more: &Value) -> Value {
    let kind = if chat == GROUP { "group" } else { "supergroup" };
    let mut message = json!({
        "message_id": message_id, "date": 1_790_000_000,
        "chat": { "id": chat, "type": kind, "title": "Team" },
        "from": { "id": 501, "is_bot": false, "first_name": "Ada" },
    });
    for (name, value) in more.as_object().expect("fields") {
        message[name] = value.clone();
    }
    json!({ "message": message })
}

#[tokio::test]
async fn tg_in_009_edits_follow_their_message_and_are_no_new_ones() {
    let (telegram, bot, server) = listening().await;
    for update in case("tg-in-009")["input"]["updates"]
        .as_array()
        .expect("updates")
    {
        telegram.push(update["update"].clone());
    }
    telegram.wait_until_taken().await;
    let events = bot.wait_for(6).await;
    let count = |kind: &str| events.iter().filter(|event| event.kind() == kind).count();
    assert_eq!(count("message_created"), 2);
    assert_eq!(count("telegram:edited_message"), 4);

    let api = server.bot();
    let all = api.list("/v1/chat/conversations", "conversations").await;
    assert_eq!(all.len(), 1);
    let messages = api.messages(&all[0]).await;
    assert_eq!(messages.len(), 2);
    let text = |message: &Value| message["payload"]["text"] == "hello";
    let edited = messages
        .iter()
        .find(|message| text(message))
        .expect("the edited text");
    let place = messages
        .iter()
        .find(|message| message["type"] == "location");
    assert_eq!(place.expect("the place")["payload"]["latitude"], 1.6);
    // The event names the message that it changed.
    let of_edit = events
        .iter()
        .find(|event| event.kind() == "telegram:edited_message");
    assert_eq!(of_edit.expect("an edit").event["messageId"], edited["id"]);
}

#[tokio::test]
async fn a_group_that_becomes_a_supergroup_stays_one_conversation_in_either_order() {
    for first_told in [GROUP, SUPERGROUP] {
        let (telegram, server) = polling().await;
        telegram.push(in_group(GROUP, 11, &json!({ "text": "before" })));
        telegram.wait_for_text(GROUP, "before").await;
        let to = in_group(GROUP, 12, &json!({ "migrate_to_chat_id": SUPERGROUP }));
        let from = in_group(SUPERGROUP, 1, &json!({ "migrate_from_chat_id": GROUP }));
        let told = if first_told == GROUP {
            [to, from]
        } else {
            [from, to]
        };
        for update in told {
            telegram.push(update);
        }
        // Numbers start again there.
        telegram.push(in_group(SUPERGROUP, 11, &json!({ "text": "after" })));
        telegram.wait_for_text(SUPERGROUP, "after").await;

        let api = server.integration();
        let chat = conversation(&api, &SUPERGROUP.to_string()).await;
        assert_eq!(chat["tags"]["chatId"], SUPERGROUP.to_string());
        assert_eq!(chat["tags"]["chatType"], "supergroup");
        let messages = settled(&api, &chat, 4).await;
        assert_eq!(texts(&messages), ["before", "before", "after", "after"]);
        let all = api.list("/v1/chat/conversations", "conversations").await;
        assert_eq!(all.len(), 1);
    }
}

#[tokio::test]
async fn tg_fail_002_a_send_finds_out_and_goes_out_once_to_the_supergroup() {
    // Nobody told of it, and the supergroup may have opened a conversation of its own already.
    for was_opened in [false, true] {
        let (telegram, bot, server) = listening().await;
        let case = case("tg-fail-002");
        let answer = &case["input"]["answers"][0];
        telegram
            .on("sendMessage")
            .in_chat(GROUP)
            .always()
            .answer(400, &answer["body"]);
        let group = server.integration().conversation(&GROUP.to_string()).await;
        if was_opened {
            telegram.push(in_group(SUPERGROUP, 2, &json!({ "text": "opened" })));
            bot.wait_for_text("opened").await;
        }
        let api = server.bot();
        let me = json!({ "id": api.bot_id });
        let one = api.say(&group, &me, "one").await;
        let two = api.say(&group, &me, "two").await;
        for message in [&one, &two] {
            delivery(&server, message, "sent").await;
        }
        assert_eq!(telegram.texts(SUPERGROUP), ["one", "two"]);
        assert!(telegram.texts(GROUP).is_empty());

        telegram.push(in_group(SUPERGROUP, 3, &json!({ "text": "hi" })));
        bot.wait_for_text("hi").await;
        let found = conversation(&server.integration(), &SUPERGROUP.to_string()).await;
        assert_eq!(found["id"], group["id"]);
        let all = api.list("/v1/chat/conversations", "conversations").await;
        assert_eq!(all.len(), 1);
        wait::until("all is there", || async {
            let messages = api.messages(&group).await;
            (messages.len() == if was_opened { 4 } else { 3 }).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn an_edit_or_a_deletion_that_finds_out_fails_and_what_comes_after_it_goes_to_the_supergroup()
{
    let words = "Bad Request: group chat was upgraded to a supergroup chat";
    for method in ["editMessageText", "deleteMessage"] {
        let (telegram, _bot, mut server) = listening().await;
        server.expect_dead_deliveries();
        let group = server.integration().conversation(&GROUP.to_string()).await;
        let api = server.bot();
        let me = json!({ "id": api.bot_id });
        let one = api.say(&group, &me, "one").await;
        delivery(&server, &one, "sent").await;
        let moved = json!({
            "ok": false, "error_code": 400, "description": words,
            "parameters": { "migrate_to_chat_id": SUPERGROUP },
        });
        telegram
            .on(method)
            .in_chat(GROUP)
            .always()
            .answer(400, &moved);
        let path = format!("/v1/chat/messages/{}", one["id"].as_str().expect("an id"));
        if method == "deleteMessage" {
            assert_eq!(api.delete(&path).await.status, 200);
        } else {
            let body = json!({ "tags": {}, "payload": { "text": "uno" } });
            api.put(&path, &body).await.ok("message");
        }
        let two = api.say(&group, &me, "two").await;
        delivery(&server, &two, "sent").await;
        assert_eq!(telegram.texts(SUPERGROUP), ["two"]);
        assert_eq!(telegram.texts(GROUP), ["one"]);
        assert_eq!(telegram.calls(method).len(), 1, "asked once");
        let listed = server
            .command(&["deliveries", "list", "--json"])
            .await
            .json();
        let listed = listed["deliveries"].to_string();
        assert!(listed.contains(words), "{listed}");
        assert!(
            listed.contains(&format!("goes on in chat {SUPERGROUP}")),
            "{listed}"
        );
        let found = conversation(&server.integration(), &SUPERGROUP.to_string()).await;
        assert_eq!(found["id"], group["id"]);
    }
}
