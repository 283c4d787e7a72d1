//! Workflows. What is told of them, and when they go on, is in `news.rs`.

mod list;
mod news;
mod row;

use std::collections::BTreeSet;

use async_trait::async_trait;
use rusqlite::{Connection, Row, params};
use switchboard_model::{
    BotId, Error, EventId, Kind, Result, StateKind, StatusGroup, Tags, Timestamp, UserId, Workflow,
    WorkflowId, WorkflowNews, WorkflowStatus,
};
use switchboard_store::{
    Found, GetOrCreateWorkflow, NewWorkflow, Page, PageRequest, WorkflowFilter, WorkflowStore,
    WorkflowUpdate,
};

use crate::failure::Done;
use crate::outbox::{self, look};
use crate::tags::{self, Surplus, WORKFLOWS};
use crate::writer::Tx;
use crate::{SqliteStore, conversation, event, rows, sweep, user};

pub(crate) use news::{processed, update as told, wake};
pub(crate) use row::{WorkflowRow, by_public};

const INSERT: &str = "INSERT INTO workflow
    (public, bot, name, status, input, output, parent, conversation, user, event, tags, timeout_at,
        created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, '{}', ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12)";
const DELETE: &str = "UPDATE workflow SET deleted_at = ?2, event = NULL, continue_at = NULL
    WHERE id = ?1";
const DUE_TIMEOUT: &str = "SELECT id FROM workflow
    WHERE status < 4 AND deleted_at IS NULL AND timeout_at <= ?1
    ORDER BY timeout_at, id LIMIT ?2";
const DUE_CONTINUE: &str = "SELECT id FROM workflow WHERE continue_at <= ?1
    ORDER BY continue_at, id LIMIT ?2";
// What waits in its line, by the line: of what was told before there may be any number.
pub(crate) const UNTOLD: &str =
    "SELECT d.id, e.id, d.status = 1 FROM delivery d CROSS JOIN event e ON e.id = d.event
    WHERE d.destination = 0 AND d.conversation = ?1 AND d.status BETWEEN 0 AND 2 AND d.status <> 2
        AND e.workflow = ?2 AND e.kind = 'workflow_update'";
// Nobody has looked at its line yet: of what is new for all bots there may be more than was ever told.
pub(crate) const UNTOLD_NEW: &str =
    "SELECT d.id, e.id, false FROM event e CROSS JOIN delivery d ON d.event = e.id
    WHERE e.workflow = ?1 AND e.kind = 'workflow_update' AND d.status = -1";
const FORGET_DELIVERY: &str = "DELETE FROM delivery WHERE id = ?1";
const FORGET_EVENT: &str = "DELETE FROM event WHERE id = ?1";

/// The number of a workflow that is there.
pub(crate) fn number(connection: &Connection, bot: BotId, id: WorkflowId) -> Done<Option<i64>> {
    Ok(by_public(connection, bot, id)?.map(|row| row.id))
}

/// Whether the workflow with this number is there.
pub(crate) fn exists(connection: &Connection, number: i64) -> Done<bool> {
    Ok(row::by_number(connection, number)?.is_some())
}

fn event_number(connection: &Connection, bot: BotId, id: Option<EventId>) -> Done<Option<i64>> {
    let Some(id) = id else { return Ok(None) };
    let number = event::number(connection, bot, id)?
        .ok_or_else(|| Error::reference("eventId", Kind::Event, id))?;
    Ok(Some(number))
}

fn user_number(connection: &Connection, bot: i64, id: Option<UserId>) -> Done<Option<i64>> {
    let Some(id) = id else { return Ok(None) };
    let number = user::number(connection, bot, id)?
        .ok_or_else(|| Error::reference("userId", Kind::User, id))?;
    Ok(Some(number))
}

fn create(tx: &mut Tx<'_>, new: &NewWorkflow) -> Done<Workflow> {
    let connection = tx.connection;
    let bot = rows::known_bot(connection, new.bot)?;
    let parent = match new.parent {
        Some(id) => Some(
            number(connection, new.bot, id)?
                .ok_or_else(|| Error::reference("parentWorkflowId", Kind::Workflow, id))?,
        ),
        None => None,
    };
    let conversation = match new.conversation {
        Some(id) => Some(
            conversation::number(connection, bot, id)?
                .ok_or_else(|| Error::reference("conversationId", Kind::Conversation, id))?,
        ),
        None => None,
    };
    let id = rows::insert(
        connection,
        INSERT,
        params![
            new.id.to_bytes(),
            bot,
            new.name,
            row::status_number(new.status),
            new.input.as_str(),
            parent,
            conversation,
            user_number(connection, bot, new.user)?,
            event_number(connection, new.bot, new.event)?,
            tags::to_text(&new.tags.kept())?,
            new.timeout_at.as_millis(),
            new.now.as_millis(),
        ],
    )?;
    let mut row = row::by_number(connection, id)?.ok_or_else(|| rows::gone("a new workflow"))?;
    if new.status == WorkflowStatus::Pending {
        news::tell(tx, &mut row, WorkflowNews::WorkflowStarted, None, new.now)?;
    }
    let unknown = (row.indexed().0, BTreeSet::new());
    row.write(tx.connection, &unknown)?;
    Ok(row.value)
}

