use super::super::fixture::outgoing;
use super::*;

fn shown(kind: &str, payload: &Value) -> Option<Value> {
    let plan = Plan::of(&outgoing(kind, payload)).unwrap();
    result(&plan.calls[0])
}

#[test]
fn a_query_is_named_by_its_tag_or_its_id_and_by_no_chat() {
    let of = |pairs: &[(&str, &str)]| {
        let tags: Tags = pairs.iter().copied().collect();
        query(&tags).map(|query| query.map(str::to_owned))
    };
    let named = Ok(Some("7".to_owned()));
    assert_eq!(of(&[("id", "guest:7")]), named);
    assert_eq!(of(&[("guestQueryId", "7")]), named);
    assert_eq!(of(&[("id", "guest:7"), ("guestQueryId", "7")]), named);
    // As a script names its conversations.
    assert_eq!(of(&[("id", "mine"), ("guestQueryId", "7")]), named);
    assert_eq!(of(&[("id", "501"), ("chatId", "501")]), Ok(None));
    assert_eq!(of(&[("id", "guest:")]), Ok(None));
    assert!(of(&[("id", "guest:7"), ("guestQueryId", "8")]).is_err());
    assert!(of(&[("id", "guest:7"), ("chatId", "-100")]).is_err());
}

#[test]
fn each_type_is_a_result_with_what_telegram_requires() {
    let text = shown("text", &json!({ "text": "hi" })).unwrap();
    assert_eq!(
        text,
        json!({
            "type": "article", "id": "1", "title": "Answer",
            "input_message_content": { "message_text": "hi" },
        })
    );
    let bold = shown("markdown", &json!({ "markdown": "**hi**" })).unwrap();
    assert_eq!(bold["input_message_content"]["parse_mode"], "HTML");
    let options = json!([{ "label": "Yes", "value": "y" }]);
    let choice = shown("choice", &json!({ "text": "Sure?", "options": options })).unwrap();
    assert_eq!(
        choice["reply_markup"]["inline_keyboard"][0][0]["callback_data"],
        "y"
    );
    let photo = shown(
        "image",
        &json!({ "imageUrl": "https://f/a.png", "caption": "c" }),
    )
    .unwrap();
    assert_eq!(photo["type"], "photo");
    assert_eq!(
        (&photo["photo_url"], &photo["caption"]),
        (&json!("https://f/a.png"), &json!("c"))
    );
    let pdf = shown("file", &json!({ "fileUrl": "https://f/a.PDF?x=1" })).unwrap();
    assert_eq!(pdf["mime_type"], "application/pdf");
    let place = shown("location", &json!({ "latitude": 1.5, "longitude": 2.5 })).unwrap();
    assert_eq!(
        (&place["type"], &place["latitude"]),
        (&json!("location"), &json!(1.5))
    );
    assert!(place["title"].is_string());
    // Telegram wants more of these than is known: their address goes out.
    assert_eq!(
        shown("video", &json!({ "videoUrl": "https://f/a.mp4" })),
        None
    );
    assert_eq!(
        shown("file", &json!({ "fileUrl": "https://f/a.txt" })),
        None
    );
}
