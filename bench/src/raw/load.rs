//! Many conversations and messages, as an ingest and a bot that has taken each of them leave them
//! behind: the same rows, in the same order, so that pages and indexes are as full as a server's.
//!
//! One connection without a journal and with much memory: if it fails, the file is worth nothing.

use std::path::Path;

use rusqlite::{Connection, Statement, params};

use super::ingest::{
    CONVERSATION_TAG, JOIN, MESSAGE, MESSAGE_TAG, NEW_CONVERSATION, NEW_USER, USER_TAG,
};
use super::rows;
use super::{Numbers, scatter};
use crate::failure::Result;
use crate::stored::Size;
use crate::system;
use crate::update::text;

const COUNT: &str = "UPDATE conversation
    SET message_count = ?2, settled = ?2 WHERE id = ?1";
/// The bot has taken it, at the first try.
const DELIVERY: &str = "INSERT INTO delivery
    (public, bot, destination, conversation, message, status, attempts, due_at, epoch, trying_since,
        created_at)
    VALUES (?1, ?2, 0, ?3, ?4, 3, 1, ?5, 1, ?5, ?5)";
const TAG_NAME: &str =
    "INSERT INTO tag_name (bot, kind, name, integration) VALUES (?1, ?2, ?3, ?4)";
const TAG_VALUE: &str = "INSERT INTO tag_value (name, value, count) VALUES (?1, ?2, ?3)";
const MARK: &str = "UPDATE tag_mark SET upto = ?2 WHERE kind = ?1";
const POSITION: &str =
    "INSERT INTO poll_position (integration, account, next, at) VALUES (?1, '100', ?2, ?3)";

const INTEGRATION: &str = "SELECT public FROM integration WHERE id = ?1";

/// Milliseconds from each message to the next.
const APART: u64 = 333;
/// How often the caller hears how far it is.
const STEP: u64 = 10_000;

/// Who says what, and when.
struct Plan {
    size: Size,
    lengths: Vec<u64>,
    now: u64,
}

impl Plan {
    /// The thread of each message in turn.
    fn threads(&self) -> impl Iterator<Item = u64> {
        let few = self.lengths.len() as u64;
        let mut left = self.lengths.clone();
        (1..=self.size.messages).map(move |number| {
            for (place, left) in left.iter_mut().enumerate() {
                let each = self.size.messages / self.lengths[place];
                if *left > 0 && number % each == place as u64 {
                    *left -= 1;
                    return place as u64 + 1;
                }
            }
            few + 1 + scatter(number) % (self.size.conversations - few)
        })
    }

    /// When a message was said, in milliseconds. Conversations come before the first.
    fn at(&self, number: u64) -> u64 {
        self.now - (self.size.messages - number) * APART
    }

    fn made_at(&self, thread: u64) -> u64 {
        self.at(0) - (self.size.conversations - thread) * APART
    }
}

struct Loader<'a> {
    connection: &'a Connection,
    plan: Plan,
    bot: i64,
    integration: i64,
    public: [u8; 16],
    numbers: Numbers,
}

/// Fills a new database that has a bot. `progress` is told how many rows of
/// [`Size::rows`](crate::stored::Size::rows) there are.
pub(crate) fn load(path: &Path, size: Size, mut progress: impl FnMut(u64)) -> Result<()> {
    let connection = Connection::open(path)?;
    connection.execute_batch(super::UNSAFE)?;
    connection.pragma_update(None, "cache_size", -super::loader_cache(size))?;
    let integration = super::telegram(&connection)?;
    let mut loader = Loader {
        bot: super::bot(&connection)?,
        public: connection.query_row(INTEGRATION, [integration], |row| row.get(0))?,
        integration,
        connection: &connection,
        plan: Plan {
            size,
            lengths: size.lengths(),
            now: system::now(),
        },
        numbers: Numbers::new(0),
    };
    connection.execute_batch("BEGIN")?;
    loader.people(&mut progress)?;
    connection.execute_batch("COMMIT; BEGIN")?;
    let counts = loader.messages(&mut progress)?;
    connection.execute_batch("COMMIT; BEGIN")?;
    loader.values(&counts)?;
    connection.execute_batch("COMMIT")?;
    drop(connection);
    std::fs::File::open(path)?.sync_all()?;
    Ok(())
}

