//! One message: where it is, and delivering it again.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use switchboard_model::{Error, Kind, Message};
use switchboard_store::DeliveryRecord;

use super::{Admin, BotQuery, parse};
use crate::error::ApiError;
use crate::path::Segments;
use crate::query::Parameters;

/// A message with its deliveries, oldest first.
#[derive(Serialize)]
pub(super) struct Shown {
    message: Message,
    deliveries: Vec<DeliveryRecord>,
}

pub(super) async fn show(
    State(admin): State<Admin>,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<BotQuery>,
) -> Result<Json<Shown>, ApiError> {
    let bot = admin.bot(&query).await?;
    let message = parse(Kind::Message, &id)?;
    let store = admin.engine.store();
    Ok(Json(Shown {
        message: store
            .get_message(bot, message)
            .await?
            .ok_or_else(|| Error::not_found(Kind::Message, &id))?,
        deliveries: store.message_deliveries(bot, message).await?,
    }))
}

pub(super) async fn retry(
    State(admin): State<Admin>,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<BotQuery>,
) -> Result<Json<DeliveryRecord>, ApiError> {
    let bot = admin.bot(&query).await?;
    let now = admin.engine.env().now();
    let retried = admin
        .engine
        .store()
        .replay_message(bot, parse(Kind::Message, &id)?, now)
        .await?;
    Ok(Json(
        retried.ok_or_else(|| Error::not_found(Kind::Message, &id))?,
    ))
}
