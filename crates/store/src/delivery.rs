//! The outbox: what waits to be delivered to bots and channels.
//!
//! A *lane's line* is (destination, conversation). Only the head of a line can be claimed, so first
//! deliveries keep the order in which they were enqueued; what has no conversation has no order. A
//! claim is a lease with an epoch, and each result is written only if the epoch is still current.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use switchboard_model::{
    BotId, Conversation, ConversationId, DeliveryId, Event, EventId, IntegrationId, Json, Message,
    MessageId, Result, TagPatch, Timestamp, User,
};

use crate::{Page, PageRequest, SetState};

/// Where deliveries go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// To all bots.
    Bots,
    /// To one channel account.
    Channel(IntegrationId),
}

/// Takes deliveries to work on.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// From this lane.
    pub lane: Lane,
    /// At most so many.
    pub limit: usize,
    /// Of these, at most so many that were tried before (a replay begins anew).
    pub again: usize,
    /// For so long; a delivery not finished by then is lost.
    pub lease: Duration,
    /// What becomes of messages to a channel that were lost.
    pub lost: LostSends,
    /// When.
    pub now: Timestamp,
}

/// What becomes of a message that was on its way to a channel when its holder was lost, or did not
/// finish it within its lease: it may have been sent. Events to bots are tried again in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostSends {
    /// It is tried again.
    Retry,
    /// It is uncertain, and the next of its line follows.
    Uncertain,
}

/// What was claimed.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The deliveries, at most one of each line.
    pub deliveries: Vec<ClaimedDelivery>,
    /// When the next one of this lane that was not claimed is due (not later than now: at once, though
    /// that claim may find that all of it waits behind others). Those that were tried before count only
    /// if `Claim::again` left room for one.
    pub next_due: Option<Timestamp>,
}

/// A delivery under lease.
#[derive(Debug, Clone)]
pub struct ClaimedDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// The number of this claim.
    pub epoch: i64,
    /// The number of this try, from 1.
    pub attempt: u32,
    /// Whether it was tried before, also if that did not count.
    pub again: bool,
    /// Since when it blocks its line by trying; waits that the other side asked for are left out.
    pub trying_since: Timestamp,
    /// The bot it belongs to.
    pub bot: BotId,
    /// What to deliver.
    pub subject: Subject,
    /// The parts that have already left. Of a change of a message: all that are in the channel, as
    /// far as it is known, and what was noted of them since; the last note of a part counts.
    pub progress: Vec<SentPart>,
}

/// What to deliver.
#[derive(Debug, Clone)]
pub enum Subject {
    /// An event, to the bot.
    Event(Box<Event>),
    /// A message, to the channel.
    Message(Box<OutgoingMessage>),
    /// A message that was sent and says something else now.
    Edit(Box<OutgoingMessage>),
    /// A message that was sent and is deleted.
    Delete(Box<OutgoingDeletion>),
    /// The subject was deleted meanwhile: finish it as dead.
    Gone,
}

/// A message on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// The message.
    pub message: Message,
    /// Its author.
    pub user: User,
    /// Its conversation, whose tags say where to send it.
    pub conversation: Conversation,
}

/// The deletion of a message that was sent. Nothing is left of what the message said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingDeletion {
    /// The message.
    pub message: MessageId,
    /// Its conversation, whose tags say where it was sent.
    pub conversation: Conversation,
}

/// A part of a message that the channel has taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentPart {
    /// Its number, from 0.
    pub part: u32,
    /// The id the channel gave it.
    pub external_id: String,
    /// What the channel notes of it for later changes; the store does not read it.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub detail: serde_json::Value,
}

impl SentPart {
    /// A part of which nothing is noted.
    pub fn new(part: u32, external_id: impl Into<String>) -> Self {
        Self {
            part,
            external_id: external_id.into(),
            detail: serde_json::Value::Null,
        }
    }
}

/// Writes the result of a try.
#[derive(Debug, Clone)]
pub struct Finish {
    /// The delivery.
    pub id: DeliveryId,
    /// The claim.
    pub epoch: i64,
    /// The result.
    pub outcome: Outcome,
    /// When.
    pub now: Timestamp,
}

/// The result of a try.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It was taken.
    Delivered {
        /// Messages that the bot gave in its answer: stored and enqueued with the completion.
        replies: Vec<Reply>,
        /// Tags to merge into the message that was sent (the channel's ids).
        tags: TagPatch,
        /// What the bot changed of the event's conversation, written with the completion.
        change: Option<Box<ConversationChange>>,
    },
    /// Try again.
    Retry {
        /// After so long.
        after: Duration,
        /// Why.
        error: String,
        /// Whether it may have been taken all the same. The store counts those.
        uncertain: bool,
        /// Whether the try counts: a wait that the other side asked for uses up no attempt and
        /// no patience.
        counts: bool,
    },
    /// Give it up; it is kept, visible and replayable.
    Dead {
        /// Why.
        error: String,
    },
    /// It may have been taken, and is not to be tried again by itself.
    Uncertain {
        /// What happened.
        error: String,
    },
    /// A change of a message that has nowhere to go: nothing is kept of the delivery.
    Dropped,
}

