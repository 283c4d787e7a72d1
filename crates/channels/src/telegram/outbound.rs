//! Message → calls.
//!
//! Promises: every part goes to the thread of the conversation, in order; a part that has left is
//! recorded before the next is sent, so that a later try goes on behind it.
//! What never happens here: a part sent without time left on the lease, another chat or topic in
//! the place of one that refuses.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use switchboard_integration::{Lease, Outbound, Outgoing, Parts, SendOutcome};
use switchboard_model::{Message, Tags};
use switchboard_store::SentPart;

use super::account::Account;
use super::answer::{Verdict, judge, sent_tags};
use super::split::{MESSAGE_LIMIT, split};
use super::target::target;
use super::thread::{Thread, Topic};

/// With less time than this on the lease nothing is begun.
const LEAST_TIME: Duration = Duration::from_secs(1);

/// `sendMessage`.
#[derive(Debug, Serialize)]
struct SendMessage<'a> {
    chat_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_thread_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direct_messages_topic_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    business_connection_id: Option<&'a str>,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_parameters: Option<ReplyParameters>,
}

#[derive(Debug, Serialize)]
struct ReplyParameters {
    message_id: i64,
    allow_sending_without_reply: bool,
}

#[async_trait]
impl Outbound for Account {
    async fn send(&self, message: &Outgoing, parts: &dyn Parts, lease: Lease) -> SendOutcome {
        let outcome = match self.send_parts(message, parts, lease).await {
            Ok(tags) => SendOutcome::Done(tags),
            Err(outcome) => outcome,
        };
        match &outcome {
            SendOutcome::Done(_) => self.condition.sends(),
            SendOutcome::AccountBroken { error } => self.condition.cannot_send(error.clone()),
            _ => {}
        }
        outcome
    }
}

impl Account {
    async fn send_parts(
        &self,
        outgoing: &Outgoing,
        parts: &dyn Parts,
        lease: Lease,
    ) -> Result<Tags, SendOutcome> {
        let text = text(&outgoing.message).map_err(|error| SendOutcome::Permanent { error })?;
        let thread =
            target(&outgoing.conversation.tags).map_err(|unknown| SendOutcome::Permanent {
                error: format!("{unknown}; mend the tags, then send again"),
            })?;
        let texts = split(&text, MESSAGE_LIMIT);
        if texts.is_empty() {
            return Err(SendOutcome::Permanent {
                error: "nothing to send: the text shows nothing".to_owned(),
            });
        }
        let sent = parts.sent();
        let next = sent.last().map_or(0, |part| part.part + 1);
        let mut ids: Vec<_> = sent.iter().map(|part| part.external_id.clone()).collect();
        for (part, text) in (0..).zip(texts).skip(next as usize) {
            let mut call = SendMessage::to(&thread, text);
            if part == 0 {
                call.reply_parameters = reply(&outgoing.message.tags);
            }
            let external_id = self.send_part(call, lease).await?.unwrap_or_default();
            ids.push(external_id.clone());
            parts
                .record(SentPart { part, external_id })
                .await
                .map_err(|error| SendOutcome::Uncertain {
                    error: format!("part {} was sent, but not recorded: {error}", part + 1),
                })?;
        }
        ids.retain(|id| !id.is_empty());
        Ok(sent_tags(&ids))
    }

    /// Sends one part: the id Telegram gave it, or how the try ends.
    async fn send_part(
        &self,
        mut call: SendMessage<'_>,
        lease: Lease,
    ) -> Result<Option<String>, SendOutcome> {
        loop {
            let limit = self.time_limit(lease).ok_or_else(|| SendOutcome::Retry {
                error: "the time for this try is over; going on in the next".to_owned(),
            })?;
            match judge(self.client.call("sendMessage", &call, limit).await) {
                Verdict::Taken(id) => return Ok(id.map(|id| id.to_string())),
                Verdict::Moot => return Ok(None),
                Verdict::WithoutReply if call.reply_parameters.take().is_some() => {}
                Verdict::WithoutReply => {
                    return Err(SendOutcome::Permanent {
                        error: "Bad Request: message to be replied not found".to_owned(),
                    });
                }
                Verdict::Over(outcome) => return Err(outcome),
            }
        }
    }

    /// A request must be over well before the lease is: then somebody else may send.
    fn time_limit(&self, lease: Lease) -> Option<Duration> {
        let left = lease.left().filter(|left| *left >= LEAST_TIME)?;
        Some(self.timing.request.min(left * 9 / 10))
    }
}

impl<'a> SendMessage<'a> {
    fn to(thread: &'a Thread, text: &'a str) -> Self {
        let (forum, direct) = match thread.topic {
            Topic::None => (None, None),
            Topic::Forum(topic) => (Some(topic), None),
            Topic::Direct(topic) => (None, Some(topic)),
        };
        Self {
            chat_id: thread.chat,
            message_thread_id: forum,
            direct_messages_topic_id: direct,
            business_connection_id: thread.business.as_deref(),
            text,
            reply_parameters: None,
        }
    }
}

/// The text of a message. Markdown goes out as it is written, as plain text.
fn text(message: &Message) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Text {
        text: String,
    }
    #[derive(Deserialize)]
    struct Markdown {
        markdown: String,
    }
    let missing = |field: &str| {
        format!(
            "a message of type {} must have the string payload.{field}",
            message.kind
        )
    };
    match message.kind.as_str() {
        "text" => message
            .payload
            .read::<Text>()
            .map(|payload| payload.text)
            .map_err(|_| missing("text")),
        "markdown" => message
            .payload
            .read::<Markdown>()
            .map(|payload| payload.markdown)
            .map_err(|_| missing("markdown")),
        other => Err(format!(
            "messages of type {other} are not supported on Telegram yet; send text"
        )),
    }
}

fn reply(tags: &Tags) -> Option<ReplyParameters> {
    let message_id = tags.get("replyTo")?.parse().ok().filter(|id| *id > 0)?;
    Some(ReplyParameters {
        message_id,
        // Losing the answer for a message that was deleted would be worse.
        allow_sending_without_reply: true,
    })
}

/// The parameters of a text to a thread, as Telegram gets them.
#[cfg(test)]
pub(super) fn parameters(thread: &Thread) -> serde_json::Value {
    serde_json::to_value(SendMessage::to(thread, "text")).unwrap_or_default()
}

#[cfg(test)]
mod tests;
