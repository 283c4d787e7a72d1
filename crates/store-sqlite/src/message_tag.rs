//! Which messages of a conversation have a tag.
//!
//! The index of messages' tags holds everything but the newest messages that a channel brought to a
//! conversation: those wait until they are about [`TAIL`], and enter it together. One by one, each
//! of their tags would cost its ingest a page that lies anywhere in the file; together they share
//! theirs. Whoever looks for a tag looks through those few messages, too. So it is with the count of
//! messages in the conversation's row: what waits is counted by its places.
//!
//! For questions across conversations a mark says how far the index has all rows ([`Mark`]).
//!
//! [`Mark`]: crate::mark::Mark
//!
//! What never happens here: a message with a tag that is found by no look for it; a look whose cost
//! grows with the conversation.

use rusqlite::Connection;
use switchboard_model::Tags;

use crate::failure::Done;
use crate::mark::ROWS;
use crate::rows::{self, ConversationRow};
use crate::tags::{self, CANDIDATES, Entry, MESSAGES};

/// How many messages a conversation has at most that are looked through.
pub(crate) const TAIL: i64 = 64;

const WAITING: &str = "SELECT m.id, m.tags, m.seq FROM conversation c
    CROSS JOIN message m ON m.conversation = c.id AND m.seq > c.settled
    WHERE c.id = ?1 ORDER BY m.seq";
const SETTLED: &str = "UPDATE conversation
    SET message_count = message_count + ?2 - settled, settled = ?2 WHERE id = ?1";
/// Those that went out did not wait.
pub(crate) const BEHIND: &str = "SELECT id, conversation, iif(direction, '{}', tags) FROM message
    WHERE id > ?1 ORDER BY id LIMIT ?2";
const TAGGED: &str = "SELECT t.item FROM conversation c
    CROSS JOIN message_tag t ON t.scope = c.id AND t.pair = ?2
    WHERE c.bot = ?1 AND c.deleted_at IS NULL LIMIT ?3";

/// To be told of each message that comes to the end of its conversation, once it is there.
/// Conversations of one age take turns.
pub(crate) fn came(
    connection: &Connection,
    conversation: &mut ConversationRow,
    seq: i64,
) -> Done<()> {
    if (seq + conversation.id) % TAIL == 0 && conversation.settled < seq {
        settle(connection, conversation.id)?;
        conversation.settled = seq;
    }
    Ok(())
}

/// Puts all of a conversation's messages into the index, and counts them.
pub(crate) fn settle(connection: &Connection, conversation: i64) -> Done<()> {
    let mut entries = Vec::new();
    let mut last = None;
    rows::each(connection, WAITING, [conversation], |row| {
        let (id, tags) = (row.get(0)?, rows::text(row, 1)?);
        entries.extend(MESSAGES.entries_of_text(conversation, id, tags)?);
        last = Some(row.get(2)?);
        Ok(())
    })?;
    let Some(last) = last else {
        return Ok(());
    };
    insert(connection, entries)?;
    rows::execute(connection, SETTLED, [conversation, last])?;
    Ok(())
}

/// In their order, so that entries of one page come together.
fn insert(connection: &Connection, mut entries: Vec<Entry>) -> Done<()> {
    entries.sort_unstable();
    MESSAGES.insert(connection, entries)
}

/// Puts some rows behind a mark into the index. Tells how many, none only if there are no more, and
/// the last.
pub(crate) fn gather(connection: &Connection, mark: i64) -> Done<(i64, i64)> {
    let mut entries = Vec::new();
    let (mut taken, mut upto) = (0, mark);
    rows::each(connection, BEHIND, [mark, ROWS], |row| {
        let (id, conversation, tags) = (row.get(0)?, row.get(1)?, rows::text(row, 2)?);
        entries.extend(MESSAGES.entries_of_text(conversation, id, tags)?);
        upto = id;
        taken += 1;
        Ok(())
    })?;
    insert(connection, entries)?;
    Ok((taken, upto))
}

/// The first message of a conversation from `start` on that may have all of `tags`.
pub(crate) fn first(
    connection: &Connection,
    conversation: i64,
    tags: &Tags,
    start: i64,
) -> Done<Option<i64>> {
    let pairs = tags::digests(tags);
    let indexed = MESSAGES.first(connection, conversation, &pairs, start)?;
    let waiting = having(connection, conversation, tags)?
        .into_iter()
        .filter(|id| *id >= start);
    Ok(waiting.chain(indexed).min())
}

/// Those that may not be in the index and have all of `tags`.
fn having(connection: &Connection, conversation: i64, tags: &Tags) -> Done<Vec<i64>> {
    let mut found = Vec::new();
    rows::each(connection, WAITING, [conversation], |row| {
        if rows::tags(row, 1)?.contains(tags) {
            found.push(row.get(0)?);
        }
        Ok(())
    })?;
    Ok(found)
}

/// The messages of a conversation that may have all of `tags`, as a JSON array; none if they are too
/// many to be worth listing.
pub(crate) fn candidates(
    connection: &Connection,
    conversation: i64,
    tags: &Tags,
) -> Done<Option<String>> {
    let Some(mut found) = MESSAGES.having(connection, &[conversation], tags)? else {
        return Ok(None);
    };
    found.extend(having(connection, conversation, tags)?);
    tags::as_array(&found).map(Some)
}

/// The same of all conversations of a bot, as far as the mark goes. The index has its entries by
/// conversation, so that this is one look into each: an index over the whole bot would cost each
/// ingest a page.
pub(crate) fn candidates_of_bot(
    connection: &Connection,
    bot: i64,
    tags: &Tags,
) -> Done<Option<String>> {
    let Some(pair) = tags::digests(tags).into_iter().next() else {
        return Ok(None);
    };
    let keys = [bot, pair, rows::as_limit(CANDIDATES + 1)];
    let found: Vec<i64> = rows::all(connection, TAGGED, keys, |row| row.get(0))?;
    if found.len() > CANDIDATES {
        return Ok(None);
    }
    tags::as_array(&found).map(Some)
}
