//! The tag index: which objects have a pair of name and value.
//!
//! An identity is an intersection of sorted lists, which the database finds in one statement, so
//! that all of it is of one moment (`first_tagged` in the schema).

use std::collections::BTreeSet;

use ring::digest;
use switchboard_model::{Error, TagPatch, Tags};

use crate::connection::Connection;
use crate::failure::{Done, Failure};

const FIRST: &str = "SELECT first_tagged($1, $2, $3, $4)";
const ALL: &str = "SELECT all_tagged($1, $2, $3, $4, $5)";
const INSERT: &str = "INSERT INTO tag (kind, scope, pair, item)
    SELECT $1, $2, pair, $3 FROM unnest($4::bigint[]) pair ON CONFLICT DO NOTHING";
const DELETE: &str = "DELETE FROM tag
    WHERE kind = $1 AND scope = $2 AND item = $3 AND pair = ANY ($4::bigint[])";

/// One part of the index.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TagIndex(i16);

/// Conversations of a bot.
pub(crate) const CONVERSATIONS: TagIndex = TagIndex(0);
/// Users of a bot.
pub(crate) const USERS: TagIndex = TagIndex(1);
/// Messages of a conversation.
pub(crate) const MESSAGES: TagIndex = TagIndex(2);

/// Where the index has conversations of a bot that no identity means: listed, never found.
pub(crate) const fn without_identity(bot: i64) -> i64 {
    -bot
}

/// Above this many candidates a list walks in its own order and checks each row instead.
const CANDIDATES: i32 = 10_000;
/// And above this many steps to find them.
const STEPS: i32 = 50_000;

impl TagIndex {
    /// The first item from `start` on that has all pairs, by digest.
    pub(crate) async fn first(
        self,
        connection: &Connection,
        scope: i64,
        pairs: &[i64],
        start: i64,
    ) -> Done<Option<i64>> {
        connection
            .sure(FIRST, &[&self.0, &scope, &pairs, &start])
            .await
    }

    /// All items that have all of `tags` by digest, or `None` if they are too many to be worth
    /// listing.
    pub(crate) async fn candidates(
        self,
        connection: &Connection,
        scopes: &[i64],
        tags: &Tags,
    ) -> Done<Option<Vec<i64>>> {
        let pairs = digests(tags);
        connection
            .sure(ALL, &[&self.0, &scopes, &pairs, &CANDIDATES, &STEPS])
            .await
    }

    /// Makes the index of `item` say `new` where it said `old`.
    pub(crate) async fn replace(
        self,
        connection: &Connection,
        scope: i64,
        item: i64,
        old: &BTreeSet<i64>,
        new: &BTreeSet<i64>,
    ) -> Done<()> {
        let less: Vec<i64> = old.difference(new).copied().collect();
        if !less.is_empty() {
            connection
                .execute(DELETE, &[&self.0, &scope, &item, &less])
                .await?;
        }
        let more: Vec<i64> = new.difference(old).copied().collect();
        self.insert(connection, scope, item, &more).await
    }

    /// Adds the tags of a new item.
    pub(crate) async fn add(
        self,
        connection: &Connection,
        scope: i64,
        item: i64,
        tags: &Tags,
    ) -> Done<()> {
        self.insert(connection, scope, item, &digests(tags)).await
    }

    async fn insert(
        self,
        connection: &Connection,
        scope: i64,
        item: i64,
        pairs: &[i64],
    ) -> Done<()> {
        if !pairs.is_empty() {
            connection
                .execute(INSERT, &[&self.0, &scope, &item, &pairs])
                .await?;
        }
        Ok(())
    }
}

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
