//! Removes what nobody can see any more, a bounded number of rows a call.
//!
//! Deleting only marks a row and frees its keys; the rest waits here. What recognises a redelivery
//! outlives its message: by then it has a table of its own, for a week.

use std::collections::BTreeSet;
use std::time::Duration;

use rusqlite::{Connection, params};
use switchboard_model::{StateKind, Tags, Timestamp};
use switchboard_store::TagKind;

use crate::failure::Done;
use crate::state::kind_number;
use crate::tags::MESSAGES;
use crate::writer::Tx;
use crate::{chat, expiry, rows, schedule, tag_value, version, workflow};

/// Rows a call removes, about.
const ROWS: usize = 500;
/// Longer than any channel sends an update again.
const REMEMBERED: Duration = Duration::from_hours(7 * 24);

const LATER: &str = "INSERT OR IGNORE INTO deleted (kind, subject) VALUES (?1, ?2)";
const NEXT: &str = "SELECT kind, subject FROM deleted LIMIT 1";
const DONE: &str = "DELETE FROM deleted WHERE kind = ?1 AND subject = ?2";

const EXPIRED_STATES: &str =
    "SELECT id FROM state WHERE expires_at <= ?1 ORDER BY expires_at, id LIMIT ?2";
const WORK: &str = "SELECT EXISTS (SELECT 1 FROM state WHERE expires_at <= ?1)
    OR EXISTS (SELECT 1 FROM once_kept WHERE at < ?2)
    OR EXISTS (SELECT 1 FROM idempotency WHERE at < ?2)
    OR EXISTS (SELECT 1 FROM deleted)
    OR EXISTS (SELECT 1 FROM workflow
        WHERE status < 4 AND deleted_at IS NULL AND timeout_at <= ?1)
    OR EXISTS (SELECT 1 FROM workflow WHERE continue_at <= ?1)";
const OLD_ONCE: &str = "DELETE FROM once_kept WHERE key IN
    (SELECT key FROM once_kept WHERE at < ?1 LIMIT ?2)";
const OLD_KEYS: &str = "DELETE FROM idempotency WHERE (bot, key) IN
    (SELECT bot, key FROM idempotency WHERE at < ?1 LIMIT ?2)";

const STATES: &str = "DELETE FROM state WHERE id IN
    (SELECT id FROM state WHERE kind = ?1 AND subject = ?2 LIMIT ?3)";
const PARTICIPANTS: &str = "DELETE FROM participant WHERE id IN
    (SELECT id FROM participant WHERE conversation = ?1 LIMIT ?2)";
const PARTICIPATIONS: &str = "DELETE FROM participant WHERE id IN
    (SELECT id FROM participant WHERE user = ?1 LIMIT ?2)";
const EVENTS: &str = "SELECT id FROM event WHERE conversation = ?1 LIMIT ?2";
const MESSAGES_OF: &str = "SELECT id, tags FROM message WHERE conversation = ?1 LIMIT ?2";
const FORGET_MESSAGE: &str = "UPDATE event SET message = NULL WHERE message = ?1";
const EVENT_DELIVERIES: &str = "DELETE FROM delivery WHERE event = ?1";
const MESSAGE_DELIVERIES: &str = "DELETE FROM delivery WHERE message = ?1";
const KEEP_EVENT_ONCE: &str = "INSERT INTO once_kept (key, at)
    SELECT once, ?2 FROM event WHERE id = ?1 AND once IS NOT NULL
    ON CONFLICT (key) DO UPDATE SET at = excluded.at, edits = NULL";
const KEEP_MESSAGE_ONCE: &str = "INSERT INTO once_kept (key, at)
    SELECT once, ?2 FROM message WHERE id = ?1 AND once IS NOT NULL
    ON CONFLICT (key) DO UPDATE SET at = excluded.at, edits = NULL";
const WORKFLOWS: &str = "SELECT id FROM workflow
    WHERE conversation = ?1 AND deleted_at IS NULL LIMIT ?2";
const WORKFLOW: &str = "DELETE FROM workflow WHERE id = ?1";
const TOLD: &str = "SELECT e.id, e.kind = 'workflow_update' AND NOT EXISTS
        (SELECT 1 FROM delivery d WHERE d.event = e.id AND d.status < 3)
    FROM event e WHERE e.workflow = ?1 LIMIT ?2";
const CUT_OFF: &str = "UPDATE event SET workflow = NULL WHERE id = ?1";
const EVENT: &str = "DELETE FROM event WHERE id = ?1";
const MESSAGE: &str = "DELETE FROM message WHERE id = ?1";
const CONVERSATION: &str = "DELETE FROM conversation WHERE id = ?1";

/// Leaves the rest of a deleted object to a sweep.
pub(crate) fn later(connection: &Connection, kind: StateKind, subject: i64) -> Done<()> {
    rows::execute(connection, LATER, params![kind_number(kind), subject])?;
    Ok(())
}

/// The time from which on what recognises a redelivery is remembered.
fn remembered_from(now: Timestamp) -> i64 {
    now.as_millis() - i64::try_from(REMEMBERED.as_millis()).unwrap_or(i64::MAX)
}

/// Whether there is nothing to remove: a few looks into indexes.
pub(crate) fn is_idle(connection: &Connection, now: Timestamp) -> Done<bool> {
    let keys = [now.as_millis(), remembered_from(now)];
    Ok(rows::value(connection, WORK, keys)? != Some(true))
}

