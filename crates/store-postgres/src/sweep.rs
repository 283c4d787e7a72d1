//! Removes what nobody can see any more, a bounded number of rows a call.
//!
//! Deleting only marks a row and frees its keys; the rest waits here. What recognises a redelivery
//! outlives its message: by then it has a table of its own, for a week.

use std::collections::BTreeSet;
use std::time::Duration;

use switchboard_model::{StateKind, Tags, Timestamp};

use crate::connection::{Connection, Values};
use crate::failure::Done;
use crate::state::kind_number;
use crate::tags::{self, MESSAGES};
use crate::writer::Tx;
use crate::{conversation, expiry, rows};

/// Rows a call removes, about.
const ROWS: usize = 500;
/// Longer than any channel sends an update again.
const REMEMBERED: Duration = Duration::from_hours(7 * 24);

const LATER: &str = "INSERT INTO deleted (kind, subject) VALUES ($1, $2)
    ON CONFLICT DO NOTHING";
const NEXT: &str = "SELECT kind, subject FROM deleted LIMIT 1";
const DONE: &str = "DELETE FROM deleted WHERE kind = $1 AND subject = $2";

const EXPIRED_STATES: &str = "SELECT id, kind, subject FROM state
    WHERE expires_at <= $1 ORDER BY expires_at, id LIMIT $2";
const WORK: &str = "SELECT EXISTS (SELECT 1 FROM state WHERE expires_at <= $1)
    OR EXISTS (SELECT 1 FROM once_kept WHERE at < $2)
    OR EXISTS (SELECT 1 FROM idempotency WHERE at < $2)
    OR EXISTS (SELECT 1 FROM deleted)";
const OLD_ONCE: &str = "DELETE FROM once_kept WHERE key IN
    (SELECT key FROM once_kept WHERE at < $1 LIMIT $2)";
const OLD_KEYS: &str = "DELETE FROM idempotency WHERE (bot, key) IN
    (SELECT bot, key FROM idempotency WHERE at < $1 LIMIT $2)";

const STATES: &str = "DELETE FROM state WHERE id IN
    (SELECT id FROM state WHERE kind = $1 AND subject = $2 LIMIT $3)";
const PARTICIPANTS: &str = "DELETE FROM participant WHERE id IN
    (SELECT id FROM participant WHERE conversation = $1 LIMIT $2)";
const PARTICIPATIONS: &str = "DELETE FROM participant WHERE id IN
    (SELECT id FROM participant WHERE user_id = $1 LIMIT $2)";
const EVENTS: &str = "SELECT id FROM event
    WHERE conversation = $1 AND payload IS NOT NULL LIMIT $2";
const MESSAGES_OF: &str = "SELECT id, tags FROM message WHERE conversation = $1 LIMIT $2";
const ANNOUNCEMENTS: &str = "SELECT id FROM event WHERE message = $1 AND payload IS NULL";
const FORGET_MESSAGE: &str = "UPDATE event SET message = NULL WHERE message = $1";
const EVENT_DELIVERIES: &str = "DELETE FROM delivery WHERE event = $1";
const MESSAGE_DELIVERIES: &str = "DELETE FROM delivery WHERE message = $1";
const KEEP_EVENT_ONCE: &str = "INSERT INTO once_kept (key, at)
    SELECT once, $2 FROM event WHERE id = $1 AND once IS NOT NULL ON CONFLICT DO NOTHING";
const KEEP_MESSAGE_ONCE: &str = "INSERT INTO once_kept (key, at)
    SELECT once, $2 FROM message WHERE id = $1 AND once IS NOT NULL ON CONFLICT DO NOTHING";
const EVENT: &str = "DELETE FROM event WHERE id = $1";
const MESSAGE: &str = "DELETE FROM message WHERE id = $1";
const CONVERSATION: &str = "DELETE FROM conversation WHERE id = $1";

/// Only one sweep at a time, of whichever node.
const LOCK: &str = "SELECT pg_try_advisory_xact_lock(-9223372036854774999)";
const LOCK_STATE: &str = "SELECT id FROM state WHERE id = $1 AND expires_at <= $2 FOR UPDATE";
const LOCK_CONVERSATION: &str = "SELECT id FROM conversation WHERE id = $1 FOR UPDATE";

/// Leaves the rest of a deleted object to a sweep.
pub(crate) async fn later(tx: &Tx, kind: StateKind, subject: i64) -> Done<()> {
    tx.execute(LATER, &[&kind_number(kind), &subject]).await?;
    Ok(())
}

/// The time from which on what recognises a redelivery is remembered.
fn remembered_from(now: Timestamp) -> i64 {
    now.as_millis() - i64::try_from(REMEMBERED.as_millis()).unwrap_or(i64::MAX)
}

/// Whether there is nothing to remove: a few looks into indexes.
pub(crate) async fn is_idle(connection: &Connection, now: Timestamp) -> Done<bool> {
    let work: bool = connection
        .sure(WORK, &[&now.as_millis(), &remembered_from(now)])
        .await?;
    Ok(!work)
}

async fn execute(tx: &Tx, sql: &str, values: Values<'_>) -> Done<usize> {
    Ok(rows::as_count(tx.execute(sql, values).await?))
}

