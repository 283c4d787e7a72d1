//! Integrations written in JavaScript: an object of the documented form, whose functions decide
//! which conversation an external thread is and which user an external person.
//!
//! Promises: each run has a runtime of its own, on a thread of its own, with limits on memory, stack
//! and time, and reaches nothing but `ctx.bp` of its own integration: no files, no network, no
//! module, no timer, nothing of an earlier run. What the script does or throws is at most an error of
//! that run. What it returns counts only if it is a conversation, or a user, of its integration.
//!
//! What never happens here: a script on a thread that others wait for; a look-up and a creation of
//! one run that end as an error, or as a second conversation, because another run came between.

mod host;
mod load;
mod run;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use switchboard_integration::{Context, NewUser};
use switchboard_model::{Conversation, ConversationId, Error, User};
use tokio::sync::Semaphore;

use host::Host;
use run::{Call, Job};

/// The function that a channel asks for a thread's conversation.
pub const CONVERSATION: &str = "conversations.getOrCreateConversation";
/// The function that a channel asks for a person's user. It may be missing.
pub const USER: &str = "users.getOrCreateUser";

/// The longest script, in bytes.
pub const SOURCE_LIMIT: usize = 256 * 1024;

/// How many runs of one script may go on at once.
const RUNS: usize = 8;

/// What a run may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: usize,
    /// Bytes of stack.
    pub stack: usize,
    /// From its start to its end, with what it waits for.
    pub time: Duration,
    /// Bytes of what it returns, as JSON.
    pub answer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 32 * 1024 * 1024,
            stack: 256 * 1024,
            time: Duration::from_secs(2),
            answer: 256 * 1024,
        }
    }
}

/// Why a run gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The script is at fault. The text says what it did.
    #[error("the script: {0}")]
    Script(String),
    /// The store could not do what the script asked for, and may be able to later.
    #[error(transparent)]
    Store(Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Script(_) => Self::invalid("script", failure.to_string()),
            Failure::Store(error) => error,
        }
    }
}

/// Whether a run may open a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It may.
    Open,
    /// It ends where it would: what is asked is which conversation there is.
    Look,
}

/// What a run is about, for the script to read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Origin {
    /// `ctx.thread`: the external thread, `{ id, …tags }`.
    pub thread: Value,
    /// `ctx.sender`: who caused it, `{ id, name, …tags }`.
    pub sender: Value,
    /// `ctx.update`: the update as the channel sent it.
    pub update: Value,
}

/// A script that was read and found to be an integration. Cheap to clone.
#[derive(Clone)]
pub struct Script {
    source: Arc<str>,
    limits: Limits,
    functions: Arc<[String]>,
    slots: Arc<Semaphore>,
}

impl Script {
    /// Reads a script: runs its outermost level and looks at the object it defines.
    pub async fn load(source: &str, limits: Limits) -> Result<Self, Failure> {
        if source.len() > SOURCE_LIMIT {
            return Err(Failure::Script(format!(
                "it is longer than {SOURCE_LIMIT} bytes; leave out what it does not need"
            )));
        }
        let mut script = Self {
            source: source.into(),
            limits,
            functions: Arc::default(),
            slots: Arc::new(Semaphore::new(RUNS)),
        };
        let done = script.run(None, None).await?;
        script.functions = done.functions.into();
        Ok(script)
    }

    /// Its functions, as `conversations.createConversation`.
    pub fn functions(&self) -> &[String] {
        &self.functions
    }

    /// Runs one function and gives what it returned. Of the four documented ones that must be a
    /// conversation, or a user, of the integration.
    pub async fn call(
        &self,
        ctx: &Context,
        origin: &Origin,
        function: &str,
        external_id: &str,
    ) -> Result<Value, Error> {
        if !self.functions.iter().any(|known| known == function) {
            return Err(Error::invalid(
                "function",
                format!(
                    "the script has no function {function:?}; it has {}",
                    self.functions.join(", ")
                ),
            ));
        }
        let host = Host::new(ctx.clone(), Mode::Open);
        let returned = self.invoke(&host, origin, function, external_id).await?;
        match function {
            CONVERSATION | "conversations.createConversation" => {
                self.conversation_of(ctx, &returned, function).await?;
            }
            USER | "users.createUser" => {
                self.user_of(ctx, &returned, function).await?;
            }
            _ => {}
        }
        Ok(returned)
    }

