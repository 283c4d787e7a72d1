//! A store in a folder of its own, workers over it, and bots that do as they are told.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use axum::{Json as Body, Router};
use serde_json::Value;
use switchboard_bots::{Bot, BotAnswer, BotEvent, BotFailure, BotReply, HttpBot};
use switchboard_delivery::{Policy, UncertainPolicy, Worker};
use switchboard_engine::access::Install;
use switchboard_engine::{
    Engine, ExternalThread, ExternalUser, IncomingMessage, Update, UpdateContent, Vault,
};
use switchboard_integration::Outbound;
use switchboard_model::{
    BotId, Clock, ConversationId, Direction, Environment, EventId, Integration, Json, Message,
    MessageId, Tags, Timestamp, UserId, testing,
};
use switchboard_store::{
    DeliveryRecord, DeliveryRecordStatus, Discriminate, Ingested, NewMessage, PageRequest,
    PostMessage,
};
use switchboard_store_sqlite::SqliteStore;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A clock that goes on as the monotonic one does.
struct Running(Instant);

impl Clock for Running {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_790_000_000_000).plus(self.0.elapsed())
    }
}

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) bot: BotId,
    pub(crate) integration: Integration,
    env: Environment,
    folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Environment::new(
            Running(Instant::now()),
            testing::SeededRandom::new(7),
        ))
        .await
    }

    pub(crate) async fn with(env: Environment) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = open(&folder, &env);
        let install = Install {
            alias: "test",
            platform: "test",
            active: true,
        };
        let made = engine.create_bot("bot", &[install], None).await.unwrap();
        Self {
            engine,
            bot: made.bot.id,
            integration: made.integrations[0].clone(),
            env,
            folder,
        }
    }

    /// Closes the database and opens it again, as a new process would.
    pub(crate) async fn restart(&mut self) {
        self.restart_with(UncertainPolicy::Retry).await;
    }

    pub(crate) async fn restart_with(&mut self, uncertain: UncertainPolicy) {
        self.engine.store().close().await.unwrap();
        self.engine = open(&self.folder, &self.env);
        let released = self
            .engine
            .store()
            .release_in_flight(self.env.now(), uncertain.into());
        released.await.unwrap();
    }

    /// Somebody says something in a thread.
    pub(crate) async fn say(&self, thread: &str, text: &str) -> (EventId, ConversationId) {
        let update = Update {
            once: Vec::new(),
            content: UpdateContent::Message(IncomingMessage {
                thread: ExternalThread {
                    known: None,
                    channel: "channel".to_owned(),
                    id: thread.to_owned(),
                    tags: Tags::new(),
                    defaults: Tags::new(),
                },
                sender: ExternalUser {
                    known: None,
                    id: "somebody".to_owned(),
                    tags: Tags::new(),
                    name: None,
                },
                kind: "text".to_owned(),
                payload: payload(text),
                tags: Tags::new(),
            }),
        };
        let taken = self
            .engine
            .ingest(&self.integration, vec![update], None)
            .await;
        match taken.unwrap().remove(0) {
            Ingested::Message {
                event,
                conversation,
                ..
            } => (event, conversation.id),
            other => panic!("{other:?}"),
        }
    }

    /// The bot says something in a conversation.
    pub(crate) async fn post(&self, conversation: ConversationId, text: &str) -> MessageId {
        let id = self.engine.new_message_id();
        let command = PostMessage {
            bot: self.bot,
            message: NewMessage {
                id,
                conversation,
                user: UserId::from(self.bot),
                direction: Direction::Outgoing,
                kind: "text".to_owned(),
                payload: payload(text),
                tags: Tags::new(),
                synthetic: false,
            },
            discriminate: Discriminate::Never,
            delivery: self.engine.new_delivery_id(),
            due: None,
            now: self.env.now(),
        };
        self.engine.store().post_message(command).await.unwrap();
        id
    }

    pub(crate) async fn message(&self, id: MessageId) -> Message {
        let found = self.engine.store().get_message(self.bot, id).await;
        found.unwrap().unwrap()
    }

    /// What the bot has said in a conversation, oldest first.
    pub(crate) async fn said(&self, conversation: ConversationId) -> Vec<String> {
        let all = self
            .engine
            .store()
            .messages_after(self.bot, conversation, 0, 10_000)
            .await
            .unwrap();
        all.iter()
            .filter(|message| message.direction == Direction::Outgoing)
            .map(|message| text(&message.payload))
            .collect()
    }

    pub(crate) async fn deliveries(&self, status: DeliveryRecordStatus) -> Vec<DeliveryRecord> {
        let mut all = self.all_deliveries().await;
        all.retain(|record| record.status == status);
        all
    }

    /// In one look: between two of them a delivery may change its status.
    async fn all_deliveries(&self) -> Vec<DeliveryRecord> {
        let page = PageRequest {
            limit: 10_000,
            after: None,
        };
        let store = self.engine.store();
        let listed = store.list_deliveries(self.bot, None, None, page).await;
        listed.unwrap().items
    }

    /// The delivery of an event, once it is over.
    pub(crate) async fn end_of(&self, event: EventId) -> DeliveryRecord {
        eventually("the event's delivery ends", async || {
            let mut all = self.all_deliveries().await.into_iter();
            all.find(|record| record.event == Some(event) && !is_waiting(record))
        })
        .await
    }

    /// Waits until nothing waits or is in flight in the bot's lane.
    pub(crate) async fn bot_is_idle(&self) {
        eventually("all events are delivered", async || {
            let all = self.all_deliveries().await;
            let mut events = all.iter().filter(|record| record.event.is_some());
            (!events.any(is_waiting)).then_some(())
        })
        .await;
    }

    pub(crate) fn run_bot(&self, bot: impl Bot, policy: Policy) -> RunningWorker {
        RunningWorker::new(Worker::to_bots(self.engine.clone(), Arc::new(bot), policy))
    }

    pub(crate) fn run_channel(&self, channel: Arc<dyn Outbound>, policy: Policy) -> RunningWorker {
        RunningWorker::new(Worker::to_channel(
            self.engine.clone(),
            self.integration.id,
            channel,
            policy,
        ))
    }
}

