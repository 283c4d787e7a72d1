//! What a script asks for through `ctx.bp`.
//!
//! Promises: only what belongs to its context is reached. A run that looked an id up, found nothing
//! and then creates it gets what is there: had the other run come first as a whole, this one's
//! look-up would have found the same.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use switchboard_integration::{Context, NewConversation, NewUser};
use switchboard_model::{Conversation, Error, Result, User};

use crate::Mode;

/// One run's way to the store. Cheap to clone; clones are the same run.
#[derive(Clone)]
pub(crate) struct Host {
    context: Context,
    mode: Mode,
    state: Arc<Mutex<State>>,
}

/// What has happened in the run.
#[derive(Default)]
struct State {
    missed_conversations: HashSet<String>,
    missed_users: HashSet<String>,
    stopped: bool,
    store_failure: Option<Error>,
}

impl Host {
    pub(crate) fn new(context: Context, mode: Mode) -> Self {
        Self {
            context,
            mode,
            state: Arc::default(),
        }
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// Whether the run would have opened a conversation, and may not.
    pub(crate) fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    /// What the store could not do for the run.
    pub(crate) fn store_failure(&self) -> Option<Error> {
        self.state().store_failure.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a question, as the prelude reads it: `[true, value]` or `[false, text, type]`.
    pub(crate) async fn answer(&self, what: &str, argument: &str) -> String {
        let answered = match serde_json::from_str(argument) {
            Ok(argument) => self.ask(what, argument).await,
            Err(_) => Err(Error::invalid("argument", "expected JSON")),
        };
        match answered {
            Ok(value) => json!([true, value]).to_string(),
            Err(error) => {
                let kind = kind(&error);
                if matches!(
                    error,
                    Error::Busy
                        | Error::Unavailable { .. }
                        | Error::OutcomeUnknown
                        | Error::Internal(_)
                ) {
                    self.state().store_failure.get_or_insert(error.clone());
                }
                json!([false, error.to_string(), kind]).to_string()
            }
        }
    }

    async fn ask(&self, what: &str, argument: Value) -> Result<Value> {
        match what {
            "conversations.getById" => self.get_conversation(&external_id(&argument)?).await,
            "conversations.create" => {
                let new = NewConversation::from_json(&argument)?;
                self.create_conversation(new).await
            }
            "conversations.getOrCreate" => {
                let new = NewConversation::from_json(&argument)?;
                self.get_or_create_conversation(new).await
            }
            "users.getById" => self.get_user(&external_id(&argument)?).await,
            "users.create" => self.create_user(self.new_user(&argument)?).await,
            "users.getOrCreate" => {
                let new = self.new_user(&argument)?;
                let found = self.context.bp.users().get_or_create(new).await?;
                Ok(user(&found.value))
            }
            _ => Err(Error::invalid("function", "unknown")),
        }
    }

    async fn get_conversation(&self, id: &str) -> Result<Value> {
        let found = self.context.bp.conversations().get_by_id(id).await?;
        if found.is_none() {
            self.state().missed_conversations.insert(id.to_owned());
        }
        Ok(found.as_ref().map_or(Value::Null, conversation))
    }

    async fn create_conversation(&self, new: NewConversation) -> Result<Value> {
        self.may_open()?;
        let conversations = self.context.bp.conversations();
        if self.state().missed_conversations.contains(&new.id) {
            let found = conversations.get_or_create(new).await?;
            return Ok(conversation(&found.value));
        }
        Ok(conversation(&conversations.create(new).await?))
    }

    async fn get_or_create_conversation(&self, new: NewConversation) -> Result<Value> {
        let conversations = self.context.bp.conversations();
        if self.mode == Mode::Look {
            if let Some(found) = conversations.get_by_id(&new.id).await? {
                return Ok(conversation(&found));
            }
            self.may_open()?;
        }
        Ok(conversation(&conversations.get_or_create(new).await?.value))
    }

    fn may_open(&self) -> Result<()> {
        if self.mode == Mode::Open {
            return Ok(());
        }
        self.state().stopped = true;
        Err(Error::Forbidden {
            reason: "what is mapped here opens no conversation".to_owned(),
        })
    }

    async fn get_user(&self, id: &str) -> Result<Value> {
        let found = self.context.bp.users().get_by_id(id).await?;
        if found.is_none() {
            self.state().missed_users.insert(id.to_owned());
        }
        Ok(found.as_ref().map_or(Value::Null, user))
    }

    async fn create_user(&self, new: NewUser) -> Result<Value> {
        let users = self.context.bp.users();
        if self.state().missed_users.contains(&new.id) {
            return Ok(user(&users.get_or_create(new).await?.value));
        }
        Ok(user(&users.create(new).await?))
    }

    fn new_user(&self, value: &Value) -> Result<NewUser> {
        let object = value
            .as_object()
            .ok_or_else(|| Error::invalid("user", "expected an object"))?;
        let mut new = NewUser::default();
        for (field, value) in object {
            let text = || {
                let text = value.as_str().map(ToOwned::to_owned);
                text.ok_or_else(|| Error::invalid(field, "expected a string"))
            };
            match field.as_str() {
                "id" => new.id = text()?,
                "name" if value.is_null() => {}
                "name" => new.name = Some(text()?.chars().take(200).collect()),
                "platform" => {
                    let (given, own) = (text()?, &self.context.integration);
                    if given != own.platform && given != own.alias {
                        let expected = format!("expected {:?} or {:?}", own.platform, own.alias);
                        return Err(Error::invalid(field, expected));
                    }
                }
                _ => {
                    let expected = "unknown field; expected only id, name and platform";
                    return Err(Error::invalid(field, expected));
                }
            }
        }
        Ok(new)
    }
}

fn external_id(argument: &Value) -> Result<String> {
    let text = argument.as_str().map(ToOwned::to_owned);
    text.ok_or_else(|| Error::invalid("id", "expected the external id, a string"))
}

/// The platform's names for what a script may want to tell apart.
fn kind(error: &Error) -> &'static str {
    match error {
        Error::ConversationExists { .. } | Error::AlreadyExists { .. } => "AlreadyExists",
        Error::NotFound { .. } => "ResourceNotFound",
        Error::ReferenceNotFound { .. } => "ReferenceNotFound",
        Error::Forbidden { .. } => "Forbidden",
        Error::InvalidPayload { .. } | Error::PayloadTooLarge { .. } => "InvalidPayload",
        _ => "Unavailable",
    }
}

fn conversation(found: &Conversation) -> Value {
    json!({
        "id": found.id,
        "createdAt": found.created_at,
        "updatedAt": found.updated_at,
        "channel": found.channel,
        "integration": found.alias,
        "tags": found.tags,
    })
}

fn user(found: &User) -> Value {
    let mut shown = json!({
        "id": found.id,
        "createdAt": found.created_at,
        "updatedAt": found.updated_at,
        "tags": found.tags,
    });
    if let Some(name) = &found.name {
        shown["name"] = name.as_str().into();
    }
    shown
}
