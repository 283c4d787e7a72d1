//! Parts of paths. One that is no id names nothing: it is not found, like an id that is unknown.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use switchboard_engine::wire;
use switchboard_model::{Error, Kind, Result, UserId};

use crate::error::ApiError;
use crate::percent;

/// The variable parts of a path, decoded one by one.
pub(crate) struct Segments<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let is_encoded = percent::decode(parts.uri.path()).is_some();
        match Path::from_request_parts(parts, state).await {
            Ok(Path(value)) if is_encoded => Ok(Self(value)),
            _ => Err(ApiError::no_route(parts.uri.path())),
        }
    }
}

/// An id.
pub(crate) fn id<T: FromStr>(kind: Kind, text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::not_found(kind, text))
}

/// A user's id, or the bot's.
pub(crate) fn user_id(kind: Kind, text: &str) -> Result<UserId> {
    wire::parse_user_id(text).ok_or_else(|| Error::not_found(kind, text))
}
