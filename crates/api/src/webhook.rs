//! Webhooks: `/webhook/<id>` and whatever follows it, handed to the channel as it came. Whoever
//! knows an id may call it; what it says is for the channel to judge.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use switchboard_integration::{Webhook, WebhookAnswer, WebhookRequest};
use switchboard_model::Error;

use crate::body;
use crate::error::ApiError;
use crate::health::Readiness;
use crate::path::Segments;

/// The largest body of a webhook, in bytes.
const BODY_LIMIT: usize = 16 << 20;

/// The webhooks that are served now. Cheap to clone; clones are one registry.
#[derive(Clone, Default)]
pub struct Webhooks(Arc<RwLock<HashMap<String, Arc<dyn Webhook>>>>);

impl Webhooks {
    /// Serves a webhook under an id, in place of the one that was there.
    pub fn insert(&self, webhook_id: impl Into<String>, webhook: Arc<dyn Webhook>) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(webhook_id.into(), webhook);
    }

    /// Serves it no more. Requests that are being answered go on.
    pub fn remove(&self, webhook_id: &str) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(webhook_id);
    }

    fn get(&self, webhook_id: &str) -> Option<Arc<dyn Webhook>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(webhook_id)
            .cloned()
    }
}

pub(crate) fn router<S>(webhooks: Webhooks, readiness: Readiness) -> Router<S> {
    Router::new()
        .route("/webhook/{id}", any(receive))
        .route("/webhook/{id}/", any(receive))
        .route("/webhook/{id}/{*rest}", any(receive))
        .with_state((webhooks, readiness))
}

async fn receive(
    State((webhooks, readiness)): State<(Webhooks, Readiness)>,
    Segments(path): Segments<HashMap<String, String>>,
    request: Request,
) -> Result<Response, ApiError> {
    // Before all channels are started, an id that is not known yet is not wrong.
    let unknown = || {
        if readiness.get() {
            return ApiError::no_route("/webhook");
        }
        ApiError::from(Error::Unavailable {
            reason: "the server is starting or shutting down; try again".to_owned(),
        })
    };
    let id = path.get("id").ok_or_else(unknown)?;
    let webhook = webhooks.get(id).ok_or_else(unknown)?;
    let mut received = WebhookRequest {
        method: request.method().to_string(),
        path: rest(request.uri().path()).to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        headers: request
            .headers()
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect(),
        body: Vec::new(),
    };
    received.body = body::read(request, BODY_LIMIT).await?.to_vec();
    Ok(answer(webhook.receive(received).await))
}

/// What follows the id, undecoded, with its slash.
fn rest(path: &str) -> &str {
    let after = path.trim_start_matches("/webhook/");
    after.find('/').map_or("/", |start| &after[start..])
}

fn answer(answer: WebhookAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let text = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (status, text, answer.body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_id_is_handed_on_as_it_came() {
        assert_eq!(rest("/webhook/abc"), "/");
        assert_eq!(rest("/webhook/abc/"), "/");
        assert_eq!(rest("/webhook/abc/a%2Fb/c"), "/a%2Fb/c");
    }
}
