//! The values that a tag has.

use async_trait::async_trait;
use switchboard_model::{BotId, IntegrationId, Result};

/// What has tags whose values are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TagKind {
    /// Conversations.
    Conversation,
    /// Users.
    User,
    /// Messages.
    Message,
}

impl TagKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Conversation, Self::User, Self::Message];
}

/// Which values to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagValueFilter {
    /// Of objects of this kind.
    pub kind: TagKind,
    /// Of the tag with this name.
    pub name: String,
    /// Of objects of this integration only: messages are of their conversation's.
    pub integration: Option<IntegrationId>,
}

/// Which page of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagValuePage {
    /// Values behind this one; from the start without.
    pub after: Option<String>,
    /// At most so many; 1 at least.
    pub limit: usize,
}

/// Some values, each once, by the order of their bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagValues {
    /// The values.
    pub values: Vec<String>,
    /// Whether more follow the last one. Never set where there are none.
    pub more: bool,
}

/// Tells which values tags have. A value is listed while something has it: whatever was changed or
/// deleted before the question is taken into account, but for the messages of a deleted
/// conversation, whose values go with the sweep that removes them.
#[async_trait]
pub trait TagValueStore {
    /// Lists values. The cost follows the page, and what was stored since the last question; where
    /// that is more than a question can wait for, it is `Unavailable`, and the next one comes
    /// further.
    async fn list_tag_values(
        &self,
        bot: BotId,
        filter: TagValueFilter,
        page: TagValuePage,
    ) -> Result<TagValues>;

    /// Gets ready for questions of values, and of messages by their tags across conversations, while
    /// nothing else is written, a bounded number of rows a call.
    /// Tells how many rows, so that a caller can go on while there are any; none while others
    /// write.
    async fn gather_tag_values(&self) -> Result<usize>;
}
