//! Deliveries as people see them: lists and replays.

use switchboard_model::{BotId, ConversationId, DeliveryId, Error, EventId, MessageId, Timestamp};
use switchboard_store::{
    Cursor, DeliveryAction, DeliveryRecord, DeliveryRecordStatus, Page, PageRequest, SortOrder,
};
use tokio_postgres::Row;

use crate::connection::{Connection, Id};
use crate::failure::Done;
use crate::query::Query;
use crate::writer::Tx;
use crate::{conversation, message, outbox, rows};

const LINE: &str = "SELECT destination, conversation FROM delivery WHERE public = $1";
// A new number is a new place, at the end of the line.
const REPLAY: &str = "UPDATE delivery
    SET id = nextval(pg_get_serial_sequence('switchboard.delivery', 'id')), status = $2,
        due_at = $3, trying_since = NULL
    WHERE id = $1";
// In the words of the index.
const UNCERTAIN: &str = "d.status > 3 AND least(d.status, 6::smallint) = 4";
const DEAD: &str = "d.status > 3 AND least(d.status, 6::smallint) = 5";
const DISMISSED: &str = "d.status > 3 AND least(d.status, 6::smallint) = 6";
const DISMISS: &str = "UPDATE delivery SET status = status + 2 WHERE id = $1";
macro_rules! select_record {
    () => {
        "SELECT d.id, d.public, e.public, m.public, c.public, d.status, d.attempts, d.error,
            d.created_at, d.uncertain
        FROM delivery d
        LEFT JOIN event e ON e.id = d.event
        LEFT JOIN message m ON m.id = d.message
        LEFT JOIN conversation c ON c.id = d.conversation"
    };
}
const RECORD: &str = concat!(
    select_record!(),
    " WHERE d.public = $1 AND d.bot = (SELECT id FROM bot WHERE public = $2)
        AND (d.conversation IS NULL OR c.deleted_at IS NULL)"
);
const OF_CONVERSATION: &str = "d.id IN (
    SELECT x.id FROM message y JOIN delivery x ON x.message = y.id WHERE y.conversation = ?
    UNION ALL
    SELECT x.id FROM message y JOIN event z ON z.message = y.id
        JOIN delivery x ON x.event = z.id
        WHERE y.conversation = ? AND z.payload IS NULL
    UNION ALL
    SELECT x.id FROM event z JOIN delivery x ON x.event = z.id
        WHERE z.conversation = ? AND z.payload IS NOT NULL)";

const OF_MESSAGE: &str = concat!(
    select_record!(),
    " WHERE d.id IN (
        SELECT x.id FROM delivery x WHERE x.message = $1
        UNION ALL
        SELECT x.id FROM event z JOIN delivery x ON x.event = z.id
            WHERE z.message = $1 AND z.payload IS NULL)
    ORDER BY d.id"
);

/// A record with its number.
type Record = rows::Numbered<DeliveryRecord>;

fn record(row: &Row) -> Done<Record> {
    let status: i16 = row.try_get(5)?;
    Ok(Record {
        id: row.try_get(0)?,
        value: DeliveryRecord {
            id: DeliveryId::from_bytes(rows::bytes(row, 1)?),
            action: DeliveryAction::Send,
            event: rows::bytes_or_none(row, 2)?.map(EventId::from_bytes),
            message: rows::bytes_or_none(row, 3)?.map(MessageId::from_bytes),
            conversation: rows::bytes_or_none(row, 4)?.map(ConversationId::from_bytes),
            status: match status {
                outbox::IN_FLIGHT => DeliveryRecordStatus::InFlight,
                outbox::DELIVERED => DeliveryRecordStatus::Delivered,
                outbox::UNCERTAIN => DeliveryRecordStatus::Uncertain,
                outbox::DEAD => DeliveryRecordStatus::Dead,
                outbox::DISMISSED | outbox::DISMISSED_UNCERTAIN => DeliveryRecordStatus::Dismissed,
                _ => DeliveryRecordStatus::Pending,
            },
            attempts: rows::count(row, 6)?,
            error: row.try_get(7)?,
            uncertain: rows::count(row, 9)?,
            created_at: rows::time(row, 8)?,
        },
    })
}

