//! Looking at what is new: whether anything is before it in its line.
//!
//! A claim goes through the new deliveries of its destination in the order in which they came. One
//! before which nothing of its line is unfinished can be taken at once; any other is queued in its
//! line. So all that was looked at in a line comes before all that is new there, and each delivery is
//! looked at once, however much waits.
//!
//! What never happens here: a look at more than a claim is allowed, or at one behind another that is
//! still new.

use rusqlite::{Connection, Row};

use crate::failure::Done;
use crate::rows;

pub(crate) const FIRST: &str = "SELECT id, conversation, due_at, trying_since IS NOT NULL
    FROM delivery WHERE destination = ?1 AND status = -1 ORDER BY id LIMIT 1";
pub(crate) const ANY: &str =
    "SELECT 1 FROM delivery WHERE destination = ?1 AND status = -1 LIMIT 1";
pub(crate) const BUSY: &str = "SELECT 1 FROM delivery
    WHERE destination = ?1 AND conversation = ?2 AND status BETWEEN 0 AND 2 LIMIT 1";
const QUEUE: &str = "UPDATE delivery SET status = 0 WHERE id = ?1";
const READY: &str = "UPDATE delivery SET status = 1, due_at = min(due_at, ?2)
    WHERE id = ?1 AND status = -1";
pub(crate) const ANEW: &str = "UPDATE delivery SET status = -1
    WHERE destination = ?1 AND conversation = ?2 AND status BETWEEN 0 AND 2 AND status <> 2";

/// How many a claim looks at: a crowd of one line does not hold up the writer. The next claim follows
/// at once.
pub(crate) const AT_ONCE: usize = 512;

/// One that can be taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) id: i64,
    pub(crate) due_at: i64,
    /// Whether it was tried before.
    pub(crate) again: bool,
}

/// One that is new.
struct New {
    head: Head,
    conversation: Option<i64>,
}

/// A claim on its way through what is new.
pub(crate) struct Looking<'a> {
    connection: &'a Connection,
    destination: i64,
    left: usize,
    next: Option<New>,
}

impl<'a> Looking<'a> {
    pub(crate) fn new(connection: &'a Connection, destination: i64) -> Self {
        Self {
            connection,
            destination,
            left: AT_ONCE,
            next: None,
        }
    }

    /// Since when the next one waits, if there is one that may be looked at. The one before it is
    /// taken by now.
    pub(crate) fn waits_since(&mut self) -> Done<Option<i64>> {
        if self.next.is_none() && self.left > 0 {
            self.next = rows::one(self.connection, FIRST, [self.destination], new)?;
            self.left = match self.next {
                Some(_) => self.left - 1,
                None => 0,
            };
        }
        Ok(self.next.as_ref().map(|next| next.head.due_at))
    }

    /// Looks at the next one, and gives it if it is the first of its line. What is given is new until
    /// it is taken or made [`ready`].
    pub(crate) fn look(&mut self) -> Done<Option<Head>> {
        let Some(New { head, conversation }) = self.next.take() else {
            return Ok(None);
        };
        if let Some(conversation) = conversation {
            let line = [self.destination, conversation];
            if rows::value::<i64>(self.connection, BUSY, line)?.is_some() {
                rows::execute(self.connection, QUEUE, [head.id])?;
                return Ok(None);
            }
        }
        Ok(Some(head))
    }
}

fn new(row: &Row<'_>) -> rusqlite::Result<New> {
    Ok(New {
        head: Head {
            id: row.get(0)?,
            due_at: row.get(2)?,
            again: row.get(3)?,
        },
        conversation: row.get(1)?,
    })
}

/// Whether anything of a destination is new.
pub(crate) fn has_new(connection: &Connection, destination: i64) -> Done<bool> {
    Ok(rows::value::<i64>(connection, ANY, [destination])?.is_some())
}

/// Leaves one that is new and the first of its line to a later claim.
pub(crate) fn ready(connection: &Connection, id: i64, now: i64) -> Done<()> {
    rows::execute(connection, READY, [id, now])?;
    Ok(())
}

/// Lets all that waits in a line be looked at again, where another line is to come between. Tells
/// whether anything does.
pub(crate) fn anew(connection: &Connection, destination: i64, conversation: i64) -> Done<bool> {
    Ok(rows::execute(connection, ANEW, [destination, conversation])? > 0)
}
