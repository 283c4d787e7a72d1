//! Actions.

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use switchboard_engine::Engine;
use switchboard_model::Json as Payload;

use super::Answer;
use crate::actions::ActionRegistry;
use crate::body::JsonBody;
use crate::caller::Authenticated;
use crate::page::CachedMeta;

#[derive(Deserialize)]
pub(super) struct CallBody {
    #[serde(rename = "type")]
    kind: String,
    input: Payload,
}

#[derive(Serialize)]
pub(super) struct Called {
    output: Payload,
    meta: CachedMeta,
}

/// `callAction`: of an integration or the bot's own, and waits for its output.
pub(super) async fn call(
    State(engine): State<Engine>,
    Extension(actions): Extension<ActionRegistry>,
    Authenticated(caller): Authenticated,
    JsonBody(body): JsonBody<CallBody>,
) -> Answer<Called> {
    let target = engine.find_action(&caller, &body.kind).await?;
    let output = actions.call(caller.bot, target, body.input).await?;
    Ok(Json(Called {
        output,
        meta: CachedMeta::FRESH,
    }))
}
