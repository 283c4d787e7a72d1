//! Lists of conversations: from the tag index where tags are asked for, else in their own order.

use switchboard_model::{BotId, Conversation};
use switchboard_store::{ConversationFilter, Cursor, Page, PageRequest, SortField};

use crate::connection::Connection;
use crate::failure::Done;
use crate::query::Query;
use crate::tags::{self, CONVERSATIONS, without_identity};
use crate::{rows, user};

pub(super) async fn list(
    connection: &Connection,
    bot: BotId,
    filter: &ConversationFilter,
    page: PageRequest,
) -> Done<Page<Conversation>> {
    let Some(bot_number) = rows::bot(connection, bot).await? else {
        return Ok(Page::empty());
    };
    let mut query = Query::new(rows::select_conversation!());
    query.and("c.deleted_at IS NULL");
    query.and_value("c.bot = ?", bot_number);
    if !filter.tags.is_empty() {
        let scopes = [bot_number, without_identity(bot_number)];
        let found = CONVERSATIONS
            .candidates(connection, &scopes, &filter.tags)
            .await?;
        if let Some(candidates) = found {
            query.and_value("c.id = ANY (?)", candidates);
        }
        query.and_value(
            "c.tags::jsonb @> ?::text::jsonb",
            tags::to_text(&filter.tags)?,
        );
    }
    if let Some(integration) = filter.integration {
        let Some(integration) = rows::integration(connection, bot, integration).await? else {
            return Ok(Page::empty());
        };
        query.and_value("c.integration = ?", integration);
    }
    if let Some(channel) = &filter.channel {
        query.and_value("c.channel = ?", channel.clone());
    }
    for id in &filter.participants {
        let Some(user) = user::number(connection, bot_number, *id).await? else {
            return Ok(Page::empty());
        };
        query.and_value(
            "c.id IN (SELECT conversation FROM participant WHERE user_id = ?)",
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
        query.and_value("c.message_count >= ?", count(min));
    }
    if let Some(max) = filter.max_messages {
        query.and_value("c.message_count <= ?", count(max));
    }
    let column = match filter.sort {
        SortField::CreatedAt => "c.created_at",
        SortField::UpdatedAt => "c.updated_at",
    };
    let order = (column, "c.id", filter.order);
    let place = |row: &rows::ConversationRow| Cursor {
        at: match filter.sort {
            SortField::CreatedAt => row.value.created_at.as_millis(),
            SortField::UpdatedAt => row.value.updated_at.as_millis(),
        },
        row: row.id,
    };
    let page = query
        .page(connection, order, page, rows::conversation, place)
        .await?;
    Ok(page.map(|row| row.value))
}

/// As the column counts.
fn count(limit: u32) -> i32 {
    i32::try_from(limit).unwrap_or(i32::MAX)
}
