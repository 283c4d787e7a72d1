//! Over Telegram polling: people write to the bot while the server is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::random::Random;
use crate::support::telegram::{FakeTelegram, TOKEN};
use crate::support::{Bot, Server, wait};

const ROUNDS: usize = 50;
const CHATS: u64 = 10;
/// How long before a kill a message that was in flight at it can have been shown: the fake's
/// slowest answer, and time for the commit on a busy machine.
const IN_FLIGHT: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_update_makes_one_message_and_only_what_was_in_flight_is_shown_twice() {
    let mut random = Random::new("kill::over_telegram");
    let telegram = Arc::new(FakeTelegram::start().await);
    // Slow enough that most kills meet a message on its way.
    for (remainder, millis) in [(0, 5), (1, 15), (2, 40)] {
        let slow = move |body: &Value| {
            let text = body["text"].as_str().unwrap_or_default();
            text.bytes().map(u64::from).sum::<u64>() % 3 == remainder
        };
        let rule = telegram.on("sendMessage").when(slow).always();
        rule.delay(Duration::from_millis(millis));
    }
    let bot = Bot::echo().await;
    let mut server = Server::builder()
        .telegram(&telegram.url(), TOKEN)
        // A person writes more than once a second here.
        .env("SWITCHBOARD_TELEGRAM_PACE", "off")
        .bot(&bot.url)
        .start()
        .await;
    let (mut pushed, mut kills) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let end =
            Instant::now() + random.between(Duration::from_millis(30), Duration::from_millis(400));
        while Instant::now() < end {
            let number = pushed.len() as u64;
            let chat = i64::try_from(500 + number % CHATS).expect("a small number");
            let text = format!("message {number}");
            telegram.push_text(chat, chat, &text);
            pushed.push(text);
            tokio::time::sleep(Duration::from_micros(random.below(8000))).await;
        }
        server.kill().await;
        kills.push(Instant::now());
        server.start().await;
    }
    println!("{} updates in {ROUNDS} rounds", pushed.len());
    telegram.wait_until_taken().await;
    wait::within(Duration::from_mins(3), "every answer was shown", || async {
        let shown: BTreeSet<_> = telegram.sent().into_iter().map(|sent| sent.text).collect();
        (shown.len() == pushed.len()).then_some(())
    })
    .await;
    check_stored(&server, &pushed).await;
    check_told(&bot, &pushed);
    check_shown(&telegram, &pushed, &kills);
}

/// Each update made one message, and each message one answer.
async fn check_stored(server: &Server, pushed: &[String]) {
    let api = server.integration();
    let conversations = api.list("/v1/chat/conversations", "conversations").await;
    let mut stored: BTreeMap<String, usize> = BTreeMap::new();
    let chats: BTreeSet<_> = conversations
        .iter()
        .map(|found| found["tags"]["id"].to_string())
        .collect();
    assert_eq!(
        chats.len(),
        conversations.len(),
        "a chat has two conversations"
    );
    for conversation in &conversations {
        for message in api.messages(conversation).await {
            let text = message["payload"]["text"].as_str().expect("a text");
            *stored.entry(text.to_owned()).or_default() += 1;
        }
    }
    for text in pushed {
        assert_eq!(stored.get(text), Some(&1), "{text} is stored so often");
        let answer = format!("echo: {text}");
        assert_eq!(stored.get(&answer), Some(&1), "{answer} is stored so often");
    }
    assert_eq!(stored.len(), 2 * pushed.len());
}

/// The bot was told of each message, on each try with the same event id.
fn check_told(bot: &Bot, pushed: &[String]) {
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for received in bot.received() {
        let text = received.text().expect("a text").to_owned();
        told.entry(text)
            .or_default()
            .insert(received.id().to_owned());
    }
    for text in pushed {
        assert_eq!(
            told.get(text).map(BTreeSet::len),
            Some(1),
            "events of {text}"
        );
    }
}

/// A second copy was shown only of what was in flight at a kill; first copies are in order.
fn check_shown(telegram: &FakeTelegram, pushed: &[String], kills: &[Instant]) {
    let mut shown: BTreeMap<String, Vec<Instant>> = BTreeMap::new();
    let mut firsts: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for sent in telegram.sent() {
        let copies = shown.entry(sent.text.clone()).or_default();
        if copies.is_empty() {
            firsts.entry(sent.chat).or_default().push(sent.text);
        }
        copies.push(sent.at);
    }
    let mut doubled = 0;
    for (text, copies) in &shown {
        for pair in copies.windows(2) {
            doubled += 1;
            let excused = kills
                .iter()
                .any(|kill| pair[0] <= *kill && *kill <= pair[1] && *kill - pair[0] <= IN_FLIGHT);
            assert!(excused, "{text} was shown twice without a kill between");
        }
    }
    println!("{doubled} of {} answers were shown twice", shown.len());
    for (chat, texts) in firsts {
        let expected: Vec<String> = pushed
            .iter()
            .enumerate()
            .filter(|(number, _)| 500 + i64::try_from(*number as u64 % CHATS).unwrap_or(0) == chat)
            .map(|(_, text)| format!("echo: {text}"))
            .collect();
        assert_eq!(texts, expected, "the order in chat {chat}");
    }
}
