//! Threads that had another name.

use rusqlite::{Connection, params};
use switchboard_model::{BotId, IntegrationId};

use crate::failure::Done;
use crate::rows;
use crate::writer::Tx;

const NOTE: &str = "INSERT INTO moved_thread (integration, thread, was) VALUES (?1, ?2, ?3)
    ON CONFLICT (integration, thread) DO UPDATE SET was = ?3";
const WAS: &str = "SELECT was FROM moved_thread WHERE integration = ?1 AND thread = ?2";

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
    match rows::integration(connection, bot, integration)? {
        Some(integration) => was_of(connection, integration, thread),
        None => Ok(None),
    }
}

/// The same by the integration's number.
pub(crate) fn was_of(
    connection: &Connection,
    integration: i64,
    thread: &str,
) -> Done<Option<String>> {
    rows::value(connection, WAS, params![integration, thread])
}
