//! Choices: shown as buttons, and what a press says reaches the bot as something said.

use serde_json::{Value, json};

use super::listening;
use crate::support::Server;
use crate::support::telegram::FakeTelegram;

async fn choose(server: &Server, options: &Value) -> Value {
    let conversation = server.integration().conversation("501").await;
    let bot = server.bot();
    let message = json!({
        "conversationId": conversation["id"], "userId": bot.bot_id, "tags": {},
        "type": "choice", "payload": { "text": "Which?", "options": options },
    });
    bot.post("/v1/chat/messages", &message)
        .await
        .created("message")
}

fn press(telegram: &FakeTelegram, query: &str, message: i64, data: &Value) {
    telegram.push(json!({ "callback_query": {
        "id": query, "chat_instance": "1", "data": data,
        "from": { "id": 501, "is_bot": false, "first_name": "Ada" },
        "message": {
            "message_id": message, "date": 1_790_000_000, "chat": { "id": 501, "type": "private" },
        },
    } }));
}

#[tokio::test]
async fn a_press_says_the_buttons_value_once_is_answered_and_survives_a_restart() {
    let (telegram, bot, mut server) = listening().await;
    let long = "v".repeat(300);
    let options = json!([
        { "label": "Short", "value": "short" }, { "label": "Long", "value": long },
    ]);
    choose(&server, &options).await;
    let shown = &telegram.wait_for_sent(1).await[0];
    let keyboard = &telegram.calls("sendMessage")[0].body["reply_markup"]["inline_keyboard"];
    assert_eq!(keyboard[0][0]["callback_data"], "short");
    let stand_in = keyboard[1][0]["callback_data"].clone();
    assert!(stand_in.as_str().is_some_and(|data| data.len() <= 64));

    server.restart().await;
    press(&telegram, "q1", shown.message_id, &stand_in);
    let event = bot.wait_for_text(&long).await;
    assert_eq!(event.kind(), "message_created");
    let answered = telegram.wait_for_calls("answerCallbackQuery", 1).await;
    assert_eq!(answered[0].body["callback_query_id"], "q1");

    // The same press again, in another update, is the same; another press of the button is not.
    press(&telegram, "q1", shown.message_id, &stand_in);
    press(&telegram, "q2", shown.message_id, &"short".into());
    bot.wait_for_text("short").await;
    assert_eq!(bot.texts(), [long, "short".to_owned()]);
}

#[tokio::test]
async fn a_long_list_is_turned_page_by_page_and_the_bot_does_not_notice() {
    let (telegram, bot, server) = listening().await;
    let options: Value = (0..30)
        .map(|n| json!({ "label": format!("Nr {n}"), "value": format!("n{n}") }))
        .collect();
    choose(&server, &options).await;
    let shown = &telegram.wait_for_sent(1).await[0];
    let keyboard = &telegram.calls("sendMessage")[0].body["reply_markup"]["inline_keyboard"];
    let next = keyboard[8][2]["callback_data"].clone();
    press(&telegram, "q1", shown.message_id, &next);
    let turned = telegram.wait_for_calls("editMessageReplyMarkup", 1).await;
    assert_eq!(turned[0].body["chat_id"], 501);
    assert_eq!(turned[0].body["message_id"], shown.message_id);
    let page = &turned[0].body["reply_markup"]["inline_keyboard"];
    assert_eq!(page[0][0], json!({ "text": "Nr 8", "callback_data": "n8" }));

    // Somebody else's message cannot be turned into view.
    let forged = next.as_str().expect("data").replace("msg_0", "msg_1");
    press(&telegram, "q2", shown.message_id, &forged.into());
    press(&telegram, "q3", shown.message_id, &"n8".into());
    bot.wait_for_text("n8").await;
    telegram.wait_for_calls("answerCallbackQuery", 3).await;
    assert_eq!(telegram.calls("editMessageReplyMarkup").len(), 1);
    assert_eq!(bot.texts(), ["n8"]);
}
