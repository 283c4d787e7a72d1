//! Operations on workflows. They are the bot's own: an integration sees none and makes none.

use switchboard_model::{
    ConversationId, Error, EventId, Json, Kind, Result, StatusGroup, Tags, Timestamp, UserId,
    Workflow, WorkflowId, WorkflowStatus,
};
use switchboard_store::{
    Found, GetOrCreateWorkflow, NewWorkflow, Page, PageRequest, WorkflowFilter, WorkflowUpdate,
};

use crate::wire::WireWorkflow;
use crate::{Caller, Engine, check};

/// A workflow that a caller asks for. Tags are named in the caller's view.
#[derive(Debug, Clone)]
pub struct WorkflowInput {
    /// Its name.
    pub name: String,
    /// `Pending`, `InProgress` or `Listening`.
    pub status: WorkflowStatus,
    /// The event under which it is in progress.
    pub event: Option<EventId>,
    /// What it is given.
    pub input: Option<Json>,
    /// The workflow that it is a part of.
    pub parent: Option<WorkflowId>,
    /// The conversation it belongs to.
    pub conversation: Option<ConversationId>,
    /// The user it concerns.
    pub user: Option<UserId>,
    /// When its time is over: in five minutes, if nothing is said.
    pub timeout_at: Option<Timestamp>,
    /// Its tags.
    pub tags: Tags,
}

/// A change that a caller asks for. `None` leaves.
#[derive(Debug, Clone, Default)]
pub struct WorkflowChange {
    /// The status.
    pub status: Option<WorkflowStatus>,
    /// The event under which it is in progress.
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
    pub tags: Tags,
}

/// Which workflows a caller asks for.
pub type WorkflowQuery = WorkflowFilter;

impl Engine {
    /// Makes a workflow and, if it is pending, tells the bot to begin.
    pub async fn create_workflow(
        &self,
        caller: &Caller,
        input: WorkflowInput,
    ) -> Result<WireWorkflow> {
        let new = self.new_workflow(caller, input)?;
        let made = self.store().create_workflow(new).await?;
        Ok(WireWorkflow::new(&caller.view(), made))
    }

    /// Finds the workflow of this name that the tags named by `by` (or all) identify, in a group or
    /// in any, or makes it.
    pub async fn get_or_create_workflow(
        &self,
        caller: &Caller,
        input: WorkflowInput,
        by: Option<&[String]>,
        group: Option<StatusGroup>,
    ) -> Result<Found<WireWorkflow>> {
        let workflow = self.new_workflow(caller, input)?;
        let command = GetOrCreateWorkflow {
            identity: check::identity(caller, &workflow.tags, by)?,
            workflow,
            group,
        };
        let found = self.store().get_or_create_workflow(command).await?;
        Ok(Found {
            value: WireWorkflow::new(&caller.view(), found.value),
            created: found.created,
        })
    }

    /// The workflow.
    pub async fn get_workflow(&self, caller: &Caller, id: WorkflowId) -> Result<WireWorkflow> {
        caller.check_workflow(id)?;
        self.store()
            .get_workflow(caller.bot, id)
            .await?
            .map(|workflow| WireWorkflow::new(&caller.view(), workflow))
            .ok_or_else(|| Error::not_found(Kind::Workflow, id))
    }

    /// Lists workflows, newest first.
    pub async fn list_workflows(
        &self,
        caller: &Caller,
        query: WorkflowQuery,
        page: PageRequest,
    ) -> Result<Page<WireWorkflow>> {
        let filter = WorkflowFilter {
            tags: check::tag_filter(caller, query.tags)?,
            ..query
        };
        if caller.integration.is_some() {
            return Ok(Page::empty());
        }
        let found = self
            .store()
            .list_workflows(caller.bot, filter, page)
            .await?;
        let view = caller.view();
        Ok(found.map(|workflow| WireWorkflow::new(&view, workflow)))
    }

    /// Changes the workflow.
    pub async fn update_workflow(
        &self,
        caller: &Caller,
        id: WorkflowId,
        change: WorkflowChange,
    ) -> Result<WireWorkflow> {
        caller.check_workflow(id)?;
        if let Some(output) = &change.output {
            payload("output", output)?;
        }
        if let Some(reason) = &change.failure_reason {
            check::limit("failureReason", reason, Workflow::REASON_LIMIT)?;
        }
        let update = WorkflowUpdate {
            event: under(change.status, change.event)?,
            status: change.status,
            output: change.output,
            timeout_at: change.timeout_at,
            failure_reason: change.failure_reason,
            user: change.user,
            tags: check::patch(caller, change.tags)?,
        };
        self.store()
            .update_workflow(caller.bot, id, update, self.env().now())
            .await?
            .map(|workflow| WireWorkflow::new(&caller.view(), workflow))
            .ok_or_else(|| Error::not_found(Kind::Workflow, id))
    }

    /// Deletes the workflow with its states.
    pub async fn delete_workflow(&self, caller: &Caller, id: WorkflowId) -> Result<()> {
        caller.check_workflow(id)?;
        let now = self.env().now();
        if self.store().delete_workflow(caller.bot, id, now).await? {
            return Ok(());
        }
        Err(Error::not_found(Kind::Workflow, id))
    }

    fn new_workflow(&self, caller: &Caller, input: WorkflowInput) -> Result<NewWorkflow> {
        if caller.integration.is_some() {
            return Err(Error::Forbidden {
                reason: "workflows are a bot's; call without x-integration-id".to_owned(),
            });
        }
        check::name("name", &input.name)?;
        let given = input.input.unwrap_or_else(Json::empty);
        payload("input", &given)?;
        let now = self.env().now();
        Ok(NewWorkflow {
            id: self.new_workflow_id(),
            bot: caller.bot,
            event: under(Some(input.status), input.event)?,
            name: input.name,
            status: input.status,
            input: given,
            parent: input.parent,
            conversation: input.conversation,
            user: input.user,
            tags: check::new_tags(caller, input.tags)?,
            timeout_at: input
                .timeout_at
                .unwrap_or_else(|| now.plus(Workflow::DEFAULT_TIME)),
            now,
        })
    }
}

impl Caller {
    /// Not found, unless it may see workflows.
    pub(crate) fn check_workflow(&self, id: WorkflowId) -> Result<()> {
        if self.integration.is_none() {
            return Ok(());
        }
        Err(Error::not_found(Kind::Workflow, id))
    }
}

/// The event under which a workflow is in progress. With another status an event means nothing.
fn under(status: Option<WorkflowStatus>, event: Option<EventId>) -> Result<Option<EventId>> {
    if status != Some(WorkflowStatus::InProgress) {
        return Ok(None);
    }
    if event.is_none() {
        return Err(Error::invalid(
            "eventId",
            "expected the id of the event under which the workflow is in_progress; when that is \
             processed, the bot is told to go on",
        ));
    }
    Ok(event)
}

fn payload(field: &str, payload: &Json) -> Result<()> {
    payload.check_payload().map_err(|error| match error {
        Error::PayloadTooLarge { limit, .. } => Error::PayloadTooLarge {
            what: field.to_owned(),
            limit,
        },
        other => other,
    })
}
