//! Who calls. It is found out before anything else is looked at, from headers only: a bot's id in a
//! body or path means nothing here. Who is let in may be told of parameters that there are not.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use switchboard_engine::{Caller, Credentials, Engine};

use crate::error::ApiError;
use crate::unknown;

/// A caller whose token was checked.
pub(crate) struct Authenticated(pub(crate) Caller);

impl FromRequestParts<Engine> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, engine: &Engine) -> Result<Self, ApiError> {
        let text = |name| text(&parts.headers, name);
        let credentials = Credentials {
            token: text(AUTHORIZATION.as_str()).and_then(bearer),
            bot: text("x-bot-id"),
            integration: text("x-integration-id"),
            alias: text("x-integration-alias"),
        };
        let caller = engine.authenticate(credentials).await?;
        unknown::refuse(parts)?;
        Ok(Self(caller))
    }
}

/// A header that is given and not empty.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty()).then_some(value)
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_start())
}
