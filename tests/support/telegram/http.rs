//! The fake's HTTP: paths, tokens, rules, and connections that can be broken.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Bytes;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::serve::{IncomingStream, Listener};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::methods;
use super::script::Outcome;
use super::state::{Call, Shared};

/// The listening side.
pub(super) struct Server {
    address: SocketAddr,
    task: Option<JoinHandle<()>>,
    /// Breaks all connections of the listener that is accepting.
    broken: Arc<AtomicBool>,
}

impl Server {
    pub(super) async fn start(shared: Arc<Shared>) -> Self {
        let mut server = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            task: None,
            broken: Arc::default(),
        };
        server.accept(shared).await;
        server
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn refuse(&mut self) {
        self.broken.store(true, Ordering::SeqCst);
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }

    pub(super) async fn accept(&mut self, shared: Arc<Shared>) {
        let inner = TcpListener::bind(self.address).await.expect("a port");
        self.address = inner.local_addr().expect("an address");
        self.broken = Arc::default();
        let listener = BreakableListener {
            inner,
            broken: Arc::clone(&self.broken),
        };
        let service = Router::new()
            .fallback(answer)
            .with_state(shared)
            .into_make_service_with_connect_info::<Breaker>();
        self.task = Some(tokio::spawn(async move {
            axum::serve(listener, service)
                .await
                .expect("the fake serves");
        }));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.refuse();
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(breaker): ConnectInfo<Breaker>,
    uri: Uri,
    body: Bytes,
) -> Response {
    if let Some(path) = uri.path().strip_prefix("/file/bot") {
        let token = shared.lock().token.clone();
        return match path.strip_prefix(&format!("{token}/")) {
            Some(file) => format!("the file {file}").into_response(),
            None => refusal(404, "Not Found"),
        };
    }
    let Some((token, method)) = uri
        .path()
        .strip_prefix("/bot")
        .and_then(|path| path.split_once('/'))
    else {
        return refusal(404, "Not Found");
    };
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let (outcome, number) = {
        let mut state = shared.lock();
        let number = state.calls.len();
        state.calls.push(Call {
            method: method.to_owned(),
            body: body.clone(),
            at: std::time::Instant::now(),
            status: None,
        });
        if state.token != token {
            state.calls[number].status = Some(401);
            drop(state);
            return refusal(401, "Unauthorized");
        }
        (state.outcome(method, &body), number)
    };
    shared.change();
    let response = match outcome {
        Some(Outcome::Answer {
            status,
            body,
            headers,
        }) => scripted(status, body, &headers),
        Some(fault) => {
            let done = methods::call(&shared, method, &body).await;
            match fault {
                Outcome::Hang => std::future::pending::<()>().await,
                Outcome::Reset => breaker.this.store(true, Ordering::SeqCst),
                Outcome::Delay(time) => tokio::time::sleep(time).await,
                Outcome::Answer { .. } => {}
            }
            answered(done)
        }
        None => answered(methods::call(&shared, method, &body).await),
    };
    shared.lock().calls[number].status = Some(response.status().as_u16());
    shared.change();
    response
}

fn answered(done: methods::Answered) -> Response {
    match done {
        // The result is text, so that an update need not be JSON that can be understood.
        Ok(result) => scripted(200, format!("{{\"ok\":true,\"result\":{result}}}"), &[]),
        Err((code, description)) => refusal(code, description),
    }
}

fn refusal(code: u16, description: &str) -> Response {
    let body = json!({ "ok": false, "error_code": code, "description": description });
    scripted(code, body.to_string(), &[])
}

fn scripted(status: u16, body: String, headers: &[(String, String)]) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    let mut response = (status, [("content-type", "application/json")], body).into_response();
    for (name, value) in headers {
        let name: axum::http::HeaderName = name.parse().expect("a header");
        response
            .headers_mut()
            .insert(name, value.parse().expect("a header's value"));
    }
    response
}

/// What breaks one connection.
#[derive(Clone)]
struct Breaker {
    this: Arc<AtomicBool>,
}

struct BreakableListener {
    inner: TcpListener,
    broken: Arc<AtomicBool>,
}

struct Breakable {
    inner: TcpStream,
    this: Arc<AtomicBool>,
    all: Arc<AtomicBool>,
}

impl Listener for BreakableListener {
    type Io = Breakable;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Breakable, SocketAddr) {
        let (inner, address) = Listener::accept(&mut self.inner).await;
        let stream = Breakable {
            inner,
            this: Arc::default(),
            all: Arc::clone(&self.broken),
        };
        (stream, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

impl Connected<IncomingStream<'_, BreakableListener>> for Breaker {
    fn connect_info(stream: IncomingStream<'_, BreakableListener>) -> Self {
        Self {
            this: Arc::clone(&stream.io().this),
        }
    }
}

impl Breakable {
    fn check(&self) -> io::Result<()> {
        if self.this.load(Ordering::SeqCst) || self.all.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl AsyncRead for Breakable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for Breakable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
