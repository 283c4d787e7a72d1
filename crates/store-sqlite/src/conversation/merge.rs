//! Two conversations become one: they were one thread all along.
//!
//! The cost is that of the younger one, of what the older one got since the younger began, and of what
//! waits in the lines of both.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};
use switchboard_model::{Error, TagPatch, Timestamp};
use switchboard_store::{Rekeyed, TagKind};

use super::{indexed, retag};
use crate::failure::Done;
use crate::outbox::{self, look};
use crate::rows::{self, ConversationRow};
use crate::tags::{CONVERSATIONS, Surplus};
use crate::writer::Tx;
use crate::{message_tag, tag_value};

const TOMBSTONE: &str =
    "UPDATE conversation SET deleted_at = ?3, merged_into = ?2 WHERE id = ?1 OR merged_into = ?1";
const JOIN: &str = "INSERT OR IGNORE INTO participant (conversation, user)
    SELECT ?2, user FROM participant WHERE conversation = ?1 ORDER BY id";
const LEAVE: &str = "DELETE FROM participant WHERE conversation = ?1";
const MESSAGES: &str = "SELECT id, created_at FROM message WHERE conversation = ?1 AND seq >= 0
    ORDER BY seq, created_at, id";
// What waits for its time has no place yet.
const WAITING: &str = "UPDATE message SET conversation = ?2 WHERE conversation = ?1 AND seq < 0";
const LATER: &str = "SELECT id, created_at, seq FROM message
    WHERE conversation = ?1 AND seq >= ?2 ORDER BY seq, created_at, id";
const FIRST_LATER: &str = "SELECT seq FROM message
    WHERE conversation = ?1 AND seq >= 0 AND created_at > ?2 ORDER BY seq LIMIT 1";
const ASIDE: &str = "UPDATE message SET seq = -seq WHERE conversation = ?1 AND seq >= ?2";
// Imported ones get places of their own.
const PLACE: &str = "UPDATE message SET conversation = ?2, seq = ?3, imported = 0 WHERE id = ?1";
const SETTLED: &str = "UPDATE conversation
    SET settled = ?2 - 1, message_count = message_count + ?3 WHERE id = ?1";
const MESSAGE_TAGS: &str = "UPDATE message_tag SET scope = ?2 WHERE scope = ?1";
// Sent to the channel, or told to the bot.
const HANDED_ON: &str = "UPDATE delivery SET conversation = ?2 WHERE message = ?1";
const EVENTS: &str = "SELECT id FROM event WHERE conversation = ?1";
const EVENT: &str = "UPDATE event SET conversation = ?2 WHERE id = ?1";
const TOLD: &str = "UPDATE delivery SET conversation = ?2 WHERE event = ?1";
const IN_FLIGHT: &str = "SELECT count(*) FROM delivery
    WHERE destination = ?1 AND conversation IN (?2, ?3) AND status = 2";
const WORKFLOWS: &str = "UPDATE workflow SET conversation = ?2
    WHERE conversation = ?1 AND deleted_at IS NULL";
const STATES: &str = "UPDATE OR IGNORE state SET subject = ?2 WHERE kind = 0 AND subject = ?1";
const STATES_ASIDE: &str = "UPDATE state SET subject = ?2, name = name || '@' || ?3
    WHERE kind = 0 AND subject = ?1";

/// Merges the two and gives the survivor `tags`. Both are in the same scope.
pub(super) fn merge(
    tx: &mut Tx<'_>,
    one: ConversationRow,
    other: ConversationRow,
    tags: &switchboard_model::Tags,
    now: Timestamp,
) -> Done<Rekeyed> {
    // The first-made answers for both, as it would for an identity that both match.
    let (mut survivor, merged) = if one.id < other.id {
        (one, other)
    } else {
        (other, one)
    };
    let destinations = [outbox::BOTS, survivor.integration];
    for destination in destinations {
        let keys = params![destination, survivor.id, merged.id];
        if rows::value::<i64>(tx.connection, IN_FLIGHT, keys)? > Some(1) {
            return Err(Error::Busy.into());
        }
    }
    let (from, to) = (merged.id, survivor.id);
    for destination in destinations {
        // What waits in one may come before what was not yet looked at in the other.
        for line in [from, to] {
            if look::anew(tx.connection, destination, line)? {
                outbox::told(tx, destination)?;
            }
        }
    }
    messages(tx.connection, &merged, &survivor)?;
    survivor.value.message_count += merged.value.message_count;
    for event in rows::all(tx.connection, EVENTS, [from], |row| row.get::<_, i64>(0))? {
        rows::execute(tx.connection, EVENT, [event, to])?;
        rows::execute(tx.connection, TOLD, [event, to])?;
    }
    rows::execute(tx.connection, WORKFLOWS, [from, to])?;
    rows::execute(tx.connection, JOIN, [from, to])?;
    rows::execute(tx.connection, LEAVE, [from])?;
    rows::execute(tx.connection, STATES, [from, to])?;
    let aside = params![from, to, merged.value.id.to_string()];
    rows::execute(tx.connection, STATES_ASIDE, aside)?;
    identities(tx.connection, &mut survivor, &merged, tags, now)?;
    rows::execute(tx.connection, TOMBSTONE, params![from, to, now.as_millis()])?;
    tx.conversation_changed(survivor.value.id);
    tx.conversation_changed(merged.value.id);
    Ok(Rekeyed::Merged {
        survivor: survivor.value,
        merged: merged.value.id,
    })
}

