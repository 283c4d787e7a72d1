//! States.

use std::time::Duration;

use async_trait::async_trait;
use switchboard_model::ids::Ulid;
use switchboard_model::{BotId, IntegrationId, Json, Result, State, StateId, StateKind, Timestamp};

use crate::Found;

/// Whose name space a state's name is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StateOwner {
    /// The bot's.
    Bot,
    /// An integration's.
    Integration(IntegrationId),
}

/// What a state is found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StateKey {
    /// The bot.
    pub bot: BotId,
    /// Whose name space.
    pub owner: StateOwner,
    /// What it belongs to.
    pub kind: StateKind,
    /// The ULID of the conversation, user, bot, integration or workflow.
    pub subject: Ulid,
    /// Its name.
    pub name: String,
}

/// Writes a state.
#[derive(Debug, Clone)]
pub struct SetState {
    /// The id, should it be new.
    pub id: StateId,
    /// What it is found by.
    pub key: StateKey,
    /// Its content.
    pub payload: Json,
    /// How long it lives from now, unless it is written again before. For ever without.
    pub expiry: Option<Duration>,
    /// When.
    pub now: Timestamp,
}

/// Keeps states. Each write that finds the subject (conversation, user, bot,
/// integration or workflow)
/// missing is `NotFound`. A state whose time is over is absent, whether or not a sweep has passed.
/// Writing renews the time; reading does not.
///
/// When the time of a state of the bot's own names ([`StateOwner::Bot`]) is over, the bot is told by
/// one event (`state_expired`) that carries `{"state": …}` as the API writes it and belongs to the
/// state's conversation or user. It is stored with the removal of the state: by a sweep, or by the
/// write that takes its place. Event and delivery have the state's ULID. A state that goes with its
/// deleted conversation or user is not told of.
#[async_trait]
pub trait StateStore {
    /// The state.
    async fn get_state(&self, key: StateKey, now: Timestamp) -> Result<Option<State>>;

    /// Writes it whole; the expiry is replaced too.
    async fn set_state(&self, command: SetState) -> Result<State>;

    /// The state, or, if there is none, this one written. Atomic.
    async fn get_or_set_state(&self, command: SetState) -> Result<Found<State>>;

    /// Merges the top-level keys of `patch`; a key with `null` is removed. Keys and numbers keep
    /// their spelling.
    async fn patch_state(
        &self,
        key: StateKey,
        patch: Json,
        now: Timestamp,
    ) -> Result<Option<State>>;

    /// Sets how long it lives from now.
    async fn set_state_expiry(
        &self,
        key: StateKey,
        expiry: Option<Duration>,
        now: Timestamp,
    ) -> Result<Option<State>>;

    /// Removes it, and gives it as it was.
    async fn delete_state(&self, key: StateKey, now: Timestamp) -> Result<Option<State>>;
}
