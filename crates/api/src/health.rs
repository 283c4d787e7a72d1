//! Health: `/healthz` answers while the process works and tells how the channels are; `/readyz`
//! answers 200 only when work is taken and a write really gets through. `/` says what this is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use switchboard_engine::Condition;
use switchboard_model::IntegrationId;

use crate::Api;

/// The longest that a write may take before the server is not ready.
const PING_LIMIT: Duration = Duration::from_secs(2);

/// Whether work is taken; at first it is not. Cheap to clone; clones are one.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Says that work is taken, or no more.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    /// Whether work is taken.
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[derive(Serialize)]
struct Product {
    name: &'static str,
    version: &'static str,
    api: &'static str,
    docs: &'static str,
    openapi: &'static str,
    health: &'static str,
}

#[derive(Serialize)]
struct Healthy {
    status: &'static str,
    integrations: BTreeMap<IntegrationId, String>,
}

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

pub(crate) fn router<S>(api: Api) -> Router<S> {
    Router::new()
        .route("/", get(product))
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .with_state(api)
}

/// For whoever opens the address to see whether it is the right one.
async fn product() -> Json<Product> {
    Json(Product {
        name: "Switchboard",
        version: env!("CARGO_PKG_VERSION"),
        api: "/v1/chat",
        docs: "/docs",
        openapi: "/openapi.json",
        health: "/healthz",
    })
}

async fn healthy(State(api): State<Api>) -> Json<Healthy> {
    let integrations = api
        .engine
        .health()
        .all()
        .into_iter()
        .map(|(id, condition)| {
            let text = match condition {
                Condition::Well => "ok".to_owned(),
                Condition::Troubled(trouble) => trouble,
            };
            (id, text)
        })
        .collect();
    Json(Healthy {
        status: "ok",
        integrations,
    })
}

async fn ready(State(api): State<Api>) -> (StatusCode, Json<Ready>) {
    let reason = if api.readiness.get() {
        match tokio::time::timeout(PING_LIMIT, api.engine.store().ping()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!(
                "a write took more than {} s; look at the disk",
                PING_LIMIT.as_secs()
            )),
        }
    } else {
        Some("no work is taken: the server is starting or shutting down".to_owned())
    };
    let (code, status) = match reason {
        None => (StatusCode::OK, "ready"),
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
    };
    (code, Json(Ready { status, reason }))
}
