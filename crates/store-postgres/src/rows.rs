//! Rows as the model sees them.

use serde::de::DeserializeOwned;
use switchboard_model::{
    BotId, Conversation, ConversationId, DeliveryReport, DeliveryStatus, Direction, Error, Event,
    EventId, EventPayload, EventStatus, IntegrationId, Json, Kind, Message, MessageId, Tags,
    Timestamp, User, UserId,
};
use tokio_postgres::Row;
use tokio_postgres::types::FromSqlOwned;

use crate::connection::{Connection, Id};
use crate::failure::{Done, Failure};

const BOT: &str = "SELECT id FROM bot WHERE public = $1";
const INTEGRATION: &str = "SELECT i.id FROM integration i JOIN bot b ON b.id = i.bot
    WHERE i.public = $1 AND b.public = $2";

/// The number of a bot.
pub(crate) async fn bot(connection: &Connection, id: BotId) -> Done<Option<i64>> {
    connection.value(BOT, &[&Id(id.to_bytes())]).await
}

/// The number of a bot that must exist.
pub(crate) async fn known_bot(connection: &Connection, id: BotId) -> Done<i64> {
    let found = bot(connection, id).await?;
    found.ok_or_else(|| Error::not_found(Kind::Bot, id).into())
}

/// The number of an integration of a bot.
pub(crate) async fn integration(
    connection: &Connection,
    bot: BotId,
    id: IntegrationId,
) -> Done<Option<i64>> {
    let keys = [Id(id.to_bytes()), Id(bot.to_bytes())];
    connection.value(INTEGRATION, &[&keys[0], &keys[1]]).await
}

/// The number of an integration that must exist.
pub(crate) async fn known_integration(
    connection: &Connection,
    bot: BotId,
    id: IntegrationId,
) -> Done<i64> {
    let found = integration(connection, bot, id).await?;
    found.ok_or_else(|| Error::not_found(Kind::Integration, id).into())
}

/// An object with its number.
#[derive(Debug, Clone)]
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
    /// To be relied on only while the row is locked.
    pub(crate) next_seq: i64,
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

    /// Whether an identity means it, by its own tags and aliases.
    pub(crate) fn is_known_by(&self, identity: &Tags) -> bool {
        !self.reset
            && identity.iter().all(|(name, value)| {
                self.value.tags.get(name) == Some(value) || self.was(name, value)
            })
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

/// The columns that [`conversation`] reads.
macro_rules! select_conversation {
    () => {
        "
    SELECT c.id, c.bot, c.integration, c.aliases, c.next_seq, c.public, b.public, i.public,
        i.alias, c.channel, c.tags, c.created_at, c.updated_at, c.reset_at IS NOT NULL,
        c.message_count
    FROM conversation c JOIN bot b ON b.id = c.bot
    JOIN integration i ON i.id = c.integration"
    };
}
pub(crate) use select_conversation;

pub(crate) fn conversation(row: &Row) -> Done<ConversationRow> {
    Ok(ConversationRow {
        id: row.try_get(0)?,
        bot: row.try_get(1)?,
        integration: row.try_get(2)?,
        aliases: match row.try_get::<_, Option<&str>>(3)? {
            Some(text) => read_json(text)?,
            None => Vec::new(),
        },
        next_seq: row.try_get(4)?,
        reset: row.try_get(13)?,
        value: Conversation {
            id: ConversationId::from_bytes(bytes(row, 5)?),
            bot: BotId::from_bytes(bytes(row, 6)?),
            integration: IntegrationId::from_bytes(bytes(row, 7)?),
            alias: row.try_get(8)?,
            channel: row.try_get(9)?,
            tags: tags(row, 10)?,
            message_count: u32::try_from(row.try_get::<_, i32>(14)?).unwrap_or(0),
            created_at: time(row, 11)?,
            updated_at: time(row, 12)?,
        },
    })
}

/// The columns that [`user`] reads.
macro_rules! select_user {
    () => {
        "
    SELECT u.id, u.public, b.public, i.public, u.tags, u.name, u.picture_url, u.created_at,
        u.updated_at
    FROM users u JOIN bot b ON b.id = u.bot
    LEFT JOIN integration i ON i.id = u.integration"
    };
}
pub(crate) use select_user;

pub(crate) fn user(row: &Row) -> Done<Numbered<User>> {
    Ok(Numbered {
        id: row.try_get(0)?,
        value: User {
            id: UserId::from_bytes(bytes(row, 1)?),
            bot: BotId::from_bytes(bytes(row, 2)?),
            integration: bytes_or_none(row, 3)?.map(IntegrationId::from_bytes),
            tags: tags(row, 4)?,
            name: row.try_get(5)?,
            picture_url: row.try_get(6)?,
            created_at: time(row, 7)?,
            updated_at: time(row, 8)?,
        },
    })
}

/// The columns that [`message`] reads: the message and its latest delivery.
macro_rules! select_message {
    () => {
        "
    SELECT m.id, m.public, c.public, u.public, m.outgoing, m.kind, m.payload, m.tags,
        m.synthetic, m.seq, m.created_at, m.updated_at, d.status, d.attempts, d.error,
        d.uncertain, m.conversation, m.user_id
    FROM message m JOIN conversation c ON c.id = m.conversation
    JOIN users u ON u.id = m.user_id
    LEFT JOIN LATERAL (
        SELECT l.status, l.attempts, l.error, l.uncertain FROM delivery l
        WHERE l.message = m.id ORDER BY l.id DESC LIMIT 1) d ON true"
    };
}
pub(crate) use select_message;

/// A message with the numbers of what it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct MessageRow {
    pub(crate) id: i64,
    pub(crate) conversation: i64,
    pub(crate) user: i64,
    pub(crate) value: Message,
}

