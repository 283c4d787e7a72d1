//! States. Whether one is over is decided on reading; a sweep only removes what is over already.
//!
//! A write locks the conversation or user that the state belongs to, then the state's row.

use std::time::Duration;

use async_trait::async_trait;
use indexmap::IndexMap;
use serde_json::value::RawValue;
use switchboard_model::{
    BotId, ConversationId, Error, IntegrationId, Json, Kind, Result, State, StateId, StateKind,
    Timestamp, UserId,
};
use switchboard_store::{Found, SetState, StateKey, StateOwner, StateStore};
use tokio_postgres::Row;

use crate::connection::{Connection, Id};
use crate::failure::{Done, Failure};
use crate::missing::not_served;
use crate::rows::{self, Numbered};
use crate::writer::Tx;
use crate::{PostgresStore, conversation, expiry, user};

const GET: &str =
    "SELECT id, public, payload, expiry, expires_at, created_at, updated_at FROM state
    WHERE kind = $1 AND subject = $2 AND owner = $3 AND name = $4";
const LOCK: &str =
    "SELECT id, public, payload, expiry, expires_at, created_at, updated_at FROM state
    WHERE kind = $1 AND subject = $2 AND owner = $3 AND name = $4 FOR UPDATE";
const INSERT: &str = "INSERT INTO state
    (public, bot, owner, kind, subject, name, payload, expiry, expires_at, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)";
const UPDATE: &str = "UPDATE state
    SET payload = $2, expiry = $3, expires_at = $4, updated_at = $5 WHERE id = $1";
const DELETE: &str = "DELETE FROM state WHERE id = $1";

/// What a state belongs to, by numbers.
#[derive(Debug, Clone, Copy)]
struct Place {
    bot: i64,
    owner: i64,
    kind: i16,
    subject: i64,
}

/// A state and how long it lives from each write.
struct Stored {
    state: Numbered<State>,
    expiry: Option<i64>,
}

/// A kind as it is stored.
pub(crate) const fn kind_number(kind: StateKind) -> i16 {
    match kind {
        StateKind::Conversation => 0,
        StateKind::User => 1,
        StateKind::Bot => 2,
        StateKind::Integration => 3,
        StateKind::Workflow => 4,
    }
}

/// Looks up owner and subject; the error names what is missing.
async fn place(connection: &Connection, key: &StateKey) -> Done<Place> {
    let bot = rows::known_bot(connection, key.bot).await?;
    let owner = match key.owner {
        StateOwner::Bot => 0,
        StateOwner::Integration(id) => rows::known_integration(connection, key.bot, id).await?,
    };
    let subject = match key.kind {
        StateKind::Conversation => {
            let id = ConversationId::new(key.subject);
            conversation::number(connection, bot, id)
                .await?
                .ok_or_else(|| Error::not_found(Kind::Conversation, id))?
        }
        StateKind::User => {
            let id = UserId::new(key.subject);
            user::number(connection, bot, id)
                .await?
                .ok_or_else(|| Error::not_found(Kind::User, id))?
        }
        StateKind::Bot => {
            let id = BotId::new(key.subject);
            if id != key.bot {
                return Err(Error::not_found(Kind::Bot, id).into());
            }
            bot
        }
        StateKind::Integration => {
            let id = IntegrationId::new(key.subject);
            rows::known_integration(connection, key.bot, id).await?
        }
        StateKind::Workflow => return Err(not_served("states of workflows").into()),
    };
    Ok(Place {
        bot,
        owner,
        kind: kind_number(key.kind),
        subject,
    })
}

/// The same for a write: the subject stays until the transaction ends.
async fn lock_place(tx: &Tx, key: &StateKey) -> Done<Place> {
    match key.kind {
        StateKind::Conversation => {
            conversation::lock_public(tx, key.bot, ConversationId::new(key.subject)).await?;
        }
        StateKind::User => {
            let bot = rows::known_bot(tx, key.bot).await?;
            user::lock(tx, bot, UserId::new(key.subject)).await?;
        }
        // The first two are never removed, and the last is refused below.
        StateKind::Bot | StateKind::Integration | StateKind::Workflow => {}
    }
    place(tx, key).await
}