impl Loader<'_> {
    /// Conversations, each with its person.
    fn people(&mut self, progress: &mut impl FnMut(u64)) -> Result<()> {
        let mut conversation = self.connection.prepare(NEW_CONVERSATION)?;
        let mut conversation_tag = self.connection.prepare(CONVERSATION_TAG)?;
        let mut user = self.connection.prepare(NEW_USER)?;
        let mut user_tag = self.connection.prepare(USER_TAG)?;
        let mut join = self.connection.prepare(JOIN)?;
        for thread in 1..=self.plan.size.conversations {
            let at = self.plan.made_at(thread);
            let tags = rows::conversation(thread);
            let id = conversation.insert(params![
                self.numbers.id_at(at),
                self.bot,
                self.integration,
                rows::text(&tags),
                at.cast_signed()
            ])?;
            for pair in rows::digests(&tags) {
                conversation_tag.execute([self.bot, pair, id])?;
            }
            let tags = rows::user(thread);
            let person = user.insert(params![
                self.numbers.id_at(at),
                self.bot,
                self.integration,
                rows::text(&tags),
                format!("Person {thread}"),
                at.cast_signed()
            ])?;
            for pair in rows::digests(&tags) {
                user_tag.execute([self.bot, pair, person])?;
            }
            join.execute([id, person])?;
            if thread % STEP == 0 {
                progress(thread);
            }
        }
        Ok(())
    }

    /// Messages, each with the delivery that told the bot. Tells how many each thread has.
    fn messages(&mut self, progress: &mut impl FnMut(u64)) -> Result<Vec<u32>> {
        let connection = self.connection;
        let mut message = connection.prepare(MESSAGE)?;
        let mut tag = connection.prepare(MESSAGE_TAG)?;
        let mut delivery = connection.prepare(DELIVERY)?;
        // Threads, conversations and users have the same numbers: all were made in turn. The bot
        // is a user, too.
        let [first, person] = ["conversation", "user"].map(|table| {
            let sql = format!("SELECT max(id) FROM {table}");
            connection.query_row(&sql, [], |row| row.get::<_, i64>(0))
        });
        let behind = |last: i64| last - self.plan.size.conversations.cast_signed();
        let (first, person) = (behind(first?), behind(person?));
        let size = self.plan.size;
        let mut counts = vec![0_u32; usize::try_from(size.conversations).unwrap_or(usize::MAX) + 1];
        for (number, thread) in (1..).zip(self.plan.threads()) {
            let at = self.plan.at(number);
            let now = at.cast_signed();
            let count = usize::try_from(thread)
                .ok()
                .and_then(|at| counts.get_mut(at));
            let Some(count) = count else { continue };
            *count += 1;
            let conversation = first + thread.cast_signed();
            let user = person + thread.cast_signed();
            let tags = rows::message(thread, number, at / 1000);
            let id = message.insert(params![
                self.numbers.id_at(at),
                self.bot,
                conversation,
                user,
                text(number),
                rows::text(&tags),
                *count,
                rows::once(self.public, thread, number),
                now
            ])?;
            for pair in rows::digests(&tags) {
                tag.execute([conversation, pair, id])?;
            }
            let public = self.numbers.id_at(at);
            delivery.execute(params![public, self.bot, conversation, id, now])?;
            if number % STEP == 0 {
                progress(size.conversations + number);
            }
        }
        let mut set = connection.prepare(COUNT)?;
        for (thread, count) in (0..).zip(&counts).skip(1) {
            set.execute([first + thread, i64::from(*count)])?;
        }
        Ok(counts)
    }

    /// What is counted of tags, all of it, as a server has it that had time for it.
    fn values(&self, counts: &[u32]) -> Result<()> {
        let Size {
            conversations,
            messages,
        } = self.plan.size;
        let mut value = self.connection.prepare(TAG_VALUE)?;
        let threads = || 1..=conversations;
        for name in ["telegram:chatId", "telegram:id"] {
            self.each(
                &mut value,
                0,
                name,
                threads().map(|one| (one.to_string(), 1)),
            )?;
        }
        let private = ("private".to_owned(), conversations.cast_signed());
        self.each(&mut value, 0, "telegram:chatType", [private])?;
        self.each(
            &mut value,
            1,
            "telegram:id",
            threads().map(|one| (one.to_string(), 1)),
        )?;
        let names = threads().map(|one| (format!("person{one}"), 1));
        self.each(&mut value, 1, "telegram:username", names)?;
        let said = (0_u64..).zip(counts).filter(|(_, count)| **count > 0);
        let said = said.map(|(thread, count)| (thread.to_string(), i64::from(*count)));
        self.each(&mut value, 2, "telegram:chatId", said)?;
        let numbers = (1..=messages).map(|one| (one.to_string(), 1));
        self.each(&mut value, 2, "telegram:id", numbers)?;
        let mut dates: Vec<(u64, i64)> = Vec::new();
        for date in (1..=messages).map(|number| self.plan.at(number) / 1000) {
            match dates.last_mut() {
                Some((last, count)) if *last == date => *count += 1,
                _ => dates.push((date, 1)),
            }
        }
        let dates = dates
            .into_iter()
            .map(|(date, count)| (date.to_string(), count));
        self.each(&mut value, 2, "telegram:date", dates)?;
        // The last is how far the index of messages' tags has all.
        let tables = ["conversation", "user", "message", "message"];
        for (kind, table) in tables.into_iter().enumerate() {
            let sql = format!("SELECT max(id) FROM {table}");
            let last: i64 = self.connection.query_row(&sql, [], |row| row.get(0))?;
            self.connection
                .execute(MARK, [kind.cast_signed() as i64, last])?;
        }
        let now = self.plan.now.cast_signed();
        let position = params![self.integration, messages.cast_signed() + 1, now];
        self.connection.execute(POSITION, position)?;
        Ok(())
    }

    fn each(
        &self,
        value: &mut Statement<'_>,
        kind: i64,
        name: &str,
        values: impl IntoIterator<Item = (String, i64)>,
    ) -> Result<()> {
        let keys = params![self.bot, kind, name, self.integration];
        let mut names = self.connection.prepare_cached(TAG_NAME)?;
        let name = names.insert(keys)?;
        for (text, count) in values {
            value.execute(params![name, text, count])?;
        }
        Ok(())
    }
}
