//! Conversations.

mod list;

use std::collections::BTreeSet;

use async_trait::async_trait;
use switchboard_model::{
    BotId, Conversation, ConversationId, Error, Result, StateKind, TagPatch, Tags, Timestamp, User,
    UserId,
};
use switchboard_store::{
    ConversationFilter, ConversationStore, CreateConversation, Created, Found,
    GetOrCreateConversation, Occupied, Page, PageRequest, Place, Rekey, Rekeyed,
};

use crate::connection::{Connection, Id};
use crate::failure::{Done, Failure};
use crate::missing::not_served;
use crate::rows::{self, ConversationRow};
use crate::tags::{self, CONVERSATIONS, Surplus};
use crate::writer::{IdentityScope, Tx};
use crate::{PostgresStore, participant, sweep};

const INSERT: &str = "INSERT INTO conversation
    (public, bot, integration, channel, tags, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $6) RETURNING id";
const RETAG: &str =
    "UPDATE conversation SET tags = $2, aliases = $3, updated_at = $4 WHERE id = $1";
const RESET: &str = "UPDATE conversation SET reset_at = $2, updated_at = $2 WHERE id = $1";
const DELETE: &str = "UPDATE conversation SET deleted_at = $2 WHERE id = $1";
const BY_PUBLIC: &str = concat!(
    rows::select_conversation!(),
    " WHERE c.public = $1 AND b.public = $2 AND c.deleted_at IS NULL"
);
const LOCK_PUBLIC: &str = concat!(
    rows::select_conversation!(),
    " WHERE c.public = $1 AND b.public = $2 AND c.deleted_at IS NULL FOR NO KEY UPDATE OF c"
);
const BY_NUMBER: &str = concat!(
    rows::select_conversation!(),
    " WHERE c.id = $1 AND c.deleted_at IS NULL"
);
const LOCK_NUMBER: &str = concat!(
    rows::select_conversation!(),
    " WHERE c.id = $1 AND c.deleted_at IS NULL FOR NO KEY UPDATE OF c"
);
const LOCK_ROWS: &str = "SELECT id FROM conversation WHERE id = ANY ($1) ORDER BY id
    FOR NO KEY UPDATE";
const NUMBER: &str = "SELECT id FROM conversation
    WHERE public = $1 AND bot = $2 AND deleted_at IS NULL";

/// Where identities are told apart, by numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) bot: i64,
    pub(crate) integration: i64,
    pub(crate) channel: &'a str,
}

/// The conversation with this id that is not deleted.
pub(crate) async fn by_public(
    connection: &Connection,
    bot: BotId,
    id: ConversationId,
) -> Done<Option<ConversationRow>> {
    let keys = (Id(id.to_bytes()), Id(bot.to_bytes()));
    connection
        .one(BY_PUBLIC, &[&keys.0, &keys.1], rows::conversation)
        .await
}

/// The same, with its row locked until the transaction ends.
pub(crate) async fn lock_public(
    tx: &Tx,
    bot: BotId,
    id: ConversationId,
) -> Done<Option<ConversationRow>> {
    let keys = (Id(id.to_bytes()), Id(bot.to_bytes()));
    tx.one(LOCK_PUBLIC, &[&keys.0, &keys.1], rows::conversation)
        .await
}

/// The conversation with this number that is not deleted.
pub(crate) async fn by_number(connection: &Connection, id: i64) -> Done<Option<ConversationRow>> {
    connection.one(BY_NUMBER, &[&id], rows::conversation).await
}

/// The same, with its row locked until the transaction ends.
pub(crate) async fn lock_number(tx: &Tx, id: i64) -> Done<Option<ConversationRow>> {
    tx.one(LOCK_NUMBER, &[&id], rows::conversation).await
}

/// Locks the rows of these conversations, deleted or not, in the order that everyone takes them in.
pub(crate) async fn lock_rows(tx: &Tx, ids: impl IntoIterator<Item = i64>) -> Done<()> {
    let ids: Vec<i64> = ids.into_iter().collect();
    if !ids.is_empty() {
        tx.all(LOCK_ROWS, &[&ids], |_| Ok(())).await?;
    }
    Ok(())
}

/// The number of a conversation that is not deleted.
pub(crate) async fn number(
    connection: &Connection,
    bot: i64,
    id: ConversationId,
) -> Done<Option<i64>> {
    connection.value(NUMBER, &[&Id(id.to_bytes()), &bot]).await
}

