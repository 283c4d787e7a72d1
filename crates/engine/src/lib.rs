//! What the store's commands mean to integrations and bots.
//!
//! This room promises that each side sees its own view (an integration its bare tag `id`, a bot
//! the same tag as `telegram:id`), that external ids become identities in one way only, and that
//! every input is checked before the store is asked. One function is one command of the store.
//!
//! What never happens here: HTTP, SQL, waiting for bots or channels.

pub mod access;
pub mod actions;
pub mod caller;
mod chats;
mod check;
pub mod conversations;
pub mod events;
mod explain;
pub mod health;
pub mod inbound;
pub mod incoming;
pub mod keys;
pub mod messages;
pub mod platform;
mod reset;
mod rotate;
pub mod schedule;
pub mod states;
pub mod tag_values;
mod unmapped;
pub mod users;
pub mod vault;
pub mod view;
mod visible;
pub mod wire;
pub mod workflows;

use std::sync::Arc;

use switchboard_model::{
    BotId, ConversationId, DeliveryId, Environment, EventId, IntegrationId, MessageId, StateId,
    TokenId, UserId, WorkflowId,
};
use switchboard_store::Store;

pub use actions::ActionTarget;
pub use caller::{Caller, Credentials};
pub use chats::{ExternalChat, ExternalMember, ExternalMessage, ExternalNews};
pub use explain::Explanation;
pub use health::{Condition, Health};
pub use inbound::{
    ExternalThread, ExternalUser, IncomingEdit, IncomingEvent, IncomingMessage, UnplacedUpdate,
    Update, UpdateContent,
};
pub use platform::Definition;
pub use rotate::{LONGEST_OVERLAP, Rotated};
pub use schedule::Schedule;
pub use vault::Vault;
pub use view::View;

/// The store and what its commands need: ids, time, secrets. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Parts>);

#[derive(Clone)]
struct Parts {
    store: Arc<dyn Store>,
    env: Environment,
    vault: Vault,
    health: Health,
    definitions: Box<[Definition]>,
}

macro_rules! new_ids {
    ($($(#[$doc:meta])* $name:ident: $id:ty;)*) => {
        impl Engine {$(
            $(#[$doc])*
            pub fn $name(&self) -> $id { <$id>::new(self.0.env.ulid()) }
        )*}
    };
}

new_ids! {
    /// A new bot id.
    new_bot_id: BotId;
    /// A new integration id.
    new_integration_id: IntegrationId;
    /// A new conversation id.
    new_conversation_id: ConversationId;
    /// A new user id.
    new_user_id: UserId;
    /// A new message id.
    new_message_id: MessageId;
    /// A new event id.
    new_event_id: EventId;
    /// A new state id.
    new_state_id: StateId;
    /// A new workflow id.
    new_workflow_id: WorkflowId;
    /// A new delivery id.
    new_delivery_id: DeliveryId;
    /// A new token record's id.
    new_token_id: TokenId;
}

impl Engine {
    /// Over a store.
    pub fn new(store: Arc<dyn Store>, env: Environment, vault: Vault) -> Self {
        Self(Arc::new(Parts {
            store,
            env,
            vault,
            health: Health::default(),
            definitions: Box::default(),
        }))
    }

    /// Knowing these platforms, so that a bot need not say which integration a channel is of.
    #[must_use]
    pub fn with_definitions(self, definitions: impl IntoIterator<Item = Definition>) -> Self {
        let mut parts = Arc::unwrap_or_clone(self.0);
        parts.definitions = definitions.into_iter().collect();
        Self(Arc::new(parts))
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// Time, randomness and ids.
    pub fn env(&self) -> &Environment {
        &self.0.env
    }

    /// Where secrets are sealed and opened.
    pub fn vault(&self) -> &Vault {
        &self.0.vault
    }

    /// How the channels are.
    pub fn health(&self) -> &Health {
        &self.0.health
    }
}
