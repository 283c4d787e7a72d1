//! Tags: the values that they have.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use switchboard_engine::Engine;
use switchboard_engine::wire::schema;
use switchboard_model::Error;
use switchboard_store::TagKind;
use utoipa::ToSchema;

use super::Answer;
use crate::caller::Authenticated;
use crate::openapi::Paging;
use crate::page::{Asked, Meta, ValueList};
use crate::path::Segments;
use crate::query::Query;

#[derive(Serialize, ToSchema)]
pub(super) struct Many {
    tags: Vec<TagValue>,
    meta: Meta,
}

/// A value that something has.
#[derive(Serialize, ToSchema)]
pub(super) struct TagValue {
    #[schema(max_length = 500)]
    value: String,
}

/// Lists the values of a tag, each once, by their bytes.
///
/// A value is listed from the moment that something has it until nothing has it any more; those of
/// the messages of a deleted conversation go some seconds after it. An integration sees the values
/// of its own conversations, users and messages.
#[utoipa::path(
    get,
    path = "/tags/{key}/values",
    operation_id = "listTagValues",
    tag = "tags",
    params(
        ("key" = schema::Name, Path, description = "The tag's name."),
        ("type" = inline(schema::TagType), Query, description = "What has the tag."),
        Paging,
    ),
    responses((status = 200, body = inline(Many), description = "A page."))
)]
pub(super) async fn list_values(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    Segments(key): Segments<String>,
    query: Query,
) -> Answer<Many> {
    const EXPECTED: &str = "expected conversation, user or message";
    let kind = query
        .read("type", EXPECTED, |text| {
            Some(match text {
                "conversation" => TagKind::Conversation,
                "user" => TagKind::User,
                "message" => TagKind::Message,
                _ => return None,
            })
        })?
        .ok_or_else(|| Error::InvalidQuery {
            parameter: "type".to_owned(),
            expected: EXPECTED.to_owned(),
        })?;
    let list = ValueList::new(kind);
    let asked = Asked::by(&caller, &key, &query);
    let page = list.request(&asked)?;
    let found = engine.list_tag_values(&caller, kind, &key, page).await?;
    let meta = list.meta(&asked, &found);
    let tags = found.values.into_iter().map(|value| TagValue { value });
    Ok(Json(Many {
        tags: tags.collect(),
        meta,
    }))
}
