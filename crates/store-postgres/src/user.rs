//! Users.

use std::collections::BTreeSet;

use async_trait::async_trait;
use switchboard_model::{
    BotId, Error, IntegrationId, Result, StateKind, Tags, Timestamp, User, UserId,
};
use switchboard_store::{
    Cursor, Found, GetOrCreateUser, NewUser, Page, PageRequest, SortField, UserFilter, UserStore,
    UserUpdate,
};

use crate::connection::{Connection, Id};
use crate::failure::{Done, Failure};
use crate::query::Query;
use crate::rows::{self, Numbered};
use crate::tags::{self, Surplus, USERS};
use crate::writer::{IdentityScope, Tx};
use crate::{PostgresStore, conversation, sweep};

const INSERT: &str = "INSERT INTO users
    (public, bot, integration, tags, name, picture_url, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING id";
const UPDATE: &str = "UPDATE users SET tags = $2, name = $3, picture_url = $4, updated_at = $5
    WHERE id = $1";
// The row stays: messages name it as their author.
const DELETE: &str =
    "UPDATE users SET tags = '{}', name = NULL, picture_url = NULL, deleted_at = $2
    WHERE id = $1";
const BY_PUBLIC: &str = concat!(
    rows::select_user!(),
    " WHERE u.public = $1 AND b.public = $2 AND u.deleted_at IS NULL"
);
const LOCK_PUBLIC: &str = concat!(
    rows::select_user!(),
    " WHERE u.public = $1 AND b.public = $2 AND u.deleted_at IS NULL FOR NO KEY UPDATE OF u"
);
const BY_NUMBER: &str = concat!(rows::select_user!(), " WHERE u.id = $1");
const IN_SCOPE: &str = concat!(
    rows::select_user!(),
    " WHERE u.id = $1 AND u.integration IS NOT DISTINCT FROM $2 AND u.deleted_at IS NULL"
);
const NUMBER: &str = "SELECT id FROM users WHERE public = $1 AND bot = $2 AND deleted_at IS NULL";
const SCOPE: &str = "SELECT u.bot, u.integration FROM users u JOIN bot b ON b.id = u.bot
    WHERE u.public = $1 AND b.public = $2";

/// Where identities are told apart, by numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope {
    pub(crate) bot: i64,
    pub(crate) integration: Option<i64>,
}

impl Scope {
    fn identity(self) -> IdentityScope {
        self.integration
            .map_or(IdentityScope::Bot(self.bot), IdentityScope::Integration)
    }
}

/// The user with this id that is not deleted.
pub(crate) async fn by_public(
    connection: &Connection,
    bot: BotId,
    id: UserId,
) -> Done<Option<Numbered<User>>> {
    let keys = (Id(id.to_bytes()), Id(bot.to_bytes()));
    connection
        .one(BY_PUBLIC, &[&keys.0, &keys.1], rows::user)
        .await
}

/// The user with this number, deleted or not.
pub(crate) async fn by_number(connection: &Connection, id: i64) -> Done<Option<Numbered<User>>> {
    connection.one(BY_NUMBER, &[&id], rows::user).await
}

/// The number of a user that is not deleted.
pub(crate) async fn number(connection: &Connection, bot: i64, id: UserId) -> Done<Option<i64>> {
    connection.value(NUMBER, &[&Id(id.to_bytes()), &bot]).await
}

/// The first-made user whose tags contain every pair of `identity`.
pub(crate) async fn find(
    connection: &Connection,
    scope: Scope,
    identity: &Tags,
) -> Done<Option<Numbered<User>>> {
    let pairs = tags::digests(identity);
    let mut start = 0;
    while let Some(id) = USERS.first(connection, scope.bot, &pairs, start).await? {
        let found = connection
            .one(IN_SCOPE, &[&id, &scope.integration], rows::user)
            .await?;
        if let Some(user) = found
            && user.value.tags.contains(identity)
        {
            return Ok(Some(user));
        }
        start = id + 1;
    }
    Ok(None)
}