/// The first-made workflow of this name and group whose tags contain every pair of `identity`.
fn find(
    connection: &Connection,
    bot: i64,
    name: &str,
    identity: &Tags,
    group: Option<StatusGroup>,
) -> Done<Option<WorkflowRow>> {
    let scopes: &[i64] = match group {
        Some(StatusGroup::Active) => &[bot],
        Some(StatusGroup::Finished) => &[-bot],
        None => &[bot, -bot],
    };
    let mut pairs = tags::digests(identity);
    pairs.push(row::name_pair(name));
    let mut found: Option<WorkflowRow> = None;
    for scope in scopes {
        let mut start = 0;
        while let Some(id) = WORKFLOWS.first(connection, *scope, &pairs, start)? {
            if let Some(row) = row::by_number(connection, id)?
                && row.value.name == name
                && row.value.tags.contains(identity)
            {
                if found.as_ref().is_none_or(|found| row.id < found.id) {
                    found = Some(row);
                }
                break;
            }
            start = id + 1;
        }
    }
    Ok(found)
}

fn get_or_create(tx: &mut Tx<'_>, command: &GetOrCreateWorkflow) -> Done<Found<Workflow>> {
    if command.identity.is_empty() {
        return Err(conversation::no_identity().into());
    }
    let new = &command.workflow;
    let bot = rows::known_bot(tx.connection, new.bot)?;
    let found = find(
        tx.connection,
        bot,
        &new.name,
        &command.identity,
        command.group,
    )?;
    let created = found.is_none();
    let value = match found {
        Some(row) => row.value,
        None => create(tx, new)?,
    };
    Ok(Found { value, created })
}

fn change(
    tx: &mut Tx<'_>,
    bot: BotId,
    id: WorkflowId,
    update: WorkflowUpdate,
    now: Timestamp,
) -> Done<Option<Workflow>> {
    let connection = tx.connection;
    let Some(mut row) = by_public(connection, bot, id)? else {
        return Ok(None);
    };
    let (before, old) = (row.indexed(), row.value.clone());
    let next = update.status.unwrap_or(old.status);
    old.status.check_next(next)?;
    let value = &mut row.value;
    Surplus::Refuse.merge(&mut value.tags, &update.tags)?;
    if let Some(output) = update.output {
        value.output = output;
    }
    if let Some(at) = update.timeout_at {
        value.timeout_at = at;
    }
    if update.failure_reason.is_some() {
        value.failure_reason = update.failure_reason;
    }
    if update.user.is_some() {
        row.user = user_number(connection, row.bot, update.user)?;
        value.user = update.user;
    }
    if old.status.is_finished() {
        check_only_tags(&old, value)?;
    } else if update.status == Some(WorkflowStatus::InProgress) {
        let event = event_number(connection, bot, update.event)?;
        // Under another event it looks anew at all there is.
        row.woken &= row.event == event;
        (row.event, value.event) = (event, update.event);
    } else if next != WorkflowStatus::InProgress {
        (row.event, value.event) = (None, None);
    }
    value.status = next;
    if *value == old {
        return Ok(Some(row.value));
    }
    value.updated_at = now;
    if next != WorkflowStatus::Pending {
        row.continue_at = None;
    }
    let ends = next.is_finished() && !old.status.is_finished();
    if ends {
        news::end(&mut row, next, now);
    } else if next == WorkflowStatus::Listening && row.woken {
        news::go_on(tx, &mut row, now)?;
    }
    row.write(tx.connection, &before)?;
    if ends {
        news::tell_parent(tx, &row, WorkflowNews::ChildWorkflowFinished, now)?;
    }
    Ok(Some(row.value))
}

fn check_only_tags(old: &Workflow, new: &Workflow) -> Result<()> {
    let mut retagged = old.clone();
    retagged.tags.clone_from(&new.tags);
    if retagged == *new {
        return Ok(());
    }
    Err(Error::invalid(
        "status",
        format!(
            "the workflow is {} and changes no more, but for its tags; create another",
            old.status.as_str()
        ),
    ))
}

