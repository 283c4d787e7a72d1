//! What a bot is told.

use std::sync::OnceLock;

use switchboard_engine::{View, wire::WireEvent};
use switchboard_model::{Event, Json};

use crate::BotFailure;

/// An event on its way to a bot.
#[derive(Debug)]
pub struct BotEvent {
    event: Event,
    attempt: u32,
    memory: Option<Json>,
    json: OnceLock<String>,
}

impl BotEvent {
    /// An event, and the number of this try from 1.
    pub fn new(event: Event, attempt: u32) -> Self {
        Self {
            event,
            attempt,
            memory: None,
            json: OnceLock::new(),
        }
    }

    /// The same, with what the bot remembers of the event's conversation.
    #[must_use]
    pub fn with_memory(mut self, memory: Option<Json>) -> Self {
        self.memory = memory;
        self
    }

    /// What the bot remembers of the event's conversation: what it answered last as
    /// [`BotAnswer::memory`](crate::BotAnswer).
    pub fn memory(&self) -> Option<&Json> {
        self.memory.as_ref()
    }

    /// The event.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// The number of this try, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The event as the API writes it for a bot. Written at the first call only.
    pub fn json(&self) -> Result<&str, BotFailure> {
        if let Some(json) = self.json.get() {
            return Ok(json);
        }
        let wire = WireEvent::new(&View::Bot, self.event.clone());
        let json = serde_json::to_string(&wire).map_err(|error| {
            BotFailure::permanent(format!("the event cannot be written as JSON: {error}"))
        })?;
        Ok(self.json.get_or_init(|| json))
    }
}
