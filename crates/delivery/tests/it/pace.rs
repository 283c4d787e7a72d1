//! A channel that limits how fast it may be.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use switchboard_delivery::Policy;
use switchboard_engine::Condition;
use switchboard_integration::{Lease, Outbound, Outgoing, Parts, Room, SendOutcome};
use switchboard_model::{DeliveryStatus, Tags};

use crate::support::{World, eventually, quick, text};

/// A channel with so much room, that holds what is named back once.
struct Narrow {
    room: Mutex<Room>,
    held: AtomicBool,
    broken: AtomicBool,
    begun: AtomicUsize,
    seen: Mutex<Vec<String>>,
}

impl Narrow {
    fn new(room: Room) -> Arc<Self> {
        Arc::new(Self {
            room: Mutex::new(room),
            held: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            begun: AtomicUsize::new(0),
            seen: Mutex::default(),
        })
    }
}

#[async_trait]
impl Outbound for Narrow {
    fn room(&self) -> Room {
        *self.room.lock().unwrap()
    }

    async fn send(&self, message: &Outgoing, _: &dyn Parts, _: Lease) -> SendOutcome {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let text = text(&message.message.payload);
        if text == "held" && !self.held.swap(true, Ordering::SeqCst) {
            return SendOutcome::Held {
                after: Duration::from_millis(10),
                error: "not its turn".to_owned(),
            };
        }
        if self.broken.load(Ordering::SeqCst) {
            return SendOutcome::AccountBroken {
                error: "no such token".to_owned(),
            };
        }
        self.seen.lock().unwrap().push(text);
        SendOutcome::Done(Tags::new())
    }
}

#[tokio::test]
async fn it_goes_on_when_there_is_room_again() {
    let world = World::new().await;
    let chat = world.say("chat", "hello").await.1;
    let message = world.post(chat, "x").await;
    let pause = Duration::from_millis(200);
    let start = Instant::now();
    let channel = Narrow::new(Room::NotBefore(start + pause));
    let policy = Policy {
        poll: Duration::from_hours(1),
        ..quick()
    };
    let worker = world.run_channel(channel.clone(), policy);
    tokio::time::sleep(pause / 2).await;
    assert_eq!(channel.begun.load(Ordering::SeqCst), 0);
    *channel.room.lock().unwrap() = Room::Free;
    eventually("it is sent", async || {
        let report = world.message(message).await.delivery.unwrap();
        (report.status == DeliveryStatus::Sent).then_some(())
    })
    .await;
    assert!(start.elapsed() >= pause);
    worker.stop().await;
}

#[tokio::test]
async fn what_is_held_back_uses_up_no_try_keeps_its_place_and_says_nothing_of_the_account() {
    let world = World::new().await;
    let chat = world.say("chat", "hello").await.1;
    let held = world.post(chat, "held").await;
    let next = world.post(chat, "next").await;
    let channel = Narrow::new(Room::Free);
    channel.broken.store(true, Ordering::SeqCst);
    let policy = Policy {
        // Shorter than all the waiting.
        patience: Duration::from_millis(1),
        ..quick()
    };
    let other = world.say("other", "hello").await.1;
    world.post(other, "probe").await;
    let worker = world.run_channel(channel.clone(), policy);
    eventually("the account is found broken", async || {
        let all = world.engine.health().all();
        all.iter()
            .any(|(_, condition)| matches!(condition, Condition::Troubled(_)))
            .then_some(())
    })
    .await;
    channel.broken.store(false, Ordering::SeqCst);
    eventually("all is sent", async || {
        let report = world.message(next).await.delivery.unwrap();
        (report.status == DeliveryStatus::Sent).then_some(())
    })
    .await;
    let report = world.message(held).await.delivery.unwrap();
    assert_eq!(report.status, DeliveryStatus::Sent);
    assert_eq!(report.attempts, 1);
    let seen = channel.seen.lock().unwrap().clone();
    let of_chat: Vec<_> = seen.iter().filter(|text| *text != "probe").collect();
    assert_eq!(of_chat, ["held", "next"]);
    worker.stop().await;
}
