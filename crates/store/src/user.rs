//! Users.

use async_trait::async_trait;
use switchboard_model::{
    BotId, ConversationId, IntegrationId, Result, TagPatch, Tags, Timestamp, User, UserId,
};

use crate::{Found, Page, PageRequest, SortField, SortOrder};

/// A user to make.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Its id.
    pub id: UserId,
    /// The bot it belongs to.
    pub bot: BotId,
    /// The integration it comes through; none if the bot makes it.
    pub integration: Option<IntegrationId>,
    /// Its tags.
    pub tags: Tags,
    /// A name to show.
    pub name: Option<String>,
    /// A picture to show.
    pub picture_url: Option<String>,
    /// When.
    pub now: Timestamp,
}

/// Finds the user that an identity means, or makes it.
#[derive(Debug, Clone)]
pub struct GetOrCreateUser {
    /// The user to make if none is found. The tags are merged into a found one; its name and
    /// picture stay as they are.
    pub user: NewUser,
    /// The identifying tags; not empty, and among the user's.
    pub identity: Tags,
}

/// A change of a user. `None` leaves, `Some(None)` clears.
#[derive(Debug, Clone, Default)]
pub struct UserUpdate {
    /// Tags to merge.
    pub tags: TagPatch,
    /// The name.
    pub name: Option<Option<String>>,
    /// The picture.
    pub picture_url: Option<Option<String>>,
}

/// Which users to list.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// With each of these tags.
    pub tags: Tags,
    /// Of this integration.
    pub integration: Option<IntegrationId>,
    /// Taking part in this conversation.
    pub conversation: Option<ConversationId>,
    /// Whether `after` and `before` look at the time of the last change instead of the making.
    pub range: SortField,
    /// At this time or later.
    pub after: Option<Timestamp>,
    /// At this time or earlier.
    pub before: Option<Timestamp>,
    /// Sorted by.
    pub sort: SortField,
    /// In this order.
    pub order: SortOrder,
}

/// Keeps users. An identity means, within (bot, integration), the first-made user whose tags
/// contain every pair of it.
#[async_trait]
pub trait UserStore {
    /// Finds or makes the user of an identity, atomically.
    async fn get_or_create_user(&self, command: GetOrCreateUser) -> Result<Found<User>>;

    /// Makes a user.
    async fn create_user(&self, user: NewUser) -> Result<User>;

    /// The user with this id.
    async fn get_user(&self, bot: BotId, id: UserId) -> Result<Option<User>>;

    /// The user that an identity means.
    async fn find_user(
        &self,
        bot: BotId,
        integration: Option<IntegrationId>,
        identity: Tags,
    ) -> Result<Option<User>>;

    /// Lists users.
    async fn list_users(
        &self,
        bot: BotId,
        filter: UserFilter,
        page: PageRequest,
    ) -> Result<Page<User>>;

    /// Changes a user.
    async fn update_user(
        &self,
        bot: BotId,
        id: UserId,
        update: UserUpdate,
        now: Timestamp,
    ) -> Result<Option<User>>;

    /// Deletes a user: its identities are free at once, its participations end, its states go; the
    /// messages it wrote stay. `false` if there was none. The bot's own user is `Forbidden`.
    async fn delete_user(&self, bot: BotId, id: UserId, now: Timestamp) -> Result<bool>;
}
