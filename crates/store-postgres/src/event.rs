//! Events.

use async_trait::async_trait;
use switchboard_model::{
    BotId, DeliveryId, Error, Event, EventId, EventPayload, EventStatus, Json, Kind, Result,
    Timestamp,
};
use switchboard_store::{
    Canceled, Cursor, EventFilter, EventStore, NewEvent, Page, PageRequest, SortOrder,
};

use crate::connection::{Connection, Id};
use crate::failure::Done;
use crate::missing::not_served;
use crate::outbox::{self, Enqueue};
use crate::query::Query;
use crate::rows::{self, EventRow};
use crate::writer::Tx;
use crate::{PostgresStore, conversation, message, user};

const INSERT: &str = "INSERT INTO event
    (public, bot, kind, payload, conversation, user_id, message, once, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id";
const BY_PUBLIC: &str = concat!(
    rows::select_event!(),
    " WHERE e.public = $1 AND b.public = $2"
);
const BY_NUMBER: &str = concat!(rows::select_event!(), " WHERE e.id = $1");
const OF_CONVERSATION: &str = "e.id IN (
    SELECT x.id FROM event x WHERE x.conversation = ? AND x.payload IS NOT NULL
    UNION ALL
    SELECT x.id FROM message y JOIN event x ON x.message = y.id
        WHERE y.conversation = ? AND x.payload IS NULL)";

/// An event to insert.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draft<'a> {
    pub(crate) id: EventId,
    pub(crate) delivery: DeliveryId,
    pub(crate) bot: i64,
    pub(crate) kind: &'a str,
    /// None: it announces the message.
    pub(crate) payload: Option<&'a Json>,
    /// Its row is locked.
    pub(crate) conversation: Option<i64>,
    pub(crate) user: Option<i64>,
    pub(crate) message: Option<i64>,
    pub(crate) once: Option<[u8; 16]>,
    pub(crate) now: Timestamp,
}

/// Stores an event and enqueues it to its bot.
pub(crate) async fn insert(tx: &mut Tx, draft: &Draft<'_>) -> Done<i64> {
    let id = tx
        .sure(
            INSERT,
            &[
                &Id(draft.id.to_bytes()),
                &draft.bot,
                &draft.kind,
                &draft.payload.map(Json::as_str),
                &draft.conversation,
                &draft.user,
                &draft.message,
                &draft.once.map(Id),
                &draft.now.as_millis(),
            ],
        )
        .await?;
    let new = Enqueue {
        id: draft.delivery,
        bot: draft.bot,
        destination: outbox::BOTS,
        conversation: draft.conversation,
        event: Some(id),
        message: None,
        now: draft.now,
    };
    outbox::enqueue(tx, new).await?;
    Ok(id)
}

/// The event with this number, unless what it is about is deleted.
pub(crate) async fn by_number(connection: &Connection, id: i64) -> Done<Option<Event>> {
    match connection.one(BY_NUMBER, &[&id], rows::event).await? {
        Some(row) => fill(connection, row).await,
        None => Ok(None),
    }
}

/// Puts in what an announcing event is about, as it is now.
async fn fill(connection: &Connection, row: EventRow) -> Done<Option<Event>> {
    let conversation = match row.conversation {
        Some(id) => match conversation::by_number(connection, id).await? {
            Some(found) => Some(found),
            None => return Ok(None),
        },
        None => None,
    };
    let mut event = row.value;
    if !row.announces {
        return Ok(Some(event));
    }
    let (Some(conversation), Some(user), Some(message)) = (conversation, row.user, row.message)
    else {
        return Err(rows::gone("what an event announces"));
    };
    let Some(message) = message::by_number(connection, message).await? else {
        return Ok(None);
    };
    let user = user::by_number(connection, user)
        .await?
        .ok_or_else(|| rows::gone("an author"))?;
    event.payload =
        EventPayload::MessageCreated(Box::new((message.value, user.value, conversation.value)));
    Ok(Some(event))
}

