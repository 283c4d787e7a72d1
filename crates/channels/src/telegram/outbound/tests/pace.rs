//! Sending over the limits.

use super::*;

#[tokio::test]
async fn a_long_message_to_a_group_goes_on_where_its_turn_was_over() {
    let mut desk = Desk::new().await;
    let account = desk.bench.account(&desk.api.url);
    let words = |n: u8| char::from(b'a' + n).to_string().repeat(4096);
    let text: String = (0..7).map(words).collect();
    let group = [("id", "-1002100000001")];
    let message = desk.outgoing(&group, "text", &json!({ "text": text }));
    let lease = Lease::new(Duration::from_mins(1));
    let outcome = account.send(&message, &desk.parts, lease).await;
    let SendOutcome::Held { after, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(after <= Duration::from_secs(4));
    let sent = desk.sent().len();
    assert!(sent < 7, "{sent}");
    // Who asks too early is told the same turn, and nothing is sent.
    let again = account.send(&message, &desk.parts, lease).await;
    assert!(matches!(again, SendOutcome::Held { .. }), "{again:?}");

    desk.parts.sent = desk.parts.recorded.lock().unwrap().clone();
    assert_eq!(desk.parts.sent.len(), sent);
    // After a restart.
    let mut outcome = desk.send(&message).await;
    while matches!(outcome, SendOutcome::Held { .. }) {
        desk.parts.sent = desk.parts.recorded.lock().unwrap().clone();
        outcome = desk.send(&message).await;
    }
    assert!(matches!(outcome, SendOutcome::Done(_)), "{outcome:?}");
    assert_eq!(joined(&desk), text);
    assert_eq!(desk.sent().len(), 7);
}

#[tokio::test]
async fn a_wait_for_one_chat_lets_others_through_and_one_for_many_stops_all() {
    let desk = Desk::new().await;
    let account = desk.bench.account(&desk.api.url);
    let to = |chat: i64| {
        let id = chat.to_string();
        desk.outgoing(&[("id", &id)], "text", &json!({ "text": "x" }))
    };
    let lease = Lease::new(Duration::from_mins(1));
    let flood = || {
        let body = json!({ "ok": false, "error_code": 429, "parameters": { "retry_after": 600 },
            "description": "Too Many Requests: retry after 600" });
        desk.api.script("sendMessage", Reply::Json(429, body));
    };
    for _ in 0..6 {
        flood();
        let other_topic = desk.outgoing(&[("id", "-7/42")], "text", &json!({ "text": "x" }));
        let outcome = account.send(&to(-7), &desk.parts, lease).await;
        let is_first = matches!(outcome, SendOutcome::Wait { .. });
        let held = account.send(&other_topic, &desk.parts, lease).await;
        assert!(matches!(held, SendOutcome::Held { after, .. } if after.as_secs() > 500));
        if !is_first {
            assert!(matches!(outcome, SendOutcome::Held { .. }));
        }
    }
    assert_eq!(desk.sent().len(), 1, "Telegram is not asked again");
    assert_eq!(account.room(), Room::For(30));
    for chat in 1..=4 {
        let outcome = account.send(&to(chat), &desk.parts, lease).await;
        assert!(matches!(outcome, SendOutcome::Wait { .. }), "{outcome:?}");
    }
    assert!(matches!(account.room(), Room::NotBefore(_)));
    let held = account.send(&to(5), &desk.parts, lease).await;
    assert!(matches!(held, SendOutcome::Held { after, .. } if after.as_secs() <= 30));
    assert_eq!(desk.sent().len(), 5);
}
