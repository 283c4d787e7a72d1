//! The outbox as its workers see it. How people see it is in `record.rs`.
//!
//! Leases and due times go by the database's clock. What a claim tells of times is put into its
//! caller's own, so that nodes whose clocks differ understand one another.

use std::time::Duration;

use async_trait::async_trait;
use switchboard_model::{
    BotId, ConversationId, DeliveryId, Direction, MessageId, Result, TagPatch, Tags, Timestamp,
    UserId,
};
use switchboard_store::{
    Claim, Claimed, ClaimedDelivery, ConversationChange, DeliveryRecord, DeliveryRecordStatus,
    DeliveryStore, Finish, Lane, LostSends, MessageUpdate, Outcome, OutgoingMessage, Page,
    PageRequest, Reply, SentPart, Subject,
};
use tokio_postgres::Row;

use crate::connection::{Connection, Id};
use crate::failure::{Done, Failure};
use crate::outbox::{lost, storable};
use crate::writer::Tx;
use crate::{
    OutboxClock, PostgresStore, conversation, event, message, outbox, record, rows, state, user,
};

const DESTINATION: &str = "SELECT id FROM integration WHERE public = $1";
const DUE_FIRST: &str = "SELECT id, due_at FROM delivery
    WHERE destination = $1 AND status = 1 AND trying_since IS NULL AND due_at <= $2
    ORDER BY due_at, id LIMIT $3 FOR UPDATE SKIP LOCKED";
const DUE_AGAIN: &str = "SELECT id, due_at FROM delivery
    WHERE destination = $1 AND status = 1 AND trying_since IS NOT NULL AND due_at <= $2
    ORDER BY due_at, id LIMIT $3 FOR UPDATE SKIP LOCKED";
