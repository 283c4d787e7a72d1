//! The schema and its migrations: forward only, numbered in the table `migration`. A newer database
//! is refused, for an older program would not keep what a newer one promises. Nodes that start at
//! once wait for each other here.

use switchboard_model::Error;
use tokio_postgres::Client;

use crate::failure::{Done, Failure};

/// Each migration takes the database from the version of its place to the next.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_start.sql"),
    include_str!("migrations/0002_counts.sql"),
    include_str!("migrations/0003_dismissed.sql"),
];

/// The first version with `pg_xact_status` of 64-bit numbers.
const OLDEST_SERVER: i32 = 130_000;

const SETTINGS: &str = "SELECT current_setting('server_version_num')::integer,
    current_setting('server_encoding'), current_setting('fsync'),
    current_setting('full_page_writes')";
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SELECT pg_advisory_xact_lock(-9223372036854775000)";
const MAKE: &str = "CREATE SCHEMA IF NOT EXISTS switchboard;
    CREATE TABLE IF NOT EXISTS switchboard.migration (
        version integer PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT now()
    )";
const VERSION: &str = "SELECT coalesce(max(version), 0) FROM switchboard.migration";
const DONE: &str = "INSERT INTO switchboard.migration (version) VALUES ($1)";

/// Refuses a server that cannot keep the promises of a store, and warns of one that will not.
pub(crate) async fn check_server(client: &Client) -> Done<()> {
    let row = client.query_one(SETTINGS, &[]).await?;
    let version: i32 = row.try_get(0)?;
    let encoding: String = row.try_get(1)?;
    let refused = |reason: String| Err(Failure::Refused(Error::Unavailable { reason }));
    if version < OLDEST_SERVER {
        return refused(format!(
            "PostgreSQL {} is too old; use PostgreSQL 13 or later",
            version / 10_000
        ));
    }
    if encoding != "UTF8" {
        return refused(format!(
            "the database's encoding is {encoding}; create one with ENCODING 'UTF8'"
        ));
    }
    for (column, setting) in [(2, "fsync"), (3, "full_page_writes")] {
        if row.try_get::<_, String>(column)? != "on" {
            tracing::warn!(
                setting,
                "the database has this switched off: what was answered as stored may be lost or \
                 damaged when its machine stops; switch it on in postgresql.conf"
            );
        }
    }
    Ok(())
}

/// Brings the database to the version this program knows.
pub(crate) async fn migrate(client: &Client) -> Done<()> {
    client.batch_execute(BEGIN).await?;
    let result = under_lock(client).await;
    let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
    client.batch_execute(end).await?;
    result
}

async fn under_lock(client: &Client) -> Done<()> {
    client.batch_execute(MAKE).await?;
    let version: i32 = client.query_one(VERSION, &[]).await?.try_get(0)?;
    let known = MIGRATIONS.len();
    let done = usize::try_from(version).ok().filter(|done| *done <= known);
    let Some(done) = done else {
        return Err(Failure::Refused(Error::Unavailable {
            reason: format!(
                "the database has schema version {version}, this program knows up to {known}; \
                 start the newer program that wrote it, or restore a backup"
            ),
        }));
    };
    for (number, migration) in MIGRATIONS.iter().enumerate().skip(done) {
        client.batch_execute(migration).await?;
        let next = i32::try_from(number + 1).map_err(Failure::damage)?;
        client.execute(DONE, &[&next]).await?;
    }
    Ok(())
}
