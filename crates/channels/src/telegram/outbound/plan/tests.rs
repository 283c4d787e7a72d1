use super::*;
use crate::telegram::fixture::outgoing;
use serde_json::{Value, json};

fn calls(kind: &str, payload: &Value) -> Vec<(&'static str, Value)> {
    let plan = Plan::of(&outgoing(kind, payload)).unwrap();
    let calls = plan.calls.into_iter();
    calls
        .map(|call| (call.method, call.parameters.into()))
        .collect()
}

fn fault(kind: &str, payload: &Value) -> String {
    Plan::of(&outgoing(kind, payload)).unwrap_err().to_string()
}

#[test]
fn each_kind_of_file_has_its_method() {
    for (kind, field, url, method, parameter) in [
        (
            "image",
            "imageUrl",
            "https://ex.test/a.png",
            "sendPhoto",
            "photo",
        ),
        (
            "image",
            "imageUrl",
            "https://ex.test/a.GIF?x=1",
            "sendAnimation",
            "animation",
        ),
        (
            "audio",
            "audioUrl",
            "https://ex.test/a.mp3",
            "sendAudio",
            "audio",
        ),
        (
            "audio",
            "audioUrl",
            "https://ex.test/a.ogg#t",
            "sendVoice",
            "voice",
        ),
        (
            "video",
            "videoUrl",
            "https://ex.test/a.mp4",
            "sendVideo",
            "video",
        ),
        (
            "file",
            "fileUrl",
            "http://ex.test/a",
            "sendDocument",
            "document",
        ),
    ] {
        assert_eq!(
            calls(kind, &json!({ field: url, "title": "t" })),
            [(method, json!({ parameter: url, "caption": "t" }))]
        );
        assert_eq!(
            calls(kind, &json!({ field: url, "title": "" })),
            [(method, json!({ parameter: url }))]
        );
    }
}

#[test]
fn a_place_with_a_name_is_a_venue() {
    let place = json!({ "latitude": 52.5, "longitude": -13.25 });
    assert_eq!(calls("location", &place), [("sendLocation", place.clone())]);
    let mut named = place.clone();
    named["title"] = "Cafe".into();
    let mut venue = named.clone();
    venue["address"] = "Cafe".into();
    assert_eq!(calls("location", &named), [("sendVenue", venue)]);
}

#[test]
fn choices_and_dropdowns_are_buttons_under_their_text() {
    for kind in ["choice", "dropdown"] {
        let payload = json!({
            "text": "Which?",
            "options": [{ "label": "A", "value": "a" }, { "label": "", "value": "b" }],
        });
        let keyboard = json!({ "inline_keyboard": [
            [{ "text": "A", "callback_data": "a" }], [{ "text": "b", "callback_data": "b" }],
        ] });
        let expected = json!({ "text": "Which?", "reply_markup": keyboard });
        assert_eq!(calls(kind, &payload), [("sendMessage", expected)]);
        let none = json!({ "text": "Which?", "options": [] });
        assert_eq!(
            calls(kind, &none),
            [("sendMessage", json!({ "text": "Which?" }))]
        );
    }
}

#[test]
fn the_last_part_of_a_long_text_has_the_buttons() {
    let payload = json!({
        "text": "word ".repeat(1000), "options": [{ "label": "A", "value": "a" }],
    });
    let calls = calls("choice", &payload);
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].1.get("reply_markup"), None);
    assert!(calls[1].1["reply_markup"].is_object());
}

#[test]
fn an_address_that_no_button_may_have_is_written_out() {
    let payload = json!({ "title": "T", "actions": [
        { "action": "url", "label": "Call", "value": "tel:+123" },
        { "action": "url", "label": "Web", "value": "https://ex.test" },
    ] });
    let expected = json!({
        "text": "<b>T</b>\nCall: tel:+123",
        "parse_mode": "HTML",
        "reply_markup": { "inline_keyboard": [[{ "text": "Web", "url": "https://ex.test" }]] },
    });
    assert_eq!(calls("card", &payload), [("sendMessage", expected)]);
}

#[test]
fn a_bloc_shows_its_items_in_order() {
    let payload = json!({ "items": [
        { "type": "text", "payload": { "text": "one" } },
        { "type": "image", "payload": { "imageUrl": "https://ex.test/2.png" } },
        { "type": "markdown", "payload": { "markdown": "*three*" } },
    ] });
    let methods: Vec<_> = calls("bloc", &payload)
        .into_iter()
        .map(|call| call.0)
        .collect();
    assert_eq!(methods, ["sendMessage", "sendPhoto", "sendMessage"]);
}

#[test]
fn what_cannot_be_sent_names_the_field() {
    for (kind, payload, words) in [
        (
            "hologram",
            json!({}),
            "messages of type hologram cannot be sent",
        ),
        ("text", json!({ "text": 5 }), "payload.text: "),
        (
            "image",
            json!({ "imageUrl": "file:///etc/passwd" }),
            "payload.imageUrl: ",
        ),
        (
            "location",
            json!({ "latitude": 91, "longitude": 0 }),
            "payload.latitude: ",
        ),
        ("card", json!({}), "payload.title: "),
        (
            "card",
            json!({ "title": "x", "actions": [{ "action": "dance", "label": "l", "value": "v" }] }),
            "payload.actions[0].action: ",
        ),
        ("carousel", json!({ "items": [] }), "payload.items: "),
        (
            "bloc",
            json!({ "items": [{ "type": "text", "payload": {} }] }),
            "payload.items[0].payload.text: ",
        ),
        (
            "bloc",
            json!({ "items": [{ "type": "bloc", "payload": {} }] }),
            "payload.items[0].type: ",
        ),
        ("choice", json!({ "text": "x" }), "payload.options: "),
        ("text", json!({ "text": " " }), "nothing to send"),
    ] {
        let told = fault(kind, &payload);
        assert!(told.contains(words), "{kind}: {told}");
    }
}
