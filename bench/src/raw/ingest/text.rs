//! Text ids everywhere, once keys in a table of their own: what the store could have been, and is
//! not.

use rusqlite::{Connection, OptionalExtension as _, Statement, params};
use switchboard_model::{ConversationId, MessageId, UserId};

use super::super::{Numbers, rows};
use super::{Take, Word};
use crate::failure::Result;
use crate::update::{DATE, text};

pub(super) const SCHEMA: &str = "
    CREATE TABLE conversation (
        id TEXT PRIMARY KEY,
        external TEXT NOT NULL UNIQUE,
        tags TEXT NOT NULL,
        next_seq INTEGER NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE user (
        id TEXT PRIMARY KEY,
        external TEXT NOT NULL UNIQUE,
        tags TEXT NOT NULL,
        name TEXT NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE message (
        id TEXT PRIMARY KEY,
        conversation TEXT NOT NULL REFERENCES conversation (id),
        user TEXT NOT NULL REFERENCES user (id),
        seq INTEGER NOT NULL,
        kind TEXT NOT NULL,
        payload TEXT NOT NULL,
        tags TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        UNIQUE (conversation, seq)
    ) STRICT;
    CREATE TABLE once (
        key TEXT PRIMARY KEY,
        message TEXT NOT NULL REFERENCES message (id)
    ) STRICT;
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY,
        conversation TEXT NOT NULL,
        message TEXT NOT NULL REFERENCES message (id),
        delivered INTEGER NOT NULL,
        due_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX outbox_due ON outbox (due_at) WHERE delivered = 0;";

const SEEN: &str = "SELECT EXISTS (SELECT 1 FROM once WHERE key = ?1)";
const CONVERSATION: &str = "SELECT id, next_seq FROM conversation WHERE external = ?1";
const USER: &str = "SELECT id FROM user WHERE external = ?1";
const NEW_CONVERSATION: &str = "INSERT INTO conversation
    (id, external, tags, next_seq, created_at) VALUES (?1, ?2, ?3, 1, ?4)";
const NEW_USER: &str = "INSERT INTO user (id, external, tags, name, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5)";
const TAKE_SEQ: &str = "UPDATE conversation SET next_seq = ?2 WHERE id = ?1";
const MESSAGE: &str = "INSERT INTO message
    (id, conversation, user, seq, kind, payload, tags, created_at)
    VALUES (?1, ?2, ?3, ?4, 'text', ?5, ?6, ?7)";
const ONCE: &str = "INSERT INTO once (key, message) VALUES (?1, ?2)";
const OUTBOX: &str = "INSERT INTO outbox (conversation, message, delivered, due_at)
    VALUES (?1, ?2, ?3, ?4)";

pub(super) struct Statements<'a> {
    seen: Statement<'a>,
    conversation: Statement<'a>,
    user: Statement<'a>,
    new_conversation: Statement<'a>,
    new_user: Statement<'a>,
    take_seq: Statement<'a>,
    message: Statement<'a>,
    once: Statement<'a>,
    outbox: Statement<'a>,
}

impl<'a> Statements<'a> {
    pub(super) fn prepare(connection: &'a Connection) -> Result<Self> {
        Ok(Self {
            seen: connection.prepare(SEEN)?,
            conversation: connection.prepare(CONVERSATION)?,
            user: connection.prepare(USER)?,
            new_conversation: connection.prepare(NEW_CONVERSATION)?,
            new_user: connection.prepare(NEW_USER)?,
            take_seq: connection.prepare(TAKE_SEQ)?,
            message: connection.prepare(MESSAGE)?,
            once: connection.prepare(ONCE)?,
            outbox: connection.prepare(OUTBOX)?,
        })
    }
}

impl Take for Statements<'_> {
    fn take(&mut self, numbers: &mut Numbers, word: Word) -> Result<()> {
        let now = super::NOW;
        let once = MessageId::from_bytes(numbers.key()).to_string();
        let seen: bool = self.seen.query_row([&once], |row| row.get(0))?;
        debug_assert!(!seen, "keys are scattered numbers, each used once");
        let external = word.thread.to_string();
        let found: Option<(String, i64)> = self
            .conversation
            .query_row([&external], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (conversation, seq) = if let Some(found) = found {
            found
        } else {
            let id = ConversationId::from_bytes(numbers.id()).to_string();
            let tags = rows::text(&rows::conversation(word.thread));
            self.new_conversation
                .execute(params![id, external, tags, now])?;
            (id, 1)
        };
        let found: Option<String> = self
            .user
            .query_row([&external], |row| row.get(0))
            .optional()?;
        let user = if let Some(found) = found {
            found
        } else {
            let id = UserId::from_bytes(numbers.id()).to_string();
            let tags = rows::text(&rows::user(word.thread));
            let name = format!("Person {external}");
            self.new_user
                .execute(params![id, external, tags, name, now])?;
            id
        };
        self.take_seq.execute(params![conversation, seq + 1])?;
        let message = MessageId::from_bytes(numbers.id()).to_string();
        let payload = text(word.number);
        let tags = rows::text(&rows::message(word.thread, word.number, DATE));
        self.message.execute(params![
            message,
            conversation,
            user,
            seq,
            payload,
            tags,
            now
        ])?;
        self.once.execute([&once, &message])?;
        self.outbox
            .execute(params![conversation, message, word.delivered, now])?;
        Ok(())
    }
}
