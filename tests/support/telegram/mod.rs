//! A Telegram of our own: a Bot API server for one bot, on the loopback.
//!
//! Shapes and texts are those of the Bot API (<https://core.telegram.org/bots/api>) and of its
//! public server (<https://github.com/tdlib/telegram-bot-api>): offsets confirm and forget, a
//! second poll ends the first with 409, a webhook excludes polling and is served one update at a
//! time for each chat until 2xx, `allowed_updates` is remembered. Its state outlives the server
//! under test.
//!
//! ```ignore
//! let telegram = FakeTelegram::start().await;
//! let server = Server::builder().telegram(&telegram.url(), TOKEN).start().await;
//! telegram.push_text(501, 501, "hello");
//! telegram.wait_for_text(501, "hello").await; // the echo
//! telegram.on("sendMessage").answer(429, wait_5_seconds); // once
//! ```

#![allow(dead_code, reason = "a fake speaks more than each test asks")]

mod delivery;
mod html;
mod http;
mod methods;
mod script;
mod state;
mod tests;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

pub(crate) use delivery::Delivery;
pub(crate) use script::Rule;
pub(crate) use state::{Call, Sent};

use crate::support::wait;
use state::Shared;

/// The token of its bot.
pub(crate) const TOKEN: &str = "7000000001:fake-Bot_token";

/// A Bot API server. Dropping it ends it.
pub(crate) struct FakeTelegram {
    shared: Arc<Shared>,
    server: http::Server,
}

impl FakeTelegram {
    /// For the bot of [`TOKEN`].
    pub(crate) async fn start() -> Self {
        Self::start_as(TOKEN).await
    }

    /// For the bot of another token.
    pub(crate) async fn start_as(token: &str) -> Self {
        let shared = Arc::new(Shared::new(token));
        let server = http::Server::start(Arc::clone(&shared)).await;
        Self { shared, server }
    }

    /// What to give as the address of the Bot API server.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// From now on only this token is taken: 401 for others.
    pub(crate) fn set_token(&self, token: &str) {
        token.clone_into(&mut self.shared.lock().token);
    }

    /// From now on no token is taken.
    pub(crate) fn revoke_token(&self) {
        self.shared.lock().token.clear();
    }

    // ---- What people do.

    /// Something happens: an `Update`, with its `update_id` or to be numbered. Returns its number.
    ///
    /// As on Telegram, it comes to be only if its kind is among `allowed_updates` as last given;
    /// before they are, `chat_member` and reactions do not.
    pub(crate) fn push(&self, update: Value) -> i64 {
        let id = self.shared.push(update);
        delivery::wake(&self.shared);
        id
    }

    /// The same with the update's text exactly so, which need not be JSON that can be understood.
    pub(crate) fn push_raw(&self, text: &str) -> i64 {
        let id = self.shared.push_raw(text);
        delivery::wake(&self.shared);
        id
    }

    /// A person says something in a chat; in their private chat if `chat` is `person`. Returns the
    /// update's number.
    pub(crate) fn push_text(&self, chat: i64, person: i64, text: &str) -> i64 {
        let message_id = self.shared.lock().next_message_id(chat);
        let kind = if chat > 0 { "private" } else { "supergroup" };
        self.push(json!({ "message": {
            "message_id": message_id, "date": state::date(),
            "chat": { "id": chat, "type": kind },
            "from": { "id": person, "is_bot": false, "first_name": format!("P{person}") },
            "text": text,
        } }))
    }

    /// A chat has these topics and no others: sending elsewhere fails as on Telegram.
    pub(crate) fn set_topics(&self, chat: i64, topics: &[i64]) {
        let topics = topics.iter().copied().collect();
        self.shared.lock().topics.insert(chat, topics);
    }

    // ---- What the bot did.

    /// The calls of a method, in order; `*` for all.
    pub(crate) fn calls(&self, method: &str) -> Vec<Call> {
        let state = self.shared.lock();
        let calls = state.calls.iter();
        calls
            .filter(|call| method == "*" || call.method == method)
            .cloned()
            .collect()
    }