const NEXT: &str = "SELECT
    least(
        (SELECT min(due_at) FROM delivery
            WHERE destination = $1 AND status = 1 AND trying_since IS NULL),
        (SELECT min(leased_until) FROM delivery WHERE destination = $1 AND status = 2),
        CASE WHEN $2 THEN (SELECT min(due_at) FROM delivery
            WHERE destination = $1 AND status = 1 AND trying_since IS NOT NULL) END),
    (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
const TAKE: &str = "UPDATE delivery d SET status = 2, epoch = d.epoch + 1,
        attempts = d.attempts + 1, leased_until = $2, holder = $3,
        trying_since = coalesce(d.trying_since, $4)
    FROM bot b
    WHERE d.id = ANY ($1) AND b.id = d.bot
    RETURNING d.id, d.public, d.epoch, d.attempts, d.trying_since, d.progress, d.event, d.message,
        b.public";
const LINE: &str = "SELECT conversation FROM delivery WHERE public = $1";
const CURRENT: &str = "SELECT d.id, d.destination, d.conversation, d.event, d.message, b.public
    FROM delivery d JOIN bot b ON b.id = d.bot
    WHERE d.public = $1 AND d.epoch = $2 AND d.status = 2 FOR UPDATE OF d";
const SETTLE: &str = "UPDATE delivery SET status = $2, error = $3, leased_until = NULL,
        holder = NULL, uncertain = uncertain + ($2::smallint = 4)::integer
    WHERE id = $1";
const RETRY: &str = "UPDATE delivery SET status = 1, error = $2, due_at = $3, leased_until = NULL,
        holder = NULL, attempts = attempts - $4::boolean::integer,
        trying_since = trying_since + $5, uncertain = uncertain + $6::boolean::integer
    WHERE id = $1";
const PROGRESS: &str = "SELECT progress FROM delivery
    WHERE public = $1 AND epoch = $2 AND status = 2 FOR UPDATE";
const RECORD_PART: &str = "UPDATE delivery SET progress = $2 WHERE public = $1";
const CONVERSATION: &str = "SELECT public FROM conversation WHERE id = $1";
const ACTIVE: &str = "SELECT id FROM delivery
    WHERE destination IN (0, $1) AND conversation = $2 AND status < 3 LIMIT 1";

async fn destination(connection: &Connection, lane: Lane) -> Done<Option<i64>> {
    match lane {
        Lane::Bots => Ok(Some(outbox::BOTS)),
        Lane::Channel(id) => connection.value(DESTINATION, &[&Id(id.to_bytes())]).await,
    }
}

/// When the next is due, and the database's time.
async fn next_due(
    connection: &Connection,
    destination: i64,
    again: bool,
) -> Done<(Option<Timestamp>, Timestamp)> {
    let (next, now): (Option<i64>, i64) = connection
        .one(NEXT, &[&destination, &again], rows::pair)
        .await?
        .ok_or_else(|| rows::gone("the time"))?;
    Ok((
        next.map(Timestamp::from_millis),
        Timestamp::from_millis(now),
    ))
}

/// A time by the clock of leases, by the clock of the caller. `here` is `there` at one moment.
fn shifted(time: Timestamp, here: Timestamp, there: Timestamp) -> Timestamp {
    Timestamp::from_millis(time.as_millis() - here.as_millis() + there.as_millis())
}

/// When nothing can be claimed, says so without a transaction.
async fn idle(
    connection: &Connection,
    (claim, clock): &(Claim, OutboxClock),
) -> Done<Option<Claimed>> {
    let next_due = match destination(connection, claim.lane).await? {
        Some(destination) => {
            let (next, now) = next_due(connection, destination, claim.again > 0).await?;
            match clock {
                OutboxClock::Database => next.map(|next| shifted(next, now, claim.now)),
                OutboxClock::Caller => next,
            }
        }
        None => None,
    };
    let idle = next_due.is_none_or(|next| next > claim.now) || claim.limit == 0;
    Ok(idle.then(|| Claimed {
        deliveries: Vec::new(),
        next_due,
    }))
}

async fn claim(tx: &mut Tx, claim: &Claim) -> Done<Claimed> {
    let destination = destination(tx, claim.lane)
        .await?
        .ok_or_else(|| rows::gone("an integration"))?;
    lost::expired(tx, destination, claim).await?;
    let now = tx.outbox_time(claim.now);
    let millis = now.as_millis();
    let mut due: Vec<(i64, i64, bool)> = Vec::new();
    for (sql, limit, again) in [
        (DUE_FIRST, claim.limit, false),
        (DUE_AGAIN, claim.again.min(claim.limit), true),
    ] {
        let limit = rows::as_limit(limit);
        let found: Vec<(i64, i64)> = tx
            .all(sql, &[&destination, &millis, &limit], rows::pair)
            .await?;
        due.extend(found.into_iter().map(|(id, due)| (due, id, again)));
    }
    due.sort_unstable();
    due.truncate(claim.limit);

    let ids: Vec<i64> = due.iter().map(|(_, id, _)| *id).collect();
    let until = now.plus(claim.lease).as_millis();
    let mut taken = tx
        .all(TAKE, &[&ids, &until, &tx.node, &millis], take)
        .await?;
    let mut deliveries = Vec::with_capacity(due.len());
    for (_, id, again) in due {
        let place = taken.iter().position(|(number, ..)| *number == id);
        let place = place.ok_or_else(|| rows::gone("a due delivery"))?;
        let (_, mut delivery, event, message) = taken.swap_remove(place);
        delivery.again = again;
        delivery.trying_since = shifted(delivery.trying_since, now, claim.now);
        delivery.subject = match subject(tx, event, message).await {
            // One that cannot be read would be claimed first for ever and hold up the whole lane.
            Err(error @ Failure::Damage(_)) => {
                tracing::error!(?error, delivery = %delivery.id, "a delivery is damaged; it is given up");
                Subject::Gone
            }
            subject => subject?,
        };
        deliveries.push(delivery);
    }
    let taken = deliveries.iter().filter(|taken| taken.again).count();
    let (next, _) = next_due(tx, destination, taken < claim.again).await?;
    Ok(Claimed {
        deliveries,
        next_due: next.map(|next| shifted(next, now, claim.now)),
    })
}

type Taken = (i64, ClaimedDelivery, Option<i64>, Option<i64>);

fn take(row: &Row) -> Done<Taken> {
    let delivery = ClaimedDelivery {
        id: DeliveryId::from_bytes(rows::bytes(row, 1)?),
        epoch: row.try_get(2)?,
        attempt: rows::count(row, 3)?,
        again: false,
        trying_since: rows::time(row, 4)?,
        bot: BotId::from_bytes(rows::bytes(row, 8)?),
        subject: Subject::Gone,
        progress: match row.try_get::<_, Option<&str>>(5)? {
            Some(text) => rows::read_json(text)?,
            None => Vec::new(),
        },
    };
    Ok((row.try_get(0)?, delivery, row.try_get(6)?, row.try_get(7)?))
}

async fn subject(
    connection: &Connection,
    event: Option<i64>,
    message: Option<i64>,
) -> Done<Subject> {
    if let Some(event) = event {
        let event = event::by_number(connection, event).await?;
        return Ok(event.map_or(Subject::Gone, |event| Subject::Event(Box::new(event))));
    }
    let Some(message) = message else {
        return Ok(Subject::Gone);
    };
    let outgoing = outgoing(connection, message).await?;
    Ok(outgoing.map_or(Subject::Gone, |outgoing| {
        Subject::Message(Box::new(outgoing))
    }))
}

/// Each statement sees what committed before it, so that the conversation may be deleted since the
/// message was read.
async fn outgoing(connection: &Connection, number: i64) -> Done<Option<OutgoingMessage>> {
    let Some(message) = message::by_number(connection, number).await? else {
        return Ok(None);
    };
    let Some(conversation) = conversation::by_number(connection, message.conversation).await?
    else {
        return Ok(None);
    };
    let user = user::by_number(connection, message.user)
        .await?
        .ok_or_else(|| rows::gone("an author"))?;
    Ok(Some(OutgoingMessage {
        message: message.value,
        user: user.value,
        conversation: conversation.value,
    }))
}

/// A delivery under a claim that is still current.
struct Current {
    id: i64,
    destination: i64,
    conversation: Option<i64>,
    event: Option<i64>,
    message: Option<i64>,
    bot: BotId,
}

fn current(row: &Row) -> Done<Current> {
    Ok(Current {
        id: row.try_get(0)?,
        destination: row.try_get(1)?,
        conversation: row.try_get(2)?,
        event: row.try_get(3)?,
        message: row.try_get(4)?,
        bot: BotId::from_bytes(rows::bytes(row, 5)?),
    })
}

async fn finish(tx: &mut Tx, finish: &Finish) -> Done<bool> {
    let id = Id(finish.id.to_bytes());
    // A delivery stays in its conversation, so that this may be looked up before the lock.
    let line = tx.value::<Option<i64>>(LINE, &[&id]).await?.flatten();
    if let Some(line) = line
        && let Outcome::Delivered {
            change: Some(change),
            ..
        } = &finish.outcome
        && !change.tags.is_empty()
    {
        conversation::lock_scope_of(tx, line).await?;
    }
    conversation::lock_rows(tx, line).await?;
    let Some(current) = tx.one(CURRENT, &[&id, &finish.epoch], current).await? else {
        return Ok(false);
    };
    let now = finish.now;
    match &finish.outcome {
        Outcome::Delivered {
            replies,
            tags,
            change,
        } => {
            if let Some(change) = change {
                changed_by_bot(tx, &current, change, now).await?;
            }
            delivered(tx, &current, replies, tags, now).await?;
        }
        // Changes of sent messages are not enqueued here.
        Outcome::Dropped => settle(tx, &current, outbox::DELIVERED, None, now).await?,
        Outcome::Dead { error } => settle(tx, &current, outbox::DEAD, Some(error), now).await?,
        Outcome::Uncertain { error } => {
            settle(tx, &current, outbox::UNCERTAIN, Some(error), now).await?;
        }
        Outcome::Retry {
            after,
            error,
            uncertain,
            counts,
        } => retry(tx, &current, *after, error, (*uncertain, *counts), now).await?,
    }
    changed(tx, current.conversation).await?;
    Ok(true)
}

async fn retry(
    tx: &mut Tx,
    current: &Current,
    after: Duration,
    error: &str,
    (uncertain, counts): (bool, bool),
    now: Timestamp,
) -> Done<()> {
    let now = tx.outbox_time(now);
    let due = now.plus(after).as_millis();
    let asked = if counts { 0 } else { due - now.as_millis() };
    tx.execute(
        RETRY,
        &[
            &current.id,
            &storable(error),
            &due,
            &!counts,
            &asked,
            &uncertain,
        ],
    )
    .await?;
    outbox::told(tx, current.destination).await
}

/// Tells those who look at a conversation that one of its deliveries has another status.
pub(crate) async fn changed(tx: &mut Tx, conversation: Option<i64>) -> Done<()> {
    if let Some(id) = conversation
        && let Some(public) = tx.value::<Id>(CONVERSATION, &[&id]).await?
    {
        tx.conversation_changed(ConversationId::from_bytes(public.0));
    }
    Ok(())
}

/// Ends a delivery and lets the next of its line come.
async fn settle(
    tx: &mut Tx,
    current: &Current,
    status: i16,
    error: Option<&str>,
    now: Timestamp,
) -> Done<()> {
    tx.execute(SETTLE, &[&current.id, &status, &error.map(storable)])
        .await?;
    outbox::promote(tx, current.destination, current.conversation, now).await
}

async fn delivered(
    tx: &mut Tx,
    current: &Current,
    replies: &[Reply],
    tags: &TagPatch,
    now: Timestamp,
) -> Done<()> {
    if !replies.is_empty()
        && let Err(error) = store_replies(tx, current, replies, now).await?
    {
        return settle(tx, current, outbox::DEAD, Some(error), now).await;
    }
    if let Some(number) = current.message
        && !tags.is_empty()
        && let Some(message) = message::by_number(tx, number).await?
    {
        let update = MessageUpdate {
            tags: tags.clone(),
            ..MessageUpdate::default()
        };
        message::change(tx, message, &update, now).await?;
    }
    settle(tx, current, outbox::DELIVERED, None, now).await
}

/// Writes what a bot's answer changes of the event's conversation, whose scope is locked if its tags
/// do.
async fn changed_by_bot(
    tx: &mut Tx,
    current: &Current,
    change: &ConversationChange,
    now: Timestamp,
) -> Done<()> {
    if let Some(state) = &change.state {
        state::set(tx, state).await?;
    }
    if !change.tags.is_empty()
        && let Some(number) = current.conversation
        && let Some(mut conversation) = conversation::lock_number(tx, number).await?
    {
        conversation::merge_tags(tx, &mut conversation, &change.tags, now).await?;
    }
    Ok(())
}

/// Stores what a bot answered; the inner error says why its answer has no place to go.
async fn store_replies(
    tx: &mut Tx,
    current: &Current,
    replies: &[Reply],
    now: Timestamp,
) -> Done<Result<(), &'static str>> {
    let (Some(number), Some(_)) = (current.conversation, current.event) else {
        return Ok(Err(
            "the bot answered with messages, but the event belongs to no conversation; answer \
             without messages, or create them where they belong",
        ));
    };
    let Some(mut conversation) = conversation::lock_number(tx, number).await? else {
        return Ok(Err(
            "the bot answered with messages, but the conversation was deleted meanwhile",
        ));
    };
    let author = user::number(tx, conversation.bot, UserId::from(current.bot))
        .await?
        .ok_or_else(|| rows::gone("the bot's own user"))?;
    let no_tags = Tags::new();
    for reply in replies {
        let draft = message::Draft {
            id: reply.message,
            user: author,
            direction: Direction::Outgoing,
            kind: &reply.kind,
            payload: &reply.payload,
            tags: &no_tags,
            synthetic: false,
            once: None,
            now,
        };
        let message = message::insert(tx, &mut conversation, draft).await?;
        message::send(tx, &conversation, message, reply.delivery, now).await?;
    }
    Ok(Ok(()))
}

