//! Access tokens to the runtime API.

use serde::{Deserialize, Serialize};

use crate::{BotId, IntegrationId, Timestamp, TokenId};

/// The record of an access token. The token itself is shown once and kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The record's id.
    pub id: TokenId,
    /// The bot it acts for.
    pub bot: BotId,
    /// If set, it acts only as this integration; otherwise as the bot and each of its integrations.
    pub integration: Option<IntegrationId>,
    /// A note for people.
    pub label: String,
    /// The token's last four characters, to tell tokens apart.
    pub hint: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused; it may lie ahead, while another takes its place.
    pub revoked_at: Option<Timestamp>,
}

impl Token {
    /// Whether it is refused at this time.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.revoked_at.is_some_and(|end| end <= now)
    }
}
