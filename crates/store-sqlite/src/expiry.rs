//! The end of a state's time: its row goes, and the bot that owned it is told, in one transaction.
//!
//! The event and its delivery carry the state's own ULID, so that there is one for each expiry: a
//! state that is set again afterwards is a new one with a new id.

use rusqlite::{Connection, Row};
use serde::Serialize;
use switchboard_model::{
    BotId, ConversationId, DeliveryId, Event, EventId, Json, StateId, StateKind, Timestamp, UserId,
};

use crate::failure::{Done, Failure};
use crate::state::kind_number;
use crate::writer::Tx;
use crate::{event, rows, workflow};

const SELECT: &str = "SELECT s.public, s.bot, b.public, s.owner, s.kind, s.subject, s.name,
        s.payload, s.created_at, s.updated_at
    FROM state s CROSS JOIN bot b ON b.id = s.bot WHERE s.id = ?1";
const DELETE: &str = "DELETE FROM state WHERE id = ?1";
const CONVERSATION: &str = "SELECT public FROM conversation WHERE id = ?1 AND deleted_at IS NULL";
const USER: &str = "SELECT public FROM user WHERE id = ?1 AND deleted_at IS NULL";

/// The event's payload: the state as the API writes it.
#[derive(Serialize)]
struct Payload<'a> {
    state: Shown<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    id: StateId,
    created_at: Timestamp,
    updated_at: Timestamp,
    bot_id: BotId,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<ConversationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    payload: &'a Json,
}

/// A state whose time is over.
struct Over {
    id: StateId,
    bot: i64,
    bot_id: BotId,
    owner: i64,
    kind: u8,
    subject: i64,
    name: String,
    payload: Json,
    created_at: Timestamp,
    updated_at: Timestamp,
}

fn over(row: &Row<'_>) -> rusqlite::Result<Over> {
    Ok(Over {
        id: StateId::from_bytes(row.get(0)?),
        bot: row.get(1)?,
        bot_id: BotId::from_bytes(row.get(2)?),
        owner: row.get(3)?,
        kind: row.get(4)?,
        subject: row.get(5)?,
        name: row.get(6)?,
        payload: rows::json(row, 7)?,
        created_at: rows::time(row, 8)?,
        updated_at: rows::time(row, 9)?,
    })
}

/// What an event about a state belongs to.
struct Subject {
    kind: StateKind,
    conversation: Option<(i64, ConversationId)>,
    user: Option<(i64, UserId)>,
    workflow: Option<i64>,
}

/// Removes a state whose time is over and tells its bot.
pub(crate) fn end(tx: &mut Tx<'_>, state: i64, now: Timestamp) -> Done<()> {
    let over = rows::one(tx.connection, SELECT, [state], over)?
        .ok_or_else(|| rows::gone("an expired state"))?;
    rows::execute(tx.connection, DELETE, [state])?;
    // An integration's states are not the bot's to know.
    if over.owner != 0 {
        return Ok(());
    }
    let Some(subject) = subject(tx.connection, &over)? else {
        return Ok(());
    };
    let user_id = subject.user.map(|(_, id)| {
        // The user that stands for the bot is shown by the bot's id.
        if id == UserId::from(over.bot_id) {
            over.bot_id.to_string()
        } else {
            id.to_string()
        }
    });
    let payload = Payload {
        state: Shown {
            id: over.id,
            created_at: over.created_at,
            updated_at: over.updated_at,
            bot_id: over.bot_id,
            conversation_id: subject.conversation.map(|(_, id)| id),
            user_id,
            name: &over.name,
            kind: subject.kind.as_str(),
            payload: &over.payload,
        },
    };
    let text = serde_json::to_string(&payload).map_err(Failure::damage)?;
    let payload = Json::from_trusted(text).map_err(Failure::damage)?;
    let draft = event::Draft {
        id: EventId::new(over.id.ulid()),
        delivery: DeliveryId::new(over.id.ulid()),
        bot: over.bot,
        kind: Event::STATE_EXPIRED,
        payload: Some(&payload),
        conversation: subject.conversation.map(|(number, _)| number),
        user: subject.user.map(|(number, _)| number),
        message: None,
        workflow: subject.workflow,
        once: None,
        due: None,
        now,
    };
    event::insert(tx, &draft)?;
    Ok(())
}

/// None if it was deleted: the state went with it, and there is nothing to tell.
fn subject(connection: &Connection, over: &Over) -> Done<Option<Subject>> {
    let is = |kind| over.kind == kind_number(kind);
    let mut subject = Subject {
        kind: StateKind::Bot,
        conversation: None,
        user: None,
        workflow: None,
    };
    if is(StateKind::Conversation) {
        let Some(id) = rows::value(connection, CONVERSATION, [over.subject])? else {
            return Ok(None);
        };
        subject.kind = StateKind::Conversation;
        subject.conversation = Some((over.subject, ConversationId::from_bytes(id)));
    } else if is(StateKind::User) {
        let Some(id) = rows::value(connection, USER, [over.subject])? else {
            return Ok(None);
        };
        subject.kind = StateKind::User;
        subject.user = Some((over.subject, UserId::from_bytes(id)));
    } else if is(StateKind::Integration) {
        subject.kind = StateKind::Integration;
    } else if is(StateKind::Workflow) {
        if !workflow::exists(connection, over.subject)? {
            return Ok(None);
        }
        subject.kind = StateKind::Workflow;
        subject.workflow = Some(over.subject);
    }
    Ok(Some(subject))
}
