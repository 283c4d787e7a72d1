//! Messages.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use switchboard_engine::messages::{MessageInput, MessageQuery, PostKey};
use switchboard_engine::wire::{WireMessage, schema};
use switchboard_engine::{Engine, keys};
use switchboard_model::{ConversationId, Error, Kind, Result, Tags};
use utoipa::ToSchema;

use super::{Answer, Created, Nothing};
use crate::body::{JsonBody, RawBody, ScheduleBody, UserRef, parse, tags};
use crate::caller::Authenticated;
use crate::openapi::{Dates, IdempotencyKey, Paging, TagFilter};
use crate::page::{Asked, CreatedMeta, List, Meta};
use crate::path::{Segments, id};
use crate::payload::Payload;
use crate::query::Query;

const IDEMPOTENCY_KEY: &str = "idempotency-key";

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewBody {
    #[schema(value_type = schema::ConversationId)]
    conversation_id: ConversationId,
    #[schema(value_type = schema::UserId)]
    user_id: UserRef,
    #[serde(rename = "type")]
    #[schema(value_type = schema::Name)]
    kind: String,
    #[schema(value_type = schema::Payload)]
    payload: Payload,
    #[serde(default, deserialize_with = "tags")]
    #[schema(value_type = schema::TagPatch)]
    tags: Tags,
    #[schema(value_type = Option<schema::Origin>)]
    origin: Option<Origin>,
    #[schema(inline)]
    schedule: Option<ScheduleBody>,
    /// The names of the tags that identify; all, if nothing is said.
    #[schema(min_items = 1)]
    discriminate_by_tags: Option<Vec<String>>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Origin {
    Synthetic,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateBody {
    #[serde(default, deserialize_with = "tags")]
    #[schema(value_type = schema::TagPatch)]
    tags: Tags,
    #[schema(value_type = Option<schema::Payload>)]
    payload: Option<Payload>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct One {
    message: WireMessage,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Found {
    message: WireMessage,
    meta: CreatedMeta,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Many {
    messages: Vec<WireMessage>,
    meta: Meta,
}

impl NewBody {
    fn split(self) -> Result<(MessageInput, Option<Vec<String>>)> {
        let input = MessageInput {
            conversation: self.conversation_id,
            user: self.user_id.0,
            kind: self.kind,
            payload: self.payload.0,
            tags: self.tags,
            synthetic: matches!(self.origin, Some(Origin::Synthetic)),
            schedule: self.schedule.map(ScheduleBody::read).transpose()?,
        };
        Ok((input, self.discriminate_by_tags))
    }
}

/// Stores a message and hands it on.
///
/// With the header `Idempotency-Key` a repeated request is answered with the message of the
/// first.
#[utoipa::path(
    post,
    path = "/messages",
    operation_id = "createMessage",
    tag = "messages",
    params(
        IdempotencyKey,
    ),
    request_body = inline(NewBody),
    responses((status = 201, body = inline(One), description = "It was made."))
)]
pub(super) async fn create(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    headers: HeaderMap,
    RawBody(bytes): RawBody,
) -> Created<One> {
    let key = post_key(&headers, &bytes)?;
    let (input, _) = parse::<NewBody>(&bytes)?.split()?;
    let message = engine.create_message(&caller, input, key.as_ref()).await?;
    Ok((StatusCode::CREATED, Json(One { message })))
}

/// Finds a message in its conversation by the tags that identify, or stores it.
#[utoipa::path(
    post,
    path = "/messages/get-or-create",
    operation_id = "getOrCreateMessage",
    tag = "messages",
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
        .get_or_create_message(&caller, input, by.as_deref())
        .await?;
    Ok(Json(Found {
        message: found.value,
        meta: CreatedMeta {
            created: found.created,
        },
    }))
}

/// Reads a message.
#[utoipa::path(
    get,
    path = "/messages/{id}",
    operation_id = "getMessage",
    tag = "messages",
    params(
        ("id" = schema::MessageId, Path, description = "The message."),
    ),
    responses((status = 200, body = inline(One), description = "Found."))
)]
pub(super) async fn get(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    Segments(path): Segments<String>,
) -> Answer<One> {
    let message = engine
        .get_message(&caller, id(Kind::Message, &path)?)
        .await?;
    Ok(Json(One { message }))
}

/// Lists messages, newest first.
#[utoipa::path(
    get,
    path = "/messages",
    operation_id = "listMessages",
    tag = "messages",
    params(
        ("conversationId" = Option<schema::ConversationId>, Query, description = "Of this conversation."),
        TagFilter,
        Dates,
        Paging,
    ),
    responses((status = 200, body = inline(Many), description = "A page."))
)]
pub(super) async fn list(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> Answer<Many> {
    let (after, before) = query.dates()?;
    let filter = MessageQuery {
        conversation: query.conversation()?,
        tags: query.tags()?,
        after,
        before,
    };
    let list = match filter.conversation {
        Some(_) => List::CONVERSATION_MESSAGES,
        None => List::MESSAGES,
    };
    let asked = Asked::by(&caller, "", &query);
    let page = list.request(&asked)?;
    let found = engine.list_messages(&caller, filter, page).await?;
    Ok(Json(Many {
        messages: found.items,
        meta: list.meta(&asked, found.next),
    }))
}

/// Merges a message's tags and replaces its payload. Where a bot changes what it sent, the channel is
/// told, if it can change it.
#[utoipa::path(
    put,
    path = "/messages/{id}",
    operation_id = "updateMessage",
    tag = "messages",
    params(
        ("id" = schema::MessageId, Path, description = "The message."),
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
    let id = id(Kind::Message, &path)?;
    let message = engine
        .update_message(
            &caller,
            id,
            body.tags,
            body.payload.map(|payload| payload.0),
        )
        .await?;
    Ok(Json(One { message }))
}

/// Deletes a message; in its channel too, if a bot deletes what it sent and the channel can do that.
#[utoipa::path(
    delete,
    path = "/messages/{id}",
    operation_id = "deleteMessage",
    tag = "messages",
    params(
        ("id" = schema::MessageId, Path, description = "The message."),
    ),
    responses((status = 200, body = inline(Nothing), description = "Done."))
)]
pub(super) async fn delete(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    Segments(path): Segments<String>,
) -> Answer<Nothing> {
    engine
        .delete_message(&caller, id(Kind::Message, &path)?)
        .await?;
    Ok(Json(Nothing {}))
}

fn post_key(headers: &HeaderMap, body: &[u8]) -> Result<Option<PostKey>> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let key = key
        .to_str()
        .map_err(|_| Error::invalid("Idempotency-Key", "expected printable ASCII"))?
        .to_owned();
    let request = keys::key([b"createMessage".as_slice(), body]);
    Ok(Some(PostKey { key, request }))
}