/// Makes a user; where it has tags, its scope is locked.
pub(crate) async fn insert(tx: &Tx, bot: i64, user: &NewUser) -> Done<Numbered<User>> {
    let integration = match user.integration {
        Some(id) => Some(rows::known_integration(tx, user.bot, id).await?),
        None => None,
    };
    let tags = user.tags.kept();
    let id = tx
        .sure(
            INSERT,
            &[
                &Id(user.id.to_bytes()),
                &bot,
                &integration,
                &tags::to_text(&tags)?,
                &user.name,
                &user.picture_url,
                &user.now.as_millis(),
            ],
        )
        .await?;
    USERS.add(tx, bot, id, &tags).await?;
    let made = by_number(tx, id).await?;
    made.ok_or_else(|| rows::gone("a new user"))
}

/// Finds or makes the user of an identity, whose scope is locked. A name replaces that of a found
/// one if `rename` says so: a channel's does. Tells whether it is new.
pub(crate) async fn find_or_insert(
    tx: &Tx,
    scope: Scope,
    new: &NewUser,
    identity: &Tags,
    rename: bool,
    surplus: Surplus,
) -> Done<(Numbered<User>, bool)> {
    let Some(found) = find(tx, scope, identity).await? else {
        return Ok((insert(tx, scope.bot, new).await?, true));
    };
    let update = UserUpdate {
        tags: news(&found.value, identity, &new.tags),
        name: new.name.clone().filter(|_| rename).map(Some),
        picture_url: None,
    };
    let user = change(tx, scope.bot, found, &update, surplus, new.now).await?;
    Ok((user, false))
}

/// What `tags` say that a found user does not have yet.
pub(crate) fn news(user: &User, identity: &Tags, tags: &Tags) -> Tags {
    let is_news = |(name, value): &(&str, &str)| {
        identity.get(name).is_none() && user.tags.get(name).unwrap_or_default() != *value
    };
    tags.iter().filter(is_news).collect()
}

/// Changes a user whose scope is locked, if the update says anything new.
async fn change(
    tx: &Tx,
    bot: i64,
    mut user: Numbered<User>,
    update: &UserUpdate,
    surplus: Surplus,
    now: Timestamp,
) -> Done<Numbered<User>> {
    let mut tags = user.value.tags.clone();
    let retagged = surplus.merge(&mut tags, &update.tags)?;
    let name = update
        .name
        .clone()
        .unwrap_or_else(|| user.value.name.clone());
    let picture_url = update
        .picture_url
        .clone()
        .unwrap_or_else(|| user.value.picture_url.clone());
    if !retagged && name == user.value.name && picture_url == user.value.picture_url {
        return Ok(user);
    }
    let text = tags::to_text(&tags)?;
    tx.execute(
        UPDATE,
        &[&user.id, &text, &name, &picture_url, &now.as_millis()],
    )
    .await?;
    if retagged {
        let before = tags::digest_set(&user.value.tags);
        USERS
            .replace(tx, bot, user.id, &before, &tags::digest_set(&tags))
            .await?;
    }
    user.value.tags = tags;
    user.value.name = name;
    user.value.picture_url = picture_url;
    user.value.updated_at = now;
    Ok(user)
}

async fn known_scope(connection: &Connection, new: &NewUser) -> Done<Scope> {
    Ok(Scope {
        bot: rows::known_bot(connection, new.bot).await?,
        integration: match new.integration {
            Some(id) => Some(rows::known_integration(connection, new.bot, id).await?),
            None => None,
        },
    })
}

/// The user, if it exists and the command would change nothing: such a hit needs neither a lock nor
/// a commit.
async fn settled(connection: &Connection, command: &GetOrCreateUser) -> Done<Option<User>> {
    if command.identity.is_empty() {
        return Ok(None);
    }
    let scope = known_scope(connection, &command.user).await?;
    let found = find(connection, scope, &command.identity).await?;
    let found = found.map(|row| row.value);
    Ok(found.filter(|user| news(user, &command.identity, &command.user.tags).is_empty()))
}