/// The state, if its time is not over.
async fn load(
    connection: &Connection,
    sql: &str,
    place: Place,
    key: &StateKey,
    now: Timestamp,
) -> Done<Option<Stored>> {
    let found = connection
        .one(
            sql,
            &[&place.kind, &place.subject, &place.owner, &key.name],
            |row| stored(row, key),
        )
        .await?;
    Ok(found.filter(|stored| alive(&stored.state.value, now)))
}

fn alive(state: &State, now: Timestamp) -> bool {
    state.expires_at.is_none_or(|end| end > now)
}

fn stored(row: &Row, key: &StateKey) -> Done<Stored> {
    Ok(Stored {
        state: Numbered {
            id: row.try_get(0)?,
            value: State {
                id: StateId::from_bytes(rows::bytes(row, 1)?),
                bot: key.bot,
                kind: key.kind,
                subject: key.subject,
                name: key.name.clone(),
                payload: rows::json(row, 2)?,
                expires_at: rows::time_or_none(row, 4)?,
                created_at: rows::time(row, 5)?,
                updated_at: rows::time(row, 6)?,
            },
        },
        expiry: row.try_get(3)?,
    })
}

fn millis(expiry: Option<Duration>) -> Option<i64> {
    expiry.map(|expiry| i64::try_from(expiry.as_millis()).unwrap_or(i64::MAX))
}

fn end(expiry: Option<i64>, now: Timestamp) -> Option<i64> {
    expiry.map(|expiry| Timestamp::from_millis(now.as_millis().saturating_add(expiry)).as_millis())
}

/// Writes an existing state.
async fn write(
    tx: &Tx,
    mut state: Numbered<State>,
    payload: Json,
    expiry: Option<i64>,
    now: Timestamp,
) -> Done<State> {
    let expires_at = end(expiry, now);
    tx.execute(
        UPDATE,
        &[
            &state.id,
            &payload.as_str(),
            &expiry,
            &expires_at,
            &now.as_millis(),
        ],
    )
    .await?;
    state.value.payload = payload;
    state.value.expires_at = expires_at.map(Timestamp::from_millis);
    state.value.updated_at = now;
    Ok(state.value)
}

/// Writes a new state, in the place of one that is over if need be.
async fn insert(tx: &mut Tx, place: Place, command: &SetState) -> Done<State> {
    let key = &command.key;
    let over: Option<i64> = tx
        .value(
            LOCK,
            &[&place.kind, &place.subject, &place.owner, &key.name],
        )
        .await?;
    if let Some(over) = over {
        expiry::end(tx, over, command.now).await?;
    }
    let expiry = millis(command.expiry);
    let expires_at = end(expiry, command.now);
    tx.execute(
        INSERT,
        &[
            &Id(command.id.to_bytes()),
            &place.bot,
            &place.owner,
            &place.kind,
            &place.subject,
            &key.name,
            &command.payload.as_str(),
            &expiry,
            &expires_at,
            &command.now.as_millis(),
        ],
    )
    .await?;
    Ok(State {
        id: command.id,
        bot: key.bot,
        kind: key.kind,
        subject: key.subject,
        name: key.name.clone(),
        payload: command.payload.clone(),
        expires_at: expires_at.map(Timestamp::from_millis),
        created_at: command.now,
        updated_at: command.now,
    })
}

pub(crate) async fn set(tx: &mut Tx, command: &SetState) -> Done<State> {
    let place = lock_place(tx, &command.key).await?;
    match load(tx, LOCK, place, &command.key, command.now).await? {
        Some(stored) => {
            let payload = command.payload.clone();
            let expiry = millis(command.expiry);
            write(tx, stored.state, payload, expiry, command.now).await
        }
        None => insert(tx, place, command).await,
    }
}

async fn get_or_set(tx: &mut Tx, command: &SetState) -> Done<Found<State>> {
    let place = lock_place(tx, &command.key).await?;
    let found = load(tx, LOCK, place, &command.key, command.now).await?;
    let created = found.is_none();
    let value = match found {
        Some(stored) => stored.state.value,
        None => insert(tx, place, command).await?,
    };
    Ok(Found { value, created })
}

