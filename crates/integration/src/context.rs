//! What an integration's functions are given.

use switchboard_engine::Engine;
use switchboard_model::Integration;

use crate::Bp;

/// The context of a call: which integration of which bot, on which channel, and `bp` to reach
/// what is stored.
#[derive(Clone)]
pub struct Context {
    /// The installed integration.
    pub integration: Integration,
    /// The channel within it.
    pub channel: String,
    /// Conversations and users, within this context.
    pub bp: Bp,
}

impl Context {
    /// For an integration's channel.
    pub fn new(engine: Engine, integration: Integration, channel: impl Into<String>) -> Self {
        let channel = channel.into();
        Self {
            bp: Bp::new(engine, integration.clone(), channel.clone()),
            integration,
            channel,
        }
    }
}
