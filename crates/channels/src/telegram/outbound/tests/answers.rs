//! What follows from Telegram's answers.

use super::*;

#[tokio::test]
async fn tg_fail_001_a_wait_of_telegrams_is_passed_on() {
    let desk = Desk::new().await;
    let case = case("tg-fail-001");
    let body = case["input"]["answers"][0]["body"].clone();
    desk.api.script("sendMessage", Reply::Json(429, body));
    assert_eq!(
        desk.send(&desk.text("A1")).await,
        SendOutcome::Wait {
            after: Duration::from_secs(5),
            error: "Too Many Requests: retry after 5".to_owned(),
        }
    );
}

#[tokio::test]
async fn a_429_in_any_form_is_a_wait_as_long_as_any_part_of_it_says() {
    let bare = r#"{"ok":false,"error_code":429,"description":"Too Many Requests"}"#;
    let both = r#"{"ok":false,"error_code":429,"description":"retry after 9","parameters":{"retry_after":3}}"#;
    let words = json!({ "ok": false, "error_code": 429, "description": "x: retry after 9" });
    for (reply, seconds) in [
        (Reply::RetryAfter(429, "7", bare), 7),
        (Reply::RetryAfter(429, "7", both), 3),
        (Reply::RetryAfter(429, "7", "<html>slow down</html>"), 7),
        (Reply::RetryAfter(429, "7", ""), 7),
        (Reply::RetryAfter(429, "7", r#"{"ok":true}"#), 7),
        (
            Reply::RetryAfter(429, "7", r#"{"ok":false,"error_code":400}"#),
            7,
        ),
        (Reply::RetryAfter(429, "99999999", ""), 24 * 60 * 60),
        (
            Reply::RetryAfter(429, "Wed, 21 Oct 2026 07:28:00 GMT", ""),
            5,
        ),
        (Reply::Json(429, words.clone()), 9),
        (Reply::Json(200, words), 9),
        (Reply::Text(429, bare), 5),
        (Reply::Text(429, "<html>slow down</html>"), 5),
        (Reply::Text(429, ""), 5),
        (Reply::RetryAfter(503, "7", "<html>back soon</html>"), 7),
        (
            Reply::RetryAfter(503, "7", r#"{"ok":false,"error_code":503}"#),
            7,
        ),
    ] {
        let desk = Desk::new().await;
        desk.api.script("sendMessage", reply.clone());
        let SendOutcome::Wait { after, .. } = desk.send(&desk.text("x")).await else {
            panic!("no wait: {reply:?}")
        };
        assert_eq!(after, Duration::from_secs(seconds), "{reply:?}");
        assert_eq!(desk.sent().len(), 1);
    }
    for reply in [Reply::Text(503, ""), Reply::RetryAfter(502, "7", "")] {
        let desk = Desk::new().await;
        desk.api.script("sendMessage", reply.clone());
        let outcome = desk.send(&desk.text("x")).await;
        assert!(matches!(outcome, SendOutcome::Retry { .. }), "{reply:?}");
    }
}

#[tokio::test]
async fn tg_fail_003_and_009_final_answers_are_kept_word_for_word_after_one_call() {
    for (id, place) in [("tg-fail-003", "501"), ("tg-fail-009", "-1002100000001/42")] {
        let case = case(id);
        for answer in case["input"]["send_each_with_answer"].as_array().unwrap() {
            let desk = Desk::new().await;
            let status = u16::try_from(answer["status"].as_u64().unwrap()).unwrap();
            let reply = Reply::Json(status, answer["body"].clone());
            desk.api.script("sendMessage", reply);
            let message = desk.outgoing(&[("id", place)], "text", &json!({ "text": "x" }));
            let words = answer["body"]["description"].as_str().unwrap();
            assert_eq!(desk.send(&message).await, permanent(words));
            assert_eq!(desk.sent().len(), 1, "{words}");
        }
    }
}

#[tokio::test]
async fn tg_fail_005_a_refused_token_is_told_to_people_until_it_works() {
    let desk = Desk::new().await;
    desk.api
        .script("sendMessage", Reply::refused(401, "Unauthorized"));
    let account = desk.bench.account(&desk.api.url);
    let lease = Lease::new(Duration::from_mins(1));
    let outcome = account.send(&desk.text("later"), &desk.parts, lease).await;
    assert!(
        matches!(outcome, SendOutcome::AccountBroken { .. }),
        "{outcome:?}"
    );
    let condition = format!("{:?}", desk.bench.condition());
    assert!(condition.contains("refuses the bot token"), "{condition}");
    let outcome = account.send(&desk.text("later"), &desk.parts, lease).await;
    assert!(matches!(outcome, SendOutcome::Done(_)));
    assert_eq!(
        desk.bench.condition(),
        Some(switchboard_engine::Condition::Well)
    );
}

#[tokio::test]
async fn tg_fail_006_a_page_is_a_passing_failure_and_is_not_kept() {
    let desk = Desk::new().await;
    desk.api.script(
        "sendMessage",
        Reply::Text(502, "<html>502 Bad Gateway</html>"),
    );
    assert_eq!(
        desk.send(&desk.text("x")).await,
        SendOutcome::Retry {
            error: "HTTP 502, not JSON".to_owned()
        }
    );
}

#[tokio::test]
async fn a_success_that_is_no_answer_of_telegrams_may_have_been_one() {
    for reply in [
        Reply::Text(200, "<html>ok</html>"),
        Reply::Text(200, ""),
        Reply::Text(202, "queued"),
        Reply::Json(200, json!([])),
        Reply::Json(200, json!({ "ok": "yes", "result": { "message_id": 1 } })),
    ] {
        let desk = Desk::new().await;
        desk.api.script("sendMessage", reply.clone());
        let outcome = desk.send(&desk.text("x")).await;
        let uncertain = matches!(outcome, SendOutcome::Uncertain { .. });
        assert!(uncertain, "{reply:?}: {outcome:?}");
    }
    let desk = Desk::new().await;
    desk.api
        .script("sendMessage", Reply::Json(200, json!({ "ok": false })));
    let outcome = desk.send(&desk.text("x")).await;
    assert_eq!(outcome, permanent("refused with 200 and no reason"));
}

#[tokio::test]
async fn tg_fail_007_refused_hung_and_reset_connections_are_told_apart() {
    let mut desk = Desk::new().await;
    let message = desk.text("x");

    desk.api.script("sendMessage", Reply::Hang);
    let hung = desk
        .send_within(&message, Duration::from_millis(1500))
        .await;
    assert!(matches!(hung, SendOutcome::Uncertain { .. }), "{hung:?}");

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    desk.api.url = format!("http://{}", listener.local_addr().unwrap());
    let reset = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 64 * 1024];
        let read = tokio::io::AsyncReadExt::read(&mut stream, &mut request).await;
        assert!(read.unwrap() > 0);
        // Dropped with the request read and no answer given, and the listener with it.
    });
    let lost = desk.send(&message).await;
    reset.await.unwrap();
    assert!(matches!(lost, SendOutcome::Uncertain { .. }), "{lost:?}");

    let refused = desk.send(&message).await;
    assert!(matches!(refused, SendOutcome::Retry { .. }), "{refused:?}");
    let told = format!("{hung:?}{lost:?}{refused:?}");
    assert!(!told.contains("SECRET") && !told.contains("/bot"), "{told}");
}

#[tokio::test]
async fn a_server_that_repeats_the_token_does_not_get_it_into_an_error() {
    let desk = Desk::new().await;
    let words = format!(
        "no such path /bot{}/sendMessage",
        crate::telegram::fixture::TOKEN
    );
    desk.api.script("sendMessage", Reply::refused(400, &words));
    let outcome = desk.send(&desk.text("x")).await;
    assert_eq!(outcome, permanent("no such path /bot<token>/sendMessage"));
    let debug = format!("{:?}", desk.bench.account(&desk.api.url));
    assert!(!debug.contains("SECRET"), "{debug}");
}

#[tokio::test]
async fn a_redirect_is_not_followed_whatever_its_body() {
    for reply in [
        Reply::Redirect("sendMessage"),
        Reply::refused(302, "Found"),
        Reply::Json(307, json!({ "moved": true })),
        Reply::Json(308, json!({ "ok": true, "result": { "message_id": 1 } })),
        Reply::Json(301, json!({ "ok": false, "error_code": 400 })),
    ] {
        let desk = Desk::new().await;
        desk.api.script("sendMessage", reply.clone());
        let outcome = desk.send(&desk.text("x")).await;
        assert!(
            matches!(outcome, SendOutcome::AccountBroken { .. }),
            "{reply:?}: {outcome:?}"
        );
        assert_eq!(desk.sent().len(), 1);
    }
}
