use std::time::Duration;

use switchboard_integration::Outbound;

use super::super::super::fixture::Reply;
use super::super::note::Note;
use super::super::tests::Desk;
use super::*;

/// A desk where a message was sent, with its parts.
async fn sent(message: &Outgoing, mut desk: Desk) -> Desk {
    let outcome = desk.send(message).await;
    assert!(matches!(outcome, SendOutcome::Done(_)), "{outcome:?}");
    desk.keep_sent();
    desk
}

async fn edited(desk: &Desk, message: &Outgoing) -> SendOutcome {
    let account = desk.account();
    let lease = Lease::new(Duration::from_mins(1));
    account.edit(message, desk.parts(), lease).await
}

async fn deleted(desk: &Desk, message: &Outgoing) -> SendOutcome {
    let account = desk.account();
    let lease = Lease::new(Duration::from_mins(1));
    let deletion = Deletion {
        message: message.message.id,
        conversation: message.conversation.clone(),
        attempt: 1,
    };
    account.delete(&deletion, desk.parts(), lease).await
}

fn note(kind: &str, content: Option<&str>) -> Note {
    Note {
        bot: "1".to_owned(),
        chat: Some(501),
        business: None,
        kind: kind.to_owned(),
        content: content.map(str::to_owned),
        shows: None,
        changes: Changes::default(),
        gone: false,
    }
}

fn call(method: &'static str, parameters: &Value) -> Call {
    let Value::Object(parameters) = parameters.clone() else {
        panic!("an object")
    };
    Call {
        method,
        parameters,
        plain: None,
        instead: None,
    }
}

#[test]
fn only_what_telegram_can_change_is_changed() {
    let text = call("sendMessage", &json!({ "text": "x" }));
    let photo = call(
        "sendPhoto",
        &json!({ "photo": "https://f/a", "caption": "c" }),
    );
    let voice = call("sendVoice", &json!({ "voice": "https://f/v" }));
    let method = |there: &Note, call: &Call| match change(there, call) {
        Ok(Change::Call(method, _)) => Ok(method),
        Ok(Change::None) => Ok(""),
        Err(reason) => Err(reason),
    };
    let same = |call: &Call| note::content(call);
    assert_eq!(method(&note("message", None), &text), Ok("editMessageText"));
    assert_eq!(
        method(&note("message", None), &photo),
        Ok("editMessageMedia")
    );
    assert_eq!(
        method(&note("video", Some("other")), &photo),
        Ok("editMessageMedia")
    );
    assert_eq!(method(&note("photo", None), &photo), Ok("editMessageMedia"));
    let same_photo = note("photo", same(&photo).as_deref());
    assert_eq!(method(&same_photo, &photo), Ok("editMessageCaption"));
    let same_voice = note("voice", same(&voice).as_deref());
    assert_eq!(method(&same_voice, &voice), Ok("editMessageCaption"));
    let place = call(
        "sendLocation",
        &json!({ "latitude": 1.5, "longitude": 2.5 }),
    );
    assert_eq!(
        method(&note("location", same(&place).as_deref()), &place),
        Ok("")
    );
    for (was, is) in [
        (note("photo", None), &text),
        (note("message", None), &voice),
        (note("voice", Some("other")), &voice),
        (note("location", Some("other")), &place),
        (note("location", None), &photo),
    ] {
        let reason = method(&was, is).unwrap_err();
        assert!(reason.contains("Telegram cannot make"), "{reason}");
    }
}

#[test]
fn a_file_in_the_place_of_another_keeps_caption_and_buttons() {
    let photo = call(
        "sendPhoto",
        &json!({ "photo": "https://f/a", "caption": "<b>c</b>", "parse_mode": "HTML", "reply_markup": {} }),
    );
    let Ok(Change::Call(_, parameters)) = change(&note("message", None), &photo) else {
        panic!("a call")
    };
    let expected = json!({
        "media": { "type": "photo", "media": "https://f/a", "caption": "<b>c</b>", "parse_mode": "HTML" },
        "reply_markup": {},
    });
    assert_eq!(Value::from(parameters), expected);
}

