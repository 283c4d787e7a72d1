//! From an update to its echo: a fake Bot API on loopback hands out updates, the built-in bot
//! answers, and the fake is asked to send. Each chat says its next word when it has heard the
//! echo of the one before.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::IntoResponse;
use axum::serve::ListenerExt as _;
use hdrhistogram::Histogram;
use serde::Deserialize;
use tokio::sync::Notify;

use crate::failure::{Result, failed};
use crate::measure::{Effort, Measured, histogram, record, share};
use crate::report::Row;
use crate::server::Server;
use crate::system::cpu_time;

/// What stands before the colon is the account's number.
const TOKEN: &str = "4242:bench-token-that-opens-nothing";
/// The longest that nothing may happen.
const PATIENCE: Duration = Duration::from_secs(20);

struct Fake {
    state: Mutex<Said>,
    news: Notify,
}

struct Said {
    updates: VecDeque<(i64, String)>,
    next: i64,
    /// When each chat has said what it wants to hear again.
    waiting: HashMap<i64, Instant>,
    measuring: bool,
    heard: u64,
    times: Histogram<u64>,
}

/// What is read of both methods' bodies.
#[derive(Deserialize)]
struct Call {
    offset: Option<i64>,
    limit: Option<usize>,
    timeout: Option<u64>,
    chat_id: Option<serde_json::Value>,
}

impl Fake {
    fn lock(&self) -> std::sync::MutexGuard<'_, Said> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn get_updates(&self, call: &Call) -> String {
        let offset = call.offset.unwrap_or(0);
        let limit = call.limit.unwrap_or(100);
        let until = Instant::now() + Duration::from_secs(call.timeout.unwrap_or(0));
        loop {
            let news = self.news.notified();
            {
                let mut said = self.lock();
                while said.updates.front().is_some_and(|(id, _)| *id < offset) {
                    said.updates.pop_front();
                }
                if !said.updates.is_empty() || Instant::now() >= until {
                    let texts: Vec<_> = said
                        .updates
                        .iter()
                        .take(limit)
                        .map(|(_, text)| text.as_str())
                        .collect();
                    return format!("[{}]", texts.join(","));
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            // Either way there is something to look at again.
            drop(tokio::time::timeout(left, news).await);
        }
    }

    fn send_message(&self, call: &Call) -> String {
        let chat = match &call.chat_id {
            Some(serde_json::Value::String(text)) => text.parse().unwrap_or(0),
            Some(value) => value.as_i64().unwrap_or(0),
            None => 0,
        };
        let number = {
            let mut said = self.lock();
            said.heard += 1;
            if let Some(since) = said.waiting.remove(&chat)
                && said.measuring
            {
                record(&mut said.times, since.elapsed());
            }
            said.say(chat)
        };
        self.news.notify_one();
        format!(
            r#"{{"message_id":{number},"date":1750000000,"chat":{{"id":{chat},"type":"private"}},"text":"-"}}"#
        )
    }
}

impl Said {
    /// A chat says something. Returns its number.
    fn say(&mut self, chat: i64) -> i64 {
        let number = self.next;
        self.next += 1;
        let update = format!(
            r#"{{"update_id":{number},"message":{{"message_id":{number},"date":1750000000,"chat":{{"id":{chat},"type":"private","first_name":"Person"}},"from":{{"id":{chat},"is_bot":false,"first_name":"Person {chat}","username":"person{chat}"}},"text":"Word number {number}"}}}}"#
        );
        self.updates.push_back((number, update));
        self.waiting.insert(chat, Instant::now());
        number
    }
}

async fn answer(State(fake): State<Arc<Fake>>, uri: Uri, body: Bytes) -> impl IntoResponse {
    let call = serde_json::from_slice(&body).unwrap_or(Call {
        offset: None,
        limit: None,
        timeout: None,
        chat_id: None,
    });
    let method = uri.path().rsplit('/').next().unwrap_or_default();
    let result = match method {
        "getUpdates" => fake.get_updates(&call).await,
        "sendMessage" => fake.send_message(&call),
        "getMe" => {
            r#"{"id":4242,"is_bot":true,"first_name":"Bench","username":"bench_bot"}"#.to_owned()
        }
        "getWebhookInfo" => {
            r#"{"url":"","has_custom_certificate":false,"pending_update_count":0}"#.to_owned()
        }
        _ => "true".to_owned(),
    };
    let text = format!(r#"{{"ok":true,"result":{result}}}"#);
    ([(header::CONTENT_TYPE, "application/json")], text)
}

/// The row with so many chats.
pub(crate) async fn row(
    folder: &Path,
    program: &Path,
    chats: usize,
    effort: Effort,
) -> Result<Row> {
    let fake = Arc::new(Fake {
        state: Mutex::new(Said {
            updates: VecDeque::new(),
            next: 1,
            waiting: HashMap::new(),
            measuring: false,
            heard: 0,
            times: histogram()?,
        }),
        news: Notify::new(),
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let router = Router::new().fallback(answer).with_state(Arc::clone(&fake));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });

    let settings = [
        ("SWITCHBOARD_TELEGRAM_TOKEN", TOKEN),
        ("SWITCHBOARD_TELEGRAM_API_URL", url.as_str()),
        // The row is for the server, not for Telegram's limits.
        ("SWITCHBOARD_TELEGRAM_PACE", "off"),
    ];
    let server = Server::start(program, folder, &settings)?;
    {
        let mut said = fake.lock();
        for chat in 1..=i64::try_from(chats).unwrap_or(1) {
            said.say(chat);
        }
    }
    fake.news.notify_one();
    let begun = Instant::now();
    while fake.lock().heard < chats as u64 {
        if begun.elapsed() > PATIENCE {
            return failed("the echo of the first updates did not come");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(effort.warm).await;
    let mut rounds = Vec::new();
    for _ in 0..effort.rounds {
        rounds.push(round(&fake, server.pid(), effort.time).await?);
    }
    serving.abort();
    let ours = Measured::median(&rounds);
    if ours.per_second == 0.0 {
        return failed("no echo came while it was measured");
    }
    Ok(Row {
        name: "update to sendMessage".to_owned(),
        callers: chats,
        stored: 0,
        at_size: false,
        ours,
        ceiling: None,
        ratio: None,
        minimal: None,
        minimal_ratio: None,
        goal: None,
        batch: None,
    })
}

async fn round(fake: &Fake, server: u32, time: Duration) -> Result<Measured> {
    let start = Instant::now();
    let before = (cpu_time(Some(server))?, cpu_time(None)?);
    {
        let mut said = fake.lock();
        said.measuring = true;
        said.times.reset();
    }
    tokio::time::sleep(time).await;
    while fake.lock().times.is_empty() && start.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let took = start.elapsed();
    let mut measured = {
        let mut said = fake.lock();
        said.measuring = false;
        Measured::new(&said.times, took)
    };
    let used = |now: Duration, before| share(now.saturating_sub(before), took);
    measured.server_cpu = Some(used(cpu_time(Some(server))?, before.0));
    measured.load_cpu = Some(used(cpu_time(None)?, before.1));
    Ok(measured)
}
