//! Deliveries as people see them: lists and replays.

use rusqlite::{Connection, Row};
use switchboard_model::{BotId, ConversationId, DeliveryId, Error, EventId, MessageId, Timestamp};
use switchboard_store::{
    Cursor, DeliveryAction, DeliveryRecord, DeliveryRecordStatus, Page, PageRequest, SortOrder,
};

use crate::failure::Done;
use crate::query::{self, Query};
use crate::writer::Tx;
use crate::{conversation, message, outbox, rows};

const REPLAYED: &str = "SELECT destination, message FROM delivery WHERE id = ?1";
// A new number is a new place, at the end of the line.
const REPLAY: &str = "UPDATE delivery SET id = (SELECT max(id) + 1 FROM delivery), status = -1,
        due_at = ?2, trying_since = NULL
    WHERE id = ?1";
// In the words of the index.
pub(crate) const UNCERTAIN: &str = "d.status > 3 AND min(d.status, 6) = 4";
pub(crate) const DEAD: &str = "d.status > 3 AND min(d.status, 6) = 5";
pub(crate) const DISMISSED: &str = "d.status > 3 AND min(d.status, 6) = 6";
const DISMISS: &str = "UPDATE delivery SET status = status + 2 WHERE id = ?1";
macro_rules! select_record {
    () => {
        "SELECT d.id, d.public, coalesce(e.public, iif(d.destination = 0, m.public, NULL)),
            iif(d.destination = 0, NULL, m.public), c.public, d.status, d.attempts, d.error,
            d.created_at, d.uncertain, d.action
        FROM delivery d
        LEFT JOIN event e ON e.id = d.event
        LEFT JOIN message m ON m.id = d.message
        LEFT JOIN conversation c ON c.id = d.conversation"
    };
}
const RECORD: &str = concat!(
    select_record!(),
    " WHERE d.public = ?1 AND d.bot = (SELECT id FROM bot WHERE public = ?2)
        AND (d.conversation IS NULL OR c.deleted_at IS NULL)"
);
const OF_CONVERSATION: &str = "d.id IN (
    SELECT x.id FROM message y CROSS JOIN delivery x ON x.message = y.id WHERE y.conversation = ?
    UNION ALL
    SELECT x.id FROM event z CROSS JOIN delivery x ON x.event = z.id WHERE z.conversation = ?)";

const OF_MESSAGE: &str = concat!(
    select_record!(),
    " WHERE d.id IN (
        SELECT x.id FROM delivery x WHERE x.message = ?1
        UNION ALL
        SELECT x.id FROM event z CROSS JOIN delivery x ON x.event = z.id
            WHERE z.message = ?1 AND z.payload IS NULL)
    ORDER BY d.id"
);

/// A record with its number.
type Record = rows::Numbered<DeliveryRecord>;

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let status: i8 = row.get(5)?;
    Ok(Record {
        id: row.get(0)?,
        value: DeliveryRecord {
            id: DeliveryId::from_bytes(row.get(1)?),
            action: match row.get(10)? {
                outbox::EDIT => DeliveryAction::Edit,
                outbox::DELETE => DeliveryAction::Delete,
                _ => DeliveryAction::Send,
            },
            event: row.get::<_, Option<[u8; 16]>>(2)?.map(EventId::from_bytes),
            message: row
                .get::<_, Option<[u8; 16]>>(3)?
                .map(MessageId::from_bytes),
            conversation: row
                .get::<_, Option<[u8; 16]>>(4)?
                .map(ConversationId::from_bytes),
            status: match status {
                outbox::IN_FLIGHT => DeliveryRecordStatus::InFlight,
                outbox::DELIVERED => DeliveryRecordStatus::Delivered,
                outbox::UNCERTAIN => DeliveryRecordStatus::Uncertain,
                outbox::DEAD => DeliveryRecordStatus::Dead,
                outbox::DISMISSED | outbox::DISMISSED_UNCERTAIN => DeliveryRecordStatus::Dismissed,
                _ => DeliveryRecordStatus::Pending,
            },
            attempts: row.get(6)?,
            error: row.get(7)?,
            uncertain: row.get(9)?,
            created_at: rows::time(row, 8)?,
        },
    })
}

