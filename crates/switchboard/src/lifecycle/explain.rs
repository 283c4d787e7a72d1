//! Which channel explains an update.

use async_trait::async_trait;
use switchboard_channels::telegram;
use switchboard_engine::{Engine, Explanation};
use switchboard_integration::Explain;
use switchboard_model::{Error, Integration, Result};

/// Explains updates of all platforms that have any.
pub(super) struct Explainer(pub(super) Engine);

#[async_trait]
impl Explain for Explainer {
    async fn explain(&self, integration: &Integration, raw: &[u8]) -> Result<Explanation> {
        match integration.platform.as_str() {
            telegram::PLATFORM => telegram::explain(&self.0, integration, raw).await,
            other => Err(Error::invalid(
                "integration",
                format!("expected one that takes updates, such as telegram; {other} takes none"),
            )),
        }
    }
}
