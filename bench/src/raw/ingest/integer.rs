//! The best schema there is: integer references inside, the 16-byte public id beside, the once key
//! as a column of the message. It keeps all that an update says; left out is what the server finds
//! it by, and what it tells its bot with: the index of tags, events, orders of time.

use rusqlite::{Connection, OptionalExtension as _, Statement, params};

use super::super::{Numbers, rows};
use super::{Take, Word};
use crate::failure::Result;
use crate::update::{DATE, text};

pub(super) const SCHEMA: &str = "
    CREATE TABLE conversation (
        id INTEGER PRIMARY KEY,
        public BLOB NOT NULL UNIQUE,
        external TEXT NOT NULL UNIQUE,
        tags TEXT NOT NULL,
        next_seq INTEGER NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE user (
        id INTEGER PRIMARY KEY,
        public BLOB NOT NULL UNIQUE,
        external TEXT NOT NULL UNIQUE,
        tags TEXT NOT NULL,
        name TEXT NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE message (
        id INTEGER PRIMARY KEY,
        public BLOB NOT NULL UNIQUE,
        conversation INTEGER NOT NULL REFERENCES conversation (id),
        user INTEGER NOT NULL REFERENCES user (id),
        seq INTEGER NOT NULL,
        kind TEXT NOT NULL,
        payload TEXT NOT NULL,
        tags TEXT NOT NULL,
        once BLOB NOT NULL UNIQUE,
        created_at INTEGER NOT NULL,
        UNIQUE (conversation, seq)
    ) STRICT;
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY,
        conversation INTEGER NOT NULL,
        message INTEGER NOT NULL REFERENCES message (id),
        delivered INTEGER NOT NULL,
        due_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX outbox_due ON outbox (due_at) WHERE delivered = 0;";

const SEEN: &str = "SELECT EXISTS (SELECT 1 FROM message WHERE once = ?1)";
const CONVERSATION: &str = "SELECT id, next_seq FROM conversation WHERE external = ?1";
const USER: &str = "SELECT id FROM user WHERE external = ?1";
const NEW_CONVERSATION: &str = "INSERT INTO conversation
    (public, external, tags, next_seq, created_at) VALUES (?1, ?2, ?3, 1, ?4)";
const NEW_USER: &str = "INSERT INTO user (public, external, tags, name, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5)";
const TAKE_SEQ: &str = "UPDATE conversation SET next_seq = ?2 WHERE id = ?1";
const MESSAGE: &str = "INSERT INTO message
    (public, conversation, user, seq, kind, payload, tags, once, created_at)
    VALUES (?1, ?2, ?3, ?4, 'text', ?5, ?6, ?7, ?8)";
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
            outbox: connection.prepare(OUTBOX)?,
        })
    }
}

impl Take for Statements<'_> {
    fn take(&mut self, numbers: &mut Numbers, word: Word) -> Result<()> {
        let now = super::NOW;
        let once = numbers.key();
        let seen: bool = self.seen.query_row([once], |row| row.get(0))?;
        debug_assert!(!seen, "keys are scattered numbers, each used once");
        let external = word.thread.to_string();
        let found: Option<(i64, i64)> = self
            .conversation
            .query_row([&external], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (conversation, seq) = if let Some(found) = found {
            found
        } else {
            let values = params![
                numbers.id(),
                external,
                rows::text(&rows::conversation(word.thread)),
                now
            ];
            (self.new_conversation.insert(values)?, 1)
        };
        let found: Option<i64> = self
            .user
            .query_row([&external], |row| row.get(0))
            .optional()?;
        let user = if let Some(found) = found {
            found
        } else {
            let tags = rows::text(&rows::user(word.thread));
            let name = format!("Person {external}");
            let values = params![numbers.id(), external, tags, name, now];
            self.new_user.insert(values)?
        };
        self.take_seq.execute([conversation, seq + 1])?;
        let message = self.message.insert(params![
            numbers.id(),
            conversation,
            user,
            seq,
            text(word.number),
            rows::text(&rows::message(word.thread, word.number, DATE)),
            once,
            now
        ])?;
        let delivered = i64::from(word.delivered);
        self.outbox
            .execute([conversation, message, delivered, now])?;
        Ok(())
    }
}
