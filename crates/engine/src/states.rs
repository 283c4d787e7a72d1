//! Operations on states. A bot and each of its integrations have name spaces of their own.

use std::time::Duration;

use switchboard_model::ids::Ulid;
use switchboard_model::{
    BotId, ConversationId, Error, IntegrationId, Json, Kind, Result, StateKind, UserId, WorkflowId,
};
use switchboard_store::{SetState, StateKey, StateOwner};

use crate::wire::{self, WireState};
use crate::{Caller, Engine, check};

/// How a caller names a state.
#[derive(Debug, Clone)]
pub struct StateAddress {
    /// What it belongs to.
    pub kind: StateKind,
    /// The id of that, as given.
    pub id: String,
    /// Its name.
    pub name: String,
}

impl Engine {
    /// The state.
    pub async fn get_state(&self, caller: &Caller, address: &StateAddress) -> Result<WireState> {
        let key = self.state_key(caller, address).await?;
        self.store()
            .get_state(key, self.env().now())
            .await?
            .map(WireState::new)
            .ok_or_else(|| no_state(address))
    }

    /// Writes the state whole, its expiry too.
    pub async fn set_state(
        &self,
        caller: &Caller,
        address: &StateAddress,
        payload: Json,
        expiry: Option<Duration>,
    ) -> Result<WireState> {
        let command = self.write(caller, address, payload, expiry).await?;
        self.store().set_state(command).await.map(WireState::new)
    }

    /// The state, or, if there is none, this one written.
    pub async fn get_or_set_state(
        &self,
        caller: &Caller,
        address: &StateAddress,
        payload: Json,
        expiry: Option<Duration>,
    ) -> Result<WireState> {
        let command = self.write(caller, address, payload, expiry).await?;
        let found = self.store().get_or_set_state(command).await?;
        Ok(WireState::new(found.value))
    }

    /// Merges the top-level keys of `patch`.
    pub async fn patch_state(
        &self,
        caller: &Caller,
        address: &StateAddress,
        patch: Json,
    ) -> Result<WireState> {
        check::payload(&patch)?;
        let key = self.state_key(caller, address).await?;
        self.store()
            .patch_state(key, patch, self.env().now())
            .await?
            .map(WireState::new)
            .ok_or_else(|| no_state(address))
    }

    /// Sets how long it lives from now; for ever without.
    pub async fn set_state_expiry(
        &self,
        caller: &Caller,
        address: &StateAddress,
        expiry: Option<Duration>,
    ) -> Result<WireState> {
        let key = self.state_key(caller, address).await?;
        self.store()
            .set_state_expiry(key, expiry, self.env().now())
            .await?
            .map(WireState::new)
            .ok_or_else(|| no_state(address))
    }

    /// Removes the state; how it was, if there was one.
    pub async fn delete_state(
        &self,
        caller: &Caller,
        address: &StateAddress,
    ) -> Result<Option<WireState>> {
        let key = self.state_key(caller, address).await?;
        let state = self.store().delete_state(key, self.env().now()).await?;
        Ok(state.map(WireState::new))
    }

    async fn write(
        &self,
        caller: &Caller,
        address: &StateAddress,
        payload: Json,
        expiry: Option<Duration>,
    ) -> Result<SetState> {
        check::payload(&payload)?;
        Ok(SetState {
            id: self.new_state_id(),
            key: self.state_key(caller, address).await?,
            payload,
            expiry,
            now: self.env().now(),
        })
    }

    /// What the store finds it by, if the caller may see what it belongs to.
    async fn state_key(&self, caller: &Caller, address: &StateAddress) -> Result<StateKey> {
        check::name("name", &address.name)?;
        let subject = self
            .subject(caller, address)
            .await?
            .ok_or_else(|| Error::not_found(subject_kind(address.kind), &address.id))?;
        Ok(StateKey {
            bot: caller.bot,
            owner: caller
                .integration_id()
                .map_or(StateOwner::Bot, StateOwner::Integration),
            kind: address.kind,
            subject,
            name: address.name.clone(),
        })
    }

    async fn subject(&self, caller: &Caller, address: &StateAddress) -> Result<Option<Ulid>> {
        let id = address.id.as_str();
        Ok(match address.kind {
            StateKind::Conversation => match id.parse::<ConversationId>() {
                Ok(id) if self.sees_conversation(caller, id).await? => Some(id.ulid()),
                _ => None,
            },
            StateKind::User => match wire::parse_user_id(id) {
                Some(id) if self.sees_user(caller, id).await? => Some(UserId::ulid(id)),
                _ => None,
            },
            StateKind::Bot => id
                .parse::<BotId>()
                .ok()
                .filter(|id| *id == caller.bot)
                .map(BotId::ulid),
            StateKind::Integration => id
                .parse::<IntegrationId>()
                .ok()
                .filter(|id| caller.integration_id() == Some(*id))
                .map(IntegrationId::ulid),
            StateKind::Workflow => id
                .parse::<WorkflowId>()
                .ok()
                .filter(|_| caller.integration.is_none())
                .map(WorkflowId::ulid),
        })
    }
}

fn no_state(address: &StateAddress) -> Error {
    Error::not_found(Kind::State, format!("{} of {}", address.name, address.id))
}

fn subject_kind(kind: StateKind) -> Kind {
    match kind {
        StateKind::Conversation => Kind::Conversation,
        StateKind::User => Kind::User,
        StateKind::Bot => Kind::Bot,
        StateKind::Integration => Kind::Integration,
        StateKind::Workflow => Kind::Workflow,
    }
}
