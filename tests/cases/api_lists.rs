//! Paging.

use serde_json::{Value, json};

use crate::support::{Bot, Server, http};

#[tokio::test]
async fn paging_neither_skips_nor_repeats_while_rows_come_and_go() {
    // The case "api-003".
    let bot = Bot::silent().await;
    let mut server = Server::builder().bot(&bot.url).start().await;
    server.expect_dead_deliveries(); // The events of messages that are deleted below.
    let api = server.integration();
    let conversation = api.conversation("501").await;
    let other = api.conversation("502").await;
    let user = api.user("501").await;
    let post = async |text: &str| {
        let body = json!({
            "conversationId": conversation["id"], "userId": user["id"], "type": "text",
            "payload": { "text": text }, "tags": { "setup": text },
        });
        api.post("/v1/chat/messages", &body)
            .await
            .created("message")
    };
    let mut setup = Vec::new();
    for n in 0..250 {
        setup.push(post(&format!("m{n}")).await["id"].clone());
    }
    api.say(&other, &user, "elsewhere").await;

    let id = conversation["id"].as_str().expect("an id");
    let filter = format!("/v1/chat/messages?conversationId={id}");
    let (mut seen, mut deleted): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    let mut next: Option<String> = None;
    loop {
        let token = next.as_deref().map_or(String::new(), |token| {
            format!("&nextToken={}", http::percent_encode(token))
        });
        let answer = api.get(&format!("{filter}{token}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let page = answer.body["messages"].as_array().expect("a list");
        assert!(!page.is_empty(), "an empty page before the end");
        seen.extend(page.iter().map(|message| message["id"].clone()));
        match answer.body["meta"].get("nextToken") {
            None => break,
            Some(token) => next = Some(token.as_str().expect("a token").to_owned()),
        }
        post("more").await;
        let last = page.last().expect("a page")["id"].clone();
        let path = format!("/v1/chat/messages/{}", last.as_str().expect("an id"));
        assert_eq!(api.delete(&path).await.status, 200);
        deleted.push(last);
        assert!(deleted.len() < 300, "the list does not end");
    }
    assert!(deleted.len() > 1, "there was one page only");
    let of_setup: Vec<_> = seen.iter().filter(|id| setup.contains(id)).collect();
    let newest_first: Vec<_> = setup.iter().rev().collect();
    // What was deleted had been on its page already, so all of the set-up is seen once, in order.
    assert_eq!(of_setup, newest_first);
}
