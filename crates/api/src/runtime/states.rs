//! States. A read does not renew the time that a state has to live; a write does.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use switchboard_engine::Engine;
use switchboard_engine::states::StateAddress;
use switchboard_engine::wire::WireState;
use switchboard_model::{Error, Json as Payload, Result, StateKind};

use super::{Answer, Nothing};
use crate::body::{JsonBody, present};
use crate::caller::Authenticated;
use crate::error::ApiError;
use crate::page::CachedMeta;
use crate::path::Segments;

/// The longest time that a state may be given, in milliseconds: 30 days.
const MAX_EXPIRY: f64 = 2_592_000_000.0;

type Address = Segments<(String, String, String)>;

#[expect(
    clippy::option_option,
    reason = "absent, null and a value are three things"
)]
#[derive(Deserialize)]
pub(super) struct SetBody {
    // `null` removes the state; a body without a payload is an error.
    #[serde(default, deserialize_with = "present")]
    payload: Option<Option<Payload>>,
    expiry: Option<f64>,
}

#[derive(Deserialize)]
pub(super) struct GetOrSetBody {
    payload: Payload,
    expiry: Option<f64>,
}

#[derive(Deserialize)]
pub(super) struct PatchBody {
    payload: Payload,
}

#[expect(
    clippy::option_option,
    reason = "absent, null and a value are three things"
)]
#[derive(Deserialize)]
pub(super) struct ExpiryBody {
    #[serde(default, deserialize_with = "present")]
    expiry: Option<Option<f64>>,
}

#[derive(Serialize)]
pub(super) struct One {
    state: WireState,
}

#[derive(Serialize)]
pub(super) struct Read {
    state: WireState,
    meta: CachedMeta,
}

/// `getState`.
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

/// `setState`: writes it whole; the payload `null` removes it and answers how it was.
pub(super) async fn set(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    path: Address,
    JsonBody(body): JsonBody<SetBody>,
) -> Result<Response, ApiError> {
    let address = address(path)?;
    let payload = body
        .payload
        .ok_or_else(|| Error::invalid("payload", "expected this field, an object or null"))?;
    let state = match payload {
        Some(payload) => {
            let expiry = expiry(body.expiry)?;
            let state = engine.set_state(&caller, &address, payload, expiry).await?;
            Some(state)
        }
        None => engine.delete_state(&caller, &address).await?,
    };
    Ok(match state {
        Some(state) => Json(One { state }).into_response(),
        None => Json(Nothing {}).into_response(),
    })
}

/// `getOrSetState`: the one that exists wins.
pub(super) async fn get_or_set(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    path: Address,
    JsonBody(body): JsonBody<GetOrSetBody>,
) -> Answer<Read> {
    let expiry = expiry(body.expiry)?;
    let state = engine
        .get_or_set_state(&caller, &address(path)?, body.payload, expiry)
        .await?;
    Ok(Json(Read {
        state,
        meta: CachedMeta::FRESH,
    }))
}

/// `patchState`: merges top-level keys; a key with `null` is removed.
pub(super) async fn patch(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    path: Address,
    JsonBody(body): JsonBody<PatchBody>,
) -> Answer<One> {
    let state = engine
        .patch_state(&caller, &address(path)?, body.payload)
        .await?;
    Ok(Json(One { state }))
}

/// `setStateExpiry`: from now on; `null` for ever.
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
