use serde_json::{Value, json};
use switchboard_engine::Condition;
use switchboard_model::EventPayload;
use tokio::task::JoinHandle;

use super::super::fixture::{Api, Bench, Reply, case, until};
use super::*;

struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(bench: &Bench, api: &Api) -> Self {
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(bench.account(&api.url).run_polling(shutdown.clone()));
        Self { shutdown, task }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(Duration::from_secs(2), self.task)
            .await
            .expect("it stops promptly")
            .unwrap();
    }
}

fn said(update_id: i64, message_id: i64, text: &str) -> Value {
    json!({ "update_id": update_id, "message": {
        "message_id": message_id, "date": 1_790_000_000,
        "chat": { "id": 501, "type": "private" },
        "from": { "id": 501, "is_bot": false, "first_name": "Ada" }, "text": text,
    } })
}

async fn texts(bench: &Bench) -> Vec<String> {
    let events = bench.events().await;
    events
        .iter()
        .filter_map(|event| match &event.payload {
            EventPayload::MessageCreated(created) => {
                let payload: Value = created.0.payload.read().unwrap();
                Some(payload["text"].as_str().unwrap().to_owned())
            }
            EventPayload::WorkflowUpdate(_) | EventPayload::Other(_) => None,
        })
        .collect()
}

async fn polls(api: &Api, count: usize) -> Vec<Value> {
    until("the polls", async || api.calls("getUpdates").len() >= count).await;
    api.calls("getUpdates")
}

#[tokio::test]
async fn a_batch_is_taken_and_confirmed_by_the_next_poll() {
    let (bench, api) = (Bench::new().await, Api::start().await);
    let batch = json!([said(10, 1, "one"), said(12, 2, "two"), { "update_id": 13, "poll": {} }]);
    api.script("getUpdates", Reply::ok(&batch));
    let running = Running::start(&bench, &api);
    let polls = polls(&api, 2).await;
    assert_eq!(polls[0].get("offset"), None);
    assert_eq!(
        polls[0]["timeout"], 0,
        "the first only shows whether it works"
    );
    assert_eq!(polls[1]["timeout"], 1);
    assert_eq!(polls[0]["allowed_updates"], json!(inbound::KINDS));
    assert_eq!(polls[1]["offset"], 14);
    assert_eq!(texts(&bench).await, ["one", "two"]);
    assert_eq!(bench.events().await[2].kind, "telegram:poll");
    assert_eq!(bench.condition(), Some(Condition::Well));
    running.stop().await;
}

#[tokio::test]
async fn a_restart_goes_on_where_it_was_and_takes_nothing_twice() {
    let (bench, api) = (Bench::new().await, Api::start().await);
    api.script("getUpdates", Reply::ok(&json!([said(10, 1, "one")])));
    let running = Running::start(&bench, &api);
    polls(&api, 2).await;
    running.stop().await;
    api.script(
        "getUpdates",
        Reply::ok(&json!([said(10, 1, "one"), said(11, 2, "two")])),
    );
    let running = Running::start(&bench, &api);
    let polls = polls(&api, 4).await;
    assert_eq!(polls[2]["offset"], 11);
    assert_eq!(polls[3]["offset"], 12);
    assert_eq!(texts(&bench).await, ["one", "two"]);
    running.stop().await;
}

#[tokio::test]
async fn after_six_idle_days_it_polls_without_a_position_and_follows_lower_numbers() {
    let (bench, api) = (Bench::new().await, Api::start().await);
    api.script(
        "getUpdates",
        Reply::ok(&json!([said(910_000_434, 1, "old")])),
    );
    let running = Running::start(&bench, &api);
    polls(&api, 2).await;
    running.stop().await;
    bench.clock.advance(Duration::from_hours(6 * 24 + 1));
    api.script(
        "getUpdates",
        Reply::ok(&json!([said(340_000_195, 2, "new")])),
    );
    let running = Running::start(&bench, &api);
    let polls = polls(&api, 4).await;
    assert_eq!(polls[1]["offset"], 910_000_435);
    assert_eq!(polls[2].get("offset"), None);
    assert_eq!(polls[3]["offset"], 340_000_196);
    assert_eq!(texts(&bench).await, ["old", "new"]);
    running.stop().await;
}

#[tokio::test]
async fn what_the_engine_refuses_is_kept_raw_and_leaves_no_gap() {
    let (bench, api) = (Bench::new().await, Api::start().await);
    // An id longer than a tag may be.
    let mut poison = said(11, 2, "poison");
    let mut message = poison["message"].take();
    message["business_connection_id"] = json!("x".repeat(600));
    let poison = json!({ "update_id": 11, "business_message": message });
    let batch = json!([said(10, 1, "one"), poison, said(12, 3, "three")]);
    api.script("getUpdates", Reply::ok(&batch));
    let running = Running::start(&bench, &api);
    assert_eq!(polls(&api, 2).await[1]["offset"], 13);
    assert_eq!(texts(&bench).await, ["one", "three"]);
    let events = bench.events().await;
    assert_eq!(events[1].kind, "telegram:unknown");
    running.stop().await;
}

