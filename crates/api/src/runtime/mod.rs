//! The runtime API, `/v1/chat`: one file a resource, one function an operation. The shapes are those
//! of `@botpress/api`; fields beyond it are `meta.created` and a message's `delivery`.

mod actions;
mod conversations;
mod events;
mod incoming;
mod messages;
mod participants;
mod states;
mod tags;
mod users;
mod workflows;

use axum::{Extension, Router};
use serde::Serialize;
use switchboard_engine::Engine;
use utoipa::ToSchema;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

use crate::actions::ActionRegistry;
use crate::error::ApiError;
use crate::unknown::Parameters;

/// The answer of an operation that has nothing to tell: `{}`, as clients insist on an object.
#[derive(Serialize, ToSchema)]
struct Nothing {}

type Answer<T> = Result<axum::Json<T>, ApiError>;
type Created<T> = Result<(axum::http::StatusCode, axum::Json<T>), ApiError>;

/// The list of operations, as routes and as a document.
pub(crate) fn operations(actions: ActionRegistry) -> OpenApiRouter<Engine> {
    let operations = OpenApiRouter::new()
        .routes(routes!(conversations::list, conversations::create))
        .routes(routes!(conversations::get_or_create))
        .routes(routes!(
            conversations::get,
            conversations::update,
            conversations::delete
        ))
        .routes(routes!(participants::list, participants::add))
        .routes(routes!(participants::get, participants::remove))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::get_or_create))
        .routes(routes!(users::get, users::update, users::delete))
        .routes(routes!(messages::list, messages::create))
        .routes(routes!(messages::get_or_create))
        .routes(routes!(incoming::import))
        .routes(routes!(incoming::initialize))
        .routes(routes!(messages::get, messages::update, messages::delete))
        .routes(routes!(events::list, events::create))
        .routes(routes!(events::get))
        .routes(routes!(events::cancel))
        .routes(routes!(states::get, states::set, states::patch))
        .routes(routes!(states::get_or_set))
        .routes(routes!(states::set_expiry))
        .routes(routes!(actions::call).layer(Extension(actions)))
        .routes(routes!(tags::list_values))
        .routes(routes!(workflows::list, workflows::create))
        .routes(routes!(workflows::get_or_create))
        .routes(routes!(
            workflows::get,
            workflows::update,
            workflows::delete
        ));
    OpenApiRouter::default().nest("/v1/chat", operations)
}

/// Its routes, and the parameters that they have.
pub(crate) fn router<S>(engine: Engine, actions: ActionRegistry) -> (Router<S>, Parameters) {
    let (routes, document) = operations(actions).split_for_parts();
    (routes.with_state(engine), Parameters::of(&document))
}
