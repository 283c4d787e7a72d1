//! The store's own schema: the rows of an update as its writer leaves them.

use rusqlite::{Connection, OptionalExtension as _, Statement, params};

use super::super::{Numbers, Part, bot, rows, telegram};
use super::{Take, Word};
use crate::failure::Result;
use crate::update::{DATE, text};

const SEEN: &str = "SELECT EXISTS (SELECT 1 FROM message WHERE once = ?1)
    OR EXISTS (SELECT 1 FROM event WHERE once = ?1)
    OR EXISTS (SELECT 1 FROM once_kept WHERE key = ?1)";
const CONVERSATION: &str = concat!(
    "SELECT c.id, c.public, c.channel, c.tags, c.aliases,
    ",
    last_place!(),
    " + 1,
    c.created_at, c.updated_at
    FROM conversation_tag t CROSS JOIN conversation c ON c.id = t.item
    WHERE t.scope = ?1 AND t.pair = ?2 AND t.item >= 0 AND c.integration = ?3
        AND c.channel = 'channel' AND c.deleted_at IS NULL ORDER BY t.item LIMIT 1"
);
const USER: &str = "SELECT u.id, u.public, u.tags, u.name, u.created_at, u.updated_at,
        EXISTS (SELECT 1 FROM participant p WHERE p.conversation = ?4 AND p.user = u.id)
    FROM user_tag t CROSS JOIN user u ON u.id = t.item
    WHERE t.scope = ?1 AND t.pair = ?2 AND t.item >= 0 AND u.integration IS ?3
        AND u.deleted_at IS NULL ORDER BY t.item LIMIT 1";
pub(in crate::raw) const NEW_CONVERSATION: &str = "INSERT INTO conversation
    (public, bot, integration, channel, tags, created_at, updated_at)
    VALUES (?1, ?2, ?3, 'channel', ?4, ?5, ?5)";
pub(in crate::raw) const NEW_USER: &str = "INSERT INTO user
    (public, bot, integration, tags, name, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)";
pub(in crate::raw) const MESSAGE: &str = "INSERT INTO message
    (public, bot, conversation, user, direction, kind, payload, tags, synthetic, seq, once,
        created_at, updated_at, announced)
    VALUES (?1, ?2, ?3, ?4, 0, 'text', ?5, ?6, 0, ?7, ?8, ?9, ?9, 1)";
pub(in crate::raw) const MESSAGE_TAG: &str =
    "INSERT OR IGNORE INTO message_tag (scope, pair, item) VALUES (?1, ?2, ?3)";
pub(in crate::raw) const CONVERSATION_TAG: &str =
    "INSERT OR IGNORE INTO conversation_tag (scope, pair, item) VALUES (?1, ?2, ?3)";
pub(in crate::raw) const USER_TAG: &str =
    "INSERT OR IGNORE INTO user_tag (scope, pair, item) VALUES (?1, ?2, ?3)";
/// The store's: of a conversation, messages enter the index of tags together.
const TAIL: i64 = 64;
const WAITING: &str = "SELECT m.id, m.tags FROM conversation c
    CROSS JOIN message m ON m.conversation = c.id AND m.seq > c.settled
    WHERE c.id = ?1 ORDER BY m.seq";
const SETTLED: &str = "UPDATE conversation
    SET message_count = message_count + ?2 - settled, settled = ?2 WHERE id = ?1";
pub(in crate::raw) const JOIN: &str =
    "INSERT INTO participant (conversation, user) VALUES (?1, ?2)";
const DELIVERY: &str = "INSERT INTO delivery
    (public, bot, destination, conversation, event, message, status, due_at, error, created_at)
    VALUES (?1, ?2, 0, ?3, NULL, ?4, -1, ?5, NULL, ?5)";

/// The statements, and what they share.
pub(super) struct Statements<'a> {
    connection: &'a Connection,
    without: Option<Part>,
    bot: i64,
    integration: i64,
    seen: Statement<'a>,
    conversation: Statement<'a>,
    user: Statement<'a>,
    message: Statement<'a>,
    message_tag: Statement<'a>,
    waiting: Statement<'a>,
    settled: Statement<'a>,
    delivery: Statement<'a>,
}

