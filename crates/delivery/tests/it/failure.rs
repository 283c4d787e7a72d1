//! What follows from each kind of failure of a bot.

use std::time::{Duration, Instant};

use axum::response::Response;
use switchboard_bots::{BotFailure, BotReply};
use switchboard_delivery::Policy;
use switchboard_model::{EventStatus, Json};
use switchboard_store::{DeliveryRecordStatus, NewEvent};

use crate::support::{InProcess, Server, Told, World, quick, saying, status};

#[tokio::test]
async fn a_4xx_is_dead_at_once_and_the_conversation_goes_on() {
    let (server, bot) = Server::start(|told: Told| async move {
        match told.text.as_str() {
            "bad" => status(
                400,
                &[],
                r#"{"code":400,"type":"Runtime","message":"no, thanks"}"#,
            ),
            other => saying(other),
        }
    })
    .await;
    let world = World::new().await;
    let (bad, conversation) = world.say("1", "bad").await;
    let (good, _) = world.say("1", "good").await;
    let worker = world.run_bot(bot, quick());

    let dead = world.end_of(bad).await;
    assert_eq!(dead.status, DeliveryRecordStatus::Dead);
    assert_eq!(
        dead.error.as_deref(),
        Some("the bot answered 400: no, thanks")
    );
    assert_eq!(dead.attempts, 1);
    let event = world.engine.store().get_event(world.bot, bad).await;
    assert_eq!(event.unwrap().unwrap().status, EventStatus::Failed);

    let delivered = world.end_of(good).await;
    assert_eq!(delivered.status, DeliveryRecordStatus::Delivered);
    assert_eq!(world.said(conversation).await, ["good"]);
    assert_eq!(server.told().len(), 2);
    worker.stop().await;
}

#[tokio::test]
async fn errors_and_silence_are_tried_again_with_the_same_event() {
    let (server, bot) = Server::start(|told: Told| async move {
        match told.attempt {
            1 => status(500, &[], "oops"),
            2 => status(408, &[], ""),
            3 => status(429, &[], ""),
            // Longer than the bot's time limit of one second.
            4 => std::future::pending().await,
            _ => saying("done"),
        }
    })
    .await;
    let world = World::new().await;
    let (event, conversation) = world.say("1", "hello").await;
    let worker = world.run_bot(bot, quick());
    let end = world.end_of(event).await;
    assert_eq!(end.status, DeliveryRecordStatus::Delivered);
    assert_eq!(end.attempts, 5);
    assert_eq!(world.said(conversation).await, ["done"]);
    let told = server.told();
    let attempts: Vec<_> = told.iter().map(|told| told.attempt).collect();
    assert_eq!(attempts, [1, 2, 3, 4, 5]);
    assert!(told.iter().all(|told| told.event == event.to_string()));
    worker.stop().await;
}

#[tokio::test]
async fn a_wait_that_the_bot_asks_for_is_kept_and_kills_nothing() {
    let (server, bot) = Server::start({
        let first = std::sync::Mutex::new(None);
        move |_| {
            let since = *first.lock().unwrap().get_or_insert_with(Instant::now);
            async move {
                match since.elapsed() {
                    early if early < Duration::from_millis(1500) => {
                        status(429, &[("retry-after", "1")], "")
                    }
                    _ => Response::default(),
                }
            }
        }
    })
    .await;
    let world = World::new().await;
    let (event, _) = world.say("1", "hello").await;
    let policy = Policy {
        patience: Duration::from_millis(300),
        ..quick()
    };
    let start = Instant::now();
    let worker = world.run_bot(bot, policy);
    let end = world.end_of(event).await;
    assert_eq!(end.status, DeliveryRecordStatus::Delivered);
    assert!(start.elapsed() >= Duration::from_secs(2));
    assert_eq!(server.told().len(), 3);
    assert_eq!(end.attempts, 1);
    worker.stop().await;
}

