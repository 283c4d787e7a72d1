//! Integrations whose threads a script maps: installed, changed, tried out.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use switchboard_engine::access::Install;
use switchboard_integration::Context;
use switchboard_model::{Error, Integration, IntegrationId, Kind};
use switchboard_script::{Limits, Origin, Script};

use super::access::{Answer, Checked, check_alias, check_token};
use super::{Admin, BotQuery};
use crate::body::JsonBody;
use crate::explain::named;
use crate::path::Segments;
use crate::query::Parameters;

/// The platforms whose threads a script can map, with the channel that has them.
const PLATFORMS: [(&str, &str); 1] = [("telegram", "channel")];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScriptBody {
    source: String,
    alias: String,
    /// The platform that the script maps.
    channel: String,
    token: Option<String>,
    /// Whether to ask the platform first whose the token is.
    #[serde(default)]
    check: bool,
}

#[derive(Serialize)]
pub(super) struct ScriptAnswer {
    integration_id: IntegrationId,
    alias: String,
    platform: String,
    active: bool,
    functions: Vec<String>,
    /// How many updates wait for the script to be mended.
    waiting: u64,
    #[serde(flatten)]
    checked: Checked,
}

/// Installs an integration with a script, or gives the one of that alias another script.
pub(super) async fn add(
    State(admin): State<Admin>,
    Parameters(query): Parameters<BotQuery>,
    JsonBody(body): JsonBody<ScriptBody>,
) -> Answer<ScriptAnswer> {
    let bot = admin.bot(&query).await?;
    let Some((platform, _)) = PLATFORMS.iter().find(|(name, _)| *name == body.channel) else {
        return Err(Error::invalid("channel", "expected telegram").into());
    };
    let script = Script::load(&body.source, Limits::default())
        .await
        .map_err(Error::from)?;
    let known = admin.engine.store().list_integrations(bot).await?;
    let token = body.token.as_deref();
    let checked = match token.filter(|_| body.check) {
        Some(token) => check_token(&admin, token).await?,
        None => Checked::default(),
    };
    let integration = match known.into_iter().find(|found| found.alias == body.alias) {
        Some(found) if found.platform != *platform => {
            return Err(Error::AlreadyExists {
                field: "alias".to_owned(),
                reason: format!(
                    "{} is an integration of {}; choose another alias",
                    body.alias, found.platform
                ),
            }
            .into());
        }
        Some(found) => {
            admin
                .engine
                .script_integration(&found, &body.source, token)
                .await?
        }
        None => {
            check_alias(&body.alias)?;
            let install = Install {
                alias: &body.alias,
                platform,
                active: token.is_some(),
            };
            admin
                .engine
                .create_integration(bot, install, token, Some(&body.source))
                .await?
        }
    };
    admin.channels.reload(integration.clone()).await?;
    let store = admin.engine.store();
    let waiting = store.count_unmapped(bot, integration.id).await?;
    Ok(Json(ScriptAnswer {
        integration_id: integration.id,
        alias: integration.alias,
        platform: integration.platform,
        active: integration.active,
        functions: script.functions().to_vec(),
        waiting,
        checked,
    }))
}

#[derive(Serialize)]
pub(super) struct UnscriptAnswer {
    integration: Integration,
    /// How many updates wait that the script could not place.
    waiting: u64,
}

/// Takes the script off an integration, or does nothing where there is none.
pub(super) async fn take_off(
    State(admin): State<Admin>,
    Segments(name): Segments<String>,
    Parameters(query): Parameters<BotQuery>,
) -> Answer<UnscriptAnswer> {
    let bot = admin.bot(&query).await?;
    let integration = named(&admin.engine, bot, &name).await?;
    let integration = admin.engine.unscript_integration(&integration).await?;
    admin.channels.reload(integration.clone()).await?;
    let waiting = admin.engine.store().count_unmapped(bot, integration.id);
    Ok(Json(UnscriptAnswer {
        waiting: waiting.await?,
        integration,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallBody {
    /// By alias or id.
    integration: String,
    function: String,
    id: String,
    /// `ctx.sender`.
    #[serde(default)]
    sender: Value,
    /// `ctx.update`.
    #[serde(default)]
    update: Value,
}

#[derive(Serialize)]
pub(super) struct CallAnswer {
    returned: Value,
}

/// Runs one function of a script, as the channel would for a thread of that id.
pub(super) async fn call(
    State(admin): State<Admin>,
    Parameters(query): Parameters<BotQuery>,
    JsonBody(body): JsonBody<CallBody>,
) -> Answer<CallAnswer> {
    let bot = admin.bot(&query).await?;
    let name = &body.integration;
    let known = admin.engine.store().list_integrations(bot).await?;
    let integration = known
        .into_iter()
        .find(|found| found.alias == *name || found.id.to_string() == *name)
        .ok_or_else(|| Error::not_found(Kind::Integration, name))?;
    let source = admin
        .engine
        .store()
        .integration_script(bot, integration.id)
        .await?
        .ok_or_else(|| {
            Error::invalid(
                "integration",
                format!(
                    "{} has no script; `switchboard integrations add javascript FILE --alias {}` \
                     gives it one",
                    integration.alias, integration.alias
                ),
            )
        })?;
    let script = Script::load(&source, Limits::default())
        .await
        .map_err(Error::from)?;
    if !body.sender.is_null() && body.sender["id"].as_str().is_none_or(str::is_empty) {
        let expected = "expected an object with the id of a person, a string";
        return Err(Error::invalid("sender", expected).into());
    }
    if !body.update.is_null() && !body.update.is_object() {
        return Err(Error::invalid("update", "expected an object, as the channel sends it").into());
    }
    let origin = Origin {
        thread: json!({ "id": body.id }),
        sender: body.sender,
        update: body.update,
    };
    let ctx = Context::new(
        admin.engine.clone(),
        integration.clone(),
        channel(&integration),
    );
    let returned = script.call(&ctx, &origin, &body.function, &body.id).await?;
    Ok(Json(CallAnswer { returned }))
}

fn channel(integration: &Integration) -> &'static str {
    let known = PLATFORMS
        .iter()
        .find(|(name, _)| *name == integration.platform);
    known.map_or("channel", |(_, channel)| channel)
}