    /// The messages that were shown, in order, also those whose answer never arrived.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.shared.lock().sent.clone()
    }

    /// The texts that were shown in a chat.
    pub(crate) fn texts(&self, chat: i64) -> Vec<String> {
        let state = self.shared.lock();
        let sent = state.sent.iter().filter(|sent| sent.chat == chat);
        sent.map(|sent| sent.text.clone()).collect()
    }

    /// What a chat shows by now of what was sent there, in order of sending.
    pub(crate) fn shown(&self, chat: i64) -> Vec<String> {
        let state = self.shared.lock();
        let sent = state.sent.iter().filter(|sent| sent.chat == chat);
        sent.filter_map(|sent| sent.now.clone()).collect()
    }

    /// What guest queries were answered with, as it stands by now.
    pub(crate) fn guest_answers(&self) -> Vec<String> {
        self.shared.lock().guest_answers.values().cloned().collect()
    }

    /// Waits until a chat shows this and nothing else.
    pub(crate) async fn wait_for_shown(&self, chat: i64, texts: &[&str]) {
        self.wait_until(&format!("{chat} shows {texts:?}"), |telegram| {
            (telegram.shown(chat) == texts).then_some(())
        })
        .await;
    }

    /// The updates not yet confirmed or delivered, oldest first.
    pub(crate) fn pending(&self) -> Vec<i64> {
        let state = self.shared.lock();
        state.updates.iter().map(|update| update.id).collect()
    }

    /// The kinds of updates that were asked for last.
    pub(crate) fn allowed_updates(&self) -> Option<Vec<String>> {
        self.shared.lock().allowed.clone()
    }

    // ---- Waiting.

    /// Waits until there is an answer.
    pub(crate) async fn wait_until<T>(
        &self,
        what: &str,
        mut ask: impl FnMut(&Self) -> Option<T>,
    ) -> T {
        wait::until(what, || std::future::ready(ask(self))).await
    }

    /// Waits until a method was called so many times.
    pub(crate) async fn wait_for_calls(&self, method: &str, count: usize) -> Vec<Call> {
        self.wait_until(&format!("{count} calls of {method}"), |telegram| {
            let calls = telegram.calls(method);
            (calls.len() >= count).then_some(calls)
        })
        .await
    }

    /// Waits until so many messages were shown.
    pub(crate) async fn wait_for_sent(&self, count: usize) -> Vec<Sent> {
        self.wait_until(&format!("{count} messages were shown"), |telegram| {
            let sent = telegram.sent();
            (sent.len() >= count).then_some(sent)
        })
        .await
    }

    /// Waits until a text was shown in a chat.
    pub(crate) async fn wait_for_text(&self, chat: i64, text: &str) -> Sent {
        self.wait_until(&format!("{text:?} was shown in {chat}"), |telegram| {
            let mut sent = telegram.sent().into_iter();
            sent.find(|sent| sent.chat == chat && sent.text == text)
        })
        .await
    }

    /// Waits until nothing is pending: all was confirmed by an offset, or delivered.
    pub(crate) async fn wait_until_taken(&self) {
        self.wait_until("all updates are taken", |telegram| {
            telegram.pending().is_empty().then_some(())
        })
        .await;
    }

    // ---- What goes wrong.

    /// A rule for a method (`*`: all): how one matching call, unless said otherwise, is answered.
    /// Of several rules that match, the first given counts.
    pub(crate) fn on(&self, method: &str) -> Rule<'_> {
        Rule::new(&self.shared, method)
    }

    /// The rules of a case's `answers`, `{"method","status","body"[,"headers","when","unless"]}`.
    pub(crate) fn script(&self, answers: &Value) {
        for answer in answers.as_array().expect("a list of answers") {
            Rule::from_case(&self.shared, answer);
        }
    }

    /// From now on no connection is made, and those that stand break.
    pub(crate) fn refuse_connections(&mut self) {
        self.server.refuse();
    }

    /// Connections are made again, at the same address.
    pub(crate) async fn accept_connections(&mut self) {
        self.server.accept(Arc::clone(&self.shared)).await;
    }

    // ---- The webhook.

    /// The URL of the webhook that is set.
    pub(crate) fn webhook_url(&self) -> Option<String> {
        let state = self.shared.lock();
        state.webhook.as_ref().map(|webhook| webhook.url.clone())
    }

    /// From now on each update is posted so many times at once.
    pub(crate) fn set_copies(&self, copies: usize) {
        self.shared.lock().copies = copies;
    }

    /// What was posted to the webhook and how it was answered, in the order of the answers.
    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.shared.lock().deliveries.clone()
    }

    /// Posts an update to the webhook that is set, beside the queue: one more copy, or with
    /// another secret. The status and the body of the answer.
    pub(crate) async fn post(&self, update: &Value, secret: Option<&str>) -> (u16, String) {
        let webhook = self
            .shared
            .lock()
            .webhook
            .clone()
            .expect("a webhook is set");
        let secret = secret.map_or(webhook.secret, |secret| Some(secret.to_owned()));
        let client = crate::support::http::client();
        delivery::post(&client, &webhook.url, secret.as_deref(), update.to_string())
            .await
            .expect("an answer")
    }
}

impl Drop for FakeTelegram {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// The longest a poll waits, whatever it asks for: tests have less time than Telegram.
const LONGEST_POLL: Duration = Duration::from_secs(50);
