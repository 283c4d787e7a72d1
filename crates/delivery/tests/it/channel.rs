//! Messages to a channel account.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use switchboard_delivery::{Policy, UncertainPolicy};
use switchboard_engine::Condition;
use switchboard_integration::{Lease, Outbound, Outgoing, Parts, SendOutcome};
use switchboard_model::{ConversationId, DeliveryStatus, MessageId, Tags};
use switchboard_store::{DeliveryRecordStatus, SentPart};

use crate::support::{RunningWorker, World, eventually, quick, text};

/// A channel that takes texts in parts of one word, and fails as told.
#[derive(Default)]
struct Words {
    /// What readers see: conversation id (the external one) and word.
    seen: Mutex<Vec<(String, String)>>,
    calls: Mutex<Vec<Instant>>,
    /// The failures to come: before which word, and what happens.
    script: Mutex<VecDeque<(&'static str, SendOutcome)>>,
    /// Does not hang.
    patient: bool,
}

impl Words {
    fn failing(script: impl IntoIterator<Item = (&'static str, SendOutcome)>) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(script.into_iter().collect()),
            ..Self::default()
        })
    }

    fn seen(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|(_, word)| word.clone()).collect()
    }

    fn failure(&self, word: &str) -> Option<SendOutcome> {
        let mut script = self.script.lock().unwrap();
        let next = script
            .front()
            .is_some_and(|(before, _)| *before == word || *before == "*");
        next.then(|| script.pop_front())
            .flatten()
            .map(|(_, outcome)| outcome)
    }
}

#[async_trait]
impl Outbound for Words {
    async fn send(&self, message: &Outgoing, parts: &dyn Parts, lease: Lease) -> SendOutcome {
        let text = text(&message.message.payload);
        let thread = message.conversation.tags.get("id").unwrap().to_owned();
        let mut ids = Vec::new();
        for (number, word) in text.split(' ').enumerate().skip(parts.sent().len()) {
            if lease.left().is_none() {
                return SendOutcome::Retry {
                    error: "the time is up".to_owned(),
                };
            }
            self.calls.lock().unwrap().push(Instant::now());
            if word == "hang" && !self.patient {
                std::future::pending::<()>().await;
            }
            match self.failure(word) {
                // It was taken, and the answer got lost.
                Some(SendOutcome::Uncertain { error }) => {
                    self.seen.lock().unwrap().push((thread, word.to_owned()));
                    return SendOutcome::Uncertain { error };
                }
                Some(outcome) => return outcome,
                None => {}
            }
            self.seen
                .lock()
                .unwrap()
                .push((thread.clone(), word.to_owned()));
            let part = SentPart::new(u32::try_from(number).unwrap(), format!("{thread}/{word}"));
            ids.push(part.external_id.clone());
            if parts.record(part).await.is_err() {
                return SendOutcome::Retry {
                    error: "lost".to_owned(),
                };
            }
        }
        SendOutcome::Done(Tags::new().with("ids", ids.join(",")))
    }
}

fn error() -> String {
    "so the channel says".to_owned()
}

async fn conversation(world: &World, thread: &str) -> ConversationId {
    world.say(thread, "hello").await.1
}

async fn reaches(world: &World, message: MessageId, status: DeliveryStatus) {
    eventually("the message gets there", async || {
        let report = world.message(message).await.delivery.unwrap();
        (report.status == status).then_some(())
    })
    .await;
}

#[tokio::test]
async fn messages_are_sent_in_order_and_the_channels_ids_are_kept_as_its_tags() {
    let world = World::new().await;
    let chat = conversation(&world, "chat").await;
    let channel = Words::failing([]);
    let worker = world.run_channel(channel.clone(), quick());
    let mut last = None;
    for number in 0..20 {
        last = Some(world.post(chat, &format!("a{number} b{number}")).await);
    }
    let last = last.unwrap();
    reaches(&world, last, DeliveryStatus::Sent).await;
    let expected: Vec<_> = (0..20)
        .flat_map(|number| [format!("a{number}"), format!("b{number}")])
        .collect();
    assert_eq!(channel.seen(), expected);
    let tags = world.message(last).await.tags;
    assert_eq!(tags.get("test:ids"), Some("chat/a19,chat/b19"));
    worker.stop().await;
}

