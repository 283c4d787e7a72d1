//! Users.

use serde::{Deserialize, Serialize};

use crate::{BotId, IntegrationId, Tags, Timestamp, UserId};

/// Who takes part in conversations: an external person, channel or anonymous group, or the bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// The bot it belongs to.
    pub bot: BotId,
    /// The integration it came through; none for the bot itself and for users the bot has made.
    pub integration: Option<IntegrationId>,
    /// Its tags, as a bot sees them.
    pub tags: Tags,
    /// A name to show, at most 200 characters.
    pub name: Option<String>,
    /// A picture to show: a URL or data URI of at most 40,000 characters.
    pub picture_url: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