/// The first-made conversation whose tags or aliases contain every pair of `identity`.
pub(crate) async fn find(
    connection: &Connection,
    scope: Scope<'_>,
    identity: &Tags,
) -> Done<Option<ConversationRow>> {
    let pairs = tags::digests(identity);
    let mut start = 0;
    while let Some(id) = CONVERSATIONS
        .first(connection, scope.bot, &pairs, start)
        .await?
    {
        if let Some(row) = by_number(connection, id).await?
            && row.integration == scope.integration
            && row.value.channel == scope.channel
            && row.is_known_by(identity)
        {
            return Ok(Some(row));
        }
        start = id + 1;
    }
    Ok(None)
}

/// Makes a conversation that nothing stands in the way of; its scope is locked. Nobody else sees it
/// before the commit.
pub(crate) async fn insert(
    tx: &Tx,
    scope: Scope<'_>,
    id: ConversationId,
    tags: &Tags,
    now: Timestamp,
) -> Done<ConversationRow> {
    let tags = tags.kept();
    let number = tx
        .sure(
            INSERT,
            &[
                &Id(id.to_bytes()),
                &scope.bot,
                &scope.integration,
                &scope.channel,
                &tags::to_text(&tags)?,
                &now.as_millis(),
            ],
        )
        .await?;
    CONVERSATIONS.add(tx, scope.bot, number, &tags).await?;
    let made = by_number(tx, number).await?;
    made.ok_or_else(|| rows::gone("a new conversation"))
}

/// Finds or makes the conversation of an identity, whose scope is locked, and locks its row. Tells
/// whether it is new.
pub(crate) async fn find_or_insert(
    tx: &Tx,
    scope: Scope<'_>,
    id: ConversationId,
    identity: &Tags,
    tags: &Tags,
    surplus: Surplus,
    now: Timestamp,
) -> Done<(ConversationRow, bool)> {
    let Some(found) = find(tx, scope, identity).await? else {
        return Ok((insert(tx, scope, id, tags, now).await?, true));
    };
    // Whoever deletes it would hold the scope.
    let mut row = lock_number(tx, found.id).await?.ok_or(Failure::Moved)?;
    let mut merged = row.value.tags.clone();
    if surplus.merge(&mut merged, &news(&row, identity, tags))? {
        retag(tx, &mut row, merged, Vec::new(), now).await?;
    }
    Ok((row, false))
}

/// What `tags` say that a found conversation does not have yet. What it is known by stays as it is:
/// someone who comes by an old name must not bring the old name back.
pub(crate) fn news(row: &ConversationRow, identity: &Tags, tags: &Tags) -> TagPatch {
    let is_news = |(name, value): &(&str, &str)| {
        identity.get(name).is_none()
            && row.value.tags.get(name).unwrap_or_default() != *value
            && !row.was(name, value)
    };
    tags.iter().filter(is_news).collect()
}

/// Writes new tags and more aliases, and lets the index follow.
async fn retag(
    tx: &Tx,
    row: &mut ConversationRow,
    tags: Tags,
    aliases: Vec<(String, String)>,
    now: Timestamp,
) -> Done<()> {
    let before = indexed(row);
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
    let text = tags::to_text(&row.value.tags)?;
    tx.execute(RETAG, &[&row.id, &text, &aliases, &now.as_millis()])
        .await?;
    CONVERSATIONS
        .replace(tx, row.index_scope(), row.id, &before, &indexed(row))
        .await
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
/// frequent kind, needs neither a lock nor a commit.
async fn settled(
    connection: &Connection,
    command: &GetOrCreateConversation,
) -> Done<Option<Conversation>> {
    if command.identity.is_empty() {
        return Ok(None);
    }
    let scope = known_scope(connection, &command.place).await?;
    let Some(row) = find(connection, scope, &command.identity).await? else {
        return Ok(None);
    };
    let users = &command.participants;
    let settled = news(&row, &command.identity, &command.tags).is_empty()
        && participant::all_joined(connection, scope.bot, row.id, users).await?;
    Ok(settled.then_some(row.value))
}

async fn get_or_create(
    tx: &mut Tx,
    command: &GetOrCreateConversation,
) -> Done<Found<Conversation>> {
    if command.identity.is_empty() {
        return Err(no_identity().into());
    }
    let scope = known_scope(tx, &command.place).await?;
    tx.lock_scope(IdentityScope::Integration(scope.integration))
        .await?;
    let (row, created) = find_or_insert(
        tx,
        scope,
        command.id,
        &command.identity,
        &command.tags,
        Surplus::Refuse,
        command.now,
    )
    .await?;
    participant::join_all(tx, scope.bot, row.id, &command.participants).await?;
    Ok(Found {
        value: row.value,
        created,
    })
}

/// An empty identity would mean any conversation.
pub(crate) fn no_identity() -> Error {
    Error::invalid("tags", "expected at least one tag that identifies")
}

async fn create(tx: &mut Tx, command: &CreateConversation) -> Done<Created> {
    let scope = known_scope(tx, &command.place).await?;
    tx.lock_scope(IdentityScope::Integration(scope.integration))
        .await?;
    if let Some(identity) = &command.unless
        && let Some(row) = find(tx, scope, identity).await?
    {
        return Ok(Created::Exists(row.value.id));
    }
    let row = insert(tx, scope, command.id, &command.tags, command.now).await?;
    participant::join_all(tx, scope.bot, row.id, &command.participants).await?;
    Ok(Created::Created(row.value))
}

async fn known_scope<'a>(connection: &Connection, place: &'a Place) -> Done<Scope<'a>> {
    Ok(Scope {
        bot: rows::known_bot(connection, place.bot).await?,
        integration: rows::known_integration(connection, place.bot, place.integration).await?,
        channel: &place.channel,
    })
}

