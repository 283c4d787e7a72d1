//! `POST /v1/switchboard/integrations/{integration}/explain`: what an update is and would become,
//! without taking it. The body is the update as the channel's platform sends it.
//!
//! It is no operation of the platform's, so it lies under a prefix of our own. A bot asks about its
//! own integrations; an integration about itself.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::routing::post;
use axum::{Extension, Json, Router};
use switchboard_engine::{Caller, Engine, Explanation};
use switchboard_integration::Explain;
use switchboard_model::{BotId, Error, Integration, Kind, Result};

use crate::body;
use crate::caller::Authenticated;
use crate::error::ApiError;
use crate::path::Segments;
use crate::query::{NoQuery, Parameters};

/// The largest update, in bytes: as large as a webhook's body may be.
pub(crate) const UPDATE_LIMIT: usize = 16 << 20;

pub(crate) fn router<S>(engine: Engine, channels: Arc<dyn Explain>) -> Router<S> {
    Router::new()
        .route("/integrations/{integration}/explain", post(explain))
        .layer(Extension(channels))
        .with_state(engine)
}

async fn explain(
    State(engine): State<Engine>,
    Extension(channels): Extension<Arc<dyn Explain>>,
    Authenticated(caller): Authenticated,
    Parameters(NoQuery {}): Parameters<NoQuery>,
    Segments(name): Segments<String>,
    request: Request,
) -> Result<Json<Explanation>, ApiError> {
    let integration = named(&engine, caller.bot, &name).await?;
    check_own(&caller, &integration, &name)?;
    let raw = body::read(request, UPDATE_LIMIT).await?;
    Ok(Json(channels.explain(&integration, &raw).await?))
}

/// The integration of a bot that an alias or id means.
pub(crate) async fn named(engine: &Engine, bot: BotId, name: &str) -> Result<Integration> {
    let installed = engine.store().list_integrations(bot).await?;
    installed
        .into_iter()
        .find(|found| found.alias == name || found.id.to_string() == name)
        .ok_or_else(|| Error::not_found(Kind::Integration, name))
}

/// To an integration, another one is absent.
fn check_own(caller: &Caller, integration: &Integration, name: &str) -> Result<()> {
    match caller.integration_id() {
        Some(own) if own != integration.id => Err(Error::not_found(Kind::Integration, name)),
        _ => Ok(()),
    }
}