/// What a bot's answer changes beside saying something.
#[derive(Debug, Clone)]
pub struct ConversationChange {
    /// A state to write.
    pub state: Option<SetState>,
    /// Tags to merge into the conversation; too many are refused.
    pub tags: TagPatch,
}

/// A message that a bot gave in its answer to an event.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The message's id.
    pub message: MessageId,
    /// The id of its delivery.
    pub delivery: DeliveryId,
    /// Its type.
    pub kind: String,
    /// Its content.
    pub payload: Json,
}

/// A delivery as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRecord {
    /// Its id.
    pub id: DeliveryId,
    /// What it does.
    #[serde(default)]
    pub action: DeliveryAction,
    /// The event it delivers.
    pub event: Option<EventId>,
    /// The message it delivers.
    pub message: Option<MessageId>,
    /// The conversation.
    pub conversation: Option<ConversationId>,
    /// How far it is.
    pub status: DeliveryRecordStatus,
    /// How often it was tried.
    pub attempts: u32,
    /// The last error.
    pub error: Option<String>,
    /// How many of the tries may have been taken without our knowing.
    pub uncertain: u32,
    /// When it was enqueued.
    pub created_at: Timestamp,
}

/// What a delivery does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryAction {
    /// It brings the event or the message.
    #[default]
    Send,
    /// It changes a message that was sent.
    Edit,
    /// It deletes a message that was sent.
    Delete,
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryRecordStatus {
    /// It waits: for its turn, its time or a worker.
    Pending,
    /// A worker has it.
    InFlight,
    /// It was taken.
    Delivered,
    /// It may have been taken.
    Uncertain,
    /// It was given up.
    Dead,
    /// It was dead or uncertain, and a person has seen to it: nobody is asked to look any more. Its
    /// message or event is as it was.
    Dismissed,
}

impl DeliveryRecordStatus {
    /// Whether nobody tries it any more, though it did not surely arrive.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Dead | Self::Uncertain | Self::Dismissed)
    }
}

/// Keeps the outbox.
#[async_trait]
pub trait DeliveryStore {
    /// Claims heads of lines that are due, longest due first. What was lost meanwhile is freed or
    /// settled first.
    async fn claim(&self, claim: Claim) -> Result<Claimed>;

    /// Writes the result of a try. `false` if the claim is no longer current: nothing was written.
    async fn finish(&self, finish: Finish) -> Result<bool>;

    /// Remembers a part that has left, before the next one is sent. `false` as for `finish`.
    async fn record_part(&self, id: DeliveryId, epoch: i64, part: SentPart) -> Result<bool>;

    /// Everything that is in flight was lost: called at the start of the only process that can hold
    /// leases. Tells how many there were.
    async fn release_in_flight(&self, now: Timestamp, lost: LostSends) -> Result<usize>;

    /// Lists a bot's deliveries, newest first.
    async fn list_deliveries(
        &self,
        bot: BotId,
        status: Option<DeliveryRecordStatus>,
        conversation: Option<ConversationId>,
        page: PageRequest,
    ) -> Result<Page<DeliveryRecord>>;

    /// Enqueues a dead or uncertain delivery again at the end of its line, with its progress, also one
    /// that was dismissed; the event or message keeps its id. `None` if there is no such delivery; any
    /// other is `InvalidPayload`.
    async fn replay_delivery(
        &self,
        bot: BotId,
        id: DeliveryId,
        now: Timestamp,
    ) -> Result<Option<DeliveryRecord>>;

    /// Puts a dead or uncertain delivery aside for good, as [`DeliveryRecordStatus::Dismissed`]. One
    /// that was dismissed stays so. `None` if there is no such delivery; any other is
    /// `InvalidPayload`.
    async fn dismiss_delivery(&self, bot: BotId, id: DeliveryId) -> Result<Option<DeliveryRecord>>;

    /// The deliveries of a message, oldest first: to its channel if it goes out (also of its changes;
    /// of those that are over the last), of the event that announces it if it came in.
    async fn message_deliveries(
        &self,
        bot: BotId,
        message: MessageId,
    ) -> Result<Vec<DeliveryRecord>>;

    /// As [`replay_delivery`](Self::replay_delivery), of the message's last delivery. `None` if there
    /// is no such message; one without a delivery that is dead or uncertain is `InvalidPayload`.
    async fn replay_message(
        &self,
        bot: BotId,
        message: MessageId,
        now: Timestamp,
    ) -> Result<Option<DeliveryRecord>>;

    /// Whether anything of a conversation waits or is in flight, to its bot or its channel.
    async fn is_busy(&self, bot: BotId, conversation: ConversationId) -> Result<bool>;
}
