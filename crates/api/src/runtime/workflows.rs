//! Workflows.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use switchboard_engine::Engine;
use switchboard_engine::wire::{WireWorkflow, schema};
use switchboard_engine::workflows::{WorkflowChange, WorkflowInput, WorkflowQuery};
use switchboard_model::{
    ConversationId, Error, EventId, Kind, Result, StatusGroup, Tags, Timestamp, WorkflowId,
    WorkflowStatus,
};
use utoipa::ToSchema;

use super::{Answer, Created, Nothing};
use crate::body::{JsonBody, UserRef, tags};
use crate::caller::Authenticated;
use crate::openapi::{Paging, TagFilter};
use crate::page::{Asked, CreatedMeta, List, Meta};
use crate::path::{Segments, id};
use crate::payload::Payload;
use crate::query::Query;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewBody {
    #[schema(value_type = schema::Name)]
    name: String,
    #[schema(value_type = schema::WorkflowStatus)]
    status: WorkflowStatus,
    #[schema(value_type = Option<schema::EventId>)]
    event_id: Option<EventId>,
    #[schema(value_type = Option<schema::Payload>)]
    input: Option<Payload>,
    #[schema(value_type = Option<schema::WorkflowId>)]
    parent_workflow_id: Option<WorkflowId>,
    #[schema(value_type = Option<schema::ConversationId>)]
    conversation_id: Option<ConversationId>,
    #[schema(value_type = Option<schema::UserId>)]
    user_id: Option<UserRef>,
    #[schema(value_type = Option<schema::Time>)]
    timeout_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "tags")]
    #[schema(value_type = schema::TagPatch)]
    tags: Tags,
    /// The names of the tags that identify; all, if nothing is said.
    discriminate_by_tags: Option<Vec<String>>,
    #[schema(inline)]
    discriminate_by_status_group: Option<Group>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Group {
    Active,
    Finished,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct UpdateBody {
    #[schema(value_type = Option<schema::WorkflowStatus>)]
    status: Option<WorkflowStatus>,
    #[schema(value_type = Option<schema::EventId>)]
    event_id: Option<EventId>,
    #[schema(value_type = Option<schema::Payload>)]
    output: Option<Payload>,
    #[schema(value_type = Option<schema::Time>)]
    timeout_at: Option<Timestamp>,
    failure_reason: Option<String>,
    #[schema(value_type = Option<schema::UserId>)]
    user_id: Option<UserRef>,
    #[serde(default, deserialize_with = "tags")]
    #[schema(value_type = schema::TagPatch)]
    tags: Tags,
}

#[derive(Serialize, ToSchema)]
pub(super) struct One {
    workflow: WireWorkflow,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Found {
    workflow: WireWorkflow,
    meta: CreatedMeta,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Many {
    workflows: Vec<WireWorkflow>,
    meta: Meta,
}

/// How a get-or-create looks for one.
struct Discriminate {
    tags: Option<Vec<String>>,
    group: Option<StatusGroup>,
}

impl NewBody {
    fn split(self) -> Result<(WorkflowInput, Discriminate)> {
        use WorkflowStatus::{InProgress, Listening, Pending};
        if !matches!(self.status, Pending | InProgress | Listening) {
            return Err(Error::invalid(
                "status",
                "expected pending, in_progress or listening, for a new workflow",
            ));
        }
        let by = Discriminate {
            tags: self.discriminate_by_tags,
            group: self.discriminate_by_status_group.map(|group| match group {
                Group::Active => StatusGroup::Active,
                Group::Finished => StatusGroup::Finished,
            }),
        };
        let input = WorkflowInput {
            name: self.name,
            status: self.status,
            event: self.event_id,
            input: self.input.map(|input| input.0),
            parent: self.parent_workflow_id,
            conversation: self.conversation_id,
            user: self.user_id.map(|user| user.0),
            timeout_at: self.timeout_at,
            tags: self.tags,
        };
        Ok((input, by))
    }
}

/// Makes a workflow; the bot is told of a pending one.
#[utoipa::path(
    post,
    path = "/workflows",
    operation_id = "createWorkflow",
    tag = "workflows",
    request_body = inline(NewBody),
    responses((status = 201, body = inline(One), description = "It was made."))
)]
pub(super) async fn create(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    JsonBody(body): JsonBody<NewBody>,
) -> Created<One> {
    let (input, _) = body.split()?;
    let workflow = engine.create_workflow(&caller, input).await?;
    Ok((StatusCode::CREATED, Json(One { workflow })))
}

/// Finds a workflow by name and tags, in a group of statuses if one is named, or makes it.
#[utoipa::path(
    post,
    path = "/workflows/get-or-create",
    operation_id = "getOrCreateWorkflow",
    tag = "workflows",
    request_body = inline(NewBody),
    responses((status = 200, body = inline(Found), description = "Done."))
)]
pub(super) async fn get_or_create(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    JsonBody(body): JsonBody<NewBody>,
) -> Answer<Found> {
    let (input, by) = body.split()?;
    let found = engine
        .get_or_create_workflow(&caller, input, by.tags.as_deref(), by.group)
        .await?;
    Ok(Json(Found {
        workflow: found.value,
        meta: CreatedMeta {
            created: found.created,
        },
    }))
}

