//! Bots, the tenants.

use serde::{Deserialize, Serialize};

use crate::{BotId, Timestamp};

/// A bot: owner of its conversations, users, messages, states and integrations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bot {
    /// Its id. The user that stands for it has the same ULID.
    pub id: BotId,
    /// A name for people.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}
