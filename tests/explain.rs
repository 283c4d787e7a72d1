//! The promise: `explain` says what an update is and would become, and that is what then happens.

use serde_json::{Value, json};

use crate::support::telegram::{FakeTelegram, TOKEN};
use crate::support::{Server, wait};

const GROUP: i64 = -1_002_100_000_001;

fn update(number: i64, more: &Value) -> Value {
    let mut message = json!({
        "message_id": number, "date": 1_790_000_000,
        "chat": { "id": GROUP, "type": "supergroup", "title": "Team \u{1b}[2J", "is_forum": true },
        "from": { "id": 501, "is_bot": false, "first_name": "Ada" }, "text": format!("m{number}"),
    });
    for (name, value) in more.as_object().expect("an object") {
        message[name] = value.clone();
    }
    json!({ "update_id": 9000 + number, "message": message })
}

/// From a file, from standard input and over HTTP: they say the same.
async fn explain(server: &Server, update: &Value) -> Value {
    let file = server.folder().join("update.json");
    std::fs::write(&file, update.to_string()).expect("a file");
    let by_file = server
        .command(&["explain", "telegram", "update.json", "--json"])
        .await
        .json();
    let by_pipe = server
        .command_with_input(
            &["explain", &server.ready.integration_id, "-", "--json"],
            &update.to_string(),
        )
        .await
        .json();
    assert_eq!(by_file, by_pipe);
    let path = "/v1/switchboard/integrations/telegram/explain";
    let answer = server.bot().post(path, update).await;
    assert_eq!((answer.status, &answer.body), (200, &by_file));
    by_file
}

fn reasons(said: &Value) -> String {
    let reasons = said["reasons"].as_array().expect("a list").iter();
    reasons
        .filter_map(Value::as_str)
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test]
async fn what_is_explained_is_what_then_happens() {
    let telegram = FakeTelegram::start().await;
    let server = Server::builder()
        .telegram(&telegram.url(), TOKEN)
        .start()
        .await;
    telegram.set_topics(GROUP, &[42]);
    let api = server.bot();
    let topic = json!({ "message_thread_id": 42, "is_topic_message": true });
    let mut known = Vec::new();
    for (number, more, word) in [
        (1, topic.clone(), "topic:"),
        (2, topic, "topic:"),
        (3, json!({}), "General:"),
    ] {
        let update = update(number, &more);
        let said = explain(&server, &update).await;
        assert!(reasons(&said).contains(word), "{said:#}");
        let before = api.list("/v1/chat/conversations", "conversations").await;
        assert_eq!(before.len(), known.len(), "explaining writes nothing");
        telegram.push(update);
        telegram.wait_for_text(GROUP, &format!("m{number}")).await;
        let after = api.list("/v1/chat/conversations", "conversations").await;
        let new: Vec<_> = after
            .iter()
            .map(|found| found["id"].clone())
            .filter(|id| !known.contains(id))
            .collect();
        assert_eq!(said["created"], !new.is_empty());
        assert_eq!(said["conversation_id"].is_null(), !new.is_empty());
        assert!(said["conversation_id"].is_null() || known.contains(&said["conversation_id"]));
        let chat = after
            .iter()
            .find(|found| found["tags"]["telegram:id"] == said["key"])
            .expect("the conversation has the key that was told");
        assert!(new.contains(&chat["id"]) || said["conversation_id"] == chat["id"]);
        known.extend(new);
    }

    // What was taken is a redelivery; a pretty file is the same message.
    let again = explain(&server, &update(3, &json!({}))).await;
    assert_eq!(again["duplicate"], true);
    assert_eq!(again["created"], false);
    assert!(reasons(&again).contains("redelivery:"), "{again:#}");
    assert!(known.contains(&again["conversation_id"]));

    let shown = server
        .command(&["explain", "telegram", "update.json"])
        .await;
    assert!(shown.ok().contains("redelivery:"), "{}", shown.stdout);
    assert!(
        shown.stdout.contains(&GROUP.to_string()),
        "{}",
        shown.stdout
    );
}

