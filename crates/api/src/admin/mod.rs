//! Local administration: what the commands of this machine ask of the running server, under
//! `/local`. It lets in who can read `run.json`, nobody else; it is no public API and may change.
//!
//! A command that finds no server runs this same router in its own process, so that there is one
//! meaning of each command.

mod access;
mod bot;
mod chat;
mod conversations;
mod deliveries;
mod doctor;
mod integration;
mod messages;
mod scripts;
mod unmapped;

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use subtle::ConstantTimeEq;
use switchboard_engine::Engine;
use switchboard_integration::{Explain, Replay};
use switchboard_model::{BotId, Error, Integration, Kind, Result};

use crate::error::ApiError;
use crate::layers::layered;
use crate::limits::Limits;
use crate::query::NoQuery;
use crate::unknown::Parameters;

pub use doctor::{Account, Check, Doctor, Verdict};

/// The header that carries the run secret.
pub const SECRET_HEADER: &str = "x-switchboard-secret";

/// The channels that run in this process.
#[async_trait]
pub trait Channels: Send + Sync + 'static {
    /// Starts an integration's channel, or starts it anew with what is stored now.
    async fn reload(&self, integration: Integration) -> Result<()>;
}

/// What local administration works on.
#[derive(Clone)]
pub struct Admin {
    /// The engine.
    pub engine: Engine,
    /// The channels.
    pub channels: Arc<dyn Channels>,
    /// Who looks for what is wrong.
    pub doctor: Arc<dyn Doctor>,
    /// Who explains updates.
    pub explain: Arc<dyn Explain>,
    /// Who takes what waits for its script.
    pub replay: Arc<dyn Replay>,
    /// The run secret.
    pub secret: Arc<str>,
    /// What callers are held to.
    pub limits: Limits,
}

/// Which bot a command means.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct BotQuery {
    bot: Option<String>,
}

/// The routes.
pub fn router(admin: Admin) -> Router {
    let (env, limits) = (admin.engine.env().clone(), admin.limits);
    let routes = Router::new()
        .route("/bots", get(access::list_bots).post(access::create_bot))
        .route("/doctor", get(doctor::checks))
        .route("/bot", get(bot::show_bot).post(bot::rename_bot))
        .route("/messages/{id}", get(messages::show))
        .route("/messages/{id}/retry", post(messages::retry))
        .route("/tokens/{id}/rotate", post(bot::rotate_token))
        .route("/integrations/{name}/state", get(integration::show))
        .route("/integrations/{name}/active", post(integration::set_active))
        .route("/integrations/{name}/explain", post(integration::explain))
        .route("/integrations/{name}/unscript", post(scripts::take_off))
        .route("/integrations/{name}/unmapped", get(unmapped::list))
        .route("/integrations/{name}/replay", post(unmapped::replay))
        .route("/conversations/{id}/reset", post(conversations::reset))
        .route("/threads/reset", post(conversations::reset_thread))
        .route(
            "/tokens",
            get(access::list_tokens).post(access::create_token),
        )
        .route("/tokens/{id}/revoke", post(access::revoke_token))
        .route("/integrations", get(access::list_integrations))
        .route("/integrations/telegram", post(access::add_telegram))
        .route("/integrations/javascript", post(scripts::add))
        .route("/integrations/call", post(scripts::call))
        .route("/conversations", get(conversations::list))
        .route("/conversations/{id}", get(conversations::show))
        .route("/conversations/{id}/messages", get(conversations::messages))
        .route("/deliveries", get(deliveries::list))
        .route("/deliveries/{id}/replay", post(deliveries::replay))
        .route("/deliveries/{id}/dismiss", post(deliveries::dismiss))
        .route("/chat", post(chat::say))
        .fallback(crate::no_route)
        .method_not_allowed_fallback(crate::no_method)
        .layer(middleware::from_fn_with_state(admin.clone(), admit))
        .with_state(admin);
    let routes = Router::new().nest("/local", routes);
    layered(routes, env, limits, Parameters::default())
}

async fn admit(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(SECRET_HEADER)
        .map_or(&b""[..], |value| value.as_bytes());
    if bool::from(given.ct_eq(admin.secret.as_bytes())) {
        return next.run(request).await;
    }
    ApiError::from(Error::Unauthorized {
        reason: format!(
            "the header {SECRET_HEADER} must carry the secret in the data folder's run.json"
        ),
    })
    .into_response()
}

impl Admin {
    /// The bot that a command means: the named one, or the only or first one.
    async fn bot(&self, query: &BotQuery) -> Result<BotId> {
        self.named_bot(query.bot.as_deref()).await
    }

    /// The same, of a query that has more to say.
    async fn named_bot(&self, named: Option<&str>) -> Result<BotId> {
        let bots = self.engine.store().list_bots().await?;
        let found = match named {
            None => bots.first(),
            Some(wanted) => bots
                .iter()
                .find(|bot| bot.id.to_string() == wanted || bot.name == wanted),
        };
        found
            .map(|bot| bot.id)
            .ok_or_else(|| Error::not_found(Kind::Bot, named.unwrap_or("(first)")))
    }
}

/// Reads an id of a path.
fn parse<T: std::str::FromStr>(kind: Kind, text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::not_found(kind, text))
}
