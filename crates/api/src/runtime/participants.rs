//! Participants of conversations.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use switchboard_engine::Engine;
use switchboard_engine::wire::WireUser;
use switchboard_model::Kind;

use super::{Answer, Nothing};
use crate::body::{JsonBody, UserRef};
use crate::caller::Authenticated;
use crate::page::{List, Meta};
use crate::path::{Segments, id, user_id};
use crate::query::Query;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AddBody {
    user_id: UserRef,
}

#[derive(Serialize)]
pub(super) struct One {
    participant: WireUser,
}

#[derive(Serialize)]
pub(super) struct Many {
    participants: Vec<WireUser>,
    meta: Meta,
}

/// `addParticipant`: doing it again changes nothing.
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

/// `getParticipant`.
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

/// `listParticipants`, in the order they joined.
pub(super) async fn list(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    Segments(path): Segments<String>,
    query: Query,
) -> Answer<Many> {
    let conversation = id(Kind::Conversation, &path)?;
    let page = List::PARTICIPANTS.request(&query)?;
    let found = engine
        .list_participants(&caller, conversation, page)
        .await?;
    Ok(Json(Many {
        participants: found.items,
        meta: List::PARTICIPANTS.meta(found.next),
    }))
}

/// `removeParticipant`.
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
