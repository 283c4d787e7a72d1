//! Events.

use async_trait::async_trait;
use rusqlite::{Connection, params};
use switchboard_model::{
    BotId, DeliveryId, Error, Event, EventId, EventPayload, EventStatus, Json, Kind, Result,
    Timestamp,
};
use switchboard_store::{
    Canceled, Cursor, EventFilter, EventStore, NewEvent, Page, PageRequest, SortOrder,
};

use crate::failure::Done;
use crate::outbox::{self, Enqueue};
use crate::query::{self, Query};
use crate::rows::{self, EventRow};
use crate::writer::Tx;
use crate::{SqliteStore, conversation, message, schedule, user, workflow};

const INSERT: &str = "INSERT INTO event
    (public, bot, kind, payload, conversation, user, message, once, created_at, workflow)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const BY_PUBLIC: &str = concat!(
    rows::select_event!(),
    " WHERE e.public = ?1 AND b.public = ?2"
);
const BY_NUMBER: &str = concat!(rows::select_event!(), " WHERE e.id = ?1");
const OF_CONVERSATION: &str = "e.id IN (
    SELECT x.id FROM event x WHERE x.conversation = ? AND x.payload IS NOT NULL
    UNION ALL
    SELECT x.id FROM message y CROSS JOIN event x ON x.message = y.id
        WHERE y.conversation = ? AND x.payload IS NULL)";

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

/// An event to insert.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draft<'a> {
    pub(crate) id: EventId,
    pub(crate) delivery: DeliveryId,
    pub(crate) bot: i64,
    pub(crate) kind: &'a str,
    /// None: it announces the message.
    pub(crate) payload: Option<&'a Json>,
    pub(crate) conversation: Option<i64>,
    pub(crate) user: Option<i64>,
    pub(crate) message: Option<i64>,
    pub(crate) workflow: Option<i64>,
    pub(crate) once: Option<[u8; 16]>,
    /// None: it is delivered now.
    pub(crate) due: Option<Timestamp>,
    pub(crate) now: Timestamp,
}

/// Stores an event and enqueues it to its bot.
pub(crate) fn insert(tx: &mut Tx<'_>, draft: &Draft<'_>) -> Done<i64> {
    let id = rows::insert(
        tx.connection,
        INSERT,
        params![
            draft.id.to_bytes(),
            draft.bot,
            draft.kind,
            draft.payload.map(Json::as_str),
            draft.conversation,
            draft.user,
            draft.message,
            draft.once,
            draft.now.as_millis(),
            draft.workflow
        ],
    )?;
    let new = Enqueue {
        id: draft.delivery,
        bot: draft.bot,
        destination: outbox::BOTS,
        // What is told of a workflow without a conversation has a line of its own; no conversation
        // has a number below zero.
        conversation: draft.conversation.or(draft.workflow.map(|id| -id)),
        event: Some(id),
        message: None,
        action: outbox::SEND,
        now: draft.now,
    };
    match draft.due {
        Some(due) => schedule::event(tx, new, due)?,
        None => outbox::enqueue(tx, new)?,
    }
    Ok(id)
}

/// The number of an event.
pub(crate) fn number(connection: &Connection, bot: BotId, id: EventId) -> Done<Option<i64>> {
    let keys = [id.to_bytes(), bot.to_bytes()];
    let row = rows::one(connection, BY_PUBLIC, keys, rows::event)?;
    Ok(row.map(|row| row.id))
}

/// The event with this number, unless what it is about is deleted.
pub(crate) fn by_number(connection: &Connection, id: i64) -> Done<Option<Event>> {
    match rows::one(connection, BY_NUMBER, [id], rows::event)? {
        Some(row) => fill(connection, row),
        None => Ok(None),
    }
}

/// Puts in what an announcing event is about, as it is now.
fn fill(connection: &Connection, row: EventRow) -> Done<Option<Event>> {
    let conversation = match row.conversation {
        Some(id) => match conversation::by_number(connection, id)? {
            Some(found) => Some(found),
            None => return Ok(None),
        },
        None => None,
    };
    let mut event = row.value;
    if event.kind == Event::WORKFLOW_UPDATE {
        let EventPayload::Other(stored) = &event.payload else {
            return Ok(Some(event));
        };
        let Some(update) = workflow::told(connection, row.workflow, stored)? else {
            return Ok(None);
        };
        event.payload = EventPayload::WorkflowUpdate(Box::new(update));
        return Ok(Some(event));
    }
    if !row.announces {
        return Ok(Some(event));
    }
    let (Some(conversation), Some(user), Some(message)) = (conversation, row.user, row.message)
    else {
        return Err(rows::gone("what an event announces"));
    };
    let Some(message) = message::by_number(connection, message)? else {
        return Ok(None);
    };
    let user = user::by_number(connection, user)?.ok_or_else(|| rows::gone("an author"))?;
    event.payload =
        EventPayload::MessageCreated(Box::new((message.value, user.value, conversation.value)));
    Ok(Some(event))
}

