//! What is gathered behind the writers: how far it is, and who moves it on.
//!
//! A new row lies behind a mark and costs its writer nothing there. The mark moves in bounded steps:
//! while nothing waits for the writer, and before an answer up to what was there when it was asked
//! for.

use switchboard_model::{Error, Result};
use switchboard_store::TagKind;

use crate::failure::Done;
use crate::writer::Tx;
use crate::{SqliteStore, message_tag, rows, tag_value};

/// Rows that a step gathers at most. Fewer than these are left to whoever asks.
pub(crate) const ROWS: i64 = 1000;
/// Steps that a question waits for.
const PATIENCE: usize = 100;

const MARK: &str = "SELECT upto FROM tag_mark WHERE kind = ?1";
const SET_MARK: &str = "UPDATE tag_mark SET upto = ?2 WHERE kind = ?1";

/// What is gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The values that tags have, counted.
    Values(TagKind),
    /// The index of messages' tags.
    MessageTags,
}

impl Mark {
    const ALL: [Self; 4] = [
        Self::Values(TagKind::Conversation),
        Self::Values(TagKind::User),
        Self::Values(TagKind::Message),
        Self::MessageTags,
    ];

    const fn number(self) -> u8 {
        match self {
            Self::Values(kind) => tag_value::number(kind),
            Self::MessageTags => 3,
        }
    }

    const fn last_sql(self) -> &'static str {
        match self {
            Self::Values(kind) => tag_value::last_sql(kind),
            Self::MessageTags => tag_value::last_sql(TagKind::Message),
        }
    }

    /// The number of the last row that is gathered.
    pub(crate) fn upto(self, connection: &rusqlite::Connection) -> Done<i64> {
        rows::value(connection, MARK, [self.number()])?.ok_or_else(|| rows::gone("a mark"))
    }

    fn last(self, connection: &rusqlite::Connection) -> Done<i64> {
        Ok(rows::value(connection, self.last_sql(), [])?.unwrap_or(0))
    }

    /// Moves the mark over some rows. Tells how many; none only if there are no more.
    pub(crate) fn gather(self, tx: &mut Tx<'_>) -> Done<i64> {
        let upto = self.upto(tx.connection)?;
        let (taken, upto) = match self {
            Self::Values(kind) => tag_value::gather(tx.connection, kind, upto)?,
            Self::MessageTags => message_tag::gather(tx.connection, upto)?,
        };
        if taken > 0 {
            rows::execute(tx.connection, SET_MARK, [i64::from(self.number()), upto])?;
        }
        Ok(taken)
    }
}

impl SqliteStore {
    /// Gathers what was there when this was called. What comes in later does not hold it up.
    pub(crate) async fn gather_up_to_now(&self, mark: Mark) -> Result<()> {
        let asked = self.read(|connection| mark.last(connection)).await?;
        let mut steps = 0;
        loop {
            let upto = self.read(|connection| mark.upto(connection)).await?;
            if upto >= asked {
                return Ok(());
            }
            if steps == PATIENCE {
                return Err(Error::Unavailable {
                    reason: format!(
                        "the tags of what is new are being gathered, {upto} of {asked} rows are \
                         done; ask again in a while"
                    ),
                });
            }
            steps += 1;
            // The last rows may have been removed meanwhile.
            if self.write(move |tx| mark.gather(tx)).await? == 0 {
                return Ok(());
            }
        }
    }

    /// Moves a mark that is far behind by one step, unless somebody waits for the writer. Tells by how
    /// many rows.
    pub(crate) async fn gather_some(&self) -> Result<usize> {
        for mark in Mark::ALL {
            if !self.is_waited_for()
                && self
                    .read(|connection| Ok(mark.last(connection)? - mark.upto(connection)?))
                    .await?
                    >= ROWS
            {
                let taken = self.write(move |tx| mark.gather(tx)).await?;
                return Ok(usize::try_from(taken).unwrap_or_default());
            }
        }
        Ok(0)
    }
}
