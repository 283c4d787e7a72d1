//! One integration: showing it, switching it on and off, and explaining an update of its.

use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use switchboard_engine::{Condition, Explanation};
use switchboard_model::{Error, Integration, Kind};
use switchboard_store::IntegrationChange;

use super::{Admin, BotQuery};
use crate::body;
use crate::body::JsonBody;
use crate::error::ApiError;
use crate::explain::{UPDATE_LIMIT, named};
use crate::path::Segments;
use crate::query::Parameters;

#[derive(Serialize)]
pub(super) struct Shown {
    integration: Integration,
    /// What is wrong with its channel.
    trouble: Option<String>,
    /// Whether a secret is kept for it, such as a channel's token.
    has_secret: bool,
}

pub(super) async fn show(
    State(admin): State<Admin>,
    Segments(name): Segments<String>,
    Parameters(query): Parameters<BotQuery>,
) -> Result<Json<Shown>, ApiError> {
    let bot = admin.bot(&query).await?;
    let integration = named(&admin.engine, bot, &name).await?;
    let health = admin.engine.health().all();
    let trouble = health
        .into_iter()
        .find_map(|(id, condition)| match condition {
            Condition::Troubled(text) if id == integration.id => Some(text),
            _ => None,
        });
    let secret = admin.engine.store().integration_secret(integration.id);
    Ok(Json(Shown {
        has_secret: secret.await?.is_some(),
        integration,
        trouble,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ActiveBody {
    active: bool,
}

pub(super) async fn set_active(
    State(admin): State<Admin>,
    Segments(name): Segments<String>,
    Parameters(query): Parameters<BotQuery>,
    JsonBody(body): JsonBody<ActiveBody>,
) -> Result<Json<Integration>, ApiError> {
    let bot = admin.bot(&query).await?;
    let integration = named(&admin.engine, bot, &name).await?;
    let store = admin.engine.store();
    if body.active
        && integration.platform == "telegram"
        && store.integration_secret(integration.id).await?.is_none()
    {
        return Err(Error::invalid(
            "active",
            "expected an integration with a token; give it one (switchboard integrations add telegram)",
        )
        .into());
    }
    let change = IntegrationChange {
        active: Some(body.active),
        secret: None,
        script: None,
    };
    let changed = store
        .update_integration(bot, integration.id, change, admin.engine.env().now())
        .await?
        .ok_or_else(|| Error::not_found(Kind::Integration, &name))?;
    admin.channels.reload(changed.clone()).await?;
    Ok(Json(changed))
}

pub(super) async fn explain(
    State(admin): State<Admin>,
    Segments(name): Segments<String>,
    Parameters(query): Parameters<BotQuery>,
    request: Request,
) -> Result<Json<Explanation>, ApiError> {
    let bot = admin.bot(&query).await?;
    let integration = named(&admin.engine, bot, &name).await?;
    let raw = body::read(request, UPDATE_LIMIT).await?;
    Ok(Json(admin.explain.explain(&integration, &raw).await?))
}
