//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use switchboard_model::Environment;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::crowd::Crowd;
use super::io::Watched;
use super::phase::{Overdue, Phase, Progress};
use crate::limits::{HEAD_LIMIT, Limits};

/// What all connections have in common.
#[derive(Clone)]
pub(super) struct Connections {
    pub(super) router: Router,
    pub(super) env: Environment,
    pub(super) limits: Limits,
    pub(super) stop: CancellationToken,
    /// Told when another connection needs the place.
    pub(super) crowd: Arc<Crowd>,
}

/// Why waiting for a connection ended.
enum Woken {
    Ended,
    /// A time limit came nearer.
    Sooner,
}

impl Connections {
    /// Serves a connection to its end; the place is free then.
    pub(super) async fn serve(self, stream: TcpStream, place: OwnedSemaphorePermit) {
        let _place = place;
        let progress = Arc::new(Progress::new());
        let io = Watched::new(stream, Arc::clone(&progress), self.env.clone(), self.limits);
        self.run(io, &progress).await;
    }

    async fn run(&self, io: Watched, progress: &Arc<Progress>) {
        let service = service_fn(|request: Request<Incoming>| {
            progress.asked();
            let tracked = Ending(Arc::clone(progress));
            let answer = self.router.clone().oneshot(request.map(Body::new));
            async move {
                let response: Response<Body> = answer.await.unwrap_or_else(|error| match error {});
                let response = response.map(|body| Tracked {
                    body,
                    _ending: tracked,
                });
                Ok::<_, Infallible>(response)
            }
        });
        let connection = http1::Builder::new()
            // Those who close their half after asking still get their answer.
            .half_close(true)
            .header_read_timeout(None)
            .max_header_size(HEAD_LIMIT)
            .serve_connection(TokioIo::new(io), service);
        let mut connection = pin!(connection);
        let mut crowded = pin!(self.crowd.asked());
        let mut stopping = false;
        let mut timer = pin!(sleep_until(Instant::now() + self.limits.idle));
        loop {
            let due = progress.deadline(&self.limits);
            if let Some((at, overdue)) = due {
                if at <= Instant::now() {
                    if overdue == Overdue::Head {
                        progress.step(Phase::Head, Phase::Late);
                    }
                    return;
                }
                if at < timer.deadline() || timer.is_elapsed() {
                    timer.as_mut().reset(at);
                }
            }
            let armed = (!timer.is_elapsed()).then(|| timer.deadline());
            let step = std::future::poll_fn(|context| {
                if connection.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Woken::Ended);
                }
                let due = progress.deadline(&self.limits);
                let sooner = due.is_some_and(|(at, _)| armed.is_none_or(|armed| at < armed));
                if sooner {
                    return Poll::Ready(Woken::Sooner);
                }
                Poll::Pending
            });
            tokio::select! {
                biased;
                woken = step => if matches!(woken, Woken::Ended) {
                    return;
                },
                () = self.stop.cancelled(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                    // What comes after a refusal is not waited for any more.
                    if progress.is_between_requests() || progress.phase() == Phase::Refusing {
                        return;
                    }
                }
                () = &mut crowded => {
                    crowded.set(self.crowd.asked());
                    if progress.makes_way() && self.crowd.may_go() {
                        progress.step(Phase::Head, Phase::Displaced);
                        return;
                    }
                }
                () = &mut timer, if armed.is_some() => {}
            }
        }
    }
}

/// Says that an answer is made, when its body is gone.
struct Ending(Arc<Progress>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.step(Phase::Busy, Phase::Ending);
    }
}

/// An answer's body.
struct Tracked {
    body: Body,
    _ending: Ending,
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
