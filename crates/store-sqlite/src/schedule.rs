//! What waits for its time: events and messages that are handed on later.
//!
//! Each waits apart from the lines of the outbox, so that it holds up nothing, and comes to the end
//! of its line when its time has come: the first claim for bots after that takes it there, also what
//! goes to a channel, for a channel that is switched off claims nothing. The worker sleeps until the
//! next is due, so that nothing is looked for and nothing written while none is.

use rusqlite::{Connection, Row, params};
use switchboard_model::{DeliveryId, Event, EventId, MessageId, Timestamp};

use crate::failure::Done;
use crate::outbox::{self, Enqueue};
use crate::rows::{self, ConversationRow};
use crate::writer::Tx;
use crate::{conversation, event, message, workflow};

/// When the next is due.
pub(crate) const NEXT: &str = "SELECT min(due_at) FROM schedule WHERE due_at IS NOT NULL";
const INSERT: &str = "INSERT INTO schedule
    (bot, event, message, delivery, due_at)
    VALUES (?1, ?2, ?3, ?4, ?5)";
const DUE: &str = "SELECT s.id, s.bot, s.event, s.message, s.delivery, m.public,
        coalesce(e.conversation, m.conversation), m.user, m.direction, e.workflow
    FROM (SELECT * FROM schedule WHERE due_at <= ?1 ORDER BY due_at, id LIMIT ?2) s
    LEFT JOIN event e ON e.id = s.event
    LEFT JOIN message m ON m.id = s.message
    ORDER BY s.due_at, s.id";
const DONE: &str = "DELETE FROM schedule WHERE id = ?1";
const CANCEL: &str = "UPDATE schedule SET due_at = NULL
    WHERE event = (SELECT id FROM event WHERE public = ?1)";
const FORGET_EVENT: &str = "DELETE FROM schedule WHERE event = ?1";
const FORGET_MESSAGE: &str = "DELETE FROM schedule WHERE message = ?1";

/// How many come due in one claim: a crowd does not hold up the writer. The next claim follows at
/// once.
const AT_ONCE: usize = 200;

/// What has come due.
struct Due {
    id: i64,
    bot: i64,
    event: Option<i64>,
    message: Option<i64>,
    delivery: [u8; 16],
    public: Option<[u8; 16]>,
    conversation: Option<i64>,
    user: Option<i64>,
    outgoing: Option<bool>,
    workflow: Option<i64>,
}

fn due(row: &Row<'_>) -> rusqlite::Result<Due> {
    Ok(Due {
        id: row.get(0)?,
        bot: row.get(1)?,
        event: row.get(2)?,
        message: row.get(3)?,
        delivery: row.get(4)?,
        public: row.get(5)?,
        conversation: row.get(6)?,
        user: row.get(7)?,
        outgoing: row.get(8)?,
        workflow: row.get(9)?,
    })
}

/// Lets an event wait for its time.
pub(crate) fn event(tx: &mut Tx<'_>, new: Enqueue, due: Timestamp) -> Done<()> {
    let keys = params![
        new.bot,
        new.event,
        new.message,
        new.id.to_bytes(),
        due.as_millis()
    ];
    rows::insert(tx.connection, INSERT, keys)?;
    outbox::told(tx, outbox::BOTS)
}

/// Lets a message wait for its time, with the id of its delivery.
pub(crate) fn message(
    tx: &mut Tx<'_>,
    conversation: &ConversationRow,
    message: i64,
    delivery: DeliveryId,
    due: Timestamp,
) -> Done<()> {
    let no_event: Option<i64> = None;
    let keys = params![
        conversation.bot,
        no_event,
        message,
        delivery.to_bytes(),
        due.as_millis()
    ];
    rows::insert(tx.connection, INSERT, keys)?;
    outbox::told(tx, outbox::BOTS)
}

/// Cancels an event that is scheduled.
pub(crate) fn cancel_event(connection: &Connection, event: EventId) -> Done<()> {
    rows::execute(connection, CANCEL, [event.to_bytes()])?;
    Ok(())
}

/// Forgets what an event that goes waited for.
pub(crate) fn forget_event(connection: &Connection, event: i64) -> Done<()> {
    rows::execute(connection, FORGET_EVENT, [event])?;
    Ok(())
}

/// Forgets what a message that goes waited for.
pub(crate) fn forget_message(connection: &Connection, message: i64) -> Done<()> {
    rows::execute(connection, FORGET_MESSAGE, [message])?;
    Ok(())
}

/// Takes what has come due to the ends of its lines, longest due first.
pub(crate) fn come_due(tx: &mut Tx<'_>, now: Timestamp) -> Done<()> {
    let keys = [now.as_millis(), rows::as_limit(AT_ONCE)];
    for due in rows::all(tx.connection, DUE, keys, due)? {
        rows::execute(tx.connection, DONE, [due.id])?;
        let delivery = DeliveryId::from_bytes(due.delivery);
        match due.message {
            Some(message) if due.event.is_none() => {
                message_due(tx, &due, message, delivery, now)?;
            }
            _ => {
                let new = Enqueue {
                    action: outbox::SEND,
                    id: delivery,
                    bot: due.bot,
                    destination: outbox::BOTS,
                    conversation: due.conversation,
                    event: due.event,
                    message: None,
                    now,
                };
                outbox::enqueue(tx, new)?;
                if let Some(workflow) = due.workflow {
                    workflow::wake(tx, workflow, now)?;
                }
            }
        }
    }
    Ok(())
}

fn message_due(
    tx: &mut Tx<'_>,
    due: &Due,
    message: i64,
    delivery: DeliveryId,
    now: Timestamp,
) -> Done<()> {
    let (Some(conversation), Some(user)) = (due.conversation, due.user) else {
        return Err(rows::gone("a scheduled message"));
    };
    // Its conversation was deleted meanwhile, and it goes with it.
    let Some(mut conversation) = conversation::by_number(tx.connection, conversation)? else {
        return Ok(());
    };
    message::arrive(tx, &mut conversation, message, now)?;
    if due.outgoing == Some(true) {
        message::send(tx, &conversation, message, delivery, now).map(drop)
    } else {
        let public = due.public.map(MessageId::from_bytes);
        let public = public.ok_or_else(|| rows::gone("the id of a message"))?;
        let announcement = event::Draft {
            id: EventId::from(public),
            delivery,
            bot: conversation.bot,
            kind: Event::MESSAGE_CREATED,
            payload: None,
            conversation: Some(conversation.id),
            user: Some(user),
            message: Some(message),
            workflow: None,
            once: None,
            due: None,
            now,
        };
        event::insert(tx, &announcement).map(drop)
    }
}
