//! What goes out in another form than it was meant, because Telegram refuses that.

use super::*;

#[tokio::test]
async fn tg_fail_008_what_cannot_be_parsed_goes_out_once_more_without_formatting() {
    let place = [("id", "-1002100000001/42")];
    let case = case("tg-fail-008");
    let answer = &case["input"]["answers"][0];
    let card = &case["input"]["send"][0];
    let desk = Desk::new().await;
    let message = desk.outgoing(&place, card["type"].as_str().unwrap(), &card["payload"]);
    desk.api
        .script("sendMessage", Reply::Json(400, answer["body"].clone()));
    let SendOutcome::Done(tags) = desk.send(&message).await else {
        panic!("not sent")
    };
    assert_eq!(tags.get("formatting"), Some("refused"));
    let sent = desk.sent();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0]["text"], "<b>*odd_</b>");
    assert_eq!(sent[1]["text"], "*odd_");
    assert_eq!(sent[1].get("parse_mode"), None);
    assert_eq!(sent[1]["message_thread_id"], 42);
    assert_eq!(sent[1]["reply_markup"], sent[0]["reply_markup"]);

    // It fails then; and what was plain from the start is not sent again.
    let words = answer["body"]["description"].as_str().unwrap();
    for _ in 0..2 {
        desk.api
            .script("sendMessage", Reply::Json(400, answer["body"].clone()));
    }
    assert_eq!(desk.send(&message).await, permanent(words));
    assert_eq!(desk.sent().len(), 4);
    desk.api
        .script("sendMessage", Reply::Json(400, answer["body"].clone()));
    assert_eq!(desk.send(&desk.text("x")).await, permanent(words));
    assert_eq!(desk.sent().len(), 5);
}

#[tokio::test]
async fn tg_fail_012_a_file_that_telegram_cannot_get_goes_out_as_its_address() {
    let case = case("tg-fail-012");
    for (at, method, shown) in [
        (0, "sendPhoto", "plan\nhttps://ex.test/p.png"),
        (1, "sendDocument", "p\nhttps://ex.test/p.bin"),
    ] {
        let desk = Desk::new().await;
        let input = &case["input"]["cases"][at];
        let send = &input["send"][0];
        let body = input["answers"][0]["body"].clone();
        desk.api.script(method, Reply::Json(400, body));
        let kind = send["type"].as_str().unwrap();
        let mut message = desk.outgoing(&[("id", "501")], kind, &send["payload"]);
        message.message.tags.insert("replyTo", "5");
        let SendOutcome::Done(tags) = desk.send(&message).await else {
            panic!("not sent")
        };
        assert_eq!(tags.get("file"), Some("sent as a link"));
        assert_eq!(desk.api.calls(method).len(), 1);
        assert_eq!(joined(&desk), shown);
        assert_eq!(desk.sent()[0]["reply_parameters"]["message_id"], 5);
    }
}

#[tokio::test]
async fn a_refusal_that_is_not_about_the_file_is_final() {
    let desk = Desk::new().await;
    let words = "Bad Request: not enough rights to send photos to the chat";
    desk.api.script("sendPhoto", Reply::refused(400, words));
    let payload = json!({ "imageUrl": "https://ex.test/a.png" });
    let message = desk.outgoing(&[("id", "501")], "image", &payload);
    assert_eq!(desk.send(&message).await, permanent(words));
    assert!(desk.sent().is_empty());
}

#[tokio::test]
async fn tg_fail_010_an_answer_survives_the_message_it_answers() {
    let desk = Desk::new().await;
    let mut message = desk.text(&format!("{} b", "a".repeat(4096)));
    message.message.tags.insert("replyTo", "55");
    let gone = case("tg-fail-010")["input"]["answers"][0]["body"].clone();
    desk.api.script("sendMessage", Reply::Json(400, gone));
    assert!(matches!(desk.send(&message).await, SendOutcome::Done(_)));
    let sent = desk.sent();
    assert_eq!(
        sent[0]["reply_parameters"],
        json!({ "message_id": 55, "allow_sending_without_reply": true })
    );
    assert_eq!(sent[1].get("reply_parameters"), None);
    assert_eq!(sent[0]["text"], sent[1]["text"]);
    assert_eq!(
        sent[2].get("reply_parameters"),
        None,
        "only the first part answers"
    );
}

/// One part is in an earlier try already, the other only in the last.
#[tokio::test]
async fn what_became_of_a_part_in_an_earlier_try_is_told_when_a_later_one_ends() {
    let markdown = format!("**a** {}", "b".repeat(5000));
    let caption = format!("c {}", "d".repeat(2000));
    for (kind, payload, method, words, tag) in [
        (
            "markdown",
            json!({ "markdown": markdown }),
            "sendMessage",
            "Bad Request: can't parse entities: no",
            ("formatting", "refused"),
        ),
        (
            "image",
            json!({ "imageUrl": "https://ex.test/a.png", "caption": caption }),
            "sendPhoto",
            "Bad Request: failed to get HTTP URL content",
            ("file", "sent as a link"),
        ),
    ] {
        let mut desk = Desk::new().await;
        let message = desk.outgoing(&[("id", "501")], kind, &payload);
        desk.script(method, Reply::refused(400, words));
        desk.script("sendMessage", Reply::ok(&json!({ "message_id": 70 })));
        desk.script("sendMessage", Reply::Text(502, ""));
        let outcome = desk.send(&message).await;
        assert!(matches!(outcome, SendOutcome::Retry { .. }), "{outcome:?}");
        desk.keep_sent();
        let SendOutcome::Done(tags) = desk.send(&message).await else {
            panic!("not sent")
        };
        assert_eq!(tags.get(tag.0), Some(tag.1));
        assert!(tags.get("ids").unwrap().starts_with("70,"), "{tags:?}");
    }
}

#[tokio::test]
async fn a_file_that_goes_out_as_a_link_after_all_says_only_that() {
    let desk = Desk::new().await;
    let options = json!([{ "action": "postback", "label": "x", "value": "x" }]);
    let card = json!({ "title": "t", "imageUrl": "https://ex.test/a.png", "actions": options });
    let message = desk.outgoing(&[("id", "501")], "card", &card);
    let parse = "Bad Request: can't parse entities: no";
    desk.script("sendPhoto", Reply::refused(400, parse));
    let file = "Bad Request: wrong file identifier/HTTP URL specified";
    desk.script("sendPhoto", Reply::refused(400, file));
    let SendOutcome::Done(tags) = desk.send(&message).await else {
        panic!("not sent")
    };
    // The text in its place was taken with its formatting.
    assert_eq!(desk.sent()[0]["parse_mode"], "HTML");
    assert_eq!(tags.get("formatting"), None);
    assert_eq!(tags.get("file"), Some("sent as a link"));
}
