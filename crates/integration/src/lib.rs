//! How a channel plugs in: the [`Integration`] trait, its [`Context`], and what only some channels
//! can do ([`Outbound`], [`Webhook`], [`Files`], [`Actions`], [`Explain`], [`Replay`]). All that a
//! third party's channel depends on.
//!
//! The vocabulary is the platform's: an integration maps each external thread to a conversation
//! with `get_or_create_conversation(ctx, external_id)` and `create_conversation(ctx, external_id)`
//! over `ctx.bp.conversations()`, and handles users the same way.
//!
//! What never happens here: looking up and then creating without the store's word on it. Also an
//! integration that is written so cannot make two conversations of one thread: see
//! [`Conversations`].

pub mod actions;
mod bp;
mod context;
mod explain;
pub mod files;
mod mapping;
pub mod outbound;
mod replay;
pub mod webhook;

pub use actions::{ActionCall, ActionFailure, Actions};
pub use bp::{Bp, BpConversations, BpUsers, NewConversation, NewUser};
pub use context::Context;
pub use explain::Explain;
pub use files::{FileAnswer, FileFailure, FileRequest, Files};
pub use mapping::{Conversations, DefaultMapping, Integration, Users};
pub use outbound::{Deletion, Lease, Outbound, Outgoing, Parts, Room, SendOutcome};
pub use replay::{Replay, Replayed};
pub use switchboard_engine::Definition;
pub use webhook::{Webhook, WebhookAnswer, WebhookRequest};
