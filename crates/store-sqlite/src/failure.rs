//! What can go wrong inside, before it is put into the model's words.

use rusqlite::ErrorCode;
use switchboard_model::Error;

pub(crate) type Done<T> = Result<T, Failure>;

/// Why a command was not done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command itself cannot be done.
    Refused(Error),
    /// SQLite says so.
    Sql(rusqlite::Error),
    /// What is stored is not as it must be.
    Damage(String),
}

impl Failure {
    pub(crate) fn damage(cause: impl std::fmt::Display) -> Self {
        Self::Damage(cause.to_string())
    }

    /// What the caller is told. Nothing was written.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Refused(error) => error,
            Self::Sql(error) => sql(&error),
            Self::Damage(text) => Error::Internal(text),
        }
    }
}

fn sql(error: &rusqlite::Error) -> Error {
    let reason = |what: &str| Error::Unavailable {
        reason: format!("{what} ({error})"),
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => reason("the disk is full; free some space"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Busy,
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            reason("the database cannot be written; check the rights of its file and folder")
        }
        Some(ErrorCode::SystemIoFailure) => reason("the disk does not answer as it must"),
        Some(ErrorCode::NotADatabase) => {
            reason("the file is no database, or it is damaged; check the path, or restore a backup")
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            reason("the database is damaged; stop the server and restore a backup")
        }
        Some(ErrorCode::OutOfMemory) => reason("there is no memory left"),
        _ => Error::Internal(error.to_string()),
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}
