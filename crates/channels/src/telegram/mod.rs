//! Telegram: bots of the Bot API (<https://core.telegram.org/bots/api>).
//!
//! Promises: an update is acknowledged to Telegram only once it is stored, each update is taken
//! whatever it holds, an answer goes to the thread it answers and nowhere else, and what may have
//! been shown is never silently sent again. `docs/telegram.md` tells the same to people.
//!
//! What never happens here: the bot's token in a log, an error or a `Debug` text; a chat, topic or
//! person guessed from something that does not name it.

mod account;
mod action;
mod answer;
mod backoff;
mod buttons;
mod client;
mod condition;
mod control;
mod examine;
mod explain;
mod files;
mod guest;
mod inbound;
mod lenient;
mod mapping;
mod markdown;
mod moves;
mod news;
mod once;
mod outbound;
mod pace;
mod people;
mod polling;
mod press;
mod replay;
mod rich;
mod split;
mod target;
mod thread;
mod types;
mod visible;
mod webhook;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod property;
#[cfg(test)]
mod strict;

use switchboard_integration::{Definition, Integration};

pub use account::{Account, AccountConfig, Pacing, Timing};
pub use examine::{Examined, Unknown, examine, identify};
pub use explain::explain;

/// Telegram's own Bot API server.
pub const DEFAULT_API_URL: &str = "https://api.telegram.org";

/// The platform's name.
pub const PLATFORM: &str = "telegram";

/// The name of its only channel.
pub const CHANNEL: &str = "channel";

/// The Telegram integration. One account of it is an [`Account`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Telegram;

impl Integration for Telegram {
    fn definition(&self) -> Definition {
        Definition {
            platform: PLATFORM,
            channels: &[CHANNEL],
        }
    }
}
