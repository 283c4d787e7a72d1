//! What the two kinds of destination have in common.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use switchboard_integration::{Lease, Room};
use switchboard_model::{TagPatch, Timestamp};
use switchboard_store::{ClaimedDelivery, ConversationChange, Reply};

/// Brings deliveries to their destination.
#[async_trait]
pub(crate) trait Carrier: Send + Sync + 'static {
    /// Tries once.
    async fn carry(&self, delivery: &ClaimedDelivery, lease: Lease) -> Tried;

    /// Whether a try that was broken off (by a panic, the time limit or a stop) may have been taken,
    /// and would show up twice if it were made again.
    fn may_take_what_is_broken_off(&self, delivery: &ClaimedDelivery) -> bool;

    /// How many may be under way now.
    fn admission(&self) -> Admission {
        Admission::UpTo(usize::MAX)
    }

    /// How many more may be begun now.
    fn room(&self) -> Room {
        Room::Free
    }

    /// Before this, nothing counts as having been tried.
    fn tries_count_from(&self) -> Timestamp {
        Timestamp::default()
    }
}

/// How a try ended.
pub(crate) enum Tried {
    /// It was taken.
    Done {
        replies: Vec<Reply>,
        tags: TagPatch,
        change: Option<Box<ConversationChange>>,
    },
    /// The other side asks to wait.
    Wait { after: Duration, error: String },
    /// It was not taken, and may be later.
    Retry { error: String },
    /// It will never be taken.
    Permanent { error: String },
    /// It may have been taken.
    Uncertain { error: String },
    /// It may have been taken, and another try tells nothing.
    Unknown { error: String },
    /// The channel knows no such change.
    Unable,
    /// Nothing can be sent there now, through no fault of this delivery.
    Released { error: String },
}

/// How many deliveries may be under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// So many.
    UpTo(usize),
    /// No new one before then.
    NotBefore(Instant),
}
