//! Conversations.

mod list;
mod merge;

use std::collections::BTreeSet;

use async_trait::async_trait;
use rusqlite::{Connection, params};
use switchboard_model::{
    BotId, Conversation, ConversationId, Error, Result, StateKind, TagPatch, Tags, Timestamp, User,
    UserId,
};
use switchboard_store::{
    ConversationFilter, ConversationStore, CreateConversation, Created, Found,
    GetOrCreateConversation, Occupied, Page, PageRequest, Place, Rekey, Rekeyed, TagKind,
};

use crate::failure::{Done, Failure};
use crate::rows::{self, ConversationRow, Home};
use crate::tags::{self, CONVERSATIONS, Surplus};
use crate::writer::Tx;
use crate::{SqliteStore, participant, sweep, tag_value};

const INSERT: &str = "INSERT INTO conversation
    (public, bot, integration, channel, tags, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)";
const RETAG: &str =
    "UPDATE conversation SET tags = ?2, aliases = ?3, updated_at = ?4 WHERE id = ?1";
const RESET: &str = "UPDATE conversation SET reset_at = ?2, updated_at = ?2 WHERE id = ?1";
const DELETE: &str = "UPDATE conversation SET deleted_at = ?2 WHERE id = ?1";
const BY_PUBLIC: &str = concat!(
    rows::select_conversation!(),
    " WHERE c.public = ?1 AND b.public = ?2 AND c.deleted_at IS NULL"
);
const BY_NUMBER: &str = concat!(
    rows::select_conversation!(),
    " WHERE c.id = ?1 AND c.deleted_at IS NULL"
);
pub(crate) const BY_PAIR: &str = concat!(
    rows::select_conversation!(
        "?6, ?7, ?8",
        "conversation_tag t CROSS JOIN conversation c ON c.id = t.item"
    ),
    " WHERE t.scope = ?1 AND t.pair = ?2 AND t.item >= ?3 AND c.integration = ?4
        AND c.channel = ?5 AND c.deleted_at IS NULL ORDER BY t.item LIMIT 1"
);
const NUMBER: &str = "SELECT id FROM conversation
    WHERE public = ?1 AND bot = ?2 AND deleted_at IS NULL";

/// Merged ones mean the one that stayed; that may be merged in turn, but then these were moved on.
const SURVIVOR: &str = "SELECT c.merged_into FROM conversation c JOIN bot b ON b.id = c.bot
    WHERE c.public = ?1 AND b.public = ?2 AND c.merged_into IS NOT NULL";
const SURVIVING: &str =
    "SELECT s.id FROM conversation c JOIN conversation s ON s.id = c.merged_into
    WHERE c.public = ?1 AND c.bot = ?2 AND s.deleted_at IS NULL";

/// Where identities are told apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) home: &'a Home,
    pub(crate) channel: &'a str,
}

/// The conversation with this id that is not deleted.
pub(crate) fn by_public(
    connection: &Connection,
    bot: BotId,
    id: ConversationId,
) -> Done<Option<ConversationRow>> {
    let keys = [id.to_bytes(), bot.to_bytes()];
    let found = rows::one(connection, BY_PUBLIC, keys, rows::conversation)?;
    if found.is_some() {
        return Ok(found);
    }
    match rows::value::<i64>(connection, SURVIVOR, keys)? {
        Some(survivor) => by_number(connection, survivor),
        None => Ok(None),
    }
}

/// The conversation with this number that is not deleted.
pub(crate) fn by_number(connection: &Connection, id: i64) -> Done<Option<ConversationRow>> {
    rows::one(connection, BY_NUMBER, [id], rows::conversation)
}

/// The number of a conversation that is not deleted.
pub(crate) fn number(connection: &Connection, bot: i64, id: ConversationId) -> Done<Option<i64>> {
    let found = rows::value(connection, NUMBER, params![id.to_bytes(), bot])?;
    if found.is_some() {
        return Ok(found);
    }
    rows::value(connection, SURVIVING, params![id.to_bytes(), bot])
}

/// The first-made conversation whose tags or aliases contain every pair of `identity`.
pub(crate) fn find(
    connection: &Connection,
    scope: Scope<'_>,
    identity: &Tags,
) -> Done<Option<ConversationRow>> {
    let pairs = tags::digests(identity);
    let mut start = 0;
    while let Some(row) = candidate(connection, scope, &pairs, start)? {
        let has = |(name, value)| row.value.tags.get(name) == Some(value) || row.was(name, value);
        if identity.iter().all(has) {
            return Ok(Some(row));
        }
        start = row.id + 1;
    }
    Ok(None)
}