/// Numbers the messages of both anew, by time, from where the first of the younger one belongs.
fn messages(connection: &Connection, from: &ConversationRow, to: &ConversationRow) -> Done<()> {
    // None of either waits any more: their places change.
    message_tag::settle(connection, from.id)?;
    message_tag::settle(connection, to.id)?;
    rows::execute(connection, MESSAGE_TAGS, [from.id, to.id])?;
    rows::execute(connection, WAITING, [from.id, to.id])?;
    let moved: Vec<(i64, i64)> = rows::all(connection, MESSAGES, [from.id], |row| {
        Ok((row.get(1)?, row.get(0)?))
    })?;
    let Some((first, _)) = moved.first().copied() else {
        return Ok(());
    };
    let start = rows::value(connection, FIRST_LATER, [to.id, first])?.unwrap_or(to.next_seq);
    let later = rows::all(connection, LATER, [to.id, start], |row| {
        Ok((row.get(1)?, row.get(0)?))
    })?;
    rows::execute(connection, ASIDE, [to.id, start])?;
    for (_, message) in &moved {
        rows::execute(connection, HANDED_ON, [*message, to.id])?;
    }
    let mut seq = start.max(1);
    for message in by_time(moved, later) {
        rows::execute(connection, PLACE, [message, to.id, seq])?;
        seq += 1;
    }
    let count = i64::from(from.value.message_count);
    rows::execute(connection, SETTLED, [to.id, seq, count])?;
    Ok(())
}

/// Both by their times, each in the order that it has: a page of one goes on where it ended, and what
/// was scheduled stays where it was said.
fn by_time(one: Vec<(i64, i64)>, other: Vec<(i64, i64)>) -> Vec<i64> {
    let mut one = one.into_iter().peekable();
    let mut other = other.into_iter().peekable();
    let mut all = Vec::new();
    loop {
        let next = match (one.peek(), other.peek()) {
            (Some(first), Some(second)) if first <= second => one.next(),
            (Some(_), None) => one.next(),
            (_, _) => other.next(),
        };
        let Some((_, message)) = next else {
            return all;
        };
        all.push(message);
    }
}

/// What either was known by means the survivor.
fn identities(
    connection: &Connection,
    survivor: &mut ConversationRow,
    merged: &ConversationRow,
    tags: &switchboard_model::Tags,
    now: Timestamp,
) -> Done<()> {
    let none = BTreeSet::new();
    CONVERSATIONS.replace(
        connection,
        merged.index_scope(),
        merged.id,
        &indexed(merged),
        &none,
    )?;
    tag_value::gone(
        connection,
        TagKind::Conversation,
        merged.id,
        &merged.value.tags,
    )?;
    let mut all = survivor.value.tags.clone();
    let news = |(name, _): &(&str, &str)| survivor.value.tags.get(name).is_none();
    let patch: TagPatch = merged.value.tags.iter().filter(news).collect();
    Surplus::LeaveOut.merge(&mut all, &patch)?;
    Surplus::LeaveOut.merge(&mut all, tags)?;
    let pairs = survivor.value.tags.iter().chain(merged.value.tags.iter());
    let mut aliases: Vec<(String, String)> = pairs
        .filter(|(name, value)| all.get(name) != Some(*value))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    aliases.extend(merged.aliases.iter().cloned());
    retag(connection, survivor, all, aliases, now)
}
