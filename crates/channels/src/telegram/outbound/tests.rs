use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use switchboard_model::{
    Conversation, ConversationId, Error, MessageId, Result, Timestamp, User, UserId,
};

use switchboard_store::SentPart;

use super::super::fixture::{Api, Bench, Reply, case, outgoing};
use super::*;

/// Parts kept in memory.
#[derive(Default)]
struct Kept {
    sent: Vec<SentPart>,
    recorded: Mutex<Vec<SentPart>>,
    refuses: bool,
}

#[async_trait]
impl Parts for Kept {
    fn sent(&self) -> &[SentPart] {
        &self.sent
    }

    async fn record(&self, part: SentPart) -> Result<()> {
        if self.refuses {
            return Err(Error::Busy);
        }
        self.recorded.lock().unwrap().push(part);
        Ok(())
    }
}

pub(super) struct Desk {
    bench: Bench,
    api: Api,
    parts: Kept,
}

impl Desk {
    pub(super) async fn new() -> Self {
        Self {
            bench: Bench::new().await,
            api: Api::start().await,
            parts: Kept::default(),
        }
    }

    pub(super) fn account(&self) -> Arc<Account> {
        self.bench.account(&self.api.url)
    }

    pub(super) fn parts(&self) -> &dyn Parts {
        &self.parts
    }

    /// What was recorded is what a later try or change sees.
    pub(super) fn keep_sent(&mut self) {
        let recorded = std::mem::take(&mut *self.parts.recorded.lock().unwrap());
        self.parts.sent.extend(recorded);
    }

    pub(super) fn keep(&mut self, parts: Vec<SentPart>) {
        self.parts.sent = parts;
    }

    pub(super) fn script(&self, method: &str, reply: Reply) {
        self.api.script(method, reply);
    }

    pub(super) fn calls(&self, method: &str) -> Vec<Value> {
        self.api.calls(method)
    }

    pub(super) fn methods(&self) -> Vec<String> {
        self.api.methods()
    }

    pub(super) fn outgoing(&self, place: &[(&str, &str)], kind: &str, payload: &Value) -> Outgoing {
        let (env, integration) = (self.bench.engine.env(), &self.bench.integration);
        let conversation = ConversationId::new(env.ulid());
        let user = UserId::from(integration.bot);
        let at = Timestamp::default();
        Outgoing {
            message: Message {
                id: MessageId::new(env.ulid()),
                conversation,
                user,
                ..outgoing(kind, payload)
            },
            user: User {
                id: user,
                bot: integration.bot,
                integration: None,
                tags: Tags::new(),
                name: None,
                picture_url: None,
                created_at: at,
                updated_at: at,
            },
            conversation: Conversation {
                id: conversation,
                bot: integration.bot,
                integration: integration.id,
                alias: integration.alias.clone(),
                channel: "channel".to_owned(),
                tags: place.iter().copied().collect(),
                message_count: 1,
                created_at: at,
                updated_at: at,
            },
            attempt: 1,
            again: false,
        }
    }

    pub(super) fn text(&self, text: &str) -> Outgoing {
        self.outgoing(&[("id", "501")], "text", &json!({ "text": text }))
    }

    pub(super) async fn send(&self, message: &Outgoing) -> SendOutcome {
        self.send_within(message, Duration::from_mins(1)).await
    }

    async fn send_within(&self, message: &Outgoing, lease: Duration) -> SendOutcome {
        let account = self.bench.account(&self.api.url);
        account.send(message, &self.parts, Lease::new(lease)).await
    }

    fn sent(&self) -> Vec<Value> {
        self.api.calls("sendMessage")
    }
}

/// A string of a case, which may be a generator.
fn generated(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    if let Some(pieces) = value["concat"].as_array() {
        return pieces.iter().map(generated).collect();
    }
    let (text, count) = (generated(&value["repeat"][0]), &value["repeat"][1]);
    text.repeat(usize::try_from(count.as_u64().unwrap()).unwrap())
}

fn permanent(error: &str) -> SendOutcome {
    SendOutcome::Permanent {
        error: error.to_owned(),
    }
}

/// The texts of a case's messages of type text, each sent.
async fn send_texts(id: &str, place: &[(&str, &str)]) -> (Desk, Vec<String>, Vec<SendOutcome>) {
    let desk = Desk::new().await;
    let (mut texts, mut outcomes) = (Vec::new(), Vec::new());
    for message in case(id)["input"]["messages"].as_array().unwrap() {
        if message["type"] != "text" {
            continue;
        }
        let text = generated(&message["payload"]["text"]);
        let outgoing = desk.outgoing(place, "text", &json!({ "text": text }));
        outcomes.push(desk.send(&outgoing).await);
        texts.push(text);
    }
    for call in desk.sent() {
        let text = call["text"].as_str().unwrap();
        assert!(text.encode_utf16().count() <= 4096);
        assert!(text.contains(|c: char| !c.is_whitespace()));
        assert_eq!(call.get("parse_mode"), None);
    }
    (desk, texts, outcomes)
}

fn joined(desk: &Desk) -> String {
    let sent = desk.sent();
    sent.iter()
        .map(|call| call["text"].as_str().unwrap())
        .collect()
}

mod answers;
mod cases;
mod forms;
mod pace;
mod parts;
mod shapes;
