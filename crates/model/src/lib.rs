//! What exists in Switchboard: ids, bots, integrations, conversations, users, messages, events,
//! states, workflows, deliveries, tags and errors.
//!
//! This room promises plain values that cannot be built wrong. It does no I/O, knows no
//! database and no HTTP, and is never async. Time and randomness come in as values
//! ([`Clock`], [`Random`]).

pub mod bot;
pub mod clock;
pub mod conversation;
pub mod delivery;
pub mod error;
pub mod event;
pub mod ids;
pub mod integration;
pub mod json;
pub mod message;
pub mod near;
pub mod state;
pub mod tags;
pub mod testing;
pub mod time;
pub mod token;
pub mod user;
pub mod workflow;

pub use bot::Bot;
pub use clock::{Clock, Environment, Random};
pub use conversation::Conversation;
pub use delivery::{DeliveryReport, DeliveryStatus};
pub use error::{Error, Kind, Result};
pub use event::{Event, EventPayload, EventStatus};
pub use ids::{
    BotId, ConversationId, DeliveryId, EventId, IntegrationId, MessageId, StateId, TokenId, UserId,
    WorkflowId,
};
pub use integration::Integration;
pub use json::Json;
pub use message::{Direction, Message};
pub use state::{State, StateKind};
pub use tags::{TagPatch, Tags};
pub use time::Timestamp;
pub use token::Token;
pub use user::User;
pub use workflow::{StatusGroup, Workflow, WorkflowNews, WorkflowStatus, WorkflowUpdate};
