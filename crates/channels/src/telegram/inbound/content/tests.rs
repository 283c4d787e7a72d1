use super::super::super::fixture::{case, links};
use super::*;

fn read(message: &Value) -> Option<(&'static str, Value)> {
    let raw = message.to_string();
    let (kind, payload) = Content::of(&raw)?.said(&links())?;
    Some((kind, payload.read().unwrap()))
}

fn tags(message: &Value) -> Tags {
    let raw = message.to_string();
    let mut tags = Tags::new();
    Content::of(&raw).unwrap().tags(&mut tags);
    tags
}

fn address(file: &str, name: &str) -> String {
    links().address(file, name)
}

#[test]
fn each_kind_of_file_is_the_platforms_type_with_all_that_is_known() {
    let file = |more: &Value| {
        let mut file = json!({ "file_id": "F-1", "file_unique_id": "u", "file_size": 7 });
        for (name, value) in more.as_object().unwrap() {
            file[name] = value.clone();
        }
        file
    };
    for (field, more, kind, expected) in [
        (
            "animation",
            json!({ "duration": 2 }),
            "video",
            json!({ "videoUrl": address("F-1", "video.mp4"), "duration": 2 }),
        ),
        (
            "video_note",
            json!({}),
            "video",
            json!({ "videoUrl": address("F-1", "video.mp4") }),
        ),
        (
            "voice",
            json!({ "mime_type": "audio/ogg" }),
            "audio",
            json!({ "audioUrl": address("F-1", "voice.oga"), "mimeType": "audio/ogg" }),
        ),
        (
            "audio",
            json!({ "title": "Song", "performer": "X" }),
            "audio",
            json!({ "audioUrl": address("F-1", "audio.mp3"), "title": "Song", "performer": "X" }),
        ),
        (
            "sticker",
            json!({ "emoji": "👍" }),
            "image",
            json!({ "imageUrl": address("F-1", "sticker.webp"), "emoji": "👍" }),
        ),
        (
            "sticker",
            json!({ "is_animated": true }),
            "file",
            json!({ "fileUrl": address("F-1", "sticker.tgs") }),
        ),
        (
            "sticker",
            json!({ "is_video": true }),
            "video",
            json!({ "videoUrl": address("F-1", "sticker.webm") }),
        ),
        (
            "document",
            json!({ "file_name": "a b.pdf" }),
            "file",
            json!({ "fileUrl": address("F-1", "a b.pdf"), "title": "a b.pdf", "fileName": "a b.pdf" }),
        ),
    ] {
        let mut expected = expected;
        expected["fileSize"] = 7.into();
        assert_eq!(
            read(&json!({ field: file(&more) })),
            Some((kind, expected)),
            "{field}"
        );
    }
}

#[test]
fn the_largest_photo_with_its_caption() {
    let photo = json!({
        "caption": "see", "media_group_id": "g1",
        "caption_entities": [{ "type": "bold", "offset": 0, "length": 3 }],
        "photo": [
            { "file_id": "s", "width": 90, "height": 90 },
            { "file_id": "l", "file_unique_id": "lu", "width": 1280, "height": 960 },
            { "file_id": "m", "width": 320, "height": 320 },
        ],
    });
    assert_eq!(
        read(&photo),
        Some((
            "image",
            json!({
                "imageUrl": address("l", "photo.jpg"), "title": "see", "caption": "see",
                "width": 1280, "height": 960,
                "captionEntities": [{ "type": "bold", "offset": 0, "length": 3 }],
            })
        ))
    );
    let expected = [
        ("mediaGroupId", "g1"),
        ("fileId", "l"),
        ("fileUniqueId", "lu"),
    ];
    assert_eq!(tags(&photo), Tags::from_iter(expected));
}

#[test]
fn tg_fail_012_a_file_too_big_to_fetch_is_passed_on_with_what_is_known() {
    let update = &case("tg-fail-012")["input"]["cases"][2]["update"];
    let (kind, payload) = read(&update["message"]).unwrap();
    assert_eq!(kind, "file");
    assert_eq!(payload["caption"], "see");
    assert_eq!(payload["fileName"], "big.zip");
    assert_eq!(payload["fileSize"], 314_572_800);
}

