//! Events.
//!
//! One that announces a message has no row: it is made of the message, whose public id it has, and an
//! ingest writes nothing for it. Only what is announced later than it was made has one.

mod list;

use async_trait::async_trait;
use rusqlite::{Connection, params};
use switchboard_model::{
    BotId, DeliveryId, Error, Event, EventId, EventPayload, EventStatus, Json, Kind, Result,
    Timestamp,
};
use switchboard_store::{Canceled, EventFilter, EventStore, NewEvent, Page, PageRequest};

use crate::failure::Done;
use crate::outbox::{self, Enqueue};
use crate::rows::{self, EventRow};
use crate::writer::Tx;
use crate::{SqliteStore, conversation, message, schedule, user, workflow};

pub(crate) use self::list::list;
#[cfg(test)]
pub(crate) use self::list::{PENDING, PENDING_MESSAGES};

// The number says what message was the last before it: see `list`.
const INSERT: &str = "INSERT INTO event
    (id, public, bot, kind, payload, conversation, user, message, once, created_at, workflow)
    VALUES (1 | max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0) + 1,
            coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'message'), 0) << 20),
        ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const BY_PUBLIC: &str = concat!(
    rows::select_event!(),
    " WHERE e.public = ?1 AND b.public = ?2"
);
const BY_NUMBER: &str = concat!(rows::select_event!(), " WHERE e.id = ?1");
const ANNOUNCED_BY_PUBLIC: &str = concat!(
    rows::select_announcement!(),
    " WHERE m.public = ?1 AND b.public = ?2 AND m.announced = 1"
);
const ANNOUNCED_BY_NUMBER: &str = concat!(
    rows::select_announcement!(),
    " WHERE m.id = ?1 AND m.announced = 1"
);

/// An event to insert.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draft<'a> {
    pub(crate) id: EventId,
    pub(crate) delivery: DeliveryId,
    pub(crate) bot: i64,
    pub(crate) kind: &'a str,
    /// None: it announces the message, which waited for its time.
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

/// The number of an event. That of one which is made of its message is the message's, below zero.
pub(crate) fn number(connection: &Connection, bot: BotId, id: EventId) -> Done<Option<i64>> {
    Ok(by_public(connection, bot, id)?.map(|row| row.id))
}

fn by_public(connection: &Connection, bot: BotId, id: EventId) -> Done<Option<EventRow>> {
    let keys = [id.to_bytes(), bot.to_bytes()];
    let row = rows::one(connection, BY_PUBLIC, keys, rows::event)?;
    match row {
        Some(row) => Ok(Some(row)),
        None => rows::one(connection, ANNOUNCED_BY_PUBLIC, keys, rows::event),
    }
}

/// The event with this number, unless what it is about is deleted.
pub(crate) fn by_number(connection: &Connection, id: i64) -> Done<Option<Event>> {
    let row = if id < 0 {
        rows::one(connection, ANNOUNCED_BY_NUMBER, [-id], rows::event)?
    } else {
        rows::one(connection, BY_NUMBER, [id], rows::event)?
    };
    match row {
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
    match by_public(connection, bot, id)? {
        Some(row) => fill(connection, row),
        None => Ok(None),
    }
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
        self.read(|connection| get(connection, bot, id)).await
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
