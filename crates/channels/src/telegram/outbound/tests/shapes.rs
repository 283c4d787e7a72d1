//! What each kind of message becomes, and where it goes.

use super::*;

#[tokio::test]
async fn tg_out_001_and_003_long_texts_arrive_whole_in_order() {
    for (id, count) in [("tg-out-001", 3), ("tg-out-003", 3)] {
        let (desk, texts, outcomes) = send_texts(id, &[("id", "501")]).await;
        assert_eq!(desk.sent().len(), count, "{id}");
        assert_eq!(joined(&desk), texts.concat(), "{id}");
        assert!(
            outcomes
                .iter()
                .all(|outcome| matches!(outcome, SendOutcome::Done(_)))
        );
    }
}

#[tokio::test]
async fn tg_out_002_one_long_word_loses_only_spaces_at_seams() {
    let (desk, texts, outcomes) = send_texts("tg-out-002", &[("id", "501")]).await;
    assert!((3..=4).contains(&desk.sent().len()));
    let letters = |text: &str| text.replace(' ', "");
    assert_eq!(letters(&joined(&desk)), letters(&texts.concat()));
    assert!(matches!(outcomes[0], SendOutcome::Done(_)));
}

#[tokio::test]
async fn tg_out_010_what_shows_nothing_fails_at_once_and_the_rest_goes_on() {
    let (desk, _, outcomes) = send_texts("tg-out-010", &[("id", "501")]).await;
    let (visible, blank) = outcomes.split_last().unwrap();
    for outcome in blank {
        assert_eq!(
            *outcome,
            permanent("nothing to send: the text shows nothing")
        );
    }
    assert!(matches!(visible, SendOutcome::Done(_)));
    assert_eq!(joined(&desk), "visible");
}

#[tokio::test]
async fn tg_out_014_every_part_goes_to_the_topic() {
    let chat = [
        ("id", "-1002100000001/42"),
        ("chatId", "-1002100000001"),
        ("threadId", "42"),
    ];
    let (desk, ..) = send_texts("tg-out-014", &chat).await;
    let sent = desk.sent();
    assert_eq!(sent.len(), 3);
    for call in sent {
        assert_eq!(call["chat_id"], -1_002_100_000_001_i64);
        assert_eq!(call["message_thread_id"], 42);
    }
    let image = &case("tg-out-014")["input"]["messages"][1];
    desk.send(&desk.outgoing(&chat, "image", &image["payload"]))
        .await;
    let photo = &desk.api.calls("sendPhoto")[0];
    assert_eq!(photo["chat_id"], -1_002_100_000_001_i64);
    assert_eq!(photo["message_thread_id"], 42);
}

#[tokio::test]
async fn tg_out_015_reserved_characters_go_out_verbatim_in_one_call() {
    let (desk, texts, _) = send_texts("tg-out-015", &[("id", "501")]).await;
    assert_eq!(desk.sent().len(), 1);
    assert_eq!(joined(&desk), texts[0]);
}

#[tokio::test]
async fn business_and_direct_threads_are_answered_where_they_are() {
    let desk = Desk::new().await;
    for place in ["business:bc-1/501", "-1002200000009/direct/501"] {
        let outgoing = desk.outgoing(&[("id", place)], "text", &json!({ "text": "x" }));
        desk.send(&outgoing).await;
    }
    let sent = desk.sent();
    assert_eq!(sent[0]["business_connection_id"], "bc-1");
    assert_eq!(sent[0]["chat_id"], 501);
    assert_eq!(sent[1]["direct_messages_topic_id"], 501);
    assert_eq!(sent[1].get("message_thread_id"), None);
}

#[tokio::test]
async fn what_cannot_be_sent_says_so_and_calls_nobody() {
    let desk = Desk::new().await;
    let text = json!({ "text": "x" });
    for (place, kind, payload, words) in [
        (
            "501",
            "image",
            json!({ "imageUrl": "a.png" }),
            "payload.imageUrl",
        ),
        ("501", "text", json!({ "txt": "x" }), "payload.text"),
        ("501", "text", json!({ "text": 5 }), "payload.text"),
        ("@news", "text", text.clone(), "tag id is \"@news\""),
        ("1/2/3", "text", text.clone(), "tag id"),
    ] {
        let outcome = desk
            .send(&desk.outgoing(&[("id", place)], kind, &payload))
            .await;
        let SendOutcome::Permanent { error } = outcome else {
            panic!("{outcome:?}")
        };
        assert!(error.contains(words), "{error}");
    }
    assert!(desk.sent().is_empty());
}

