//! What the databases of the rows over HTTP hold before.

use std::path::Path;

use futures::future::try_join_all;
use switchboard_engine::Caller;
use switchboard_engine::conversations::ConversationInput;
use switchboard_engine::messages::MessageInput;
use switchboard_model::{ConversationId, Json, MessageId, Tags, UserId};
use switchboard_store::Store as _;

use crate::failure::{Result, failed};
use crate::http::PAYLOAD;
use crate::ingest::Fresh;
use crate::raw;
use crate::stored::Stored;

/// How many conversations there are before.
const CONVERSATIONS: usize = 100;
/// Of what is stored, how many conversations are written to, and how many messages are asked for.
const WRITTEN: u64 = 10_000;
const READ: u64 = 50_000;

/// What the databases hold.
pub(crate) struct Seed {
    /// Those that messages are written to.
    pub(crate) conversations: Vec<ConversationId>,
    /// Those that are asked for.
    pub(crate) messages: Vec<MessageId>,
    pub(crate) listed: Vec<ConversationId>,
    /// The external id of a thread.
    pub(crate) hot: String,
}

impl Seed {
    /// A bot with conversations, and messages in them in turn.
    pub(crate) async fn make(path: &Path, count: usize) -> Result<Self> {
        let fresh = Fresh::make(path).await?;
        let caller = Caller {
            bot: fresh.bot,
            integration: None,
        };
        let mut conversations = Vec::new();
        for number in 0..CONVERSATIONS {
            let input = ConversationInput {
                channel: "channel".to_owned(),
                tags: Tags::new().with("telegram:id", external(number)),
                integration: Some("telegram".to_owned()),
            };
            let made = fresh.engine.create_conversation(&caller, input).await?;
            conversations.push(id_of(&made)?);
        }
        let Ok(payload) = Json::parse(PAYLOAD) else {
            return failed("the payload is no JSON");
        };
        let numbers: Vec<_> = (0..count).collect();
        let mut made = Vec::new();
        // Fewer at once than the store's queue takes.
        for some in numbers.chunks(1_000) {
            let making = some.iter().map(|number| {
                let input = MessageInput {
                    conversation: conversations[number % CONVERSATIONS],
                    user: UserId::from(fresh.bot),
                    kind: "text".to_owned(),
                    payload: payload.clone(),
                    tags: Tags::new(),
                    synthetic: false,
                    schedule: None,
                };
                fresh.engine.create_message(&caller, input, None)
            });
            made.extend(try_join_all(making).await?);
        }
        let messages = made.iter().map(id_of).collect::<Result<_>>()?;
        fresh.store.close().await?;
        Ok(Self {
            listed: vec![conversations[0]],
            conversations,
            messages,
            hot: external(0),
        })
    }

    /// Some of what is stored.
    pub(crate) fn find(stored: &Stored) -> Result<Self> {
        let reader = raw::reader(&stored.database())?;
        let ids =
            |found: Vec<[u8; 16]>| found.into_iter().map(ConversationId::from_bytes).collect();
        let lengths = stored.size.lengths().len() as u64;
        let messages = raw::sample(&reader, "message", READ)?;
        Ok(Self {
            conversations: ids(raw::sample(&reader, "conversation", WRITTEN)?),
            messages: messages.into_iter().map(MessageId::from_bytes).collect(),
            listed: ids(raw::publics(&reader, "conversation", 1..=lengths)?),
            hot: (stored.size.conversations / 2).to_string(),
        })
    }
}

/// The external id of a seeded conversation.
fn external(number: usize) -> String {
    format!("thread{number:010}")
}

/// The id of an object as callers see it.
fn id_of<T: std::str::FromStr>(object: &impl serde::Serialize) -> Result<T> {
    let value = serde_json::to_value(object)?;
    let id = value.get("id").and_then(|id| id.as_str());
    match id.map(str::parse) {
        Some(Ok(id)) => Ok(id),
        _ => failed(format!("an object without an id: {value}")),
    }
}
