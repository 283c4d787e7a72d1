//! Rows as the model sees them, and the few ways to run a statement.

use std::sync::Arc;

use rusqlite::types::{FromSql, Type};
use rusqlite::{Connection, OptionalExtension as _, Params, Row};
use serde::de::DeserializeOwned;
use switchboard_model::{
    BotId, Conversation, ConversationId, DeliveryReport, DeliveryStatus, Direction, Error, Event,
    EventId, EventPayload, EventStatus, IntegrationId, Json, Kind, Message, MessageId, Tags,
    Timestamp, User, UserId, WorkflowId,
};

use crate::failure::{Done, Failure};

/// Runs a statement; tells how many rows it changed.
pub(crate) fn execute(connection: &Connection, sql: &str, parameters: impl Params) -> Done<usize> {
    Ok(connection.prepare_cached(sql)?.execute(parameters)?)
}

/// Inserts a row; tells its number.
pub(crate) fn insert(connection: &Connection, sql: &str, parameters: impl Params) -> Done<i64> {
    Ok(connection.prepare_cached(sql)?.insert(parameters)?)
}

/// The first row.
pub(crate) fn one<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    map: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Done<Option<T>> {
    Ok(connection
        .prepare_cached(sql)?
        .query_row(parameters, map)
        .optional()?)
}

/// The first column of the first row.
pub(crate) fn value<T: FromSql>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
) -> Done<Option<T>> {
    one(connection, sql, parameters, |row| row.get(0))
}

/// All rows.
pub(crate) fn all<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    map: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Done<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(parameters, map)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Looks at all rows, one after the other.
pub(crate) fn each(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    mut look: impl FnMut(&Row<'_>) -> Done<()>,
) -> Done<()> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    while let Some(row) = rows.next()? {
        look(row)?;
    }
    Ok(())
}

/// A text where it lies.
pub(crate) fn text<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<&'r str> {
    Ok(row.get_ref(column)?.as_str()?)
}

const BOT: &str = "SELECT id FROM bot WHERE public = ?1";
const HOME: &str = "SELECT b.id, i.id, i.alias FROM integration i JOIN bot b ON b.id = i.bot
    WHERE i.public = ?1 AND b.public = ?2";

/// The number of a bot.
pub(crate) fn bot(connection: &Connection, id: BotId) -> Done<Option<i64>> {
    value(connection, BOT, [id.to_bytes()])
}

/// The number of a bot that must exist.
pub(crate) fn known_bot(connection: &Connection, id: BotId) -> Done<i64> {
    bot(connection, id)?.ok_or_else(|| Error::not_found(Kind::Bot, id).into())
}

/// The number of an integration of a bot.
pub(crate) fn integration(
    connection: &Connection,
    bot: BotId,
    id: IntegrationId,
) -> Done<Option<i64>> {
    Ok(home(connection, bot, id)?.map(|home| home.integration.id))
}

/// A bot and one of its integrations: what conversations and users belong to, and show.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    pub(crate) bot: Numbered<BotId>,
    pub(crate) integration: Numbered<IntegrationId>,
    pub(crate) alias: Arc<str>,
}

/// A bot and its integration.
pub(crate) fn home(connection: &Connection, bot: BotId, id: IntegrationId) -> Done<Option<Home>> {
    let keys = [id.to_bytes(), bot.to_bytes()];
    one(connection, HOME, keys, |row| {
        Ok(Home {
            bot: Numbered {
                id: row.get(0)?,
                value: bot,
            },
            integration: Numbered {
                id: row.get(1)?,
                value: id,
            },
            alias: row.get(2)?,
        })
    })
}

/// A bot and its integration, which must exist.
pub(crate) fn known_home(connection: &Connection, bot: BotId, id: IntegrationId) -> Done<Home> {
    if let Some(home) = home(connection, bot, id)? {
        return Ok(home);
    }
    known_bot(connection, bot)?;
    Err(Error::not_found(Kind::Integration, id).into())
}

/// The number of an integration that must exist.
pub(crate) fn known_integration(
    connection: &Connection,
    bot: BotId,
    id: IntegrationId,
) -> Done<i64> {
    integration(connection, bot, id)?.ok_or_else(|| Error::not_found(Kind::Integration, id).into())
}

