//! The lines of the outbox: what is enqueued, and what comes to the head.
//!
//! Of each line (destination, conversation) that has anything to do, exactly one delivery is ready
//! or in flight, the first; the others are queued behind it. Whoever ends the first promotes the
//! next in the same transaction. All of this happens under the lock of the conversation's row; only
//! claims do without, for they change no line.

pub(crate) mod lost;

use switchboard_model::{DeliveryId, IntegrationId, Timestamp};
use switchboard_store::Lane;

use crate::connection::Id;
use crate::failure::Done;
use crate::rows;
use crate::writer::Tx;

pub(crate) const QUEUED: i16 = 0;
pub(crate) const READY: i16 = 1;
pub(crate) const IN_FLIGHT: i16 = 2;
pub(crate) const DELIVERED: i16 = 3;
pub(crate) const UNCERTAIN: i16 = 4;
pub(crate) const DEAD: i16 = 5;
/// It was uncertain, and was dismissed.
pub(crate) const DISMISSED_UNCERTAIN: i16 = 6;
/// It was dead, and was dismissed.
pub(crate) const DISMISSED: i16 = 7;

/// The destination of what goes to bots.
pub(crate) const BOTS: i64 = 0;

const LINE_BUSY: &str = "SELECT id FROM delivery
    WHERE destination = $1 AND conversation = $2 AND status < 3 LIMIT 1";
const INSERT: &str = "INSERT INTO delivery
    (public, bot, destination, conversation, event, message, status, due_at, error, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const PROMOTE: &str = "UPDATE delivery SET status = 1, due_at = $3
    WHERE status = 0 AND id = (SELECT id FROM delivery
        WHERE destination = $1 AND conversation = $2 AND status < 3 ORDER BY id LIMIT 1)";
const INTEGRATION: &str = "SELECT public FROM integration WHERE id = $1";

/// What to enqueue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Enqueue {
    pub(crate) id: DeliveryId,
    pub(crate) bot: i64,
    pub(crate) destination: i64,
    pub(crate) conversation: Option<i64>,
    pub(crate) event: Option<i64>,
    pub(crate) message: Option<i64>,
    pub(crate) now: Timestamp,
}

/// Puts a delivery at the end of its line.
pub(crate) async fn enqueue(tx: &mut Tx, new: Enqueue) -> Done<()> {
    let status = place(tx, new.destination, new.conversation).await?;
    insert(tx, new, status, None).await?;
    if status == READY {
        told(tx, new.destination).await?;
    }
    Ok(())
}

/// Keeps a delivery that cannot be tried, so that it is seen and can be replayed.
pub(crate) async fn enqueue_dead(tx: &mut Tx, new: Enqueue, error: &str) -> Done<()> {
    insert(tx, new, DEAD, Some(error)).await
}

async fn insert(tx: &Tx, new: Enqueue, status: i16, error: Option<&str>) -> Done<()> {
    tx.execute(
        INSERT,
        &[
            &Id(new.id.to_bytes()),
            &new.bot,
            &new.destination,
            &new.conversation,
            &new.event,
            &new.message,
            &status,
            &tx.outbox_time(new.now).as_millis(),
            &error,
            &new.now.as_millis(),
        ],
    )
    .await?;
    Ok(())
}

/// The status of one that comes to the end of a line.
pub(crate) async fn place(tx: &Tx, destination: i64, conversation: Option<i64>) -> Done<i16> {
    let Some(conversation) = conversation else {
        return Ok(READY);
    };
    let busy = tx
        .value::<i64>(LINE_BUSY, &[&destination, &conversation])
        .await?;
    Ok(if busy.is_some() { QUEUED } else { READY })
}

/// Makes the next of a line ready, once the one before it is done with.
pub(crate) async fn promote(
    tx: &mut Tx,
    destination: i64,
    conversation: Option<i64>,
    now: Timestamp,
) -> Done<()> {
    let Some(conversation) = conversation else {
        return Ok(());
    };
    let due = tx.outbox_time(now).as_millis();
    if tx
        .execute(PROMOTE, &[&destination, &conversation, &due])
        .await?
        > 0
    {
        told(tx, destination).await?;
    }
    Ok(())
}

/// Tells those who wait that something of this destination is ready.
pub(crate) async fn told(tx: &mut Tx, destination: i64) -> Done<()> {
    let lane = if destination == BOTS {
        Lane::Bots
    } else {
        let id: Id = tx
            .value(INTEGRATION, &[&destination])
            .await?
            .ok_or_else(|| rows::gone("an integration"))?;
        Lane::Channel(IntegrationId::from_bytes(id.0))
    };
    tx.lane_ready(lane);
    Ok(())
}

/// A text from outside as it can be stored: PostgreSQL has no room for NUL.
pub(crate) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
