//! The HTTP server: connections, and how many of them and how long.
//!
//! This room promises that a caller who sends nothing, sends slowly, takes nothing or goes away
//! holds a connection for a limited time only, that each refusal is an error of the API's form, and
//! that a stop ends what waits for a request at once and everything else within the time its caller
//! gives it.
//!
//! A connection too many makes one that lies idle close, or one that is slow to ask. If none does, it
//! is answered 503 rather than left in the system's queue: a proxy or a monitor hears at once what is the matter.
//!
//! What never happens here: a look at what a request says. Routes and their limits are in
//! [`crate::layers::layered`].

mod connection;
mod crowd;
mod io;
mod phase;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use switchboard_model::Environment;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::connection::Connections;
use self::crowd::Crowd;
use crate::error::{self, ApiError};
use crate::limits::Limits;

/// How long a connection too many waits for another one to close; and while such waits are in vain,
/// so that they do not add up.
const PATIENCE: Duration = Duration::from_millis(500);
const NO_PATIENCE: Duration = Duration::from_millis(10);
/// How many that were refused are waited for at a time, and how long, until they have read why.
const REFUSALS: usize = 32;
const REFUSAL_TIME: Duration = Duration::from_secs(1);
/// How long to wait when the system has no connection to give.
const ACCEPT_AGAIN: Duration = Duration::from_millis(500);

/// Serves until `stop`, then until the last request is answered. Dropping it ends everything at
/// once.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    env: Environment,
    limits: Limits,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let connections = Connections {
        router,
        env: env.clone(),
        limits,
        stop: stop.clone(),
        crowd: Arc::default(),
    };
    let mut open = JoinSet::new();
    let mut door = Door {
        places,
        crowd: Arc::clone(&connections.crowd),
        refusals: Arc::new(Semaphore::new(REFUSALS)),
        is_full: false,
        env,
        limit: limits.connections,
    };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = open.join_next() => continue,
            () = stop.cancelled() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                tracing::warn!(%error, "no connection can be taken; it is tried again");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        // Without it a small answer waits for the acknowledgement of the one before; where it
        // cannot be set the answer is only slower.
        let _ = stream.set_nodelay(true);
        let admitted = tokio::select! {
            admitted = door.admit() => admitted,
            () = stop.cancelled() => break,
        };
        match admitted {
            Some(place) => {
                open.spawn(connections.clone().serve(stream, place));
            }
            None => door.refuse(stream),
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

/// Who gets in.
struct Door {
    places: Arc<Semaphore>,
    crowd: Arc<Crowd>,
    refusals: Arc<Semaphore>,
    /// The last one was refused.
    is_full: bool,
    env: Environment,
    limit: usize,
}

impl Door {
    async fn admit(&mut self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            self.is_full = false;
            return Some(place);
        }
        self.crowd.ask();
        let patience = if self.is_full { NO_PATIENCE } else { PATIENCE };
        let place = Arc::clone(&self.places).acquire_owned();
        let place = tokio::time::timeout(patience, place).await;
        self.crowd.settle();
        place.ok()?.ok()
    }

    fn refuse(&mut self, stream: TcpStream) {
        if !self.is_full {
            self.is_full = true;
            let limit = self.limit;
            tracing::warn!(limit, "all connections are taken; new ones are refused");
        }
        let Ok(turn) = Arc::clone(&self.refusals).try_acquire_owned() else {
            return;
        };
        let response = error::whole_response(&self.env, &ApiError::no_connection(self.limit));
        tokio::spawn(async move {
            let _turn = turn;
            let _ = tokio::time::timeout(REFUSAL_TIME, tell(stream, &response)).await;
        });
    }
}

/// Says something on a connection and closes it, after its caller has.
async fn tell(mut stream: TcpStream, response: &[u8]) -> std::io::Result<()> {
    stream.write_all(response).await?;
    stream.shutdown().await?;
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

/// Whether the connection is at fault that was to be taken, and not the system.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}
