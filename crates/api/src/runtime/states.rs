//! States. A read does not renew the time that a state has to live; a write does.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use switchboard_engine::Engine;
use switchboard_engine::states::StateAddress;
use switchboard_engine::wire::{WireState, schema};
use switchboard_model::{Error, Result, StateKind};
use utoipa::ToSchema;

use super::Answer;
use crate::body::{JsonBody, present};
use crate::caller::Authenticated;
use crate::page::CachedMeta;
use crate::path::Segments;
use crate::payload::Payload;

/// The longest time that a state may be given, in milliseconds: 30 days.
const MAX_EXPIRY: f64 = 2_592_000_000.0;

type Address = Segments<(String, String, String)>;

#[expect(
    clippy::option_option,
    reason = "absent, null and a value are three things"
)]
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetBody {
    // `null` removes the state; a body without a payload is an error.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<schema::Payload>, required = true)]
    payload: Option<Option<Payload>>,
    /// Milliseconds from now, at most 30 days; for ever if nothing is said.
    #[schema(minimum = 1, maximum = 2_592_000_000_u32)]
    expiry: Option<f64>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GetOrSetBody {
    #[schema(value_type = schema::Payload)]
    payload: Payload,
    /// Milliseconds from now, at most 30 days; for ever if nothing is said.
    #[schema(minimum = 1, maximum = 2_592_000_000_u32)]
    expiry: Option<f64>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PatchBody {
    #[schema(value_type = schema::Payload)]
    payload: Payload,
}

#[expect(
    clippy::option_option,
    reason = "absent, null and a value are three things"
)]
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpiryBody {
    #[serde(default, deserialize_with = "present")]
    /// Milliseconds from now, at most 30 days; `null` for ever.
    #[schema(value_type = Option<f64>, required = true, minimum = 1, maximum = 2_592_000_000_u32)]
    expiry: Option<Option<f64>>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct One {
    state: WireState,
}

/// What `setState` answers; nothing, if it removed what was not there.
#[derive(Serialize, ToSchema)]
pub(super) struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = WireState, required = false)]
    state: Option<WireState>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Read {
    state: WireState,
    meta: CachedMeta,
}

/// Reads a state.
#[utoipa::path(
    get,
    path = "/states/{type}/{id}/{name}",
    operation_id = "getState",
    tag = "states",
    params(
        ("type" = schema::StateType, Path, description = "What it belongs to."),
        ("id" = String, Path, description = "The id of that."),
        ("name" = schema::Name, Path, description = "Its name."),
    ),
    responses((status = 200, body = inline(Read), description = "Found."))
)]
pub(super) async fn get(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    path: Address,
) -> Answer<Read> {
    let state = engine.get_state(&caller, &address(path)?).await?;
    Ok(Json(Read {
        state,
        meta: CachedMeta::FRESH,
    }))
}

/// Writes a state whole.
///
/// The payload `null` removes it and answers how it was, or an empty object if there was none.
#[utoipa::path(
    post,
    path = "/states/{type}/{id}/{name}",
    operation_id = "setState",
    tag = "states",
    params(
        ("type" = schema::StateType, Path, description = "What it belongs to."),
        ("id" = String, Path, description = "The id of that."),
        ("name" = schema::Name, Path, description = "Its name."),
    ),
    request_body = inline(SetBody),
    responses((status = 200, body = inline(Written), description = "Done."))
)]
pub(super) async fn set(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    path: Address,
    JsonBody(body): JsonBody<SetBody>,
) -> Answer<Written> {
    let address = address(path)?;
    let payload = body
        .payload
        .ok_or_else(|| Error::invalid("payload", "expected this field, an object or null"))?;
    let expiry = expiry(body.expiry)?;
    let state = match payload {
        Some(payload) => {
            let state = engine
                .set_state(&caller, &address, payload.0, expiry)
                .await?;
            Some(state)
        }
        None => engine.delete_state(&caller, &address).await?,
    };
    Ok(Json(Written { state }))
}

