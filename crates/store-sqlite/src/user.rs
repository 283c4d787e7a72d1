//! Users.

use std::collections::BTreeSet;

use async_trait::async_trait;
use rusqlite::{Connection, params};
use switchboard_model::{
    BotId, Error, IntegrationId, Result, StateKind, Tags, Timestamp, User, UserId,
};
use switchboard_store::{
    Cursor, Found, GetOrCreateUser, NewUser, Page, PageRequest, SortField, TagKind, UserFilter,
    UserStore, UserUpdate,
};

use crate::failure::Done;
use crate::query::{self, Query};
use crate::rows::{self, Home, Numbered};
use crate::tags::{self, Surplus, USERS};
use crate::writer::Tx;
use crate::{SqliteStore, conversation, sweep, tag_value};

const INSERT: &str = "INSERT INTO user
    (public, bot, integration, tags, name, picture_url, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)";
const UPDATE: &str = "UPDATE user SET tags = ?2, name = ?3, picture_url = ?4, updated_at = ?5
    WHERE id = ?1";
// The row stays: messages name it as their author.
const DELETE: &str = "UPDATE user SET tags = '{}', name = NULL, picture_url = NULL, deleted_at = ?2
    WHERE id = ?1";
const BY_PUBLIC: &str = concat!(
    rows::select_user!(),
    " WHERE u.public = ?1 AND b.public = ?2 AND u.deleted_at IS NULL"
);
const BY_NUMBER: &str = concat!(rows::select_user!(), " WHERE u.id = ?1");
const IN_SCOPE: &str = concat!(
    rows::select_user!(),
    " WHERE u.id = ?1 AND u.integration IS ?2 AND u.deleted_at IS NULL"
);
pub(crate) const BY_PAIR: &str = concat!(
    rows::select_user!(
        "?5, ?6",
        ", EXISTS (SELECT 1 FROM participant p WHERE p.conversation = ?7 AND p.user = u.id)",
        "user_tag t CROSS JOIN user u ON u.id = t.item"
    ),
    " WHERE t.scope = ?1 AND t.pair = ?2 AND t.item >= ?3 AND u.integration IS ?4
        AND u.deleted_at IS NULL ORDER BY t.item LIMIT 1"
);
const NUMBER: &str = "SELECT id FROM user WHERE public = ?1 AND bot = ?2 AND deleted_at IS NULL";

/// Where identities are told apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope {
    pub(crate) bot: Numbered<BotId>,
    pub(crate) integration: Option<Numbered<IntegrationId>>,
}

impl Scope {
    /// Users of an integration.
    pub(crate) const fn of(home: &Home) -> Self {
        Self {
            bot: home.bot,
            integration: Some(home.integration),
        }
    }

    /// Users of a bot that no integration brought.
    pub(crate) const fn of_bot(id: i64, bot: BotId) -> Self {
        Self {
            bot: Numbered { id, value: bot },
            integration: None,
        }
    }
}

/// The user with this id that is not deleted.
pub(crate) fn by_public(
    connection: &Connection,
    bot: BotId,
    id: UserId,
) -> Done<Option<Numbered<User>>> {
    rows::one(
        connection,
        BY_PUBLIC,
        [id.to_bytes(), bot.to_bytes()],
        rows::user,
    )
}

/// The user with this number, deleted or not.
pub(crate) fn by_number(connection: &Connection, id: i64) -> Done<Option<Numbered<User>>> {
    rows::one(connection, BY_NUMBER, [id], rows::user)
}

/// The number of a user that is not deleted.
pub(crate) fn number(connection: &Connection, bot: i64, id: UserId) -> Done<Option<i64>> {
    rows::value(connection, NUMBER, params![id.to_bytes(), bot])
}

/// A user that was looked for where something is said.
#[derive(Debug)]
pub(crate) struct Speaker {
    pub(crate) user: Numbered<User>,
    /// Whether they are known to take part there.
    pub(crate) takes_part: bool,
}

impl From<Numbered<User>> for Speaker {
    fn from(user: Numbered<User>) -> Self {
        Self {
            user,
            takes_part: false,
        }
    }
}