async fn record_part(tx: &mut Tx, id: DeliveryId, epoch: i64, part: &SentPart) -> Done<bool> {
    let id = Id(id.to_bytes());
    let known = tx.value::<Option<String>>(PROGRESS, &[&id, &epoch]).await?;
    let Some(known) = known else {
        return Ok(false);
    };
    let mut parts: Vec<SentPart> = match known {
        Some(text) => rows::read_json(&text)?,
        None => Vec::new(),
    };
    parts.push(part.clone());
    let text = serde_json::to_string(&parts).map_err(Failure::damage)?;
    tx.execute(RECORD_PART, &[&id, &text]).await?;
    Ok(true)
}

async fn is_busy(connection: &Connection, bot: BotId, conversation: ConversationId) -> Done<bool> {
    let Some(row) = conversation::by_public(connection, bot, conversation).await? else {
        return Ok(false);
    };
    let busy = connection
        .value::<i64>(ACTIVE, &[&row.integration, &row.id])
        .await?;
    Ok(busy.is_some())
}

#[async_trait]
impl DeliveryStore for PostgresStore {
    async fn claim(&self, wanted: Claim) -> Result<Claimed> {
        let asked = (wanted, self.shared.clock);
        let nothing = self.look(asked, |connection, asked| Box::pin(idle(connection, asked)));
        if let Some(nothing) = nothing.await? {
            return Ok(nothing);
        }
        self.write(wanted, |tx, wanted| Box::pin(claim(tx, wanted)))
            .await
    }

