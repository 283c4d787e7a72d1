//! The promise: within a conversation everything is delivered in the order in which it was stored,
//! one at a time; conversations do not wait for each other.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::bot::Received;
use crate::support::telegram::{FakeTelegram, TOKEN};
use crate::support::{Bot, Reply, Server, texts, wait};

/// The texts that the bot saw of a conversation, in order, each once.
fn seen(received: &[Received], conversation: &str) -> Vec<String> {
    let mut texts: Vec<String> = received
        .iter()
        .filter(|received| received.conversation_id() == Some(conversation))
        .filter_map(|received| received.text().map(str::to_owned))
        .collect();
    texts.dedup();
    texts
}

#[tokio::test]
async fn a_bot_is_told_one_event_of_a_conversation_at_a_time_and_in_order() {
    let bot = Bot::start(|_| Reply::nothing().after(Duration::from_millis(5))).await;
    let server = Server::builder().bot(&bot.url).start().await;
    let api = server.integration();
    let mut tasks = JoinSet::new();
    for thread in 0..10 {
        let api = api.clone();
        tasks.spawn(async move {
            let conversation = api.conversation(&format!("-{thread}")).await;
            let user = api.user("1").await;
            for n in 0..20 {
                api.say(&conversation, &user, &format!("{n}")).await;
            }
            conversation["id"].as_str().expect("an id").to_owned()
        });
    }
    let conversations = tasks.join_all().await;
    let received = bot.wait_for(200).await;
    let expected: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    for conversation in conversations {
        assert_eq!(seen(&received, &conversation), expected);
    }
    assert_eq!(received.len(), 200, "nothing is sent twice without need");
}

#[tokio::test]
async fn writers_at_once_get_places_and_the_bot_is_told_in_that_order() {
    let in_flight = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(Mutex::new(0));
    let (counted, kept) = (Arc::clone(&in_flight), Arc::clone(&most));
    let bot = Bot::start(move |_| {
        // The bot's answer takes 2 ms; a second request within would see the first.
        let now = counted.fetch_add(1, Ordering::SeqCst) + 1;
        let mut most = kept.lock().expect("not poisoned");
        *most = now.max(*most);
        let counted = Arc::clone(&counted);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(2)).await;
            counted.fetch_sub(1, Ordering::SeqCst);
        });
        Reply::nothing().after(Duration::from_millis(4))
    })
    .await;
    let server = Server::builder().bot(&bot.url).start().await;
    let api = server.integration();
    let conversation = api.conversation("501").await;
    let user = api.user("501").await;
    let mut tasks = JoinSet::new();
    for n in 0..50 {
        let (api, conversation, user) = (api.clone(), conversation.clone(), user.clone());
        tasks.spawn(async move { api.say(&conversation, &user, &format!("{n}")).await });
    }
    tasks.join_all().await;
    let received = bot.wait_for(50).await;
    let stored = api.messages(&conversation).await;
    let id = conversation["id"].as_str().expect("an id");
    assert_eq!(seen(&received, id), texts(&stored));
    assert_eq!(*most.lock().expect("not poisoned"), 1);
}

#[tokio::test]
async fn a_slow_conversation_holds_up_no_other() {
    let bot = Bot::start(|received| match received.text() {
        Some("slow") => Reply::nothing().after(Duration::from_secs(15)),
        _ => Reply::nothing(),
    })
    .await;
    let mut server = Server::builder().bot(&bot.url).start().await;
    let api = server.integration();
    let user = api.user("1").await;
    // More slow ones than any small pool of workers has.
    for thread in 0..100 {
        let slow = api.conversation(&format!("slow{thread}")).await;
        api.say(&slow, &user, "slow").await;
    }
    bot.wait_for_text("slow").await;
    let start = Instant::now();
    for thread in 0..20 {
        let quick = api.conversation(&format!("quick{thread}")).await;
        api.say(&quick, &user, &format!("quick {thread}")).await;
    }
    for thread in 0..20 {
        bot.wait_for_text(&format!("quick {thread}")).await;
    }
    let took = start.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    server.kill().await;
}

