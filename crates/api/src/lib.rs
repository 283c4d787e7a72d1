//! The HTTP API: the runtime API that `@botpress/client` speaks, webhooks, health, and what is
//! our own under `/v1/switchboard`.
//!
//! This room promises that an answer of 2xx means done and durable, that an error tells a caller
//! what to do next ([`error`]), and that a caller reaches nothing but what its token admits
//! ([`caller`]). One handler is one operation: caller and body arrive checked, one function of the
//! engine is called, the result is written.
//!
//! What never happens here: SQL, a look at the clock, waiting for bots or channels (but for an action,
//! whose caller asks for its output), and an answer of
//! 429 or 502 (official clients repeat a `POST` after those).

mod actions;
pub mod admin;
mod body;
mod caller;
pub mod error;
mod explain;
mod files;
mod health;
mod layers;
mod limits;
mod openapi;
mod page;
mod path;
mod payload;
mod percent;
#[cfg(test)]
mod property;
mod query;
mod runtime;
mod server;
mod strict;
mod unknown;
mod webhook;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use switchboard_engine::Engine;
use switchboard_integration::Explain;

pub use actions::ActionRegistry;
pub use files::FileSources;
pub use health::Readiness;
pub use limits::{HEAD_LIMIT, Limits, URI_LIMIT};
pub use openapi::document;
pub use server::serve;
pub use webhook::Webhooks;

use crate::error::ApiError;

/// What the API works on. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// The engine.
    pub engine: Engine,
    /// The webhooks of the channels that run in this process.
    pub webhooks: Webhooks,
    /// The files of the channels that run in this process.
    pub files: FileSources,
    /// The actions of bots and of the channels that run in this process.
    pub actions: ActionRegistry,
    /// Whether work is taken.
    pub readiness: Readiness,
    /// Who explains updates.
    pub explain: Arc<dyn Explain>,
    /// What callers are held to.
    pub limits: Limits,
}

/// All public routes, with their layers.
pub fn router(api: Api) -> Router {
    let (env, limits) = (api.engine.env().clone(), api.limits);
    let (operations, parameters) = runtime::router(api.engine.clone(), api.actions.clone());
    let routes = Router::new()
        .merge(operations)
        .nest(
            "/v1/switchboard",
            explain::router(api.engine.clone(), Arc::clone(&api.explain)),
        )
        .merge(webhook::router(api.webhooks.clone(), api.readiness.clone()))
        .merge(files::router(api.files.clone(), limits.stall))
        .merge(openapi::router())
        .merge(health::router(api))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method);
    layers::layered(routes, env, limits, parameters)
}

async fn no_route(request: Request) -> ApiError {
    ApiError::no_route(request.uri().path())
}

async fn no_method(request: Request) -> ApiError {
    ApiError::no_method(request.method(), request.uri().path())
}
