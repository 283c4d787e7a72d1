//! A bot in Rust. It counts what it is told in each conversation, and never counts anything twice.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use switchboard_bots::{Bot, BotAnswer, BotEvent, BotFailure, BotReply};
use switchboard_model::{EventPayload, Json};

/// The bot. What it remembers comes with each event, so it holds nothing itself.
pub struct Counter;

/// What it remembers of a conversation.
#[derive(Default, Deserialize, Serialize)]
struct Memory {
    count: u64,
}

#[async_trait]
impl Bot for Counter {
    async fn handle(&self, event: &BotEvent) -> Result<BotAnswer, BotFailure> {
        let EventPayload::MessageCreated(_) = &event.event().payload else {
            return Ok(BotAnswer::default());
        };
        let mut memory: Memory = match event.memory() {
            Some(json) => json.read().map_err(permanent)?,
            None => Memory::default(),
        };
        memory.count += 1;
        let text = format!("That was message {}.", memory.count);
        // Stored in one transaction with the event's completion: an event that comes again finds
        // the memory as it was.
        Ok(BotAnswer {
            replies: vec![BotReply::text(&text)],
            memory: Some(Json::from_serialize(&memory).map_err(permanent)?),
            ..BotAnswer::default()
        })
    }

    fn memory_name(&self) -> Option<&str> {
        Some("counter")
    }
}

fn permanent(error: impl std::fmt::Display) -> BotFailure {
    BotFailure::Permanent {
        error: error.to_string(),
    }
}
