//! Actions.

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use switchboard_engine::Engine;
use switchboard_engine::wire::schema;
use switchboard_model::Json as Output;
use utoipa::ToSchema;

use super::Answer;
use crate::actions::ActionRegistry;
use crate::body::JsonBody;
use crate::caller::Authenticated;
use crate::page::CachedMeta;
use crate::payload::Payload;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CallBody {
    /// `<alias>:<action>` of an integration, or the bot's own.
    #[serde(rename = "type")]
    #[schema(value_type = schema::Name)]
    kind: String,
    #[schema(value_type = schema::Payload)]
    input: Payload,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Called {
    #[schema(value_type = schema::Payload)]
    output: Output,
    meta: CachedMeta,
}

/// Calls an action of an integration or the bot's own, and waits for its output.
#[utoipa::path(
    post,
    path = "/actions",
    operation_id = "callAction",
    tag = "actions",
    request_body = inline(CallBody),
    responses(
        (status = 200, body = inline(Called), description = "Done."),
    )
)]
pub(super) async fn call(
    State(engine): State<Engine>,
    Extension(actions): Extension<ActionRegistry>,
    Authenticated(caller): Authenticated,
    JsonBody(body): JsonBody<CallBody>,
) -> Answer<Called> {
    let target = engine.find_action(&caller, &body.kind).await?;
    let output = actions.call(caller.bot, target, body.input.0).await?;
    Ok(Json(Called {
        output,
        meta: CachedMeta::FRESH,
    }))
}
