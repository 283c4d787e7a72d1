//! What was in flight when its holder was lost, or did not finish it within its lease.
//!
//! What goes to bots is freed: a bot knows an event by its id when it comes again. A message to a
//! channel may have been sent, and becomes what the caller says.

use switchboard_model::Timestamp;
use switchboard_store::{Claim, LostSends};

use crate::failure::Done;
use crate::writer::Tx;
use crate::{conversation, delivery, node, outbox, rows};

// One that is locked is being finished at this moment.
const FREE_EXPIRED: &str = "UPDATE delivery SET status = 1, due_at = leased_until,
        leased_until = NULL, holder = NULL, uncertain = uncertain + (destination <> 0)::integer
    WHERE id IN (SELECT id FROM delivery
        WHERE destination = $1 AND status = 2 AND leased_until <= $2 FOR UPDATE SKIP LOCKED)";
const EXPIRED_ONES: &str = "SELECT id, conversation FROM delivery
    WHERE destination = $1 AND status = 2 AND leased_until <= $2";
const GIVE_UP_EXPIRED: &str = "UPDATE delivery SET status = 4, error = $3, leased_until = NULL,
        holder = NULL, uncertain = uncertain + 1
    WHERE id = ANY ($1) AND status = 2 AND leased_until <= $2
    RETURNING destination, conversation";

const HOLDERS: &str =
    "SELECT DISTINCT holder FROM delivery WHERE status = 2 AND holder IS NOT NULL";
const IS_GONE: &str = "SELECT pg_try_advisory_xact_lock($1, $2)";
const HELD: &str = "SELECT id, conversation FROM delivery WHERE status = 2 AND holder = ANY ($1)";
const FREE: &str = "UPDATE delivery SET status = 1, due_at = $2, leased_until = NULL,
        holder = NULL, uncertain = uncertain + (destination <> 0)::integer
    WHERE id = ANY ($1) AND status = 2 AND holder = ANY ($4) AND (destination = 0 OR $3)
    RETURNING destination, conversation";
const GIVE_UP: &str = "UPDATE delivery SET status = 4, error = $2, leased_until = NULL,
        holder = NULL, uncertain = uncertain + 1
    WHERE id = ANY ($1) AND status = 2 AND holder = ANY ($3)
    RETURNING destination, conversation";

const LOST: &str = "the server was lost while this was being sent, so it may have been sent; look \
    into the chat, and replay it if it is not there";
const EXPIRED: &str = "the time for sending this was over before its result was known, so it may \
    have been sent; look into the chat, and replay it if it is not there";

/// A destination and a conversation.
type Line = (i64, Option<i64>);

/// Those of a destination whose lease is over.
pub(crate) async fn expired(tx: &mut Tx, destination: i64, claim: &Claim) -> Done<()> {
    let now = tx.outbox_time(claim.now).as_millis();
    if destination == outbox::BOTS || claim.lost == LostSends::Retry {
        tx.execute(FREE_EXPIRED, &[&destination, &now]).await?;
        return Ok(());
    }
    let found = tx
        .all(EXPIRED_ONES, &[&destination, &now], rows::pair)
        .await?;
    if found.is_empty() {
        return Ok(());
    }
    let ids = lock_lines(tx, found).await?;
    let lines = tx
        .all(GIVE_UP_EXPIRED, &[&ids, &now, &EXPIRED], rows::pair)
        .await?;
    follow(tx, &lines, claim.now).await
}

/// All that this node holds, and all that nodes held that are gone. Tells how many there were.
pub(crate) async fn all(tx: &mut Tx, lost: LostSends, now: Timestamp) -> Done<usize> {
    let mut holders = vec![tx.node];
    for holder in tx.all(HOLDERS, &[], rows::first::<i32>).await? {
        if holder != tx.node && tx.sure(IS_GONE, &[&node::LOCKS, &holder]).await? {
            holders.push(holder);
        }
    }
    let found = tx.all(HELD, &[&holders], rows::pair).await?;
    let ids = lock_lines(tx, found).await?;
    let due = tx.outbox_time(now).as_millis();
    let all = lost == LostSends::Retry;
    let freed: Vec<Line> = tx
        .all(FREE, &[&ids, &due, &all, &holders], rows::pair)
        .await?;
    for (destination, conversation) in &freed {
        outbox::told(tx, *destination).await?;
        delivery::changed(tx, *conversation).await?;
    }
    let given_up: Vec<Line> = tx
        .all(GIVE_UP, &[&ids, &LOST, &holders], rows::pair)
        .await?;
    follow(tx, &given_up, now).await?;
    Ok(freed.len() + given_up.len())
}

/// Locks the conversations of deliveries before anything else of them; gives the deliveries' numbers.
async fn lock_lines(tx: &Tx, found: Vec<(i64, Option<i64>)>) -> Done<Vec<i64>> {
    conversation::lock_rows(tx, found.iter().filter_map(|(_, line)| *line)).await?;
    Ok(found.into_iter().map(|(id, _)| id).collect())
}

/// Lets the next of each line come.
async fn follow(tx: &mut Tx, lines: &[Line], now: Timestamp) -> Done<()> {
    for (destination, conversation) in lines {
        outbox::promote(tx, *destination, *conversation, now).await?;
        delivery::changed(tx, *conversation).await?;
    }
    Ok(())
}