fn is_waiting(record: &DeliveryRecord) -> bool {
    use DeliveryRecordStatus::{InFlight, Pending};
    matches!(record.status, InFlight | Pending)
}

fn open(folder: &TempDir, env: &Environment) -> Engine {
    let store = SqliteStore::open(&folder.path().join("switchboard.db")).unwrap();
    Engine::new(Arc::new(store), env.clone(), Vault::new(&[7; 32]).unwrap())
}

fn payload(text: &str) -> Json {
    Json::from_serialize(&serde_json::json!({ "text": text })).unwrap()
}

pub(crate) fn text(payload: &Json) -> String {
    payload.read::<Value>().unwrap()["text"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Quick enough for tests.
pub(crate) fn quick() -> Policy {
    Policy {
        time_limit: Duration::from_secs(5),
        lease: Duration::from_secs(8),
        first_retry: Duration::from_millis(10),
        longest_retry: Duration::from_millis(40),
        patience: Duration::from_secs(20),
        first_pause: Duration::from_millis(100),
        longest_pause: Duration::from_millis(400),
        grace: Duration::from_secs(5),
        ..Policy::bots()
    }
}

/// Longer than any test.
const PATIENT: Duration = Duration::from_mins(10);

/// [`quick`], but a try that hangs goes on hanging.
pub(crate) fn patient() -> Policy {
    Policy {
        time_limit: PATIENT,
        lease: 2 * PATIENT,
        ..quick()
    }
}

pub(crate) struct RunningWorker {
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl RunningWorker {
    fn new(worker: Worker) -> Self {
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(worker.run(shutdown.clone()));
        Self { shutdown, task }
    }

    /// Tells it to stop and waits until it has.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }

    /// Ends it wherever it is.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.is_err());
    }
}

/// Waits until `found` finds something.
pub(crate) async fn eventually<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(it) = found().await {
            return it;
        }
        assert!(Instant::now() < end, "it does not happen that {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What a bot over HTTP was told.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) event: String,
    pub(crate) conversation: String,
    pub(crate) text: String,
    pub(crate) attempt: u32,
}

type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A bot over HTTP on loopback.
#[derive(Clone)]
pub(crate) struct Server {
    told: Arc<Mutex<Vec<Told>>>,
    busy: Arc<Mutex<HashMap<String, u32>>>,
    answer: Arc<dyn Fn(Told) -> Answering + Send + Sync>,
}

impl Server {
    /// Starts it; it answers what `answer` says. At the same time for one conversation: once.
    pub(crate) async fn start<A, F>(answer: A) -> (Self, HttpBot)
    where
        A: Fn(Told) -> F + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        Self::start_with(Duration::from_secs(1), answer).await
    }

    /// The same, with a bot that is waited for so long that no test sees the end of it.
    pub(crate) async fn waited_for<A, F>(answer: A) -> (Self, HttpBot)
    where
        A: Fn(Told) -> F + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        Self::start_with(PATIENT, answer).await
    }

    async fn start_with<A, F>(limit: Duration, answer: A) -> (Self, HttpBot)
    where
        A: Fn(Told) -> F + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        let server = Self {
            told: Arc::default(),
            busy: Arc::default(),
            answer: Arc::new(move |told| Box::pin(answer(told))),
        };
        let router = Router::new()
            .route("/", post(take))
            .with_state(server.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let bot = HttpBot::new(&url, limit).unwrap();
        (server, bot)
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }
}

