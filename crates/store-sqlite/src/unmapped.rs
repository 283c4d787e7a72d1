//! Updates that no script could place: kept as events, and taken once one can.
//!
//! Promises: what an update is recognised by is at every moment on one row, the event that holds it
//! or what came of it, so that neither a redelivery nor a second replay adds anything.

use async_trait::async_trait;
use rusqlite::{Connection, params};
use switchboard_model::{BotId, Error, EventId, IntegrationId, Result};
use switchboard_store::{
    Batch, InboundContent, Ingested, Remap, Remapped, Unmapped, UnmappedStore,
};

use crate::failure::Done;
use crate::ingest::{Intake, fit};
use crate::writer::Tx;
use crate::{SqliteStore, once, rows};

const WAIT: &str = "INSERT INTO unmapped (integration, event, thread) VALUES (?1, ?2, ?3)";
const LIST: &str = "SELECT e.public, u.thread, e.created_at
    FROM unmapped u CROSS JOIN event e ON e.id = u.event
    WHERE u.integration = ?1
        AND u.event > coalesce((SELECT id FROM event WHERE public = ?2), 0)
    ORDER BY u.event LIMIT ?3";
const COUNT: &str = "SELECT count(*) FROM unmapped WHERE integration = ?1";
const WAITING: &str = "SELECT u.event, u.thread, e.once
    FROM event e CROSS JOIN unmapped u ON u.integration = ?1 AND u.event = e.id
    WHERE e.public = ?2";
const EARLIER: &str = "SELECT e.public
    FROM unmapped u CROSS JOIN event e ON e.id = u.event
    WHERE u.integration = ?1 AND u.thread = ?2 AND u.event < ?3
    ORDER BY u.event LIMIT 1";
const DONE: &str = "DELETE FROM unmapped WHERE integration = ?1 AND event = ?2";
const HAND_OVER: &str = "UPDATE event SET once = NULL WHERE id = ?1";
const BECAME: &str = "UPDATE event SET message = (SELECT id FROM message WHERE public = ?2)
    WHERE id = ?1";

/// Lets an event wait.
pub(crate) fn wait(
    connection: &Connection,
    integration: i64,
    event: i64,
    thread: Option<&str>,
) -> Done<()> {
    rows::execute(connection, WAIT, params![integration, event, thread])?;
    Ok(())
}

fn list(
    connection: &Connection,
    bot: BotId,
    integration: IntegrationId,
    after: Option<EventId>,
    limit: usize,
) -> Done<Vec<Unmapped>> {
    let integration = rows::known_integration(connection, bot, integration)?;
    let after = after.map(EventId::to_bytes);
    let keys = params![integration, after, rows::as_limit(limit)];
    rows::all(connection, LIST, keys, |row| {
        Ok(Unmapped {
            event: EventId::from_bytes(row.get(0)?),
            thread: row.get(1)?,
            created_at: rows::time(row, 2)?,
        })
    })
}

fn count(connection: &Connection, bot: BotId, integration: IntegrationId) -> Done<u64> {
    let integration = rows::known_integration(connection, bot, integration)?;
    let count = rows::value::<i64>(connection, COUNT, [integration])?;
    Ok(count.and_then(|count| count.try_into().ok()).unwrap_or(0))
}

fn remap(tx: &mut Tx<'_>, command: &Remap) -> Done<Remapped> {
    if matches!(command.item.content, InboundContent::Unmapped(_)) {
        return Err(Error::invalid("item", "expected an update that was placed").into());
    }
    let mut batch = Batch {
        bot: command.bot,
        integration: command.integration,
        items: vec![command.item.clone()],
        position: None,
        now: command.now,
    };
    fit(&mut batch);
    let intake = Intake::new(tx, &batch)?;
    let integration = intake.integration();
    let keys = params![integration, command.event.to_bytes()];
    let waiting = rows::one(tx.connection, WAITING, keys, |row| {
        let thread: Option<String> = row.get(1)?;
        let once: Option<[u8; 16]> = row.get(2)?;
        Ok((row.get::<_, i64>(0)?, thread, once))
    })?;
    let Some((event, thread, once)) = waiting else {
        return Ok(Remapped::Missing);
    };
    if let Some(thread) = thread
        && !command.out_of_turn
    {
        let keys = params![integration, thread, event];
        if let Some(earlier) = rows::value(tx.connection, EARLIER, keys)? {
            return Ok(Remapped::Behind(EventId::from_bytes(earlier)));
        }
    }
    rows::execute(tx.connection, DONE, [integration, event])?;
    rows::execute(tx.connection, HAND_OVER, [event])?;
    let [item] = &*batch.items else {
        return Err(rows::gone("the update"));
    };
    // Under an earlier version's key its edits would not find it, nor whoever brings it again.
    let renewed = item.once.and_then(|told| {
        let earlier = once::earlier(batch.integration, told);
        (earlier.is_some() && earlier == once).then(|| once::stored(batch.integration, told))
    });
    let taken = intake.place_and_edit(tx, item, renewed.or(once))?;
    if let Ingested::Message { message, .. } = &taken {
        let keys = params![event, message.to_bytes()];
        rows::execute(tx.connection, BECAME, keys)?;
    }
    Ok(Remapped::Taken(taken))
}

#[async_trait]
impl UnmappedStore for SqliteStore {
    async fn list_unmapped(
        &self,
        bot: BotId,
        integration: IntegrationId,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<Unmapped>> {
        self.read(|connection| list(connection, bot, integration, after, limit))
            .await
    }

    async fn count_unmapped(&self, bot: BotId, integration: IntegrationId) -> Result<u64> {
        self.read(|connection| count(connection, bot, integration))
            .await
    }

    async fn remap(&self, command: Remap) -> Result<Remapped> {
        self.write(move |tx| remap(tx, &command)).await
    }
}
