//! Operations on users.

use switchboard_model::{ConversationId, Error, Kind, Result, Tags, Timestamp, UserId};
use switchboard_store::{
    Found, GetOrCreateUser, NewUser, Page, PageRequest, SortField, SortOrder, UserFilter,
    UserUpdate,
};

use crate::wire::{self, WireUser};
use crate::{Caller, Engine, check};

/// The longest picture (a URL or data URI), in characters.
const PICTURE_LIMIT: usize = 40_000;

/// A user that a caller asks for. Tags are named in the caller's view.
#[derive(Debug, Clone, Default)]
pub struct UserInput {
    /// Its tags.
    pub tags: Tags,
    /// A name to show.
    pub name: Option<String>,
    /// A picture to show.
    pub picture_url: Option<String>,
    /// The alias or platform of the integration it comes through, if a bot asks.
    pub integration: Option<String>,
}

/// A change that a caller asks for. `None` leaves, `Some(None)` clears.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// Tags to merge, in the caller's view.
    pub tags: Tags,
    /// The name.
    pub name: Option<Option<String>>,
    /// The picture.
    pub picture_url: Option<Option<String>>,
}

/// Which users a caller asks for.
#[derive(Debug, Clone, Default)]
pub struct UserQuery {
    /// With each of these tags, in the caller's view.
    pub tags: Tags,
    /// Taking part in this conversation.
    pub conversation: Option<ConversationId>,
    /// Which time `after` and `before` look at.
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

impl Engine {
    /// Makes a user, always.
    pub async fn create_user(&self, caller: &Caller, input: UserInput) -> Result<WireUser> {
        let user = self.new_user(caller, input).await?;
        let user = self.store().create_user(user).await?;
        Ok(WireUser::new(&caller.view(), user))
    }

    /// Finds or makes the user that the tags named by `by` (or all) identify.
    pub async fn get_or_create_user(
        &self,
        caller: &Caller,
        input: UserInput,
        by: Option<&[String]>,
    ) -> Result<Found<WireUser>> {
        let user = self.new_user(caller, input).await?;
        let command = GetOrCreateUser {
            identity: check::identity(caller, &user.tags, by)?,
            user,
        };
        let found = self.store().get_or_create_user(command).await?;
        Ok(Found {
            value: WireUser::new(&caller.view(), found.value),
            created: found.created,
        })
    }

    /// The user.
    pub async fn get_user(&self, caller: &Caller, id: UserId) -> Result<WireUser> {
        self.store()
            .get_user(caller.bot, id)
            .await?
            .filter(|user| caller.sees_user(user))
            .map(|user| WireUser::new(&caller.view(), user))
            .ok_or_else(|| no_user(caller, id))
    }

    /// Lists users.
    pub async fn list_users(
        &self,
        caller: &Caller,
        query: UserQuery,
        page: PageRequest,
    ) -> Result<Page<WireUser>> {
        let tags = check::tag_filter(caller, query.tags)?;
        if let Some(conversation) = query.conversation
            && !self.sees_conversation(caller, conversation).await?
        {
            return Ok(Page::empty());
        }
        let filter = UserFilter {
            tags,
            integration: caller.integration_id(),
            conversation: query.conversation,
            range: query.range,
            after: query.after,
            before: query.before,
            sort: query.sort,
            order: query.order,
        };
        let found = self.store().list_users(caller.bot, filter, page).await?;
        let view = caller.view();
        Ok(found.map(|user| WireUser::new(&view, user)))
    }

    /// Changes the user. An integration may tag the user that stands for the bot, but not rename
    /// it: all integrations share it.
    pub async fn update_user(
        &self,
        caller: &Caller,
        id: UserId,
        change: UserChange,
    ) -> Result<WireUser> {
        check_looks(
            change.name.as_ref().and_then(Option::as_deref),
            change.picture_url.as_ref().and_then(Option::as_deref),
        )?;
        let tags = check::patch(caller, change.tags)?;
        if !self.sees_user(caller, id).await? {
            return Err(no_user(caller, id));
        }
        if caller.integration.is_some()
            && caller.is_bot(id)
            && (change.name.is_some() || change.picture_url.is_some())
        {
            return Err(Error::Forbidden {
                reason: "an integration may not change the bot's name or picture; \
                         let the bot do it, without x-integration-id"
                    .to_owned(),
            });
        }
        let update = UserUpdate {
            tags,
            name: change.name,
            picture_url: change.picture_url,
        };
        self.store()
            .update_user(caller.bot, id, update, self.env().now())
            .await?
            .map(|user| WireUser::new(&caller.view(), user))
            .ok_or_else(|| no_user(caller, id))
    }

    /// Deletes the user.
    pub async fn delete_user(&self, caller: &Caller, id: UserId) -> Result<()> {
        let now = self.env().now();
        if self.sees_user(caller, id).await?
            && self.store().delete_user(caller.bot, id, now).await?
        {
            return Ok(());
        }
        Err(no_user(caller, id))
    }

    pub(crate) async fn new_user(&self, caller: &Caller, input: UserInput) -> Result<NewUser> {
        check_looks(input.name.as_deref(), input.picture_url.as_deref())?;
        let tags = check::new_tags(caller, input.tags)?;
        Ok(NewUser {
            id: self.new_user_id(),
            bot: caller.bot,
            integration: self
                .integration_of_user(caller, input.integration.as_deref(), &tags)
                .await?,
            tags,
            name: input.name,
            picture_url: input.picture_url,
            now: self.env().now(),
        })
    }
}

fn check_looks(name: Option<&str>, picture: Option<&str>) -> Result<()> {
    if let Some(name) = name {
        check::limit("name", name, check::NAME_LIMIT)?;
    }
    if let Some(picture) = picture {
        check::limit("pictureUrl", picture, PICTURE_LIMIT)?;
    }
    Ok(())
}

fn no_user(caller: &Caller, id: UserId) -> Error {
    Error::not_found(Kind::User, wire::user_id(caller.bot, id))
}