impl<'a> Statements<'a> {
    pub(super) fn prepare(connection: &'a Connection, without: Option<Part>) -> Result<Self> {
        Ok(Self {
            connection,
            without,
            bot: bot(connection)?,
            integration: telegram(connection)?,
            seen: connection.prepare(SEEN)?,
            conversation: connection.prepare(CONVERSATION)?,
            user: connection.prepare(USER)?,
            message: connection.prepare(MESSAGE)?,
            message_tag: connection.prepare(MESSAGE_TAG)?,
            waiting: connection.prepare(WAITING)?,
            settled: connection.prepare(SETTLED)?,
            delivery: connection.prepare(DELIVERY)?,
        })
    }

    fn conversation(&mut self, numbers: &mut Numbers, word: Word) -> Result<(i64, i64)> {
        let keys = [self.bot, word.identity, self.integration];
        let found = self.conversation.query_row(keys, |row| {
            // All of it is looked at, as the store does to compare it with what came.
            let _public: [u8; 16] = row.get(1)?;
            let (_channel, _tags) = (row.get_ref(2)?.as_str()?, row.get_ref(3)?.as_str()?);
            Ok((row.get(0)?, row.get(5)?))
        });
        if let Some(found) = found.optional()? {
            return Ok(found);
        }
        let tags = rows::conversation(word.thread);
        let text = rows::text(&tags);
        let values = params![numbers.id(), self.bot, self.integration, text, super::NOW];
        let id = self
            .connection
            .prepare_cached(NEW_CONVERSATION)?
            .insert(values)?;
        let mut tag = self.connection.prepare_cached(CONVERSATION_TAG)?;
        for pair in rows::digests(&tags) {
            tag.execute([self.bot, pair, id])?;
        }
        Ok((id, 1))
    }

    /// Puts the messages of a conversation that wait into the index of tags.
    fn settle(&mut self, numbers: &mut Numbers, conversation: i64, seq: i64) -> Result<()> {
        let mut entries = Vec::new();
        let mut waiting = self.waiting.query([conversation])?;
        while let Some(row) = waiting.next()? {
            let message: i64 = row.get(0)?;
            let _tags: String = row.get(1)?;
            entries.extend((0..3).map(|_| [conversation, numbers.digest(), message]));
        }
        drop(waiting);
        entries.sort_unstable();
        for entry in entries {
            self.message_tag.execute(entry)?;
        }
        self.settled.execute([conversation, seq])?;
        Ok(())
    }

    /// Tells whether it takes part in the conversation, too.
    fn user(
        &mut self,
        numbers: &mut Numbers,
        word: Word,
        conversation: i64,
    ) -> Result<(i64, bool)> {
        let keys = [self.bot, word.identity, self.integration, conversation];
        let found = self.user.query_row(keys, |row| {
            let _tags = row.get_ref(2)?.as_str()?;
            let _name = row.get_ref(3)?.as_str()?;
            Ok((row.get(0)?, row.get(6)?))
        });
        if let Some(found) = found.optional()? {
            return Ok(found);
        }
        let tags = rows::user(word.thread);
        let text = rows::text(&tags);
        let name = format!("Person {}", word.thread);
        let values = params![
            numbers.id(),
            self.bot,
            self.integration,
            text,
            name,
            super::NOW
        ];
        let id = self.connection.prepare_cached(NEW_USER)?.insert(values)?;
        let mut tag = self.connection.prepare_cached(USER_TAG)?;
        for pair in rows::digests(&tags) {
            tag.execute([self.bot, pair, id])?;
        }
        Ok((id, false))
    }
}

impl Take for Statements<'_> {
    fn take(&mut self, numbers: &mut Numbers, word: Word) -> Result<()> {
        let once = rows::numbered(word.number, numbers.key());
        let seen: bool = self.seen.query_row([once], |row| row.get(0))?;
        debug_assert!(!seen, "keys are scattered numbers, each used once");
        let (conversation, seq) = self.conversation(numbers, word)?;
        let (user, takes_part) = self.user(numbers, word, conversation)?;
        let tags = rows::text(&rows::message(word.thread, word.number, DATE));
        let message = self.message.insert(params![
            numbers.id(),
            self.bot,
            conversation,
            user,
            text(word.number),
            tags,
            seq,
            once,
            super::NOW
        ])?;
        if self.without != Some(Part::Tags) && (seq + conversation) % TAIL == 0 {
            self.settle(numbers, conversation, seq)?;
        }
        if !takes_part {
            self.connection.execute(JOIN, [conversation, user])?;
        }
        if self.without == Some(Part::Delivery) {
            return Ok(());
        }
        self.delivery.insert(params![
            numbers.id(),
            self.bot,
            conversation,
            message,
            super::NOW
        ])?;
        Ok(())
    }
}
