//! Deliveries: how far the outbox has got with something.

use serde::{Deserialize, Serialize};

/// How far an outgoing message has got. It never goes back from `sent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    /// It waits for the time that it was scheduled for.
    Scheduled,
    /// It waits its turn, or for the next try.
    Queued,
    /// The channel has taken it.
    Sent,
    /// It was given up; it is kept and can be replayed.
    Failed,
    /// The channel may have taken it: the connection broke before the answer.
    Uncertain,
}

/// How far an outgoing message has got, as shown beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryReport {
    /// The state it is in.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub attempts: u32,
    /// The channel's last words about it.
    pub error: Option<String>,
    /// How many of the tries may have been taken without our knowing. With any, the message may
    /// show up more than once. Not written where there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub uncertain: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // The signature that serde asks for.
fn is_zero(count: &u32) -> bool {
    *count == 0
}
