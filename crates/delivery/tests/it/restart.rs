//! What a stop, a kill and a lost lease leave behind.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use switchboard_bots::BotReply;
use switchboard_delivery::Policy;
use switchboard_model::testing;
use switchboard_store::{Claim, DeliveryRecordStatus, Finish, Lane, LostSends, Outcome, Subject};
use tokio::sync::Notify;

use crate::support::{InProcess, Server, Told, World, eventually, quick, saying};

#[tokio::test]
async fn what_was_in_flight_comes_again_after_a_restart_with_the_same_id() {
    let mut world = World::new().await;
    let (server, bot) = Server::start(|told: Told| async move {
        if told.attempt == 1 {
            std::future::pending::<()>().await;
        }
        saying("at last")
    })
    .await;
    let (event, conversation) = world.say("1", "hello").await;
    let worker = world.run_bot(bot, quick());
    eventually("the bot is told", async || {
        (server.told().len() == 1).then_some(())
    })
    .await;
    worker.kill().await;
    world.restart().await;

    let (server, bot) = Server::start(|_| async { saying("at last") }).await;
    let worker = world.run_bot(bot, quick());
    let end = world.end_of(event).await;
    assert_eq!(end.status, DeliveryRecordStatus::Delivered);
    assert_eq!(server.told()[0].event, event.to_string());
    assert_eq!(server.told()[0].attempt, 2);
    assert_eq!(world.said(conversation).await, ["at last"]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_is_answered_once_and_in_order_through_twenty_kills() {
    const CONVERSATIONS: usize = 5;
    let mut world = World::new().await;
    let mut conversations = HashSet::new();
    let mut said = 0;
    for round in 0..20 {
        for thread in 0..CONVERSATIONS {
            for _ in 0..4 {
                let text = format!("{said:04}");
                said += 1;
                let (_, conversation) = world.say(&thread.to_string(), &text).await;
                conversations.insert(conversation);
            }
        }
        let bot = InProcess(|_, text: String| async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(vec![BotReply::text(&text)])
        });
        let worker = world.run_bot(bot, quick());
        tokio::time::sleep(Duration::from_millis(round)).await;
        worker.kill().await;
        world.restart().await;
    }
    let bot = InProcess(|_, text: String| async move { Ok(vec![BotReply::text(&text)]) });
    let worker = world.run_bot(bot, quick());
    world.bot_is_idle().await;
    worker.stop().await;

    assert_eq!(conversations.len(), CONVERSATIONS);
    let mut answered = 0;
    for conversation in conversations {
        let texts = world.said(conversation).await;
        assert!(texts.is_sorted(), "{texts:?}");
        assert_eq!(texts.iter().collect::<HashSet<_>>().len(), texts.len());
        answered += texts.len();
    }
    assert_eq!(answered, said);
}

#[tokio::test]
async fn a_stop_finishes_what_is_under_way_and_begins_nothing() {
    let world = World::new().await;
    let (server, bot) = Server::start(|told: Told| async move {
        tokio::time::sleep(Duration::from_millis(150)).await;
        saying(&told.text)
    })
    .await;
    let (first, conversation) = world.say("1", "first").await;
    world.say("1", "second").await;
    let worker = world.run_bot(bot, quick());
    eventually("the bot is told", async || {
        (server.told().len() == 1).then_some(())
    })
    .await;
    worker.stop().await;
    assert_eq!(
        world.end_of(first).await.status,
        DeliveryRecordStatus::Delivered
    );
    assert_eq!(world.said(conversation).await, ["first"]);
    assert_eq!(server.told().len(), 1);
}

#[tokio::test]
async fn a_stop_does_not_wait_longer_than_its_grace() {
    let world = World::new().await;
    let (server, bot) = Server::start(|_| std::future::pending()).await;
    world.say("1", "hello").await;
    let policy = Policy {
        grace: Duration::from_millis(50),
        ..quick()
    };
    let worker = world.run_bot(bot, policy);
    eventually("the bot is told", async || {
        (server.told().len() == 1).then_some(())
    })
    .await;
    let start = Instant::now();
    worker.stop().await;
    assert!(start.elapsed() < Duration::from_millis(800));
    // Whoever comes next in this process need not wait for the end of a lease.
    let waiting = world.deliveries(DeliveryRecordStatus::Pending).await;
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].attempts, 1);
    assert!(waiting[0].error.as_deref().unwrap().contains("stopped"));
    let (server, bot) = Server::start(|_| async { saying("at last") }).await;
    let worker = world.run_bot(bot, quick());
    world.bot_is_idle().await;
    assert_eq!(server.told()[0].attempt, 2);
    worker.stop().await;
}

#[tokio::test]
async fn a_result_that_comes_after_the_lease_was_lost_is_not_written() {
    let (env, clock) = testing::environment(1);
    let world = World::with(env.clone()).await;
    let (event, conversation) = world.say("1", "hello").await;
    let (called, answer) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
    let bot = InProcess({
        let (called, answer) = (Arc::clone(&called), Arc::clone(&answer));
        move |_, _| {
            let (called, answer) = (Arc::clone(&called), Arc::clone(&answer));
            async move {
                called.fetch_add(1, Ordering::SeqCst);
                answer.notified().await;
                Ok(vec![BotReply::text("too late")])
            }
        }
    });
    let policy = Policy {
        poll: Duration::from_mins(1),
        ..quick()
    };
    let lease = policy.lease;
    let worker = world.run_bot(bot, policy);
    eventually("the bot is told", async || {
        (called.load(Ordering::SeqCst) == 1).then_some(())
    })
    .await;

    // The database's time runs away from the holder: somebody else takes over.
    clock.advance(lease + Duration::from_secs(1));
    let claim = Claim {
        lane: Lane::Bots,
        limit: 1,
        again: 1,
        lease,
        lost: LostSends::Retry,
        now: env.now(),
    };
    let store = world.engine.store();
    let other = store.claim(claim).await.unwrap().deliveries.remove(0);
    assert!(matches!(other.subject, Subject::Event(taken) if taken.id == event));
    answer.notify_one();
    worker.stop().await;
    assert!(world.said(conversation).await.is_empty());
    assert_eq!(
        world.deliveries(DeliveryRecordStatus::InFlight).await.len(),
        1
    );

    let finish = Finish {
        id: other.id,
        epoch: other.epoch,
        outcome: Outcome::Delivered {
            replies: Vec::new(),
            tags: switchboard_model::Tags::new(),
            change: None,
        },
        now: env.now(),
    };
    assert!(store.finish(finish).await.unwrap());
    assert_eq!(
        world.end_of(event).await.status,
        DeliveryRecordStatus::Delivered
    );
}
