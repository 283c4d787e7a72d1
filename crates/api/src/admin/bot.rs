//! Renaming a bot, and a new token in the place of an old one.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use switchboard_model::{Bot, Error, Integration, Kind, Token};

use super::access::check_name;
use super::{Admin, BotQuery, parse};
use crate::body::JsonBody;
use crate::error::ApiError;
use crate::path::Segments;
use crate::query::Parameters;

#[derive(Serialize)]
pub(super) struct ShownBot {
    bot: Bot,
    integrations: Vec<Integration>,
    /// Those that are taken now.
    tokens: usize,
}

pub(super) async fn show_bot(
    State(admin): State<Admin>,
    Parameters(query): Parameters<BotQuery>,
) -> Result<Json<ShownBot>, ApiError> {
    let id = admin.bot(&query).await?;
    let (store, now) = (admin.engine.store(), admin.engine.env().now());
    let bot = store.get_bot(id).await?;
    let tokens = store.list_tokens(id).await?;
    Ok(Json(ShownBot {
        bot: bot.ok_or_else(|| Error::not_found(Kind::Bot, id))?,
        integrations: store.list_integrations(id).await?,
        tokens: tokens.iter().filter(|token| !token.has_ended(now)).count(),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RenameBody {
    name: String,
}

pub(super) async fn rename_bot(
    State(admin): State<Admin>,
    Parameters(query): Parameters<BotQuery>,
    JsonBody(body): JsonBody<RenameBody>,
) -> Result<Json<Bot>, ApiError> {
    let id = admin.bot(&query).await?;
    check_name(&admin, &body.name, Some(id)).await?;
    let renamed = admin
        .engine
        .store()
        .rename_bot(id, &body.name, admin.engine.env().now())
        .await?;
    Ok(Json(
        renamed.ok_or_else(|| Error::not_found(Kind::Bot, id))?,
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RotateBody {
    /// For how long the old one is taken too.
    overlap_seconds: u64,
}

#[derive(Serialize)]
pub(super) struct RotateAnswer {
    token: Token,
    secret: String,
    old: Token,
}

pub(super) async fn rotate_token(
    State(admin): State<Admin>,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<BotQuery>,
    JsonBody(body): JsonBody<RotateBody>,
) -> Result<Json<RotateAnswer>, ApiError> {
    let bot = admin.bot(&query).await?;
    let overlap = Duration::from_secs(body.overlap_seconds);
    let rotated = admin
        .engine
        .rotate_token(bot, parse(Kind::Token, &id)?, overlap)
        .await?;
    Ok(Json(RotateAnswer {
        token: rotated.token,
        secret: rotated.secret,
        old: rotated.old,
    }))
}
