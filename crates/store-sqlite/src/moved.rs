//! Threads that had another name.

use rusqlite::{Connection, params};
use switchboard_model::{BotId, IntegrationId};

use crate::failure::Done;
use crate::rows;
use crate::writer::Tx;

const NOTE: &str = "INSERT INTO moved_thread (integration, thread, was) VALUES (?1, ?2, ?3)
    ON CONFLICT (integration, thread) DO UPDATE SET was = ?3";
const WAS: &str = "SELECT m.was FROM integration i
    CROSS JOIN bot b ON b.id = i.bot
    CROSS JOIN moved_thread m ON m.integration = i.id AND m.thread = ?3
    WHERE i.public = ?1 AND b.public = ?2";

const WAS_OF: &str = "SELECT was FROM moved_thread WHERE integration = ?1 AND thread = ?2";

pub(crate) fn note(
    tx: &mut Tx<'_>,
    bot: BotId,
    integration: IntegrationId,
    thread: &str,
    was: &str,
) -> Done<()> {
    let integration = rows::known_integration(tx.connection, bot, integration)?;
    rows::execute(tx.connection, NOTE, params![integration, thread, was])?;
    Ok(())
}

pub(crate) fn was(
    connection: &Connection,
    bot: BotId,
    integration: IntegrationId,
    thread: &str,
) -> Done<Option<String>> {
    let keys = params![integration.to_bytes(), bot.to_bytes(), thread];
    rows::value(connection, WAS, keys)
}

/// The same by the integration's number.
pub(crate) fn was_of(
    connection: &Connection,
    integration: i64,
    thread: &str,
) -> Done<Option<String>> {
    rows::value(connection, WAS_OF, params![integration, thread])
}