pub(crate) fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Done<usize> {
    let connection = tx.connection;
    let limit = rows::as_limit(ROWS);
    let week_ago = remembered_from(now);
    let keys = [now.as_millis(), limit];
    let expired = rows::all(connection, EXPIRED_STATES, keys, |row| row.get(0))?;
    let mut removed = expired.len();
    for state in expired {
        expiry::end(tx, state, now)?;
    }
    removed += workflow::due(tx, now, limit)?;
    removed += rows::execute(connection, OLD_ONCE, [week_ago, limit])?;
    removed += rows::execute(connection, OLD_KEYS, [week_ago, limit])?;

    while removed < ROWS {
        let next = rows::one(connection, NEXT, [], |row| {
            Ok((row.get::<_, u8>(0)?, row.get::<_, i64>(1)?))
        })?;
        let Some((kind, subject)) = next else {
            break;
        };
        let batch = ROWS - removed;
        let some = if kind == kind_number(StateKind::Conversation) {
            of_conversation(tx, subject, batch, now)?
        } else if kind == kind_number(StateKind::Workflow) {
            of_workflow(connection, subject, batch, now)?
        } else {
            of_user(connection, subject, batch)?
        };
        removed += some;
        if some < batch {
            if kind == kind_number(StateKind::Conversation) {
                removed += rows::execute(connection, CONVERSATION, [subject])?;
            } else if kind == kind_number(StateKind::Workflow) {
                removed += rows::execute(connection, WORKFLOW, [subject])?;
            }
            rows::execute(connection, DONE, params![kind, subject])?;
        }
    }
    Ok(removed)
}

/// Removes about so many rows; fewer only if there are no more.
fn of_user(connection: &Connection, user: i64, batch: usize) -> Done<usize> {
    let kind = kind_number(StateKind::User);
    let mut removed = rows::execute(
        connection,
        STATES,
        params![kind, user, rows::as_limit(batch)],
    )?;
    let rest = batch.saturating_sub(removed);
    removed += chat::forget(connection, user, rows::as_limit(rest))?;
    let rest = batch.saturating_sub(removed);
    Ok(removed + rows::execute(connection, PARTICIPATIONS, [user, rows::as_limit(rest)])?)
}

/// Removes about so many rows; fewer only if there are no more.
fn of_conversation(
    tx: &mut Tx<'_>,
    conversation: i64,
    batch: usize,
    now: Timestamp,
) -> Done<usize> {
    let connection = tx.connection;
    let kind = kind_number(StateKind::Conversation);
    let limit = rows::as_limit(batch);
    let mut removed = rows::execute(connection, STATES, params![kind, conversation, limit])?;
    let rest = rows::as_limit(batch.saturating_sub(removed));
    for workflow in rows::all(connection, WORKFLOWS, [conversation, rest], |row| {
        row.get(0)
    })? {
        workflow::bury_number(tx, workflow, now)?;
        removed += 1;
    }
    let rest = rows::as_limit(batch.saturating_sub(removed));
    removed += rows::execute(connection, PARTICIPANTS, [conversation, rest])?;
    let rest = rows::as_limit(batch.saturating_sub(removed));
    for event in rows::all(connection, EVENTS, [conversation, rest], |row| row.get(0))? {
        removed += remove_event(connection, event, now)?;
    }
    let rest = rows::as_limit(batch.saturating_sub(removed));
    let messages = rows::all(connection, MESSAGES_OF, [conversation, rest], |row| {
        Ok((row.get(0)?, rows::tags(row, 1)?))
    })?;
    for (message, tags) in messages {
        removed += remove_message(connection, conversation, message, &tags, now)?;
    }
    Ok(removed)
}

/// Removes about so many rows; fewer only if there are no more. What is being told at this moment is
/// only cut off: whoever tells it has yet to write how that ended.
fn of_workflow(
    connection: &Connection,
    workflow: i64,
    batch: usize,
    now: Timestamp,
) -> Done<usize> {
    let kind = kind_number(StateKind::Workflow);
    let keys = params![kind, workflow, rows::as_limit(batch)];
    let mut removed = rows::execute(connection, STATES, keys)?;
    let rest = rows::as_limit(batch.saturating_sub(removed));
    let events: Vec<(i64, bool)> = rows::all(connection, TOLD, [workflow, rest], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    for (event, goes) in events {
        removed += if goes {
            remove_event(connection, event, now)?
        } else {
            rows::execute(connection, CUT_OFF, [event])?
        };
    }
    Ok(removed)
}

fn remove_event(connection: &Connection, event: i64, now: Timestamp) -> Done<usize> {
    rows::execute(connection, KEEP_EVENT_ONCE, [event, now.as_millis()])?;
    schedule::forget_event(connection, event)?;
    let deliveries = rows::execute(connection, EVENT_DELIVERIES, [event])?;
    Ok(deliveries + rows::execute(connection, EVENT, [event])?)
}

fn remove_message(
    connection: &Connection,
    conversation: i64,
    message: i64,
    tags: &Tags,
    now: Timestamp,
) -> Done<usize> {
    rows::execute(connection, KEEP_MESSAGE_ONCE, [message, now.as_millis()])?;
    schedule::forget_message(connection, message)?;
    let removed = rows::execute(connection, MESSAGE_DELIVERIES, [message])?;
    // An event of another conversation may speak of this message; it stays without it.
    rows::execute(connection, FORGET_MESSAGE, [message])?;
    tag_value::gone(connection, TagKind::Message, message, tags)?;
    let pairs = MESSAGES.pairs(tags);
    MESSAGES.replace(connection, conversation, message, &pairs, &BTreeSet::new())?;
    version::forget(connection, message)?;
    Ok(removed + rows::execute(connection, MESSAGE, [message])?)
}
