//! States. Whether one is over is decided on reading; a sweep only removes what is over already.

use std::time::Duration;

use async_trait::async_trait;
use indexmap::IndexMap;
use rusqlite::{Connection, Row, params};
use serde_json::value::RawValue;
use switchboard_model::{
    BotId, ConversationId, Error, IntegrationId, Json, Kind, Result, State, StateId, StateKind,
    Timestamp, UserId, WorkflowId,
};
use switchboard_store::{Found, SetState, StateKey, StateOwner, StateStore};

use crate::failure::{Done, Failure};
use crate::rows::{self, Numbered};
use crate::writer::Tx;
use crate::{SqliteStore, conversation, expiry, user, workflow};

const GET: &str =
    "SELECT id, public, payload, expiry, expires_at, created_at, updated_at FROM state
    WHERE kind = ?1 AND subject = ?2 AND owner = ?3 AND name = ?4";
const INSERT: &str = "INSERT INTO state
    (public, bot, owner, kind, subject, name, payload, expiry, expires_at, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)";
const UPDATE: &str = "UPDATE state
    SET payload = ?2, expiry = ?3, expires_at = ?4, updated_at = ?5 WHERE id = ?1";
const DELETE: &str = "DELETE FROM state WHERE id = ?1";

/// What a state belongs to, by numbers.
#[derive(Debug, Clone, Copy)]
struct Place {
    bot: i64,
    owner: i64,
    kind: u8,
    subject: i64,
}

/// A state and how long it lives from each write.
struct Stored {
    state: Numbered<State>,
    expiry: Option<i64>,
}

/// A kind as it is stored.
pub(crate) const fn kind_number(kind: StateKind) -> u8 {
    match kind {
        StateKind::Conversation => 0,
        StateKind::User => 1,
        StateKind::Bot => 2,
        StateKind::Integration => 3,
        StateKind::Workflow => 4,
    }
}

/// Looks up owner and subject; the error names what is missing.
fn place(connection: &Connection, key: &StateKey) -> Done<Place> {
    let bot = rows::known_bot(connection, key.bot)?;
    let owner = match key.owner {
        StateOwner::Bot => 0,
        StateOwner::Integration(id) => rows::known_integration(connection, key.bot, id)?,
    };
    let subject = match key.kind {
        StateKind::Conversation => {
            let id = ConversationId::new(key.subject);
            conversation::number(connection, bot, id)?
                .ok_or_else(|| Error::not_found(Kind::Conversation, id))?
        }
        StateKind::User => {
            let id = UserId::new(key.subject);
            user::number(connection, bot, id)?.ok_or_else(|| Error::not_found(Kind::User, id))?
        }
        StateKind::Bot => {
            let id = BotId::new(key.subject);
            if id != key.bot {
                return Err(Error::not_found(Kind::Bot, id).into());
            }
            bot
        }
        StateKind::Integration => {
            rows::known_integration(connection, key.bot, IntegrationId::new(key.subject))?
        }
        StateKind::Workflow => {
            let id = WorkflowId::new(key.subject);
            workflow::number(connection, key.bot, id)?
                .ok_or_else(|| Error::not_found(Kind::Workflow, id))?
        }
    };
    Ok(Place {
        bot,
        owner,
        kind: kind_number(key.kind),
        subject,
    })
}

/// The state, if its time is not over.
fn load(
    connection: &Connection,
    place: Place,
    key: &StateKey,
    now: Timestamp,
) -> Done<Option<Stored>> {
    let keys = params![place.kind, place.subject, place.owner, key.name];
    let stored = rows::one(connection, GET, keys, |row| stored(row, key))?;
    Ok(stored.filter(|stored| alive(&stored.state.value, now)))
}

fn alive(state: &State, now: Timestamp) -> bool {
    state.expires_at.is_none_or(|end| end > now)
}

