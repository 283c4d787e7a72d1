//! What this store does not serve yet: it is refused where it is asked for, and says so.

use async_trait::async_trait;
use switchboard_model::{
    BotId, Error, EventId, IntegrationId, Message, Result, Timestamp, Workflow, WorkflowId,
};
use switchboard_store::{
    Found, GetOrCreateWorkflow, ImportMessages, IncomingStore, InitializeIncoming, Initialized,
    NewWorkflow, Page, PageRequest, Remap, Remapped, TagValueFilter, TagValuePage, TagValueStore,
    TagValues, Unmapped, UnmappedStore, WorkflowFilter, WorkflowStore, WorkflowUpdate,
};

use crate::PostgresStore;

/// What this store does not serve yet. A server must refuse to start on it while this holds
/// anything.
pub const MISSING: &[&str] = &[
    "workflows",
    "states of workflows",
    "events that concern a workflow",
    "merging two conversations",
    "threads that move",
    "edits of messages",
    "edits and deletions of sent messages in their channel",
    "messages with all that they belong to in one",
    "imported messages",
    "scheduled messages",
    "scheduled events",
    "scripts of integrations",
    "what is told of chats as a whole",
    "values of tags",
];

/// The refusal of one of [`MISSING`].
pub(crate) fn not_served(what: &str) -> Error {
    Error::Unavailable {
        reason: format!("PostgreSQL does not serve {what} in this version; use SQLite"),
    }
}

#[async_trait]
impl IncomingStore for PostgresStore {
    async fn initialize_incoming(&self, _: InitializeIncoming) -> Result<Initialized> {
        Err(not_served("messages with all that they belong to in one"))
    }

    async fn import_messages(&self, _: ImportMessages) -> Result<Vec<Found<Message>>> {
        Err(not_served("imported messages"))
    }
}

#[async_trait]
impl UnmappedStore for PostgresStore {
    async fn list_unmapped(
        &self,
        _: BotId,
        _: IntegrationId,
        _: Option<EventId>,
        _: usize,
    ) -> Result<Vec<Unmapped>> {
        Err(not_served("scripts of integrations"))
    }

    async fn count_unmapped(&self, _: BotId, _: IntegrationId) -> Result<u64> {
        Err(not_served("scripts of integrations"))
    }

    async fn remap(&self, _: Remap) -> Result<Remapped> {
        Err(not_served("scripts of integrations"))
    }
}

#[async_trait]
impl WorkflowStore for PostgresStore {
    async fn create_workflow(&self, _: NewWorkflow) -> Result<Workflow> {
        Err(not_served("workflows"))
    }

    async fn get_or_create_workflow(&self, _: GetOrCreateWorkflow) -> Result<Found<Workflow>> {
        Err(not_served("workflows"))
    }

    async fn get_workflow(&self, _: BotId, _: WorkflowId) -> Result<Option<Workflow>> {
        Err(not_served("workflows"))
    }

    async fn list_workflows(
        &self,
        _: BotId,
        _: WorkflowFilter,
        _: PageRequest,
    ) -> Result<Page<Workflow>> {
        Err(not_served("workflows"))
    }

    async fn update_workflow(
        &self,
        _: BotId,
        _: WorkflowId,
        _: WorkflowUpdate,
        _: Timestamp,
    ) -> Result<Option<Workflow>> {
        Err(not_served("workflows"))
    }

    async fn delete_workflow(&self, _: BotId, _: WorkflowId, _: Timestamp) -> Result<bool> {
        Err(not_served("workflows"))
    }
}

#[async_trait]
impl TagValueStore for PostgresStore {
    async fn list_tag_values(
        &self,
        _: BotId,
        _: TagValueFilter,
        _: TagValuePage,
    ) -> Result<TagValues> {
        Err(not_served("values of tags"))
    }

    async fn gather_tag_values(&self) -> Result<usize> {
        Ok(0)
    }
}
