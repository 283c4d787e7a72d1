//! What can go wrong, in words that tell a person what to do next. `api/` turns each variant into
//! one status and type; nothing else does.

use std::fmt;

use crate::{ConversationId, json::InvalidJson, tags::InvalidTag};

/// The result of an operation on the model.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A kind of object, for error texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A bot.
    Bot,
    /// An integration.
    Integration,
    /// A conversation.
    Conversation,
    /// A user.
    User,
    /// A participant of a conversation.
    Participant,
    /// A message.
    Message,
    /// An event.
    Event,
    /// A state.
    State,
    /// A workflow.
    Workflow,
    /// A delivery.
    Delivery,
    /// An access token.
    Token,
}

impl Kind {
    /// What to do when one is not found.
    const fn advice(self) -> &'static str {
        match self {
            Self::Bot => "`switchboard bots list` shows those there are",
            _ => "check the id and that it belongs to this bot",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bot => "bot",
            Self::Integration => "integration",
            Self::Conversation => "conversation",
            Self::User => "user",
            Self::Participant => "participant",
            Self::Message => "message",
            Self::Event => "event",
            Self::State => "state",
            Self::Workflow => "workflow",
            Self::Delivery => "delivery",
            Self::Token => "token",
        })
    }
}

/// Why an operation was not done. Nothing was written, but for [`Error::OutcomeUnknown`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A field of a body or command is not as it must be.
    #[error("{field}: {expected}")]
    InvalidPayload {
        /// The field's path, as in `tags.id`.
        field: String,
        /// What was expected.
        expected: String,
    },
    /// A query parameter is not as it must be.
    #[error("query parameter {parameter}: {expected}")]
    InvalidQuery {
        /// The parameter's name.
        parameter: String,
        /// What was expected.
        expected: String,
    },
    /// The object addressed does not exist, or belongs to someone else.
    #[error("{kind} {id} not found; {}", kind.advice())]
    NotFound {
        /// What was looked for.
        kind: Kind,
        /// Its id as given.
        id: String,
    },
    /// An object named in a body does not exist, or belongs to someone else.
    #[error("{field}: {kind} {id} not found; create it first")]
    ReferenceNotFound {
        /// The field that names it.
        field: String,
        /// What was looked for.
        kind: Kind,
        /// Its id as given.
        id: String,
    },
    /// A conversation with this external id exists.
    #[error(
        "a conversation with the id {external_id:?} exists: {existing}; use it, or get-or-create"
    )]
    ConversationExists {
        /// The external id.
        external_id: String,
        /// The one that has it.
        existing: ConversationId,
    },
    /// Something that must be unique exists.
    #[error("{field}: {reason}")]
    AlreadyExists {
        /// The field that must be unique.
        field: String,
        /// What it collides with, and what to do.
        reason: String,
    },
    /// An action was called and failed.
    #[error("{message}")]
    ActionFailed {
        /// What it says, in its own words.
        message: String,
    },
    /// An action was called and has not answered in time; what it began may still be done.
    #[error(
        "the action {action} has not answered in time; look whether it was done before calling it again"
    )]
    ActionTimedOut {
        /// Its name, as called.
        action: String,
    },
    /// The caller's token is missing, unknown or revoked.
    #[error("{reason}")]
    Unauthorized {
        /// What is missing.
        reason: String,
    },
    /// The caller is known but may not do this.
    #[error("{reason}")]
    Forbidden {
        /// What it may not do.
        reason: String,
    },
    /// A body or payload is over its limit.
    #[error("{what} is over the limit of {limit} bytes; send less")]
    PayloadTooLarge {
        /// What is too large.
        what: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// More work is waiting than the server takes on; nothing was done.
    #[error("the server is busy; try again shortly")]
    Busy,
    /// The store cannot write now (for example: disk full); nothing was done.
    #[error("the store cannot take this now: {reason}")]
    Unavailable {
        /// What is wrong with it.
        reason: String,
    },
    /// The commit may or may not have happened; the server stops to find out.
    #[error("the outcome of the write is unknown; the server restarts to find out, then try again")]
    OutcomeUnknown,
    /// A defect or damage. The text is for the log, not for callers.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// A field of a body is not as it must be.
    pub fn invalid(field: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::InvalidPayload {
            field: field.into(),
            expected: expected.into(),
        }
    }

    /// The object addressed does not exist.
    pub fn not_found(kind: Kind, id: impl fmt::Display) -> Self {
        Self::NotFound {
            kind,
            id: id.to_string(),
        }
    }

    /// An object named in a body does not exist.
    pub fn reference(field: impl Into<String>, kind: Kind, id: impl fmt::Display) -> Self {
        Self::ReferenceNotFound {
            field: field.into(),
            kind,
            id: id.to_string(),
        }
    }

    /// A defect or damage.
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self::Internal(cause.to_string())
    }

    /// A tag below `field` cannot be kept.
    pub fn tag(field: &str, tag: &InvalidTag) -> Self {
        let path = match &tag {
            InvalidTag::Name { name } | InvalidTag::Value { name } => format!("{field}.{name}"),
            InvalidTag::Count => field.to_owned(),
        };
        Self::invalid(path, tag.to_string())
    }
}

impl From<InvalidJson> for Error {
    fn from(error: InvalidJson) -> Self {
        Self::invalid("payload", error.to_string())
    }
}