pub(crate) fn message(row: &Row) -> Done<MessageRow> {
    let delivery = match row.try_get::<_, Option<i16>>(12)? {
        Some(status) => Some(DeliveryReport {
            status: report_status(status),
            attempts: count(row, 13)?,
            error: row.try_get(14)?,
            uncertain: count(row, 15)?,
        }),
        None => None,
    };
    Ok(MessageRow {
        id: row.try_get(0)?,
        conversation: row.try_get(16)?,
        user: row.try_get(17)?,
        value: Message {
            id: MessageId::from_bytes(bytes(row, 1)?),
            conversation: ConversationId::from_bytes(bytes(row, 2)?),
            user: UserId::from_bytes(bytes(row, 3)?),
            direction: if row.try_get(4)? {
                Direction::Outgoing
            } else {
                Direction::Incoming
            },
            kind: row.try_get(5)?,
            payload: json(row, 6)?,
            tags: tags(row, 7)?,
            synthetic: row.try_get(8)?,
            seq: row.try_get(9)?,
            created_at: time(row, 10)?,
            updated_at: time(row, 11)?,
            delivery,
        },
    })
}

fn report_status(status: i16) -> DeliveryStatus {
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
    pub(crate) id: i64,
    pub(crate) conversation: Option<i64>,
    pub(crate) user: Option<i64>,
    pub(crate) message: Option<i64>,
    pub(crate) announces: bool,
    pub(crate) value: Event,
}

/// The columns that [`event`] reads: the event and its latest delivery.
macro_rules! select_event {
    () => {
        "
    SELECT e.id, e.conversation, e.user_id, e.message, e.public, b.public, e.kind, e.payload,
        c.public, u.public, m.public, d.status, d.error, e.created_at
    FROM event e JOIN bot b ON b.id = e.bot
    LEFT JOIN conversation c ON c.id = e.conversation
    LEFT JOIN users u ON u.id = e.user_id
    LEFT JOIN message m ON m.id = e.message
    LEFT JOIN LATERAL (
        SELECT l.status, l.error FROM delivery l
        WHERE l.event = e.id ORDER BY l.id DESC LIMIT 1) d ON true"
    };
}
pub(crate) use select_event;

pub(crate) fn event(row: &Row) -> Done<EventRow> {
    let payload: Option<String> = row.try_get(7)?;
    let (status, failure_reason) = match row.try_get::<_, Option<i16>>(11)? {
        Some(crate::outbox::DELIVERED) => (EventStatus::Processed, None),
        Some(status) if status > crate::outbox::DELIVERED => {
            let error: Option<String> = row.try_get(12)?;
            let cut = error.map(|text| text.chars().take(2000).collect());
            (EventStatus::Failed, cut)
        }
        _ => (EventStatus::Pending, None),
    };
    Ok(EventRow {
        id: row.try_get(0)?,
        conversation: row.try_get(1)?,
        user: row.try_get(2)?,
        message: row.try_get(3)?,
        announces: payload.is_none(),
        value: Event {
            id: EventId::from_bytes(bytes(row, 4)?),
            bot: BotId::from_bytes(bytes(row, 5)?),
            kind: row.try_get(6)?,
            payload: EventPayload::Other(match payload {
                Some(text) => Json::from_trusted(text).map_err(Failure::damage)?,
                None => Json::empty(),
            }),
            conversation: bytes_or_none(row, 8)?.map(ConversationId::from_bytes),
            user: bytes_or_none(row, 9)?.map(UserId::from_bytes),
            message: bytes_or_none(row, 10)?.map(MessageId::from_bytes),
            workflow: None,
            status,
            failure_reason,
            created_at: time(row, 13)?,
        },
    })
}

pub(crate) fn bytes(row: &Row, column: usize) -> Done<[u8; 16]> {
    Ok(row.try_get::<_, Id>(column)?.0)
}

pub(crate) fn bytes_or_none(row: &Row, column: usize) -> Done<Option<[u8; 16]>> {
    Ok(row.try_get::<_, Option<Id>>(column)?.map(|id| id.0))
}

pub(crate) fn time(row: &Row, column: usize) -> Done<Timestamp> {
    Ok(Timestamp::from_millis(row.try_get(column)?))
}

pub(crate) fn time_or_none(row: &Row, column: usize) -> Done<Option<Timestamp>> {
    let millis: Option<i64> = row.try_get(column)?;
    Ok(millis.map(Timestamp::from_millis))
}

pub(crate) fn count(row: &Row, column: usize) -> Done<u32> {
    u32::try_from(row.try_get::<_, i32>(column)?).map_err(Failure::damage)
}

pub(crate) fn tags(row: &Row, column: usize) -> Done<Tags> {
    read_json(row.try_get(column)?)
}

pub(crate) fn json(row: &Row, column: usize) -> Done<Json> {
    Json::from_trusted(row.try_get(column)?).map_err(Failure::damage)
}

pub(crate) fn read_json<T: DeserializeOwned>(text: &str) -> Done<T> {
    serde_json::from_str(text).map_err(Failure::damage)
}

/// The first column.
pub(crate) fn first<T: FromSqlOwned>(row: &Row) -> Done<T> {
    Ok(row.try_get(0)?)
}

/// The first two columns.
pub(crate) fn pair<A: FromSqlOwned, B: FromSqlOwned>(row: &Row) -> Done<(A, B)> {
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// For the size of a page.
pub(crate) fn as_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// How many rows a statement changed.
pub(crate) fn as_count(rows: u64) -> usize {
    usize::try_from(rows).unwrap_or(usize::MAX)
}

pub(crate) fn gone(what: &str) -> Failure {
    Failure::Damage(format!("{what} is gone within its own transaction"))
}
