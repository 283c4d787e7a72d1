//! Events.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use switchboard_engine::Engine;
use switchboard_engine::events::{EventInput, EventQuery};
use switchboard_engine::wire::WireEvent;
use switchboard_model::{
    ConversationId, EventStatus, Json as Payload, Kind, MessageId, WorkflowId,
};
use switchboard_store::Page;

use super::{Answer, Created};
use crate::body::{JsonBody, UserRef, refuse};
use crate::caller::Authenticated;
use crate::page::{List, Meta};
use crate::path::{Segments, id};
use crate::query::Query;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewBody {
    #[serde(rename = "type")]
    kind: String,
    payload: Payload,
    conversation_id: Option<ConversationId>,
    user_id: Option<UserRef>,
    message_id: Option<MessageId>,
    workflow_id: Option<WorkflowId>,
    schedule: Option<IgnoredAny>,
}

#[derive(Serialize)]
pub(super) struct One {
    event: WireEvent,
}

#[derive(Serialize)]
pub(super) struct Many {
    events: Vec<WireEvent>,
    meta: Meta,
}

/// `createEvent`: stores an event and hands it to the bot.
pub(super) async fn create(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    JsonBody(body): JsonBody<NewBody>,
) -> Created<One> {
    refuse("schedule", body.schedule.as_ref())?;
    let input = EventInput {
        kind: body.kind,
        payload: body.payload,
        conversation: body.conversation_id,
        user: body.user_id.map(|user| user.0),
        message: body.message_id,
        workflow: body.workflow_id,
    };
    let event = engine.create_event(&caller, input).await?;
    Ok((StatusCode::CREATED, Json(One { event })))
}

/// `getEvent`.
pub(super) async fn get(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    Segments(path): Segments<String>,
) -> Answer<One> {
    let event = engine.get_event(&caller, id(Kind::Event, &path)?).await?;
    Ok(Json(One { event }))
}

/// `listEvents`, newest first.
pub(super) async fn list(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> Answer<Many> {
    let status = query.read("status", "expected a status of events", Status::read)?;
    let page = List::EVENTS.request(&query)?;
    let filter = EventQuery {
        kind: query.text("type")?.map(ToOwned::to_owned),
        conversation: query.conversation()?,
        user: query.user("userId")?,
        message: query.id("messageId")?,
        workflow: query.id("workflowId")?,
        status: match status {
            Some(Status::Kept(status)) => Some(status),
            _ => None,
        },
    };
    // No event is scheduled as long as that is not served.
    let none = matches!(status, Some(Status::NotServed));
    let found = if none {
        Page::empty()
    } else {
        engine.list_events(&caller, filter, page).await?
    };
    Ok(Json(Many {
        events: found.items,
        meta: List::EVENTS.meta(found.next),
    }))
}

#[derive(Clone, Copy)]
enum Status {
    Kept(EventStatus),
    NotServed,
}

impl Status {
    fn read(text: &str) -> Option<Self> {
        Some(match text {
            "pending" => Self::Kept(EventStatus::Pending),
            "processed" => Self::Kept(EventStatus::Processed),
            "ignored" => Self::Kept(EventStatus::Ignored),
            "failed" => Self::Kept(EventStatus::Failed),
            "scheduled" | "canceled" => Self::NotServed,
            _ => return None,
        })
    }
}
