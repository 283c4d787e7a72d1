//! Updates that no script could place, taken once one can.

use switchboard_model::{EventId, Integration, Result};
use switchboard_store::{Remap, Remapped};

use crate::{Engine, Update, View};

impl Engine {
    /// Takes an update that waits in `event`, as [`ingest`](Self::ingest) would have: whoever comes
    /// first does, and nothing is taken twice. What came before it in its thread goes first, unless
    /// `out_of_turn`.
    pub async fn remap(
        &self,
        integration: &Integration,
        event: EventId,
        update: Update,
        out_of_turn: bool,
    ) -> Result<Remapped> {
        let view = View::integration(&integration.alias);
        let item = self.inbound(&view, update)?;
        let command = Remap {
            bot: integration.bot,
            integration: integration.id,
            event,
            item,
            out_of_turn,
            now: self.env().now(),
        };
        self.store().remap(command).await
    }
}