#[tokio::test]
async fn a_topic_is_never_answered_in_general() {
    let desk = Desk::new().await;
    let text = json!({ "text": "x" });
    desk.send(&desk.outgoing(&[("id", "-100/42"), ("chatId", "-100")], "text", &text))
        .await;
    assert_eq!(desk.sent()[0]["message_thread_id"], 42);
    let contradicting = [("id", "-100/42"), ("threadId", "1")];
    let outcome = desk
        .send(&desk.outgoing(&contradicting, "text", &text))
        .await;
    assert_eq!(
        outcome,
        permanent(
            "the conversation's tags id is \"-100/42\" and threadId is \"1\": they contradict each \
             other; mend the tags, then send again"
        )
    );
    assert_eq!(desk.sent().len(), 1);
}

#[tokio::test]
async fn markdown_goes_out_as_html() {
    let desk = Desk::new().await;
    let payload = json!({ "markdown": "**bold** `x_1`" });
    desk.send(&desk.outgoing(&[("id", "501")], "markdown", &payload))
        .await;
    assert_eq!(joined(&desk), "<b>bold</b> <code>x_1</code>");
    assert_eq!(desk.sent()[0]["parse_mode"], "HTML");
}

#[tokio::test]
async fn tg_out_011_a_long_caption_goes_on_as_text() {
    let desk = Desk::new().await;
    let case = case("tg-out-011");
    let payload = &case["input"]["messages"][0]["payload"];
    let caption = generated(&payload["caption"]);
    let payload = json!({ "imageUrl": payload["imageUrl"], "caption": caption });
    let outcome = desk
        .send(&desk.outgoing(&[("id", "501")], "image", &payload))
        .await;
    assert!(matches!(outcome, SendOutcome::Done(_)), "{outcome:?}");
    let photos = desk.api.calls("sendPhoto");
    assert_eq!(photos.len(), 1);
    assert_eq!(photos[0]["photo"], "https://ex.test/a.png");
    let shown = photos[0]["caption"].as_str().unwrap();
    assert!(shown.encode_utf16().count() <= 1024);
    assert_eq!(desk.sent().len(), 1);
    assert_eq!(format!("{shown} {}", joined(&desk)), caption);
    assert_eq!(desk.api.methods(), ["sendPhoto", "sendMessage"]);
}

#[tokio::test]
async fn tg_out_012_what_a_button_brings_back_fits_and_is_kept() {
    let desk = Desk::new().await;
    let payload = json!({
        "title": "Книги",
        "actions": case("tg-out-012")["input"]["messages"][0]["payload"]["actions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|action| json!({
                "action": action["action"],
                "label": action["label"],
                "value": generated(&action["value"]),
            }))
            .collect::<Value>(),
    });
    let message = desk.outgoing(&[("id", "501")], "card", &payload);
    assert!(matches!(desk.send(&message).await, SendOutcome::Done(_)));
    let sent = desk.sent();
    assert_eq!(sent.len(), 1);
    let rows = sent[0]["reply_markup"]["inline_keyboard"]
        .as_array()
        .unwrap();
    let data: std::collections::BTreeSet<_> = rows
        .iter()
        .map(|row| row[0]["callback_data"].as_str().unwrap())
        .collect();
    assert_eq!(data.len(), 3);
    assert!(data.iter().all(|data| (1..=64).contains(&data.len())));
    let (engine, integration) = (&desk.bench.engine, &desk.bench.integration);
    let mut kept = Vec::new();
    for data in data {
        kept.extend(buttons::find(engine, integration, data).await.unwrap());
    }
    kept.sort();
    let long = "раздел_книги_страница_раздел_книги_0_все";
    assert_eq!(kept, ["w".repeat(65), long.to_owned()]);
}

#[tokio::test]
async fn tg_out_013_cards_with_and_without_pictures() {
    let desk = Desk::new().await;
    let payload = &case("tg-out-013")["input"]["messages"][0]["payload"];
    let outcome = desk
        .send(&desk.outgoing(&[("id", "501")], "carousel", payload))
        .await;
    assert!(matches!(outcome, SendOutcome::Done(_)), "{outcome:?}");
    assert_eq!(
        desk.api.methods(),
        ["sendPhoto", "sendMessage", "sendMessage"]
    );
    let photo = &desk.api.calls("sendPhoto")[0];
    assert_eq!(photo["caption"], "<b>One</b>");
    assert_eq!(
        photo["reply_markup"],
        json!({ "inline_keyboard": [[{ "text": "Open", "url": "https://ex.test/1" }]] })
    );
    let sent = desk.sent();
    assert_eq!(sent[0]["text"], "<b>Two</b>");
    assert_eq!(sent[0].get("reply_markup"), None);
    assert_eq!(sent[1]["text"], "<b>Three</b>");
    assert_eq!(
        sent[1]["reply_markup"],
        json!({ "inline_keyboard": [[{ "text": "Take", "callback_data": "take three" }]] })
    );
}
