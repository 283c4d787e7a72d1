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
const KEEP: &str = "INSERT INTO message_version (message, number, kind, payload, until)
    VALUES (?1, ?2, ?3, ?4, ?5)";
const FORGET_OLD: &str = "DELETE FROM message_version WHERE message = ?1 AND number <= ?2";
const FORGET: &str = "DELETE FROM message_version WHERE message = ?1";
const EDITED: &str = "SELECT edited_at FROM message WHERE id = ?1 AND edited_at IS NOT NULL";
const EDIT: &str =
    "UPDATE message SET kind = ?2, edited_at = coalesce(?3, edited_at) WHERE id = ?1";
const OF: &str =
    "SELECT kind, payload, until FROM message_version WHERE message = ?1 ORDER BY number";

/// Gives a message its new content and keeps the one it had, if they differ. An edit that is older
/// than the last one is over.
pub(crate) fn replace(
    tx: &mut Tx<'_>,
    mut message: Numbered<Message>,
    edit: &InboundEdit,
    now: Timestamp,
) -> Done<()> {
    let last: Option<i64> = rows::value(tx.connection, EDITED, [message.id])?;
    let at = edit.at;
    if at.is_some_and(|at| last.is_some_and(|last| at < last)) {
        return Ok(());
    }
    if message.value.payload != edit.payload || message.value.kind != edit.kind {
        let number: i64 = rows::value(tx.connection, NEXT, [message.id])?.unwrap_or(1);
        let before = message.value.payload.as_str();
        let kind = message.value.kind.as_str();
        let keys = params![message.id, number, kind, before, now.as_millis()];
        rows::execute(tx.connection, KEEP, keys)?;
        rows::execute(tx.connection, FORGET_OLD, [message.id, number - KEPT])?;
    }
    rows::execute(tx.connection, EDIT, params![message.id, edit.kind, at])?;
    message.value.kind.clone_from(&edit.kind);
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
            kind: row.get(0)?,
            payload: rows::json(row, 1)?,
            until: rows::time(row, 2)?,
        })
    })
}
