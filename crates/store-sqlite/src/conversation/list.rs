//! Lists of conversations: from the tag index where tags are asked for, else in their own order.

use rusqlite::Connection;
use switchboard_model::{BotId, Conversation};
use switchboard_store::{ConversationFilter, Cursor, Page, PageRequest, SortField};

use crate::failure::Done;
use crate::query::{self, Query};
use crate::tags::{CONVERSATIONS, without_identity};
use crate::{rows, user};

/// How many messages it has.
macro_rules! count {
    () => {
        concat!(
            "c.message_count - c.settled + ",
            $crate::rows::last_place!()
        )
    };
}

pub(super) fn list(
    connection: &Connection,
    bot: BotId,
    filter: &ConversationFilter,
    page: PageRequest,
) -> Done<Page<Conversation>> {
    let Some(bot_number) = rows::bot(connection, bot)? else {
        return Ok(query::empty());
    };
    let mut query = Query::new(rows::select_conversation!());
    query.and("c.deleted_at IS NULL");
    let candidates = if filter.tags.is_empty() {
        None
    } else {
        let scopes = [bot_number, without_identity(bot_number)];
        CONVERSATIONS.candidates(connection, &scopes, &filter.tags)?
    };
    if let Some(candidates) = candidates {
        // The plus keeps the order's index out: few candidates are read and sorted instead.
        query.and_value("c.id IN (SELECT value FROM json_each(?))", candidates);
        query.and_value("+c.bot = ?", bot_number);
    } else {
        query.and_value("c.bot = ?", bot_number);
    }
    if let Some(integration) = filter.integration {
        let Some(integration) = rows::integration(connection, bot, integration)? else {
            return Ok(query::empty());
        };
        query.and_value("c.integration = ?", integration);
    }
    if let Some(channel) = &filter.channel {
        query.and_value("c.channel = ?", channel.clone());
    }
    for id in &filter.participants {
        let Some(user) = user::number(connection, bot_number, *id)? else {
            return Ok(query::empty());
        };
        query.and_value(
            "c.id IN (SELECT conversation FROM participant WHERE user = ?)",
            user,
        );
    }
    if let Some(after) = filter.after {
        query.and_value("c.created_at >= ?", after.as_millis());
    }
    if let Some(before) = filter.before {
        query.and_value("c.created_at <= ?", before.as_millis());
    }
    if let Some(min) = filter.min_messages {
        query.and_value(concat!(count!(), " >= ?"), min);
    }
    if let Some(max) = filter.max_messages {
        query.and_value(concat!(count!(), " <= ?"), max);
    }
    let column = match filter.sort {
        SortField::CreatedAt => "c.created_at",
        SortField::UpdatedAt => "c.updated_at",
    };
    let page = query.page(
        connection,
        (column, "c.id", filter.order),
        page,
        rows::conversation,
        |row| Cursor {
            at: match filter.sort {
                SortField::CreatedAt => row.value.created_at.as_millis(),
                SortField::UpdatedAt => row.value.updated_at.as_millis(),
            },
            row: row.id,
        },
        |row| Ok(row.value.tags.contains(&filter.tags)),
    )?;
    Ok(query::map_page(page, |row| row.value))
}
