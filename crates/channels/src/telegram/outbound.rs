//! Message → calls.
//!
//! Promises: every part goes to the thread of the conversation, in order; a part that has left is
//! recorded before the next is sent, so that a later try goes on behind it.
//! What never happens here: a part sent without time left on the lease, another chat or topic in
//! the place of one that refuses.

mod edit;
pub(super) mod form;
pub(super) mod keyboard;
pub(super) mod note;
mod payload;
pub(super) mod plan;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Map, Value, json};
use switchboard_integration::{Deletion, Lease, Outbound, Outgoing, Parts, Room, SendOutcome};
use switchboard_model::{Conversation, Message, MessageId, Tags};

use super::account::Account;
use super::answer::{Verdict, judge};
use super::buttons;
use super::guest;
use super::moves;
use super::pace;
use super::thread::{Thread, Topic};
use form::{Changes, Form, Shown};
use keyboard::Keyboard;
use note::Note;
use plan::{Call, Plan};

/// With less time than this on the lease nothing is begun.
const LEAST_TIME: Duration = Duration::from_secs(1);

/// One try of one message.
#[derive(Clone, Copy)]
struct Try {
    message: MessageId,
    lease: Lease,
    /// How long it may wait for its turns.
    patient_until: Instant,
}

impl Try {
    fn begin(message: MessageId, lease: Lease) -> Self {
        let patience = pace::PATIENCE.min(lease.left().unwrap_or_default() / 2);
        Self {
            message,
            lease,
            patient_until: Instant::now() + patience,
        }
    }
}

/// Why a part was not sent.
enum Stop {
    Over(SendOutcome),
    /// The group has become this supergroup.
    Moved(i64),
}

impl Stop {
    /// For a part that was sent to where the chat had moved to.
    fn outcome(self) -> SendOutcome {
        match self {
            Self::Over(outcome) => outcome,
            Self::Moved(chat) => SendOutcome::Retry {
                error: format!("the group has become a supergroup again: {chat}"),
            },
        }
    }
}

#[async_trait]
impl Outbound for Account {
    fn room(&self) -> Room {
        self.pace.as_ref().map_or(Room::Free, |pace| pace.room())
    }

    async fn send(&self, message: &Outgoing, parts: &dyn Parts, lease: Lease) -> SendOutcome {
        let sent = match guest::query(&message.conversation.tags) {
            Ok(None) => self.send_parts(message, parts, lease).await,
            Ok(Some(query)) => self.answer_guest(query, message, parts, lease).await,
            Err(error) => Err(SendOutcome::Permanent { error }),
        };
        self.tell(sent)
    }

    async fn edit(&self, message: &Outgoing, parts: &dyn Parts, lease: Lease) -> SendOutcome {
        self.tell(self.edit_parts(message, parts, lease).await)
    }

    async fn delete(&self, deletion: &Deletion, parts: &dyn Parts, lease: Lease) -> SendOutcome {
        self.tell(self.delete_parts(deletion, parts, lease).await)
    }
}

impl Account {
    /// The outcome, and what it says of the account.
    fn tell(&self, sent: Result<Tags, SendOutcome>) -> SendOutcome {
        let outcome = sent.map_or_else(|outcome| outcome, SendOutcome::Done);
        match &outcome {
            SendOutcome::Done(_) => self.condition.sends(),
            SendOutcome::AccountBroken { error } => self.condition.cannot_send(error.clone()),
            _ => {}
        }
        outcome
    }

    async fn send_parts(
        &self,
        outgoing: &Outgoing,
        parts: &dyn Parts,
        lease: Lease,
    ) -> Result<Tags, SendOutcome> {
        let permanent = |error: String| SendOutcome::Permanent { error };
        let plan = Plan::of(&outgoing.message).map_err(|fault| permanent(fault.to_string()))?;
        let mut thread = self
            .target(&outgoing.conversation.tags)
            .map_err(|unknown| permanent(format!("{unknown}; mend the tags, then send again")))?;
        let sent = parts.sent();
        if sent.is_empty() {
            self.keep_values(&plan.kept).await?;
        }
        let next = sent.last().map_or(0, |part| part.part + 1);
        let mut shown = Shown::default();
        for part in sent {
            shown.add(&part.external_id, note::changes(part));
        }
        let reply = reply(&outgoing.message.tags);
        let this = Try::begin(outgoing.message.id, lease);
        for (part, call) in (0..).zip(plan.calls).skip(next as usize) {
            let call = match &reply {
                Some(reply) if part == 0 => call.answering(reply),
                _ => call,
            };
            let next = self.send_next(outgoing, &mut thread, (part, call), (parts, this));
            let (id, changes) = next.await?;
            shown.add(&id, changes);
        }
        Ok(shown.tags())
    }

    /// Sends one part, also to where the chat has moved, and records it. Gives Telegram's number of
    /// it, which is empty if it said none, and in which way it is said.
    async fn send_next(
        &self,
        outgoing: &Outgoing,
        thread: &mut Thread,
        (part, call): (u32, Call),
        (parts, this): (&dyn Parts, Try),
    ) -> Result<(String, Changes), SendOutcome> {
        let mut form = Form::of(call);
        let sent = match self.send_part(thread, &mut form, this).await {
            Err(Stop::Moved(chat)) => {
                self.follow(&outgoing.conversation, thread, chat).await?;
                self.send_part(thread, &mut form, this).await
            }
            sent => sent,
        };
        let id = sent.map_err(Stop::outcome)?.unwrap_or_default();
        let noted = Note::of(&self.number, thread, &form).part(part, &id);
        parts
            .record(noted)
            .await
            .map_err(|error| SendOutcome::Uncertain {
                error: format!("part {} was sent, but not recorded: {error}", part + 1),
            })?;
        Ok((id, form.changes))
    }