/// Reads a workflow.
#[utoipa::path(
    get,
    path = "/workflows/{id}",
    operation_id = "getWorkflow",
    tag = "workflows",
    params(
        ("id" = schema::WorkflowId, Path, description = "The workflow."),
    ),
    responses((status = 200, body = inline(One), description = "Found."))
)]
pub(super) async fn get(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    Segments(path): Segments<String>,
) -> Answer<One> {
    let id = id(Kind::Workflow, &path)?;
    let workflow = engine.get_workflow(&caller, id).await?;
    Ok(Json(One { workflow }))
}

/// Lists workflows, newest first.
#[utoipa::path(
    get,
    path = "/workflows",
    operation_id = "listWorkflows",
    tag = "workflows",
    params(
        ("name" = Option<String>, Query, description = "Of this name."),
        ("conversationId" = Option<schema::ConversationId>, Query, description = "Of this conversation."),
        ("userId" = Option<schema::UserId>, Query, description = "Of this user."),
        ("parentWorkflowId" = Option<schema::WorkflowId>, Query, description = "That are parts of this one."),
        ("statuses" = Option<Vec<schema::WorkflowStatus>>, Query, description = "Of one of these statuses."),
        TagFilter,
        Paging,
    ),
    responses((status = 200, body = inline(Many), description = "A page."))
)]
pub(super) async fn list(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> Answer<Many> {
    let statuses = query.each("statuses", STATUS, WorkflowStatus::read)?;
    let asked = Asked::by(&caller, "", &query);
    let page = List::WORKFLOWS.request(&asked)?;
    let filter = WorkflowQuery {
        tags: query.tags()?,
        conversation: query.conversation()?,
        user: query.user("userId")?,
        parent: query.id("parentWorkflowId")?,
        statuses,
        name: query.text("name")?.map(ToOwned::to_owned),
    };
    let found = engine.list_workflows(&caller, filter, page).await?;
    Ok(Json(Many {
        workflows: found.items,
        meta: List::WORKFLOWS.meta(&asked, found.next),
    }))
}

const STATUS: &str = "expected pending, in_progress, listening, paused, completed, failed, timedout \
                      or cancelled";

/// Changes a workflow; what is not named stays.
#[utoipa::path(
    put,
    path = "/workflows/{id}",
    operation_id = "updateWorkflow",
    tag = "workflows",
    params(
        ("id" = schema::WorkflowId, Path, description = "The workflow."),
    ),
    request_body = inline(UpdateBody),
    responses((status = 200, body = inline(One), description = "Done."))
)]
pub(super) async fn update(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    Segments(path): Segments<String>,
    JsonBody(body): JsonBody<UpdateBody>,
) -> Answer<One> {
    let id = id(Kind::Workflow, &path)?;
    let change = WorkflowChange {
        status: body.status,
        event: body.event_id,
        output: body.output.map(|output| output.0),
        timeout_at: body.timeout_at,
        failure_reason: body.failure_reason,
        user: body.user_id.map(|user| user.0),
        tags: body.tags,
    };
    let workflow = engine.update_workflow(&caller, id, change).await?;
    Ok(Json(One { workflow }))
}

/// Deletes a workflow, with its states.
#[utoipa::path(
    delete,
    path = "/workflows/{id}",
    operation_id = "deleteWorkflow",
    tag = "workflows",
    params(
        ("id" = schema::WorkflowId, Path, description = "The workflow."),
    ),
    responses((status = 200, body = inline(Nothing), description = "Done."))
)]
pub(super) async fn delete(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    Segments(path): Segments<String>,
) -> Answer<Nothing> {
    let id = id(Kind::Workflow, &path)?;
    engine.delete_workflow(&caller, id).await?;
    Ok(Json(Nothing {}))
}