/// An object with its number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbered<T> {
    pub(crate) id: i64,
    pub(crate) value: T,
}

/// A conversation with what only the store knows of it.
#[derive(Debug, Clone)]
pub(crate) struct ConversationRow {
    pub(crate) id: i64,
    pub(crate) bot: i64,
    pub(crate) integration: i64,
    pub(crate) aliases: Vec<(String, String)>,
    pub(crate) next_seq: i64,
    /// The place up to which its messages are settled.
    pub(crate) settled: i64,
    /// Whether it has lost its identity.
    pub(crate) reset: bool,
    pub(crate) value: Conversation,
}

impl ConversationRow {
    /// Whether a re-key replaced this pair.
    pub(crate) fn was(&self, name: &str, value: &str) -> bool {
        self.aliases
            .iter()
            .any(|alias| alias.0 == name && alias.1 == value)
    }

    /// What it belongs to.
    pub(crate) fn home(&self) -> Home {
        Home {
            bot: Numbered {
                id: self.bot,
                value: self.value.bot,
            },
            integration: Numbered {
                id: self.integration,
                value: self.value.integration,
            },
            alias: self.value.alias.as_str().into(),
        }
    }

    /// Where the index has its tags.
    pub(crate) fn index_scope(&self) -> i64 {
        if self.reset {
            crate::tags::without_identity(self.bot)
        } else {
            self.bot
        }
    }
}

/// The last place of the conversation `c`; 0 if nobody has said anything.
macro_rules! last_place {
    () => {
        "coalesce((SELECT p.seq FROM message p WHERE p.conversation = c.id AND p.seq >= 0
            ORDER BY p.seq DESC LIMIT 1), 0)"
    };
}
pub(crate) use last_place;

/// The columns that [`conversation`] reads: of all conversations, or of those of a known home, whose
/// bot, integration and alias are given.
macro_rules! select_conversation {
    () => {
        $crate::rows::select_conversation!(
            "b.public, i.public, i.alias",
            "conversation c CROSS JOIN bot b ON b.id = c.bot
            CROSS JOIN integration i ON i.id = c.integration"
        )
    };
    ($home:literal, $from:literal) => {
        concat!(
            "
    SELECT c.id, c.bot, c.integration, c.aliases, ",
            $crate::rows::last_place!(),
            ", c.public, ",
            $home,
            ", c.channel, c.tags, c.created_at, c.updated_at, c.reset_at IS NOT NULL,
        c.message_count, c.settled
    FROM ",
            $from
        )
    };
}
pub(crate) use select_conversation;

pub(crate) fn conversation(row: &Row<'_>) -> rusqlite::Result<ConversationRow> {
    let (last, counted, settled): (i64, i64, i64) = (row.get(4)?, row.get(14)?, row.get(15)?);
    let message_count =
        u32::try_from(counted + last - settled).map_err(|error| damaged(14, error))?;
    Ok(ConversationRow {
        id: row.get(0)?,
        bot: row.get(1)?,
        integration: row.get(2)?,
        aliases: match row.get_ref(3)?.as_str_or_null()? {
            Some(text) => read_json(3, text)?,
            None => Vec::new(),
        },
        next_seq: last + 1,
        settled,
        reset: row.get(13)?,
        value: Conversation {
            id: ConversationId::from_bytes(row.get(5)?),
            bot: BotId::from_bytes(row.get(6)?),
            integration: IntegrationId::from_bytes(row.get(7)?),
            alias: row.get(8)?,
            channel: row.get(9)?,
            tags: tags(row, 10)?,
            message_count,
            created_at: time(row, 11)?,
            updated_at: time(row, 12)?,
        },
    })
}

