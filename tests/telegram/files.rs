//! Files that people send: a message with an address, behind which the file is.

use serde_json::{Value, json};

use super::listening;
use crate::support::telegram::{FakeTelegram, TOKEN};
use crate::support::{Server, http};

async fn said(kind: &str, content: &Value) -> (FakeTelegram, Server, Value) {
    let (telegram, bot, server) = listening().await;
    telegram.push(json!({ "message": {
        "message_id": 7, "date": 1_790_000_000, "chat": { "id": 501, "type": "private" },
        "from": { "id": 501, "is_bot": false, "first_name": "Ada" },
        "caption": "look", kind: content, "media_group_id": "album",
    } }));
    let event = &bot.wait_for(1).await[0];
    let message = event.event["payload"]["message"].clone();
    (telegram, server, message)
}

#[tokio::test]
async fn a_photo_is_a_message_with_an_address_that_gives_the_photo_and_no_secret() {
    let photo = json!([{ "file_id": "AgAC-1", "width": 9, "height": 9 }]);
    let (_telegram, mut server, message) = said("photo", &photo).await;
    assert_eq!(message["type"], "image");
    assert_eq!(message["payload"]["caption"], "look");
    assert_eq!(message["tags"]["telegram:mediaGroupId"], "album");
    let address = message["payload"]["imageUrl"].as_str().expect("an address");
    assert!(!address.contains(TOKEN.split(':').nth(1).expect("a secret")));

    let file = http::client().get(address).send().await.expect("an answer");
    assert_eq!(file.status(), 200);
    assert_eq!(file.headers()["content-type"], "image/jpeg");
    assert_eq!(file.headers()["x-content-type-options"], "nosniff");
    assert_eq!(
        file.text().await.expect("a body"),
        "the file photos/AgAC-1.jpg"
    );

    // The server's next start may listen elsewhere; the path stays.
    let path = address.split_once("/files/").expect("a path").1.to_owned();
    server.restart().await;
    let again = format!("{}/files/{path}", server.ready.url);
    let file = http::client().get(again).send().await.expect("an answer");
    assert_eq!(file.status(), 200);

    for wrong in [
        path.replace("AgAC-1", "AgAC-2"),
        path.replace("int_0", "int_1"),
        "x".to_owned(),
    ] {
        let url = format!("{}/files/{wrong}", server.ready.url);
        let file = http::client().get(url).send().await.expect("an answer");
        assert_eq!(file.status(), 404, "{wrong}");
    }
}

#[tokio::test]
async fn a_file_that_telegram_does_not_give_out_is_a_message_all_the_same() {
    let document = json!({ "file_id": "big", "file_name": "big.zip", "file_size": 314_572_800 });
    let (_telegram, _server, message) = said("document", &document).await;
    assert_eq!(message["type"], "file");
    assert_eq!(message["payload"]["fileName"], "big.zip");
    assert_eq!(message["payload"]["fileSize"], 314_572_800);
    let address = message["payload"]["fileUrl"].as_str().expect("an address");
    let file = http::client().get(address).send().await.expect("an answer");
    assert_eq!(file.status(), 413);
    let error: Value = file.json().await.expect("an error");
    assert_eq!(error["type"], "PayloadTooLarge");
}
