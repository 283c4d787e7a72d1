//! The values of tags: counted apart, so that a list of them walks through nothing.
//!
//! A count is that of the rows up to a mark whose tags hold the value now. A new row lies behind the
//! mark and costs nothing here. Whoever changes or removes one that the mark has passed says so
//! ([`changed`]), in the same transaction; behind the mark that is one look. The mark moves in
//! bounded steps ([`gather`]): while nothing waits for the writer, and before an answer up to what
//! was there when it was asked for.
//!
//! What never happens here: a list that is not whole; a value that nothing has any more.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use rusqlite::{Connection, params};
use switchboard_model::{BotId, Result, Tags};
use switchboard_store::{TagKind, TagValueFilter, TagValuePage, TagValueStore, TagValues};

use crate::failure::Done;
use crate::mark::{Mark, ROWS};
use crate::{SqliteStore, rows};

/// Tags that a step gathers at most, about: an object may have a hundred.
const PAIRS: usize = 5000;

const NAME: &str = "SELECT id FROM tag_name
    WHERE bot = ?1 AND kind = ?2 AND name = ?3 AND integration = ?4";
const NEW_NAME: &str =
    "INSERT INTO tag_name (bot, kind, name, integration) VALUES (?1, ?2, ?3, ?4)";
// Numbers may come again: nothing refers to a name but its values.
const DELETE_NAME: &str = "DELETE FROM tag_name
    WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM tag_value WHERE name = ?1)";
const MORE: &str = "INSERT INTO tag_value (name, value, count) VALUES (?1, ?2, ?3)
    ON CONFLICT (name, value) DO UPDATE SET count = count + ?3";
const LAST_ONE: &str = "DELETE FROM tag_value WHERE name = ?1 AND value = ?2 AND count <= 1";
const LESS: &str = "UPDATE tag_value SET count = count - 1 WHERE name = ?1 AND value = ?2";
/// One for each integration that has something with the tag.
pub(crate) const NAMES: &str = "SELECT id FROM tag_name
    WHERE bot = ?1 AND kind = ?2 AND name = ?3 AND (?4 IS NULL OR integration = ?4)";
pub(crate) const VALUES: &str = "SELECT value FROM tag_value
    WHERE name = ?1 AND value > ?2 ORDER BY value LIMIT ?3";

/// Of whom an object is, by numbers: bot, and integration or 0.
type Owner = (i64, i64);

/// What stands for a kind.
pub(crate) const fn number(kind: TagKind) -> u8 {
    match kind {
        TagKind::Conversation => 0,
        TagKind::User => 1,
        TagKind::Message => 2,
    }
}

/// The number of the last row.
pub(crate) const fn last_sql(kind: TagKind) -> &'static str {
    match kind {
        TagKind::Conversation => "SELECT coalesce(max(id), 0) FROM conversation",
        TagKind::User => "SELECT coalesce(max(id), 0) FROM user",
        TagKind::Message => "SELECT coalesce(max(id), 0) FROM message",
    }
}

/// The rows behind a mark. Those of deleted users and messages have no tags.
pub(crate) const fn rows_sql(kind: TagKind) -> &'static str {
    match kind {
        TagKind::Conversation => {
            "SELECT id, bot, integration, iif(deleted_at IS NULL, tags, '{}')
            FROM conversation WHERE id > ?1 ORDER BY id"
        }
        TagKind::User => {
            "SELECT id, bot, coalesce(integration, 0), tags FROM user WHERE id > ?1 ORDER BY id"
        }
        TagKind::Message => {
            "SELECT m.id, m.bot, c.integration, m.tags
            FROM message m CROSS JOIN conversation c ON c.id = m.conversation
            WHERE m.id > ?1 ORDER BY m.id"
        }
    }
}

const fn owner_sql(kind: TagKind) -> &'static str {
    match kind {
        TagKind::Conversation => "SELECT bot, integration FROM conversation WHERE id = ?1",
        TagKind::User => "SELECT bot, coalesce(integration, 0) FROM user WHERE id = ?1",
        TagKind::Message => {
            "SELECT m.bot, c.integration
            FROM message m CROSS JOIN conversation c ON c.id = m.conversation WHERE m.id = ?1"
        }
    }
}

