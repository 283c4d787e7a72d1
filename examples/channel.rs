//! A channel: programs that post messages to us as JSON, signed, and take ours the same way.
//!
//! Promises: 200 is answered only once a message is stored, and the same message posted again is
//! stored once. What never happens here: the secret in a log, an error or a `Debug` text.

use std::time::Duration;

use async_trait::async_trait;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use ring::hmac;
use serde::{Deserialize, Serialize};
use switchboard_engine::{
    Engine, ExternalThread, ExternalUser, IncomingMessage, Update, UpdateContent,
};
use switchboard_integration::{
    Definition, Integration, Lease, Outbound, Outgoing, Parts, SendOutcome, Webhook, WebhookAnswer,
    WebhookRequest,
};
use switchboard_model::{Error, Json, Tags};

/// The header with the signature: HMAC-SHA-256 of the body, in Base64.
pub const SIGNATURE: &str = "x-signature";

/// The channel itself, which the server knows before anybody has an account of it.
pub struct Hook;

impl Integration for Hook {
    fn definition(&self) -> Definition {
        Definition {
            platform: "hook",
            channels: &["channel"],
        }
    }
}

/// One account: an integration of a bot, its secret, and where its messages go.
pub struct Account {
    pub engine: Engine,
    pub integration: switchboard_model::Integration,
    pub key: hmac::Key,
    pub send_to: String,
    pub http: reqwest::Client,
}

// ---- What comes in.

/// A message as it is posted to us.
#[derive(Deserialize)]
struct Posted {
    id: String,
    thread: String,
    person: String,
    name: Option<String>,
    text: String,
}

/// The content of our messages of the type `text`.
#[derive(Deserialize, Serialize)]
struct Text {
    text: String,
}

#[async_trait]
impl Webhook for Account {
    async fn receive(&self, request: WebhookRequest) -> WebhookAnswer {
        let signature = request.header(SIGNATURE).unwrap_or_default();
        let signature = BASE64_STANDARD.decode(signature).unwrap_or_default();
        if hmac::verify(&self.key, &request.body, &signature).is_err() {
            return WebhookAnswer::new(401, "the signature is missing or wrong");
        }
        let update = match serde_json::from_slice(&request.body).map(update) {
            Ok(Ok(update)) => update,
            // It would be as wrong when it is posted again.
            Ok(Err(error)) => return WebhookAnswer::new(400, error.to_string()),
            Err(error) => return WebhookAnswer::new(400, error.to_string()),
        };
        match self
            .engine
            .ingest(&self.integration, vec![update], None)
            .await
        {
            Ok(_) => WebhookAnswer::OK,
            Err(error @ Error::InvalidPayload { .. }) => WebhookAnswer::new(400, error.to_string()),
            Err(error) => {
                tracing::warn!(integration = %self.integration.id, %error, "hook: not stored");
                WebhookAnswer::new(503, "it could not be stored; post it again")
            }
        }
    }
}

/// A posted message in the words of the model.
fn update(posted: Posted) -> Result<Update, Error> {
    let payload = Json::from_serialize(&Text { text: posted.text })
        .map_err(|error| Error::invalid("text", error.to_string()))?;
    Ok(Update {
        // What it is recognised by when it is posted again.
        once: vec![
            "message".to_owned(),
            posted.thread.clone(),
            posted.id.clone(),
        ],
        content: UpdateContent::Message(IncomingMessage {
            thread: ExternalThread {
                known: None,
                channel: "channel".to_owned(),
                id: posted.thread,
                tags: Tags::new(),
                defaults: Tags::new(),
            },
            sender: ExternalUser {
                known: None,
                id: posted.person,
                tags: Tags::new(),
                name: posted.name,
            },
            kind: "text".to_owned(),
            payload,
            tags: Tags::new().with("id", posted.id),
        }),
    })
}

// ---- What goes out.

/// A message as we post it.
#[derive(Serialize)]
struct Sent<'a> {
    id: String,
    thread: &'a str,
    text: &'a str,
}

#[async_trait]
impl Outbound for Account {
    async fn send(&self, outgoing: &Outgoing, _parts: &dyn Parts, lease: Lease) -> SendOutcome {
        let Ok(Text { text }) = outgoing.message.payload.read() else {
            return permanent("this channel shows only texts");
        };
        let Some(thread) = outgoing.conversation.tags.get("id") else {
            return permanent("the conversation has no tag id, so nobody knows where it is");
        };
        let id = outgoing.message.id.to_string();
        let body = match serde_json::to_vec(&Sent {
            id,
            thread,
            text: &text,
        }) {
            Ok(body) => body,
            Err(error) => return permanent(error.to_string()),
        };
        let signature = BASE64_STANDARD.encode(hmac::sign(&self.key, &body));
        let Some(left) = lease.left() else {
            return retry("the time for this try was over before it began");
        };
        let request = self.http.post(&self.send_to).header(SIGNATURE, signature);
        match request.timeout(left).body(body).send().await {
            Ok(answer) => outcome(&answer),
            Err(error) if error.is_connect() => retry(error.without_url().to_string()),
            Err(error) => uncertain(error.without_url().to_string()),
        }
    }
}

/// What an answer means: taken, not taken, or may have been taken. Never guess.
fn outcome(answer: &reqwest::Response) -> SendOutcome {
    let status = answer.status().as_u16();
    let error = format!("the other side answered {status}");
    match status {
        200..=299 => SendOutcome::Done(Tags::new()),
        401 | 403 => SendOutcome::AccountBroken {
            error: format!("{error}: give this integration the right secret"),
        },
        429 => SendOutcome::Wait {
            after: retry_after(answer).unwrap_or(Duration::from_secs(5)),
            error,
        },
        400..=499 => permanent(error),
        _ => uncertain(error),
    }
}

fn retry_after(answer: &reqwest::Response) -> Option<Duration> {
    let header = answer.headers().get("retry-after")?;
    header.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

fn permanent(error: impl Into<String>) -> SendOutcome {
    let error = error.into();
    SendOutcome::Permanent { error }
}

fn retry(error: impl Into<String>) -> SendOutcome {
    let error = error.into();
    SendOutcome::Retry { error }
}

fn uncertain(error: impl Into<String>) -> SendOutcome {
    let error = error.into();
    SendOutcome::Uncertain { error }
}
