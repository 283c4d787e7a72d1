//! Cases of the API about identity, repetition and what is kept as sent.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

use super::case;
use crate::support::{Api, Bot, Server, http, message, texts, wait};

fn path_of(resource: &str, object: &Value) -> String {
    format!(
        "/v1/chat/{resource}/{}",
        object["id"].as_str().expect("an id")
    )
}

/// Makes the calls of a case, all at once, each as often as it says.
async fn at_once(api: &Api, calls: &Value, path: Option<&str>) -> Vec<crate::support::api::Answer> {
    let mut tasks = JoinSet::new();
    for call in calls.as_array().expect("calls") {
        let path = path.or(call["path"].as_str()).expect("a path").to_owned();
        for _ in 0..call["times"].as_u64().unwrap_or(1) {
            let (api, path, body) = (api.clone(), path.clone(), call["body"].clone());
            let method = call["method"].clone();
            tasks.spawn(async move {
                match method.as_str() {
                    Some("PUT") => api.put(&path, &body).await,
                    _ => api.post(&path, &body).await,
                }
            });
        }
    }
    tasks.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_get_or_create_with_different_bodies_is_one_identity() {
    let case = case("api-001");
    let server = Server::echo().await;
    let api = server.integration();
    let answers = at_once(&api, &case["input"]["concurrent"], None).await;
    assert_eq!(answers.len(), 48);
    let ids: BTreeSet<_> = answers
        .iter()
        .map(|answer| answer.ok("conversation")["id"].to_string())
        .collect();
    assert_eq!(ids.len(), 1);
    let created = answers
        .iter()
        .filter(|answer| answer.body["meta"]["created"] == true);
    assert_eq!(created.count(), 1);
    let all = api.list("/v1/chat/conversations", "conversations").await;
    assert_eq!(all.len(), 1, "an orphan is left");
    assert_eq!(all[0]["tags"]["id"], "-4100200");
}

#[tokio::test]
async fn tags_with_odd_characters_come_back_and_filter_exactly() {
    let case = case("api-002");
    let server = Server::echo().await;
    let api = server.integration();
    let (mut created, mut made) = (BTreeSet::new(), Vec::new());
    for call in case["input"]["calls"].as_array().expect("calls") {
        let Some(path) = call["path"].as_str() else {
            continue;
        };
        let id = call["body"]["tags"]["id"].as_str().expect("an id");
        let answer = api.post(path, &call["body"]).await;
        if id.chars().count() > 500 {
            answer.error(400, "InvalidPayload");
            continue;
        }
        let conversation = answer.created("conversation");
        assert_eq!(conversation["tags"]["id"], id, "byte for byte");
        created.insert(conversation["id"].to_string());
        made.push((id.to_owned(), conversation));
    }
    assert_eq!(created.len(), 18 + 1);
    for (id, conversation) in made {
        let path = format!(
            "/v1/chat/conversations?tags.id={}",
            http::percent_encode(&id)
        );
        let found = api.list(&path, "conversations").await;
        assert_eq!(found, [conversation], "{id:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_post_after_a_lost_answer_adds_nothing() {
    // The case "api-004".
    let bot = Bot::silent().await;
    let mut server = Server::builder().bot(&bot.url).start().await;
    server.expect_dead_deliveries(); // What the bots post: there is no Telegram token.
    let api = server.integration();
    let conversation = api.conversation("501").await;
    let user = api.user("501").await;

    // Sixteen at once, eight of which hang up before the answer.
    let mut body = message(&conversation["id"], &user["id"], "hi");
    body["tags"] = json!({ "id": "71" });
    body["discriminateByTags"] = json!(["id"]);
    let path = "/v1/chat/messages/get-or-create";
    let mut tasks = JoinSet::new();
    for n in 0..16 {
        let (api, body) = (api.clone(), body.clone());
        tasks.spawn(async move {
            if n % 2 == 0 {
                post_and_hang_up(&api, path, &body).await;
                None
            } else {
                Some(api.post(path, &body).await.ok("message")["id"].to_string())
            }
        });
    }
    let ids: BTreeSet<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(ids.len(), 1);

    // The bot posts one body under one key, then another body under the same key.
    let own = server.bot();
    let out = message(&conversation["id"], &json!(own.bot_id), "out");
    let answers = keyed(&own, &out, 8).await;
    let ids: BTreeSet<_> = answers
        .iter()
        .map(|answer| answer.created("message")["id"].to_string())
        .collect();
    assert_eq!(ids.len(), 1);
    let other = message(&conversation["id"], &json!(own.bot_id), "other");
    let refused = &keyed(&own, &other, 1).await[0];
    assert!([400, 409, 422].contains(&refused.status), "{refused:?}");

    // A key belongs to its bot.
    let made = server
        .command(&["bots", "create", "second", "--json"])
        .await
        .json();
    let telegram = &made["integrations"].as_array().expect("a list")[0];
    let second = Api::new(
        &server.ready.url,
        made["token"].as_str().expect("a token"),
        made["bot"]["id"].as_str().expect("an id"),
    );
    let alias = telegram["alias"].as_str().expect("an alias");
    let theirs = second
        .clone()
        .acting_as(telegram["id"].as_str().expect("an id"), alias)
        .conversation("501")
        .await;
    let out_there = message(&theirs["id"], &json!(second.bot_id), "out");
    keyed(&second, &out_there, 1).await[0].created("message");

    let expected = ["hi", "out"];
    wait::until("all is stored", || async {
        let messages = api.messages(&conversation).await;
        (messages.len() == 2).then(|| assert_eq!(texts(&messages), expected))
    })
    .await;
    server.restart().await;
    let again = keyed(&server.bot(), &out, 1).await;
    assert_eq!(
        again[0].created("message")["id"].to_string(),
        *ids.first().unwrap()
    );
    let messages = server.bot().messages(&conversation).await;
    assert_eq!(texts(&messages), expected);
    assert_eq!(bot.texts(), ["hi"]);
}

/// Posts a message under the key `k1`, so often at once.
async fn keyed(api: &Api, body: &Value, times: usize) -> Vec<crate::support::api::Answer> {
    let mut tasks = JoinSet::new();
    for _ in 0..times {
        let (api, body) = (api.clone(), body.clone());
        tasks.spawn(async move {
            api.post_with("/v1/chat/messages", &body, &[("idempotency-key", "k1")])
                .await
        });
    }
    tasks.join_all().await
}

/// Writes a whole request and goes away without reading the answer.
async fn post_and_hang_up(api: &Api, path: &str, body: &Value) {
    let body = body.to_string();
    let (integration, alias) = api.integration.clone().expect("an integration");
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
         x-bot-id: {}\r\nx-integration-id: {integration}\r\nx-integration-alias: {alias}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        api.token,
        api.bot_id,
        body.len()
    );
    let address = api.url.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address)
        .await
        .expect("a connection");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it is written");
}

#[tokio::test]
async fn numbers_beyond_two_to_the_53_are_kept_in_the_store_and_in_the_event() {
    let case = case("api-007");
    let bot = Bot::silent().await;
    let server = Server::builder().bot(&bot.url).start().await;
    let api = server.integration();
    let conversation = api.conversation("501").await;
    let user = api.user("501").await;
    let call = &case["input"]["calls"][0]["body"];
    let payload = call["payload"]["raw_json"].as_str().expect("JSON text");
    // As text: this test's own JSON library would round.
    let body = format!(
        r#"{{"conversationId":{},"userId":{},"type":"custom","payload":{payload},"tags":{}}}"#,
        conversation["id"], user["id"], call["tags"]
    );
    let stored = api.post_text("/v1/chat/messages", &body).await;
    assert_eq!(stored.0, 201, "{}", stored.1);
    assert!(stored.1.contains(payload), "{}", stored.1);
    let events = server.bot().get_text("/v1/chat/events").await;
    assert!(events.contains(payload), "{events}");
    let id: Value = serde_json::from_str(&stored.1).expect("JSON");
    let read = server
        .bot()
        .get_text(&path_of("messages", &id["message"]))
        .await;
    assert!(read.contains(payload), "{read}");
    let received = wait::until("the bot was told", || async { bot.raw().pop() }).await;
    assert!(received.contains(payload), "{received}");
    assert!(
        received.contains(r#""telegram:id":"-1003999999999""#),
        "{received}"
    );
}

#[tokio::test]
async fn after_a_deletion_the_same_thread_is_a_new_conversation_without_memory() {
    // The case "api-008".
    let mut server = Server::echo().await;
    server.expect_dead_deliveries(); // The echo: there is no Telegram token.
    let api = server.integration();
    let body =
        json!({ "channel": "channel", "tags": { "id": "501" }, "discriminateByTags": ["id"] });
    let get_or_create = "/v1/chat/conversations/get-or-create";
    let first = api.post(get_or_create, &body).await;
    assert_eq!(first.body["meta"]["created"], true);
    let one = first.ok("conversation");
    let state = |object: &Value| {
        format!(
            "/v1/chat/states/conversation/{}/s",
            object["id"].as_str().expect("an id")
        )
    };
    api.post(&state(&one), &json!({ "payload": { "x": 1 } }))
        .await
        .ok("state");
    let user = api.user("501").await;
    api.say(&one, &user, "before").await;
    assert_eq!(
        api.delete(&path_of("conversations", &one)).await.status,
        200
    );
    api.get(&path_of("conversations", &one))
        .await
        .error(404, "ResourceNotFound");

    let second = api.post(get_or_create, &body).await;
    assert_eq!(second.body["meta"]["created"], true);
    let two = second.ok("conversation");
    assert_ne!(two["id"], one["id"]);
    assert_eq!(api.messages(&two).await, Vec::<Value>::new());
    let missing = api.get(&state(&two)).await;
    missing.error(404, "ResourceNotFound");
    assert!(missing.body["message"].to_string().contains("not found"));
    api.delete(&path_of("conversations", &one))
        .await
        .error(404, "ResourceNotFound");
    assert_eq!(api.conversation("501").await["id"], two["id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tag_updates_at_once_all_survive() {
    let case = case("api-010");
    let server = Server::echo().await;
    let api = server.integration();
    let setup = json!({ "channel": "channel", "tags": case["input"]["setup_tags"] });
    let conversation = api
        .post("/v1/chat/conversations", &setup)
        .await
        .created("conversation");
    let path = path_of("conversations", &conversation);
    for answer in at_once(&api, &case["input"]["concurrent"], Some(&path)).await {
        answer.ok("conversation");
    }
    let after = api.get(&path).await.ok("conversation");
    assert_eq!(after["tags"], case["expect"]["tags_after"]);
}

#[tokio::test]
async fn a_conversation_is_found_by_a_part_of_its_tags_however_it_was_made() {
    let case = case("api-012");
    let server = Server::echo().await;
    let api = server.integration();
    let mut names: Vec<(String, Value)> = Vec::new();
    let calls = case["input"]["calls"].as_array().expect("calls");
    for (index, call) in calls.iter().enumerate() {
        let answer = api
            .post(call["path"].as_str().expect("a path"), &call["body"])
            .await;
        let id = answer.body["conversation"]["id"].clone();
        let name = case["expect"]["ids"][index].as_str().expect("a name");
        if let Some((_, expected)) = names.iter().find(|(known, _)| known == name) {
            assert_eq!(&id, expected, "call {index}");
        } else {
            assert!(names.iter().all(|(_, known)| *known != id), "call {index}");
            names.push((name.to_owned(), id));
        }
        let created = &case["expect"]["created"][index];
        if !created.is_null() {
            assert_eq!(&answer.body["meta"]["created"], created, "call {index}");
        }
    }
}
