//! Workflows.

use async_trait::async_trait;
use switchboard_model::{
    BotId, ConversationId, EventId, Json, Result, StatusGroup, TagPatch, Tags, Timestamp, UserId,
    Workflow, WorkflowId, WorkflowStatus,
};

use crate::{Found, Page, PageRequest};

/// A workflow to make.
#[derive(Debug, Clone)]
pub struct NewWorkflow {
    /// Its id.
    pub id: WorkflowId,
    /// The bot whose work it is.
    pub bot: BotId,
    /// Its name.
    pub name: String,
    /// `Pending`, `InProgress` or `Listening`.
    pub status: WorkflowStatus,
    /// The event under which it is in progress: set exactly then.
    pub event: Option<EventId>,
    /// What it is given.
    pub input: Json,
    /// The workflow that it is a part of.
    pub parent: Option<WorkflowId>,
    /// The conversation it belongs to.
    pub conversation: Option<ConversationId>,
    /// The user it concerns.
    pub user: Option<UserId>,
    /// Its tags.
    pub tags: Tags,
    /// When its time is over.
    pub timeout_at: Timestamp,
    /// When.
    pub now: Timestamp,
}

/// Finds the workflow that an identity means, or makes it.
#[derive(Debug, Clone)]
pub struct GetOrCreateWorkflow {
    /// The workflow to make if none is found. A found one stays as it is.
    pub workflow: NewWorkflow,
    /// The identifying tags; not empty, and among the workflow's.
    pub identity: Tags,
    /// Only one of this group is meant.
    pub group: Option<StatusGroup>,
}

/// A change of a workflow. `None` leaves.
#[derive(Debug, Clone, Default)]
pub struct WorkflowUpdate {
    /// The status; must be legal after the one it has.
    pub status: Option<WorkflowStatus>,
    /// The event under which it is in progress: set exactly if `status` is `InProgress`.
    pub event: Option<EventId>,
    /// What it has to show.
    pub output: Option<Json>,
    /// When its time is over.
    pub timeout_at: Option<Timestamp>,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// The user it concerns.
    pub user: Option<UserId>,
    /// Tags to merge.
    pub tags: TagPatch,
}

/// Which workflows to list: newest first.
#[derive(Debug, Clone, Default)]
pub struct WorkflowFilter {
    /// With each of these tags.
    pub tags: Tags,
    /// Of this conversation.
    pub conversation: Option<ConversationId>,
    /// Concerning this user.
    pub user: Option<UserId>,
    /// Parts of this workflow.
    pub parent: Option<WorkflowId>,
    /// In one of these; in any, if there are none.
    pub statuses: Vec<WorkflowStatus>,
    /// Of this name.
    pub name: Option<String>,
}

/// Keeps workflows, and tells their bot of them by events `workflow_update`, each stored with what
/// it tells of. Their order is that of the workflow's conversation, or the workflow's own if it has
/// none; their ids are made of the workflow's id and the number of what is told.
///
/// - Made `Pending`: `workflow_started`.
/// - An event that names it comes while it is `Listening`: it becomes `Pending`, and
///   `workflow_continued` follows that event. One that comes while it is in progress or paused is
///   remembered: then listening ends as soon as it begins. `InProgress` under another event
///   forgets it.
/// - The event under which it is `InProgress` is processed: it becomes `Pending`, and
///   `workflow_continued` follows, not sooner than a second after the last news of it. If that event
///   fails it stays as it is.
/// - Its time is over: `TimedOut` and `workflow_timedout`, by a sweep.
/// - It ends or is deleted: its parent, if that has not ended, is told by `child_workflow_finished`
///   or `child_workflow_deleted`, an event that names the parent.
///
/// An identity means, among those of one bot, name and group, the first-made workflow whose tags
/// contain every pair of it. What belongs to a deleted conversation is absent.
#[async_trait]
pub trait WorkflowStore {
    /// Makes a workflow. Unknown ids are `ReferenceNotFound` (fields `eventId`,
    /// `parentWorkflowId`, `conversationId`, `userId`).
    async fn create_workflow(&self, workflow: NewWorkflow) -> Result<Workflow>;

    /// Finds or makes the workflow of an identity, atomically.
    async fn get_or_create_workflow(&self, command: GetOrCreateWorkflow)
    -> Result<Found<Workflow>>;

    /// The workflow with this id.
    async fn get_workflow(&self, bot: BotId, id: WorkflowId) -> Result<Option<Workflow>>;

    /// Lists workflows, newest first.
    async fn list_workflows(
        &self,
        bot: BotId,
        filter: WorkflowFilter,
        page: PageRequest,
    ) -> Result<Page<Workflow>>;

    /// Changes a workflow. A status that cannot follow is `InvalidPayload` (field `status`) and says
    /// which can. Of one that has ended only the tags change; the same again is no change.
    async fn update_workflow(
        &self,
        bot: BotId,
        id: WorkflowId,
        update: WorkflowUpdate,
        now: Timestamp,
    ) -> Result<Option<Workflow>>;

    /// Deletes it with its states and what was told of it. Its parts stay, without a parent.
    /// `false` if there was none.
    async fn delete_workflow(&self, bot: BotId, id: WorkflowId, now: Timestamp) -> Result<bool>;
}