async fn find_at(
    connection: &Connection,
    place: &Place,
    identity: &Tags,
) -> Done<Option<Conversation>> {
    let integration = rows::integration(connection, place.bot, place.integration).await?;
    let Some(integration) = integration else {
        return Ok(None);
    };
    let scope = Scope {
        bot: rows::known_bot(connection, place.bot).await?,
        integration,
        channel: &place.channel,
    };
    Ok(find(connection, scope, identity)
        .await?
        .map(|row| row.value))
}

/// Locks the scope that a conversation is in, then its row.
async fn lock_identity(tx: &Tx, bot: BotId, id: ConversationId) -> Done<Option<ConversationRow>> {
    // Its integration never changes, so that it may be looked up before the lock.
    let Some(row) = by_public(tx, bot, id).await? else {
        return Ok(None);
    };
    tx.lock_scope(IdentityScope::Integration(row.integration))
        .await?;
    lock_public(tx, bot, id).await
}

async fn update(
    tx: &mut Tx,
    bot: BotId,
    id: ConversationId,
    patch: &TagPatch,
    now: Timestamp,
) -> Done<Option<Conversation>> {
    let Some(mut row) = lock_identity(tx, bot, id).await? else {
        return Ok(None);
    };
    merge_tags(tx, &mut row, patch, now).await?;
    Ok(Some(row.value))
}

/// Merges tags into a conversation whose scope and row are locked; too many are refused.
pub(crate) async fn merge_tags(
    tx: &Tx,
    row: &mut ConversationRow,
    patch: &TagPatch,
    now: Timestamp,
) -> Done<()> {
    let mut tags = row.value.tags.clone();
    if Surplus::Refuse.merge(&mut tags, patch)? {
        retag(tx, row, tags, Vec::new(), now).await?;
    }
    Ok(())
}

/// Locks the scope that a conversation is in, if there is one with this number.
pub(crate) async fn lock_scope_of(tx: &Tx, id: i64) -> Done<()> {
    if let Some(row) = by_number(tx, id).await? {
        tx.lock_scope(IdentityScope::Integration(row.integration))
            .await?;
    }
    Ok(())
}

async fn delete(tx: &mut Tx, bot: BotId, id: ConversationId, now: Timestamp) -> Done<bool> {
    let Some(row) = lock_identity(tx, bot, id).await? else {
        return Ok(false);
    };
    tx.execute(DELETE, &[&row.id, &now.as_millis()]).await?;
    let none = BTreeSet::new();
    CONVERSATIONS
        .replace(tx, row.index_scope(), row.id, &indexed(&row), &none)
        .await?;
    sweep::later(tx, StateKind::Conversation, row.id).await?;
    tx.conversation_changed(id);
    Ok(true)
}

async fn reset(
    tx: &mut Tx,
    bot: BotId,
    id: ConversationId,
    now: Timestamp,
) -> Done<Option<Conversation>> {
    let Some(mut row) = lock_identity(tx, bot, id).await? else {
        return Ok(None);
    };
    if row.reset {
        return Ok(Some(row.value));
    }
    tx.execute(RESET, &[&row.id, &now.as_millis()]).await?;
    let (pairs, none) = (indexed(&row), BTreeSet::new());
    CONVERSATIONS
        .replace(tx, row.index_scope(), row.id, &pairs, &none)
        .await?;
    row.reset = true;
    row.value.updated_at = now;
    CONVERSATIONS
        .replace(tx, row.index_scope(), row.id, &none, &pairs)
        .await?;
    tx.conversation_changed(id);
    Ok(Some(row.value))
}