pub(crate) async fn list(
    connection: &Connection,
    bot: BotId,
    status: Option<DeliveryRecordStatus>,
    conversation: Option<ConversationId>,
    page: PageRequest,
) -> Done<Page<DeliveryRecord>> {
    let Some(bot) = rows::bot(connection, bot).await? else {
        return Ok(Page::empty());
    };
    let mut query = Query::new(select_record!());
    query.and("(d.conversation IS NULL OR c.deleted_at IS NULL)");
    query.and_value("d.bot = ?", bot);
    if let Some(id) = conversation {
        let Some(conversation) = conversation::number(connection, bot, id).await? else {
            return Ok(Page::empty());
        };
        query.and_value(OF_CONVERSATION, conversation);
    }
    match status {
        None => {}
        Some(DeliveryRecordStatus::Pending) => query.and("d.status IN (0, 1)"),
        Some(DeliveryRecordStatus::InFlight) => query.and("d.status = 2"),
        Some(DeliveryRecordStatus::Delivered) => query.and("d.status = 3"),
        Some(DeliveryRecordStatus::Uncertain) => query.and(UNCERTAIN),
        Some(DeliveryRecordStatus::Dead) => query.and(DEAD),
        Some(DeliveryRecordStatus::Dismissed) => query.and(DISMISSED),
    }
    let place = |record: &Record| Cursor {
        at: record.id,
        row: record.id,
    };
    let order = ("d.id", "d.id", SortOrder::Descending);
    let page = query.page(connection, order, page, record, place).await?;
    Ok(page.map(|record| record.value))
}

/// The deliveries of a message, oldest first; none where there is no such message.
pub(crate) async fn of_message(
    connection: &Connection,
    bot: BotId,
    id: MessageId,
) -> Done<Option<Vec<DeliveryRecord>>> {
    let Some(message) = message::by_public(connection, bot, id).await? else {
        return Ok(None);
    };
    let found = connection.all(OF_MESSAGE, &[&message.id], record).await?;
    Ok(Some(found.into_iter().map(|found| found.value).collect()))
}

pub(crate) async fn replay_message(
    tx: &mut Tx,
    bot: BotId,
    id: MessageId,
    now: Timestamp,
) -> Done<Option<DeliveryRecord>> {
    let Some(deliveries) = of_message(tx, bot, id).await? else {
        return Ok(None);
    };
    let Some(last) = deliveries.last() else {
        return Err(Error::invalid(
            "id",
            "expected a message that was handed on; this one goes nowhere, so there is nothing to retry",
        )
        .into());
    };
    replay(tx, bot, last.id, now).await
}

pub(crate) async fn replay(
    tx: &mut Tx,
    bot: BotId,
    id: DeliveryId,
    now: Timestamp,
) -> Done<Option<DeliveryRecord>> {
    let keys = (Id(id.to_bytes()), Id(bot.to_bytes()));
    let line: Option<(i64, Option<i64>)> = tx.one(LINE, &[&keys.0], rows::pair).await?;
    let Some((destination, line)) = line else {
        return Ok(None);
    };
    match line {
        Some(line) => conversation::lock_rows(tx, [line]).await?,
        None => lock(tx, &keys.0).await?,
    }
    let Some(old) = tx.one(RECORD, &[&keys.0, &keys.1], record).await? else {
        return Ok(None);
    };
    if !old.value.status.is_over() {
        return Err(Error::invalid(
            "status",
            "expected a delivery that is dead, uncertain or dismissed; this one needs no replay",
        )
        .into());
    }
    let status = outbox::place(tx, destination, line).await?;
    let due = tx.outbox_time(now).as_millis();
    tx.execute(REPLAY, &[&old.id, &status, &due]).await?;
    if status == outbox::READY {
        outbox::told(tx, destination).await?;
    }
    if let Some(conversation) = old.value.conversation {
        tx.conversation_changed(conversation);
    }
    let new = tx.one(RECORD, &[&keys.0, &keys.1], record).await?;
    Ok(new.map(|record| record.value))
}

/// Locks a delivery whose line is not touched.
async fn lock(tx: &Tx, id: &Id) -> Done<()> {
    const LOCK: &str = "SELECT id FROM delivery WHERE public = $1 FOR UPDATE";
    tx.value::<i64>(LOCK, &[id]).await?;
    Ok(())
}

pub(crate) async fn dismiss(
    tx: &mut Tx,
    bot: BotId,
    id: DeliveryId,
) -> Done<Option<DeliveryRecord>> {
    let keys = (Id(id.to_bytes()), Id(bot.to_bytes()));
    lock(tx, &keys.0).await?;
    let Some(old) = tx.one(RECORD, &[&keys.0, &keys.1], record).await? else {
        return Ok(None);
    };
    if !old.value.status.is_over() {
        return Err(Error::invalid(
            "status",
            "expected a delivery that is dead or uncertain; this one needs nobody's look",
        )
        .into());
    }
    if old.value.status == DeliveryRecordStatus::Dismissed {
        return Ok(Some(old.value));
    }
    tx.execute(DISMISS, &[&old.id]).await?;
    if let Some(conversation) = old.value.conversation {
        tx.conversation_changed(conversation);
    }
    Ok(Some(DeliveryRecord {
        status: DeliveryRecordStatus::Dismissed,
        ..old.value
    }))
}
