//! Lists of workflows: from the tag index where tags are asked for, else in their own order.

use rusqlite::Connection;
use switchboard_model::{BotId, Workflow};
use switchboard_store::{Cursor, Page, PageRequest, SortOrder, WorkflowFilter};

use super::row::{self, select_workflow, status_number, there};
use crate::failure::{Done, Failure};
use crate::query::{self, Query};
use crate::tags::WORKFLOWS;
use crate::{conversation, rows, user};

pub(super) fn list(
    connection: &Connection,
    bot: BotId,
    filter: &WorkflowFilter,
    page: PageRequest,
) -> Done<Page<Workflow>> {
    let Some(bot_number) = rows::bot(connection, bot)? else {
        return Ok(query::empty());
    };
    let mut query = Query::new(select_workflow!());
    query.and(there!());
    let candidates = if filter.tags.is_empty() {
        None
    } else {
        let scopes = [bot_number, -bot_number];
        WORKFLOWS.candidates(connection, &scopes, &filter.tags)?
    };
    let narrow = candidates.is_some()
        || filter.conversation.is_some()
        || filter.parent.is_some()
        || filter.user.is_some();
    // The plus keeps the bot's index out where a shorter way is known.
    query.and_value(if narrow { "+w.bot = ?" } else { "w.bot = ?" }, bot_number);
    if let Some(candidates) = candidates {
        query.and_value("w.id IN (SELECT value FROM json_each(?))", candidates);
    }
    if let Some(id) = filter.conversation {
        let Some(conversation) = conversation::number(connection, bot_number, id)? else {
            return Ok(query::empty());
        };
        query.and_value("w.conversation = ?", conversation);
    }
    if let Some(id) = filter.user {
        let Some(user) = user::number(connection, bot_number, id)? else {
            return Ok(query::empty());
        };
        query.and_value("w.user = ?", user);
    }
    if let Some(id) = filter.parent {
        let Some(parent) = row::by_public(connection, bot, id)? else {
            return Ok(query::empty());
        };
        query.and_value("w.parent = ?", parent.id);
    }
    if let Some(name) = &filter.name {
        query.and_value("w.name = ?", name.clone());
    }
    if let [status] = filter.statuses.as_slice() {
        query.and_value("w.status = ?", status_number(*status));
    } else if !filter.statuses.is_empty() {
        if filter.statuses.iter().all(|status| !status.is_finished()) {
            // So the index of the status leads to the few at work, however many there were before.
            query.and("w.status < 4");
        }
        let numbers: Vec<_> = filter.statuses.iter().copied().map(status_number).collect();
        let numbers = serde_json::to_string(&numbers).map_err(Failure::damage)?;
        query.and_value("w.status IN (SELECT value FROM json_each(?))", numbers);
    }
    let page = query.page(
        connection,
        ("w.id", "w.id", SortOrder::Descending),
        page,
        row::read,
        |row| Cursor {
            at: row.id,
            row: row.id,
        },
        |row| Ok(row.value.tags.contains(&filter.tags)),
    )?;
    Ok(query::map_page(page, |row| row.value))
}
