//! Updates that no script could place, asked about again.
//!
//! Promises: the update is read and mapped by the code that does so when one comes in, by the script
//! as it is now; it is asked once. What still fails waits on, as it was.
//! What never happens here: a word to Telegram. A press was answered when it came.

use serde::Deserialize;
use serde_json::value::RawValue;
use switchboard_engine::View;
use switchboard_integration::Replayed;
use switchboard_model::{Error, EventId, EventPayload, Kind, Result};
use switchboard_script::Failure;
use switchboard_store::{Ingested, Remapped};

use super::account::Account;
use super::inbound::UNMAPPED;
use super::mapping::TRIES;

/// The payload of an event that holds an update. `raw` where the text could not be kept as JSON.
#[derive(Deserialize)]
struct Kept<'a> {
    #[serde(borrow)]
    update: Option<&'a RawValue>,
    raw: Option<String>,
}

impl Account {
    /// Takes the update that waits in an event.
    pub async fn replay(&self, event: EventId, out_of_turn: bool) -> Result<Replayed> {
        let bot = self.integration.bot;
        let found = self.engine.store().get_event(bot, event).await?;
        let found = found.ok_or_else(|| Error::not_found(Kind::Event, event))?;
        let no_update = || Error::invalid("event", "expected one that holds an update that waits");
        let own = View::integration(&self.integration.alias).stored_name(UNMAPPED);
        let payload = match found.payload {
            EventPayload::Other(payload) if found.kind == own => payload,
            _ => return Err(no_update()),
        };
        let kept: Kept<'_> = serde_json::from_str(payload.as_str()).map_err(|_| no_update())?;
        let raw = match (kept.update, kept.raw) {
            (Some(update), _) => update.get().to_owned(),
            (None, Some(raw)) => raw,
            (None, None) => return Err(no_update()),
        };
        let (update, _) = self.read(&raw).await?;
        let mut tries = 0;
        let taken = loop {
            let placed = match self.placed(&raw, &update).await {
                Ok(placed) => placed,
                Err(Failure::Script(reason)) => return Ok(Replayed::Failed { reason }),
                Err(Failure::Store(error)) => return Err(error),
            };
            tries += 1;
            let taken = self
                .engine
                .remap(&self.integration, event, placed, out_of_turn);
            match taken.await {
                // What the script gave was deleted in between.
                Err(Error::ReferenceNotFound { .. }) if tries < TRIES => {}
                Err(error) if !super::polling::is_passing(&error) => {
                    let reason = error.to_string();
                    return Ok(Replayed::Failed { reason });
                }
                taken => break taken?,
            }
        };
        Ok(match taken {
            Remapped::Taken(Ingested::Message {
                message,
                conversation,
                ..
            }) => Replayed::Message {
                message,
                conversation: conversation.id,
            },
            Remapped::Taken(Ingested::Event {
                event,
                conversation,
            }) => Replayed::Event {
                event,
                conversation,
            },
            Remapped::Behind(event) => Replayed::Behind { event },
            Remapped::Taken(Ingested::Duplicate) | Remapped::Missing => Replayed::Gone,
        })
    }
}