async fn patch(tx: &mut Tx, key: &StateKey, patch: &Json, now: Timestamp) -> Done<Option<State>> {
    let place = lock_place(tx, key).await?;
    let Some(stored) = load(tx, LOCK, place, key, now).await? else {
        return Ok(None);
    };
    let payload = merged(&stored.state.value.payload, patch)?;
    let written = write(tx, stored.state, payload, stored.expiry, now).await?;
    Ok(Some(written))
}

/// `payload` with the top-level keys of `patch`. Values are moved as text, so that no number
/// changes its spelling.
fn merged(payload: &Json, patch: &Json) -> Done<Json> {
    let mut fields: IndexMap<String, Box<RawValue>> = payload.read().map_err(Failure::damage)?;
    let patch: IndexMap<String, Box<RawValue>> = patch.read().map_err(Failure::damage)?;
    for (name, value) in patch {
        if value.get() == "null" {
            fields.shift_remove(&name);
        } else {
            fields.insert(name, value);
        }
    }
    let text = serde_json::to_string(&fields).map_err(Failure::damage)?;
    let merged = Json::from_trusted(text).map_err(Failure::damage)?;
    merged.check_payload()?;
    Ok(merged)
}

async fn set_expiry(
    tx: &mut Tx,
    key: &StateKey,
    expiry: Option<Duration>,
    now: Timestamp,
) -> Done<Option<State>> {
    let place = lock_place(tx, key).await?;
    let Some(Stored { state, .. }) = load(tx, LOCK, place, key, now).await? else {
        return Ok(None);
    };
    let payload = state.value.payload.clone();
    let written = write(tx, state, payload, millis(expiry), now).await?;
    Ok(Some(written))
}

async fn delete(tx: &mut Tx, key: &StateKey, now: Timestamp) -> Done<Option<State>> {
    let place = lock_place(tx, key).await?;
    let Some(stored) = load(tx, LOCK, place, key, now).await? else {
        return Ok(None);
    };
    tx.execute(DELETE, &[&stored.state.id]).await?;
    Ok(Some(stored.state.value))
}

async fn get(connection: &Connection, key: &StateKey, now: Timestamp) -> Done<Option<State>> {
    match place(connection, key).await {
        Ok(place) => {
            let stored = load(connection, GET, place, key, now).await?;
            Ok(stored.map(|stored| stored.state.value))
        }
        Err(Failure::Refused(Error::NotFound { .. })) => Ok(None),
        Err(failure) => Err(failure),
    }
}

#[async_trait]
impl StateStore for PostgresStore {
    async fn get_state(&self, key: StateKey, now: Timestamp) -> Result<Option<State>> {
        self.read((key, now), |connection, (key, now)| {
            Box::pin(get(connection, key, *now))
        })
        .await
    }

    async fn set_state(&self, command: SetState) -> Result<State> {
        self.write(command, |tx, command| Box::pin(set(tx, command)))
            .await
    }

    async fn get_or_set_state(&self, command: SetState) -> Result<Found<State>> {
        self.write(command, |tx, command| Box::pin(get_or_set(tx, command)))
            .await
    }

    async fn patch_state(
        &self,
        key: StateKey,
        json: Json,
        now: Timestamp,
    ) -> Result<Option<State>> {
        self.write((key, json, now), |tx, (key, json, now)| {
            Box::pin(patch(tx, key, json, *now))
        })
        .await
    }

    async fn set_state_expiry(
        &self,
        key: StateKey,
        expiry: Option<Duration>,
        now: Timestamp,
    ) -> Result<Option<State>> {
        self.write((key, expiry, now), |tx, (key, expiry, now)| {
            Box::pin(set_expiry(tx, key, *expiry, *now))
        })
        .await
    }

    async fn delete_state(&self, key: StateKey, now: Timestamp) -> Result<Option<State>> {
        self.write((key, now), |tx, (key, now)| Box::pin(delete(tx, key, *now)))
            .await
    }
}
