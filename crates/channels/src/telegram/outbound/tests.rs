use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use switchboard_model::{
    Conversation, ConversationId, Error, MessageId, Result, Timestamp, User, UserId,
};

use super::super::fixture::{Api, Bench, Reply, case, outgoing};
use super::*;

/// Parts kept in memory.
#[derive(Default)]
struct Kept {
    sent: Vec<SentPart>,
    recorded: Mutex<Vec<SentPart>>,
    refuses: bool,
}

#[async_trait]
impl Parts for Kept {
    fn sent(&self) -> &[SentPart] {
        &self.sent
    }

    async fn record(&self, part: SentPart) -> Result<()> {
        if self.refuses {
            return Err(Error::Busy);
        }
        self.recorded.lock().unwrap().push(part);
        Ok(())
    }
}

pub(super) struct Desk {
    bench: Bench,
    api: Api,
    parts: Kept,
}

impl Desk {
    pub(super) async fn new() -> Self {
        Self {
            bench: Bench::new().await,
            api: Api::start().await,
            parts: Kept::default(),
        }
    }

    pub(super) fn account(&self) -> Arc<Account> {
        self.bench.account(&self.api.url)
    }

    pub(super) fn parts(&self) -> &dyn Parts {
        &self.parts
    }

    /// What was recorded is what a later try or change sees.
    pub(super) fn keep_sent(&mut self) {
        let recorded = std::mem::take(&mut *self.parts.recorded.lock().unwrap());
        self.parts.sent.extend(recorded);
    }

    pub(super) fn keep(&mut self, parts: Vec<SentPart>) {
        self.parts.sent = parts;
    }

    pub(super) fn script(&self, method: &str, reply: Reply) {
        self.api.script(method, reply);
    }

    pub(super) fn calls(&self, method: &str) -> Vec<Value> {
        self.api.calls(method)
    }

    pub(super) fn methods(&self) -> Vec<String> {
        self.api.methods()
    }

    pub(super) fn outgoing(&self, place: &[(&str, &str)], kind: &str, payload: &Value) -> Outgoing {
        let (env, integration) = (self.bench.engine.env(), &self.bench.integration);
        let conversation = ConversationId::new(env.ulid());
        let user = UserId::from(integration.bot);
        let at = Timestamp::default();
        Outgoing {
            message: Message {
                id: MessageId::new(env.ulid()),
                conversation,
                user,
                ..outgoing(kind, payload)
            },
            user: User {
                id: user,
                bot: integration.bot,
                integration: None,
                tags: Tags::new(),
                name: None,
                picture_url: None,
                created_at: at,
                updated_at: at,
            },
            conversation: Conversation {
                id: conversation,
                bot: integration.bot,
                integration: integration.id,
                alias: integration.alias.clone(),
                channel: "channel".to_owned(),
                tags: place.iter().copied().collect(),
                message_count: 1,
                created_at: at,
                updated_at: at,
            },
            attempt: 1,
            again: false,
        }
    }

    pub(super) fn text(&self, text: &str) -> Outgoing {
        self.outgoing(&[("id", "501")], "text", &json!({ "text": text }))
    }

    pub(super) async fn send(&self, message: &Outgoing) -> SendOutcome {
        self.send_within(message, Duration::from_mins(1)).await
    }

    async fn send_within(&self, message: &Outgoing, lease: Duration) -> SendOutcome {
        let account = self.bench.account(&self.api.url);
        account.send(message, &self.parts, Lease::new(lease)).await
    }

    fn sent(&self) -> Vec<Value> {
        self.api.calls("sendMessage")
    }
}

/// A string of a case, which may be a generator.
fn generated(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    if let Some(pieces) = value["concat"].as_array() {
        return pieces.iter().map(generated).collect();
    }
    let (text, count) = (generated(&value["repeat"][0]), &value["repeat"][1]);
    text.repeat(usize::try_from(count.as_u64().unwrap()).unwrap())
}

fn permanent(error: &str) -> SendOutcome {
    SendOutcome::Permanent {
        error: error.to_owned(),
    }
}

/// The texts of a case's messages of type text, each sent.
async fn send_texts(id: &str, place: &[(&str, &str)]) -> (Desk, Vec<String>, Vec<SendOutcome>) {
    let desk = Desk::new().await;
    let (mut texts, mut outcomes) = (Vec::new(), Vec::new());
    for message in case(id)["input"]["messages"].as_array().unwrap() {
        if message["type"] != "text" {
            continue;
        }
        let text = generated(&message["payload"]["text"]);
        let outgoing = desk.outgoing(place, "text", &json!({ "text": text }));
        outcomes.push(desk.send(&outgoing).await);
        texts.push(text);
    }
    for call in desk.sent() {
        let text = call["text"].as_str().unwrap();
        assert!(text.encode_utf16().count() <= 4096);
        assert!(text.contains(|c: char| !c.is_whitespace()));
        assert_eq!(call.get("parse_mode"), None);
    }
    (desk, texts, outcomes)
}

fn joined(desk: &Desk) -> String {
    let sent = desk.sent();
    sent.iter()
        .map(|call| call["text"].as_str().unwrap())
        .collect()
}

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

#[tokio::test]
async fn a_server_that_repeats_the_token_does_not_get_it_into_an_error() {
    let desk = Desk::new().await;
    let words = format!(
        "no such path /bot{}/sendMessage",
        super::super::fixture::TOKEN
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

mod pace;
