//! Changes of messages that were sent: what tells the channel of an edit or a deletion.
//!
//! A message has at most one change that waits, one in flight and one that is over: an edit that waits
//! takes the newest payload, a deletion takes its place, and what is over goes when the next is. So
//! neither a read of the message nor a further change costs more the more often it was changed.
//!
//! What never happens here: a change of what was never sent, or a deletion that knows of the message
//! more than where it is.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use switchboard_model::{DeliveryId, DeliveryStatus, MessageId, Timestamp};
use switchboard_store::{OutgoingDeletion, SentPart, Subject};

use crate::failure::{Done, Failure};
use crate::outbox::{self, Enqueue};
use crate::writer::Tx;
use crate::{conversation, delivery, message, rows};

const SENT: &str = "SELECT status, progress IS NOT NULL FROM delivery
    WHERE message = ?1 AND action = 0 AND destination <> 0 ORDER BY id DESC LIMIT 1";
const WAITING: &str = "SELECT id, destination, status FROM delivery
    WHERE message = ?1 AND action > 0 AND status < 2 LIMIT 1";
const UNDER_WAY: &str = "SELECT 1 FROM delivery
    WHERE message = ?1 AND action > 0 AND status < 3 AND id <> ?2 LIMIT 1";
const KNOWN: &str = "SELECT progress FROM delivery
    WHERE message = ?1 AND progress IS NOT NULL ORDER BY id DESC LIMIT 1";
const KEEP: &str = "UPDATE delivery SET progress = ?2 WHERE id = ?1";
const NEWEST: &str = "SELECT max(id) FROM delivery WHERE message = ?1";
const SUPERSEDE: &str = "DELETE FROM delivery
    WHERE message = ?1 AND action > 0 AND status > 2 AND id <> ?2";
// It is tried anew: how its edit fared says nothing of it.
const DELETE_INSTEAD: &str = "UPDATE delivery
    SET action = 2, attempts = 0, uncertain = 0, trying_since = NULL, error = NULL, due_at = ?2
    WHERE id = ?1";
const PLACE: &str = "SELECT c.bot, c.integration, c.id FROM message m
    CROSS JOIN conversation c ON c.id = m.conversation WHERE m.id = ?1";
const DELETED: &str = "SELECT public, conversation FROM message WHERE id = ?1";

/// Tells the channel that a message says something else now, if it has it.
pub(crate) fn edited(
    tx: &mut Tx<'_>,
    message: i64,
    delivery: DeliveryId,
    now: Timestamp,
) -> Done<()> {
    let Some((status, has_parts)) = sent(tx.connection, message)? else {
        return Ok(());
    };
    // What has not begun takes the newest payload; what failed has nothing to edit.
    let is_there = match status {
        outbox::IN_FLIGHT => true,
        status if status > outbox::DELIVERED => false,
        _ => has_parts,
    };
    if !is_there || waiting(tx.connection, message)?.is_some() {
        return Ok(());
    }
    enqueue(tx, message, delivery, outbox::EDIT, now)
}

/// Tells the channel that a message is deleted, if it has anything of it.
pub(crate) fn deleted(
    tx: &mut Tx<'_>,
    message: i64,
    delivery: DeliveryId,
    now: Timestamp,
) -> Done<()> {
    let Some((status, _)) = sent(tx.connection, message)? else {
        return Ok(());
    };
    if let Some((id, destination, waits)) = waiting(tx.connection, message)? {
        rows::execute(tx.connection, DELETE_INSTEAD, params![id, now.as_millis()])?;
        if waits == outbox::READY {
            outbox::told(tx, destination)?;
        }
        return Ok(());
    }
    if status != outbox::IN_FLIGHT && !has_known(tx.connection, message)? {
        return Ok(());
    }
    enqueue(tx, message, delivery, outbox::DELETE, now)
}

