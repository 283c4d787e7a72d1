//! Files that people sent on a channel: `/files/<integration>/…`, fetched from the channel when
//! somebody asks, and passed on as they come.
//!
//! No token is asked for: an address cannot be guessed, and whoever shows a message must be able to
//! show its picture. What never happens here: a file from outside run by a browser as a page of ours.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use switchboard_integration::{FileAnswer, FileRequest, Files};
use switchboard_model::IntegrationId;

use crate::error::ApiError;
use crate::path::Segments;

/// The integrations whose files are served now. Cheap to clone; clones are one registry.
#[derive(Clone, Default)]
pub struct FileSources(Arc<RwLock<HashMap<IntegrationId, Arc<dyn Files>>>>);

impl FileSources {
    /// Serves the files of an integration, in place of what was there.
    pub fn insert(&self, integration: IntegrationId, files: Arc<dyn Files>) {
        let mut sources = self.0.write().unwrap_or_else(PoisonError::into_inner);
        sources.insert(integration, files);
    }

    /// Serves them no more. Those on their way go on.
    pub fn remove(&self, integration: IntegrationId) {
        let mut sources = self.0.write().unwrap_or_else(PoisonError::into_inner);
        sources.remove(&integration);
    }

    fn get(&self, integration: IntegrationId) -> Option<Arc<dyn Files>> {
        let sources = self.0.read().unwrap_or_else(PoisonError::into_inner);
        sources.get(&integration).cloned()
    }
}

/// Files that bring nothing for as long as `stall` are cut off.
pub(crate) fn router<S>(sources: FileSources, stall: Duration) -> Router<S> {
    Router::new()
        .route("/files/{integration}/{*rest}", get(open))
        .with_state((sources, stall))
}

async fn open(
    State((sources, stall)): State<(FileSources, Duration)>,
    Segments(path): Segments<HashMap<String, String>>,
    request: Request,
) -> Result<Response, ApiError> {
    let unknown = || ApiError::no_route("/files");
    let integration = path.get("integration").and_then(|id| id.parse().ok());
    let files = integration
        .and_then(|id| sources.get(id))
        .ok_or_else(unknown)?;
    let range = request.headers().get(header::RANGE);
    let asked = FileRequest {
        path: rest(request.uri().path()).to_owned(),
        range: range.and_then(|range| Some(range.to_str().ok()?.to_owned())),
    };
    let opened = files.open(asked).await;
    let opened = opened.map_err(ApiError::file)?;
    Ok(answer(opened, stall))
}

/// What follows the integration, undecoded.
fn rest(path: &str) -> &str {
    let after = path.trim_start_matches("/files/");
    after.split_once('/').map_or("", |(_, rest)| rest)
}

fn answer(answer: FileAnswer, stall: Duration) -> Response {
    let status = match answer.content_range {
        Some(_) => StatusCode::PARTIAL_CONTENT,
        None => StatusCode::OK,
    };
    let mut response = (status, Body::from_stream(moving(answer.body, stall))).into_response();
    let headers = response.headers_mut();
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(
        header::CONTENT_TYPE,
        answer.content_type.unwrap_or("application/octet-stream"),
    );
    if answer.content_type.is_none() {
        set(header::CONTENT_DISPOSITION, "attachment");
    }
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; sandbox",
    );
    set(header::CACHE_CONTROL, "private, max-age=3600");
    set(header::ACCEPT_RANGES, "bytes");
    if let Some(length) = answer.length {
        set(header::CONTENT_LENGTH, &length.to_string());
    }
    if let Some(range) = &answer.content_range {
        set(header::CONTENT_RANGE, range);
    }
    response
}

/// The bytes, as long as they come.
fn moving(
    body: BoxStream<'static, io::Result<Bytes>>,
    stall: Duration,
) -> impl Stream<Item = io::Result<Bytes>> {
    futures::stream::unfold(body, move |mut body| async move {
        let chunk = match tokio::time::timeout(stall, body.next()).await {
            Ok(chunk) => chunk?,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        Some((chunk, body))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_brings_nothing_ends() {
        let first = futures::stream::iter([Ok(Bytes::from_static(b"a"))]);
        let body = first.chain(futures::stream::pending()).boxed();
        let mut body = Box::pin(moving(body, Duration::from_millis(10)));
        assert_eq!(body.next().await.unwrap().unwrap(), "a");
        let error = body.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn what_follows_the_integration_is_handed_on_as_it_came() {
        assert_eq!(rest("/files/int_1/a%2Fb/c/d.jpg"), "a%2Fb/c/d.jpg");
        assert_eq!(rest("/files/int_1"), "");
    }
}
