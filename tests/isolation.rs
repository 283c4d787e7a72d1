//! The promise: a bot is a tenant. What belongs to another bot does not exist, and an integration
//! sees its own names only.

use serde_json::{Value, json};

use crate::support::{Api, Server, message};

struct Second {
    bot: Api,
    integration: Api,
}

async fn second_bot(server: &Server) -> Second {
    let made = server
        .command(&["bots", "create", "second", "--json"])
        .await
        .json();
    let token = made["token"].as_str().expect("a token");
    let id = made["bot"]["id"].as_str().expect("an id");
    let telegram = made["integrations"]
        .as_array()
        .expect("integrations")
        .iter()
        .find(|integration| integration["alias"] == "telegram")
        .expect("each bot has one");
    let bot = Api::new(&server.ready.url, token, id);
    let integration = bot
        .clone()
        .acting_as(telegram["id"].as_str().expect("an id"), "telegram");
    Second { bot, integration }
}

fn id(object: &Value) -> &str {
    object["id"].as_str().expect("an id")
}

#[tokio::test]
async fn a_token_acts_for_its_own_bot_only() {
    let server = Server::echo().await;
    let second = second_bot(&server).await;
    let first = server.bot();
    assert_eq!(second.bot.get("/v1/chat/users").await.status, 200);
    let crossed = Api::new(&first.url, &second.bot.token, &first.bot_id);
    crossed.get("/v1/chat/users").await.error(403, "Forbidden");
    let crossed = second
        .bot
        .clone()
        .acting_as(&server.ready.integration_id, "telegram");
    crossed.get("/v1/chat/users").await.error(403, "Forbidden");
    first
        .clone()
        .with_token("")
        .get("/v1/chat/users")
        .await
        .error(401, "Unauthorized");
    first
        .clone()
        .with_token("nonsense")
        .get("/v1/chat/users")
        .await
        .error(401, "Unauthorized");
}

#[tokio::test]
async fn what_belongs_to_another_bot_does_not_exist() {
    let mut server = Server::echo().await;
    server.expect_dead_deliveries(); // The echo: there is no Telegram token.
    let second = second_bot(&server).await;
    let one = server.integration();
    let conversation = one.conversation("501").await;
    let user = one.user("501").await;
    let said = one
        .post(
            "/v1/chat/messages",
            &message(&conversation["id"], &user["id"], "secret"),
        )
        .await
        .created("message");
    let state = format!("/v1/chat/states/conversation/{}/notes", id(&conversation));
    server
        .bot()
        .post(&state, &json!({ "payload": { "x": 1 } }))
        .await
        .ok("state");

    // The same external ids are another conversation and another user there.
    let theirs = second.integration.conversation("501").await;
    assert_ne!(theirs["id"], conversation["id"]);
    assert_ne!(second.integration.user("501").await["id"], user["id"]);

    for api in [&second.bot, &second.integration] {
        for path in [
            format!("/v1/chat/conversations/{}", id(&conversation)),
            format!("/v1/chat/conversations/{}/participants", id(&conversation)),
            format!("/v1/chat/users/{}", id(&user)),
            format!("/v1/chat/messages/{}", id(&said)),
            state.clone(),
        ] {
            api.get(&path).await.error(404, "ResourceNotFound");
        }
        let listed = api
            .get(&format!(
                "/v1/chat/messages?conversationId={}",
                id(&conversation)
            ))
            .await;
        let empty = listed.status == 404 || listed.body["messages"] == json!([]);
        assert!(empty, "{}", listed.body);
        api.put(
            &format!("/v1/chat/conversations/{}", id(&conversation)),
            &json!({ "tags": { "x": "y" } }),
        )
        .await
        .error(404, "ResourceNotFound");
        api.delete(&format!("/v1/chat/messages/{}", id(&said)))
            .await
            .error(404, "ResourceNotFound");
        let body = message(&conversation["id"], &user["id"], "intruder");
        api.post("/v1/chat/messages", &body)
            .await
            .error(400, "ReferenceNotFound");
    }
    // Nothing of it has happened.
    let kept = server
        .bot()
        .get(&format!("/v1/chat/messages/{}", id(&said)))
        .await;
    assert_eq!(kept.ok("message")["payload"]["text"], "secret");
}

#[tokio::test]
async fn a_token_of_an_integration_acts_as_nothing_else() {
    let server = Server::echo().await;
    let made = server
        .command(&[
            "tokens",
            "create",
            "narrow",
            "--integration",
            "telegram",
            "--json",
        ])
        .await
        .json();
    let token = made["secret"].as_str().expect("a token");
    let narrow = server.integration().with_token(token);
    assert_eq!(narrow.get("/v1/chat/users").await.status, 200);
    let as_bot = server.bot().with_token(token);
    as_bot.get("/v1/chat/users").await.error(403, "Forbidden");
}

#[tokio::test]
async fn an_integration_sees_neither_the_bot_s_tags_nor_another_s() {
    let server = Server::echo().await;
    let listed = server
        .command(&["integrations", "list", "--json"])
        .await
        .json();
    let terminal = listed["integrations"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|integration| integration["alias"] == "terminal")
        .expect("the terminal")
        .clone();
    let terminal = server.bot().acting_as(id(&terminal), "terminal");
    let telegram = server.integration();
    let conversation = telegram.conversation("501").await;
    let path = format!("/v1/chat/conversations/{}", id(&conversation));
    server
        .bot()
        .put(
            &path,
            &json!({ "tags": { "mood": "good", "terminal:note": "x" } }),
        )
        .await
        .ok("conversation");
    let seen = telegram.get(&path).await.ok("conversation");
    assert_eq!(seen["tags"], json!({ "id": "501" }));
    // The same external id is another conversation for another integration.
    let other = terminal
        .post(
            "/v1/chat/conversations/get-or-create",
            &json!({ "channel": "terminal", "tags": { "id": "501" }, "discriminateByTags": ["id"] }),
        )
        .await
        .ok("conversation");
    assert_ne!(other["id"], conversation["id"]);
}