fn stored(row: &Row<'_>, key: &StateKey) -> rusqlite::Result<Stored> {
    Ok(Stored {
        state: Numbered {
            id: row.get(0)?,
            value: State {
                id: StateId::from_bytes(row.get(1)?),
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
        expiry: row.get(3)?,
    })
}

fn millis(expiry: Option<Duration>) -> Option<i64> {
    expiry.map(|expiry| i64::try_from(expiry.as_millis()).unwrap_or(i64::MAX))
}

fn end(expiry: Option<i64>, now: Timestamp) -> Option<i64> {
    expiry.map(|expiry| Timestamp::from_millis(now.as_millis().saturating_add(expiry)).as_millis())
}

/// Writes an existing state.
fn write(
    connection: &Connection,
    mut state: Numbered<State>,
    payload: Json,
    expiry: Option<i64>,
    now: Timestamp,
) -> Done<State> {
    let expires_at = end(expiry, now);
    rows::execute(
        connection,
        UPDATE,
        params![
            state.id,
            payload.as_str(),
            expiry,
            expires_at,
            now.as_millis()
        ],
    )?;
    state.value.payload = payload;
    state.value.expires_at = expires_at.map(Timestamp::from_millis);
    state.value.updated_at = now;
    Ok(state.value)
}

/// Writes a new state, in the place of one that is over if need be.
fn insert(tx: &mut Tx<'_>, place: Place, command: &SetState) -> Done<State> {
    let key = &command.key;
    let keys = params![place.kind, place.subject, place.owner, key.name];
    if let Some(over) = rows::one(tx.connection, GET, keys, |row| row.get::<_, i64>(0))? {
        expiry::end(tx, over, command.now)?;
    }
    let expiry = millis(command.expiry);
    let expires_at = end(expiry, command.now);
    rows::insert(
        tx.connection,
        INSERT,
        params![
            command.id.to_bytes(),
            place.bot,
            place.owner,
            place.kind,
            place.subject,
            key.name,
            command.payload.as_str(),
            expiry,
            expires_at,
            command.now.as_millis()
        ],
    )?;
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

pub(crate) fn set(tx: &mut Tx<'_>, command: &SetState) -> Done<State> {
    let place = place(tx.connection, &command.key)?;
    match load(tx.connection, place, &command.key, command.now)? {
        Some(stored) => write(
            tx.connection,
            stored.state,
            command.payload.clone(),
            millis(command.expiry),
            command.now,
        ),
        None => insert(tx, place, command),
    }
}

fn get_or_set(tx: &mut Tx<'_>, command: &SetState) -> Done<Found<State>> {
    let place = place(tx.connection, &command.key)?;
    let found = load(tx.connection, place, &command.key, command.now)?;
    let created = found.is_none();
    let value = match found {
        Some(stored) => stored.state.value,
        None => insert(tx, place, command)?,
    };
    Ok(Found { value, created })
}

fn patch(tx: &mut Tx<'_>, key: &StateKey, patch: &Json, now: Timestamp) -> Done<Option<State>> {
    let place = place(tx.connection, key)?;
    let Some(stored) = load(tx.connection, place, key, now)? else {
        return Ok(None);
    };
    let payload = merged(&stored.state.value.payload, patch)?;
    write(tx.connection, stored.state, payload, stored.expiry, now).map(Some)
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

fn set_expiry(
    tx: &mut Tx<'_>,
    key: &StateKey,
    expiry: Option<Duration>,
    now: Timestamp,
) -> Done<Option<State>> {
    let place = place(tx.connection, key)?;
    let Some(Stored { state, .. }) = load(tx.connection, place, key, now)? else {
        return Ok(None);
    };
    let payload = state.value.payload.clone();
    write(tx.connection, state, payload, millis(expiry), now).map(Some)
}

fn delete(tx: &mut Tx<'_>, key: &StateKey, now: Timestamp) -> Done<Option<State>> {
    let place = place(tx.connection, key)?;
    let Some(stored) = load(tx.connection, place, key, now)? else {
        return Ok(None);
    };
    rows::execute(tx.connection, DELETE, [stored.state.id])?;
    Ok(Some(stored.state.value))
}

#[async_trait]
impl StateStore for SqliteStore {
    async fn get_state(&self, key: StateKey, now: Timestamp) -> Result<Option<State>> {
        self.read(|connection| match place(connection, &key) {
            Ok(place) => {
                let stored = load(connection, place, &key, now)?;
                Ok(stored.map(|stored| stored.state.value))
            }
            Err(Failure::Refused(Error::NotFound { .. })) => Ok(None),
            Err(failure) => Err(failure),
        })
        .await
    }

    async fn set_state(&self, command: SetState) -> Result<State> {
        self.write(move |tx| set(tx, &command)).await
    }

    async fn get_or_set_state(&self, command: SetState) -> Result<Found<State>> {
        self.write(move |tx| get_or_set(tx, &command)).await
    }

    async fn patch_state(
        &self,
        key: StateKey,
        json: Json,
        now: Timestamp,
    ) -> Result<Option<State>> {
        self.write(move |tx| patch(tx, &key, &json, now)).await
    }

    async fn set_state_expiry(
        &self,
        key: StateKey,
        expiry: Option<Duration>,
        now: Timestamp,
    ) -> Result<Option<State>> {
        self.write(move |tx| set_expiry(tx, &key, expiry, now))
            .await
    }

    async fn delete_state(&self, key: StateKey, now: Timestamp) -> Result<Option<State>> {
        self.write(move |tx| delete(tx, &key, now)).await
    }
}
