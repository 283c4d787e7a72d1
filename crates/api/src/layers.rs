//! What holds for every route: a span without secrets, errors in one shape, panics caught, no
//! request without end, and no body left unread.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures::{FutureExt, Stream, StreamExt};
use switchboard_model::Environment;
use tokio::time::Sleep;
use tracing::Instrument;

use crate::error::{self, ApiError};
use crate::limits::{Limits, URI_LIMIT};
use crate::unknown::{Known, Parameters};

/// How much of an unwanted body is read, in bytes, so that its sender gets to read the answer.
const DRAIN_LIMIT: usize = 64 << 20;
/// How long.
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// Routes with everything that holds for all of them. [`ApiError`]s become bodies here.
///
/// One layer, since each further one would copy the whole of what it wraps for each request.
pub(crate) fn layered(
    routes: Router,
    env: Environment,
    limits: Limits,
    parameters: Parameters,
) -> Router {
    let rules = Rules {
        env,
        limits,
        parameters: Known(Arc::new(parameters)),
    };
    routes.layer(middleware::from_fn_with_state(rules, answer))
}

/// What holds for all routes.
#[derive(Clone)]
struct Rules {
    env: Environment,
    limits: Limits,
    parameters: Known,
}

/// The span names the route, not the path: the path of a webhook is a secret.
async fn answer(State(rules): State<Rules>, request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none", MatchedPath::as_str);
    let span = tracing::info_span!("request", method = %request.method(), route);
    let answering = async {
        let response = error::render(&rules.env, within(request, next, &rules).await);
        tracing::debug!(status = response.status().as_u16(), "answered");
        response
    };
    if span.is_disabled() {
        answering.await
    } else {
        answering.instrument(span).await
    }
}

/// The answer, if the request's head is as it must be.
async fn within(request: Request, next: Next, rules: &Rules) -> Response {
    let uri = request.uri();
    let length = uri.path_and_query().map_or(0, |both| both.as_str().len());
    if length > URI_LIMIT {
        return ApiError::long_uri().into_response();
    }
    drained(request, next, rules).await
}

/// What the handler answers; in its place, that it panicked or took too long.
async fn guarded(mut request: Request, next: Next, rules: &Rules) -> Response {
    rules.parameters.lend(&mut request);
    let handled = tokio::time::timeout(rules.limits.request, next.run(request));
    // Nothing that a handler holds is looked at after it panicked, but for what is behind a lock.
    match AssertUnwindSafe(handled).catch_unwind().await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => ApiError::timed_out().into_response(),
        Err(cause) => panicked(cause),
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the layer asks for this type"
)]
fn panicked(cause: Box<dyn Any + Send + 'static>) -> Response {
    let text = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied())
        .unwrap_or("no text");
    ApiError::panicked(text).into_response()
}

/// Reads what a handler left of its body and throws it away. Without, the connection would be
/// closed under a client that still sends, and it would see a broken pipe instead of the answer.
async fn drained(request: Request, next: Next, rules: &Rules) -> Response {
    let limits = rules.limits;
    if request.body().is_end_stream() {
        return guarded(request, next, rules).await;
    }
    let (parts, body) = request.into_parts();
    let waits = waits_for_continue(&parts.headers);
    let rest = Arc::new(Mutex::new(Rest::default()));
    let lent = Lent {
        body: Some(body.into_data_stream()),
        touched: false,
        is_late: false,
        late: Box::pin(tokio::time::sleep(limits.read)),
        limit: limits.read,
        rest: Arc::clone(&rest),
    };
    let request = Request::from_parts(parts, Body::from_stream(lent));
    let mut response = guarded(request, next, rules).await;

    let Rest {
        body,
        touched,
        is_late,
    } = std::mem::take(&mut *rest.lock().unwrap_or_else(PoisonError::into_inner));
    if let Some(body) = body {
        // A client that waits for `100 Continue` sends nothing until it is asked: do not ask.
        let ended = !is_late && (touched || !waits) && read_to_end(body).await;
        if !ended {
            response
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
    response
}

fn waits_for_continue(headers: &HeaderMap) -> bool {
    headers
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Whether the end came within the limits.
async fn read_to_end(mut body: BodyDataStream) -> bool {
    let read = async {
        let mut size = 0;
        while let Some(chunk) = body.next().await {
            let Ok(chunk) = chunk else { return false };
            size += chunk.len();
            if size > DRAIN_LIMIT {
                return false;
            }
        }
        true
    };
    tokio::time::timeout(DRAIN_TIME, read)
        .await
        .unwrap_or(false)
}

/// What a handler left of a body.
#[derive(Default)]
struct Rest {
    body: Option<BodyDataStream>,
    touched: bool,
    is_late: bool,
}

/// A body did not come to its end in time.
#[derive(Debug, thiserror::Error)]
#[error("expected all of the body within {} s", limit.as_secs_f64())]
pub(crate) struct LateBody {
    pub(crate) limit: Duration,
}

/// A body that comes back when the handler is done with it, and ends when its time is over.
struct Lent {
    body: Option<BodyDataStream>,
    touched: bool,
    late: Pin<Box<Sleep>>,
    is_late: bool,
    limit: Duration,
    rest: Arc<Mutex<Rest>>,
}

impl Stream for Lent {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.touched = true;
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let polled = body.poll_next_unpin(context);
        if polled.is_pending() && self.late.as_mut().poll(context).is_ready() {
            // Nobody waits for the rest: that would be as long again.
            self.is_late = true;
            let limit = self.limit;
            return Poll::Ready(Some(Err(axum::Error::new(LateBody { limit }))));
        }
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        polled
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        *self.rest.lock().unwrap_or_else(PoisonError::into_inner) = Rest {
            body: self.body.take(),
            touched: self.touched,
            is_late: self.is_late,
        };
    }
}