#[tokio::test]
async fn a_business_chats_message_is_changed_and_deleted_through_its_connection() {
    let desk = Desk::new().await;
    let place = [("id", "business:abc/501")];
    let message = desk.outgoing(&place, "text", &json!({ "text": "one" }));
    let desk = sent(&message, desk).await;
    let changed = desk.outgoing(&place, "text", &json!({ "text": "two" }));
    assert!(matches!(
        edited(&desk, &changed).await,
        SendOutcome::Done(_)
    ));
    let call = &desk.calls("editMessageText")[0];
    assert_eq!(call["business_connection_id"], "abc");
    assert_eq!(
        (&call["chat_id"], &call["message_id"]),
        (&json!(501), &json!(1))
    );
    assert!(matches!(
        deleted(&desk, &message).await,
        SendOutcome::Done(_)
    ));
    let expected = json!({ "business_connection_id": "abc", "message_ids": [1] });
    assert_eq!(desk.calls("deleteBusinessMessages"), [expected]);
}

#[tokio::test]
async fn what_another_bot_or_an_older_version_sent_is_not_touched() {
    for (detail, expected) in [
        (Value::Null, "did not keep where"),
        (
            json!({ "bot": "1", "chat": 501, "kind": "message" }),
            "sent by the bot 1",
        ),
    ] {
        let mut desk = Desk::new().await;
        desk.keep(vec![SentPart {
            detail,
            ..SentPart::new(0, "70")
        }]);
        let message = desk.text("changed");
        for outcome in [
            edited(&desk, &message).await,
            deleted(&desk, &message).await,
        ] {
            let SendOutcome::Permanent { error } = outcome else {
                panic!("{outcome:?}")
            };
            assert!(error.contains(expected), "{error}");
        }
        assert!(desk.methods().is_empty());
    }
}

#[tokio::test]
async fn formatting_that_is_refused_is_left_out_and_said() {
    let desk = Desk::new().await;
    let message = desk.outgoing(&[("id", "501")], "markdown", &json!({ "markdown": "one" }));
    let desk = sent(&message, desk).await;
    let words = "Bad Request: can't parse entities: what is this";
    desk.script("editMessageText", Reply::refused(400, words));
    let bold = desk.outgoing(
        &[("id", "501")],
        "markdown",
        &json!({ "markdown": "**two**" }),
    );
    let SendOutcome::Done(tags) = edited(&desk, &bold).await else {
        panic!("not done")
    };
    assert_eq!(tags.get("formatting"), Some("refused"));
    let calls = desk.calls("editMessageText");
    assert_eq!(
        (&calls[0]["text"], &calls[1]["text"]),
        (&json!("<b>two</b>"), &json!("two"))
    );
    assert!(calls[1]["parse_mode"].is_null());
}

#[tokio::test]
async fn a_file_that_may_have_been_replaced_is_not_taken_for_the_old_one() {
    let desk = Desk::new().await;
    let image = |desk: &Desk, name: &str| {
        let url = format!("https://files.example/{name}.png");
        desk.outgoing(&[("id", "501")], "image", &json!({ "imageUrl": url }))
    };
    let first = image(&desk, "a");
    let mut desk = sent(&first, desk).await;
    desk.script("editMessageMedia", Reply::Text(502, "<html>"));
    let second = image(&desk, "b");
    assert!(matches!(
        edited(&desk, &second).await,
        SendOutcome::Retry { .. }
    ));
    desk.keep_sent();
    // Back to the first: which of the two is shown nobody knows.
    assert!(matches!(edited(&desk, &first).await, SendOutcome::Done(_)));
    assert_eq!(desk.calls("editMessageMedia").len(), 2);
    desk.keep_sent();
    assert!(matches!(edited(&desk, &first).await, SendOutcome::Done(_)));
    assert_eq!(desk.calls("editMessageCaption").len(), 1);
}

#[tokio::test]
async fn a_part_that_cannot_be_deleted_does_not_save_the_others() {
    let desk = Desk::new().await;
    let long = desk.text(&"x".repeat(9000));
    let mut desk = sent(&long, desk).await;
    let words = "Bad Request: message can't be deleted";
    desk.script("deleteMessage", Reply::refused(400, words));
    let refused = SendOutcome::Permanent {
        error: words.to_owned(),
    };
    assert_eq!(deleted(&desk, &long).await, refused);
    assert_eq!(desk.calls("deleteMessage").len(), 3);
    // A replay asks for the one that is left.
    desk.keep_sent();
    assert!(matches!(deleted(&desk, &long).await, SendOutcome::Done(_)));
    let numbers: Vec<_> = desk.calls("deleteMessage");
    let numbers: Vec<_> = numbers
        .iter()
        .map(|call| call["message_id"].clone())
        .collect();
    assert_eq!(numbers, [1, 2, 3, 1]);
}