    /// The conversation of an external thread. None only where one would have to be opened and may
    /// not.
    pub async fn conversation(
        &self,
        ctx: &Context,
        origin: &Origin,
        external_id: &str,
        mode: Mode,
    ) -> Result<Option<Conversation>, Failure> {
        let host = Host::new(ctx.clone(), mode);
        let returned = self.invoke(&host, origin, CONVERSATION, external_id).await;
        if host.is_stopped() {
            return Ok(None);
        }
        let found = self.conversation_of(ctx, &returned?, CONVERSATION).await?;
        Ok(Some(found))
    }

    /// The user of an external person. As any other channel maps them, if the script does not.
    pub async fn user(
        &self,
        ctx: &Context,
        origin: &Origin,
        external_id: &str,
    ) -> Result<User, Failure> {
        if !self.maps_users() {
            let found = ctx
                .bp
                .users()
                .get_or_create(NewUser::new(external_id))
                .await;
            return Ok(found.map_err(Failure::Store)?.value);
        }
        let host = Host::new(ctx.clone(), Mode::Open);
        let returned = self.invoke(&host, origin, USER, external_id).await?;
        self.user_of(ctx, &returned, USER).await
    }

    /// Whether it says which user a person is.
    pub fn maps_users(&self) -> bool {
        self.functions.iter().any(|known| known == USER)
    }

    async fn invoke(
        &self,
        host: &Host,
        origin: &Origin,
        function: &str,
        external_id: &str,
    ) -> Result<Value, Failure> {
        let integration = &host.context().integration;
        let facts = json!({
            "integration": {
                "id": integration.id,
                "alias": integration.alias,
                "platform": integration.platform,
            },
            "channel": host.context().channel,
            "thread": origin.thread,
            "sender": origin.sender,
            "update": origin.update,
        });
        let call = Call {
            function: function.to_owned(),
            external_id: external_id.to_owned(),
            facts: facts.to_string(),
        };
        let done = self.run(Some(call), Some(host.clone())).await;
        // What the store could not do is no fault of the script's, whatever that made of it.
        match (done, host.store_failure()) {
            (Ok(done), _) => Ok(done.returned),
            (Err(_), Some(error)) => Err(Failure::Store(error)),
            (Err(failure), None) => Err(failure),
        }
    }

    async fn run(&self, call: Option<Call>, host: Option<Host>) -> Result<run::Done, Failure> {
        let job = Job {
            source: Arc::clone(&self.source),
            limits: self.limits,
            call,
            host,
        };
        run::on_own_thread(job, &self.slots).await
    }

    async fn conversation_of(
        &self,
        ctx: &Context,
        returned: &Value,
        function: &str,
    ) -> Result<Conversation, Failure> {
        let id = returned_id::<ConversationId>(returned)
            .ok_or_else(|| unfit(function, returned, "a conversation"))?;
        match ctx.bp.conversations().get(id).await {
            Err(Error::NotFound { .. }) => Err(unfit(function, returned, "a conversation")),
            found => found.map_err(Failure::Store),
        }
    }

    async fn user_of(
        &self,
        ctx: &Context,
        returned: &Value,
        function: &str,
    ) -> Result<User, Failure> {
        let id = returned_id(returned).ok_or_else(|| unfit(function, returned, "a user"))?;
        match ctx.bp.users().get(id).await {
            Err(Error::NotFound { .. }) => Err(unfit(function, returned, "a user")),
            found => found.map_err(Failure::Store),
        }
    }
}

/// The most keys of an object that a failure names, and the most characters of each.
const SHOWN_KEYS: usize = 10;
const SHOWN_KEY: usize = 40;

fn returned_id<T: std::str::FromStr>(returned: &Value) -> Option<T> {
    returned.as_object()?.get("id")?.as_str()?.parse().ok()
}

fn unfit(function: &str, returned: &Value, expected: &str) -> Failure {
    Failure::Script(format!(
        "{function} returned {}; expected {expected} of this integration, as ctx.bp gives it",
        shape(returned)
    ))
}

/// What a value is. What stands in it may be what a person said, and is left out.
fn shape(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::String(_) => "a text".to_owned(),
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(fields) if fields.is_empty() => "an object without keys".to_owned(),
        Value::Object(fields) => {
            let keys = fields.keys().take(SHOWN_KEYS);
            let keys: Vec<String> = keys
                .map(|key| key.chars().take(SHOWN_KEY).collect())
                .collect();
            format!("an object with the keys {}", keys.join(", "))
        }
    }
}