/// The columns that [`user`] reads: of all users, or of those of a known home, whose bot and
/// integration are given; perhaps with more columns behind.
macro_rules! select_user {
    () => {
        $crate::rows::select_user!(
            "b.public, i.public",
            "",
            "user u CROSS JOIN bot b ON b.id = u.bot
            LEFT JOIN integration i ON i.id = u.integration"
        )
    };
    ($home:literal, $more:literal, $from:literal) => {
        concat!(
            "
    SELECT u.id, u.public, ",
            $home,
            ", u.tags, u.name, u.picture_url, u.created_at, u.updated_at",
            $more,
            "
    FROM ",
            $from
        )
    };
}
pub(crate) use select_user;

pub(crate) fn user(row: &Row<'_>) -> rusqlite::Result<Numbered<User>> {
    Ok(Numbered {
        id: row.get(0)?,
        value: User {
            id: UserId::from_bytes(row.get(1)?),
            bot: BotId::from_bytes(row.get(2)?),
            integration: row
                .get::<_, Option<[u8; 16]>>(3)?
                .map(IntegrationId::from_bytes),
            tags: tags(row, 4)?,
            name: row.get(5)?,
            picture_url: row.get(6)?,
            created_at: time(row, 7)?,
            updated_at: time(row, 8)?,
        },
    })
}

/// The columns that [`message`] reads: the message and how its sending stands. What came in is told
/// to the bot, and never sent.
macro_rules! select_message {
    () => {
        "
    SELECT m.id, m.public, c.public, u.public, m.direction, m.kind, m.payload, m.tags,
        m.synthetic, m.seq, m.created_at, m.updated_at, d.status, d.attempts, d.error,
        d.uncertain
    FROM message m CROSS JOIN conversation c ON c.id = m.conversation
    CROSS JOIN user u ON u.id = m.user
    LEFT JOIN delivery d
        ON d.id = (SELECT max(l.id) FROM delivery l
            WHERE m.direction = 1 AND l.message = m.id AND l.action = 0)"
    };
}
pub(crate) use select_message;

pub(crate) fn message(row: &Row<'_>) -> rusqlite::Result<Numbered<Message>> {
    let seq: i64 = row.get(9)?;
    let delivery = match row.get::<_, Option<i8>>(12)? {
        None if seq < 0 => Some(DeliveryReport {
            status: DeliveryStatus::Scheduled,
            attempts: 0,
            error: None,
            uncertain: 0,
        }),
        Some(status) => Some(DeliveryReport {
            status: report_status(status),
            attempts: row.get(13)?,
            error: row.get(14)?,
            uncertain: row.get(15)?,
        }),
        None => None,
    };
    Ok(Numbered {
        id: row.get(0)?,
        value: Message {
            id: MessageId::from_bytes(row.get(1)?),
            conversation: ConversationId::from_bytes(row.get(2)?),
            user: UserId::from_bytes(row.get(3)?),
            direction: if row.get(4)? {
                Direction::Outgoing
            } else {
                Direction::Incoming
            },
            kind: row.get(5)?,
            payload: json(row, 6)?,
            tags: tags(row, 7)?,
            synthetic: row.get(8)?,
            seq,
            created_at: time(row, 10)?,
            updated_at: time(row, 11)?,
            delivery,
        },
    })
}

fn report_status(status: i8) -> DeliveryStatus {
    match status {
        crate::outbox::DELIVERED => DeliveryStatus::Sent,
        crate::outbox::UNCERTAIN | crate::outbox::DISMISSED_UNCERTAIN => DeliveryStatus::Uncertain,
        crate::outbox::DEAD | crate::outbox::DISMISSED => DeliveryStatus::Failed,
        _ => DeliveryStatus::Queued,
    }
}

/// An event, of which one that announces a message has yet to be filled in.
#[derive(Debug)]
pub(crate) struct EventRow {
    /// See [`crate::event::number`].
    pub(crate) id: i64,
    pub(crate) conversation: Option<i64>,
    pub(crate) user: Option<i64>,
    pub(crate) message: Option<i64>,
    pub(crate) workflow: Option<i64>,
    pub(crate) announces: bool,
    pub(crate) value: Event,
}

