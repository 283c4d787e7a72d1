//! Bots, tokens and integrations.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use switchboard_engine::Condition;
use switchboard_engine::access::{BUILT_IN, Install};
use switchboard_model::{Bot, BotId, Error, Integration, Kind, Token};

use super::{Account, Admin, BotQuery, NoQuery, parse};
use crate::body::JsonBody;
use crate::error::ApiError;
use crate::path::Segments;
use crate::query::Parameters;

pub(super) type Answer<T> = Result<Json<T>, ApiError>;

#[derive(Serialize)]
pub(super) struct Bots {
    bots: Vec<Bot>,
}

pub(super) async fn list_bots(
    State(admin): State<Admin>,
    Parameters(NoQuery {}): Parameters<NoQuery>,
) -> Answer<Bots> {
    Ok(Json(Bots {
        bots: admin.engine.store().list_bots().await?,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBotBody {
    name: String,
    token: Option<String>,
}

#[derive(Serialize)]
pub(super) struct NewBotAnswer {
    bot: Bot,
    integrations: Vec<Integration>,
    token: String,
}

pub(super) async fn create_bot(
    State(admin): State<Admin>,
    Parameters(NoQuery {}): Parameters<NoQuery>,
    JsonBody(body): JsonBody<NewBotBody>,
) -> Answer<NewBotAnswer> {
    check_name(&admin, &body.name, None).await?;
    let new = admin
        .engine
        .create_bot(&body.name, &BUILT_IN, body.token.as_deref())
        .await?;
    for integration in &new.integrations {
        admin.channels.reload(integration.clone()).await?;
    }
    Ok(Json(NewBotAnswer {
        bot: new.bot,
        integrations: new.integrations,
        token: new.token,
    }))
}

#[derive(Serialize)]
pub(super) struct Tokens {
    tokens: Vec<Token>,
}

pub(super) async fn list_tokens(
    State(admin): State<Admin>,
    Parameters(query): Parameters<BotQuery>,
) -> Answer<Tokens> {
    let bot = admin.bot(&query).await?;
    Ok(Json(Tokens {
        tokens: admin.engine.store().list_tokens(bot).await?,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTokenBody {
    label: String,
    integration: Option<String>,
}

#[derive(Serialize)]
pub(super) struct NewTokenAnswer {
    token: Token,
    secret: String,
}

pub(super) async fn create_token(
    State(admin): State<Admin>,
    Parameters(query): Parameters<BotQuery>,
    JsonBody(body): JsonBody<NewTokenBody>,
) -> Answer<NewTokenAnswer> {
    let bot = admin.bot(&query).await?;
    let integration = match body.integration.as_deref() {
        None => None,
        Some(wanted) => Some(
            admin
                .engine
                .store()
                .list_integrations(bot)
                .await?
                .into_iter()
                .find(|found| found.alias == wanted || found.id.to_string() == wanted)
                .ok_or_else(|| Error::not_found(Kind::Integration, wanted))?
                .id,
        ),
    };
    let (token, secret) = admin
        .engine
        .create_token(bot, integration, &body.label)
        .await?;
    Ok(Json(NewTokenAnswer { token, secret }))
}

pub(super) async fn revoke_token(
    State(admin): State<Admin>,
    Parameters(query): Parameters<BotQuery>,
    Segments(id): Segments<String>,
) -> Answer<Token> {
    let bot = admin.bot(&query).await?;
    let now = admin.engine.env().now();
    let revoked = admin
        .engine
        .store()
        .revoke_token(bot, parse(Kind::Token, &id)?, now)
        .await?;
    Ok(Json(
        revoked.ok_or_else(|| Error::not_found(Kind::Token, &id))?,
    ))
}

#[derive(Serialize)]
pub(super) struct Integrations {
    integrations: Vec<ShownIntegration>,
}

/// An integration and how its channel is.
#[derive(Serialize)]
pub(super) struct ShownIntegration {
    #[serde(flatten)]
    integration: Integration,
    trouble: Option<String>,
    /// Whether a script maps its threads.
    scripted: bool,
}

pub(super) async fn list_integrations(
    State(admin): State<Admin>,
    Parameters(query): Parameters<BotQuery>,
) -> Answer<Integrations> {
    let bot = admin.bot(&query).await?;
    let health = admin.engine.health().all();
    let store = admin.engine.store();
    let mut integrations = Vec::new();
    for integration in store.list_integrations(bot).await? {
        let script = store.integration_script(bot, integration.id).await?;
        integrations.push(ShownIntegration {
            trouble: health.iter().find_map(|(id, condition)| match condition {
                Condition::Troubled(text) if *id == integration.id => Some(text.clone()),
                _ => None,
            }),
            scripted: script.is_some(),
            integration,
        });
    }
    Ok(Json(Integrations { integrations }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TelegramBody {
    token: String,
    alias: Option<String>,
    /// Whether to ask Telegram first.
    #[serde(default)]
    check: bool,
}

/// An integration that has a token now.
#[derive(Serialize)]
pub(super) struct Added {
    #[serde(flatten)]
    integration: Integration,
    #[serde(flatten)]
    checked: Checked,
}

/// What the platform says of a token.
#[derive(Default, Serialize)]
pub(super) struct Checked {
    /// Whose it is.
    account: Option<String>,
    /// Why the platform could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    unchecked: Option<String>,
}

/// Asks Telegram whose a token is, before it is kept. One that Telegram refuses is refused; where it
/// cannot be asked the token is taken as it is.
pub(super) async fn check_token(admin: &Admin, token: &str) -> Result<Checked, Error> {
    match admin.doctor.telegram_account(token).await {
        Account::Known(name) => Ok(Checked {
            account: Some(name),
            unchecked: None,
        }),
        Account::Refused(reason) => Err(Error::invalid("token", reason)),
        Account::Unreachable(reason) => Ok(Checked {
            account: None,
            unchecked: Some(reason),
        }),
    }
}

/// Gives the bot's Telegram integration a token, or installs one more under another alias.
pub(super) async fn add_telegram(
    State(admin): State<Admin>,
    Parameters(query): Parameters<BotQuery>,
    JsonBody(body): JsonBody<TelegramBody>,
) -> Answer<Added> {
    let bot = admin.bot(&query).await?;
    let alias = body.alias.as_deref().unwrap_or("telegram");
    let known = admin.engine.store().list_integrations(bot).await?;
    let known = known.into_iter().find(|found| found.alias == alias);
    if known.is_none() {
        check_alias(alias)?;
    }
    let checked = if body.check {
        check_token(&admin, &body.token).await?
    } else {
        Checked::default()
    };
    let integration = match known {
        Some(found) if found.platform != "telegram" => {
            return Err(Error::AlreadyExists {
                field: "alias".to_owned(),
                reason: format!(
                    "{alias} is an integration of {}; choose another alias",
                    found.platform
                ),
            }
            .into());
        }
        Some(found) => {
            admin
                .engine
                .activate_integration(&found, &body.token)
                .await?
        }
        None => {
            let install = Install {
                alias,
                platform: "telegram",
                active: true,
            };
            admin
                .engine
                .create_integration(bot, install, Some(&body.token), None)
                .await?
        }
    };
    admin.channels.reload(integration.clone()).await?;
    Ok(Json(Added {
        integration,
        checked,
    }))
}

/// Commands name a bot by its name too, so it must mean one.
pub(super) async fn check_name(admin: &Admin, name: &str, own: Option<BotId>) -> Result<(), Error> {
    if name.trim().is_empty() || name.chars().count() > 200 {
        return Err(Error::invalid("name", "expected 1 to 200 characters"));
    }
    let bots = admin.engine.store().list_bots().await?;
    let other = |bot: &&Bot| bot.name == name && Some(bot.id) != own;
    match bots.iter().find(other) {
        None => Ok(()),
        Some(bot) => Err(Error::AlreadyExists {
            field: "name".to_owned(),
            reason: format!("{} has this name; choose another", bot.id),
        }),
    }
}

/// The platform's rule for names of integrations.
pub(super) fn check_alias(alias: &str) -> Result<(), Error> {
    let valid = (2..=100).contains(&alias.len())
        && alias.starts_with(|c: char| c.is_ascii_lowercase())
        && alias
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if valid {
        return Ok(());
    }
    Err(Error::invalid(
        "alias",
        "expected 2 to 100 lower-case letters, digits and -, starting with a letter",
    ))
}