async fn take(State(server): State<Server>, headers: HeaderMap, body: Body<Value>) -> Response {
    let message = &body["event"]["payload"]["message"];
    let told = Told {
        event: body["event"]["id"].as_str().unwrap().to_owned(),
        conversation: body["event"]["conversationId"].as_str().unwrap().to_owned(),
        text: message["payload"]["text"].as_str().unwrap().to_owned(),
        attempt: headers["x-switchboard-attempt"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap(),
    };
    assert_eq!(headers["x-switchboard-event-id"], told.event.as_str());
    let _busy = Busy::new(&server, &told.conversation);
    server.told.lock().unwrap().push(told.clone());
    (server.answer)(told).await
}

/// A request under way; two at once for one conversation are a broken promise.
struct Busy(Server, String);

impl Busy {
    fn new(server: &Server, conversation: &str) -> Self {
        let mut busy = server.busy.lock().unwrap();
        let count = busy.entry(conversation.to_owned()).or_default();
        *count += 1;
        assert_eq!(*count, 1, "two events of one conversation at once");
        Self(server.clone(), conversation.to_owned())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        *self.0.busy.lock().unwrap().get_mut(&self.1).unwrap() -= 1;
    }
}

/// An answer that says a text.
pub(crate) fn saying(text: &str) -> Response {
    let body = serde_json::json!({ "messages": [{ "type": "text", "payload": { "text": text } }] });
    Response::new(body.to_string().into())
}

/// An answer of a status, with headers and a text.
pub(crate) fn status(status: u16, headers: &[(&str, &str)], text: &str) -> Response {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(text.to_owned().into()).unwrap()
}

/// A bot in process, from a function.
pub(crate) struct InProcess<F>(pub(crate) F);

#[async_trait]
impl<F, A> Bot for InProcess<F>
where
    F: Fn(u32, String) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Vec<BotReply>, BotFailure>> + Send + 'static,
{
    async fn handle(&self, event: &BotEvent) -> Result<BotAnswer, BotFailure> {
        let json: Value = serde_json::from_str(event.json()?).unwrap();
        let text = json["payload"]["message"]["payload"]["text"].as_str();
        let answer = (self.0)(event.attempt(), text.unwrap_or_default().to_owned()).await;
        answer.map(BotAnswer::from)
    }
}
