//! Over HTTP: programs write through the runtime API while the server is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::random::Random;
use crate::support::{Api, Bot, Server, wait};

const ROUNDS: usize = 50;
const WRITERS: usize = 8;
const THREADS: u64 = 20;

/// What the server has acknowledged: external message id → message id.
#[derive(Default)]
struct Acknowledged {
    messages: Mutex<BTreeMap<String, String>>,
    next: AtomicU64,
}

impl Acknowledged {
    fn count(&self) -> usize {
        self.messages.lock().expect("not poisoned").len()
    }

    /// Writes until the server is gone. A message whose answer did not come is tried again in the
    /// next round, as a program that lost the answer would.
    async fn write(&self, api: Api, mut retry: Option<u64>) -> Option<u64> {
        loop {
            let number = retry
                .take()
                .unwrap_or_else(|| self.next.fetch_add(1, Ordering::SeqCst));
            if self.write_one(&api, number).await.is_none() {
                return Some(number);
            }
        }
    }

    /// A thread, a user and a message; `None` if the server went away meanwhile.
    async fn write_one(&self, api: &Api, number: u64) -> Option<()> {
        let thread = json!({ "id": format!("thread {}", number % THREADS) });
        let object = async |path: &str, body: Value, name: &str| {
            let answer = api.try_post(path, &body).await.ok()?;
            assert!(answer.status < 300, "{path}: {}", answer.body);
            Some(answer.body[name]["id"].as_str().expect("an id").to_owned())
        };
        let conversation = object(
            "/v1/chat/conversations/get-or-create",
            json!({ "channel": "channel", "tags": thread, "discriminateByTags": ["id"] }),
            "conversation",
        )
        .await?;
        let user = object(
            "/v1/chat/users/get-or-create",
            json!({ "tags": thread, "discriminateByTags": ["id"] }),
            "user",
        )
        .await?;
        let external = format!("message {number}");
        let message = object(
            "/v1/chat/messages/get-or-create",
            json!({
                "conversationId": conversation, "userId": user, "type": "text",
                "payload": { "text": external }, "tags": { "id": external },
                "discriminateByTags": ["id"],
            }),
            "message",
        )
        .await?;
        let mut messages = self.messages.lock().expect("not poisoned");
        let earlier = messages.insert(external, message.clone());
        assert!(earlier.is_none_or(|earlier| earlier == message));
        Some(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_message_is_there_once_and_the_bot_was_told_of_it() {
    let mut random = Random::new("kill::over_http");
    let bot = Bot::echo().await;
    let mut server = Server::builder().bot(&bot.url).start().await;
    server.expect_dead_deliveries(); // The echoes: there is no Telegram token.
    let acknowledged = Arc::new(Acknowledged::default());
    let mut unanswered: Vec<Option<u64>> = vec![None; WRITERS];
    let mut busy_rounds = 0;
    for _ in 0..ROUNDS {
        let before = acknowledged.count();
        let mut writers = JoinSet::new();
        for retry in unanswered.drain(..) {
            let (acknowledged, api) = (Arc::clone(&acknowledged), server.integration());
            writers.spawn(async move { acknowledged.write(api, retry).await });
        }
        let moment = random.between(Duration::from_millis(30), Duration::from_millis(400));
        tokio::time::sleep(moment).await;
        server.kill().await;
        unanswered = writers.join_all().await;
        busy_rounds += usize::from(acknowledged.count() > before);
        server.start().await;
    }
    // The last ones to be tried again.
    let api = server.integration();
    for number in unanswered.into_iter().flatten() {
        acknowledged
            .write_one(&api, number)
            .await
            .expect("the server lives");
    }
    println!(
        "{} messages in {busy_rounds} busy rounds",
        acknowledged.count()
    );
    assert!(busy_rounds * 2 > ROUNDS, "the kills came before any work");

    wait::within(Duration::from_mins(2), "the outbox is empty", || async {
        let answer = server.bot().get("/v1/chat/events?status=pending").await;
        answer
            .ok("events")
            .as_array()
            .expect("a list")
            .is_empty()
            .then_some(())
    })
    .await;
    check(&server, &bot, &acknowledged).await;
}

async fn check(server: &Server, bot: &Bot, acknowledged: &Acknowledged) {
    let api = server.integration();
    let conversations = api.list("/v1/chat/conversations", "conversations").await;
    let threads: BTreeSet<_> = conversations
        .iter()
        .map(|found| found["tags"]["id"].to_string())
        .collect();
    assert_eq!(
        threads.len(),
        conversations.len(),
        "a thread has two conversations"
    );

    let mut stored: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut answers: BTreeMap<String, usize> = BTreeMap::new();
    for conversation in &conversations {
        for message in api.messages(conversation).await {
            let text = message["payload"]["text"]
                .as_str()
                .expect("a text")
                .to_owned();
            let id = message["id"].as_str().expect("an id").to_owned();
            match text.strip_prefix("echo: ") {
                Some(text) => *answers.entry(text.to_owned()).or_default() += 1,
                None => stored.entry(text).or_default().push(id),
            }
        }
    }
    for (external, id) in acknowledged.messages.lock().expect("not poisoned").iter() {
        assert_eq!(stored.get(external), Some(&vec![id.clone()]), "{external}");
    }
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for received in bot.received() {
        let text = received.text().expect("a text").to_owned();
        told.entry(text)
            .or_default()
            .insert(received.id().to_owned());
    }
    for (external, ids) in &stored {
        assert_eq!(ids.len(), 1, "{external} is stored {} times", ids.len());
        let events = told.get(external).map_or(0, BTreeSet::len);
        assert_eq!(
            events, 1,
            "{external} made {events} events that the bot saw"
        );
        // The answer was stored in one transaction with the event's completion.
        assert_eq!(answers.get(external), Some(&1), "answers to {external}");
    }
}