pub(crate) async fn sweep(tx: &mut Tx, now: Timestamp) -> Done<usize> {
    if !tx.sure(LOCK, &[]).await? {
        return Ok(0);
    }
    let limit = rows::as_limit(ROWS);
    let week_ago = remembered_from(now);
    let mut removed = end_states(tx, limit, now).await?;
    removed += execute(tx, OLD_ONCE, &[&week_ago, &limit]).await?;
    removed += execute(tx, OLD_KEYS, &[&week_ago, &limit]).await?;

    while removed < ROWS {
        let next: Option<(i16, i64)> = tx.one(NEXT, &[], rows::pair).await?;
        let Some((kind, subject)) = next else {
            break;
        };
        let batch = ROWS - removed;
        let some = if kind == kind_number(StateKind::Conversation) {
            of_conversation(tx, subject, batch, now).await?
        } else {
            of_user(tx, subject, batch).await?
        };
        removed += some;
        if some < batch {
            if kind == kind_number(StateKind::Conversation) {
                removed += execute(tx, CONVERSATION, &[&subject]).await?;
            }
            tx.execute(DONE, &[&kind, &subject]).await?;
        }
    }
    Ok(removed)
}

/// Ends states whose time is over, each unless someone has written it meanwhile.
async fn end_states(tx: &mut Tx, limit: i64, now: Timestamp) -> Done<usize> {
    let millis = now.as_millis();
    let expired: Vec<(i64, i16, i64)> = tx
        .all(EXPIRED_STATES, &[&millis, &limit], |row| {
            Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
        })
        .await?;
    let of_conversations = kind_number(StateKind::Conversation);
    let lines = expired
        .iter()
        .filter(|(_, kind, _)| *kind == of_conversations)
        .map(|(_, _, subject)| *subject);
    conversation::lock_rows(tx, lines).await?;
    let mut ended = 0;
    for (state, ..) in expired {
        let still: Option<i64> = tx.value(LOCK_STATE, &[&state, &millis]).await?;
        if still.is_some() {
            expiry::end(tx, state, now).await?;
            ended += 1;
        }
    }
    Ok(ended)
}

/// Removes about so many rows; fewer only if there are no more.
async fn of_user(tx: &Tx, user: i64, batch: usize) -> Done<usize> {
    let kind = kind_number(StateKind::User);
    let removed = execute(tx, STATES, &[&kind, &user, &rows::as_limit(batch)]).await?;
    let rest = rows::as_limit(batch.saturating_sub(removed));
    Ok(removed + execute(tx, PARTICIPATIONS, &[&user, &rest]).await?)
}

/// Removes about so many rows; fewer only if there are no more.
async fn of_conversation(tx: &Tx, conversation: i64, batch: usize, now: Timestamp) -> Done<usize> {
    // Whoever still writes to it has found it before it was deleted.
    tx.value::<i64>(LOCK_CONVERSATION, &[&conversation]).await?;
    let kind = kind_number(StateKind::Conversation);
    let limit = rows::as_limit(batch);
    let mut removed = execute(tx, STATES, &[&kind, &conversation, &limit]).await?;
    let rest = rows::as_limit(batch.saturating_sub(removed));
    removed += execute(tx, PARTICIPANTS, &[&conversation, &rest]).await?;
    let rest = rows::as_limit(batch.saturating_sub(removed));
    for event in tx.all(EVENTS, &[&conversation, &rest], rows::first).await? {
        removed += remove_event(tx, event, now).await?;
    }
    let rest = rows::as_limit(batch.saturating_sub(removed));
    let messages = tx
        .all(MESSAGES_OF, &[&conversation, &rest], |row| {
            Ok((row.try_get(0)?, rows::tags(row, 1)?))
        })
        .await?;
    for (message, tags) in messages {
        removed += remove_message(tx, conversation, message, &tags, now).await?;
    }
    Ok(removed)
}

async fn remove_event(tx: &Tx, event: i64, now: Timestamp) -> Done<usize> {
    tx.execute(KEEP_EVENT_ONCE, &[&event, &now.as_millis()])
        .await?;
    let deliveries = execute(tx, EVENT_DELIVERIES, &[&event]).await?;
    Ok(deliveries + execute(tx, EVENT, &[&event]).await?)
}

async fn remove_message(
    tx: &Tx,
    conversation: i64,
    message: i64,
    tags: &Tags,
    now: Timestamp,
) -> Done<usize> {
    tx.execute(KEEP_MESSAGE_ONCE, &[&message, &now.as_millis()])
        .await?;
    let mut removed = execute(tx, MESSAGE_DELIVERIES, &[&message]).await?;
    for event in tx.all(ANNOUNCEMENTS, &[&message], rows::first).await? {
        removed += remove_event(tx, event, now).await?;
    }
    // An event of another conversation may speak of this message; it stays without it.
    tx.execute(FORGET_MESSAGE, &[&message]).await?;
    let pairs = tags::digest_set(tags);
    MESSAGES
        .replace(tx, conversation, message, &pairs, &BTreeSet::new())
        .await?;
    Ok(removed + execute(tx, MESSAGE, &[&message]).await?)
}
