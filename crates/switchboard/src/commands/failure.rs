//! Why a command failed, and its exit code.

use std::path::Path;
use std::process::ExitCode;

use switchboard_model::Error;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The settings are not as they must be.
    #[error("{0}")]
    Config(String),
    /// The data folder cannot be used.
    #[error("{0}")]
    Folder(String),
    /// A server runs, or should, and cannot be reached.
    #[error("{0}")]
    Unreachable(String),
    /// What was asked for does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The server refused.
    #[error("{0}")]
    Refused(String),
    /// The model or the store refused.
    #[error("{0}")]
    Model(#[from] Error),
    /// Reading or writing failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// It took too long.
    #[error("{0}")]
    Timeout(String),
}

impl Failure {
    /// Whether whoever read the output has gone away, as in `| head`: no failure worth words.
    pub(crate) fn is_closed_output(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// The documented exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.is_closed_output() {
            return ExitCode::SUCCESS;
        }
        ExitCode::from(match self {
            Self::Model(error) => of_model(error),
            Self::Refused(_) | Self::Io(_) => 1,
            Self::Config(_) => 2,
            Self::NotFound(_) => 3,
            Self::Folder(_) | Self::Unreachable(_) => 4,
            Self::Timeout(_) => 5,
        })
    }
}

/// The same codes as where a server gives the same answer.
fn of_model(error: &Error) -> u8 {
    match error {
        Error::NotFound { .. } => 3,
        Error::Busy | Error::Unavailable { .. } | Error::OutcomeUnknown => 4,
        _ => 1,
    }
}

/// Reads a text in a file that was named in the arguments.
pub(crate) fn read_named(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| {
        let shown = file.display();
        match error.kind() {
            std::io::ErrorKind::NotFound => {
                Failure::NotFound(format!("{shown} is not there; check the path"))
            }
            _ => Failure::Refused(format!("{shown} cannot be read: {error}")),
        }
    })
}