#[test]
fn places_and_other_things_that_are_said() {
    let location = json!({ "latitude": 52.5, "longitude": 13.25, "live_period": 60 });
    assert_eq!(
        read(&json!({ "location": location })),
        Some((
            "location",
            json!({ "latitude": 52.5, "longitude": 13.25, "livePeriod": 60 })
        ))
    );
    let venue = json!({
        "location": { "latitude": 1.0, "longitude": 2.0 }, "title": "Cafe", "address": "Street 1",
    });
    assert_eq!(
        read(&json!({ "venue": venue, "location": venue["location"] })),
        Some((
            "location",
            json!({
                "latitude": 1.0, "longitude": 2.0, "title": "Cafe", "address": "Street 1",
            })
        ))
    );
    for (field, content) in [
        (
            "contact",
            json!({ "phone_number": "+1", "first_name": "A" }),
        ),
        ("poll", json!({ "id": "1", "question": "?", "options": [] })),
        ("dice", json!({ "emoji": "🎲", "value": 6 })),
    ] {
        assert_eq!(read(&json!({ field: content })), Some((field, content)));
    }
}

#[test]
fn a_text_keeps_its_entities() {
    let entities = json!([{ "type": "bold", "offset": 0, "length": 2 }]);
    let text = json!({ "text": "hi", "entities": entities });
    assert_eq!(read(&text), Some(("text", text.clone())));
    assert_eq!(
        read(&json!({ "text": "hi", "entities": "none" })),
        Some(("text", json!({ "text": "hi" })))
    );
}

#[test]
fn what_happened_is_nothing_said_and_an_odd_field_costs_nothing() {
    for message in [
        json!({ "new_chat_title": "x" }),
        json!({ "photo": [] }),
        json!({ "photo": 5, "text": "" }),
        json!({ "photo": [{ "file_id": "x" }], "caption": 5 }),
        json!({ "document": { "file_id": 5 } }),
        json!({ "location": { "latitude": "x", "longitude": 1 } }),
        json!({ "poll": 7 }),
    ] {
        assert_eq!(read(&message), None, "{message}");
    }
    assert!(read(&json!({ "text": "hi", "photo": 7, "forward_origin": [] })).is_some());
}

#[test]
fn commands_quotes_and_forwards_are_tags() {
    for (text, expected) in [
        ("/start", vec![("command", "start")]),
        (
            "/start ref-7",
            vec![("command", "start"), ("commandPayload", "ref-7")],
        ),
        (
            "/help@sb_case_bot now  ",
            vec![
                ("command", "help"),
                ("commandBot", "sb_case_bot"),
                ("commandPayload", "now"),
            ],
        ),
        (
            "/help@a b",
            vec![
                ("command", "help"),
                ("commandBot", "a"),
                ("commandPayload", "b"),
            ],
        ),
        (
            "/help@ b",
            vec![("command", "help"), ("commandPayload", "b")],
        ),
        ("/", vec![]),
        ("/не", vec![]),
        ("say /start", vec![]),
        ("/usr/bin", vec![]),
    ] {
        assert_eq!(
            tags(&json!({ "text": text })),
            Tags::from_iter(expected),
            "{text}"
        );
    }
    let quote = json!({ "text": "x", "quote": { "text": "q".repeat(900), "position": 0 } });
    assert_eq!(tags(&quote).get("quote"), Some("q".repeat(500).as_str()));
    for (origin, expected) in [
        (
            json!({ "type": "user", "date": 5, "sender_user": { "id": 9 } }),
            "9",
        ),
        (
            json!({ "type": "hidden_user", "date": 5, "sender_user_name": "Bo" }),
            "Bo",
        ),
        (
            json!({ "type": "chat", "date": 5, "sender_chat": { "id": -7 } }),
            "-7",
        ),
        (
            json!({ "type": "channel", "date": 5, "chat": { "id": -8 }, "message_id": 3 }),
            "-8",
        ),
    ] {
        let tags = tags(&json!({ "text": "x", "forward_origin": origin }));
        assert_eq!(tags.get("forwardFrom"), Some(expected));
        assert_eq!(tags.get("forwardDate"), Some("5"));
    }
}
