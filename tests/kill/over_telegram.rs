//! Over Telegram polling: people write to the bot while the server is killed.
//!
//! What may have been shown is told by the server itself (`uncertain` in a message's `delivery`), and
//! by the line of its chat. Not by the clock: on a busy machine Telegram may come to read long after
//! the kill what was written before it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::random::Random;
use crate::support::telegram::{FakeTelegram, TOKEN};
use crate::support::{Bot, Server, wait};

const ROUNDS: usize = 50;
const CHATS: u64 = 10;

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
    let mut pushed = Vec::new();
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
        server.start().await;
    }
    println!("{} updates in {ROUNDS} rounds", pushed.len());
    telegram.wait_until_taken().await;
    wait::within(Duration::from_mins(3), "every answer was shown", || async {
        let shown: BTreeSet<_> = telegram.sent().into_iter().map(|sent| sent.text).collect();
        (shown.len() == pushed.len()).then_some(())
    })
    .await;
    let uncertain = check_stored(&server, &pushed).await;
    check_told(&bot, &pushed);
    check_shown(&telegram, &pushed, &uncertain);
}

/// Each update made one message, and each message one answer. Tells of each answer how many of its
/// tries the server says may have been taken.
async fn check_stored(server: &Server, pushed: &[String]) -> BTreeMap<String, usize> {
    let api = server.integration();
    let conversations = api.list("/v1/chat/conversations", "conversations").await;
    let mut stored: BTreeMap<String, usize> = BTreeMap::new();
    let mut uncertain = BTreeMap::new();
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
            let tries = message["delivery"]["uncertain"].as_u64().unwrap_or(0);
            uncertain.insert(text.to_owned(), usize::try_from(tries).expect("a count"));
        }
    }
    for text in pushed {
        assert_eq!(stored.get(text), Some(&1), "{text} is stored so often");
        let answer = format!("echo: {text}");
        assert_eq!(stored.get(&answer), Some(&1), "{answer} is stored so often");
    }
    assert_eq!(stored.len(), 2 * pushed.len());
    uncertain
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

/// Of a message there are no more copies than the server says there may be, which is no more than one
/// a chat and kill; nothing else was shown between two of them, for only the head of a line is on its
/// way; and first copies are in order.
fn check_shown(telegram: &FakeTelegram, pushed: &[String], uncertain: &BTreeMap<String, usize>) {
    let mut shown: BTreeMap<i64, Vec<(String, usize)>> = BTreeMap::new();
    for sent in telegram.sent() {
        let chat = shown.entry(sent.chat).or_default();
        match chat.last_mut() {
            Some((text, copies)) if *text == sent.text => *copies += 1,
            _ => chat.push((sent.text, 1)),
        }
    }
    let mut doubled = 0;
    for (chat, texts) in shown {
        for (text, copies) in &texts {
            let may_be = uncertain[text];
            doubled += copies - 1;
            assert!(
                *copies <= 1 + may_be,
                "{text} was shown {copies} times, and {may_be} tries are marked as uncertain"
            );
        }
        let of_chat = |number: usize| 500 + i64::try_from(number as u64 % CHATS).unwrap_or(0);
        let expected: Vec<String> = (0..pushed.len())
            .filter(|number| of_chat(*number) == chat)
            .map(|number| format!("echo: {}", pushed[number]))
            .collect();
        let texts: Vec<String> = texts.into_iter().map(|(text, _)| text).collect();
        assert_eq!(texts, expected, "the order in chat {chat}");
    }
    let marked: usize = uncertain.values().sum();
    println!("{doubled} copies of answers were shown, and {marked} tries may have been taken");
    let most = ROUNDS * usize::try_from(CHATS).expect("a small number");
    assert!(marked <= most, "{marked} tries are marked as uncertain");
}