/// Reads a state, or writes it if there is none.
#[utoipa::path(
    post,
    path = "/states/{type}/{id}/{name}/get-or-set",
    operation_id = "getOrSetState",
    tag = "states",
    params(
        ("type" = schema::StateType, Path, description = "What it belongs to."),
        ("id" = String, Path, description = "The id of that."),
        ("name" = schema::Name, Path, description = "Its name."),
    ),
    request_body = inline(GetOrSetBody),
    responses((status = 200, body = inline(Read), description = "Done."))
)]
pub(super) async fn get_or_set(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    path: Address,
    JsonBody(body): JsonBody<GetOrSetBody>,
) -> Answer<Read> {
    let expiry = expiry(body.expiry)?;
    let state = engine
        .get_or_set_state(&caller, &address(path)?, body.payload.0, expiry)
        .await?;
    Ok(Json(Read {
        state,
        meta: CachedMeta::FRESH,
    }))
}

/// Merges top-level keys of a state; a key with `null` is removed.
#[utoipa::path(
    patch,
    path = "/states/{type}/{id}/{name}",
    operation_id = "patchState",
    tag = "states",
    params(
        ("type" = schema::StateType, Path, description = "What it belongs to."),
        ("id" = String, Path, description = "The id of that."),
        ("name" = schema::Name, Path, description = "Its name."),
    ),
    request_body = inline(PatchBody),
    responses((status = 200, body = inline(One), description = "Done."))
)]
pub(super) async fn patch(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    path: Address,
    JsonBody(body): JsonBody<PatchBody>,
) -> Answer<One> {
    let state = engine
        .patch_state(&caller, &address(path)?, body.payload.0)
        .await?;
    Ok(Json(One { state }))
}

/// Sets how long a state lives from now on; `null` for ever.
#[utoipa::path(
    post,
    path = "/states/{type}/{id}/{name}/expiry",
    operation_id = "setStateExpiry",
    tag = "states",
    params(
        ("type" = schema::StateType, Path, description = "What it belongs to."),
        ("id" = String, Path, description = "The id of that."),
        ("name" = schema::Name, Path, description = "Its name."),
    ),
    request_body = inline(ExpiryBody),
    responses((status = 200, body = inline(One), description = "Done."))
)]
pub(super) async fn set_expiry(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    path: Address,
    JsonBody(body): JsonBody<ExpiryBody>,
) -> Answer<One> {
    let given = body
        .expiry
        .ok_or_else(|| Error::invalid("expiry", "expected this field, a number or null"))?;
    let state = engine
        .set_state_expiry(&caller, &address(path)?, expiry(given)?)
        .await?;
    Ok(Json(One { state }))
}

fn address(Segments((kind, id, name)): Address) -> Result<StateAddress> {
    let kind = match kind.as_str() {
        "conversation" => StateKind::Conversation,
        "user" => StateKind::User,
        "bot" => StateKind::Bot,
        "integration" => StateKind::Integration,
        "workflow" => StateKind::Workflow,
        _ => {
            return Err(Error::invalid(
                "type",
                "expected conversation, user, bot, integration or workflow; \
                 states of tasks are not served",
            ));
        }
    };
    Ok(StateAddress { kind, id, name })
}

fn expiry(millis: Option<f64>) -> Result<Option<Duration>> {
    let Some(millis) = millis else {
        return Ok(None);
    };
    Some(millis)
        .filter(|millis| (1.0..=MAX_EXPIRY).contains(millis))
        .and_then(|millis| Duration::try_from_secs_f64(millis / 1000.0).ok())
        .map(Some)
        .ok_or_else(|| {
            Error::invalid(
                "expiry",
                "expected milliseconds from 1 to 2592000000, or null",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_whole_milliseconds_within_thirty_days() {
        for millis in [1_u32, 999, 1000, 1001, 2_592_000_000] {
            let read = expiry(Some(f64::from(millis))).unwrap().unwrap();
            assert_eq!(read.as_millis(), u128::from(millis));
        }
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY, MAX_EXPIRY + 1.0] {
            assert!(expiry(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