/// The first conversation from `start` on that has all pairs, by digest.
fn candidate(
    connection: &Connection,
    scope: Scope<'_>,
    pairs: &[i64],
    mut start: i64,
) -> Done<Option<ConversationRow>> {
    // Most threads are known by one name: one statement less on the way of each message.
    if let [pair] = pairs {
        let Home {
            bot,
            integration,
            alias,
        } = scope.home;
        let keys = params![
            bot.id,
            pair,
            start,
            integration.id,
            scope.channel,
            bot.value.to_bytes(),
            integration.value.to_bytes(),
            alias
        ];
        return rows::one(connection, BY_PAIR, keys, rows::conversation);
    }
    while let Some(id) = CONVERSATIONS.first(connection, scope.home.bot.id, pairs, start)? {
        if let Some(row) = by_number(connection, id)?
            && row.integration == scope.home.integration.id
            && row.value.channel == scope.channel
        {
            return Ok(Some(row));
        }
        start = id + 1;
    }
    Ok(None)
}

/// Makes a conversation that nothing stands in the way of.
pub(crate) fn insert(
    connection: &Connection,
    scope: Scope<'_>,
    id: ConversationId,
    tags: &Tags,
    now: Timestamp,
) -> Done<ConversationRow> {
    let tags = tags.kept();
    let number = rows::insert(
        connection,
        INSERT,
        params![
            id.to_bytes(),
            scope.home.bot.id,
            scope.home.integration.id,
            scope.channel,
            tags::to_text(&tags)?,
            now.as_millis()
        ],
    )?;
    CONVERSATIONS.add(connection, scope.home.bot.id, number, &tags)?;
    by_number(connection, number)?.ok_or_else(|| rows::gone("a new conversation"))
}

/// Finds or makes the conversation of an identity. Tells whether it is new.
pub(crate) fn find_or_insert(
    connection: &Connection,
    scope: Scope<'_>,
    id: ConversationId,
    identity: &Tags,
    tags: &Tags,
    surplus: Surplus,
    now: Timestamp,
) -> Done<(ConversationRow, bool)> {
    let Some(mut row) = find(connection, scope, identity)? else {
        return Ok((insert(connection, scope, id, tags, now)?, true));
    };
    merge(connection, &mut row, identity, tags, surplus, now)?;
    Ok((row, false))
}

/// Merges tags into a found conversation, if they say anything new.
pub(crate) fn merge(
    connection: &Connection,
    row: &mut ConversationRow,
    identity: &Tags,
    tags: &Tags,
    surplus: Surplus,
    now: Timestamp,
) -> Done<()> {
    let news = news(row, identity, tags);
    if news.is_empty() {
        return Ok(());
    }
    let mut merged = row.value.tags.clone();
    if surplus.merge(&mut merged, &news)? {
        retag(connection, row, merged, Vec::new(), now)?;
    }
    Ok(())
}

/// Adds what fits of tags that something tells of a found conversation, under no name of its own.
pub(crate) fn note(
    connection: &Connection,
    row: &mut ConversationRow,
    tags: &Tags,
    now: Timestamp,
) -> Done<()> {
    merge(connection, row, &Tags::new(), tags, Surplus::LeaveOut, now)
}

/// What `tags` say that a found conversation does not have yet. What it is known by stays as it is:
/// someone who comes by an old name must not bring the old name back.
fn news(row: &ConversationRow, identity: &Tags, tags: &Tags) -> TagPatch {
    let is_news = |(name, value): &(&str, &str)| {
        identity.get(name).is_none()
            && row.value.tags.get(name).unwrap_or_default() != *value
            && !row.was(name, value)
    };
    tags.iter().filter(is_news).collect()
}

/// Writes new tags and more aliases, and lets the index follow.
fn retag(
    connection: &Connection,
    row: &mut ConversationRow,
    tags: Tags,
    aliases: Vec<(String, String)>,
    now: Timestamp,
) -> Done<()> {
    let before = indexed(row);
    tag_value::changed(
        connection,
        TagKind::Conversation,
        row.id,
        &row.value.tags,
        &tags,
    )?;
    row.value.tags = tags;
    row.value.updated_at = now;
    for alias in aliases {
        if !row.aliases.contains(&alias) {
            row.aliases.push(alias);
        }
    }
    let aliases = match row.aliases.as_slice() {
        [] => None,
        aliases => Some(serde_json::to_string(aliases).map_err(Failure::damage)?),
    };
    rows::execute(
        connection,
        RETAG,
        params![
            row.id,
            tags::to_text(&row.value.tags)?,
            aliases,
            now.as_millis()
        ],
    )?;
    CONVERSATIONS.replace(
        connection,
        row.index_scope(),
        row.id,
        &before,
        &indexed(row),
    )
}

/// What the index says of it.
fn indexed(row: &ConversationRow) -> BTreeSet<i64> {
    let mut pairs = tags::digest_set(&row.value.tags);
    pairs.extend(
        row.aliases
            .iter()
            .map(|(name, value)| tags::digest(name, value)),
    );
    pairs
}