fn enqueue(tx: &mut Tx<'_>, message: i64, id: DeliveryId, action: u8, now: Timestamp) -> Done<()> {
    let (bot, destination, conversation): (i64, i64, i64) =
        rows::one(tx.connection, PLACE, [message], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .ok_or_else(|| rows::gone("a message"))?;
    let new = Enqueue {
        id,
        bot,
        destination,
        conversation: Some(conversation),
        event: None,
        message: Some(message),
        action,
        now,
    };
    let report = message::hand_on(tx, new)?;
    if report.status == DeliveryStatus::Failed {
        // Nobody will try it now, and so nobody would clear up behind it.
        let newest = rows::value(tx.connection, NEWEST, [message])?
            .ok_or_else(|| rows::gone("a new delivery"))?;
        know(tx.connection, newest, message)?;
        supersede(tx.connection, message, newest)?;
    }
    Ok(())
}

/// Takes over what the channel is known to have of a message: of each part the last note, so that it
/// does not grow from change to change.
fn know(connection: &Connection, id: i64, message: i64) -> Done<Vec<SentPart>> {
    let Some(text) = rows::value::<String>(connection, KNOWN, [message])? else {
        return Ok(Vec::new());
    };
    let parts: Vec<SentPart> = serde_json::from_str(&text).map_err(Failure::damage)?;
    let last: BTreeMap<u32, SentPart> = parts.into_iter().map(|part| (part.part, part)).collect();
    let parts: Vec<SentPart> = last.into_values().collect();
    let text = serde_json::to_string(&parts).map_err(Failure::damage)?;
    rows::execute(connection, KEEP, params![id, text])?;
    Ok(parts)
}

/// What a change of a message brings, with what the channel has of it.
pub(crate) fn subject(
    connection: &Connection,
    id: i64,
    message: i64,
    action: u8,
    known: &mut Vec<SentPart>,
) -> Done<Subject> {
    if !stands(connection, message, action)? {
        return Ok(Subject::Gone);
    }
    if known.is_empty() {
        *known = know(connection, id, message)?;
    }
    if action == outbox::EDIT {
        let outgoing = delivery::outgoing(connection, message)?;
        return Ok(outgoing.map_or(Subject::Gone, |outgoing| Subject::Edit(Box::new(outgoing))));
    }
    let found = rows::one(connection, DELETED, [message], |row| {
        Ok((MessageId::from_bytes(row.get(0)?), row.get::<_, i64>(1)?))
    })?;
    let Some((message, conversation)) = found else {
        return Ok(Subject::Gone);
    };
    let conversation = conversation::by_number(connection, conversation)?;
    Ok(conversation.map_or(Subject::Gone, |conversation| {
        Subject::Delete(Box::new(OutgoingDeletion {
            message,
            conversation: conversation.value,
        }))
    }))
}

/// Whether a change has anywhere to go. A deleted message is edited no more; one whose sending failed
/// is sent as it is then.
pub(crate) fn stands(connection: &Connection, message: i64, action: u8) -> Done<bool> {
    if !has_known(connection, message)? {
        return Ok(false);
    }
    if action == outbox::DELETE {
        return Ok(true);
    }
    let was_sent =
        sent(connection, message)?.is_some_and(|(status, _)| status == outbox::DELIVERED);
    Ok(was_sent && message::by_number(connection, message)?.is_some())
}

/// Forgets the changes of a message that are over: another has taken their place.
pub(crate) fn supersede(connection: &Connection, message: i64, by: i64) -> Done<()> {
    rows::execute(connection, SUPERSEDE, [message, by])?;
    Ok(())
}

/// Whether another change of a message waits or is in flight.
pub(crate) fn is_under_way(connection: &Connection, message: i64, but: i64) -> Done<bool> {
    Ok(rows::value::<i64>(connection, UNDER_WAY, [message, but])?.is_some())
}

/// How the sending of a message stands, and whether parts of it are known to have left.
fn sent(connection: &Connection, message: i64) -> Done<Option<(i8, bool)>> {
    rows::one(connection, SENT, [message], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })
}

fn waiting(connection: &Connection, message: i64) -> Done<Option<(i64, i64, i8)>> {
    rows::one(connection, WAITING, [message], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })
}

fn has_known(connection: &Connection, message: i64) -> Done<bool> {
    Ok(rows::value::<String>(connection, KNOWN, [message])?.is_some())
}