#[tokio::test]
async fn a_head_is_given_up_when_the_patience_ends_and_the_next_follows() {
    let (server, bot) = Server::start(|told: Told| async move {
        match told.text.as_str() {
            "stuck" => status(500, &[], "never"),
            other => saying(other),
        }
    })
    .await;
    let world = World::new().await;
    let (stuck, conversation) = world.say("1", "stuck").await;
    world.say("1", "next").await;
    let policy = Policy {
        patience: Duration::from_millis(200),
        ..quick()
    };
    let worker = world.run_bot(bot, policy);
    let dead = world.end_of(stuck).await;
    assert_eq!(dead.status, DeliveryRecordStatus::Dead);
    let error = dead.error.unwrap();
    assert!(
        error.starts_with("given up after 0.2 s, at try "),
        "{error}"
    );
    assert!(error.ends_with("the bot answered 500: never"), "{error}");
    world.bot_is_idle().await;
    assert_eq!(world.said(conversation).await, ["next"]);
    assert!(server.told().len() > 3);
    worker.stop().await;
}

#[tokio::test]
async fn a_bot_that_panics_or_never_returns_is_tried_again() {
    let bot = InProcess(|attempt, text: String| async move {
        match (text.as_str(), attempt) {
            ("panic", 1) => panic!("on purpose"),
            ("hang", 1) => std::future::pending::<()>().await,
            _ => {}
        }
        Ok(vec![BotReply::text("well")])
    });
    let world = World::new().await;
    let (panicking, one) = world.say("1", "panic").await;
    let (hanging, two) = world.say("2", "hang").await;
    let policy = Policy {
        time_limit: Duration::from_millis(100),
        lease: Duration::from_millis(700),
        ..quick()
    };
    let worker = world.run_bot(bot, policy);
    for event in [panicking, hanging] {
        let end = world.end_of(event).await;
        assert_eq!(end.status, DeliveryRecordStatus::Delivered);
        assert_eq!(end.attempts, 2);
    }
    assert_eq!(world.said(one).await, ["well"]);
    assert_eq!(world.said(two).await, ["well"]);
    worker.stop().await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_stored_is_dead_with_a_clear_error() {
    let bot = InProcess(|_, text: String| async move {
        match text.as_str() {
            "refuse" => Err(BotFailure::Permanent {
                error: "not for me".to_owned(),
            }),
            _ => Ok(vec![BotReply::text("where to?")]),
        }
    });
    let world = World::new().await;
    let lonely = world.engine.new_event_id();
    let event = NewEvent {
        id: lonely,
        delivery: world.engine.new_delivery_id(),
        bot: world.bot,
        kind: "tick".to_owned(),
        payload: Json::empty(),
        conversation: None,
        user: None,
        message: None,
        workflow: None,
        due: None,
        now: world.engine.env().now(),
    };
    world.engine.store().create_event(event).await.unwrap();
    let (refused, _) = world.say("1", "refuse").await;
    let worker = world.run_bot(bot, quick());
    let dead = world.end_of(lonely).await;
    assert_eq!(dead.status, DeliveryRecordStatus::Dead);
    assert!(dead.error.unwrap().contains("belongs to no conversation"));
    let dead = world.end_of(refused).await;
    assert_eq!(dead.error.as_deref(), Some("not for me"));
    worker.stop().await;
}

#[tokio::test]
async fn an_answer_is_taken_whole_or_not_at_all() {
    let (_server, bot) = Server::start(|_| async {
        let good = r#"{"type":"text","payload":{"text":"x"}}"#;
        Response::new(format!(r#"{{"messages":[{good},{{"type":"text"}}]}}"#).into())
    })
    .await;
    let world = World::new().await;
    let (event, conversation) = world.say("1", "hello").await;
    let worker = world.run_bot(bot, quick());
    let dead = world.end_of(event).await;
    assert_eq!(
        dead.error.as_deref(),
        Some("the bot's answer: messages[1].payload: expected an object")
    );
    assert!(world.said(conversation).await.is_empty());
    worker.stop().await;
}

#[tokio::test]
async fn nobody_is_told_of_a_deleted_conversation() {
    let (server, bot) = Server::start(|_| async { Response::default() }).await;
    let world = World::new().await;
    let (_, deleted) = world.say("1", "forget me").await;
    let now = world.engine.env().now();
    let store = world.engine.store();
    store
        .delete_conversation(world.bot, deleted, now)
        .await
        .unwrap();
    let (event, _) = world.say("1", "hello").await;
    let worker = world.run_bot(bot, quick());
    let end = world.end_of(event).await;
    assert_eq!(end.status, DeliveryRecordStatus::Delivered);
    world.bot_is_idle().await;
    let told: Vec<_> = server.told().into_iter().map(|told| told.text).collect();
    assert_eq!(told, ["hello"]);
    worker.stop().await;
}
