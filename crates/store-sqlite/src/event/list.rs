//! Lists of events, of both kinds: those that have a row, and those that are made of messages.
//!
//! Newest first, in the order of (time, place). Places are in the order of making: an event's number
//! is its place, a message's is its number with 20 bits below it, and a new event takes the next free
//! number above the place of the last message. So each kind is walked in the order of its own index,
//! and a cursor says all that either walk needs, whatever has gone meanwhile.

use rusqlite::{Connection, Row};
use switchboard_model::{BotId, Event, EventStatus};
use switchboard_store::{Cursor, EventFilter, Page, PageRequest, SortOrder};

use crate::failure::Done;
use crate::query::{self, Query, Walk};
use crate::{conversation, message, rows, user, workflow};

/// How many bits of a message's place are below its number.
const PLACE_BITS: u32 = 20;

const STORED: &str = "SELECT e.id, e.created_at FROM event e
    LEFT JOIN conversation c ON c.id = e.conversation
    LEFT JOIN message m ON m.id = e.message
    LEFT JOIN workflow w ON w.id = e.workflow AND w.deleted_at IS NULL
    LEFT JOIN schedule s ON s.event = e.id
    LEFT JOIN delivery d
        ON d.id = (SELECT max(l.id) FROM delivery l WHERE l.event = e.id)";
const ANNOUNCED: &str = "SELECT -m.id, m.created_at FROM message m
    CROSS JOIN conversation c ON c.id = m.conversation";
const ANNOUNCED_AND_TOLD: &str = "SELECT -m.id, m.created_at FROM message m
    CROSS JOIN conversation c ON c.id = m.conversation
    LEFT JOIN delivery d
        ON d.id = (SELECT max(l.id) FROM delivery l WHERE l.message = m.id AND l.destination = 0)";

// What waits for the bot is found in the lines of the outbox, and apart from them where it is new or
// has none.
pub(crate) const PENDING: &str = "e.id IN (
    SELECT event FROM delivery WHERE destination = 0 AND status = -1
    UNION ALL
    SELECT event FROM delivery
        WHERE destination = 0 AND status BETWEEN 0 AND 2 AND conversation IS NOT NULL
    UNION ALL
    SELECT event FROM delivery
        WHERE destination = 0 AND status = 1 AND trying_since IS NULL AND conversation IS NULL
    UNION ALL
    SELECT event FROM delivery
        WHERE destination = 0 AND status = 1 AND trying_since IS NOT NULL AND conversation IS NULL
    UNION ALL
    SELECT event FROM delivery WHERE destination = 0 AND status = 2 AND conversation IS NULL)";
const FAILED: &str = "e.id IN
    (SELECT event FROM delivery WHERE bot = ? AND status > 3 AND event IS NOT NULL)";
const SCHEDULED: &str = "e.id IN (SELECT event FROM schedule WHERE bot = ? AND event IS NOT NULL)";
pub(crate) const PENDING_MESSAGES: &str = "m.id IN (
    SELECT message FROM delivery
        WHERE destination = 0 AND status = -1 AND message IS NOT NULL
    UNION ALL
    SELECT message FROM delivery
        WHERE destination = 0 AND status BETWEEN 0 AND 2 AND conversation IS NOT NULL
            AND message IS NOT NULL)";
const FAILED_MESSAGES: &str = "m.id IN (
    SELECT message FROM delivery
        WHERE bot = ? AND status > 3 AND destination = 0 AND message IS NOT NULL)";

/// Where an event is in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    at: i64,
    row: i64,
    number: i64,
}

fn place(row: &Row<'_>) -> rusqlite::Result<Place> {
    let number: i64 = row.get(0)?;
    Ok(Place {
        at: row.get(1)?,
        row: if number < 0 {
            -number << PLACE_BITS
        } else {
            number
        },
        number,
    })
}

impl Place {
    const fn cursor(&self) -> Cursor {
        Cursor {
            at: self.at,
            row: self.row,
        }
    }
}