/// To be told of each row whose tags change or go, while the row is there.
pub(crate) fn changed(
    connection: &Connection,
    kind: TagKind,
    item: i64,
    before: &Tags,
    now: &Tags,
) -> Done<()> {
    if item > Mark::Values(kind).upto(connection)? {
        return Ok(());
    }
    let owner = rows::one(connection, owner_sql(kind), [item], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?
    .ok_or_else(|| rows::gone("an object with tags"))?;
    for (name, value) in before.iter() {
        if now.get(name) != Some(value) {
            less(connection, kind, owner, name, value)?;
        }
    }
    for (name, value) in now.iter() {
        if before.get(name) != Some(value) {
            let name = known_name(connection, kind, owner, name)?;
            rows::execute(connection, MORE, params![name, value, 1])?;
        }
    }
    Ok(())
}

/// To be told of each row that goes, while it is there.
pub(crate) fn gone(connection: &Connection, kind: TagKind, item: i64, before: &Tags) -> Done<()> {
    if before.is_empty() {
        return Ok(());
    }
    changed(connection, kind, item, before, &Tags::new())
}

fn less(
    connection: &Connection,
    kind: TagKind,
    (bot, integration): Owner,
    name: &str,
    value: &str,
) -> Done<()> {
    let keys = params![bot, number(kind), name, integration];
    let Some(name) = rows::value::<i64>(connection, NAME, keys)? else {
        return Ok(());
    };
    if rows::execute(connection, LAST_ONE, params![name, value])? > 0 {
        rows::execute(connection, DELETE_NAME, [name])?;
    } else {
        rows::execute(connection, LESS, params![name, value])?;
    }
    Ok(())
}

fn known_name(
    connection: &Connection,
    kind: TagKind,
    (bot, integration): Owner,
    name: &str,
) -> Done<i64> {
    let keys = params![bot, number(kind), name, integration];
    match rows::value(connection, NAME, keys)? {
        Some(known) => Ok(known),
        None => rows::insert(connection, NEW_NAME, keys),
    }
}

/// Counts some rows behind a mark. Tells how many, none only if there are no more, and the last.
pub(crate) fn gather(connection: &Connection, kind: TagKind, mark: i64) -> Done<(i64, i64)> {
    let mut upto = mark;
    let mut counts: BTreeMap<(Owner, String), BTreeMap<String, i64>> = BTreeMap::new();
    let (mut taken, mut pairs) = (0, 0);
    let mut statement = connection.prepare_cached(rows_sql(kind))?;
    let mut found = statement.query([mark])?;
    while taken < ROWS
        && pairs < PAIRS
        && let Some(row) = found.next()?
    {
        upto = row.get(0)?;
        let owner = (row.get(1)?, row.get(2)?);
        for (name, value) in rows::tags(row, 3)? {
            let values = counts.entry((owner, name)).or_default();
            *values.entry(value).or_default() += 1;
            pairs += 1;
        }
        taken += 1;
    }
    drop(found);
    drop(statement);
    for ((owner, name), values) in counts {
        let name = known_name(connection, kind, owner, &name)?;
        for (value, count) in values {
            rows::execute(connection, MORE, params![name, value, count])?;
        }
    }
    Ok((taken, upto))
}

/// The page, as far as the mark goes.
pub(crate) fn list(
    connection: &Connection,
    bot: BotId,
    filter: &TagValueFilter,
    page: &TagValuePage,
) -> Done<TagValues> {
    let Some(bot_number) = rows::bot(connection, bot)? else {
        return Ok(TagValues::default());
    };
    let integration = match filter.integration {
        Some(id) => match rows::integration(connection, bot, id)? {
            Some(number) => Some(number),
            None => return Ok(TagValues::default()),
        },
        None => None,
    };
    let keys = params![bot_number, number(filter.kind), filter.name, integration];
    let names: Vec<i64> = rows::all(connection, NAMES, keys, |row| row.get(0))?;
    // One more tells whether there are more. No value is empty, so that all are behind the empty one.
    let limit = page.limit.max(1);
    let after = page.after.as_deref().unwrap_or_default();
    let mut values: BTreeSet<String> = BTreeSet::new();
    for name in names {
        let keys = params![name, after, rows::as_limit(limit.saturating_add(1))];
        values.extend(rows::all(connection, VALUES, keys, |row| {
            row.get::<_, String>(0)
        })?);
    }
    Ok(TagValues {
        more: values.len() > limit,
        values: values.into_iter().take(limit).collect(),
    })
}

#[async_trait]
impl TagValueStore for SqliteStore {
    async fn list_tag_values(
        &self,
        bot: BotId,
        filter: TagValueFilter,
        page: TagValuePage,
    ) -> Result<TagValues> {
        self.gather_up_to_now(Mark::Values(filter.kind)).await?;
        self.list(move |connection| list(connection, bot, &filter, &page))
            .await
    }

    async fn gather_tag_values(&self) -> Result<usize> {
        self.gather_some().await
    }
}
