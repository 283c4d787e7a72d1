//! Conversations.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use switchboard_engine::Engine;
use switchboard_engine::conversations::{ConversationInput, ConversationQuery};
use switchboard_engine::wire::{WireConversation, schema};
use switchboard_model::{Kind, Tags};
use utoipa::ToSchema;

use super::{Answer, Created, Nothing};
use crate::body::{JsonBody, names, tags};
use crate::caller::Authenticated;
use crate::openapi::{Dates, Paging, Sorting, TagFilter};
use crate::page::{Asked, CreatedMeta, List, Meta};
use crate::path::{Segments, id};
use crate::query::Query;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewBody {
    #[schema(value_type = schema::Name)]
    channel: String,
    #[serde(default, deserialize_with = "tags")]
    #[schema(value_type = schema::TagPatch)]
    tags: Tags,
    /// The alias or platform of the integration that it is of, where a bot has several.
    integration_name: Option<String>,
    /// The names of the tags that identify; all, if nothing is said.
    #[serde(default, deserialize_with = "names")]
    #[schema(value_type = Option<Vec<schema::Name>>, min_items = 1)]
    discriminate_by_tags: Option<Vec<String>>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct UpdateBody {
    /// Of tasks, which there are none of: taken and not used.
    #[expect(dead_code, reason = "the official client may send it")]
    current_task_id: Option<String>,
    #[serde(default, deserialize_with = "tags")]
    #[schema(value_type = schema::TagPatch)]
    tags: Tags,
}

#[derive(Serialize, ToSchema)]
pub(super) struct One {
    conversation: WireConversation,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Found {
    conversation: WireConversation,
    meta: CreatedMeta,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Many {
    conversations: Vec<WireConversation>,
    meta: Meta,
}

impl NewBody {
    fn split(self) -> (ConversationInput, Option<Vec<String>>) {
        let input = ConversationInput {
            channel: self.channel,
            tags: self.tags,
            integration: self.integration_name,
        };
        (input, self.discriminate_by_tags)
    }
}

/// Makes a conversation, always.
#[utoipa::path(
    post,
    path = "/conversations",
    operation_id = "createConversation",
    tag = "conversations",
    request_body = inline(NewBody),
    responses((status = 201, body = inline(One), description = "It was made."))
)]
pub(super) async fn create(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    JsonBody(body): JsonBody<NewBody>,
) -> Created<One> {
    let (input, _) = body.split();
    let conversation = engine.create_conversation(&caller, input).await?;
    Ok((StatusCode::CREATED, Json(One { conversation })))
}

/// Finds a conversation by the tags that identify, or makes it.
#[utoipa::path(
    post,
    path = "/conversations/get-or-create",
    operation_id = "getOrCreateConversation",
    tag = "conversations",
    request_body = inline(NewBody),
    responses((status = 200, body = inline(Found), description = "Done."))
)]
pub(super) async fn get_or_create(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    JsonBody(body): JsonBody<NewBody>,
) -> Answer<Found> {
    let (input, by) = body.split();
    let found = engine
        .get_or_create_conversation(&caller, input, by.as_deref())
        .await?;
    Ok(Json(Found {
        conversation: found.value,
        meta: CreatedMeta {
            created: found.created,
        },
    }))
}

/// Reads a conversation.
#[utoipa::path(
    get,
    path = "/conversations/{id}",
    operation_id = "getConversation",
    tag = "conversations",
    params(
        ("id" = schema::ConversationId, Path, description = "The conversation."),
    ),
    responses((status = 200, body = inline(One), description = "Found."))
)]
pub(super) async fn get(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    Segments(path): Segments<String>,
) -> Answer<One> {
    let id = id(Kind::Conversation, &path)?;
    let conversation = engine.get_conversation(&caller, id).await?;
    Ok(Json(One { conversation }))
}

/// Lists conversations, newest first unless asked otherwise.
#[utoipa::path(
    get,
    path = "/conversations",
    operation_id = "listConversations",
    tag = "conversations",
    params(
        ("integrationName" = Option<String>, Query, description = "Of the integration of this alias or platform."),
        ("channel" = Option<String>, Query, description = "Of this channel."),
        ("participantIds" = Option<Vec<schema::UserId>>, Query, description = "In which all these users take part."),
        TagFilter,
        ("minMessageCount" = Option<u32>, Query, description = "With at least so many messages."),
        ("maxMessageCount" = Option<u32>, Query, description = "With at most so many messages."),
        Dates,
        Sorting,
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
    let order = query.sort()?;
    let count = |name| {
        query.read(name, "expected a number from 0 to 2147483647", |text| {
            text.parse()
                .ok()
                .filter(|count: &u32| i32::try_from(*count).is_ok())
        })
    };
    let filter = ConversationQuery {
        tags: query.tags()?,
        integration: query.text("integrationName")?.map(ToOwned::to_owned),
        channel: query.text("channel")?.map(ToOwned::to_owned),
        participants: query.users("participantIds")?,
        after,
        before,
        min_messages: count("minMessageCount")?,
        max_messages: count("maxMessageCount")?,
        sort: order.0,
        order: order.1,
    };
    let list = List::conversations(order);
    let asked = Asked::by(&caller, "", &query);
    let page = list.request(&asked)?;
    let found = engine.list_conversations(&caller, filter, page).await?;
    Ok(Json(Many {
        conversations: found.items,
        meta: list.meta(&asked, found.next),
    }))
}

/// Merges a conversation's tags.
#[utoipa::path(
    put,
    path = "/conversations/{id}",
    operation_id = "updateConversation",
    tag = "conversations",
    params(
        ("id" = schema::ConversationId, Path, description = "The conversation."),
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
    let id = id(Kind::Conversation, &path)?;
    let conversation = engine.update_conversation(&caller, id, body.tags).await?;
    Ok(Json(One { conversation }))
}

/// Deletes a conversation, with all that belongs to it.
#[utoipa::path(
    delete,
    path = "/conversations/{id}",
    operation_id = "deleteConversation",
    tag = "conversations",
    params(
        ("id" = schema::ConversationId, Path, description = "The conversation."),
    ),
    responses((status = 200, body = inline(Nothing), description = "Done."))
)]
pub(super) async fn delete(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    Segments(path): Segments<String>,
) -> Answer<Nothing> {
    let id = id(Kind::Conversation, &path)?;
    engine.delete_conversation(&caller, id).await?;
    Ok(Json(Nothing {}))
}
