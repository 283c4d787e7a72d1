//! What a bot is told of its workflows, and when they go on.
//!
//! Each is an event that is stored in the transaction of what it tells of. Its id is made of the
//! workflow's id and the number of what is told, so that a sweep needs none handed in.

use std::time::Duration;

use ring::digest;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use switchboard_model::ids::Ulid;
use switchboard_model::{
    DeliveryId, Event, EventId, Json, Timestamp, Workflow, WorkflowId, WorkflowNews,
    WorkflowStatus, WorkflowUpdate,
};

use super::row::{self, WorkflowRow};
use crate::failure::{Done, Failure};
use crate::writer::Tx;
use crate::{conversation, event, rows, user};

/// The least time between the last news of a workflow and going on because an event is processed: a
/// bot that never ends what it began must not be told so as fast as it answers.
const PAUSE: Duration = Duration::from_secs(1);

const UNDER: &str = "SELECT id FROM workflow WHERE event = ?1";

/// The payload of the event, as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    news: WorkflowNews,
    #[serde(skip_serializing_if = "Option::is_none")]
    child: Option<Workflow>,
}

/// Tells the bot. The row is changed with it and has yet to be written.
pub(super) fn tell(
    tx: &mut Tx<'_>,
    row: &mut WorkflowRow,
    news: WorkflowNews,
    child: Option<Workflow>,
    now: Timestamp,
) -> Done<()> {
    row.told += 1;
    row.told_at = now.as_millis();
    row.continue_at = None;
    let id = news_id(row.value.id, row.told, now);
    let payload = Json::from_serialize(&Stored { news, child }).map_err(Failure::damage)?;
    let draft = event::Draft {
        id: EventId::new(id),
        delivery: DeliveryId::new(id),
        bot: row.bot,
        kind: Event::WORKFLOW_UPDATE,
        payload: Some(&payload),
        conversation: row.conversation,
        user: row.user,
        message: None,
        workflow: Some(row.id),
        once: None,
        due: None,
        now,
    };
    event::insert(tx, &draft)?;
    Ok(())
}

fn news_id(workflow: WorkflowId, number: i64, now: Timestamp) -> Ulid {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&workflow.to_bytes());
    context.update(&number.to_be_bytes());
    let mut random = [0; 16];
    // A ULID's random part is 80 bits.
    for (to, from) in random[6..].iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    Ulid::from_parts(millis, u128::from_be_bytes(random))
}

/// Makes it pending and tells the bot to go on.
pub(super) fn go_on(tx: &mut Tx<'_>, row: &mut WorkflowRow, now: Timestamp) -> Done<()> {
    pend(row, now);
    tell(tx, row, WorkflowNews::WorkflowContinued, None, now)
}

fn pend(row: &mut WorkflowRow, now: Timestamp) {
    row.value.status = WorkflowStatus::Pending;
    row.value.event = None;
    row.value.updated_at = now;
    row.event = None;
    row.woken = false;
}

/// An event that names it is stored: it goes on if it listens, or will when it does.
pub(crate) fn wake(tx: &mut Tx<'_>, workflow: i64, now: Timestamp) -> Done<()> {
    let Some(mut row) = row::by_number(tx.connection, workflow)? else {
        return Ok(());
    };
    let before = row.indexed();
    match row.value.status {
        WorkflowStatus::Listening => go_on(tx, &mut row, now)?,
        WorkflowStatus::InProgress | WorkflowStatus::Paused if !row.woken => row.woken = true,
        _ => return Ok(()),
    }
    row.write(tx.connection, &before)
}

/// An event is processed: what is still in progress under it goes on.
pub(crate) fn processed(tx: &mut Tx<'_>, event: i64, now: Timestamp) -> Done<()> {
    let under: Vec<i64> = rows::all(tx.connection, UNDER, [event], |row| row.get(0))?;
    for workflow in under {
        let Some(mut row) = row::by_number(tx.connection, workflow)? else {
            continue;
        };
        let before = row.indexed();
        let soonest = Timestamp::from_millis(row.told_at).plus(PAUSE);
        if soonest <= now {
            go_on(tx, &mut row, now)?;
        } else {
            pend(&mut row, now);
            row.continue_at = Some(soonest.as_millis());
        }
        row.write(tx.connection, &before)?;
    }
    Ok(())
}

/// Goes on with one whose time to go on has come.
pub(super) fn continue_due(tx: &mut Tx<'_>, row: &mut WorkflowRow, now: Timestamp) -> Done<()> {
    let before = row.indexed();
    go_on(tx, row, now)?;
    row.write(tx.connection, &before)
}

/// Ends one whose time is over.
pub(super) fn time_out(tx: &mut Tx<'_>, row: &mut WorkflowRow, now: Timestamp) -> Done<()> {
    let before = row.indexed();
    end(row, WorkflowStatus::TimedOut, now);
    tell(tx, row, WorkflowNews::WorkflowTimedOut, None, now)?;
    row.write(tx.connection, &before)?;
    tell_parent(tx, row, WorkflowNews::ChildWorkflowFinished, now)
}

/// What holds of each that has ended. The row has yet to be written.
pub(super) fn end(row: &mut WorkflowRow, status: WorkflowStatus, now: Timestamp) {
    pend(row, now);
    row.value.status = status;
    row.value.completed_at = Some(now);
    row.continue_at = None;
}

/// Tells the bot through the parent, if that has not ended, and wakes it.
pub(super) fn tell_parent(
    tx: &mut Tx<'_>,
    child: &WorkflowRow,
    news: WorkflowNews,
    now: Timestamp,
) -> Done<()> {
    let Some(parent) = child.parent else {
        return Ok(());
    };
    let Some(mut parent) = row::by_number(tx.connection, parent)? else {
        return Ok(());
    };
    if parent.value.status.is_finished() {
        return Ok(());
    }
    let before = parent.indexed();
    let continue_at = parent.continue_at;
    tell(tx, &mut parent, news, Some(child.value.clone()), now)?;
    // One that was to go on by itself still is.
    parent.continue_at = continue_at;
    parent.write(tx.connection, &before)?;
    wake(tx, parent.id, now)
}

/// The event's payload as it is now; none if the workflow is there no more.
pub(crate) fn update(
    connection: &Connection,
    workflow: Option<i64>,
    stored: &Json,
) -> Done<Option<WorkflowUpdate>> {
    let Some(workflow) = workflow else {
        return Ok(None);
    };
    let Some(row) = row::by_number(connection, workflow)? else {
        return Ok(None);
    };
    let stored: Stored = stored.read().map_err(Failure::damage)?;
    let conversation = match row.conversation {
        Some(id) => conversation::by_number(connection, id)?.map(|found| found.value),
        None => None,
    };
    let user = match row.user {
        Some(id) => user::by_number(connection, id)?.map(|found| found.value),
        None => None,
    };
    Ok(Some(WorkflowUpdate {
        news: stored.news,
        workflow: row.value,
        child: stored.child,
        conversation,
        user,
    }))
}