/// The conversation, if it exists and the command would change nothing: such a hit, the most
/// frequent kind, needs neither the writer nor a commit.
fn look(connection: &Connection, command: &GetOrCreateConversation) -> Done<Option<Conversation>> {
    if command.identity.is_empty() {
        return Ok(None);
    }
    let home = known_home(connection, &command.place)?;
    let scope = scope(&home, &command.place);
    let Some(row) = find(connection, scope, &command.identity)? else {
        return Ok(None);
    };
    let settled = news(&row, &command.identity, &command.tags).is_empty()
        && participant::all_joined(connection, home.bot.id, row.id, &command.participants)?;
    Ok(settled.then_some(row.value))
}

fn get_or_create(tx: &mut Tx<'_>, command: &GetOrCreateConversation) -> Done<Found<Conversation>> {
    let (row, created) = find_or_make(tx, command)?;
    Ok(Found {
        value: row.value,
        created,
    })
}

/// Does a get-or-create. Tells whether the conversation is new.
pub(crate) fn find_or_make(
    tx: &mut Tx<'_>,
    command: &GetOrCreateConversation,
) -> Done<(ConversationRow, bool)> {
    if command.identity.is_empty() {
        return Err(no_identity().into());
    }
    let home = known_home(tx.connection, &command.place)?;
    let scope = scope(&home, &command.place);
    let (row, created) = find_or_insert(
        tx.connection,
        scope,
        command.id,
        &command.identity,
        &command.tags,
        Surplus::Refuse,
        command.now,
    )?;
    participant::join_all(tx.connection, home.bot.id, row.id, &command.participants)?;
    Ok((row, created))
}

/// An empty identity would mean any conversation.
pub(crate) fn no_identity() -> Error {
    Error::invalid("tags", "expected at least one tag that identifies")
}

fn create(tx: &mut Tx<'_>, command: &CreateConversation) -> Done<Created> {
    let home = known_home(tx.connection, &command.place)?;
    let scope = scope(&home, &command.place);
    if let Some(identity) = &command.unless
        && let Some(row) = find(tx.connection, scope, identity)?
    {
        return Ok(Created::Exists(row.value.id));
    }
    let row = insert(tx.connection, scope, command.id, &command.tags, command.now)?;
    participant::join_all(tx.connection, home.bot.id, row.id, &command.participants)?;
    Ok(Created::Created(row.value))
}

fn known_home(connection: &Connection, place: &Place) -> Done<Home> {
    rows::known_home(connection, place.bot, place.integration)
}

fn scope<'a>(home: &'a Home, place: &'a Place) -> Scope<'a> {
    Scope {
        home,
        channel: &place.channel,
    }
}

fn update(
    tx: &mut Tx<'_>,
    bot: BotId,
    id: ConversationId,
    patch: &TagPatch,
    now: Timestamp,
) -> Done<Option<Conversation>> {
    let Some(mut row) = by_public(tx.connection, bot, id)? else {
        return Ok(None);
    };
    merge_tags(tx.connection, &mut row, patch, now)?;
    Ok(Some(row.value))
}

/// Merges tags into a conversation; too many are refused.
pub(crate) fn merge_tags(
    connection: &Connection,
    row: &mut ConversationRow,
    patch: &TagPatch,
    now: Timestamp,
) -> Done<()> {
    let mut tags = row.value.tags.clone();
    if Surplus::Refuse.merge(&mut tags, patch)? {
        retag(connection, row, tags, Vec::new(), now)?;
    }
    Ok(())
}

fn delete(tx: &mut Tx<'_>, bot: BotId, id: ConversationId, now: Timestamp) -> Done<bool> {
    let Some(row) = by_public(tx.connection, bot, id)? else {
        return Ok(false);
    };
    tag_value::gone(
        tx.connection,
        TagKind::Conversation,
        row.id,
        &row.value.tags,
    )?;
    rows::execute(tx.connection, DELETE, params![row.id, now.as_millis()])?;
    let none = BTreeSet::new();
    CONVERSATIONS.replace(
        tx.connection,
        row.index_scope(),
        row.id,
        &indexed(&row),
        &none,
    )?;
    sweep::later(tx.connection, StateKind::Conversation, row.id)?;
    tx.conversation_changed(id);
    Ok(true)
}

