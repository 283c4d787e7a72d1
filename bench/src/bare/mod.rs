//! The bare routes: axum without layers, one raw statement (or the few of a write) a request, and
//! bytes that were made beforehand. A process of its own, as the server is.
//!
//! Reads run on the thread that answers; writes go to one thread that commits what has come
//! together, as the store's does. The message that is read may be had in two other ways, which show
//! what a read costs: without the database, and from a pool of connections.

mod read;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as Segment, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use self::read::Pool;
use crate::failure::{Result, failed};
use crate::raw::{
    self, BATCH, Checkpointer, Finder, Get, List, Maker, Numbers, Poster, WORTHWHILE,
};

/// What the process is told on its standard input.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Setup {
    pub(crate) database: PathBuf,
    /// The conversations that messages are written to.
    pub(crate) conversations: Vec<[u8; 16]>,
    /// The messages that may be asked for.
    pub(crate) messages: Vec<[u8; 16]>,
    /// The conversations that are listed.
    pub(crate) listed: Vec<[u8; 16]>,
    /// The external id of the thread that is found.
    pub(crate) hot: String,
    /// The messages on a page.
    pub(crate) page: usize,
    pub(crate) bodies: Bodies,
}

/// What the server answered to each kind of request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Bodies {
    pub(crate) create: String,
    pub(crate) hot: String,
    pub(crate) new: String,
    pub(crate) get: String,
    pub(crate) list: Vec<String>,
}

/// What it says when it accepts requests.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    pub(crate) address: SocketAddr,
}

#[derive(Clone, Copy)]
enum Write {
    Message,
    Conversation,
}

type Queue = mpsc::Sender<(Write, oneshot::Sender<()>)>;

struct Shared {
    database: PathBuf,
    page: usize,
    finder: Finder,
    get: Get,
    list: List,
    bodies: Bodies,
    queue: Queue,
    pool: Arc<Pool>,
}

/// Serves until the process is ended.
pub(crate) async fn serve() -> Result<()> {
    let setup: Setup = serde_json::from_reader(std::io::stdin().lock())?;
    let reader = raw::reader(&setup.database)?;
    let (queue, commands) = mpsc::channel(4096);
    let (path, conversations) = (setup.database.clone(), setup.conversations);
    std::thread::spawn(move || {
        if let Err(error) = write_all(&path, conversations, commands) {
            eprintln!("error: the bare writer ended: {error}");
            std::process::exit(1);
        }
    });
    let shared = Arc::new(Shared {
        finder: Finder::new(&reader, &setup.hot)?,
        get: Get::new(&reader, setup.messages)?,
        list: List::new(&reader, &setup.listed)?,
        pool: Pool::new(&setup.database)?,
        database: setup.database,
        page: setup.page,
        bodies: setup.bodies,
        queue,
    });
    let router = Router::new()
        .route("/create", post(create))
        .route("/hot", post(hot))
        .route("/new", post(new))
        .route("/get/{place}", get(one))
        .route("/pool/{place}", get(pooled))
        .route("/none/{place}", get(nothing))
        .route("/list/{place}", get(list))
        .with_state(shared);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let ready = Ready {
        address: listener.local_addr()?,
    };
    println!("{}", serde_json::to_string(&ready)?);
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, router).await?;
    Ok(())
}

/// The body is read, as the server reads it, and nothing is made of it.
async fn create(State(shared): State<Arc<Shared>>, _body: Bytes) -> Response {
    written(&shared, Write::Message, &shared.bodies.create).await
}

async fn new(State(shared): State<Arc<Shared>>, _body: Bytes) -> Response {
    written(&shared, Write::Conversation, &shared.bodies.new).await
}

async fn hot(State(shared): State<Arc<Shared>>, _body: Bytes) -> Response {
    let done = read::here(&shared.database, |connection| shared.finder.run(connection));
    answer(done, StatusCode::OK, &shared.bodies.hot)
}

async fn one(State(shared): State<Arc<Shared>>, Segment(place): Segment<usize>) -> Response {
    let done = read::here(&shared.database, |connection| {
        shared.get.run(connection, place)
    });
    answer(done, StatusCode::OK, &shared.bodies.get)
}

async fn pooled(State(shared): State<Arc<Shared>>, Segment(place): Segment<usize>) -> Response {
    let own = Arc::clone(&shared);
    let done = shared
        .pool
        .lend(move |connection| own.get.run(connection, place))
        .await;
    answer(done, StatusCode::OK, &shared.bodies.get)
}

async fn nothing(State(shared): State<Arc<Shared>>, Segment(_place): Segment<usize>) -> Response {
    answer(Ok(()), StatusCode::OK, &shared.bodies.get)
}

async fn list(State(shared): State<Arc<Shared>>, Segment(place): Segment<usize>) -> Response {
    let done = read::here(&shared.database, |connection| {
        shared.list.run(connection, place, shared.page)
    });
    let body = shared.bodies.list.get(place);
    answer(done, StatusCode::OK, body.map_or("", String::as_str))
}

async fn written(shared: &Shared, write: Write, body: &str) -> Response {
    let (done, committed) = oneshot::channel();
    let sent = shared.queue.send((write, done)).await;
    let result = match (sent, committed.await) {
        (Ok(()), Ok(())) => Ok(()),
        _ => failed("the writer is gone"),
    };
    let status = match write {
        Write::Message => StatusCode::CREATED,
        Write::Conversation => StatusCode::OK,
    };
    answer(result, status, body)
}

fn answer(result: Result<()>, status: StatusCode, body: &str) -> Response {
    match result {
        Ok(()) => (
            status,
            [(header::CONTENT_TYPE, "application/json")],
            Bytes::copy_from_slice(body.as_bytes()),
        )
            .into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn write_all(
    path: &Path,
    conversations: Vec<[u8; 16]>,
    mut commands: mpsc::Receiver<(Write, oneshot::Sender<()>)>,
) -> Result<()> {
    let mut connection = raw::writer(path)?;
    let mut checkpointer = Checkpointer::start(path, &mut connection, WORTHWHILE, false)?;
    let mut poster = Poster::prepare(&connection, conversations)?;
    let mut maker = Maker::prepare(&connection)?;
    let mut numbers = Numbers::new(2);
    let mut waiting = Vec::with_capacity(BATCH);
    while let Some(first) = commands.blocking_recv() {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut next = Some(first);
        while let Some((write, done)) = next {
            match write {
                Write::Message => poster.run(&mut numbers)?,
                Write::Conversation => maker.run(&mut numbers)?,
            }
            waiting.push(done);
            next = (waiting.len() < BATCH)
                .then(|| commands.try_recv().ok())
                .flatten();
        }
        connection.execute_batch("COMMIT")?;
        for done in waiting.drain(..) {
            // Whoever asked may have gone.
            let _gone = done.send(());
        }
        checkpointer.after_commit(&connection)?;
    }
    Ok(())
}
