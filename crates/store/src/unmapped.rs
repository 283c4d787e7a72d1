//! Updates whose conversation no script could tell: kept as events, and taken once one can.

use async_trait::async_trait;
use switchboard_model::{BotId, EventId, IntegrationId, Json, Result, Timestamp};

use crate::{Inbound, Ingested};

/// An update to keep: an event that holds it, and that waits.
#[derive(Debug, Clone)]
pub struct UnmappedUpdate {
    /// The event's type as a bot sees it.
    pub kind: String,
    /// Its payload.
    pub payload: Json,
    /// The external thread, if the update names one: what waits there is taken in order.
    pub thread: Option<String>,
}

/// An update that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmapped {
    /// The event that holds it.
    pub event: EventId,
    /// Its external thread.
    pub thread: Option<String>,
    /// When it came.
    pub created_at: Timestamp,
}

/// Takes an update that waits.
#[derive(Debug, Clone)]
pub struct Remap {
    /// The bot.
    pub bot: BotId,
    /// The integration it came through.
    pub integration: IntegrationId,
    /// The event that holds it.
    pub event: EventId,
    /// What it brings, now that its conversation is known. Its `once` does not count: what the
    /// update was kept under goes over to this.
    pub item: Inbound,
    /// Also before what came earlier in its thread and waits still.
    pub out_of_turn: bool,
    /// When.
    pub now: Timestamp,
}

/// The outcome of [`UnmappedStore::remap`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remapped {
    /// It was taken by this call, and waits no more. Of any number of calls one is told so.
    Taken(Ingested),
    /// This one came before it in its thread, and waits. Nothing was written.
    Behind(EventId),
    /// No such update waits (any more). Nothing was written.
    Missing,
}

/// Keeps what waits for a script to be mended.
#[async_trait]
pub trait UnmappedStore {
    /// What waits, first come first, behind `after`.
    async fn list_unmapped(
        &self,
        bot: BotId,
        integration: IntegrationId,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<Unmapped>>;

    /// How many wait.
    async fn count_unmapped(&self, bot: BotId, integration: IntegrationId) -> Result<u64>;

    /// Takes an update that waits, as [`IngestStore::ingest`](crate::IngestStore::ingest) would
    /// have. The event that held it stays, and tells the message that it became.
    async fn remap(&self, command: Remap) -> Result<Remapped>;
}