async fn rekey(tx: &mut Tx, command: &Rekey) -> Done<Rekeyed> {
    let Some(mut row) = lock_identity(tx, command.bot, command.conversation).await? else {
        return Ok(Rekeyed::Missing);
    };
    let scope = Scope {
        bot: row.bot,
        integration: row.integration,
        channel: &row.value.channel,
    };
    if let Some(other) = find(tx, scope, &command.identity).await?
        && other.id != row.id
        && !row.reset
    {
        return match command.occupied {
            Occupied::Refuse => Ok(Rekeyed::Occupied(other.value.id)),
            Occupied::Merge => Err(not_served("merging two conversations").into()),
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
    retag(tx, &mut row, tags, replaced, command.now).await?;
    Ok(Rekeyed::Rekeyed(row.value))
}

#[async_trait]
impl ConversationStore for PostgresStore {
    async fn get_or_create_conversation(
        &self,
        command: GetOrCreateConversation,
    ) -> Result<Found<Conversation>> {
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

    async fn create_conversation(&self, command: CreateConversation) -> Result<Created> {
        self.write(command, |tx, command| Box::pin(create(tx, command)))
            .await
    }

    async fn get_conversation(
        &self,
        bot: BotId,
        id: ConversationId,
    ) -> Result<Option<Conversation>> {
        self.look((bot, id), |connection, (bot, id)| {
            Box::pin(async move {
                let found = by_public(connection, *bot, *id).await?;
                Ok(found.map(|row| row.value))
            })
        })
        .await
    }

    async fn find_conversation(
        &self,
        place: Place,
        identity: Tags,
    ) -> Result<Option<Conversation>> {
        self.read((place, identity), |connection, (place, identity)| {
            Box::pin(find_at(connection, place, identity))
        })
        .await
    }

    async fn list_conversations(
        &self,
        bot: BotId,
        filter: ConversationFilter,
        page: PageRequest,
    ) -> Result<Page<Conversation>> {
        self.read((bot, filter, page), |connection, (bot, filter, page)| {
            Box::pin(list::list(connection, *bot, filter, *page))
        })
        .await
    }

    async fn update_conversation(
        &self,
        bot: BotId,
        id: ConversationId,
        tags: TagPatch,
        now: Timestamp,
    ) -> Result<Option<Conversation>> {
        self.write((bot, id, tags, now), |tx, (bot, id, tags, now)| {
            Box::pin(update(tx, *bot, *id, tags, *now))
        })
        .await
    }

    async fn delete_conversation(
        &self,
        bot: BotId,
        id: ConversationId,
        now: Timestamp,
    ) -> Result<bool> {
        self.write((bot, id, now), |tx, (bot, id, now)| {
            Box::pin(delete(tx, *bot, *id, *now))
        })
        .await
    }

    async fn reset_conversation(
        &self,
        bot: BotId,
        id: ConversationId,
        now: Timestamp,
    ) -> Result<Option<Conversation>> {
        self.write((bot, id, now), |tx, (bot, id, now)| {
            Box::pin(reset(tx, *bot, *id, *now))
        })
        .await
    }

    async fn rekey_conversation(&self, command: Rekey) -> Result<Rekeyed> {
        self.write(command, |tx, command| Box::pin(rekey(tx, command)))
            .await
    }

    async fn add_participant(
        &self,
        bot: BotId,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<User>> {
        self.write(
            (bot, conversation, user),
            |tx, (bot, conversation, user)| {
                Box::pin(participant::add(tx, *bot, *conversation, *user))
            },
        )
        .await
    }

    async fn get_participant(
        &self,
        bot: BotId,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<User>> {
        self.read((bot, conversation, user), |connection, keys| {
            Box::pin(participant::get(connection, keys.0, keys.1, keys.2))
        })
        .await
    }

    async fn list_participants(
        &self,
        bot: BotId,
        conversation: ConversationId,
        page: PageRequest,
    ) -> Result<Option<Page<User>>> {
        self.read((bot, conversation, page), |connection, keys| {
            Box::pin(participant::list(connection, keys.0, keys.1, keys.2))
        })
        .await
    }

    async fn remove_participant(
        &self,
        bot: BotId,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<bool> {
        self.write(
            (bot, conversation, user),
            |tx, (bot, conversation, user)| {
                Box::pin(participant::remove(tx, *bot, *conversation, *user))
            },
        )
        .await
    }
}
