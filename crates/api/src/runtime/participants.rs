//! Participants of conversations.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use switchboard_engine::Engine;
use switchboard_engine::wire::{WireUser, schema};
use switchboard_model::Kind;
use utoipa::ToSchema;

use super::{Answer, Nothing};
use crate::body::{JsonBody, UserRef};
use crate::caller::Authenticated;
use crate::openapi::Paging;
use crate::page::{Asked, List, Meta};
use crate::path::{Segments, id, user_id};
use crate::query::Query;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AddBody {
    #[schema(value_type = schema::UserId)]
    user_id: UserRef,
}

#[derive(Serialize, ToSchema)]
pub(super) struct One {
    participant: WireUser,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Many {
    participants: Vec<WireUser>,
    meta: Meta,
}

/// Lets a user take part. Doing it again changes nothing.
#[utoipa::path(
    post,
    path = "/conversations/{id}/participants",
    operation_id = "addParticipant",
    tag = "participants",
    params(
        ("id" = schema::ConversationId, Path, description = "The conversation."),
    ),
    request_body = inline(AddBody),
    responses((status = 200, body = inline(One), description = "Done."))
)]
pub(super) async fn add(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    Segments(path): Segments<String>,
    JsonBody(body): JsonBody<AddBody>,
) -> Answer<One> {
    let conversation = id(Kind::Conversation, &path)?;
    let participant = engine
        .add_participant(&caller, conversation, body.user_id.0)
        .await?;
    Ok(Json(One { participant }))
}

/// Reads a participant.
#[utoipa::path(
    get,
    path = "/conversations/{id}/participants/{userId}",
    operation_id = "getParticipant",
    tag = "participants",
    params(
        ("id" = schema::ConversationId, Path, description = "The conversation."),
        ("userId" = schema::UserId, Path, description = "The user."),
    ),
    responses((status = 200, body = inline(One), description = "Found."))
)]
pub(super) async fn get(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    Segments((conversation, user)): Segments<(String, String)>,
) -> Answer<One> {
    let conversation = id(Kind::Conversation, &conversation)?;
    let user = user_id(Kind::Participant, &user)?;
    let participant = engine.get_participant(&caller, conversation, user).await?;
    Ok(Json(One { participant }))
}

/// Lists participants in the order they joined.
#[utoipa::path(
    get,
    path = "/conversations/{id}/participants",
    operation_id = "listParticipants",
    tag = "participants",
    params(
        ("id" = schema::ConversationId, Path, description = "The conversation."),
        Paging,
    ),
    responses((status = 200, body = inline(Many), description = "A page."))
)]
pub(super) async fn list(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    Segments(path): Segments<String>,
    query: Query,
) -> Answer<Many> {
    let conversation = id(Kind::Conversation, &path)?;
    let asked = Asked::by(&caller, &path, &query);
    let page = List::PARTICIPANTS.request(&asked)?;
    let found = engine
        .list_participants(&caller, conversation, page)
        .await?;
    Ok(Json(Many {
        participants: found.items,
        meta: List::PARTICIPANTS.meta(&asked, found.next),
    }))
}

/// Takes a participant out.
#[utoipa::path(
    delete,
    path = "/conversations/{id}/participants/{userId}",
    operation_id = "removeParticipant",
    tag = "participants",
    params(
        ("id" = schema::ConversationId, Path, description = "The conversation."),
        ("userId" = schema::UserId, Path, description = "The user."),
    ),
    responses((status = 200, body = inline(Nothing), description = "Done."))
)]
pub(super) async fn remove(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    Segments((conversation, user)): Segments<(String, String)>,
) -> Answer<Nothing> {
    let conversation = id(Kind::Conversation, &conversation)?;
    let user = user_id(Kind::Participant, &user)?;
    engine
        .remove_participant(&caller, conversation, user)
        .await?;
    Ok(Json(Nothing {}))
}
