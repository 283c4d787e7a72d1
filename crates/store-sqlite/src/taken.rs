//! What channels have brought in before.

use rusqlite::{Connection, Row};
use switchboard_model::{BotId, ConversationId, EventId, IntegrationId, MessageId, UserId};
use switchboard_store::{Once, Taken};

use crate::failure::Done;
use crate::once::{self, Stored};
use crate::{early, rows};

const SEEN: &str = "SELECT EXISTS (SELECT 1 FROM message WHERE once = ?1)
    OR EXISTS (SELECT 1 FROM event WHERE once = ?1)
    OR EXISTS (SELECT 1 FROM once_kept WHERE key = ?1)";
const TAKEN_MESSAGE: &str = "SELECT m.public, c.public, u.public FROM message m
    LEFT JOIN conversation c ON c.id = m.conversation AND c.deleted_at IS NULL
    LEFT JOIN user u ON u.id = m.user AND u.deleted_at IS NULL
    WHERE m.once = ?1";
const TAKEN_EVENT: &str = "SELECT e.public, c.public, u.public FROM event e
    LEFT JOIN conversation c ON c.id = e.conversation AND c.deleted_at IS NULL
    LEFT JOIN user u ON u.id = e.user AND u.deleted_at IS NULL
    WHERE e.once = ?1";

/// Whether something is known by this key: it was taken, or waits for what has it.
pub(crate) fn is_known(connection: &Connection, once: Stored) -> Done<bool> {
    Ok(rows::value(connection, SEEN, [once])? == Some(true))
}

/// What an update that is recognised so became, if it was taken.
pub(crate) fn find(
    connection: &Connection,
    bot: BotId,
    integration: IntegrationId,
    told: Once,
) -> Done<Option<Taken>> {
    if rows::integration(connection, bot, integration)?.is_none() {
        return Ok(None);
    }
    for once in once::all(integration, told) {
        if let Some(found) = taken_as(connection, once)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn taken_as(connection: &Connection, once: Stored) -> Done<Option<Taken>> {
    let message = rows::one(connection, TAKEN_MESSAGE, [once], |row| {
        Ok(Taken {
            message: Some(MessageId::from_bytes(row.get(0)?)),
            ..places(row)?
        })
    })?;
    if message.is_some() {
        return Ok(message);
    }
    let event = rows::one(connection, TAKEN_EVENT, [once], |row| {
        Ok(Taken {
            event: Some(EventId::from_bytes(row.get(0)?)),
            ..places(row)?
        })
    })?;
    if event.is_some() {
        return Ok(event);
    }
    Ok((is_known(connection, once)? && !early::waits(connection, once)?).then(Taken::default))
}

fn places(row: &Row<'_>) -> rusqlite::Result<Taken> {
    let (conversation, user): (Option<[u8; 16]>, Option<[u8; 16]>) = (row.get(1)?, row.get(2)?);
    Ok(Taken {
        conversation: conversation.map(ConversationId::from_bytes),
        user: user.map(UserId::from_bytes),
        ..Taken::default()
    })
}