async fn get_or_create(tx: &mut Tx, command: &GetOrCreateUser) -> Done<Found<User>> {
    if command.identity.is_empty() {
        return Err(conversation::no_identity().into());
    }
    let new = &command.user;
    let scope = known_scope(tx, new).await?;
    tx.lock_scope(scope.identity()).await?;
    let identity = &command.identity;
    let (user, created) = find_or_insert(tx, scope, new, identity, false, Surplus::Refuse).await?;
    Ok(Found {
        value: user.value,
        created,
    })
}

async fn create(tx: &mut Tx, new: &NewUser) -> Done<User> {
    let scope = known_scope(tx, new).await?;
    tx.lock_scope(scope.identity()).await?;
    Ok(insert(tx, scope.bot, new).await?.value)
}

/// Locks the scope that a user is in, then its row.
async fn lock_identity(tx: &Tx, bot: BotId, id: UserId) -> Done<Option<(Scope, Numbered<User>)>> {
    let keys = (Id(id.to_bytes()), Id(bot.to_bytes()));
    // Neither ever changes, so that they may be looked up before the lock.
    let Some((bot, integration)) = tx.one(SCOPE, &[&keys.0, &keys.1], rows::pair).await? else {
        return Ok(None);
    };
    let scope = Scope { bot, integration };
    tx.lock_scope(scope.identity()).await?;
    let user = tx.one(LOCK_PUBLIC, &[&keys.0, &keys.1], rows::user).await?;
    Ok(user.map(|user| (scope, user)))
}

/// Locks the row of a user for something that belongs to it.
pub(crate) async fn lock(tx: &Tx, bot: i64, id: UserId) -> Done<Option<i64>> {
    const LOCK: &str = "SELECT id FROM users
        WHERE public = $1 AND bot = $2 AND deleted_at IS NULL FOR NO KEY UPDATE";
    tx.value(LOCK, &[&Id(id.to_bytes()), &bot]).await
}

pub(crate) async fn update(
    tx: &mut Tx,
    bot: BotId,
    id: UserId,
    update: &UserUpdate,
    now: Timestamp,
) -> Done<Option<User>> {
    let Some((scope, user)) = lock_identity(tx, bot, id).await? else {
        return Ok(None);
    };
    let user = change(tx, scope.bot, user, update, Surplus::Refuse, now).await?;
    Ok(Some(user.value))
}

async fn delete(tx: &mut Tx, bot: BotId, id: UserId, now: Timestamp) -> Done<bool> {
    if id == UserId::from(bot) {
        return Err(Failure::Refused(Error::Forbidden {
            reason: "this user stands for the bot and stays as long as it; delete another"
                .to_owned(),
        }));
    }
    let Some((scope, user)) = lock_identity(tx, bot, id).await? else {
        return Ok(false);
    };
    tx.execute(DELETE, &[&user.id, &now.as_millis()]).await?;
    let before = tags::digest_set(&user.value.tags);
    USERS
        .replace(tx, scope.bot, user.id, &before, &BTreeSet::new())
        .await?;
    sweep::later(tx, StateKind::User, user.id).await?;
    Ok(true)
}

async fn find_in(
    connection: &Connection,
    bot: BotId,
    integration: Option<IntegrationId>,
    identity: &Tags,
) -> Done<Option<User>> {
    let Some(bot_number) = rows::bot(connection, bot).await? else {
        return Ok(None);
    };
    let integration = match integration {
        Some(id) => match rows::integration(connection, bot, id).await? {
            Some(number) => Some(number),
            None => return Ok(None),
        },
        None => None,
    };
    let scope = Scope {
        bot: bot_number,
        integration,
    };
    let found = find(connection, scope, identity).await?;
    Ok(found.map(|user| user.value))
}