/// The first-made user whose tags contain every pair of `identity`.
pub(crate) fn find(
    connection: &Connection,
    scope: Scope,
    identity: &Tags,
) -> Done<Option<Numbered<User>>> {
    let found = find_speaker(connection, scope, identity, None)?;
    Ok(found.map(|speaker| speaker.user))
}

/// The same, who speaks in a conversation.
pub(crate) fn find_speaker(
    connection: &Connection,
    scope: Scope,
    identity: &Tags,
    conversation: Option<i64>,
) -> Done<Option<Speaker>> {
    let pairs = tags::digests(identity);
    let mut start = 0;
    while let Some(found) = candidate(connection, scope, &pairs, start, conversation)? {
        if found.user.value.tags.contains(identity) {
            return Ok(Some(found));
        }
        start = found.user.id + 1;
    }
    Ok(None)
}

/// The first user from `start` on that has all pairs, by digest.
fn candidate(
    connection: &Connection,
    scope: Scope,
    pairs: &[i64],
    mut start: i64,
    conversation: Option<i64>,
) -> Done<Option<Speaker>> {
    let integration = scope.integration.map(|integration| integration.id);
    // Most people are known by one name: one statement less on the way of each message, and with who
    // takes part another.
    if let [pair] = pairs {
        let keys = params![
            scope.bot.id,
            pair,
            start,
            integration,
            scope.bot.value.to_bytes(),
            scope
                .integration
                .map(|integration| integration.value.to_bytes()),
            conversation
        ];
        return rows::one(connection, BY_PAIR, keys, |row| {
            Ok(Speaker {
                user: rows::user(row)?,
                takes_part: row.get(9)?,
            })
        });
    }
    while let Some(id) = USERS.first(connection, scope.bot.id, pairs, start)? {
        let keys = params![id, integration];
        if let Some(user) = rows::one(connection, IN_SCOPE, keys, rows::user)? {
            return Ok(Some(user.into()));
        }
        start = id + 1;
    }
    Ok(None)
}

/// Makes a user.
pub(crate) fn insert(
    connection: &Connection,
    scope: Scope,
    user: &NewUser,
) -> Done<Numbered<User>> {
    let tags = user.tags.kept();
    let id = rows::insert(
        connection,
        INSERT,
        params![
            user.id.to_bytes(),
            scope.bot.id,
            scope.integration.map(|integration| integration.id),
            tags::to_text(&tags)?,
            user.name,
            user.picture_url,
            user.now.as_millis()
        ],
    )?;
    USERS.add(connection, scope.bot.id, id, &tags)?;
    by_number(connection, id)?.ok_or_else(|| rows::gone("a new user"))
}

/// What is told of a user who was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told<'a> {
    /// What they were found by.
    pub(crate) identity: &'a Tags,
    pub(crate) tags: &'a Tags,
    /// None: they are called as before.
    pub(crate) name: Option<&'a str>,
    pub(crate) now: Timestamp,
}

/// Writes what is told of a found user, if it says anything new.
pub(crate) fn hear(
    connection: &Connection,
    bot: i64,
    found: Numbered<User>,
    told: Told<'_>,
    surplus: Surplus,
) -> Done<Numbered<User>> {
    let is_new = |name: &&str| found.value.name.as_deref() != Some(*name);
    let update = UserUpdate {
        tags: news(&found.value, told.identity, told.tags),
        name: told.name.filter(is_new).map(|name| Some(name.to_owned())),
        picture_url: None,
    };
    change(connection, bot, found, update, surplus, told.now)
}

/// Merges tags into a found user, if they say anything new.
pub(crate) fn merge(
    connection: &Connection,
    bot: i64,
    found: Numbered<User>,
    tags: &Tags,
    surplus: Surplus,
    now: Timestamp,
) -> Done<Numbered<User>> {
    let update = UserUpdate {
        tags: news(&found.value, &Tags::new(), tags),
        name: None,
        picture_url: None,
    };
    change(connection, bot, found, update, surplus, now)
}

/// What `tags` say that a found user does not have yet.
fn news(user: &User, identity: &Tags, tags: &Tags) -> Tags {
    let is_news = |(name, value): &(&str, &str)| {
        identity.get(name).is_none() && user.tags.get(name).unwrap_or_default() != *value
    };
    tags.iter().filter(is_news).collect()
}

