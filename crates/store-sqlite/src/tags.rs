//! The tag indexes: which objects have a pair of name and value.
//!
//! An identity is an intersection of short sorted lists. Nothing is remembered about past
//! questions, so there is nothing to keep right while tags change.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use ring::digest;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Deserialize;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use switchboard_model::{Error, TagPatch, Tags};
use switchboard_store::parts_of_tag;

use crate::failure::{Done, Failure};

/// Scope, pair, item.
pub(crate) type Entry = [i64; 3];

/// One tag index.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TagIndex {
    seek: &'static str,
    insert: &'static str,
    delete: &'static str,
    /// Whether what left in parts is found by each of them.
    by_parts: bool,
}

/// Conversations of a bot.
pub(crate) const CONVERSATIONS: TagIndex = TagIndex {
    seek: "SELECT item FROM conversation_tag WHERE scope = ?1 AND pair = ?2 AND item >= ?3
           ORDER BY item LIMIT 1",
    insert: "INSERT OR IGNORE INTO conversation_tag (scope, pair, item) VALUES (?1, ?2, ?3)",
    delete: "DELETE FROM conversation_tag WHERE scope = ?1 AND pair = ?2 AND item = ?3",
    by_parts: false,
};

/// Users of a bot.
pub(crate) const USERS: TagIndex = TagIndex {
    seek: "SELECT item FROM user_tag WHERE scope = ?1 AND pair = ?2 AND item >= ?3
           ORDER BY item LIMIT 1",
    insert: "INSERT OR IGNORE INTO user_tag (scope, pair, item) VALUES (?1, ?2, ?3)",
    delete: "DELETE FROM user_tag WHERE scope = ?1 AND pair = ?2 AND item = ?3",
    by_parts: false,
};

/// Messages of a conversation, but for the newest: `message_tag` is what knows of those, too.
pub(crate) const MESSAGES: TagIndex = TagIndex {
    seek: "SELECT item FROM message_tag WHERE scope = ?1 AND pair = ?2 AND item >= ?3
           ORDER BY item LIMIT 1",
    insert: "INSERT OR IGNORE INTO message_tag (scope, pair, item) VALUES (?1, ?2, ?3)",
    delete: "DELETE FROM message_tag WHERE scope = ?1 AND pair = ?2 AND item = ?3",
    by_parts: true,
};

/// Where the index has conversations of a bot that no identity means: listed, never found. Kept
/// apart, so that looking for a thread does not pass over all it has left behind.
pub(crate) const fn without_identity(bot: i64) -> i64 {
    -bot
}

/// Workflows of a bot, those at work and those that have ended apart.
pub(crate) const WORKFLOWS: TagIndex = TagIndex {
    seek: "SELECT item FROM workflow_tag WHERE scope = ?1 AND pair = ?2 AND item >= ?3
           ORDER BY item LIMIT 1",
    insert: "INSERT OR IGNORE INTO workflow_tag (scope, pair, item) VALUES (?1, ?2, ?3)",
    delete: "DELETE FROM workflow_tag WHERE scope = ?1 AND pair = ?2 AND item = ?3",
    by_parts: false,
};

/// Above this many candidates a list walks in its own order and checks each row instead.
pub(crate) const CANDIDATES: usize = 10_000;
/// And above this many steps to find them.
const STEPS: usize = 50_000;

impl TagIndex {
    /// The first item from `start` on that has all pairs, by digest.
    pub(crate) fn first(
        self,
        connection: &Connection,
        scope: i64,
        pairs: &[i64],
        start: i64,
    ) -> Done<Option<i64>> {
        let mut steps = usize::MAX;
        self.leapfrog(connection, scope, pairs, start, &mut steps)
    }

    /// All items that have all of `tags` by digest, as a JSON array, or `None` if they are too
    /// many to be worth listing.
    pub(crate) fn candidates(
        self,
        connection: &Connection,
        scopes: &[i64],
        tags: &Tags,
    ) -> Done<Option<String>> {
        let found = self.having(connection, scopes, tags)?;
        found.map(|found| as_array(&found)).transpose()
    }

    /// The same as numbers.
    pub(crate) fn having(
        self,
        connection: &Connection,
        scopes: &[i64],
        tags: &Tags,
    ) -> Done<Option<Vec<i64>>> {
        let pairs = digests(tags);
        let mut found = Vec::new();
        let mut steps = STEPS;
        for scope in scopes {
            let mut start = 0;
            while let Some(item) = self.leapfrog(connection, *scope, &pairs, start, &mut steps)? {
                if found.len() >= CANDIDATES {
                    return Ok(None);
                }
                found.push(item);
                start = item + 1;
            }
        }
        Ok((steps > 0).then_some(found))
    }

