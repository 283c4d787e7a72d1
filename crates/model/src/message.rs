//! Messages.

use serde::{Deserialize, Serialize};

use crate::{ConversationId, DeliveryReport, Json, MessageId, Tags, Timestamp, UserId};

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the channel to the bot.
    Incoming,
    /// From the bot to the channel.
    Outgoing,
}

/// Something said in a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Where it was said.
    pub conversation: ConversationId,
    /// Who said it.
    pub user: UserId,
    /// Which way it goes.
    pub direction: Direction,
    /// `text`, `image`, … at most 200 characters.
    pub kind: String,
    /// Its content, as received.
    pub payload: Json,
    /// Its tags, as a bot sees them.
    pub tags: Tags,
    /// Whether a program said it in a person's name (`origin: synthetic`).
    pub synthetic: bool,
    /// Its place in the conversation, from 1 without gaps by order of commit; deletion leaves gaps.
    /// An imported one has the place of the one it comes behind; one that waits for its time has none
    /// yet, and a negative number.
    pub seq: i64,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When its tags or payload last changed.
    pub updated_at: Timestamp,
    /// How far an outgoing message has got; none for incoming ones.
    pub delivery: Option<DeliveryReport>,
}
