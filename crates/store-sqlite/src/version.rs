//! What messages said before a channel changed them.

use rusqlite::{Connection, params};
use switchboard_model::{BotId, Message, MessageId, Timestamp};
use switchboard_store::{InboundEdit, MessageUpdate, MessageVersion};

use crate::failure::Done;
use crate::message;
use crate::rows::{self, Numbered};
use crate::writer::Tx;

/// How many versions of a message are kept: a place that moves for a day has thousands.
const KEPT: i64 = 100;

const NEXT: &str = "SELECT coalesce(max(number), 0) + 1 FROM message_version WHERE message = ?1";
const KEEP: &str = "INSERT INTO message_version (message, number, payload, until)
    VALUES (?1, ?2, ?3, ?4)";
const FORGET_OLD: &str = "DELETE FROM message_version WHERE message = ?1 AND number <= ?2";
const FORGET: &str = "DELETE FROM message_version WHERE message = ?1";
const OF: &str = "SELECT payload, until FROM message_version WHERE message = ?1 ORDER BY number";

/// Gives a message its new content and keeps the one it had, if they differ.
pub(crate) fn replace(
    tx: &mut Tx<'_>,
    message: Numbered<Message>,
    edit: &InboundEdit,
    now: Timestamp,
) -> Done<()> {
    if message.value.payload != edit.payload {
        let number: i64 = rows::value(tx.connection, NEXT, [message.id])?.unwrap_or(1);
        let before = message.value.payload.as_str();
        let keys = params![message.id, number, before, now.as_millis()];
        rows::execute(tx.connection, KEEP, keys)?;
        rows::execute(tx.connection, FORGET_OLD, [message.id, number - KEPT])?;
    }
    let update = MessageUpdate {
        tags: edit.tags.clone(),
        payload: Some(edit.payload.clone()),
        delivery: None,
    };
    message::change(tx, message, update, now)?;
    Ok(())
}

/// Removes all versions of a message.
pub(crate) fn forget(connection: &Connection, message: i64) -> Done<()> {
    rows::execute(connection, FORGET, [message])?;
    Ok(())
}

/// All versions of a message that is not deleted.
pub(crate) fn list(
    connection: &Connection,
    bot: BotId,
    id: MessageId,
) -> Done<Vec<MessageVersion>> {
    let Some(message) = message::by_public(connection, bot, id)? else {
        return Ok(Vec::new());
    };
    rows::all(connection, OF, [message.id], |row| {
        Ok(MessageVersion {
            payload: rows::json(row, 0)?,
            until: rows::time(row, 1)?,
        })
    })
}