    fn leapfrog(
        self,
        connection: &Connection,
        scope: i64,
        pairs: &[i64],
        start: i64,
        steps: &mut usize,
    ) -> Done<Option<i64>> {
        if pairs.is_empty() {
            return Ok(None);
        }
        let mut seek = connection.prepare_cached(self.seek)?;
        let mut at = start;
        let mut agreeing = 0;
        for pair in pairs.iter().cycle() {
            *steps = steps.saturating_sub(1);
            if *steps == 0 {
                return Ok(None);
            }
            let item: Option<i64> = seek
                .query_row(params![scope, pair, at], |row| row.get(0))
                .optional()?;
            let Some(item) = item else {
                return Ok(None);
            };
            if item > at {
                agreeing = 0;
                at = item;
            }
            agreeing += 1;
            if agreeing == pairs.len() {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// Makes the index of `item` say `new` where it said `old`.
    pub(crate) fn replace(
        self,
        connection: &Connection,
        scope: i64,
        item: i64,
        old: &BTreeSet<i64>,
        new: &BTreeSet<i64>,
    ) -> Done<()> {
        for pair in old.difference(new) {
            connection
                .prepare_cached(self.delete)?
                .execute(params![scope, pair, item])?;
        }
        let added = new.difference(old).map(|pair| [scope, *pair, item]);
        self.insert(connection, added)
    }

    /// What the index says of an item with these tags.
    pub(crate) fn pairs(self, tags: &Tags) -> BTreeSet<i64> {
        tags.iter()
            .flat_map(|(name, value)| self.pairs_of(name, value))
            .collect()
    }

    /// The same of one tag.
    fn pairs_of<'t>(self, name: &'t str, value: &'t str) -> impl Iterator<Item = i64> + use<'t> {
        let parts = self.by_parts.then(|| parts_of_tag(name, value));
        std::iter::once((name, value))
            .chain(parts.into_iter().flatten())
            .map(|(name, value)| digest(name, value))
    }

    /// Adds the tags of a new item.
    pub(crate) fn add(
        self,
        connection: &Connection,
        scope: i64,
        item: i64,
        tags: &Tags,
    ) -> Done<()> {
        if tags.is_empty() {
            return Ok(());
        }
        self.insert(connection, self.entries(scope, item, tags))
    }

    /// What is to be in the index of an item with these tags.
    pub(crate) fn entries(
        self,
        scope: i64,
        item: i64,
        tags: &Tags,
    ) -> impl Iterator<Item = Entry> + use<> {
        let pairs = self.pairs(tags).into_iter();
        pairs.map(move |pair| [scope, pair, item])
    }

    /// The same of tags as they are stored, of which none is made: what enters the index together is
    /// read again.
    pub(crate) fn entries_of_text(self, scope: i64, item: i64, tags: &str) -> Done<Vec<Entry>> {
        let pairs = serde_json::Deserializer::from_str(tags)
            .deserialize_map(self)
            .map_err(Failure::damage)?;
        let pairs = pairs.into_iter();
        Ok(pairs.map(|pair| [scope, pair, item]).collect())
    }

    /// Adds entries, of which some may be there.
    pub(crate) fn insert(
        self,
        connection: &Connection,
        entries: impl IntoIterator<Item = Entry>,
    ) -> Done<()> {
        let mut insert = connection.prepare_cached(self.insert)?;
        for entry in entries {
            insert.execute(entry)?;
        }
        Ok(())
    }
}

/// Reads what the index says of an item from its stored tags.
impl<'t> Visitor<'t> for TagIndex {
    type Value = Vec<i64>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("tags")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Vec<i64>, A::Error> {
        let mut pairs = Vec::new();
        while let Some((Text(name), Text(value))) = map.next_entry()? {
            pairs.extend(self.pairs_of(&name, &value));
        }
        Ok(pairs)
    }
}

/// A text that is copied only if it has escapes.
#[derive(Deserialize)]
struct Text<'t>(#[serde(borrow)] Cow<'t, str>);

/// What happens where tags would become more than an object may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surplus {
    /// The command is refused: its caller can be told.
    Refuse,
    /// New names are left out: what a channel brings must not bounce.
    LeaveOut,
}

impl Surplus {
    /// Merges `patch`. Tells whether anything changed.
    pub(crate) fn merge(self, tags: &mut Tags, patch: &TagPatch) -> Done<bool> {
        match self {
            Self::Refuse => tags
                .merge(patch)
                .map_err(|tag| Error::tag("tags", &tag).into()),
            Self::LeaveOut => Ok(tags.merge_fitting(patch)),
        }
    }
}

/// Tags of something new from a channel: what identifies it, and of the others what fits.
pub(crate) fn fitting(identity: &Tags, tags: &Tags) -> Tags {
    let mut fitting = identity.clone();
    fitting.merge_fitting(tags);
    fitting
}

/// The digest of each pair.
pub(crate) fn digests(tags: &Tags) -> Vec<i64> {
    tags.iter()
        .map(|(name, value)| digest(name, value))
        .collect()
}

/// The digest of each pair, as a set.
pub(crate) fn digest_set(tags: &Tags) -> BTreeSet<i64> {
    digests(tags).into_iter().collect()
}

/// The first 8 bytes of the SHA-256 of name and value; the name's length comes first, so that no
/// two pairs read the same.
pub(crate) fn digest(name: &str, value: &str) -> i64 {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&u64::try_from(name.len()).unwrap_or(u64::MAX).to_be_bytes());
    context.update(name.as_bytes());
    context.update(value.as_bytes());
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    i64::from_be_bytes(first)
}

/// Tags as they are stored.
pub(crate) fn to_text(tags: &Tags) -> Done<String> {
    serde_json::to_string(tags).map_err(Failure::damage)
}

/// Numbers for `json_each`.
pub(crate) fn as_array(numbers: &[i64]) -> Done<String> {
    serde_json::to_string(numbers).map_err(Failure::damage)
}
