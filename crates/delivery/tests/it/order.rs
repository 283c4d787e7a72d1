//! Order within a conversation, and none between conversations.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use axum::response::Response;
use switchboard_delivery::Policy;
use switchboard_model::Random;
use switchboard_model::testing::SeededRandom;
use switchboard_store::DeliveryRecordStatus;

use crate::support::{Server, Told, World, eventually, patient, quick, saying, status};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_a_conversation_arrive_in_order_whatever_the_bot_does() {
    const CONVERSATIONS: usize = 12;
    const EVENTS: usize = 12;
    let random = SeededRandom::new(11);
    let (server, bot) = Server::start(move |told: Told| {
        let mut dice = [0; 2];
        random.fill(&mut dice);
        async move {
            tokio::time::sleep(Duration::from_millis(u64::from(dice[0] % 16))).await;
            match dice[1] % 8 {
                0 => status(500, &[], "oops"),
                1 => status(503, &[("retry-after", "0")], "later"),
                _ => saying(&told.text),
            }
        }
    })
    .await;
    let world = World::new().await;
    let worker = world.run_bot(bot, quick());
    let mut conversations = HashSet::new();
    for number in 0..EVENTS {
        for thread in 0..CONVERSATIONS {
            let (_, conversation) = world
                .say(&thread.to_string(), &format!("{number:02}"))
                .await;
            conversations.insert(conversation);
        }
    }
    world.bot_is_idle().await;
    worker.stop().await;

    let expected: Vec<_> = (0..EVENTS).map(|number| format!("{number:02}")).collect();
    for conversation in conversations {
        assert_eq!(world.said(conversation).await, expected);
    }
    let mut first_tries: HashMap<String, Vec<String>> = HashMap::new();
    let mut ids = HashMap::new();
    for told in server.told() {
        // The same id on each try, and each text is one event.
        let key = (told.conversation.clone(), told.text.clone());
        let id = ids.entry(key).or_insert_with(|| told.event.clone());
        assert_eq!(*id, told.event);
        let tries = first_tries.entry(told.conversation).or_default();
        if tries.last() != Some(&told.text) {
            tries.push(told.text);
        }
    }
    assert_eq!(first_tries.len(), CONVERSATIONS);
    for tries in first_tries.values() {
        assert_eq!(*tries, expected);
    }
    assert!(server.told().len() > CONVERSATIONS * EVENTS);
}

#[tokio::test]
async fn a_slow_conversation_holds_up_no_other() {
    let (server, bot) = Server::waited_for(|told: Told| async move {
        if told.text == "hang" {
            std::future::pending::<()>().await;
        }
        saying("at once")
    })
    .await;
    let world = World::new().await;
    let worker = world.run_bot(bot, patient());
    for thread in 0..20 {
        world.say(&format!("slow {thread}"), "hang").await;
    }
    eventually("all twenty hang", async || {
        (server.told().len() == 20).then_some(())
    })
    .await;

    let (event, conversation) = world.say("quick", "hello").await;
    let end = world.end_of(event).await;
    assert_eq!(end.status, DeliveryRecordStatus::Delivered);
    assert_eq!(world.said(conversation).await, ["at once"]);
    // All twenty still hang: none of them ended and was tried again.
    assert_eq!(server.told().len(), 20 + 1);
    worker.kill().await;
}

#[tokio::test]
async fn a_crowd_of_slow_conversations_holds_up_no_other() {
    let (server, bot) = Server::waited_for(|told: Told| async move {
        if told.text == "hang" {
            std::future::pending::<()>().await;
        }
        saying("at once")
    })
    .await;
    let world = World::new().await;
    let policy = Policy {
        slots: 4,
        slow_after: Duration::from_millis(100),
        most: 16,
        poll: Duration::from_mins(1),
        ..patient()
    };
    let start = Instant::now();
    let worker = world.run_bot(bot, policy);
    for thread in 0..12 {
        world.say(&format!("slow {thread}"), "hang").await;
    }
    let (event, _) = world.say("quick", "hello").await;
    let end = world.end_of(event).await;
    assert_eq!(end.status, DeliveryRecordStatus::Delivered);
    // It came behind three times as many slow ones as there are slots, none of which has ended: they
    // gave up their slots, each after its time.
    let elapsed = start.elapsed();
    assert!(elapsed >= Duration::from_millis(300), "{elapsed:?}");
    eventually("the slow ones are told", async || {
        (server.told().len() == 12 + 1).then_some(())
    })
    .await;
    let told = server.told();
    assert_eq!(told.iter().filter(|told| told.text == "hang").count(), 12);

    for thread in 12..40 {
        world.say(&format!("slow {thread}"), "hang").await;
    }
    eventually("as many hang as may", async || {
        (server.told().len() == 1 + 16).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(server.told().len(), 1 + 16);
    worker.kill().await;
}

#[tokio::test]
async fn what_is_tried_again_leaves_room_for_what_is_new() {
    let (server, bot) = Server::start(|told: Told| async move {
        match (told.text.as_str(), told.attempt) {
            ("fail", 1) => status(500, &[], "oops"),
            ("fail", _) => std::future::pending().await,
            _ => saying("at once"),
        }
    })
    .await;
    let world = World::new().await;
    let policy = Policy {
        slots: 4,
        slow_after: Duration::from_mins(1),
        poll: Duration::from_mins(1),
        ..quick()
    };
    let worker = world.run_bot(bot, policy);
    let mut failing = Vec::new();
    for thread in 0..8 {
        failing.push(world.say(&format!("failing {thread}"), "fail").await.0);
    }
    eventually("two are tried again", async || {
        (server.told().len() == 8 + 2).then_some(())
    })
    .await;
    let start = Instant::now();
    let (event, _) = world.say("new", "hello").await;
    world.end_of(event).await;
    assert!(start.elapsed() < Duration::from_millis(500));
    // The others follow when the two are given up for now: their limit is a second.
    eventually("all are tried again", async || {
        let told = server.told();
        let again = told.iter().filter(|told| told.attempt == 2);
        (again.count() == 8).then_some(())
    })
    .await;
    worker.kill().await;
}

#[tokio::test]
async fn no_more_than_the_slots_are_under_way_and_the_rest_follows() {
    let (server, bot) = Server::start(|_| async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        Response::default()
    })
    .await;
    let world = World::new().await;
    for thread in 0..12 {
        world.say(&thread.to_string(), "hello").await;
    }
    let policy = Policy {
        slots: 3,
        poll: Duration::from_mins(1),
        ..quick()
    };
    let start = Instant::now();
    let worker = world.run_bot(bot, policy);
    world.bot_is_idle().await;
    assert!(start.elapsed() >= Duration::from_millis(4 * 30));
    assert_eq!(server.told().len(), 12);
    worker.stop().await;
}
