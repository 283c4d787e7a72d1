//! A workflow's row, read and written whole.

use std::collections::BTreeSet;

use rusqlite::{Connection, Row, params};
use switchboard_model::{
    BotId, ConversationId, EventId, Timestamp, UserId, Workflow, WorkflowId, WorkflowStatus,
};

use crate::failure::Done;
use crate::rows;
use crate::tags::{self, WORKFLOWS};

/// The columns that [`read`] reads. One whose conversation is deleted is there no more.
macro_rules! select_workflow {
    () => {
        "
    SELECT w.id, w.bot, w.parent, w.conversation, w.user, w.event, w.woken, w.told, w.told_at,
        w.continue_at, w.public, b.public, w.name, w.status, w.input, w.output, p.public, c.public,
        u.public, coalesce(e.public, a.public), w.tags, w.failure_reason, w.timeout_at, w.completed_at, w.created_at,
        w.updated_at
    FROM workflow w CROSS JOIN bot b ON b.id = w.bot
    LEFT JOIN workflow p ON p.id = w.parent AND p.deleted_at IS NULL
    LEFT JOIN conversation c ON c.id = w.conversation
    LEFT JOIN user u ON u.id = w.user
    LEFT JOIN event e ON e.id = w.event
    LEFT JOIN message a ON a.id = -w.event"
    };
}
/// Whether it is there.
macro_rules! there {
    () => {
        "w.deleted_at IS NULL
        AND (w.conversation IS NULL OR (c.id IS NOT NULL AND c.deleted_at IS NULL))"
    };
}
pub(super) use {select_workflow, there};

const BY_PUBLIC: &str = concat!(
    select_workflow!(),
    " WHERE w.public = ?1 AND b.public = ?2 AND ",
    there!()
);
const BY_NUMBER: &str = concat!(select_workflow!(), " WHERE w.id = ?1 AND ", there!());
const UNDELETED: &str = concat!(
    select_workflow!(),
    " WHERE w.id = ?1 AND w.deleted_at IS NULL"
);
const WRITE: &str =
    "UPDATE workflow SET status = ?2, output = ?3, user = ?4, event = ?5, tags = ?6,
        failure_reason = ?7, woken = ?8, told = ?9, told_at = ?10, continue_at = ?11,
        timeout_at = ?12, completed_at = ?13, updated_at = ?14
    WHERE id = ?1";

/// A workflow and what only the store knows of it.
#[derive(Debug, Clone)]
pub(crate) struct WorkflowRow {
    pub(crate) id: i64,
    pub(crate) bot: i64,
    pub(crate) parent: Option<i64>,
    pub(crate) conversation: Option<i64>,
    pub(crate) user: Option<i64>,
    /// See [`crate::event::number`].
    pub(super) event: Option<i64>,
    pub(super) woken: bool,
    pub(super) told: i64,
    pub(super) told_at: i64,
    pub(super) continue_at: Option<i64>,
    pub(crate) value: Workflow,
}

/// A status as it is stored.
pub(super) const fn status_number(status: WorkflowStatus) -> u8 {
    match status {
        WorkflowStatus::Pending => 0,
        WorkflowStatus::InProgress => 1,
        WorkflowStatus::Listening => 2,
        WorkflowStatus::Paused => 3,
        WorkflowStatus::Completed => 4,
        WorkflowStatus::Failed => 5,
        WorkflowStatus::TimedOut => 6,
        WorkflowStatus::Cancelled => 7,
    }
}

fn status(row: &Row<'_>, column: usize) -> rusqlite::Result<WorkflowStatus> {
    let number: u8 = row.get(column)?;
    WorkflowStatus::ALL
        .into_iter()
        .find(|status| status_number(*status) == number)
        .ok_or(rusqlite::Error::IntegralValueOutOfRange(
            column,
            number.into(),
        ))
}

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<WorkflowRow> {
    let public = |column| row.get::<_, Option<[u8; 16]>>(column);
    Ok(WorkflowRow {
        id: row.get(0)?,
        bot: row.get(1)?,
        parent: row.get(2)?,
        conversation: row.get(3)?,
        user: row.get(4)?,
        event: row.get(5)?,
        woken: row.get(6)?,
        told: row.get(7)?,
        told_at: row.get(8)?,
        continue_at: row.get(9)?,
        value: Workflow {
            id: WorkflowId::from_bytes(row.get(10)?),
            bot: BotId::from_bytes(row.get(11)?),
            name: row.get(12)?,
            status: status(row, 13)?,
            input: rows::json(row, 14)?,
            output: rows::json(row, 15)?,
            parent: public(16)?.map(WorkflowId::from_bytes),
            conversation: public(17)?.map(ConversationId::from_bytes),
            user: public(18)?.map(UserId::from_bytes),
            event: public(19)?.map(EventId::from_bytes),
            tags: rows::tags(row, 20)?,
            failure_reason: row.get(21)?,
            timeout_at: rows::time(row, 22)?,
            completed_at: rows::time_or_none(row, 23)?,
            created_at: rows::time(row, 24)?,
            updated_at: rows::time(row, 25)?,
        },
    })
}

/// The workflow with this id, if it is there.
pub(crate) fn by_public(
    connection: &Connection,
    bot: BotId,
    id: WorkflowId,
) -> Done<Option<WorkflowRow>> {
    rows::one(connection, BY_PUBLIC, [id.to_bytes(), bot.to_bytes()], read)
}

/// The workflow with this number, if it is there.
pub(crate) fn by_number(connection: &Connection, id: i64) -> Done<Option<WorkflowRow>> {
    rows::one(connection, BY_NUMBER, [id], read)
}

/// The workflow with this number, also if its conversation is deleted.
pub(super) fn undeleted(connection: &Connection, id: i64) -> Done<Option<WorkflowRow>> {
    rows::one(connection, UNDELETED, [id], read)
}

impl WorkflowRow {
    /// What the tag index says of it, and where: those that have ended lie apart, so that looking
    /// for one at work costs the same however many there were before.
    pub(super) fn indexed(&self) -> (i64, BTreeSet<i64>) {
        let mut pairs = tags::digest_set(&self.value.tags);
        pairs.insert(name_pair(&self.value.name));
        let scope = if self.value.status.is_finished() {
            -self.bot
        } else {
            self.bot
        };
        (scope, pairs)
    }

    /// Writes all that may change, and lets the index follow that said `before`.
    pub(super) fn write(&self, connection: &Connection, before: &(i64, BTreeSet<i64>)) -> Done<()> {
        let value = &self.value;
        rows::execute(
            connection,
            WRITE,
            params![
                self.id,
                status_number(value.status),
                value.output.as_str(),
                self.user,
                self.event,
                tags::to_text(&value.tags)?,
                value.failure_reason,
                self.woken,
                self.told,
                self.told_at,
                self.continue_at,
                value.timeout_at.as_millis(),
                value.completed_at.map(Timestamp::as_millis),
                value.updated_at.as_millis(),
            ],
        )?;
        let (scope, pairs) = self.indexed();
        let none = BTreeSet::new();
        if scope == before.0 {
            return WORKFLOWS.replace(connection, scope, self.id, &before.1, &pairs);
        }
        WORKFLOWS.replace(connection, before.0, self.id, &before.1, &none)?;
        WORKFLOWS.replace(connection, scope, self.id, &none, &pairs)
    }
}

/// A name as a pair of the tag index. No tag is called so: names of tags have no NUL.
pub(super) fn name_pair(name: &str) -> i64 {
    tags::digest("\0name", name)
}
