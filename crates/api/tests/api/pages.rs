//! Page tokens: each leads on for its caller, in its list and under its filters, and nowhere else.

use serde_json::{Value, json};

use crate::support::{Client, World};

/// The token that leads on from the first item.
async fn token(client: &Client, path: &str) -> String {
    let separator = if path.contains('?') { '&' } else { '?' };
    let page = client
        .get(&format!("{path}{separator}pageSize=1"))
        .await
        .ok();
    let Value::String(token) = &page.body["meta"]["nextToken"] else {
        panic!("{path} has one page only: {}", page.text);
    };
    token.clone()
}

async fn refused(client: &Client, path: &str, token: &str) {
    let separator = if path.contains('?') { '&' } else { '?' };
    let path = format!("{path}{separator}nextToken={token}");
    let answer = client.get(&path).await;
    let message = answer.body["message"].to_string();
    assert!(
        message.contains("query parameter nextToken: expected"),
        "{path}: {message}"
    );
    answer.error(400, "InvalidQuery");
}

/// Gives a bot's integration several of everything, and tells a conversation with two who take part.
async fn fill(integration: &Client) -> String {
    let mut first = None;
    for number in 0..3 {
        let tags = json!({ "id": number.to_string(), "kind": "a" });
        let conversation = integration.conversation(tags.clone()).await;
        let user = integration.user(tags).await;
        let main = first.get_or_insert(conversation).clone();
        let path = format!("/conversations/{main}/participants");
        integration
            .post(&path, json!({ "userId": user }))
            .await
            .ok();
        let message = json!({
            "conversationId": main, "userId": user, "type": "text", "payload": {}, "tags": {},
        });
        integration.post("/messages", message).await.created();
    }
    first.unwrap()
}

#[tokio::test]
async fn a_page_token_is_of_its_caller_list_and_filters() {
    let world = World::new().await;
    let another = world.another_bot().await;
    let (bot, telegram) = (world.bot(), world.telegram());
    let other = world.client(&another, None);
    let others_telegram = world.client(&another, Some(0));
    let conversation = fill(&telegram).await;
    let others_conversation = fill(&others_telegram).await;
    let messages = format!("/messages?conversationId={conversation}");
    let others_messages = format!("/messages?conversationId={others_conversation}");
    for client in [&bot, &other] {
        for key in ["a", "b", "c"] {
            let body = json!({ "name": key, "status": "pending" });
            client.post("/workflows", body).await.created();
        }
    }
    let participants = format!("/conversations/{conversation}/participants");
    let others = format!("/conversations/{others_conversation}/participants");
    for (path, theirs, filtered) in [
        (
            "/conversations",
            "/conversations",
            "/conversations?tags.telegram:kind=a",
        ),
        ("/users", "/users", "/users?tags.telegram:kind=a"),
        ("/messages", "/messages", messages.as_str()),
        (messages.as_str(), others_messages.as_str(), "/messages"),
        ("/events", "/events", "/events?status=pending"),
        ("/workflows", "/workflows", "/workflows?statuses=pending"),
        (participants.as_str(), others.as_str(), "/conversations"),
        (
            "/tags/telegram:id/values?type=user",
            "/tags/telegram:id/values?type=user",
            "/tags/telegram:kind/values?type=user",
        ),
    ] {
        let own = token(&bot, path).await;
        let separator = if path.contains('?') { '&' } else { '?' };
        // In pages of another size too.
        let next = format!("{path}{separator}nextToken={own}&pageSize=5");
        bot.get(&next).await.ok();
        refused(&other, theirs, &own).await;
        refused(&bot, theirs, &token(&other, theirs).await).await;
        refused(&bot, filtered, &own).await;
        // A place among values is any value.
        if !path.starts_with("/tags") {
            refused(&bot, path, &format!("{own}x")).await;
        }
        if path != "/workflows" && !path.starts_with("/tags") {
            refused(&telegram, path, &own).await;
        }
    }
    // The order in which parameters stand means nothing.
    let own = token(&bot, "/users?sortDirection=asc&tags.telegram:kind=a").await;
    let turned = format!("/users?nextToken={own}&tags.telegram:kind=a&sortDirection=asc");
    assert_eq!(
        bot.get(&turned).await.ok().body["users"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}
