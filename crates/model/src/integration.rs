//! Integrations: a channel platform as a bot has installed it.

use serde::{Deserialize, Serialize};

use crate::{BotId, IntegrationId, Timestamp};

/// An installed integration. Its secrets are not part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Integration {
    /// Its id.
    pub id: IntegrationId,
    /// The bot that has installed it.
    pub bot: BotId,
    /// Its name within the bot: the prefix of its tags and events (`telegram` in `telegram:id`).
    pub alias: String,
    /// The channel platform whose code serves it: `telegram`, `terminal`.
    pub platform: String,
    /// The hard-to-guess last part of its webhook URL.
    pub webhook_id: String,
    /// Whether it can send and receive. What is sent to an inactive one fails visibly.
    pub active: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