async fn create(tx: &mut Tx, new: &NewEvent) -> Done<Event> {
    if new.workflow.is_some() {
        return Err(not_served("events that concern a workflow").into());
    }
    if new.due.is_some_and(|due| due > new.now) {
        return Err(not_served("scheduled events").into());
    }
    let bot = rows::known_bot(tx, new.bot).await?;
    let conversation = match new.conversation {
        Some(id) => Some(
            conversation::lock_public(tx, new.bot, id)
                .await?
                .ok_or_else(|| Error::reference("conversationId", Kind::Conversation, id))?
                .id,
        ),
        None => None,
    };
    let user = match new.user {
        Some(id) => Some(
            user::number(tx, bot, id)
                .await?
                .ok_or_else(|| Error::reference("userId", Kind::User, id))?,
        ),
        None => None,
    };
    let message = match new.message {
        Some(id) => Some(
            message::by_public(tx, new.bot, id)
                .await?
                .ok_or_else(|| Error::reference("messageId", Kind::Message, id))?
                .id,
        ),
        None => None,
    };
    let draft = Draft {
        id: new.id,
        delivery: new.delivery,
        bot,
        kind: &new.kind,
        payload: Some(&new.payload),
        conversation,
        user,
        message,
        once: None,
        now: new.now,
    };
    let id = insert(tx, &draft).await?;
    let made = by_number(tx, id).await?;
    made.ok_or_else(|| rows::gone("a new event"))
}

async fn get(connection: &Connection, bot: BotId, id: EventId) -> Done<Option<Event>> {
    let keys = (Id(id.to_bytes()), Id(bot.to_bytes()));
    let found = connection
        .one(BY_PUBLIC, &[&keys.0, &keys.1], rows::event)
        .await?;
    match found {
        Some(row) => fill(connection, row).await,
        None => Ok(None),
    }
}

async fn list(
    connection: &Connection,
    bot: BotId,
    filter: &EventFilter,
    page: PageRequest,
) -> Done<Page<Event>> {
    if filter.workflow.is_some() {
        return Err(not_served("events that concern a workflow").into());
    }
    let Some(bot_number) = rows::bot(connection, bot).await? else {
        return Ok(Page::empty());
    };
    let mut query = Query::new(rows::select_event!());
    query.and("(e.conversation IS NULL OR c.deleted_at IS NULL)");
    query.and("(e.payload IS NOT NULL OR m.deleted_at IS NULL)");
    query.and_value("e.bot = ?", bot_number);
    if let Some(id) = filter.conversation {
        let Some(conversation) = conversation::number(connection, bot_number, id).await? else {
            return Ok(Page::empty());
        };
        query.and_value(OF_CONVERSATION, conversation);
    }
    if let Some(id) = filter.message {
        let Some(message) = message::by_public(connection, bot, id).await? else {
            return Ok(Page::empty());
        };
        query.and_value("e.message = ?", message.id);
    }
    if let Some(id) = filter.user {
        let Some(user) = user::number(connection, bot_number, id).await? else {
            return Ok(Page::empty());
        };
        query.and_value("e.user_id = ?", user);
    }
    if let Some(kind) = &filter.kind {
        query.and_value("e.kind = ?", kind.clone());
    }
    if let Some(prefix) = &filter.kind_prefix {
        query.and_value("starts_with(e.kind, ?)", prefix.clone());
    }
    match filter.status {
        None => {}
        Some(EventStatus::Pending) => query.and("(d.status IS NULL OR d.status < 3)"),
        Some(EventStatus::Processed) => query.and("d.status = 3"),
        Some(EventStatus::Failed) => query.and("d.status > 3"),
        // Only the API says so of an event, or schedules, which this store does not serve.
        Some(EventStatus::Ignored | EventStatus::Scheduled | EventStatus::Canceled) => {
            return Ok(Page::empty());
        }
    }
    let place = |event: &EventRow| Cursor {
        at: event.id,
        row: event.id,
    };
    let order = ("e.id", "e.id", SortOrder::Descending);
    let page = query
        .page(connection, order, page, rows::event, place)
        .await?;
    let mut items = Vec::with_capacity(page.items.len());
    for row in page.items {
        items.extend(fill(connection, row).await?);
    }
    Ok(Page {
        items,
        next: page.next,
    })
}

#[async_trait]
impl EventStore for PostgresStore {
    async fn create_event(&self, event: NewEvent) -> Result<Event> {
        self.write(event, |tx, event| Box::pin(create(tx, event)))
            .await
    }

    async fn cancel_event(&self, _: BotId, _: EventId) -> Result<Canceled> {
        Err(not_served("scheduled events"))
    }

    async fn get_event(&self, bot: BotId, id: EventId) -> Result<Option<Event>> {
        self.read((bot, id), |connection, (bot, id)| {
            Box::pin(get(connection, *bot, *id))
        })
        .await
    }

    async fn list_events(
        &self,
        bot: BotId,
        filter: EventFilter,
        page: PageRequest,
    ) -> Result<Page<Event>> {
        self.read((bot, filter, page), |connection, (bot, filter, page)| {
            Box::pin(list(connection, *bot, filter, *page))
        })
        .await
    }
}
