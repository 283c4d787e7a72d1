//! Who takes part in a conversation.

use switchboard_model::{BotId, ConversationId, Error, Kind, User, UserId};
use switchboard_store::{Cursor, Page, PageRequest};

use crate::connection::Connection;
use crate::failure::Done;
use crate::rows::{self, Numbered};
use crate::writer::Tx;
use crate::{conversation, user};

const KNOWN: &str = "SELECT id FROM participant WHERE conversation = $1 AND user_id = $2";
const JOIN: &str = "INSERT INTO participant (conversation, user_id) VALUES ($1, $2)";
const LEAVE: &str = "DELETE FROM participant WHERE conversation = $1 AND user_id = $2";
const LIST: &str = "SELECT p.id, p.user_id FROM participant p
    JOIN users u ON u.id = p.user_id AND u.deleted_at IS NULL
    WHERE p.conversation = $1 AND p.id > $2
    ORDER BY p.id LIMIT $3";

/// Makes a user take part; the conversation's row is locked. Most do already, and a look costs less
/// than a write that changes nothing.
pub(crate) async fn join(tx: &Tx, conversation: i64, user: i64) -> Done<()> {
    let known = tx.value::<i64>(KNOWN, &[&conversation, &user]).await?;
    if known.is_none() {
        tx.execute(JOIN, &[&conversation, &user]).await?;
    }
    Ok(())
}

/// Whether all of these users exist and take part.
pub(crate) async fn all_joined(
    connection: &Connection,
    bot: i64,
    conversation: i64,
    users: &[UserId],
) -> Done<bool> {
    for id in users {
        let joined = match user::number(connection, bot, *id).await? {
            Some(user) => {
                connection
                    .value::<i64>(KNOWN, &[&conversation, &user])
                    .await?
            }
            None => None,
        };
        if joined.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes users take part that must exist; the conversation's row is locked.
pub(crate) async fn join_all(tx: &Tx, bot: i64, conversation: i64, users: &[UserId]) -> Done<()> {
    for id in users {
        let user = user::number(tx, bot, *id)
            .await?
            .ok_or_else(|| Error::reference("userId", Kind::User, id))?;
        join(tx, conversation, user).await?;
    }
    Ok(())
}

pub(crate) async fn add(
    tx: &mut Tx,
    bot: BotId,
    conversation: ConversationId,
    user: UserId,
) -> Done<Option<User>> {
    let Some(conversation) = conversation::lock_public(tx, bot, conversation).await? else {
        return Ok(None);
    };
    let user = user::by_public(tx, bot, user)
        .await?
        .ok_or_else(|| Error::reference("userId", Kind::User, user))?;
    join(tx, conversation.id, user.id).await?;
    Ok(Some(user.value))
}

pub(crate) async fn get(
    connection: &Connection,
    bot: BotId,
    conversation: ConversationId,
    user: UserId,
) -> Done<Option<User>> {
    let found = find(connection, bot, conversation, user).await?;
    Ok(found.map(|(_, user)| user.value))
}

pub(crate) async fn remove(
    tx: &mut Tx,
    bot: BotId,
    conversation: ConversationId,
    user: UserId,
) -> Done<bool> {
    conversation::lock_public(tx, bot, conversation).await?;
    let Some((conversation, user)) = find(tx, bot, conversation, user).await? else {
        return Ok(false);
    };
    Ok(tx.execute(LEAVE, &[&conversation, &user.id]).await? > 0)
}

async fn find(
    connection: &Connection,
    bot: BotId,
    conversation: ConversationId,
    user: UserId,
) -> Done<Option<(i64, Numbered<User>)>> {
    let Some(conversation) = conversation::by_public(connection, bot, conversation).await? else {
        return Ok(None);
    };
    let Some(user) = user::by_public(connection, bot, user).await? else {
        return Ok(None);
    };
    let known = connection
        .value::<i64>(KNOWN, &[&conversation.id, &user.id])
        .await?;
    Ok(known.map(|_| (conversation.id, user)))
}

pub(crate) async fn list(
    connection: &Connection,
    bot: BotId,
    conversation: ConversationId,
    page: PageRequest,
) -> Done<Option<Page<User>>> {
    let Some(conversation) = conversation::by_public(connection, bot, conversation).await? else {
        return Ok(None);
    };
    let limit = page.limit.max(1);
    let after = page.after.map_or(0, |cursor| cursor.row);
    let most = rows::as_limit(limit.saturating_add(1));
    let mut found: Vec<(i64, i64)> = connection
        .all(LIST, &[&conversation.id, &after, &most], rows::pair)
        .await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found
        .last()
        .filter(|_| more)
        .map(|(id, _)| Cursor { at: *id, row: *id });
    let mut items = Vec::with_capacity(found.len());
    for (_, user) in found {
        let user = user::by_number(connection, user).await?;
        items.extend(user.map(|user| user.value));
    }
    Ok(Some(Page { items, next }))
}
