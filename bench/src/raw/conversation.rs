//! Finding and making a conversation.

use rusqlite::{Connection, OptionalExtension as _, Statement, params};

use super::{Numbers, bot, rows, telegram};
use crate::failure::{Result, failed};

const FIND: &str = "SELECT item FROM conversation_tag
    WHERE scope = ?1 AND pair = ?2 AND item >= 0 ORDER BY item LIMIT 1";
/// The store's own.
const BY_NUMBER: &str = concat!(
    "
    SELECT c.id, c.bot, c.integration, c.aliases,
        ",
    last_place!(),
    ",
        c.public, b.public, i.public,
        i.alias, c.channel, c.tags, c.created_at, c.updated_at
    FROM conversation c CROSS JOIN bot b ON b.id = c.bot
    CROSS JOIN integration i ON i.id = c.integration
    WHERE c.id = ?1 AND c.deleted_at IS NULL"
);
const INSERT: &str = "INSERT INTO conversation
    (public, bot, integration, channel, tags, created_at, updated_at)
    VALUES (?1, ?2, ?3, 'channel', ?4, ?5, ?5)";
const TAG: &str = "INSERT OR IGNORE INTO conversation_tag (scope, pair, item) VALUES (?1, ?2, ?3)";

/// Finds a conversation by a tag.
pub(crate) struct Finder {
    bot: i64,
    pair: i64,
}

impl Finder {
    /// The one with this external id.
    pub(crate) fn new(connection: &Connection, external: &str) -> Result<Self> {
        let (bot, pair) = (bot(connection)?, rows::identity(external));
        Ok(Self { bot, pair })
    }

    /// Finds it.
    pub(crate) fn run(&self, connection: &Connection) -> Result<()> {
        let found: Option<i64> = connection
            .prepare_cached(FIND)?
            .query_row([self.bot, self.pair], |row| row.get(0))
            .optional()?;
        let Some(id) = found else {
            return failed("the seeded conversation is not in the tag index");
        };
        connection
            .prepare_cached(BY_NUMBER)?
            .query_row([id], |row| {
                row.get_ref(10)?.as_str()?;
                Ok(())
            })?;
        Ok(())
    }
}

/// Makes conversations.
pub(crate) struct Maker<'a> {
    bot: i64,
    integration: i64,
    find: Statement<'a>,
    insert: Statement<'a>,
    tag: Statement<'a>,
}

impl<'a> Maker<'a> {
    /// On the writer's connection.
    pub(crate) fn prepare(connection: &'a Connection) -> Result<Self> {
        Ok(Self {
            bot: bot(connection)?,
            integration: telegram(connection)?,
            find: connection.prepare(FIND)?,
            insert: connection.prepare(INSERT)?,
            tag: connection.prepare(TAG)?,
        })
    }

    /// Looks for a thread that is not there, and makes it.
    pub(crate) fn run(&mut self, numbers: &mut Numbers) -> Result<()> {
        let pair = numbers.digest();
        let found: Option<i64> = self
            .find
            .query_row([self.bot, pair], |row| row.get(0))
            .optional()?;
        debug_assert!(
            found.is_none(),
            "digests are scattered numbers, each used once"
        );
        let id = self.insert.insert(params![
            numbers.id(),
            self.bot,
            self.integration,
            r#"{"telegram:id":"0000000000000000"}"#,
            1_750_000_000_000_i64
        ])?;
        self.tag.execute([self.bot, pair, id])?;
        Ok(())
    }
}