fn reset(
    tx: &mut Tx<'_>,
    bot: BotId,
    id: ConversationId,
    now: Timestamp,
) -> Done<Option<Conversation>> {
    let Some(mut row) = by_public(tx.connection, bot, id)? else {
        return Ok(None);
    };
    if row.reset {
        return Ok(Some(row.value));
    }
    rows::execute(tx.connection, RESET, params![row.id, now.as_millis()])?;
    let (pairs, none) = (indexed(&row), BTreeSet::new());
    CONVERSATIONS.replace(tx.connection, row.index_scope(), row.id, &pairs, &none)?;
    row.reset = true;
    row.value.updated_at = now;
    CONVERSATIONS.replace(tx.connection, row.index_scope(), row.id, &none, &pairs)?;
    tx.conversation_changed(id);
    Ok(Some(row.value))
}

/// Gives a conversation a new identity.
pub(crate) fn rekey(tx: &mut Tx<'_>, command: &Rekey) -> Done<Rekeyed> {
    let Some(mut row) = by_public(tx.connection, command.bot, command.conversation)? else {
        return Ok(Rekeyed::Missing);
    };
    let home = row.home();
    let scope = Scope {
        home: &home,
        channel: &row.value.channel,
    };
    if let Some(other) = find(tx.connection, scope, &command.identity)?
        && other.id != row.id
        && !row.reset
    {
        return match command.occupied {
            Occupied::Refuse => Ok(Rekeyed::Occupied(other.value.id)),
            Occupied::Merge => merge::merge(tx, row, other, &command.tags, command.now),
        };
    }
    let mut tags = row.value.tags.clone();
    if !Surplus::Refuse.merge(&mut tags, &command.tags)? {
        return Ok(Rekeyed::Unchanged(row.value));
    }
    let replaced = row
        .value
        .tags
        .clone()
        .into_iter()
        .filter(|(name, value)| tags.get(name) != Some(value))
        .collect();
    retag(tx.connection, &mut row, tags, replaced, command.now)?;
    Ok(Rekeyed::Rekeyed(row.value))
}

#[async_trait]
impl ConversationStore for SqliteStore {
    async fn get_or_create_conversation(
        &self,
        command: GetOrCreateConversation,
    ) -> Result<Found<Conversation>> {
        if let Some(value) = self.read(|connection| look(connection, &command)).await? {
            let created = false;
            return Ok(Found { value, created });
        }
        self.write(move |tx| get_or_create(tx, &command)).await
    }

    async fn create_conversation(&self, command: CreateConversation) -> Result<Created> {
        self.write(move |tx| create(tx, &command)).await
    }

    async fn get_conversation(
        &self,
        bot: BotId,
        id: ConversationId,
    ) -> Result<Option<Conversation>> {
        self.read(|connection| Ok(by_public(connection, bot, id)?.map(|row| row.value)))
            .await
    }

    async fn find_conversation(
        &self,
        place: Place,
        identity: Tags,
    ) -> Result<Option<Conversation>> {
        self.read(|connection| {
            let Some(home) = rows::home(connection, place.bot, place.integration)? else {
                return Ok(None);
            };
            let found = find(connection, scope(&home, &place), &identity)?;
            Ok(found.map(|row| row.value))
        })
        .await
    }

    async fn list_conversations(
        &self,
        bot: BotId,
        filter: ConversationFilter,
        page: PageRequest,
    ) -> Result<Page<Conversation>> {
        self.list(move |connection| list::list(connection, bot, &filter, page))
            .await
    }

    async fn update_conversation(
        &self,
        bot: BotId,
        id: ConversationId,
        tags: TagPatch,
        now: Timestamp,
    ) -> Result<Option<Conversation>> {
        self.write(move |tx| update(tx, bot, id, &tags, now)).await
    }

    async fn delete_conversation(
        &self,
        bot: BotId,
        id: ConversationId,
        now: Timestamp,
    ) -> Result<bool> {
        self.write(move |tx| delete(tx, bot, id, now)).await
    }

    async fn reset_conversation(
        &self,
        bot: BotId,
        id: ConversationId,
        now: Timestamp,
    ) -> Result<Option<Conversation>> {
        self.write(move |tx| reset(tx, bot, id, now)).await
    }

    async fn rekey_conversation(&self, command: Rekey) -> Result<Rekeyed> {
        self.write(move |tx| rekey(tx, &command)).await
    }

    async fn add_participant(
        &self,
        bot: BotId,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<User>> {
        self.write(move |tx| participant::add(tx, bot, conversation, user))
            .await
    }

    async fn get_participant(
        &self,
        bot: BotId,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<User>> {
        self.read(|connection| participant::get(connection, bot, conversation, user))
            .await
    }

    async fn list_participants(
        &self,
        bot: BotId,
        conversation: ConversationId,
        page: PageRequest,
    ) -> Result<Option<Page<User>>> {
        self.list(move |connection| participant::list(connection, bot, conversation, page))
            .await
    }

    async fn remove_participant(
        &self,
        bot: BotId,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<bool> {
        self.write(move |tx| participant::remove(tx, bot, conversation, user))
            .await
    }
}