/// Marks it as deleted and takes out of its line what the bot was not yet told of it.
pub(crate) fn bury(tx: &mut Tx<'_>, row: &WorkflowRow, now: Timestamp) -> Done<()> {
    let connection = tx.connection;
    rows::execute(connection, DELETE, params![row.id, now.as_millis()])?;
    let (scope, pairs) = row.indexed();
    WORKFLOWS.replace(connection, scope, row.id, &pairs, &BTreeSet::new())?;
    sweep::later(connection, StateKind::Workflow, row.id)?;
    let line = row.conversation.unwrap_or(-row.id);
    let all = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let mut untold: Vec<(i64, i64, bool)> = rows::all(connection, UNTOLD, [line, row.id], all)?;
    if look::has_new(connection, outbox::BOTS)? {
        untold.extend(rows::all(connection, UNTOLD_NEW, [row.id], all)?);
    }
    for (delivery, event, _) in &untold {
        rows::execute(connection, FORGET_DELIVERY, [delivery])?;
        rows::execute(connection, FORGET_EVENT, [event])?;
    }
    // Another head of the line stays one, wherever a merge has left it.
    if untold.iter().any(|(.., was_head)| *was_head) {
        outbox::promote(tx, outbox::BOTS, Some(line), now)?;
    }
    Ok(())
}

/// Buries one whose conversation is deleted, without a word.
pub(crate) fn bury_number(tx: &mut Tx<'_>, workflow: i64, now: Timestamp) -> Done<()> {
    match row::undeleted(tx.connection, workflow)? {
        Some(row) => bury(tx, &row, now),
        None => Ok(()),
    }
}

fn delete(tx: &mut Tx<'_>, bot: BotId, id: WorkflowId, now: Timestamp) -> Done<bool> {
    let Some(row) = by_public(tx.connection, bot, id)? else {
        return Ok(false);
    };
    bury(tx, &row, now)?;
    if !row.value.status.is_finished() {
        news::tell_parent(tx, &row, WorkflowNews::ChildWorkflowDeleted, now)?;
    }
    Ok(true)
}

/// Ends and goes on with what is due, at most about `limit` of them. Tells how many there were.
pub(crate) fn due(tx: &mut Tx<'_>, now: Timestamp, limit: i64) -> Done<usize> {
    let keys = [now.as_millis(), limit];
    let over: Vec<i64> = rows::all(tx.connection, DUE_TIMEOUT, keys, |row| row.get(0))?;
    let mut done = over.len();
    for workflow in over {
        match row::by_number(tx.connection, workflow)? {
            Some(mut row) => news::time_out(tx, &mut row, now)?,
            None => bury_number(tx, workflow, now)?,
        }
    }
    let on: Vec<i64> = rows::all(tx.connection, DUE_CONTINUE, keys, |row| row.get(0))?;
    done += on.len();
    for workflow in on {
        match row::by_number(tx.connection, workflow)? {
            Some(mut row) => news::continue_due(tx, &mut row, now)?,
            None => bury_number(tx, workflow, now)?,
        }
    }
    Ok(done)
}

#[async_trait]
impl WorkflowStore for SqliteStore {
    async fn create_workflow(&self, workflow: NewWorkflow) -> Result<Workflow> {
        self.write(move |tx| create(tx, &workflow)).await
    }

    async fn get_or_create_workflow(
        &self,
        command: GetOrCreateWorkflow,
    ) -> Result<Found<Workflow>> {
        self.write(move |tx| get_or_create(tx, &command)).await
    }

    async fn get_workflow(&self, bot: BotId, id: WorkflowId) -> Result<Option<Workflow>> {
        self.read(|connection| Ok(by_public(connection, bot, id)?.map(|row| row.value)))
            .await
    }

    async fn list_workflows(
        &self,
        bot: BotId,
        filter: WorkflowFilter,
        page: PageRequest,
    ) -> Result<Page<Workflow>> {
        self.list(move |connection| list::list(connection, bot, &filter, page))
            .await
    }

    async fn update_workflow(
        &self,
        bot: BotId,
        id: WorkflowId,
        update: WorkflowUpdate,
        now: Timestamp,
    ) -> Result<Option<Workflow>> {
        self.write(move |tx| change(tx, bot, id, update.clone(), now))
            .await
    }

    async fn delete_workflow(&self, bot: BotId, id: WorkflowId, now: Timestamp) -> Result<bool> {
        self.write(move |tx| delete(tx, bot, id, now)).await
    }
}
