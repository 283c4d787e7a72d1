//! The promise: Telegram, plugged in by a token alone. Text in and out wherever a bot can be; what
//! goes wrong is told, mended where it can be, and loses nothing.

mod buttons;
mod changes;
mod files;
mod guests;
mod members;
mod pace;
mod sent;
mod threads;
mod token;
mod trouble;
mod updates;
mod webhook;

use serde_json::{Value, json};

use crate::support::telegram::{FakeTelegram, TOKEN};
use crate::support::{Api, Bot, Server, wait};

/// A server with the echo bot, polling a fake.
async fn polling() -> (FakeTelegram, Server) {
    let telegram = FakeTelegram::start().await;
    let server = Server::builder()
        .telegram(&telegram.url(), TOKEN)
        .start()
        .await;
    (telegram, server)
}

/// A server whose bot hears all and says nothing, polling a fake.
async fn listening() -> (FakeTelegram, Bot, Server) {
    let telegram = FakeTelegram::start().await;
    let bot = Bot::silent().await;
    let server = Server::builder()
        .telegram(&telegram.url(), TOKEN)
        .bot(&bot.url)
        .start()
        .await;
    (telegram, bot, server)
}

/// The conversation of a Telegram thread, once it is there.
async fn conversation(api: &Api, id: &str) -> Value {
    let path = format!("/v1/chat/conversations?tags.id={id}");
    let path = path
        .replace('/', "%2F")
        .replace("%2Fv1%2Fchat%2F", "/v1/chat/");
    wait::until(&format!("thread {id} is a conversation"), || async {
        let mut found = api.list(&path, "conversations").await;
        assert!(found.len() <= 1, "{found:#?}");
        found.pop()
    })
    .await
}

/// The messages of a conversation, once there are so many and all are delivered.
async fn settled(api: &Api, conversation: &Value, count: usize) -> Vec<Value> {
    wait::until(&format!("{count} messages are there and sent"), || async {
        let messages = api.messages(conversation).await;
        let sent = messages.iter().all(|message| {
            message["direction"] == "incoming" || message["delivery"]["status"] == "sent"
        });
        (messages.len() == count && sent).then_some(messages)
    })
    .await
}

/// A bot's message to a chat, through the runtime API.
async fn send(server: &Server, chat: &str, text: &str) -> Value {
    let conversation = server.integration().conversation(chat).await;
    let bot = server.bot();
    bot.say(&conversation, &json!({ "id": bot.bot_id }), text)
        .await
}

/// A message's delivery once it has this status.
async fn delivery(server: &Server, message: &Value, status: &str) -> Value {
    let id = message["id"].as_str().expect("an id");
    let path = format!("/v1/chat/messages/{id}");
    wait::until(&format!("the message is {status}"), || async {
        let delivery = server.bot().get(&path).await.ok("message")["delivery"].clone();
        (delivery["status"] == status).then_some(delivery)
    })
    .await
}

/// What `/healthz` says of the Telegram integration.
async fn health(server: &Server) -> String {
    let body = server.bot().get("/healthz").await.body;
    body["integrations"][&server.ready.integration_id]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}