/// What a filter names, by its numbers.
struct Named {
    bot: i64,
    conversation: Option<i64>,
    user: Option<i64>,
    message: Option<i64>,
    workflow: Option<i64>,
}

impl Named {
    /// None where one of it is not there, and so no event.
    fn find(connection: &Connection, bot: BotId, filter: &EventFilter) -> Done<Option<Self>> {
        let Some(number) = rows::bot(connection, bot)? else {
            return Ok(None);
        };
        let mut named = Self {
            bot: number,
            conversation: None,
            user: None,
            message: None,
            workflow: None,
        };
        if let Some(id) = filter.conversation {
            named.conversation = conversation::number(connection, number, id)?;
        }
        if let Some(id) = filter.user {
            named.user = user::number(connection, number, id)?;
        }
        if let Some(id) = filter.message {
            named.message = message::by_public(connection, bot, id)?.map(|found| found.id);
        }
        if let Some(id) = filter.workflow {
            named.workflow = workflow::number(connection, bot, id)?;
        }
        let are_there = named.conversation.is_some() == filter.conversation.is_some()
            && named.user.is_some() == filter.user.is_some()
            && named.message.is_some() == filter.message.is_some()
            && named.workflow.is_some() == filter.workflow.is_some();
        Ok(are_there.then_some(named))
    }
}

/// A text that comes after all that start with `prefix`.
fn after_prefix(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}

/// Keeps to events of a status, found where those of that status are.
fn of_status(query: &mut Query, status: EventStatus, bot: i64) {
    match status {
        EventStatus::Pending => {
            query.and("(d.status IS NULL OR d.status < 3) AND s.id IS NULL");
            query.and(PENDING);
        }
        EventStatus::Processed => query.and("d.status = 3"),
        EventStatus::Failed => {
            query.and("d.status > 3");
            query.and_value(FAILED, bot);
        }
        EventStatus::Scheduled => {
            query.and("s.due_at IS NOT NULL");
            query.and_value(SCHEDULED, bot);
        }
        EventStatus::Canceled => {
            query.and("s.id IS NOT NULL AND s.due_at IS NULL");
            query.and_value(SCHEDULED, bot);
        }
        // Only the API says so of an event, never this store.
        EventStatus::Ignored => query.and("false"),
    }
}

/// The places of the events that have a row.
fn stored(
    connection: &Connection,
    named: &Named,
    filter: &EventFilter,
    page: PageRequest,
) -> Done<Vec<Place>> {
    let mut query = Query::new(STORED);
    query.and("(e.conversation IS NULL OR c.deleted_at IS NULL)");
    query.and("(e.payload IS NOT NULL OR m.deleted_at IS NULL)");
    query.and("(e.kind <> 'workflow_update' OR w.id IS NOT NULL)");
    // The plus keeps the bot's index out where a shorter way is known.
    let narrow = named.conversation.is_some()
        || named.user.is_some()
        || named.message.is_some()
        || named.workflow.is_some()
        || filter
            .status
            .is_some_and(|status| status != EventStatus::Processed);
    query.and_value(if narrow { "+e.bot = ?" } else { "e.bot = ?" }, named.bot);
    if let Some(conversation) = named.conversation {
        query.and_value("e.conversation = ?", conversation);
    }
    if let Some(message) = named.message {
        query.and_value("e.message = ?", message);
    }
    if let Some(workflow) = named.workflow {
        query.and_value("e.workflow = ?", workflow);
    }
    if let Some(user) = named.user {
        query.and_value("e.user = ?", user);
    }
    if let Some(kind) = &filter.kind {
        query.and_value("e.kind = ?", kind.clone());
    }
    if let Some(prefix) = &filter.kind_prefix {
        // An announcement has no prefix. The range lets the index be used.
        query.and("e.payload IS NOT NULL");
        query.and_values(
            "e.kind >= ? AND e.kind < ?",
            [prefix.clone(), after_prefix(prefix)],
        );
        query.and_value("instr(e.kind, ?) = 1", prefix.clone());
    }
    if let Some(status) = filter.status {
        of_status(&mut query, status, named.bot);
    }
    let order = ("e.created_at", "e.id", SortOrder::Descending);
    let found = query.page(connection, order, page, place, Place::cursor, |_| Ok(true))?;
    Ok(found.items)
}