#[tokio::test]
async fn without_a_server_it_says_the_same_and_what_cannot_be_asked_is_refused() {
    let telegram = FakeTelegram::start().await;
    let mut server = Server::builder()
        .telegram(&telegram.url(), TOKEN)
        .start()
        .await;
    telegram.push_text(501, 501, "hello");
    telegram.wait_for_text(501, "hello").await;
    let next = update(
        7,
        &json!({ "chat": { "id": 501, "type": "private", "first_name": "\u{1b}[2J" } }),
    );
    let said = explain(&server, &next).await;
    assert!(said["conversation_id"].is_string() && said["user_id"].is_string());
    server.terminate().await;
    let alone = server
        .command(&["explain", "telegram", "update.json", "--json"])
        .await;
    assert_eq!(alone.json(), said);

    for (arguments, code, words) in [
        (["explain", "nobody", "update.json"], 3, "not found"),
        (["explain", "telegram", "missing.json"], 3, "missing.json"),
        (["explain", "terminal", "update.json"], 1, "takes none"),
    ] {
        let ended = server.command(&arguments).await;
        assert_eq!(ended.code, Some(code), "{ended:#?}");
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
    let odd = server
        .command_with_input(&["explain", "telegram", "-"], "no \u{1b}[2J json")
        .await;
    assert!(odd.ok().contains("telegram:unknown"), "{}", odd.stdout);
    assert!(!odd.stdout.contains('\u{1b}'));
}

#[tokio::test]
async fn a_thread_that_was_reset_begins_a_new_conversation() {
    let telegram = FakeTelegram::start().await;
    let server = Server::builder()
        .telegram(&telegram.url(), TOKEN)
        .start()
        .await;
    telegram.push_text(501, 501, "before");
    telegram.wait_for_text(501, "before").await;
    let api = server.bot();
    let list = async || {
        let path = "/v1/chat/conversations?tags.telegram%3Aid=501";
        api.list(path, "conversations").await
    };
    let old = list().await.remove(0);
    let id = old["id"].as_str().expect("an id");
    let reset = server
        .command(&["conversations", "reset", id, "--json"])
        .await
        .json();
    assert_eq!(reset["id"], id);

    // What the bot still has to say in the old one gets there.
    api.say(&old, &json!({ "id": api.bot_id }), "late answer")
        .await;
    telegram.wait_for_text(501, "late answer").await;
    telegram.push_text(501, 501, "after");
    telegram.wait_for_text(501, "after").await;
    let both = list().await;
    assert_eq!(both.len(), 2);
    let new = both
        .iter()
        .find(|found| found["id"] != id)
        .expect("a new one");
    let shown = server.command(&["conversations", "show", id]).await;
    assert!(shown.ok().contains("before") && !shown.stdout.contains("after"));

    let thread = [
        "conversations",
        "reset",
        "--integration",
        "telegram",
        "--external-id",
        "501",
    ];
    let ended = server.command(&thread).await;
    let new_id = new["id"].as_str().expect("an id");
    assert!(ended.ok().contains(new_id), "{}", ended.stdout);
    let none = server.command(&thread).await;
    assert_eq!(none.code, Some(3), "{none:#?}");
    for arguments in [
        &["conversations", "reset"][..],
        &["conversations", "reset", id, "--integration", "telegram"],
        &["conversations", "reset", "--external-id", "501"],
    ] {
        assert_eq!(
            server.command(arguments).await.code,
            Some(2),
            "{arguments:?}"
        );
    }
    let missing = "conv_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let ended = server.command(&["conversations", "reset", missing]).await;
    assert_eq!(ended.code, Some(3));
    wait::until("nothing waits", || async {
        let listed = server.command(&["deliveries", "list", "--status", "pending", "--json"]);
        listed.await.json()["deliveries"]
            .as_array()?
            .is_empty()
            .then_some(())
    })
    .await;
}
