//! The lines of the outbox: what is enqueued, and what comes to the head.
//!
//! What is enqueued is new: it is appended, and nobody looks at its line. A claim looks at it
//! (`look.rs`). Of what was looked at in a line (destination, conversation) exactly one delivery is
//! ready or in flight, the first; the others are queued behind it, and whoever ends the first
//! promotes the next in the same transaction. All that is new comes behind them.
//!
//! What never happens here: an enqueue that reads of the line, or enters what lies by lines.

pub(crate) mod change;
pub(crate) mod claim;
pub(crate) mod look;
pub(crate) mod lost;

use rusqlite::{Connection, params};
use switchboard_model::{DeliveryId, IntegrationId, Timestamp};
use switchboard_store::Lane;

use crate::failure::Done;
use crate::rows;
use crate::writer::Tx;

/// Nobody has looked yet at what is before it in its line.
pub(crate) const NEW: i8 = -1;
pub(crate) const READY: i8 = 1;
pub(crate) const IN_FLIGHT: i8 = 2;
pub(crate) const DELIVERED: i8 = 3;
pub(crate) const UNCERTAIN: i8 = 4;
pub(crate) const DEAD: i8 = 5;
/// It was uncertain, and was dismissed.
pub(crate) const DISMISSED_UNCERTAIN: i8 = 6;
/// It was dead, and was dismissed.
pub(crate) const DISMISSED: i8 = 7;

/// What a delivery does: it brings something.
pub(crate) const SEND: u8 = 0;
/// It changes a message that was sent.
pub(crate) const EDIT: u8 = 1;
/// It deletes a message that was sent.
pub(crate) const DELETE: u8 = 2;

/// The destination of what goes to bots.
pub(crate) const BOTS: i64 = 0;

const INSERT: &str = "INSERT INTO delivery
    (public, bot, destination, conversation, event, message, action, status, due_at, error,
        created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?9)";
// In the words of the index, here and wherever a line is read.
pub(crate) const NEXT: &str = "SELECT id FROM delivery
    WHERE destination = ?1 AND conversation = ?2 AND status BETWEEN 0 AND 2
    ORDER BY id LIMIT 1";
const PROMOTE: &str = "UPDATE delivery SET status = 1, due_at = ?2 WHERE id = ?1 AND status = 0";
const INTEGRATION: &str = "SELECT public FROM integration WHERE id = ?1";

/// What to enqueue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Enqueue {
    pub(crate) id: DeliveryId,
    pub(crate) bot: i64,
    pub(crate) destination: i64,
    pub(crate) conversation: Option<i64>,
    pub(crate) event: Option<i64>,
    pub(crate) message: Option<i64>,
    pub(crate) action: u8,
    pub(crate) now: Timestamp,
}

/// Puts a delivery at the end of its line.
pub(crate) fn enqueue(tx: &mut Tx<'_>, new: Enqueue) -> Done<()> {
    insert(tx.connection, new, NEW, None)?;
    told(tx, new.destination)
}

/// Keeps a delivery that cannot be tried, so that it is seen and can be replayed.
pub(crate) fn enqueue_dead(tx: &mut Tx<'_>, new: Enqueue, error: &str) -> Done<()> {
    insert(tx.connection, new, DEAD, Some(error))
}

fn insert(connection: &Connection, new: Enqueue, status: i8, error: Option<&str>) -> Done<()> {
    rows::insert(
        connection,
        INSERT,
        params![
            new.id.to_bytes(),
            new.bot,
            new.destination,
            new.conversation,
            new.event,
            new.message,
            new.action,
            status,
            new.now.as_millis(),
            error
        ],
    )?;
    Ok(())
}

/// Makes the next of a line ready, once the one before it is done with. What is new waits for a claim.
pub(crate) fn promote(
    tx: &mut Tx<'_>,
    destination: i64,
    conversation: Option<i64>,
    now: Timestamp,
) -> Done<()> {
    let Some(conversation) = conversation else {
        return Ok(());
    };
    if let Some(next) = rows::value::<i64>(tx.connection, NEXT, [destination, conversation])?
        && rows::execute(tx.connection, PROMOTE, params![next, now.as_millis()])? > 0
    {
        told(tx, destination)?;
    }
    Ok(())
}

/// Tells those who wait that something of this destination is new or ready.
pub(crate) fn told(tx: &mut Tx<'_>, destination: i64) -> Done<()> {
    let lane = if destination == BOTS {
        Lane::Bots
    } else {
        let id = rows::value(tx.connection, INTEGRATION, [destination])?
            .ok_or_else(|| rows::gone("an integration"))?;
        Lane::Channel(IntegrationId::from_bytes(id))
    };
    tx.lane_ready(lane);
    Ok(())
}