#[tokio::test]
async fn what_may_have_been_done_is_done_again_and_a_broken_account_pauses() {
    let desk = Desk::new().await;
    let message = desk.text("one");
    let desk = sent(&message, desk).await;
    desk.script("editMessageText", Reply::Text(200, "<html>"));
    let changed = desk.text("two");
    assert!(matches!(
        edited(&desk, &changed).await,
        SendOutcome::Retry { .. }
    ));
    desk.script("deleteMessage", Reply::refused(401, "Unauthorized"));
    let outcome = deleted(&desk, &message).await;
    assert!(matches!(outcome, SendOutcome::AccountBroken { .. }));
}

#[tokio::test]
async fn an_edit_of_more_parts_than_turns_goes_on_where_it_stopped() {
    let mut desk = Desk::new().await;
    let group = [("id", "-1002100000001")];
    let text = |letters: &str| {
        let parts = letters.chars().map(|letter| letter.to_string());
        parts.map(|part| part.repeat(4096)).collect::<String>()
    };
    let message = |desk: &Desk, letters: &str| {
        desk.outgoing(&group, "text", &json!({ "text": text(letters) }))
    };
    let first = message(&desk, "abcdefg");
    while matches!(desk.send(&first).await, SendOutcome::Held { .. }) {
        desk.keep_sent();
    }
    desk.keep_sent();

    let second = message(&desk, "tuvwxyz");
    let held = edited(&desk, &second).await;
    assert!(matches!(held, SendOutcome::Held { .. }), "{held:?}");
    desk.keep_sent();
    let done = edited(&desk, &second).await;
    assert!(matches!(done, SendOutcome::Done(_)), "{done:?}");
    desk.keep_sent();
    assert_eq!(desk.calls("editMessageText").len(), 7, "each part once");

    // What is shown already needs no call; what may have been changed does.
    desk.script("editMessageText", Reply::Text(200, "<html>"));
    let third = message(&desk, "tuVwxyz");
    let lost = edited(&desk, &third).await;
    assert!(matches!(lost, SendOutcome::Retry { .. }), "{lost:?}");
    desk.keep_sent();
    let done = edited(&desk, &second).await;
    assert!(matches!(done, SendOutcome::Done(_)), "{done:?}");
    let calls = desk.calls("editMessageText");
    assert_eq!(calls.len(), 9);
    assert!(calls[8]["text"].as_str().unwrap().starts_with('v'));
}

#[tokio::test]
async fn what_became_of_a_part_is_told_by_the_change_that_ends_and_taken_back_by_the_next() {
    let long = |desk: &Desk, first: &str| {
        let markdown = format!("{first} {}", "b".repeat(5000));
        desk.outgoing(
            &[("id", "501")],
            "markdown",
            &json!({ "markdown": markdown }),
        )
    };
    let desk = Desk::new().await;
    let mut desk = sent(&long(&desk, "a"), desk).await;
    let bold = long(&desk, "**a**");
    desk.script(
        "editMessageText",
        Reply::refused(400, "Bad Request: can't parse entities: no"),
    );
    desk.script("editMessageText", Reply::ok(&json!(true)));
    desk.script("editMessageText", Reply::Text(502, ""));
    let outcome = edited(&desk, &bold).await;
    assert!(matches!(outcome, SendOutcome::Retry { .. }), "{outcome:?}");
    desk.keep_sent();
    let SendOutcome::Done(tags) = edited(&desk, &bold).await else {
        panic!("not done")
    };
    assert_eq!(tags.get("formatting"), Some("refused"));
    // The first part twice, the second twice, the third once.
    assert_eq!(desk.calls("editMessageText").len(), 5);
    desk.keep_sent();
    // The next is taken as it is meant.
    let SendOutcome::Done(tags) = edited(&desk, &long(&desk, "*a*")).await else {
        panic!("not done")
    };
    assert_eq!(tags.get("formatting"), Some(""));
}
