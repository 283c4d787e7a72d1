//! What could not be delivered: kept, visible and replayable, until a person has seen to it.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use switchboard_model::{Error, Kind};
use switchboard_store::{DeliveryRecord, DeliveryRecordStatus, PageRequest};

use super::conversations::{Next, after, conversation_id, limit};
use super::{Admin, BotQuery, parse};
use crate::error::ApiError;
use crate::path::Segments;
use crate::query::Parameters;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    bot: Option<String>,
    status: Option<DeliveryRecordStatus>,
    conversation: Option<String>,
    limit: Option<usize>,
    at: Option<i64>,
    row: Option<i64>,
}

#[derive(Serialize)]
pub(super) struct Deliveries {
    deliveries: Vec<DeliveryRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Next>,
}

pub(super) async fn list(
    State(admin): State<Admin>,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Json<Deliveries>, ApiError> {
    let bot = admin.named_bot(query.bot.as_deref()).await?;
    let conversation = query
        .conversation
        .as_deref()
        .map(conversation_id)
        .transpose()?;
    let page = PageRequest {
        after: after(query.at, query.row),
        limit: limit(query.limit)?,
    };
    let found = admin
        .engine
        .store()
        .list_deliveries(bot, query.status, conversation, page)
        .await?;
    Ok(Json(Deliveries {
        deliveries: found.items,
        next: found.next.map(Next::from),
    }))
}

pub(super) async fn replay(
    State(admin): State<Admin>,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<BotQuery>,
) -> Result<Json<DeliveryRecord>, ApiError> {
    let bot = admin.bot(&query).await?;
    let now = admin.engine.env().now();
    let replayed = admin
        .engine
        .store()
        .replay_delivery(bot, parse(Kind::Delivery, &id)?, now)
        .await?;
    Ok(Json(
        replayed.ok_or_else(|| Error::not_found(Kind::Delivery, &id))?,
    ))
}

pub(super) async fn dismiss(
    State(admin): State<Admin>,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<BotQuery>,
) -> Result<Json<DeliveryRecord>, ApiError> {
    let bot = admin.bot(&query).await?;
    let dismissed = admin
        .engine
        .store()
        .dismiss_delivery(bot, parse(Kind::Delivery, &id)?)
        .await?;
    Ok(Json(
        dismissed.ok_or_else(|| Error::not_found(Kind::Delivery, &id))?,
    ))
}
