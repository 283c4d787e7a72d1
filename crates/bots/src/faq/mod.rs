//! The FAQ bot: menus, questions and answers, forms, opening hours and a person who takes over, as
//! a TOML file says. `docs/faq.md` is its manual.
//!
//! This room promises:
//! - The same text in the same place gets the same answer; there is no guessing that nobody can
//!   follow, and `Script::explain` shows the points.
//! - What is remembered goes with the event's completion, so that an event that comes again does
//!   not go a step further.
//! - A file is taken whole or not at all; one that is refused leaves the bot as it was.
//!
//! What never happens here: reading files, the system's clock, an answer to what a person says
//! while another person has the word.

mod check;
mod dialog;
mod file;
mod forms;
mod hours;
mod matching;
mod memory;
mod render;
mod script;
#[cfg(test)]
mod tests;
mod texts;
mod words;

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use switchboard_model::{Environment, EventPayload, Json};

pub use matching::Fit;
pub use script::{Fault, InvalidScript, Script};

use crate::{Bot, BotAnswer, BotEvent, BotFailure};
use memory::Memory;

/// A bot that a file describes.
pub struct Faq {
    script: RwLock<Arc<Script>>,
    env: Environment,
}

impl Faq {
    /// A bot that does as `script` says.
    pub fn new(script: Script, env: Environment) -> Self {
        Self {
            script: RwLock::new(Arc::new(script)),
            env,
        }
    }

    /// From the next event on it does as `script` says.
    pub fn replace(&self, script: Script) {
        let mut held = self.script.write().unwrap_or_else(PoisonError::into_inner);
        *held = Arc::new(script);
    }
}

#[async_trait]
impl Bot for Faq {
    async fn handle(&self, event: &BotEvent) -> Result<BotAnswer, BotFailure> {
        let EventPayload::MessageCreated(subject) = &event.event().payload else {
            return Ok(BotAnswer::default());
        };
        let script = Arc::clone(&self.script.read().unwrap_or_else(PoisonError::into_inner));
        let (message, user, conversation) = &**subject;
        let before = Memory::read(event.memory());
        let (memory, mut answer) = dialog::Turn::new(&script, before.clone(), self.env.now())
            .of(user.name.as_deref(), conversation.tags.get(&script.tag))
            .take(message);
        if memory != before || event.memory().is_none() {
            let json = Json::from_serialize(&memory).map_err(|error| BotFailure::Permanent {
                error: format!("the FAQ bot's memory cannot be written: {error}"),
            })?;
            answer.memory = Some(json);
        }
        Ok(answer)
    }

    fn memory_name(&self) -> Option<&str> {
        Some(memory::NAME)
    }
}