#[tokio::test]
async fn one_unreadable_update_harms_no_other() {
    let (bench, api) = (Bench::new().await, Api::start().await);
    let batch = r#"{"ok":true,"result":[
        {"update_id":10,"message":{"message_id":1,"chat":{"id":501},"text":"\ud800"}},
        {"update_id":11,"message":{"message_id":2,"chat":{"id":501},"text":"fine"}}]}"#;
    api.script("getUpdates", Reply::Text(200, batch));
    let running = Running::start(&bench, &api);
    assert_eq!(polls(&api, 2).await[1]["offset"], 12);
    assert_eq!(texts(&bench).await, ["fine"]);
    assert_eq!(bench.events().await[0].kind, "telegram:unknown");
    running.stop().await;
}

#[tokio::test]
async fn a_number_that_cannot_be_an_updates_holds_up_no_other() {
    for number in [
        "9223372036854775807",
        "-9223372036854775808",
        "-1",
        "99999999999999999999",
        "\"x\"",
    ] {
        let (bench, api) = (Bench::new().await, Api::start().await);
        let odd = format!(r#"{{"update_id":{number},"poll":{{}}}}"#);
        let (one, two) = (said(10, 1, "one"), said(11, 2, "two"));
        let batch = format!(r#"{{"ok":true,"result":[{one},{odd},{two}]}}"#);
        api.script("getUpdates", Reply::Bytes(batch.into_bytes()));
        let running = Running::start(&bench, &api);
        assert_eq!(polls(&api, 2).await[1]["offset"], 12, "{number}");
        assert_eq!(texts(&bench).await, ["one", "two"], "{number}");
        let kinds: Vec<_> = bench
            .events()
            .await
            .into_iter()
            .map(|event| event.kind)
            .collect();
        assert_eq!(
            kinds
                .iter()
                .filter(|kind| *kind == "telegram:unknown")
                .count(),
            1,
            "{kinds:?}"
        );
        running.stop().await;
    }
}

#[tokio::test]
async fn half_a_character_costs_no_batch() {
    let (bench, api) = (Bench::new().await, Api::start().await);
    let mut batch = br#"{"ok":true,"result":[{"update_id":10,"message":
        {"message_id":1,"chat":{"id":501},"text":"half "#
        .to_vec();
    batch.push(0xf0);
    batch.extend_from_slice(br#""}}]}"#);
    api.script("getUpdates", Reply::Bytes(batch));
    let running = Running::start(&bench, &api);
    assert_eq!(polls(&api, 2).await[1]["offset"], 11);
    assert_eq!(texts(&bench).await, ["half \u{fffd}"]);
    running.stop().await;
}

#[tokio::test]
async fn tg_fail_006_no_answer_that_is_not_one_moves_the_position() {
    let (bench, api) = (Bench::new().await, Api::start().await);
    api.script("getUpdates", Reply::ok(&json!([said(10, 1, "one")])));
    let case = case("tg-fail-006");
    let page: &'static str = Box::leak(
        case["input"]["poll_answers"][0]["body"]
            .as_str()
            .unwrap()
            .to_owned()
            .into_boxed_str(),
    );
    api.script("getUpdates", Reply::Text(502, page));
    api.script("getUpdates", Reply::Text(200, ""));
    api.script("getUpdates", Reply::Text(200, r#"{"ok":true,"result":{}}"#));
    api.script("getUpdates", Reply::ok(&json!([])));
    let running = Running::start(&bench, &api);
    let polls = polls(&api, 6).await;
    assert!(
        polls[1..].iter().all(|poll| poll["offset"] == 11),
        "{polls:?}"
    );
    until("it recovers", async || {
        bench.condition() == Some(Condition::Well)
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn tg_fail_004_another_poller_is_named_and_waited_for() {
    let (bench, api) = (Bench::new().await, Api::start().await);
    let case = case("tg-fail-004");
    let body = &case["input"]["poll_answers"]["each"]["body"];
    for _ in 0..3 {
        api.script("getUpdates", Reply::Json(409, body.clone()));
    }
    api.script("getUpdates", Reply::Hang);
    let running = Running::start(&bench, &api);
    polls(&api, 4).await;
    let Some(Condition::Troubled(text)) = bench.condition() else {
        panic!("no trouble")
    };
    assert!(text.contains("another program polls"), "{text}");
    assert!(!text.contains("SECRET"));
    assert!(api.calls("deleteWebhook").is_empty());
    running.stop().await;
    api.script("getUpdates", Reply::ok(&json!([said(10, 1, "one")])));
    let running = Running::start(&bench, &api);
    polls(&api, 6).await;
    assert_eq!(bench.condition(), Some(Condition::Well));
    assert_eq!(texts(&bench).await, ["one"]);
    running.stop().await;
}

#[tokio::test]
async fn a_success_right_after_a_conflict_is_no_peace_yet() {
    let (bench, api) = (Bench::new().await, Api::start().await);
    let words = "Conflict: terminated by other getUpdates request";
    api.script("getUpdates", Reply::refused(409, words));
    api.script("getUpdates", Reply::ok(&json!([said(10, 1, "one")])));
    api.script("getUpdates", Reply::Hang);
    let running = Running::start(&bench, &api);
    polls(&api, 3).await;
    let condition = format!("{:?}", bench.condition());
    assert!(condition.contains("another program polls"), "{condition}");
    assert_eq!(texts(&bench).await, ["one"]);
    running.stop().await;
}

#[tokio::test]
async fn a_webhook_that_is_set_is_removed_with_its_updates_kept() {
    let (bench, api) = (Bench::new().await, Api::start().await);
    let words = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook \
                 to delete the webhook first";
    api.script("getUpdates", Reply::refused(409, words));
    api.script("getUpdates", Reply::ok(&json!([said(10, 1, "kept")])));
    let running = Running::start(&bench, &api);
    polls(&api, 3).await;
    assert_eq!(
        api.calls("deleteWebhook"),
        [json!({ "drop_pending_updates": false })]
    );
    assert_eq!(texts(&bench).await, ["kept"]);
    running.stop().await;
}

#[tokio::test]
async fn a_webhook_that_comes_back_is_a_conflict_and_no_hot_loop() {
    let (bench, api) = (Bench::new().await, Api::start().await);
    let started = Instant::now();
    for _ in 0..4 {
        api.script(
            "getUpdates",
            Reply::refused(409, "Conflict: terminated by setWebhook request"),
        );
    }
    let running = Running::start(&bench, &api);
    polls(&api, 5).await;
    // One at once, then three pauses that grow.
    assert!(started.elapsed() >= Duration::from_millis(20 + 40 + 80) * 3 / 4);
    assert_eq!(api.calls("deleteWebhook").len(), 4);
    let condition = format!("{:?}", bench.condition());
    assert!(condition.contains("again and again"), "{condition}");
    running.stop().await;
}

#[tokio::test]
async fn tg_fail_005_a_refused_token_is_told_to_people() {
    for (code, words) in [(401, "Unauthorized"), (404, "Not Found")] {
        let (bench, api) = (Bench::new().await, Api::start().await);
        api.script("getUpdates", Reply::refused(code, words));
        let running = Running::start(&bench, &api);
        polls(&api, 2).await;
        let condition = format!("{:?}", bench.condition());
        assert!(condition.contains("refuses the bot token"), "{condition}");
        running.stop().await;
    }
}

#[tokio::test]
async fn a_store_that_cannot_write_moves_nothing_and_is_waited_for() {
    let (bench, api) = (Bench::new().await, Api::start().await);
    bench.engine.store().close().await.unwrap();
    api.script("getUpdates", Reply::ok(&json!([said(10, 1, "one")])));
    let running = Running::start(&bench, &api);
    until("it is told", async || {
        format!("{:?}", bench.condition()).contains("cannot be stored")
    })
    .await;
    assert!(
        api.calls("getUpdates")
            .iter()
            .all(|poll| poll.get("offset").is_none())
    );
    running.stop().await;
}

#[tokio::test]
async fn a_server_that_ignores_the_position_is_asked_slowly_and_stored_once() {
    let (bench, api) = (Bench::new().await, Api::start().await);
    for _ in 0..5 {
        api.script("getUpdates", Reply::ok(&json!([said(10, 1, "same")])));
    }
    let started = Instant::now();
    let running = Running::start(&bench, &api);
    polls(&api, 6).await;
    assert!(started.elapsed() >= 3 * Duration::from_millis(20));
    assert_eq!(texts(&bench).await, ["same"]);
    running.stop().await;
}

#[tokio::test]
async fn updates_without_a_number_are_kept_once_and_told_of() {
    let (bench, api) = (Bench::new().await, Api::start().await);
    for _ in 0..3 {
        api.script(
            "getUpdates",
            Reply::ok(&json!([{ "message": { "text": "?" } }])),
        );
    }
    let running = Running::start(&bench, &api);
    polls(&api, 4).await;
    assert_eq!(bench.events().await.len(), 1);
    let condition = format!("{:?}", bench.condition());
    assert!(condition.contains("without a number"), "{condition}");
    running.stop().await;
}

#[tokio::test]
async fn a_wait_that_only_a_header_tells_is_kept_to() {
    for status in [429, 503] {
        let (bench, api) = (Bench::new().await, Api::start().await);
        api.script(
            "getUpdates",
            Reply::RetryAfter(status, "1", "<html></html>"),
        );
        let begun = Instant::now();
        let running = Running::start(&bench, &api);
        polls(&api, 2).await;
        let waited = begun.elapsed();
        assert!(waited >= Duration::from_secs(1), "{status}: {waited:?}");
        running.stop().await;
    }
}
