//! What can go wrong inside, before it is put into the model's words.

use deadpool_postgres::PoolError;
use switchboard_model::Error;
use tokio_postgres::error::SqlState;

pub(crate) type Done<T> = Result<T, Failure>;

/// Why a command was not done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command itself cannot be done.
    Refused(Error),
    /// PostgreSQL says so, or the connection to it is gone.
    Sql(tokio_postgres::Error),
    /// There is no connection to be had.
    Unreachable(String),
    /// What is stored is not as it must be.
    Damage(String),
    /// What was found without the lock of its scope had changed when it was locked.
    Moved,
}

impl Failure {
    pub(crate) fn damage(cause: impl std::fmt::Display) -> Self {
        Self::Damage(cause.to_string())
    }

    /// Whether the same command, run again from its start, may well succeed. Nothing was written.
    ///
    /// A unique violation is one: two transactions made the same thing at once, and the second try
    /// sees what the first has committed.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Moved => true,
            Self::Sql(error) => {
                error.is_closed()
                    || matches!(
                        error.code(),
                        Some(
                            &SqlState::T_R_SERIALIZATION_FAILURE
                                | &SqlState::T_R_DEADLOCK_DETECTED
                                | &SqlState::UNIQUE_VIOLATION
                        )
                    )
            }
            Self::Refused(_) | Self::Unreachable(_) | Self::Damage(_) => false,
        }
    }

    /// What the caller is told. Nothing was written.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Refused(error) => error,
            Self::Sql(error) => sql(&error),
            Self::Unreachable(reason) => Error::Unavailable { reason },
            Self::Damage(text) => Error::Internal(text),
            Self::Moved => Error::Busy,
        }
    }
}

/// Never the details, which name the values of rows.
fn sql(error: &tokio_postgres::Error) -> Error {
    let Some(database) = error.as_db_error() else {
        return if error.is_closed() {
            Error::Unavailable {
                reason: "the connection to the database broke; see that it runs, and try again"
                    .to_owned(),
            }
        } else if let Some(cause) = std::error::Error::source(error)
            && cause.is::<std::io::Error>()
        {
            Error::Unavailable {
                reason: format!("the database cannot be reached ({cause}); see that it runs"),
            }
        } else {
            Error::Internal(error.to_string())
        };
    };
    let unavailable = |advice: &str| Error::Unavailable {
        reason: format!("{advice} ({})", database.message()),
    };
    match *database.code() {
        SqlState::T_R_SERIALIZATION_FAILURE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::LOCK_NOT_AVAILABLE
        | SqlState::QUERY_CANCELED => Error::Busy,
        SqlState::DISK_FULL => unavailable("the database's disk is full; free some space"),
        SqlState::TOO_MANY_CONNECTIONS => {
            unavailable("the database takes no more connections; raise its max_connections")
        }
        SqlState::CANNOT_CONNECT_NOW
        | SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => {
            unavailable("the database is starting or stopping; try again")
        }
        SqlState::READ_ONLY_SQL_TRANSACTION => {
            unavailable("the database is read-only; connect to its primary")
        }
        SqlState::INSUFFICIENT_PRIVILEGE => {
            unavailable("the database user may not do this; make it the owner of the database")
        }
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            unavailable("the database refuses this user; check the name and password in the URL")
        }
        SqlState::UNDEFINED_DATABASE => {
            unavailable("there is no such database; create it, or correct the URL")
        }
        _ => Error::Internal(format!(
            "{} ({})",
            database.message(),
            database.code().code()
        )),
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<PoolError> for Failure {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => Self::Sql(error),
            PoolError::Timeout(_) => Self::Unreachable(
                "no connection to the database became free in time; see that it runs and is not \
                 overloaded"
                    .to_owned(),
            ),
            PoolError::Closed => Self::Refused(crate::closed()),
            other => Self::Unreachable(other.to_string()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}
