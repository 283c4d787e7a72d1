//! What an update is recognised by, as it is stored.
//!
//! What its channel numbers is stored behind the number: keys of updates that come one after the
//! other lie side by side in their indexes and share their pages, where each digest would have a
//! page of its own, anywhere in the file.
//!
//! Databases from before that (version 18) have digests alone. What they hold is found by both; but
//! an ingest asks for the second only for a month, for no channel brings again what is older.
//!
//! What never happens here: two integrations that share a key, whatever their channels make of it.

use ring::digest;
use rusqlite::Connection;
use switchboard_model::IntegrationId;
use switchboard_store::Once;

use crate::failure::Done;
use crate::rows;

/// As it is stored.
pub(crate) type Stored = [u8; 16];

const UNTIL: &str = "SELECT until FROM once_digest";

/// How what an update is recognised by is stored.
pub(crate) fn stored(integration: IntegrationId, once: Once) -> Stored {
    once.stored(digest_of(integration, once))
}

/// How it was stored by an earlier version, if that is another way.
pub(crate) fn earlier(integration: IntegrationId, once: Once) -> Option<Stored> {
    once.number.map(|_| digest_of(integration, once))
}

/// All ways in which it may be stored, the present one first.
pub(crate) fn all(integration: IntegrationId, once: Once) -> impl Iterator<Item = Stored> {
    std::iter::once(stored(integration, once)).chain(earlier(integration, once))
}

fn digest_of(integration: IntegrationId, once: Once) -> Stored {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&integration.to_bytes());
    context.update(&once.key.0);
    let mut first = [0; 16];
    for (to, from) in first.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    first
}

/// Until when an ingest asks for what an earlier version may have stored, in milliseconds since 1970.
pub(crate) fn asks_until(connection: &Connection) -> Done<i64> {
    Ok(rows::value(connection, UNTIL, [])?.unwrap_or(i64::MIN))
}