pub(crate) fn list(
    connection: &Connection,
    bot: BotId,
    status: Option<DeliveryRecordStatus>,
    conversation: Option<ConversationId>,
    page: PageRequest,
) -> Done<Page<DeliveryRecord>> {
    let Some(bot) = rows::bot(connection, bot)? else {
        return Ok(query::empty());
    };
    let mut query = Query::new(select_record!());
    query.and("(d.conversation IS NULL OR c.deleted_at IS NULL)");
    if let Some(id) = conversation {
        let Some(conversation) = conversation::number(connection, bot, id)? else {
            return Ok(query::empty());
        };
        query.and_value("+d.bot = ?", bot);
        query.and_values(OF_CONVERSATION, [conversation; 2]);
    } else {
        query.and_value("d.bot = ?", bot);
    }
    match status {
        None => {}
        Some(DeliveryRecordStatus::Pending) => query.and("d.status < 2"),
        Some(DeliveryRecordStatus::InFlight) => query.and("d.status = 2"),
        Some(DeliveryRecordStatus::Delivered) => query.and("d.status = 3"),
        Some(DeliveryRecordStatus::Uncertain) => query.and(UNCERTAIN),
        Some(DeliveryRecordStatus::Dead) => query.and(DEAD),
        Some(DeliveryRecordStatus::Dismissed) => query.and(DISMISSED),
    }
    let page = query.page(
        connection,
        ("d.id", "d.id", SortOrder::Descending),
        page,
        record,
        |record| Cursor {
            at: record.id,
            row: record.id,
        },
        |_| Ok(true),
    )?;
    Ok(query::map_page(page, |record| record.value))
}

/// The deliveries of a message, oldest first; none where there is no such message.
pub(crate) fn of_message(
    connection: &Connection,
    bot: BotId,
    id: MessageId,
) -> Done<Option<Vec<DeliveryRecord>>> {
    let Some(message) = message::by_public(connection, bot, id)? else {
        return Ok(None);
    };
    let found = rows::all(connection, OF_MESSAGE, [message.id], record)?;
    Ok(Some(found.into_iter().map(|found| found.value).collect()))
}

pub(crate) fn replay_message(
    tx: &mut Tx<'_>,
    bot: BotId,
    id: MessageId,
    now: Timestamp,
) -> Done<Option<DeliveryRecord>> {
    let Some(deliveries) = of_message(tx.connection, bot, id)? else {
        return Ok(None);
    };
    let Some(last) = deliveries.last() else {
        return Err(Error::invalid(
            "id",
            "expected a message that was handed on; this one goes nowhere, so there is nothing to retry",
        )
        .into());
    };
    replay(tx, bot, last.id, now)
}

pub(crate) fn replay(
    tx: &mut Tx<'_>,
    bot: BotId,
    id: DeliveryId,
    now: Timestamp,
) -> Done<Option<DeliveryRecord>> {
    const EXPECTED: &str =
        "expected a delivery that is dead, uncertain or dismissed; this one needs no replay";
    let Some(old) = over(tx.connection, bot, id, EXPECTED)? else {
        return Ok(None);
    };
    let (destination, message): (i64, Option<i64>) =
        rows::one(tx.connection, REPLAYED, [old.id], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .ok_or_else(|| rows::gone("a delivery"))?;
    if old.value.action != DeliveryAction::Send
        && let Some(message) = message
        && outbox::change::is_under_way(tx.connection, message, old.id)?
    {
        return Err(Error::invalid(
            "id",
            "expected the last change of its message; a later one is on its way and brings all",
        )
        .into());
    }
    rows::execute(tx.connection, REPLAY, [old.id, now.as_millis()])?;
    outbox::told(tx, destination)?;
    if let Some(conversation) = old.value.conversation {
        tx.conversation_changed(conversation);
    }
    let keys = [id.to_bytes(), bot.to_bytes()];
    let new = rows::one(tx.connection, RECORD, keys, record)?;
    Ok(new.map(|record| record.value))
}

/// A delivery that is over; any other is refused with `expected`.
fn over(
    connection: &Connection,
    bot: BotId,
    id: DeliveryId,
    expected: &str,
) -> Done<Option<Record>> {
    let keys = [id.to_bytes(), bot.to_bytes()];
    let found = rows::one(connection, RECORD, keys, record)?;
    if found
        .as_ref()
        .is_some_and(|old| !old.value.status.is_over())
    {
        return Err(Error::invalid("status", expected).into());
    }
    Ok(found)
}

pub(crate) fn dismiss(tx: &mut Tx<'_>, bot: BotId, id: DeliveryId) -> Done<Option<DeliveryRecord>> {
    const EXPECTED: &str =
        "expected a delivery that is dead or uncertain; this one needs nobody's look";
    let Some(old) = over(tx.connection, bot, id, EXPECTED)? else {
        return Ok(None);
    };
    if old.value.status == DeliveryRecordStatus::Dismissed {
        return Ok(Some(old.value));
    }
    rows::execute(tx.connection, DISMISS, [old.id])?;
    if let Some(conversation) = old.value.conversation {
        tx.conversation_changed(conversation);
    }
    Ok(Some(DeliveryRecord {
        status: DeliveryRecordStatus::Dismissed,
        ..old.value
    }))
}
