//! Users.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use switchboard_engine::Engine;
use switchboard_engine::users::{UserChange, UserInput, UserQuery};
use switchboard_engine::wire::{WireUser, schema};
use switchboard_model::{Kind, Tags};
use utoipa::ToSchema;

use super::{Answer, Created, Nothing};
use crate::body::{JsonBody, names, present, tags};
use crate::caller::Authenticated;
use crate::openapi::{Dates, Paging, RangeField, Sorting, TagFilter};
use crate::page::{Asked, CreatedMeta, List, Meta};
use crate::path::{Segments, user_id};
use crate::query::Query;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewBody {
    #[serde(default, deserialize_with = "tags")]
    #[schema(value_type = schema::TagPatch)]
    tags: Tags,
    #[schema(max_length = 200)]
    name: Option<String>,
    #[schema(max_length = 40000)]
    picture_url: Option<String>,
    integration_name: Option<String>,
    /// The names of the tags that identify; all, if nothing is said.
    #[serde(default, deserialize_with = "names")]
    #[schema(value_type = Option<Vec<schema::Name>>, min_items = 1)]
    discriminate_by_tags: Option<Vec<String>>,
}

#[expect(
    clippy::option_option,
    reason = "absent, null and a value are three things"
)]
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct UpdateBody {
    #[serde(default, deserialize_with = "tags")]
    #[schema(value_type = schema::TagPatch)]
    tags: Tags,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 200)]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 40000)]
    picture_url: Option<Option<String>>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct One {
    user: WireUser,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Found {
    user: WireUser,
    meta: CreatedMeta,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Many {
    users: Vec<WireUser>,
    meta: Meta,
}

impl NewBody {
    fn split(self) -> (UserInput, Option<Vec<String>>) {
        let input = UserInput {
            tags: self.tags,
            name: self.name,
            picture_url: self.picture_url,
            integration: self.integration_name,
        };
        (input, self.discriminate_by_tags)
    }
}

/// Makes a user, always.
#[utoipa::path(
    post,
    path = "/users",
    operation_id = "createUser",
    tag = "users",
    request_body = inline(NewBody),
    responses((status = 201, body = inline(One), description = "It was made."))
)]
pub(super) async fn create(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    JsonBody(body): JsonBody<NewBody>,
) -> Created<One> {
    let (input, _) = body.split();
    let user = engine.create_user(&caller, input).await?;
    Ok((StatusCode::CREATED, Json(One { user })))
}

/// Finds a user by the tags that identify, or makes it.
#[utoipa::path(
    post,
    path = "/users/get-or-create",
    operation_id = "getOrCreateUser",
    tag = "users",
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
        .get_or_create_user(&caller, input, by.as_deref())
        .await?;
    Ok(Json(Found {
        user: found.value,
        meta: CreatedMeta {
            created: found.created,
        },
    }))
}

/// Reads a user.
#[utoipa::path(
    get,
    path = "/users/{id}",
    operation_id = "getUser",
    tag = "users",
    params(
        ("id" = schema::UserId, Path, description = "The user."),
    ),
    responses((status = 200, body = inline(One), description = "Found."))
)]
pub(super) async fn get(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    Segments(path): Segments<String>,
) -> Answer<One> {
    let id = user_id(Kind::User, &path)?;
    let user = engine.get_user(&caller, id).await?;
    Ok(Json(One { user }))
}

/// Lists users, newest first unless asked otherwise.
#[utoipa::path(
    get,
    path = "/users",
    operation_id = "listUsers",
    tag = "users",
    params(
        ("conversationId" = Option<schema::ConversationId>, Query, description = "Who take part in this conversation."),
        RangeField,
        TagFilter,
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
    let filter = UserQuery {
        tags: query.tags()?,
        conversation: query.conversation()?,
        range: query.time_field("rangeField")?,
        after,
        before,
        sort: order.0,
        order: order.1,
    };
    let list = List::users(order);
    let asked = Asked::by(&caller, "", &query);
    let page = list.request(&asked)?;
    let found = engine.list_users(&caller, filter, page).await?;
    Ok(Json(Many {
        users: found.items,
        meta: list.meta(&asked, found.next),
    }))
}

/// Merges a user's tags; `null` clears name or picture.
#[utoipa::path(
    put,
    path = "/users/{id}",
    operation_id = "updateUser",
    tag = "users",
    params(
        ("id" = schema::UserId, Path, description = "The user."),
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
    let id = user_id(Kind::User, &path)?;
    let change = UserChange {
        tags: body.tags,
        name: body.name,
        picture_url: body.picture_url,
    };
    let user = engine.update_user(&caller, id, change).await?;
    Ok(Json(One { user }))
}

/// Deletes a user. The messages it wrote stay.
#[utoipa::path(
    delete,
    path = "/users/{id}",
    operation_id = "deleteUser",
    tag = "users",
    params(
        ("id" = schema::UserId, Path, description = "The user."),
    ),
    responses((status = 200, body = inline(Nothing), description = "Done."))
)]
pub(super) async fn delete(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    Segments(path): Segments<String>,
) -> Answer<Nothing> {
    let id = user_id(Kind::User, &path)?;
    engine.delete_user(&caller, id).await?;
    Ok(Json(Nothing {}))
}
