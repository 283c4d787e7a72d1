//! Messages of several parts, and what is kept of each.

use super::*;

#[tokio::test]
async fn a_sent_message_gets_telegrams_ids_and_its_parts_are_recorded() {
    let desk = Desk::new().await;
    let outcome = desk.send(&desk.text(&"x".repeat(4097))).await;
    let tags = Tags::from_iter([("id", "2"), ("ids", "1,2")]);
    assert_eq!(outcome, SendOutcome::Done(tags));
    let part = |part: u32, id: &str| (part, id.to_owned());
    let recorded = desk.parts.recorded.lock().unwrap().clone();
    let recorded: Vec<_> = recorded
        .into_iter()
        .map(|sent| (sent.part, sent.external_id))
        .collect();
    assert_eq!(recorded, [part(0, "1"), part(1, "2")]);
}

#[tokio::test]
async fn a_retry_goes_on_behind_the_parts_that_left() {
    let mut desk = Desk::new().await;
    desk.parts.sent = vec![SentPart::new(0, "70")];
    let text = format!("{}b", "a".repeat(4096));
    let outcome = desk.send(&desk.text(&text)).await;
    assert_eq!(joined(&desk), "b");
    let tags = Tags::from_iter([("id", "1"), ("ids", "70,1")]);
    assert_eq!(outcome, SendOutcome::Done(tags));
}

#[tokio::test]
async fn a_part_that_cannot_be_recorded_stops_the_try() {
    let mut desk = Desk::new().await;
    desk.parts.refuses = true;
    let outcome = desk.send(&desk.text(&"x".repeat(9000))).await;
    assert!(
        matches!(outcome, SendOutcome::Uncertain { .. }),
        "{outcome:?}"
    );
    assert_eq!(desk.sent().len(), 1);
}

#[tokio::test]
async fn nothing_is_begun_when_the_lease_is_nearly_over() {
    let desk = Desk::new().await;
    let outcome = desk
        .send_within(&desk.text("late"), Duration::from_millis(500))
        .await;
    assert!(matches!(outcome, SendOutcome::Retry { .. }), "{outcome:?}");
    assert!(desk.sent().is_empty());
}

#[tokio::test]
async fn a_text_that_is_taken_without_a_result_is_sent_without_an_id() {
    for body in [json!({ "ok": true }), json!({ "ok": true, "result": null })] {
        let desk = Desk::new().await;
        desk.api.script("sendMessage", Reply::Json(200, body));
        let outcome = desk.send(&desk.text(&"x".repeat(4097))).await;
        let tags = Tags::from_iter([("id", "1")]);
        assert_eq!(outcome, SendOutcome::Done(tags));
        assert_eq!(desk.sent().len(), 2);
        let recorded = desk.parts.recorded.lock().unwrap().clone();
        let ids: Vec<_> = recorded.iter().map(|part| &*part.external_id).collect();
        assert_eq!(ids, ["", "1"]);
    }
}
