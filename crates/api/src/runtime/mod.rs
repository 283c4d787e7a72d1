//! The runtime API, `/v1/chat`: one file a resource, one function an operation. The shapes are those
//! of `@botpress/api`; fields beyond it are `meta.created` and a message's `delivery`.

mod actions;
mod conversations;
mod events;
mod messages;
mod participants;
mod states;
mod users;
mod workflows;

use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Serialize;
use switchboard_engine::Engine;

use crate::actions::ActionRegistry;
use crate::error::ApiError;

/// The answer of an operation that has nothing to tell: `{}`, as clients insist on an object.
#[derive(Serialize)]
struct Nothing {}

type Answer<T> = Result<axum::Json<T>, ApiError>;
type Created<T> = Result<(axum::http::StatusCode, axum::Json<T>), ApiError>;

/// The list of operations.
pub(crate) fn router<S>(engine: Engine, actions: ActionRegistry) -> Router<S> {
    Router::new()
        .route(
            "/conversations",
            get(conversations::list).post(conversations::create),
        )
        .route(
            "/conversations/get-or-create",
            post(conversations::get_or_create),
        )
        .route(
            "/conversations/{id}",
            get(conversations::get)
                .put(conversations::update)
                .delete(conversations::delete),
        )
        .route(
            "/conversations/{id}/participants",
            get(participants::list).post(participants::add),
        )
        .route(
            "/conversations/{id}/participants/{userId}",
            get(participants::get).delete(participants::remove),
        )
        .route("/users", get(users::list).post(users::create))
        .route("/users/get-or-create", post(users::get_or_create))
        .route(
            "/users/{id}",
            get(users::get).put(users::update).delete(users::delete),
        )
        .route("/messages", get(messages::list).post(messages::create))
        .route("/messages/get-or-create", post(messages::get_or_create))
        .route(
            "/messages/{id}",
            get(messages::get)
                .put(messages::update)
                .delete(messages::delete),
        )
        .route("/events", get(events::list).post(events::create))
        .route("/events/{id}", get(events::get))
        .route(
            "/states/{type}/{id}/{name}",
            get(states::get).post(states::set).patch(states::patch),
        )
        .route(
            "/states/{type}/{id}/{name}/get-or-set",
            post(states::get_or_set),
        )
        .route(
            "/states/{type}/{id}/{name}/expiry",
            post(states::set_expiry),
        )
        .route("/actions", post(actions::call).layer(Extension(actions)))
        .route("/workflows", get(workflows::list).post(workflows::create))
        .route("/workflows/get-or-create", post(workflows::get_or_create))
        .route(
            "/workflows/{id}",
            get(workflows::get)
                .put(workflows::update)
                .delete(workflows::delete),
        )
        .with_state(engine)
}