#[tokio::test]
async fn a_failing_event_is_passed_by_none_of_its_conversation_and_by_all_others() {
    let tries: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
    let counted = Arc::clone(&tries);
    let bot = Bot::start(move |received| {
        let text = received.text().unwrap_or_default().to_owned();
        let mut tries = counted.lock().expect("not poisoned");
        let tries = tries.entry(text.clone()).or_default();
        *tries += 1;
        if text == "stubborn" && *tries < 4 {
            Reply::status(500)
        } else {
            Reply::nothing()
        }
    })
    .await;
    let server = Server::builder().bot(&bot.url).start().await;
    let api = server.integration();
    let user = api.user("1").await;
    let one = api.conversation("one").await;
    let two = api.conversation("two").await;
    for text in ["stubborn", "second", "third"] {
        api.say(&one, &user, text).await;
    }
    api.say(&two, &user, "elsewhere").await;
    bot.wait_for_text("third").await;
    let received = bot.received();
    let id = one["id"].as_str().expect("an id");
    assert_eq!(seen(&received, id), ["stubborn", "second", "third"]);
    let place = |text: &str| {
        received
            .iter()
            .position(|received| received.text() == Some(text))
    };
    assert!(place("elsewhere") < place("second"));
}

#[tokio::test]
async fn answers_are_listed_in_the_order_of_the_bot_s_response() {
    let bot = Bot::start(|_| Reply::texts(&["a", "b", "c", "d", "e"])).await;
    let mut server = Server::builder().bot(&bot.url).start().await;
    server.expect_dead_deliveries();
    let api = server.integration();
    let conversation = api.conversation("501").await;
    let user = api.user("501").await;
    api.say(&conversation, &user, "hi").await;
    wait::until("the answers are there", || async {
        let messages = api.messages(&conversation).await;
        (messages.len() == 6).then(|| assert_eq!(texts(&messages), ["hi", "a", "b", "c", "d", "e"]))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_s_messages_go_to_telegram_one_at_a_time_in_the_order_of_their_places() {
    // The case "api-011".
    let telegram = FakeTelegram::start().await;
    let delays = [0, 10, 25, 50].map(Duration::from_millis);
    let delay_of = move |text: &str| delays[text.len() % 4];
    for delay in delays {
        let rule = telegram.on("sendMessage").always();
        rule.when(move |body| delay_of(body["text"].as_str().unwrap_or_default()) == delay)
            .delay(delay);
    }
    let server = Server::builder()
        .telegram(&telegram.url(), TOKEN)
        // As fast as it can: so an order that is wrong shows.
        .env("SWITCHBOARD_TELEGRAM_PACE", "off")
        .start()
        .await;
    let api = server.bot();
    let conversation = server.integration().conversation("501").await;
    let me = json!({ "id": api.bot_id });
    for n in 0..50 {
        api.say(&conversation, &me, &format!("{n}{}", ".".repeat(n % 5)))
            .await;
    }
    let mut tasks = JoinSet::new();
    for n in 50..100 {
        let (api, conversation, me) = (api.clone(), conversation.clone(), me.clone());
        let text = format!("{n}{}", ".".repeat(n % 5));
        tasks.spawn(async move { api.say(&conversation, &me, &text).await });
    }
    tasks.join_all().await;
    telegram.wait_for_sent(100).await;
    let stored = api.messages(&conversation).await;
    assert_eq!(telegram.texts(501), texts(&stored));
    let calls = telegram.calls("sendMessage");
    assert_eq!(calls.len(), 100, "one copy of each");
    for pair in calls.windows(2) {
        let delay = delay_of(pair[0].body["text"].as_str().expect("a text"));
        assert!(
            pair[1].at - pair[0].at >= delay,
            "two calls of one chat at once"
        );
    }
}
