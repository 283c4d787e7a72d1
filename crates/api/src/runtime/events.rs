//! Events.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use switchboard_engine::Engine;
use switchboard_engine::events::{EventInput, EventQuery};
use switchboard_engine::wire::{WireEvent, schema};
use switchboard_model::{ConversationId, EventStatus, Kind, MessageId, WorkflowId};
use utoipa::ToSchema;

use super::{Answer, Created, Nothing};
use crate::body::{JsonBody, ScheduleBody, UserRef};
use crate::caller::Authenticated;
use crate::openapi::{Paging, StatusFilter};
use crate::page::{Asked, List, Meta};
use crate::path::{Segments, id};
use crate::payload::Payload;
use crate::query::Query;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewBody {
    #[serde(rename = "type")]
    #[schema(value_type = schema::Name)]
    kind: String,
    #[schema(value_type = schema::Payload)]
    payload: Payload,
    #[schema(value_type = Option<schema::ConversationId>)]
    conversation_id: Option<ConversationId>,
    #[schema(value_type = Option<schema::UserId>)]
    user_id: Option<UserRef>,
    #[schema(value_type = Option<schema::MessageId>)]
    message_id: Option<MessageId>,
    #[schema(value_type = Option<schema::WorkflowId>)]
    workflow_id: Option<WorkflowId>,
    #[schema(inline)]
    schedule: Option<ScheduleBody>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct One {
    event: WireEvent,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Many {
    events: Vec<WireEvent>,
    meta: Meta,
}

/// Stores an event and hands it to the bot.
#[utoipa::path(
    post,
    path = "/events",
    operation_id = "createEvent",
    tag = "events",
    request_body = inline(NewBody),
    responses((status = 201, body = inline(One), description = "It was made."))
)]
pub(super) async fn create(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    JsonBody(body): JsonBody<NewBody>,
) -> Created<One> {
    let input = EventInput {
        kind: body.kind,
        payload: body.payload.0,
        conversation: body.conversation_id,
        user: body.user_id.map(|user| user.0),
        message: body.message_id,
        workflow: body.workflow_id,
        schedule: body.schedule.map(ScheduleBody::read).transpose()?,
    };
    let event = engine.create_event(&caller, input).await?;
    Ok((StatusCode::CREATED, Json(One { event })))
}

/// Reads an event.
#[utoipa::path(
    get,
    path = "/events/{id}",
    operation_id = "getEvent",
    tag = "events",
    params(
        ("id" = schema::EventId, Path, description = "The event."),
    ),
    responses((status = 200, body = inline(One), description = "Found."))
)]
pub(super) async fn get(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    Segments(path): Segments<String>,
) -> Answer<One> {
    let event = engine.get_event(&caller, id(Kind::Event, &path)?).await?;
    Ok(Json(One { event }))
}

/// Cancels an event that is scheduled: it is never delivered, and stays to be seen as canceled.
#[utoipa::path(
    delete,
    path = "/events/scheduled/{id}",
    operation_id = "cancelScheduledEvent",
    tag = "events",
    params(
        ("id" = schema::EventId, Path, description = "The event."),
    ),
    responses((status = 200, body = inline(Nothing), description = "Done."))
)]
pub(super) async fn cancel(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    Segments(path): Segments<String>,
) -> Answer<Nothing> {
    engine
        .cancel_event(&caller, id(Kind::Event, &path)?)
        .await?;
    Ok(Json(Nothing {}))
}

/// Lists events, newest first.
#[utoipa::path(
    get,
    path = "/events",
    operation_id = "listEvents",
    tag = "events",
    params(
        ("type" = Option<String>, Query, description = "Of this type."),
        ("conversationId" = Option<schema::ConversationId>, Query, description = "Of this conversation."),
        ("userId" = Option<schema::UserId>, Query, description = "That concern this user."),
        ("messageId" = Option<schema::MessageId>, Query, description = "That concern this message."),
        ("workflowId" = Option<String>, Query, description = "That concern this workflow."),
        StatusFilter,
        Paging,
    ),
    responses((status = 200, body = inline(Many), description = "A page."))
)]
pub(super) async fn list(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> Answer<Many> {
    let status = query.read("status", "expected a status of events", status)?;
    let asked = Asked::by(&caller, "", &query);
    let page = List::EVENTS.request(&asked)?;
    let filter = EventQuery {
        kind: query.text("type")?.map(ToOwned::to_owned),
        conversation: query.conversation()?,
        user: query.user("userId")?,
        message: query.id("messageId")?,
        workflow: query.id("workflowId")?,
        status,
    };
    let found = engine.list_events(&caller, filter, page).await?;
    Ok(Json(Many {
        events: found.items,
        meta: List::EVENTS.meta(&asked, found.next),
    }))
}

fn status(text: &str) -> Option<EventStatus> {
    use EventStatus::{Canceled, Failed, Ignored, Pending, Processed, Scheduled};
    let all = [Pending, Processed, Ignored, Failed, Scheduled, Canceled];
    all.into_iter().find(|status| status.as_str() == text)
}
