//! What the fake remembers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio::sync::watch;

use super::delivery::Delivery;
use super::script::Scripted;

/// The state, and a signal at each change of it.
pub(super) struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) token: String,
    pub(super) closed: bool,
    pub(super) calls: Vec<Call>,
    pub(super) sent: Vec<Sent>,
    /// What guest queries were answered with, by the id of the message that shows it.
    pub(super) guest_answers: BTreeMap<String, String>,
    pub(super) scripted: Vec<Scripted>,
    pub(super) updates: VecDeque<Update>,
    next_update: i64,
    next_message: BTreeMap<i64, i64>,
    pub(super) topics: BTreeMap<i64, BTreeSet<i64>>,
    pub(super) allowed: Option<Vec<String>>,
    /// The number of the poll that is under way, or was.
    pub(super) poll: u64,
    /// Why a poll before that one ends.
    pub(super) poll_ended_by: &'static str,
    pub(super) webhook: Option<Webhook>,
    pub(super) copies: usize,
    pub(super) deliveries: Vec<Delivery>,
    /// The chats whose updates are being delivered.
    pub(super) delivering: BTreeSet<String>,
}

/// One call of the bot's.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) body: Value,
    pub(crate) at: Instant,
    /// What was answered; none while the answer is outstanding, or where it never came.
    pub(crate) status: Option<u16>,
}

/// One message that was shown.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) chat: i64,
    pub(crate) thread: Option<i64>,
    pub(crate) text: String,
    /// `text`, `photo`, …
    pub(crate) kind: String,
    /// What it says by now; none once it is deleted.
    pub(crate) now: Option<String>,
    pub(crate) markup: Value,
    pub(crate) message_id: i64,
    pub(crate) at: Instant,
}

/// An update not yet taken.
#[derive(Debug, Clone)]
pub(super) struct Update {
    pub(super) id: i64,
    pub(super) text: String,
    /// Updates of one line are delivered one after the other.
    pub(super) line: String,
}

/// The webhook that is set.
#[derive(Debug, Clone)]
pub(super) struct Webhook {
    pub(super) url: String,
    pub(super) secret: Option<String>,
    pub(super) last_error: Option<(i64, String)>,
}

/// What a bot that has named no kinds does not get.
const UNASKED: [&str; 3] = ["chat_member", "message_reaction", "message_reaction_count"];

impl Shared {
    pub(super) fn new(token: &str) -> Self {
        let state = State {
            token: token.to_owned(),
            next_update: 9001,
            copies: 1,
            ..State::default()
        };
        Self {
            state: Mutex::new(state),
            changed: watch::Sender::new(0),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(super) fn change(&self) {
        self.changed.send_modify(|number| *number += 1);
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.change();
    }

    pub(super) fn push(&self, mut update: Value) -> i64 {
        let id = {
            let mut state = self.lock();
            let id = update["update_id"].as_i64().unwrap_or(state.next_update);
            update["update_id"] = id.into();
            state.next_update = id + 1;
            let fields = update.as_object().expect("an update is an object");
            let kind = fields.keys().find(|name| *name != "update_id");
            if state.allows(kind.map(String::as_str)) {
                let line = line(&update);
                state.enqueue(id, update.to_string(), line);
            }
            id
        };
        self.change();
        id
    }

    pub(super) fn push_raw(&self, text: &str) -> i64 {
        let id = {
            let mut state = self.lock();
            let read: Option<Value> = serde_json::from_str(text).ok();
            let given = read
                .as_ref()
                .and_then(|update| update["update_id"].as_i64());
            let id = given.unwrap_or(state.next_update);
            state.next_update = id + 1;
            let line = read.as_ref().map_or_else(String::new, line);
            state.enqueue(id, text.to_owned(), line);
            id
        };
        self.change();
        id
    }
}

impl State {
    fn allows(&self, kind: Option<&str>) -> bool {
        let Some(kind) = kind else { return true };
        match &self.allowed {
            Some(allowed) => allowed.iter().any(|name| name == kind),
            None => !UNASKED.contains(&kind),
        }
    }

    fn enqueue(&mut self, id: i64, text: String, line: String) {
        self.updates.push_back(Update { id, text, line });
    }

    /// The message that a call names, if it is there.
    pub(super) fn find(&mut self, body: &Value) -> Option<&mut Sent> {
        let (chat, number) = (body["chat_id"].as_i64()?, body["message_id"].as_i64()?);
        self.sent
            .iter_mut()
            .find(|sent| sent.chat == chat && sent.message_id == number && sent.now.is_some())
    }

    /// Messages are numbered per chat, whoever sends them.
    pub(super) fn next_message_id(&mut self, chat: i64) -> i64 {
        let next = self.next_message.entry(chat).or_insert(5000);
        *next += 1;
        *next
    }
}

/// Seconds since 1970, as Telegram counts.
#[expect(clippy::disallowed_methods, reason = "Telegram has a clock of its own")]
pub(super) fn date() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0))
}

/// The chat of an update, or its kind where it has none.
fn line(update: &Value) -> String {
    let mut fields = update.as_object().into_iter().flatten();
    let Some((kind, content)) = fields.find(|(name, _)| *name != "update_id") else {
        return String::new();
    };
    [&content["chat"]["id"], &content["message"]["chat"]["id"]]
        .into_iter()
        .find_map(Value::as_i64)
        .map_or_else(|| kind.clone(), |chat| chat.to_string())
}
