//! What was in flight when its holder was lost, or did not finish it within its lease.
//!
//! What goes to bots is freed: a bot knows an event by its id when it comes again. So is the
//! deletion of a message, which does no harm twice. A message to a channel may have been sent, as may
//! the further parts of an edited one, and becomes what the caller says.

use rusqlite::params;
use switchboard_model::Timestamp;
use switchboard_store::{Claim, LostSends};

use crate::failure::Done;
use crate::writer::Tx;
use crate::{delivery, outbox, rows};

const FREE_EXPIRED: &str = "UPDATE delivery SET status = 1, due_at = leased_until,
        leased_until = NULL, uncertain = uncertain + (destination <> 0 AND action <> 2)
    WHERE destination = ?1 AND status = 2 AND leased_until <= ?2 AND (?3 OR action = 2)";
const GIVE_UP_EXPIRED: &str = "UPDATE delivery SET status = 4, error = ?3, leased_until = NULL,
        uncertain = uncertain + 1
    WHERE destination = ?1 AND status = 2 AND leased_until <= ?2
    RETURNING destination, conversation";
const FREE_ALL: &str = "UPDATE delivery SET status = 1, due_at = ?1, leased_until = NULL,
        uncertain = uncertain + (destination <> 0 AND action <> 2)
    WHERE status = 2 AND (destination = 0 OR action = 2 OR ?2)
    RETURNING destination, conversation";
const GIVE_UP_ALL: &str = "UPDATE delivery SET status = 4, error = ?1, leased_until = NULL,
        uncertain = uncertain + 1
    WHERE status = 2 RETURNING destination, conversation";

const LOST: &str = "the server was lost while this was being sent, so it may have been sent; look \
    into the chat, and replay it if it is not there";
const EXPIRED: &str = "the time for sending this was over before its result was known, so it may \
    have been sent; look into the chat, and replay it if it is not there";

/// A destination and a conversation.
type Line = (i64, Option<i64>);

/// Those of a destination whose lease is over.
pub(crate) fn expired(tx: &mut Tx<'_>, destination: i64, claim: Claim) -> Done<()> {
    let now = claim.now.as_millis();
    let is_freed = destination == outbox::BOTS || claim.lost == LostSends::Retry;
    rows::execute(
        tx.connection,
        FREE_EXPIRED,
        params![destination, now, is_freed],
    )?;
    if is_freed {
        return Ok(());
    }
    let keys = params![destination, now, EXPIRED];
    let lines = rows::all(tx.connection, GIVE_UP_EXPIRED, keys, line)?;
    follow(tx, &lines, claim.now)
}

/// All of them. Tells how many there were.
pub(crate) fn all(tx: &mut Tx<'_>, lost: LostSends, now: Timestamp) -> Done<usize> {
    let keys = params![now.as_millis(), lost == LostSends::Retry];
    let freed = rows::all(tx.connection, FREE_ALL, keys, line)?;
    for (destination, conversation) in &freed {
        outbox::told(tx, *destination)?;
        delivery::changed(tx, *conversation)?;
    }
    let given_up = rows::all(tx.connection, GIVE_UP_ALL, [LOST], line)?;
    follow(tx, &given_up, now)?;
    Ok(freed.len() + given_up.len())
}

fn line(row: &rusqlite::Row<'_>) -> rusqlite::Result<Line> {
    Ok((row.get(0)?, row.get(1)?))
}

/// Lets the next of each line come.
fn follow(tx: &mut Tx<'_>, lines: &[Line], now: Timestamp) -> Done<()> {
    for (destination, conversation) in lines {
        outbox::promote(tx, *destination, *conversation, now)?;
        delivery::changed(tx, *conversation)?;
    }
    Ok(())
}
