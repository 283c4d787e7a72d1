//! The channels: one folder each, all of one shape. `mod.rs` is the integration, `inbound.rs` turns
//! an external update into the model, `outbound.rs` a message into calls.
//!
//! This room promises that an update is acknowledged only once it is stored, and that each answer
//! of a channel is told apart: taken, not taken, may have been taken.
//!
//! What never happens here: HTTP handlers, SQL, knowledge of the API.

pub mod telegram;
pub mod terminal;