#[tokio::test]
async fn a_message_goes_on_after_its_last_part_that_was_sent_also_after_a_restart() {
    let mut world = World::new().await;
    let chat = conversation(&world, "chat").await;
    let message = world.post(chat, "one two hang four").await;
    let channel = Words::failing([("two", SendOutcome::Retry { error: error() })]);
    let worker = world.run_channel(channel.clone(), quick());
    eventually(
        "two parts are sent, and the third is on its way",
        async || (channel.calls.lock().unwrap().len() == 4).then_some(()),
    )
    .await;
    worker.kill().await;
    assert_eq!(channel.seen(), ["one", "two"]);
    world.restart().await;

    let update = switchboard_store::MessageUpdate {
        payload: Some(switchboard_model::Json::parse(r#"{"text":"one two three four"}"#).unwrap()),
        ..Default::default()
    };
    let now = world.engine.env().now();
    let store = world.engine.store();
    store
        .update_message(world.bot, message, update, now)
        .await
        .unwrap();
    let channel = Words::failing([]);
    let worker = world.run_channel(channel.clone(), quick());
    reaches(&world, message, DeliveryStatus::Sent).await;
    assert_eq!(channel.seen(), ["three", "four"]);
    worker.stop().await;
}

#[tokio::test]
async fn each_outcome_has_its_consequence() {
    let world = World::new().await;
    let chat = conversation(&world, "chat").await;
    let refused = world.post(chat, "refused").await;
    let later = world.post(chat, "later").await;
    let last = world.post(chat, "last").await;
    let after = Duration::from_millis(300);
    let channel = Words::failing([
        ("refused", SendOutcome::Permanent { error: error() }),
        ("later", SendOutcome::Retry { error: error() }),
        (
            "later",
            SendOutcome::Wait {
                after,
                error: error(),
            },
        ),
    ]);
    let start = Instant::now();
    let worker = world.run_channel(channel.clone(), quick());
    reaches(&world, last, DeliveryStatus::Sent).await;
    assert!(start.elapsed() >= after);
    assert_eq!(channel.seen(), ["later", "last"]);
    let report = world.message(refused).await.delivery.unwrap();
    assert_eq!(report.status, DeliveryStatus::Failed);
    assert_eq!(report.error, Some(error()));
    let report = world.message(later).await.delivery.unwrap();
    assert_eq!(report.status, DeliveryStatus::Sent);
    assert_eq!(report.attempts, 2);
    worker.stop().await;
}

#[tokio::test]
async fn a_slow_chat_holds_up_no_other() {
    let world = World::new().await;
    let channel = Words::failing([]);
    let worker = world.run_channel(channel.clone(), quick());
    // Fewer than are let through to an account that has not answered yet.
    for thread in 0..6 {
        let chat = conversation(&world, &format!("slow {thread}")).await;
        world.post(chat, "hang").await;
    }
    let chat = conversation(&world, "quick").await;
    let message = world.post(chat, "hello").await;
    let start = Instant::now();
    reaches(&world, message, DeliveryStatus::Sent).await;
    assert!(start.elapsed() < Duration::from_millis(500));
    worker.kill().await;
}

#[tokio::test]
async fn an_account_that_does_not_work_is_left_alone_and_nothing_is_lost() {
    let world = World::new().await;
    let mut messages = Vec::new();
    for thread in 0..30 {
        let chat = conversation(&world, &thread.to_string()).await;
        messages.push(world.post(chat, &format!("word{thread}")).await);
    }
    // Eight at first, then one a probe.
    let broken = || ("*", SendOutcome::AccountBroken { error: error() });
    // One of the eight, when its turn comes again.
    let failing = ("word3", SendOutcome::Retry { error: error() });
    let script = std::iter::repeat_with(broken).take(8 + 3).chain([failing]);
    let channel = Words::failing(script);
    let policy = Policy {
        // Shorter than the pauses, which are 100, 200, 400, 400 ms: they do not count.
        patience: Duration::from_millis(300),
        ..quick()
    };
    let start = Instant::now();
    let worker = world.run_channel(channel.clone(), policy);
    eventually("it is noted that the account is broken", async || {
        let all = world.engine.health().all();
        (all == [(world.integration.id, Condition::Troubled(error()))]).then_some(())
    })
    .await;
    for message in messages {
        reaches(&world, message, DeliveryStatus::Sent).await;
    }
    assert!(start.elapsed() >= Duration::from_millis(100 + 200 + 400 + 400));
    assert_eq!(channel.calls.lock().unwrap().len(), 8 + 3 + 1 + 30);
    let mut seen = channel.seen();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 30);
    assert_eq!(
        world.engine.health().all(),
        [(world.integration.id, Condition::Well)]
    );
    assert!(
        world
            .deliveries(DeliveryRecordStatus::Dead)
            .await
            .is_empty()
    );
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_with_a_new_token_goes_on_at_once() {
    let world = World::new().await;
    let chat = conversation(&world, "chat").await;
    let message = world.post(chat, "hello").await;
    let policy = Policy {
        first_pause: Duration::from_mins(1),
        ..quick()
    };
    let broken = Words::failing([("*", SendOutcome::AccountBroken { error: error() })]);
    let worker = world.run_channel(broken.clone(), policy.clone());
    eventually("the account is found broken", async || {
        (!world.engine.health().all().is_empty()).then_some(())
    })
    .await;
    let report = world.message(message).await.delivery.unwrap();
    assert_eq!(report.status, DeliveryStatus::Queued);
    worker.stop().await;

    let start = Instant::now();
    let worker = world.run_channel(Words::failing([]), policy);
    reaches(&world, message, DeliveryStatus::Sent).await;
    assert!(start.elapsed() < Duration::from_secs(1));
    worker.stop().await;
}

#[tokio::test]
async fn what_the_channel_tells_of_its_account_is_not_overruled() {
    let world = World::new().await;
    let (health, id) = (world.engine.health(), world.integration.id);
    let chat = conversation(&world, "chat").await;
    let worker = world.run_channel(Words::failing([]), quick());
    let message = world.post(chat, "one").await;
    reaches(&world, message, DeliveryStatus::Sent).await;
    assert!(
        health.all().is_empty(),
        "that it sends says not all is well"
    );
    worker.stop().await;

    let trouble = Condition::Troubled("nothing comes in".to_owned());
    health.set(id, trouble.clone());
    let broken = SendOutcome::AccountBroken { error: error() };
    let channel = Words::failing([("two", broken.clone())]);
    let worker = world.run_channel(channel.clone(), quick());
    let message = world.post(chat, "two").await;
    reaches(&world, message, DeliveryStatus::Sent).await;
    assert_eq!(health.all(), [(id, trouble.clone())]);

    // One that comes while the account is found broken stays when it is not any more.
    health.clear(id);
    let next = ("three", broken);
    channel.script.lock().unwrap().push_back(next);
    let message = world.post(chat, "three").await;
    eventually("the account is found broken", async || {
        (!health.all().is_empty()).then_some(())
    })
    .await;
    health.set(id, trouble.clone());
    reaches(&world, message, DeliveryStatus::Sent).await;
    assert_eq!(health.all(), [(id, trouble)]);
    worker.stop().await;
}

#[tokio::test]
async fn a_wait_without_end_ends_nothing_else() {
    let world = World::new().await;
    let chat = conversation(&world, "chat").await;
    let other = conversation(&world, "other").await;
    let wait = SendOutcome::Wait {
        after: Duration::MAX,
        error: error(),
    };
    let channel = Words::failing([("forever", wait)]);
    let worker = world.run_channel(channel, quick());
    let waiting = world.post(chat, "forever").await;
    eventually("it waits", async || {
        let report = world.message(waiting).await.delivery.unwrap();
        (report.error == Some(error())).then_some(())
    })
    .await;
    let message = world.post(other, "hello").await;
    reaches(&world, message, DeliveryStatus::Sent).await;
    worker.stop().await;
}

/// A message hangs in the channel, and one waits behind it.
async fn hanging(world: &World, policy: Policy) -> (Arc<Words>, RunningWorker, [MessageId; 2]) {
    let chat = conversation(world, "chat").await;
    let first = world.post(chat, "one hang").await;
    let next = world.post(chat, "next").await;
    let channel = Words::failing([]);
    let worker = world.run_channel(channel.clone(), policy);
    eventually("the second part is on its way", async || {
        (channel.calls.lock().unwrap().len() == 2).then_some(())
    })
    .await;
    (channel, worker, [first, next])
}

fn at_most_once() -> Policy {
    Policy {
        uncertain: UncertainPolicy::AtMostOnce,
        grace: Duration::from_millis(50),
        ..quick()
    }
}

#[tokio::test]
async fn what_a_stop_breaks_off_is_uncertain_where_it_must_not_be_sent_twice() {
    let mut world = World::new().await;
    let (_, worker, [first, next]) = hanging(&world, at_most_once()).await;
    worker.stop().await;
    let report = world.message(first).await.delivery.unwrap();
    assert_eq!(report.status, DeliveryStatus::Uncertain);
    assert!(report.error.unwrap().contains("replay"));

    world.restart_with(UncertainPolicy::AtMostOnce).await;
    let channel = Words::failing([]);
    let worker = world.run_channel(channel.clone(), at_most_once());
    reaches(&world, next, DeliveryStatus::Sent).await;
    assert_eq!(channel.seen(), ["next"]);
    worker.stop().await;
}

#[tokio::test]
async fn what_a_kill_breaks_off_is_uncertain_where_it_must_not_be_sent_twice() {
    let mut world = World::new().await;
    let (_, worker, [first, next]) = hanging(&world, at_most_once()).await;
    worker.kill().await;
    world.restart_with(UncertainPolicy::AtMostOnce).await;
    let report = world.message(first).await.delivery.unwrap();
    assert_eq!(report.status, DeliveryStatus::Uncertain);
    assert!(report.error.unwrap().contains("replay"));

    let channel = Words::failing([]);
    let worker = world.run_channel(channel.clone(), at_most_once());
    reaches(&world, next, DeliveryStatus::Sent).await;
    assert_eq!(channel.seen(), ["next"]);
    worker.stop().await;
}

#[tokio::test]
async fn what_a_stop_breaks_off_is_sent_again_at_once_where_nothing_may_be_lost() {
    let world = World::new().await;
    let policy = Policy {
        uncertain: UncertainPolicy::Retry,
        ..at_most_once()
    };
    let (_, worker, [first, next]) = hanging(&world, policy.clone()).await;
    worker.stop().await;
    let report = world.message(first).await.delivery.unwrap();
    assert_eq!(report.status, DeliveryStatus::Queued);
    assert!(report.error.unwrap().starts_with("uncertain: "));

    // In the same process, as when an account gets another token.
    let start = Instant::now();
    let channel = Arc::new(Words {
        patient: true,
        ..Words::default()
    });
    let worker = world.run_channel(channel.clone(), policy);
    reaches(&world, next, DeliveryStatus::Sent).await;
    assert_eq!(channel.seen(), ["hang", "next"]);
    assert!(start.elapsed() < Duration::from_secs(1));
    worker.stop().await;
}

#[tokio::test]
async fn what_may_have_been_sent_is_sent_again_or_left_to_a_person_as_the_policy_says() {
    for (uncertain, status, seen) in [
        (
            UncertainPolicy::Retry,
            DeliveryStatus::Sent,
            vec!["one", "two", "two", "next"],
        ),
        (
            UncertainPolicy::AtMostOnce,
            DeliveryStatus::Uncertain,
            vec!["one", "two", "next"],
        ),
    ] {
        let world = World::new().await;
        let chat = conversation(&world, "chat").await;
        let message = world.post(chat, "one two").await;
        let next = world.post(chat, "next").await;
        let channel = Words::failing([("two", SendOutcome::Uncertain { error: error() })]);
        let policy = Policy {
            uncertain,
            ..quick()
        };
        let worker = world.run_channel(channel.clone(), policy);
        reaches(&world, next, DeliveryStatus::Sent).await;
        reaches(&world, message, status).await;
        assert_eq!(channel.seen(), seen);
        worker.stop().await;
    }
}

#[tokio::test]
async fn an_uncertain_try_is_visible_while_it_waits_for_the_next() {
    let world = World::new().await;
    let chat = conversation(&world, "chat").await;
    let message = world.post(chat, "hello").await;
    let channel = Words::failing([("hello", SendOutcome::Uncertain { error: error() })]);
    let policy = Policy {
        first_retry: Duration::from_mins(1),
        longest_retry: Duration::from_mins(1),
        patience: Duration::from_mins(10),
        ..quick()
    };
    let worker = world.run_channel(channel.clone(), policy);
    let words = eventually("the message tells", async || {
        world.message(message).await.delivery.unwrap().error
    })
    .await;
    assert_eq!(words, "uncertain: so the channel says");
    worker.stop().await;
}

#[tokio::test]
async fn a_channel_that_cannot_change_what_was_sent_keeps_nothing_of_it() {
    let world = World::new().await;
    let chat = conversation(&world, "chat").await;
    let channel = Words::failing([]);
    let worker = world.run_channel(channel.clone(), quick());
    let message = world.post(chat, "one").await;
    reaches(&world, message, DeliveryStatus::Sent).await;
    let (store, now) = (world.engine.store(), world.engine.env().now());
    let update = switchboard_store::MessageUpdate {
        payload: Some(switchboard_model::Json::parse(r#"{"text":"uno"}"#).unwrap()),
        delivery: Some(world.engine.new_delivery_id()),
        ..Default::default()
    };
    let update = store.update_message(world.bot, message, update, now);
    update.await.unwrap();
    let next = world.post(chat, "two").await;
    reaches(&world, next, DeliveryStatus::Sent).await;
    let delivery = Some(world.engine.new_delivery_id());
    let delete = store.delete_message(world.bot, message, delivery, now);
    assert!(delete.await.unwrap());
    let last = world.post(chat, "three").await;
    reaches(&world, last, DeliveryStatus::Sent).await;
    assert_eq!(channel.seen(), ["one", "two", "three"]);
    let delivered = world.deliveries(DeliveryRecordStatus::Delivered).await;
    let sent = |record: &&switchboard_store::DeliveryRecord| record.message.is_some();
    assert_eq!(delivered.iter().filter(sent).count(), 3);
    assert!(
        world
            .deliveries(DeliveryRecordStatus::Dead)
            .await
            .is_empty()
    );
    worker.stop().await;
}
