//! A claim: what is due of a destination, the longest due first.
//!
//! Those that are ready are found by their time, and what is new by its coming (`look.rs`). What never
//! happens here: two of a line in flight, or one that is due and nobody is told of.

use rusqlite::{Connection, params};
use switchboard_model::{BotId, DeliveryId, Timestamp};
use switchboard_store::{Claim, Claimed, ClaimedDelivery, Lane, Subject};

use super::look::{self, Head, Looking};
use super::{change, lost};
use crate::failure::{Done, Failure};
use crate::writer::Tx;
use crate::{delivery, outbox, rows, schedule};

const DESTINATION: &str = "SELECT id FROM integration WHERE public = ?1";
const DUE: &str = "SELECT id, due_at, 0 FROM (
        SELECT id, due_at FROM delivery
        WHERE destination = ?1 AND status = 1 AND trying_since IS NULL AND due_at <= ?2
        ORDER BY due_at, id LIMIT ?3)
    UNION ALL SELECT id, due_at, 1 FROM (
        SELECT id, due_at FROM delivery
        WHERE destination = ?1 AND status = 1 AND trying_since IS NOT NULL AND due_at <= ?2
        ORDER BY due_at, id LIMIT ?4)
    ORDER BY 2, 1 LIMIT ?3";
const NEXT_FIRST: &str = "SELECT min(due_at) FROM delivery
    WHERE destination = ?1 AND status = 1 AND trying_since IS NULL";
const NEXT_AGAIN: &str = "SELECT min(due_at) FROM delivery
    WHERE destination = ?1 AND status = 1 AND trying_since IS NOT NULL";
const NEXT_LOST: &str = "SELECT min(leased_until) FROM delivery
    WHERE destination = ?1 AND status = 2";
const TAKE: &str = "UPDATE delivery SET status = 2, epoch = epoch + 1, attempts = attempts + 1,
        leased_until = ?2, trying_since = coalesce(trying_since, ?3)
    WHERE id = ?1
    RETURNING public, epoch, attempts, trying_since, progress,
        iif(destination = 0, coalesce(event, -message), NULL),
        iif(destination = 0, NULL, message),
        (SELECT public FROM bot WHERE id = bot), action";

fn destination(connection: &Connection, lane: Lane) -> Done<Option<i64>> {
    match lane {
        Lane::Bots => Ok(Some(outbox::BOTS)),
        Lane::Channel(id) => rows::value(connection, DESTINATION, [id.to_bytes()]),
    }
}

fn next_due(
    connection: &Connection,
    destination: i64,
    again: bool,
    now: Timestamp,
) -> Done<Option<Timestamp>> {
    // Perhaps it is to be taken, and if not, it is to be looked at.
    let mut next = look::has_new(connection, destination)?.then(|| now.as_millis());
    for sql in [NEXT_FIRST, NEXT_LOST]
        .into_iter()
        .chain(again.then_some(NEXT_AGAIN))
    {
        let due = rows::value::<Option<i64>>(connection, sql, [destination])?.flatten();
        next = next.into_iter().chain(due).min();
    }
    if destination == outbox::BOTS {
        let due = rows::value::<Option<i64>>(connection, schedule::NEXT, [])?.flatten();
        next = next.into_iter().chain(due).min();
    }
    Ok(next.map(Timestamp::from_millis))
}

/// When nothing can be claimed, says so without troubling the writer.
pub(crate) fn idle(connection: &Connection, claim: Claim) -> Done<Option<Claimed>> {
    let next_due = match destination(connection, claim.lane)? {
        Some(destination) => next_due(connection, destination, claim.again > 0, claim.now)?,
        None => None,
    };
    let idle = next_due.is_none_or(|next| next > claim.now) || claim.limit == 0;
    Ok(idle.then(|| Claimed {
        deliveries: Vec::new(),
        next_due,
    }))
}

/// Takes heads of lines: those that are ready, and what is new with nothing before it.
pub(crate) fn run(tx: &mut Tx<'_>, claim: Claim) -> Done<Claimed> {
    let connection = tx.connection;
    let destination =
        destination(connection, claim.lane)?.ok_or_else(|| rows::gone("an integration"))?;
    lost::expired(tx, destination, claim)?;
    if destination == outbox::BOTS {
        schedule::come_due(tx, claim.now)?;
    }
    let now = claim.now.as_millis();
    let again = claim.again.min(claim.limit);
    let keys = [
        destination,
        now,
        rows::as_limit(claim.limit),
        rows::as_limit(again),
    ];
    let due = rows::all(connection, DUE, keys, |row| {
        Ok(Head {
            id: row.get(0)?,
            due_at: row.get(1)?,
            again: row.get(2)?,
        })
    })?;
    let mut due = due.into_iter().peekable();
    let mut looking = Looking::new(connection, destination);
    let mut deliveries = Vec::new();
    let mut room_again = claim.again;
    while deliveries.len() < claim.limit {
        // What is new is due whatever the clock says now; the longest due comes first.
        let waits_since = looking.waits_since()?.map(|since| since.min(now));
        let head = match (due.peek(), waits_since) {
            (None, None) => break,
            (Some(head), Some(since)) if since < head.due_at => looking.look()?,
            (None, Some(_)) => looking.look()?,
            (Some(_), _) => due.next(),
        };
        let Some(head) = head else { continue };
        if head.again && room_again == 0 {
            look::ready(connection, head.id, now)?;
            continue;
        }
        room_again -= usize::from(head.again);
        deliveries.push(take(connection, head, claim)?);
    }
    Ok(Claimed {
        deliveries,
        next_due: next_due(connection, destination, room_again > 0, claim.now)?,
    })
}

fn take(connection: &Connection, head: Head, claim: Claim) -> Done<ClaimedDelivery> {
    let Head { id, again, .. } = head;
    let until = claim.now.plus(claim.lease).as_millis();
    let keys = params![id, until, claim.now.as_millis()];
    let mut taken: Vec<(ClaimedDelivery, Option<i64>, Option<i64>, u8)> =
        rows::all(connection, TAKE, keys, |row| {
            let delivery = ClaimedDelivery {
                id: DeliveryId::from_bytes(row.get(0)?),
                epoch: row.get(1)?,
                attempt: row.get(2)?,
                again,
                trying_since: rows::time(row, 3)?,
                bot: BotId::from_bytes(row.get(7)?),
                subject: Subject::Gone,
                progress: match row.get_ref(4)?.as_str_or_null()? {
                    Some(text) => rows::read_json(4, text)?,
                    None => Vec::new(),
                },
            };
            Ok((delivery, row.get(5)?, row.get(6)?, row.get(8)?))
        })?;
    let (mut claimed, event, message, action) =
        taken.pop().ok_or_else(|| rows::gone("a due delivery"))?;
    let subject = match (action, message) {
        (outbox::SEND, _) | (_, None) => delivery::subject(connection, event, message),
        (action, Some(message)) => {
            let known = &mut claimed.progress;
            change::subject(connection, id, message, action, known)
        }
    };
    claimed.subject = match subject {
        // One that cannot be read would be claimed first for ever and hold up the whole lane.
        Err(
            error @ (Failure::Damage(_)
            | Failure::Sql(rusqlite::Error::FromSqlConversionFailure(..))),
        ) => {
            tracing::error!(?error, delivery = %claimed.id, "a delivery is damaged; it is given up");
            Subject::Gone
        }
        subject => subject?,
    };
    Ok(claimed)
}
