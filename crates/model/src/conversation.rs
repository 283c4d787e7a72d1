//! Conversations.

use serde::{Deserialize, Serialize};

use crate::{BotId, ConversationId, IntegrationId, Tags, Timestamp};

/// The ongoing dialogue between users and a bot on a channel: one external thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// The bot it belongs to.
    pub bot: BotId,
    /// The integration that its messages come and go through.
    pub integration: IntegrationId,
    /// That integration's alias.
    pub alias: String,
    /// The channel within the integration.
    pub channel: String,
    /// Its tags, as a bot sees them.
    pub tags: Tags,
    /// How many messages are in it, without those that wait for their time.
    pub message_count: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its tags last changed.
    pub updated_at: Timestamp,
}
