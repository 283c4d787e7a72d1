//! The terminal as a channel: `switchboard chat`.
//!
//! What is typed comes in through the same ingest as any channel's updates. On the way out the
//! transcript itself is what the terminal reads, so a message is delivered once it is stored.

use async_trait::async_trait;
use switchboard_integration::{
    Definition, Integration, Lease, Outbound, Outgoing, Parts, SendOutcome,
};
use switchboard_model::Tags;

/// The terminal channel.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminal;

impl Integration for Terminal {
    fn definition(&self) -> Definition {
        Definition {
            platform: "terminal",
            channels: &["terminal"],
        }
    }
}

#[async_trait]
impl Outbound for Terminal {
    async fn send(&self, _message: &Outgoing, _parts: &dyn Parts, _lease: Lease) -> SendOutcome {
        SendOutcome::Done(Tags::new())
    }
}
