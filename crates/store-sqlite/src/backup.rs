//! Copies of a database that is in use, and what can be found out about one from its file alone.
//!
//! Promises: a copy is one state of the database, that of a moment after the copy was begun, whatever
//! is written meanwhile; it is on disk when this returns; and a database that is looked at is not
//! changed.
//! What never happens here: a lock that holds up the writer. A long copy makes the log longer, for
//! it cannot start anew while somebody reads its old pages.

use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};
use switchboard_model::{Error, Result};

use crate::failure::{Done, Failure};
use crate::schema;

/// Pages that are copied at once.
const STEP: i32 = 512;
/// The pause after each step, so that the server's own reads and writes come through.
const PAUSE: Duration = Duration::from_millis(2);

/// How many rows there are of what matters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Bots.
    pub bots: i64,
    /// Conversations.
    pub conversations: i64,
    /// Users.
    pub users: i64,
    /// Messages.
    pub messages: i64,
    /// Events.
    pub events: i64,
    /// Deliveries.
    pub deliveries: i64,
}

/// What a database's file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Its schema's version.
    pub version: usize,
    /// What the check found; empty if nothing is wrong.
    pub faults: Vec<String>,
    /// Whether the check came to its end in time.
    pub whole: bool,
}

/// Copies the database at `from` to a new file at `to`, and tells how many rows were there. `progress`
/// is told how many pages of how many are copied.
pub fn copy(from: &Path, to: &Path, progress: impl FnMut(u64, u64)) -> Result<Counts> {
    copied(from, to, progress).map_err(Failure::into_error)
}

/// Looks whether the database at `path` is whole, each page and each row of it, and counts its rows.
pub fn verify(path: &Path) -> Result<Counts> {
    let checked = || -> Done<Counts> {
        let connection = look_at(path)?;
        schema::version(&connection)?;
        let faults = check(&connection, "PRAGMA integrity_check(5)")?;
        if let Some(fault) = faults.first() {
            return Err(Failure::Refused(Error::Unavailable {
                reason: format!("{} is damaged: {fault}; use another backup", path.display()),
            }));
        }
        counts(&connection)
    };
    checked().map_err(Failure::into_error)
}

/// Checks the database at `path`, which may be in use: its pages, with `deep` also that rows and
/// indexes agree. The check ends after `limit` with what it has found by then.
pub fn inspect(path: &Path, deep: bool, limit: Duration) -> Result<Inspection> {
    let inspected = || -> Done<Inspection> {
        let mut connection = look_at(path)?;
        let version = schema::version(&connection)?;
        let begun = std::time::Instant::now();
        connection.progress_handler(10_000, Some(move || begun.elapsed() > limit))?;
        let sql = if deep {
            "PRAGMA integrity_check(5)"
        } else {
            "PRAGMA quick_check(5)"
        };
        let (faults, whole) = match check(&connection, sql) {
            Err(Failure::Sql(error))
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) =>
            {
                (Vec::new(), false)
            }
            faults => (faults?, true),
        };
        Ok(Inspection {
            version,
            faults,
            whole,
        })
    };
    inspected().map_err(Failure::into_error)
}

/// What a start needs to know of a database before it opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance {
    /// Whether it has bots: a server has started on it.
    pub begun: bool,
    /// Whether it holds secrets that only their encryption key opens.
    pub sealed: bool,
}

/// Looks what the database at `path` is, without a check. A file without a byte is not opened: `SQLite`
/// would throw its log away.
pub fn glance(path: &Path) -> Result<Glance> {
    let nothing = Glance {
        begun: false,
        sealed: false,
    };
    if std::fs::metadata(path).is_ok_and(|found| found.len() == 0) {
        return Ok(nothing);
    }
    let glanced = || -> Done<Glance> {
        let connection = look_at(path)?;
        if schema::version(&connection)? == 0 {
            return Ok(nothing);
        }
        let any = |rows: &str| -> Done<bool> {
            let sql = format!("SELECT EXISTS (SELECT 1 FROM {rows})");
            Ok(connection.query_row(&sql, [], |row| row.get(0))?)
        };
        Ok(Glance {
            begun: any("bot")?,
            sealed: any("integration WHERE secret IS NOT NULL")?,
        })
    };
    glanced().map_err(Failure::into_error)
}

/// The version of the schema that this program writes.
pub fn known_version() -> usize {
    schema::known()
}

fn copied(from: &Path, to: &Path, mut progress: impl FnMut(u64, u64)) -> Done<Counts> {
    let source = look_at(from)?;
    schema::version(&source)?;
    // Held throughout: without, each write of the server would begin the copy anew.
    source.execute_batch("BEGIN")?;
    let counted = counts(&source)?;
    let mut target = Connection::open(to)?;
    {
        let backup = Backup::new(&source, &mut target)?;
        loop {
            let step = backup.step(STEP)?;
            let at = backup.progress();
            let pages = |count: i32| u64::try_from(count).unwrap_or(0);
            progress(pages(at.pagecount - at.remaining), pages(at.pagecount));
            match step {
                StepResult::Done => break,
                _ => std::thread::sleep(PAUSE),
            }
        }
    }
    source.execute_batch("COMMIT")?;
    // One file, complete in itself.
    target.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(()))?;
    target.close().map_err(|(_, error)| error)?;
    std::fs::File::open(to)
        .and_then(|file| file.sync_all())
        .map_err(|error| Failure::damage(format!("{} is not on disk: {error}", to.display())))?;
    Ok(counted)
}

/// A connection that changes nothing.
pub(crate) fn look_at(path: &Path) -> Done<Connection> {
    // A read-only connection could not read the log of a database that nobody has open.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn check(connection: &Connection, sql: &str) -> Done<Vec<String>> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    let found: Vec<String> = rows.collect::<rusqlite::Result<_>>()?;
    Ok(found.into_iter().filter(|line| line != "ok").collect())
}

fn counts(connection: &Connection) -> Done<Counts> {
    let count = |table: &str| -> Done<i64> {
        let sql = format!("SELECT count(*) FROM {table}");
        Ok(connection.query_row(&sql, [], |row| row.get(0))?)
    };
    Ok(Counts {
        bots: count("bot")?,
        conversations: count("conversation")?,
        users: count("user")?,
        messages: count("message")?,
        events: count("event")? + count("message WHERE announced = 1")?,
        deliveries: count("delivery")?,
    })
}
