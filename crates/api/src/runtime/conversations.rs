//! Conversations.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use switchboard_engine::Engine;
use switchboard_engine::conversations::{ConversationInput, ConversationQuery};
use switchboard_engine::wire::WireConversation;
use switchboard_model::{Kind, Tags};

use super::{Answer, Created, Nothing};
use crate::body::{JsonBody, tags};
use crate::caller::Authenticated;
use crate::page::{CreatedMeta, List, Meta};
use crate::path::{Segments, id};
use crate::query::Query;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewBody {
    channel: String,
    #[serde(default, deserialize_with = "tags")]
    tags: Tags,
    integration_name: Option<String>,
    discriminate_by_tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
pub(super) struct UpdateBody {
    #[serde(default, deserialize_with = "tags")]
    tags: Tags,
}

#[derive(Serialize)]
pub(super) struct One {
    conversation: WireConversation,
}

#[derive(Serialize)]
pub(super) struct Found {
    conversation: WireConversation,
    meta: CreatedMeta,
}

#[derive(Serialize)]
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

/// `createConversation`: makes one, always.
pub(super) async fn create(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    JsonBody(body): JsonBody<NewBody>,
) -> Created<One> {
    let (input, _) = body.split();
    let conversation = engine.create_conversation(&caller, input).await?;
    Ok((StatusCode::CREATED, Json(One { conversation })))
}

/// `getOrCreateConversation`: finds it by the tags that identify, or makes it.
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

/// `getConversation`.
pub(super) async fn get(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    Segments(path): Segments<String>,
) -> Answer<One> {
    let id = id(Kind::Conversation, &path)?;
    let conversation = engine.get_conversation(&caller, id).await?;
    Ok(Json(One { conversation }))
}

/// `listConversations`, newest first unless asked otherwise.
pub(super) async fn list(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    query: Query,
) -> Answer<Many> {
    let (after, before) = query.dates()?;
    let order = query.sort()?;
    let filter = ConversationQuery {
        tags: query.tags()?,
        integration: query.text("integrationName")?.map(ToOwned::to_owned),
        channel: query.text("channel")?.map(ToOwned::to_owned),
        participants: query.users("participantIds")?,
        after,
        before,
        sort: order.0,
        order: order.1,
    };
    let list = List::conversations(order);
    let page = list.request(&query)?;
    let found = engine.list_conversations(&caller, filter, page).await?;
    Ok(Json(Many {
        conversations: found.items,
        meta: list.meta(found.next),
    }))
}

/// `updateConversation`: merges tags.
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

/// `deleteConversation`, with all that belongs to it.
pub(super) async fn delete(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    Segments(path): Segments<String>,
) -> Answer<Nothing> {
    let id = id(Kind::Conversation, &path)?;
    engine.delete_conversation(&caller, id).await?;
    Ok(Json(Nothing {}))
}