    async fn finish(&self, result: Finish) -> Result<bool> {
        self.write(result, |tx, result| Box::pin(finish(tx, result)))
            .await
    }

    async fn record_part(&self, id: DeliveryId, epoch: i64, part: SentPart) -> Result<bool> {
        self.write((id, epoch, part), |tx, (id, epoch, part)| {
            Box::pin(record_part(tx, *id, *epoch, part))
        })
        .await
    }

    async fn release_in_flight(&self, now: Timestamp, lost: LostSends) -> Result<usize> {
        self.write((now, lost), |tx, (now, lost)| {
            Box::pin(lost::all(tx, *lost, *now))
        })
        .await
    }

    async fn list_deliveries(
        &self,
        bot: BotId,
        status: Option<DeliveryRecordStatus>,
        conversation: Option<ConversationId>,
        page: PageRequest,
    ) -> Result<Page<DeliveryRecord>> {
        self.read((bot, status, conversation, page), |connection, keys| {
            Box::pin(record::list(connection, keys.0, keys.1, keys.2, keys.3))
        })
        .await
    }

    async fn replay_delivery(
        &self,
        bot: BotId,
        id: DeliveryId,
        now: Timestamp,
    ) -> Result<Option<DeliveryRecord>> {
        self.write((bot, id, now), |tx, (bot, id, now)| {
            Box::pin(record::replay(tx, *bot, *id, *now))
        })
        .await
    }

    async fn dismiss_delivery(&self, bot: BotId, id: DeliveryId) -> Result<Option<DeliveryRecord>> {
        self.write((bot, id), |tx, (bot, id)| {
            Box::pin(record::dismiss(tx, *bot, *id))
        })
        .await
    }

    async fn message_deliveries(
        &self,
        bot: BotId,
        message: MessageId,
    ) -> Result<Vec<DeliveryRecord>> {
        self.read((bot, message), |connection, (bot, message)| {
            Box::pin(async move {
                let found = record::of_message(connection, *bot, *message).await?;
                Ok(found.unwrap_or_default())
            })
        })
        .await
    }

    async fn replay_message(
        &self,
        bot: BotId,
        message: MessageId,
        now: Timestamp,
    ) -> Result<Option<DeliveryRecord>> {
        self.write((bot, message, now), |tx, (bot, message, now)| {
            Box::pin(record::replay_message(tx, *bot, *message, *now))
        })
        .await
    }

    async fn is_busy(&self, bot: BotId, conversation: ConversationId) -> Result<bool> {
        self.read((bot, conversation), |connection, keys| {
            Box::pin(is_busy(connection, keys.0, keys.1))
        })
        .await
    }
}