/// Changes a user, if the update says anything new.
fn change(
    connection: &Connection,
    bot: i64,
    mut user: Numbered<User>,
    update: UserUpdate,
    surplus: Surplus,
    now: Timestamp,
) -> Done<Numbered<User>> {
    // Most of what comes says nothing new, and costs no copy.
    if update.tags.is_empty()
        && update.picture_url.is_none()
        && update
            .name
            .as_ref()
            .is_none_or(|name| *name == user.value.name)
    {
        return Ok(user);
    }
    let mut tags = user.value.tags.clone();
    let retagged = surplus.merge(&mut tags, &update.tags)?;
    let name = update.name.unwrap_or_else(|| user.value.name.clone());
    let picture_url = update
        .picture_url
        .unwrap_or_else(|| user.value.picture_url.clone());
    if !retagged && name == user.value.name && picture_url == user.value.picture_url {
        return Ok(user);
    }
    rows::execute(
        connection,
        UPDATE,
        params![
            user.id,
            tags::to_text(&tags)?,
            name,
            picture_url,
            now.as_millis()
        ],
    )?;
    if retagged {
        tag_value::changed(connection, TagKind::User, user.id, &user.value.tags, &tags)?;
        let before = tags::digest_set(&user.value.tags);
        USERS.replace(connection, bot, user.id, &before, &tags::digest_set(&tags))?;
    }
    user.value.tags = tags;
    user.value.name = name;
    user.value.picture_url = picture_url;
    user.value.updated_at = now;
    Ok(user)
}

fn known_scope(connection: &Connection, new: &NewUser) -> Done<Scope> {
    Ok(match new.integration {
        Some(id) => Scope::of(&rows::known_home(connection, new.bot, id)?),
        None => Scope::of_bot(rows::known_bot(connection, new.bot)?, new.bot),
    })
}

/// The user, if it exists and the command would change nothing: such a hit needs neither the writer
/// nor a commit.
fn look(connection: &Connection, command: &GetOrCreateUser) -> Done<Option<User>> {
    if command.identity.is_empty() {
        return Ok(None);
    }
    let scope = known_scope(connection, &command.user)?;
    let found = find(connection, scope, &command.identity)?.map(|row| row.value);
    Ok(found.filter(|user| news(user, &command.identity, &command.user.tags).is_empty()))
}

fn get_or_create(tx: &mut Tx<'_>, command: &GetOrCreateUser) -> Done<Found<User>> {
    let (user, created) = find_or_make(tx, command)?;
    Ok(Found {
        value: user.value,
        created,
    })
}

/// Does a get-or-create. Tells whether the user is new.
pub(crate) fn find_or_make(
    tx: &mut Tx<'_>,
    command: &GetOrCreateUser,
) -> Done<(Numbered<User>, bool)> {
    if command.identity.is_empty() {
        return Err(conversation::no_identity().into());
    }
    let new = &command.user;
    let scope = known_scope(tx.connection, new)?;
    let identity = &command.identity;
    let Some(found) = find(tx.connection, scope, identity)? else {
        return Ok((insert(tx.connection, scope, new)?, true));
    };
    let told = Told {
        identity,
        tags: &new.tags,
        name: None,
        now: new.now,
    };
    let user = hear(tx.connection, scope.bot.id, found, told, Surplus::Refuse)?;
    Ok((user, false))
}

pub(crate) fn update(
    tx: &mut Tx<'_>,
    bot: BotId,
    id: UserId,
    update: UserUpdate,
    now: Timestamp,
) -> Done<Option<User>> {
    let Some(user) = by_public(tx.connection, bot, id)? else {
        return Ok(None);
    };
    let bot = rows::known_bot(tx.connection, bot)?;
    let user = change(tx.connection, bot, user, update, Surplus::Refuse, now)?;
    Ok(Some(user.value))
}

fn delete(tx: &mut Tx<'_>, bot: BotId, id: UserId, now: Timestamp) -> Done<bool> {
    if id == UserId::from(bot) {
        return Err(Error::Forbidden {
            reason: "this user stands for the bot and stays as long as it; delete another"
                .to_owned(),
        }
        .into());
    }
    let Some(user) = by_public(tx.connection, bot, id)? else {
        return Ok(false);
    };
    let bot = rows::known_bot(tx.connection, bot)?;
    tag_value::gone(tx.connection, TagKind::User, user.id, &user.value.tags)?;
    rows::execute(tx.connection, DELETE, params![user.id, now.as_millis()])?;
    let before = tags::digest_set(&user.value.tags);
    USERS.replace(tx.connection, bot, user.id, &before, &BTreeSet::new())?;
    sweep::later(tx.connection, StateKind::User, user.id)?;
    Ok(true)
}

