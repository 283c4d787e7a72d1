//! One commit: commands in one transaction, of which those that are refused leave nothing.
//!
//! Nearly all commands succeed, or are refused before they write. So they run one behind the other
//! with nothing around them, for a savepoint copies each page that its command changes. Where one is
//! refused after it has written, the transaction is rolled back and all run again, each in a savepoint.
//!
//! What never happens here: a change told, or an answer given, of a run that was rolled back.

use rusqlite::{Connection, ErrorCode};
use switchboard_model::Error;
use switchboard_store::Change;

use super::{Job, Tx};
use crate::Shared;
use crate::failure::Failure;

const BEGIN: &str = "BEGIN IMMEDIATE";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";
const SAVEPOINT: &str = "SAVEPOINT command";
const RELEASE: &str = "RELEASE command";
const ROLLBACK_TO: &str = "ROLLBACK TO command";

/// What is left of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// All that it wrote, or nothing if it was refused.
    Whole,
    /// Something, although it was refused.
    Part,
}

/// Runs commands and commits them to the log. Gives what is to be told once it is on disk.
pub(super) fn all(
    shared: &Shared,
    connection: &Connection,
    jobs: &mut [Box<dyn Job>],
) -> Result<Vec<Change>, Error> {
    let tx = match run(shared, connection, jobs, bare)? {
        (tx, Left::Whole) => tx,
        (_, Left::Part) => {
            roll_back(shared, connection)?;
            for job in jobs.iter_mut() {
                job.forget();
            }
            run(shared, connection, jobs, in_savepoint)?.0
        }
    };
    // Until the commit is over, whatever becomes of it, and so before anyone is answered.
    let _changing = tx.access.then(|| shared.known.changing());
    shared.durable.committing(tx.access);
    match execute(connection, COMMIT) {
        Ok(()) => Ok(tx.changes),
        Err(error) => {
            let code = error.sqlite_error_code();
            if matches!(
                code,
                Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
            ) {
                roll_back(shared, connection)?;
                return Err(lost(error));
            }
            // Whether the log holds the commit is unknown, and a second fsync may claim a success
            // that never was. Only a new start, which reads the log from disk, can tell.
            shared.poison(&error.to_string());
            Err(Error::OutcomeUnknown)
        }
    }
}

/// Begins a transaction and runs commands in it, up to one of which a part is left. `Err` means that
/// there is no transaction any more.
fn run<'a>(
    shared: &Shared,
    connection: &'a Connection,
    jobs: &mut [Box<dyn Job>],
    one: impl Fn(&mut Tx<'_>, &mut dyn Job) -> Result<Left, Error>,
) -> Result<(Tx<'a>, Left), Error> {
    execute(connection, BEGIN).map_err(lost)?;
    let mut tx = Tx::new(shared, connection);
    for job in jobs {
        match one(&mut tx, job.as_mut()) {
            Ok(Left::Whole) => {}
            Ok(Left::Part) => return Ok((tx, Left::Part)),
            Err(error) => {
                // A full disk or a broken page ends the whole transaction, not only the command.
                roll_back(shared, connection)?;
                return Err(error);
            }
        }
    }
    Ok((tx, Left::Whole))
}

/// Runs one command with nothing around it. A statement that fails undoes itself, and counts as none.
fn bare(tx: &mut Tx<'_>, job: &mut dyn Job) -> Result<Left, Error> {
    let told = tx.changes.len();
    let written = tx.connection.total_changes();
    let done = job.run(tx);
    check_open(tx.connection)?;
    if done.is_ok() {
        return Ok(Left::Whole);
    }
    tx.undo(told);
    if tx.connection.total_changes() == written {
        Ok(Left::Whole)
    } else {
        Ok(Left::Part)
    }
}

/// Runs one command and undoes what it wrote if it is refused.
fn in_savepoint(tx: &mut Tx<'_>, job: &mut dyn Job) -> Result<Left, Error> {
    let told = tx.changes.len();
    execute(tx.connection, SAVEPOINT).map_err(lost)?;
    let done = job.run(tx);
    check_open(tx.connection)?;
    if done.is_err() {
        tx.undo(told);
        execute(tx.connection, ROLLBACK_TO).map_err(lost)?;
    }
    execute(tx.connection, RELEASE).map_err(lost)?;
    Ok(Left::Whole)
}

fn check_open(connection: &Connection) -> Result<(), Error> {
    if connection.is_autocommit() {
        return Err(Error::Unavailable {
            reason: "the database ended the transaction; see the log for why, and try again"
                .to_owned(),
        });
    }
    Ok(())
}

fn roll_back(shared: &Shared, connection: &Connection) -> Result<(), Error> {
    if connection.is_autocommit() {
        return Ok(());
    }
    execute(connection, ROLLBACK).map_err(|error| {
        // A transaction that can neither commit nor roll back would take every later command in.
        shared.poison(&error.to_string());
        lost(error)
    })
}

fn lost(error: rusqlite::Error) -> Error {
    Failure::Sql(error).into_error()
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}
