//! Reading and writing messages.

use rusqlite::{Connection, OptionalExtension as _, Statement, params};

use super::{Numbers, bot, telegram};
use crate::failure::{Result, failed};

/// The store's own: the message and its latest delivery.
macro_rules! select {
    () => {
        "
    SELECT m.id, m.public, c.public, u.public, m.direction, m.kind, m.payload, m.tags,
        m.synthetic, m.seq, m.created_at, m.updated_at, d.status, d.attempts, d.error,
        d.uncertain
    FROM message m CROSS JOIN conversation c ON c.id = m.conversation
    CROSS JOIN user u ON u.id = m.user
    LEFT JOIN delivery d
        ON d.id = (SELECT max(l.id) FROM delivery l WHERE l.message = m.id)"
    };
}

const GET: &str = concat!(
    select!(),
    " WHERE m.public = ?1 AND m.bot = (SELECT id FROM bot WHERE public = ?2)
        AND m.deleted_at IS NULL AND c.deleted_at IS NULL"
);
const LIST: &str = concat!(
    select!(),
    " WHERE m.deleted_at IS NULL AND c.deleted_at IS NULL AND m.conversation = ?1
        ORDER BY m.seq DESC, m.id DESC"
);
const CONVERSATION: &str = concat!(
    "SELECT c.id,
        ",
    last_place!(),
    " + 1,
        c.integration
    FROM conversation c WHERE c.public = ?1 AND c.bot = ?2 AND c.deleted_at IS NULL"
);
const USER: &str = "SELECT id FROM user WHERE public = ?1 AND bot = ?2 AND deleted_at IS NULL";
const SETTLED: &str =
    "UPDATE conversation SET settled = ?2, message_count = message_count + 1 WHERE id = ?1";
const INSERT: &str = "INSERT INTO message
    (public, bot, conversation, user, direction, kind, payload, tags, synthetic, seq, once,
        created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, 1, 'text', ?5, '{}', 0, ?6, NULL, ?7, ?7)";
const PARTICIPANT: &str = "SELECT 1 FROM participant WHERE conversation = ?1 AND user = ?2";
const INTEGRATION: &str = "SELECT active, alias FROM integration WHERE id = ?1";
const DELIVERY: &str = "INSERT INTO delivery
    (public, bot, destination, conversation, event, message, status, due_at, error, created_at)
    VALUES (?1, ?2, ?3, ?4, NULL, ?5, 5, ?6, ?7, ?6)";
const NOT_ACTIVE: &str = "the integration telegram is not active; add its token, then replay";

/// Reads a message by its id.
pub(crate) struct Get {
    bot: [u8; 16],
    messages: Vec<[u8; 16]>,
}

impl Get {
    /// Of these.
    pub(crate) fn new(connection: &Connection, messages: Vec<[u8; 16]>) -> Result<Self> {
        let bot = connection.query_row("SELECT public FROM bot", [], |row| row.get(0))?;
        Ok(Self { bot, messages })
    }

    /// Reads the one at this place.
    pub(crate) fn run(&self, connection: &Connection, place: usize) -> Result<()> {
        let Some(id) = self.messages.get(place) else {
            return failed("no message was seeded at this place");
        };
        connection
            .prepare_cached(GET)?
            .query_row([id, &self.bot], |row| {
                row.get_ref(6)?.as_str()?;
                Ok(())
            })?;
        Ok(())
    }
}

/// Reads the latest messages of conversations.
pub(crate) struct List {
    conversations: Vec<i64>,
}

impl List {
    /// Of these.
    pub(crate) fn new(connection: &Connection, conversations: &[[u8; 16]]) -> Result<Self> {
        const SQL: &str = "SELECT id FROM conversation WHERE public = ?1";
        let mut statement = connection.prepare(SQL)?;
        let numbers = conversations
            .iter()
            .map(|public| statement.query_row([public], |row| row.get(0)));
        Ok(Self {
            conversations: numbers.collect::<rusqlite::Result<_>>()?,
        })
    }

    /// Reads a page, and whether there is another.
    pub(crate) fn run(&self, connection: &Connection, place: usize, limit: usize) -> Result<()> {
        let Some(conversation) = self.conversations.get(place) else {
            return failed("no conversation was named at this place");
        };
        let mut statement = connection.prepare_cached(LIST)?;
        let mut rows = statement.query([conversation])?;
        let mut left = limit + 1;
        while left > 0
            && let Some(row) = rows.next()?
        {
            row.get_ref(6)?.as_str().map_err(rusqlite::Error::from)?;
            left -= 1;
        }
        Ok(())
    }
}

/// Writes a bot's messages.
pub(crate) struct Poster<'a> {
    bot: i64,
    conversations: Vec<[u8; 16]>,
    author: [u8; 16],
    next: usize,
    conversation: Statement<'a>,
    user: Statement<'a>,
    settled: Statement<'a>,
    insert: Statement<'a>,
    participant: Statement<'a>,
    integration: Statement<'a>,
    delivery: Statement<'a>,
}

impl<'a> Poster<'a> {
    /// On the writer's connection, into these conversations in turn.
    pub(crate) fn prepare(
        connection: &'a Connection,
        conversations: Vec<[u8; 16]>,
    ) -> Result<Self> {
        let bot = bot(connection)?;
        telegram(connection)?;
        // The bot, a user as well.
        let author = "SELECT public FROM bot ORDER BY id LIMIT 1";
        Ok(Self {
            bot,
            conversations,
            author: connection.query_row(author, [], |row| row.get(0))?,
            next: 0,
            conversation: connection.prepare(CONVERSATION)?,
            user: connection.prepare(USER)?,
            settled: connection.prepare(SETTLED)?,
            insert: connection.prepare(INSERT)?,
            participant: connection.prepare(PARTICIPANT)?,
            integration: connection.prepare(INTEGRATION)?,
            delivery: connection.prepare(DELIVERY)?,
        })
    }

    /// Writes one. Its channel is not plugged in, so that its delivery fails at once.
    pub(crate) fn run(&mut self, numbers: &mut Numbers) -> Result<()> {
        let now = 1_750_000_000_000_i64;
        let public = self.conversations[self.next];
        self.next = (self.next + 1) % self.conversations.len();
        let (conversation, seq, destination): (i64, i64, i64) = self
            .conversation
            .query_row(params![public, self.bot], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        let user: i64 = self
            .user
            .query_row(params![self.author, self.bot], |row| row.get(0))?;
        self.settled.execute([conversation, seq])?;
        let message = self.insert.insert(params![
            numbers.id(),
            self.bot,
            conversation,
            user,
            crate::http::PAYLOAD,
            seq,
            now
        ])?;
        let _known: Option<i64> = self
            .participant
            .query_row([conversation, user], |row| row.get(0))
            .optional()?;
        let _active: bool = self
            .integration
            .query_row([destination], |row| row.get(0))?;
        self.delivery.insert(params![
            numbers.id(),
            self.bot,
            destination,
            conversation,
            message,
            now,
            NOT_ACTIVE
        ])?;
        Ok(())
    }
}