    /// Sends one part, or tells how the try ends. What Telegram refuses for its form goes out once
    /// more in a plainer one. Gives Telegram's number of it, if it said one.
    async fn send_part(
        &self,
        thread: &Thread,
        form: &mut Form,
        this: Try,
    ) -> Result<Option<String>, Stop> {
        let permanent = |error: String| Stop::Over(SendOutcome::Permanent { error });
        loop {
            let mut parameters = form.call.parameters.clone();
            address(thread, &mut parameters);
            let called = self.call_in_turn(Some(thread.chat), form.call.method, &parameters, this);
            match called.await {
                Verdict::Taken(id) => return Ok(id.map(|id| id.to_string())),
                Verdict::Moot => return Ok(None),
                Verdict::Without(trouble, error) => {
                    if !form.without(trouble) {
                        return Err(permanent(error));
                    }
                }
                Verdict::Moved(chat, _) if chat != thread.chat => return Err(Stop::Moved(chat)),
                Verdict::Moved(_, error) => return Err(permanent(error)),
                Verdict::Over(outcome) => return Err(Stop::Over(outcome)),
            }
        }
    }

    /// Makes a call that sends or changes something, when it is its turn in the chat, if it is in one.
    async fn call_in_turn(
        &self,
        chat: Option<i64>,
        method: &str,
        parameters: &(impl Serialize + Sync),
        this: Try,
    ) -> Verdict {
        let turn = match (&self.pace, chat) {
            (Some(pace), Some(chat)) => {
                match pace.turn(chat, this.message, this.patient_until).await {
                    Ok(turn) => Some(turn),
                    Err(after) => return Verdict::Over(held(after)),
                }
            }
            _ => None,
        };
        let Some(limit) = self.time_limit(this.lease) else {
            return Verdict::Over(SendOutcome::Retry {
                error: "the time for this try is over; going on in the next".to_owned(),
            });
        };
        let verdict = judge(self.client.call(method, parameters, limit).await);
        if let Some(turn) = turn {
            turn.over(&verdict);
        }
        verdict
    }

    /// The group has become a supergroup: its conversation follows, and what goes there with it.
    async fn follow(
        &self,
        conversation: &Conversation,
        thread: &mut Thread,
        chat: i64,
    ) -> Result<(), SendOutcome> {
        let retry = |error: String| SendOutcome::Retry { error };
        let old = thread.to_string();
        let moved = moves::follow(
            &self.engine,
            &self.integration,
            conversation,
            chat,
            self.mapping.is_some(),
        );
        moved.await.map_err(|error| {
            retry(format!(
                "the conversation could not follow to chat {chat}: {error}"
            ))
        })?;
        tracing::info!(
            integration = %self.integration.id,
            conversation = %conversation.id,
            "telegram: the group {old} has become the supergroup {chat}; its conversation follows"
        );
        thread.chat = chat;
        Ok(())
    }

    /// Keeps the values of buttons that are too long to travel, before the buttons are shown.
    pub(super) async fn keep_values(&self, values: &[String]) -> Result<(), SendOutcome> {
        for value in values {
            buttons::keep(&self.engine, &self.integration, value)
                .await
                .map_err(|error| SendOutcome::Retry {
                    error: format!("a button's value could not be kept: {error}"),
                })?;
        }
        Ok(())
    }

    /// A request must be over well before the lease is: then somebody else may send.
    pub(super) fn time_limit(&self, lease: Lease) -> Option<Duration> {
        let left = lease.left().filter(|left| *left >= LEAST_TIME)?;
        Some(self.timing.request.min(left * 9 / 10))
    }
}

/// For a message whose turn is later.
fn held(after: Duration) -> SendOutcome {
    SendOutcome::Held {
        after,
        error: "waits for its turn, for Telegram limits how fast a bot may send".to_owned(),
    }
}

/// A page of the buttons of one item of a message, as Telegram takes it.
pub(super) fn page(message: &Message, item: usize, page: usize) -> Option<Value> {
    let items = payload::read(&message.kind, &message.payload).ok()?;
    let buttons = items.get(item)?.buttons()?;
    let keyboard = Keyboard::page(buttons, &message.id.to_string(), item, page)?;
    Some(keyboard.markup())
}

/// Where a call goes to.
fn address(thread: &Thread, parameters: &mut Map<String, Value>) {
    let mut set = |field: &str, value: Value| parameters.insert(field.to_owned(), value);
    set("chat_id", thread.chat.into());
    match thread.topic {
        Topic::None => {}
        Topic::Forum(topic) => {
            set("message_thread_id", topic.into());
        }
        Topic::Direct(topic) => {
            set("direct_messages_topic_id", topic.into());
        }
    }
    if let Some(business) = &thread.business {
        set("business_connection_id", business.as_str().into());
    }
}

/// What a message answers.
fn reply(tags: &Tags) -> Option<Value> {
    let number = tags.get("replyTo").and_then(|id| id.parse().ok());
    // Losing the answer for a message that was deleted would be worse.
    number
        .filter(|id: &i64| *id > 0)
        .map(|id| json!({ "message_id": id, "allow_sending_without_reply": true }))
}

/// The parameters of a text to a thread, as Telegram gets them.
#[cfg(test)]
pub(super) fn parameters(thread: &Thread) -> Value {
    let mut parameters = Map::new();
    parameters.insert("text".to_owned(), "text".into());
    address(thread, &mut parameters);
    parameters.into()
}

#[cfg(test)]
mod tests;
