//! Saying what an update is and would become, without taking it.

use async_trait::async_trait;
use switchboard_engine::Explanation;
use switchboard_model::{Integration, Result};

/// Channels that read updates without taking them: one for each platform, or one for all.
#[async_trait]
pub trait Explain: Send + Sync + 'static {
    /// Reads the raw update by the code that reads those that come in, hands it to
    /// [`Engine::explain`](switchboard_engine::Engine::explain), and puts its own reasons before.
    /// It works whether or not the integration is active, and writes nothing.
    async fn explain(&self, integration: &Integration, raw: &[u8]) -> Result<Explanation>;
}
