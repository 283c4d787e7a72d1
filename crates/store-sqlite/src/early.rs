//! Edits that come before the message that they change: a channel may hand over both at the same time.
//!
//! They wait under what the message will be recognised by, where an ingest looks for redeliveries
//! anyway: a message that nothing waits for pays nothing. What waits is forgotten with the other keys
//! there, a week after the last edit.
//!
//! Promises: a message ends as it would have if its edits had come behind it, in the order of their
//! dates. What never happens here: a message that is taken for a redelivery because of its edit; an
//! edit that waits for a message which was deleted.

use rusqlite::Connection;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use switchboard_model::{IntegrationId, Json, Tags, Timestamp};
use switchboard_store::InboundEdit;

use crate::failure::{Done, Failure};
use crate::once::{self, Stored};
use crate::writer::Tx;
use crate::{message, rows, version};

/// How many edits of a message wait: a place that moves is edited for hours, and its message may
/// never come. The newest count.
const KEPT: usize = 10;

const WAITS: &str = "SELECT EXISTS (SELECT 1 FROM once_kept WHERE key = ?1 AND edits IS NOT NULL)
    AND NOT EXISTS (SELECT 1 FROM message WHERE once = ?1)
    AND NOT EXISTS (SELECT 1 FROM event WHERE once = ?1)";
// What no script could place is an event under the message's key, and still becomes the message.
const IS_OVER: &str = "SELECT EXISTS (SELECT 1 FROM message WHERE once = ?1)
    OR EXISTS (SELECT 1 FROM once_kept WHERE key = ?1 AND edits IS NULL)
    OR EXISTS (SELECT 1 FROM event e WHERE e.once = ?1
        AND NOT EXISTS (SELECT 1 FROM unmapped u WHERE u.event = e.id))";
const EDITS: &str = "SELECT edits FROM once_kept WHERE key = ?1 AND edits IS NOT NULL";
const REMEMBER: &str = "INSERT INTO once_kept (key, at, edits) VALUES (?1, ?2, ?3)
    ON CONFLICT (key) DO UPDATE SET at = excluded.at, edits = excluded.edits";
const FORGET: &str = "DELETE FROM once_kept WHERE key = ?1 AND edits IS NOT NULL";

/// An edit that waits.
#[derive(Serialize, Deserialize)]
struct Early {
    at: Option<i64>,
    kind: String,
    payload: Json,
    tags: Tags,
}

/// Whether all that is known by this key are edits of what has not come yet.
pub(crate) fn waits(connection: &Connection, once: Stored) -> Done<bool> {
    Ok(rows::value(connection, WAITS, [once])? == Some(true))
}

/// Lets an edit wait for its message, unless that came and is gone.
pub(crate) fn remember(
    connection: &Connection,
    integration: IntegrationId,
    edit: &InboundEdit,
    now: Timestamp,
) -> Done<()> {
    let once = once::stored(integration, edit.once);
    for key in once::all(integration, edit.once) {
        if rows::value(connection, IS_OVER, [key])? == Some(true) {
            return Ok(());
        }
    }
    let mut waiting = waiting(connection, once)?;
    let is_later = |other: &Early| other.at.zip(edit.at).is_some_and(|(at, new)| at > new);
    let last_before = waiting.iter().rposition(|other| !is_later(other));
    let new = Early {
        at: edit.at,
        kind: edit.kind.clone(),
        payload: edit.payload.clone(),
        tags: edit.tags.clone(),
    };
    waiting.insert(last_before.map_or(0, |place| place + 1), new);
    let newest = waiting.len().saturating_sub(KEPT);
    let text = serde_json::to_string(&waiting[newest..]).map_err(Failure::damage)?;
    rows::execute(connection, REMEMBER, params![once, now.as_millis(), text])?;
    Ok(())
}

fn waiting(connection: &Connection, once: Stored) -> Done<Vec<Early>> {
    let found = rows::one(connection, EDITS, [once], |row| {
        rows::read_json(0, &row.get::<_, String>(0)?)
    })?;
    Ok(found.unwrap_or_default())
}

/// Applies what waits for a message, if that is what has come.
pub(crate) fn apply(tx: &mut Tx<'_>, once: Stored, now: Timestamp) -> Done<()> {
    let mut waiting = waiting(tx.connection, once)?.into_iter().peekable();
    if waiting.peek().is_none() || message::by_once(tx.connection, once)?.is_none() {
        return Ok(());
    }
    rows::execute(tx.connection, FORGET, [once])?;
    for early in waiting {
        let edit = InboundEdit {
            once: switchboard_store::Key(once).into(),
            at: early.at,
            kind: early.kind,
            payload: early.payload,
            tags: early.tags,
        };
        let message = message::by_once(tx.connection, once)?
            .ok_or_else(|| rows::gone("an edited message"))?;
        version::replace(tx, message, &edit, now)?;
    }
    Ok(())
}