/// The places of the events that are made of their messages, from `since` on.
fn announced(
    connection: &Connection,
    named: &Named,
    filter: &EventFilter,
    page: PageRequest,
    since: Option<i64>,
) -> Done<Vec<Place>> {
    let may_be = filter.kind_prefix.is_none()
        && filter.workflow.is_none()
        && filter
            .kind
            .as_deref()
            .is_none_or(|kind| kind == Event::MESSAGE_CREATED);
    if !may_be {
        return Ok(Vec::new());
    }
    let mut query = Query::new(match filter.status {
        None => ANNOUNCED,
        Some(_) => ANNOUNCED_AND_TOLD,
    });
    query.and("m.announced = 1 AND m.deleted_at IS NULL AND m.seq >= 0 AND c.deleted_at IS NULL");
    match filter.status {
        None => {}
        Some(EventStatus::Processed) => query.and("d.status = 3"),
        Some(EventStatus::Pending) => {
            query.and("(d.status IS NULL OR d.status < 3)");
            query.and(PENDING_MESSAGES);
        }
        Some(EventStatus::Failed) => {
            query.and("d.status > 3");
            query.and_value(FAILED_MESSAGES, named.bot);
        }
        Some(EventStatus::Scheduled | EventStatus::Canceled | EventStatus::Ignored) => {
            return Ok(Vec::new());
        }
    }
    let narrow = named.conversation.is_some()
        || named.message.is_some()
        || filter
            .status
            .is_some_and(|status| status != EventStatus::Processed);
    query.and_value(if narrow { "+m.bot = ?" } else { "m.bot = ?" }, named.bot);
    if let Some(conversation) = named.conversation {
        query.and_value("m.conversation = ?", conversation);
    }
    if let Some(message) = named.message {
        query.and_value("m.id = ?", message);
    }
    if let Some(user) = named.user {
        query.and_value("m.user = ?", user);
    }
    if let Some(since) = since {
        query.and_value("m.created_at >= ?", since);
    }
    // The first number whose place is not before the cursor's.
    let upto = |row: i64| (row.saturating_sub(1) >> PLACE_BITS) + 1;
    let walk = Walk {
        columns: &["m.created_at", "m.id"],
        order: SortOrder::Descending,
        after: page.after.map(|cursor| vec![cursor.at, upto(cursor.row)]),
        limit: page.limit,
    };
    let found = query.walk(connection, walk, place, Place::cursor, |_| Ok(true))?;
    Ok(found.items)
}

pub(crate) fn list(
    connection: &Connection,
    bot: BotId,
    filter: &EventFilter,
    page: PageRequest,
) -> Done<Page<Event>> {
    let Some(named) = Named::find(connection, bot, filter)? else {
        return Ok(query::empty());
    };
    let limit = page.limit.max(1);
    // One more than asked for: there is a next page, and it is not empty.
    let more = PageRequest {
        limit: limit + 1,
        ..page
    };
    let mut places = stored(connection, &named, filter, more)?;
    // What is before the last of these is on no page yet, however much of it there is.
    let since = places.get(limit).map(|last| last.at);
    places.extend(announced(connection, &named, filter, more, since)?);
    places.sort_unstable_by(|one, other| other.cmp(one));
    let next = (places.len() > limit)
        .then(|| places.get(limit - 1).map(Place::cursor))
        .flatten();
    places.truncate(limit);
    let mut items = Vec::with_capacity(places.len());
    for place in places {
        items.extend(super::by_number(connection, place.number)?);
    }
    Ok(Page { items, next })
}
