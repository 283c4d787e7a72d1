//! How large a database is, beside what it holds; told from a few pages, however much there is.
//!
//! A message costs its text (payload and tags, the tags twice more in small) and a fixed part: its
//! row, what it is found by, and its delivery; in a database that is older also the row of the event
//! that announces it. The test that
//! this holds is beside this file; docs/performance.md says what each part takes.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _};
use switchboard_model::Result;

use crate::backup::look_at;
use crate::checkpoint;
use crate::failure::{Done, Failure};

/// What a message may take beside its text, in bytes.
const FIXED: u64 = 1536;
/// How often its text: on pages that are not full, in an earlier version, in an answer.
const TEXTS: u64 = 4;
/// With fewer, what a database has anyway counts for more than what is in it.
const ENOUGH: u64 = 10_000;
/// The longest that the log gets while nobody reads its old pages, in bytes.
pub const LOG_BOUND: u64 = checkpoint::LARGE.unsigned_abs() * 4096;

const FIRST: &str = "SELECT id FROM message ORDER BY id LIMIT 1";
const LAST: &str = "SELECT id FROM message ORDER BY id DESC LIMIT 1";
const TEXT: &str = "SELECT coalesce(avg(size), 0) FROM (
    SELECT octet_length(payload) + octet_length(tags) AS size
    FROM message ORDER BY id DESC LIMIT 1000)";
// Not `pgsize`, which is wrong from 2 GiB on.
const PARTS: &str = "SELECT name, pageno * (SELECT page_size FROM pragma_page_size)
    FROM dbstat WHERE aggregate = TRUE ORDER BY pageno DESC";

/// How large a database is. All sizes are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Of what is in it, without pages that wait to be used again.
    pub used: u64,
    /// Of pages that wait to be used again.
    pub free: u64,
    /// Of the log beside it.
    pub log: u64,
    /// How many messages there are, about: numbers from the first to the last.
    pub messages: u64,
    /// The mean of payload and tags of the last thousand messages.
    pub text: u64,
}

impl Size {
    /// What a message takes, if there are enough to tell.
    pub fn a_message(&self) -> Option<u64> {
        (self.messages >= ENOUGH).then(|| self.used / self.messages)
    }

    /// What a message may take.
    pub const fn bound(&self) -> u64 {
        FIXED + TEXTS * self.text
    }
}

/// Looks at the database at `path`, which may be in use.
pub fn look(path: &Path) -> Result<Size> {
    let looked = || -> Done<Size> {
        let connection = look_at(path)?;
        let number = |name: &str| -> Done<u64> {
            let number: i64 = connection.pragma_query_value(None, name, |row| row.get(0))?;
            Ok(number.unsigned_abs())
        };
        let (page, pages) = (number("page_size")?, number("page_count")?);
        let free = number("freelist_count")?;
        let id = |sql: &str| -> Done<Option<i64>> {
            Ok(connection.query_row(sql, [], |row| row.get(0)).optional()?)
        };
        let messages = match (id(FIRST)?, id(LAST)?) {
            (Some(first), Some(last)) => last.abs_diff(first) + 1,
            _ => 0,
        };
        Ok(Size {
            used: (pages - free) * page,
            free: free * page,
            log: log(path),
            messages,
            text: text(&connection)?,
        })
    };
    looked().map_err(Failure::into_error)
}

/// What each table and index takes, the largest first. It reads each page.
pub fn parts(path: &Path) -> Result<Vec<(String, u64)>> {
    let looked = || -> Done<Vec<(String, u64)>> {
        let connection = look_at(path)?;
        let mut statement = connection.prepare(PARTS)?;
        let rows = statement.query_map([], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    };
    looked().map_err(Failure::into_error)
}

fn text(connection: &Connection) -> Done<u64> {
    let mean: f64 = connection.query_row(TEXT, [], |row| row.get(0))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a mean of lengths, which have a limit"
    )]
    let mean = mean as u64;
    Ok(mean)
}

fn log(path: &Path) -> u64 {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(PathBuf::from(log)).map_or(0, |found| found.len())
}
