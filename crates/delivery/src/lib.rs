//! The outbox workers: what is stored goes out, to bots and to channels.
//!
//! This room promises:
//! - *Order.* One delivery of a conversation at a time, in the order in which they were enqueued;
//!   a slow conversation holds up no other.
//! - *At least once.* A result is written before anything is forgotten, each try carries the same
//!   ids, and what a restart interrupts is tried again. A message to a channel that may have been
//!   sent is left to a person instead, where the policy says so, also after a stop or a kill.
//! - *An end.* What fails is tried for a limited time, is then dead-lettered, and its conversation
//!   goes on. A wait that the other side asked for, and an account that does not work, kill
//!   nothing.
//!
//! What never happens here: a lock held across I/O, a payload in a log, a request after the lease
//! is over, a result written under somebody else's lease.

mod agenda;
mod bots;
mod carrier;
mod channel;
mod descriptors;
mod gate;
mod leased;
mod moment;
mod policy;
mod underway;
mod worker;

pub use policy::{Policy, UncertainPolicy};
pub use worker::Worker;