fn create(tx: &mut Tx<'_>, new: &NewEvent) -> Done<Event> {
    let connection = tx.connection;
    let bot = rows::known_bot(connection, new.bot)?;
    let conversation = match new.conversation {
        Some(id) => Some(
            conversation::number(connection, bot, id)?
                .ok_or_else(|| Error::reference("conversationId", Kind::Conversation, id))?,
        ),
        None => None,
    };
    let user = match new.user {
        Some(id) => Some(
            user::number(connection, bot, id)?
                .ok_or_else(|| Error::reference("userId", Kind::User, id))?,
        ),
        None => None,
    };
    let message = match new.message {
        Some(id) => Some(
            message::by_public(connection, new.bot, id)?
                .ok_or_else(|| Error::reference("messageId", Kind::Message, id))?
                .id,
        ),
        None => None,
    };
    let named = match new.workflow {
        Some(id) => Some(
            workflow::by_public(connection, new.bot, id)?
                .ok_or_else(|| Error::reference("workflowId", Kind::Workflow, id))?,
        ),
        None => None,
    };
    // An event of a workflow belongs to its conversation, unless it names another.
    let conversation = conversation.or(named.as_ref().and_then(|named| named.conversation));
    let draft = Draft {
        id: new.id,
        delivery: new.delivery,
        bot,
        kind: &new.kind,
        payload: Some(&new.payload),
        conversation,
        user,
        message,
        workflow: named.as_ref().map(|named| named.id),
        once: None,
        due: new.due.filter(|due| *due > new.now),
        now: new.now,
    };
    let id = insert(tx, &draft)?;
    if let Some(named) = named
        && draft.due.is_none()
    {
        workflow::wake(tx, named.id, new.now)?;
    }
    by_number(tx.connection, id)?.ok_or_else(|| rows::gone("a new event"))
}

fn cancel(tx: &mut Tx<'_>, bot: BotId, id: EventId) -> Done<Canceled> {
    let Some(event) = get(tx.connection, bot, id)? else {
        return Ok(Canceled::Missing);
    };
    Ok(match event.status {
        EventStatus::Scheduled => {
            schedule::cancel_event(tx.connection, id)?;
            Canceled::Canceled
        }
        EventStatus::Canceled => Canceled::Canceled,
        status => Canceled::NotScheduled(status),
    })
}

fn get(connection: &Connection, bot: BotId, id: EventId) -> Done<Option<Event>> {
    let keys = [id.to_bytes(), bot.to_bytes()];
    match rows::one(connection, BY_PUBLIC, keys, rows::event)? {
        Some(row) => fill(connection, row),
        None => Ok(None),
    }
}

/// Keeps to events of a status, found where those of that status are.
fn of_status(query: &mut Query, status: EventStatus, bot: i64) {
    const SCHEDULED: &str =
        "e.id IN (SELECT event FROM schedule WHERE bot = ? AND event IS NOT NULL)";
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

/// A text that comes after all that start with `prefix`.
fn after_prefix(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}

fn list(
    connection: &Connection,
    bot: BotId,
    filter: &EventFilter,
    page: PageRequest,
) -> Done<Page<Event>> {
    let Some(bot_number) = rows::bot(connection, bot)? else {
        return Ok(query::empty());
    };
    let mut query = Query::new(rows::select_event!());
    query.and("(e.conversation IS NULL OR c.deleted_at IS NULL)");
    query.and("(e.payload IS NOT NULL OR m.deleted_at IS NULL)");
    query.and("(e.kind <> 'workflow_update' OR w.id IS NOT NULL)");
    // The plus keeps the bot's index out where a shorter way is known.
    let announcements = filter.kind_prefix.is_none()
        && filter
            .kind
            .as_deref()
            .is_none_or(|kind| kind == Event::MESSAGE_CREATED);
    let narrow = filter.conversation.is_some()
        || filter.message.is_some()
        || filter.workflow.is_some()
        || (filter.user.is_some() && !announcements)
        || filter
            .status
            .is_some_and(|status| status != EventStatus::Processed);
    query.and_value(if narrow { "+e.bot = ?" } else { "e.bot = ?" }, bot_number);
    if let Some(id) = filter.conversation {
        let Some(conversation) = conversation::number(connection, bot_number, id)? else {
            return Ok(query::empty());
        };
        query.and_values(OF_CONVERSATION, [conversation, conversation]);
    }
    if let Some(id) = filter.message {
        let Some(message) = message::by_public(connection, bot, id)? else {
            return Ok(query::empty());
        };
        query.and_value("e.message = ?", message.id);
    }
    if let Some(id) = filter.workflow {
        let Some(workflow) = workflow::number(connection, bot, id)? else {
            return Ok(query::empty());
        };
        query.and_value("e.workflow = ?", workflow);
    }
    if let Some(id) = filter.user {
        let Some(user) = user::number(connection, bot_number, id)? else {
            return Ok(query::empty());
        };
        query.and_value("e.user = ?", user);
    }
    if let Some(kind) = &filter.kind {
        query.and_value("e.kind = ?", kind.clone());
        if kind != Event::MESSAGE_CREATED {
            query.and("e.payload IS NOT NULL");
        }
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
        of_status(&mut query, status, bot_number);
    }
    let page = query.page(
        connection,
        ("e.id", "e.id", SortOrder::Descending),
        page,
        rows::event,
        |event| Cursor {
            at: event.id,
            row: event.id,
        },
        |_| Ok(true),
    )?;
    let mut items = Vec::with_capacity(page.items.len());
    for row in page.items {
        items.extend(fill(connection, row)?);
    }
    Ok(Page {
        items,
        next: page.next,
    })
}

#[async_trait]
impl EventStore for SqliteStore {
    async fn create_event(&self, event: NewEvent) -> Result<Event> {
        self.write(move |tx| create(tx, &event)).await
    }

    async fn cancel_event(&self, bot: BotId, id: EventId) -> Result<Canceled> {
        self.write(move |tx| cancel(tx, bot, id)).await
    }

    async fn get_event(&self, bot: BotId, id: EventId) -> Result<Option<Event>> {
        self.read(|connection| get(connection, bot, id))
    }

    async fn list_events(
        &self,
        bot: BotId,
        filter: EventFilter,
        page: PageRequest,
    ) -> Result<Page<Event>> {
        self.list(move |connection| list(connection, bot, &filter, page))
            .await
    }
}