/// The columns that [`event`] reads: the event and its latest delivery.
macro_rules! select_event {
    () => {
        "
    SELECT e.id, e.conversation, e.user, e.message, e.public, b.public, e.kind, e.payload,
        c.public, u.public, m.public, d.status, d.error, e.created_at, e.workflow, w.public,
        s.id IS NOT NULL, s.due_at
    FROM event e CROSS JOIN bot b ON b.id = e.bot
    LEFT JOIN conversation c ON c.id = e.conversation
    LEFT JOIN user u ON u.id = e.user
    LEFT JOIN message m ON m.id = e.message
    LEFT JOIN workflow w ON w.id = e.workflow AND w.deleted_at IS NULL
    LEFT JOIN schedule s ON s.event = e.id
    LEFT JOIN delivery d
        ON d.id = (SELECT max(l.id) FROM delivery l WHERE l.event = e.id)"
    };
}
pub(crate) use select_event;

/// The same columns, of an event that is made of the message that it announces.
macro_rules! select_announcement {
    () => {
        "
    SELECT -m.id, m.conversation, m.user, m.id, m.public, b.public, 'message_created', NULL,
        c.public, u.public, m.public, d.status, d.error, m.created_at, NULL, NULL, false, NULL
    FROM message m CROSS JOIN bot b ON b.id = m.bot
    CROSS JOIN conversation c ON c.id = m.conversation
    CROSS JOIN user u ON u.id = m.user
    LEFT JOIN delivery d
        ON d.id = (SELECT max(l.id) FROM delivery l WHERE l.message = m.id AND l.destination = 0)"
    };
}
pub(crate) use select_announcement;

pub(crate) fn event(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    let payload: Option<String> = row.get(7)?;
    let (status, failure_reason) = match row.get::<_, Option<i8>>(11)? {
        Some(crate::outbox::DELIVERED) => (EventStatus::Processed, None),
        Some(status) if status > crate::outbox::DELIVERED => {
            let error: Option<String> = row.get(12)?;
            let cut = error.map(|text| text.chars().take(2000).collect());
            (EventStatus::Failed, cut)
        }
        _ if row.get(16)? => match row.get::<_, Option<i64>>(17)? {
            Some(_) => (EventStatus::Scheduled, None),
            None => (EventStatus::Canceled, None),
        },
        _ => (EventStatus::Pending, None),
    };
    Ok(EventRow {
        id: row.get(0)?,
        conversation: row.get(1)?,
        user: row.get(2)?,
        message: row.get(3)?,
        workflow: row.get(14)?,
        announces: payload.is_none(),
        value: Event {
            id: EventId::from_bytes(row.get(4)?),
            bot: BotId::from_bytes(row.get(5)?),
            kind: row.get(6)?,
            payload: EventPayload::Other(match payload {
                Some(text) => Json::from_trusted(text).map_err(|error| damaged(7, error))?,
                None => Json::empty(),
            }),
            conversation: row
                .get::<_, Option<[u8; 16]>>(8)?
                .map(ConversationId::from_bytes),
            user: row.get::<_, Option<[u8; 16]>>(9)?.map(UserId::from_bytes),
            message: row
                .get::<_, Option<[u8; 16]>>(10)?
                .map(MessageId::from_bytes),
            workflow: row
                .get::<_, Option<[u8; 16]>>(15)?
                .map(WorkflowId::from_bytes),
            status,
            failure_reason,
            created_at: time(row, 13)?,
        },
    })
}

pub(crate) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_millis)
}

pub(crate) fn time_or_none(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    let millis: Option<i64> = row.get(column)?;
    Ok(millis.map(Timestamp::from_millis))
}

pub(crate) fn tags(row: &Row<'_>, column: usize) -> rusqlite::Result<Tags> {
    read_json(column, row.get_ref(column)?.as_str()?)
}

pub(crate) fn json(row: &Row<'_>, column: usize) -> rusqlite::Result<Json> {
    Json::from_trusted(row.get(column)?).map_err(|error| damaged(column, error))
}

pub(crate) fn read_json<T: DeserializeOwned>(column: usize, text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| damaged(column, error))
}

fn damaged(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

/// For the size of a page.
pub(crate) fn as_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(crate) fn gone(what: &str) -> Failure {
    Failure::Damage(format!("{what} is gone within its own transaction"))
}