async fn list(
    connection: &Connection,
    bot: BotId,
    filter: &UserFilter,
    page: PageRequest,
) -> Done<Page<User>> {
    let Some(bot_number) = rows::bot(connection, bot).await? else {
        return Ok(Page::empty());
    };
    let mut query = Query::new(rows::select_user!());
    query.and("u.deleted_at IS NULL");
    query.and_value("u.bot = ?", bot_number);
    if !filter.tags.is_empty() {
        let found = USERS
            .candidates(connection, &[bot_number], &filter.tags)
            .await?;
        if let Some(candidates) = found {
            query.and_value("u.id = ANY (?)", candidates);
        }
        query.and_value(
            "u.tags::jsonb @> ?::text::jsonb",
            tags::to_text(&filter.tags)?,
        );
    }
    if let Some(integration) = filter.integration {
        let Some(integration) = rows::integration(connection, bot, integration).await? else {
            return Ok(Page::empty());
        };
        query.and_value("u.integration = ?", integration);
    }
    if let Some(id) = filter.conversation {
        let Some(conversation) = conversation::number(connection, bot_number, id).await? else {
            return Ok(Page::empty());
        };
        query.and_value(
            "u.id IN (SELECT user_id FROM participant WHERE conversation = ?)",
            conversation,
        );
    }
    let (from, to) = match filter.range {
        SortField::CreatedAt => ("u.created_at >= ?", "u.created_at <= ?"),
        SortField::UpdatedAt => ("u.updated_at >= ?", "u.updated_at <= ?"),
    };
    if let Some(after) = filter.after {
        query.and_value(from, after.as_millis());
    }
    if let Some(before) = filter.before {
        query.and_value(to, before.as_millis());
    }
    let column = match filter.sort {
        SortField::CreatedAt => "u.created_at",
        SortField::UpdatedAt => "u.updated_at",
    };
    let place = |user: &Numbered<User>| Cursor {
        at: match filter.sort {
            SortField::CreatedAt => user.value.created_at.as_millis(),
            SortField::UpdatedAt => user.value.updated_at.as_millis(),
        },
        row: user.id,
    };
    let order = (column, "u.id", filter.order);
    let page = query
        .page(connection, order, page, rows::user, place)
        .await?;
    Ok(page.map(|user| user.value))
}

#[async_trait]
impl UserStore for PostgresStore {
    async fn get_or_create_user(&self, command: GetOrCreateUser) -> Result<Found<User>> {
        let found = self.read_of(&command, |connection, command| {
            Box::pin(settled(connection, command))
        });
        if let Some(value) = found.await? {
            let created = false;
            return Ok(Found { value, created });
        }
        self.write(command, |tx, command| Box::pin(get_or_create(tx, command)))
            .await
    }

    async fn create_user(&self, user: NewUser) -> Result<User> {
        self.write(user, |tx, user| Box::pin(create(tx, user)))
            .await
    }

    async fn get_user(&self, bot: BotId, id: UserId) -> Result<Option<User>> {
        self.look((bot, id), |connection, (bot, id)| {
            Box::pin(async move {
                let found = by_public(connection, *bot, *id).await?;
                Ok(found.map(|user| user.value))
            })
        })
        .await
    }

    async fn find_user(
        &self,
        bot: BotId,
        integration: Option<IntegrationId>,
        identity: Tags,
    ) -> Result<Option<User>> {
        self.read((bot, integration, identity), |connection, keys| {
            Box::pin(find_in(connection, keys.0, keys.1, &keys.2))
        })
        .await
    }

    async fn list_users(
        &self,
        bot: BotId,
        filter: UserFilter,
        page: PageRequest,
    ) -> Result<Page<User>> {
        self.read((bot, filter, page), |connection, (bot, filter, page)| {
            Box::pin(list(connection, *bot, filter, *page))
        })
        .await
    }

    async fn update_user(
        &self,
        bot: BotId,
        id: UserId,
        change: UserUpdate,
        now: Timestamp,
    ) -> Result<Option<User>> {
        self.write((bot, id, change, now), |tx, (bot, id, change, now)| {
            Box::pin(update(tx, *bot, *id, change, *now))
        })
        .await
    }

    async fn delete_user(&self, bot: BotId, id: UserId, now: Timestamp) -> Result<bool> {
        self.write((bot, id, now), |tx, (bot, id, now)| {
            Box::pin(delete(tx, *bot, *id, *now))
        })
        .await
    }
}
