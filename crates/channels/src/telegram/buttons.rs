//! The values of buttons that are too long for Telegram to carry, kept with the integration.
//!
//! Promises: what a button means is found when it is pressed, after a restart too, for a year after
//! it was last sent.

use std::time::Duration;

use serde_json::{Value, json};
use switchboard_engine::Engine;
use switchboard_model::{Integration, Json, Result, StateKind};
use switchboard_store::{SetState, StateKey, StateOwner};

use super::outbound::keyboard::stand_in;

/// How long a value is kept.
const KEPT_FOR: Duration = Duration::from_hours(24 * 365);

/// Keeps a value under its stand-in.
pub(super) async fn keep(engine: &Engine, integration: &Integration, value: &str) -> Result<()> {
    let payload = Json::from_serialize(&json!({ "value": value }))
        .map_err(|error| switchboard_model::Error::invalid("value", error.to_string()))?;
    let command = SetState {
        id: engine.new_state_id(),
        key: key(integration, stand_in(value)),
        payload,
        expiry: Some(KEPT_FOR),
        now: engine.env().now(),
    };
    engine.store().set_state(command).await?;
    Ok(())
}

/// The value that a stand-in stands for.
pub(super) async fn find(
    engine: &Engine,
    integration: &Integration,
    stand_in: &str,
) -> Result<Option<String>> {
    let key = key(integration, stand_in.to_owned());
    let state = engine.store().get_state(key, engine.env().now()).await?;
    let value = |payload: Json| {
        let payload = payload.read::<Value>().ok()?;
        payload["value"].as_str().map(ToOwned::to_owned)
    };
    Ok(state.and_then(|state| value(state.payload)))
}

fn key(integration: &Integration, stand_in: String) -> StateKey {
    StateKey {
        bot: integration.bot,
        owner: StateOwner::Integration(integration.id),
        kind: StateKind::Integration,
        subject: integration.id.ulid(),
        name: stand_in,
    }
}
