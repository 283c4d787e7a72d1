//! Who takes part in a conversation.

use rusqlite::{Connection, params};
use switchboard_model::{BotId, ConversationId, Error, Kind, User, UserId};
use switchboard_store::{Cursor, Page, PageRequest};

use crate::failure::Done;
use crate::rows::{self, Numbered};
use crate::writer::Tx;
use crate::{conversation, user};

const KNOWN: &str = "SELECT 1 FROM participant WHERE conversation = ?1 AND user = ?2";
const JOIN: &str = "INSERT INTO participant (conversation, user) VALUES (?1, ?2)";
const LEAVE: &str = "DELETE FROM participant WHERE conversation = ?1 AND user = ?2";
const LIST: &str = "SELECT id, user FROM participant
    WHERE conversation = ?1 AND id > ?2
        AND EXISTS (SELECT 1 FROM user u WHERE u.id = participant.user AND u.deleted_at IS NULL)
    ORDER BY id LIMIT ?3";

/// Makes a user take part. Most do already, and a look costs less than a write that changes
/// nothing.
pub(crate) fn join(connection: &Connection, conversation: i64, user: i64) -> Done<()> {
    if rows::value::<i64>(connection, KNOWN, [conversation, user])?.is_none() {
        rows::insert(connection, JOIN, [conversation, user])?;
    }
    Ok(())
}

/// Makes a user take part no more. Tells whether it did before.
pub(crate) fn leave(connection: &Connection, conversation: i64, user: i64) -> Done<bool> {
    Ok(rows::execute(connection, LEAVE, [conversation, user])? > 0)
}

/// Whether all of these users exist and take part.
pub(crate) fn all_joined(
    connection: &Connection,
    bot: i64,
    conversation: i64,
    users: &[UserId],
) -> Done<bool> {
    for id in users {
        let joined = match user::number(connection, bot, *id)? {
            Some(user) => rows::value::<i64>(connection, KNOWN, [conversation, user])?,
            None => None,
        };
        if joined.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes users take part that must exist.
pub(crate) fn join_all(
    connection: &Connection,
    bot: i64,
    conversation: i64,
    users: &[UserId],
) -> Done<()> {
    for id in users {
        let user = user::number(connection, bot, *id)?
            .ok_or_else(|| Error::reference("userId", Kind::User, id))?;
        join(connection, conversation, user)?;
    }
    Ok(())
}

pub(crate) fn add(
    tx: &mut Tx<'_>,
    bot: BotId,
    conversation: ConversationId,
    user: UserId,
) -> Done<Option<User>> {
    let Some(conversation) = conversation::by_public(tx.connection, bot, conversation)? else {
        return Ok(None);
    };
    let user = user::by_public(tx.connection, bot, user)?
        .ok_or_else(|| Error::reference("userId", Kind::User, user))?;
    join(tx.connection, conversation.id, user.id)?;
    Ok(Some(user.value))
}

pub(crate) fn get(
    connection: &Connection,
    bot: BotId,
    conversation: ConversationId,
    user: UserId,
) -> Done<Option<User>> {
    Ok(find(connection, bot, conversation, user)?.map(|(_, user)| user.value))
}

pub(crate) fn remove(
    tx: &mut Tx<'_>,
    bot: BotId,
    conversation: ConversationId,
    user: UserId,
) -> Done<bool> {
    let Some((conversation, user)) = find(tx.connection, bot, conversation, user)? else {
        return Ok(false);
    };
    leave(tx.connection, conversation, user.id)
}

fn find(
    connection: &Connection,
    bot: BotId,
    conversation: ConversationId,
    user: UserId,
) -> Done<Option<(i64, Numbered<User>)>> {
    let Some(conversation) = conversation::by_public(connection, bot, conversation)? else {
        return Ok(None);
    };
    let Some(user) = user::by_public(connection, bot, user)? else {
        return Ok(None);
    };
    let known = rows::value::<i64>(connection, KNOWN, [conversation.id, user.id])?;
    Ok(known.map(|_| (conversation.id, user)))
}

pub(crate) fn list(
    connection: &Connection,
    bot: BotId,
    conversation: ConversationId,
    page: PageRequest,
) -> Done<Option<Page<User>>> {
    let Some(conversation) = conversation::by_public(connection, bot, conversation)? else {
        return Ok(None);
    };
    let limit = page.limit.max(1);
    let mut found = rows::all(
        connection,
        LIST,
        params![
            conversation.id,
            page.after.map_or(0, |cursor| cursor.row),
            rows::as_limit(limit.saturating_add(1))
        ],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
    )?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found
        .last()
        .filter(|_| more)
        .map(|(id, _)| Cursor { at: *id, row: *id });
    let mut items = Vec::with_capacity(found.len());
    for (_, user) in found {
        items.extend(user::by_number(connection, user)?.map(|user| user.value));
    }
    Ok(Some(Page { items, next }))
}
