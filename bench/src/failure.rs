//! Why there is no table.

/// Why a measurement could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Files, processes, connections.
    #[error("{0}; check the disk, the limits of this machine, and the log above")]
    Io(#[from] std::io::Error),
    /// The raw statements: they no longer fit the schema, if they were not changed with it.
    #[error("SQLite: {0}; compare bench/src/raw with the schema and the store's statements")]
    Sql(#[from] rusqlite::Error),
    /// What a process said is not what was expected of it.
    #[error("JSON: {0}; compare what the server says with docs/automation.md")]
    Json(#[from] serde_json::Error),
    /// The product refused.
    #[error("the engine refused: {0}")]
    Model(#[from] switchboard_model::Error),
    /// Anything else, with what to do.
    #[error("{0}")]
    Other(String),
}

/// What a measurement gives.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// A failure in words.
pub(crate) fn failed<T>(text: impl Into<String>) -> Result<T> {
    Err(Failure::Other(text.into()))
}