fn list(
    connection: &Connection,
    bot: BotId,
    filter: &UserFilter,
    page: PageRequest,
) -> Done<Page<User>> {
    let Some(bot_number) = rows::bot(connection, bot)? else {
        return Ok(query::empty());
    };
    let mut query = Query::new(rows::select_user!());
    query.and("u.deleted_at IS NULL");
    let candidates = if filter.tags.is_empty() {
        None
    } else {
        USERS.candidates(connection, &[bot_number], &filter.tags)?
    };
    if let Some(candidates) = candidates {
        // The plus keeps the order's index out: few candidates are read and sorted instead.
        query.and_value("u.id IN (SELECT value FROM json_each(?))", candidates);
        query.and_value("+u.bot = ?", bot_number);
    } else {
        query.and_value("u.bot = ?", bot_number);
    }
    if let Some(integration) = filter.integration {
        let Some(integration) = rows::integration(connection, bot, integration)? else {
            return Ok(query::empty());
        };
        query.and_value("u.integration = ?", integration);
    }
    if let Some(id) = filter.conversation {
        let Some(conversation) = conversation::number(connection, bot_number, id)? else {
            return Ok(query::empty());
        };
        query.and_value(
            "u.id IN (SELECT user FROM participant WHERE conversation = ?)",
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
    let page = query.page(
        connection,
        (column, "u.id", filter.order),
        page,
        rows::user,
        |user| Cursor {
            at: match filter.sort {
                SortField::CreatedAt => user.value.created_at.as_millis(),
                SortField::UpdatedAt => user.value.updated_at.as_millis(),
            },
            row: user.id,
        },
        |user| Ok(user.value.tags.contains(&filter.tags)),
    )?;
    Ok(query::map_page(page, |user| user.value))
}

#[async_trait]
impl UserStore for SqliteStore {
    async fn get_or_create_user(&self, command: GetOrCreateUser) -> Result<Found<User>> {
        if let Some(value) = self.read(|connection| look(connection, &command)).await? {
            let created = false;
            return Ok(Found { value, created });
        }
        self.write(move |tx| get_or_create(tx, &command)).await
    }

    async fn create_user(&self, user: NewUser) -> Result<User> {
        self.write(move |tx| {
            let scope = known_scope(tx.connection, &user)?;
            Ok(insert(tx.connection, scope, &user)?.value)
        })
        .await
    }

    async fn get_user(&self, bot: BotId, id: UserId) -> Result<Option<User>> {
        self.read(|connection| Ok(by_public(connection, bot, id)?.map(|user| user.value)))
            .await
    }

    async fn find_user(
        &self,
        bot: BotId,
        integration: Option<IntegrationId>,
        identity: Tags,
    ) -> Result<Option<User>> {
        self.read(|connection| {
            let scope = match integration {
                Some(id) => rows::home(connection, bot, id)?.map(|home| Scope::of(&home)),
                None => rows::bot(connection, bot)?.map(|id| Scope::of_bot(id, bot)),
            };
            let Some(scope) = scope else {
                return Ok(None);
            };
            Ok(find(connection, scope, &identity)?.map(|user| user.value))
        })
        .await
    }

    async fn list_users(
        &self,
        bot: BotId,
        filter: UserFilter,
        page: PageRequest,
    ) -> Result<Page<User>> {
        self.list(move |connection| list(connection, bot, &filter, page))
            .await
    }

    async fn update_user(
        &self,
        bot: BotId,
        id: UserId,
        change: UserUpdate,
        now: Timestamp,
    ) -> Result<Option<User>> {
        self.write(move |tx| update(tx, bot, id, change.clone(), now))
            .await
    }

    async fn delete_user(&self, bot: BotId, id: UserId, now: Timestamp) -> Result<bool> {
        self.write(move |tx| delete(tx, bot, id, now)).await
    }
}
