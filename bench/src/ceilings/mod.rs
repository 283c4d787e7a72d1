//! The ceilings of one machine beside each other: what the server does, and what it could have done
//! instead. Nothing of the server runs where they are measured.
//!
//! The ways of one question take turns, and each round's ratios are its own, as in the other rows.

mod reads;
mod report;
mod writes;

use std::path::{Path, PathBuf};

use switchboard_store::Store as _;

use crate::failure::Result;
use crate::ingest::{Fresh, THREADS};
use crate::measure::Effort;
use crate::raw::{self, Schema};
use crate::stored::Stored;
use crate::update::Threads;

pub(crate) use report::{Way, table};

/// What two or more ways are an answer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    Schema,
    /// What the parts of the server's own schema cost.
    Parts,
    Checkpoints,
    Syncs,
    Savepoints,
    Cache,
    Reads,
}

impl Question {
    /// In the order of the table.
    pub(crate) const ALL: [Self; 7] = [
        Self::Schema,
        Self::Parts,
        Self::Checkpoints,
        Self::Syncs,
        Self::Savepoints,
        Self::Cache,
        Self::Reads,
    ];

    /// As `--rows` names it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Schema => "ceilings schema",
            Self::Parts => "ceilings parts",
            Self::Checkpoints => "ceilings checkpoints",
            Self::Syncs => "ceilings syncs",
            Self::Savepoints => "ceilings savepoints",
            Self::Cache => "ceilings cache",
            Self::Reads => "ceilings reads",
        }
    }

    /// The rows of all its ways.
    pub(crate) async fn rows(
        self,
        place: &Place<'_>,
        program: &Path,
        effort: Effort,
    ) -> Result<Vec<Way>> {
        match self {
            Self::Reads => reads::rows(place, program, effort).await,
            _ => writes::rows(self, place, effort).await,
        }
    }

    /// Whether it can be asked where much is stored: nothing may be left out of what is used again.
    pub(crate) fn at_size(self) -> bool {
        self != Self::Parts
    }

    /// The files that it is about, where much is stored.
    pub(crate) fn files(self, stored: &Stored) -> Result<Vec<PathBuf>> {
        let schemas: &[Schema] = match self {
            Self::Schema => &[Schema::Own, Schema::Integer, Schema::Text],
            _ => &[Schema::Own],
        };
        schemas
            .iter()
            .map(|schema| stored.minimal(*schema))
            .collect()
    }
}

/// Where the databases are.
pub(crate) enum Place<'a> {
    /// New ones, in this folder.
    New(&'a Path),
    /// Those that hold much.
    Stored(&'a Stored),
}

impl Place<'_> {
    /// The database that a way writes to. New ones are one for each, so that all grow alike.
    async fn database(&self, schema: Schema, number: usize) -> Result<PathBuf> {
        let folder = match self {
            Self::Stored(stored) => return stored.minimal(schema),
            Self::New(folder) => folder,
        };
        let path = folder.join(format!("{number}.db"));
        match schema {
            // The store makes its own, and goes.
            Schema::Own => Fresh::make(&path).await?.store.close().await?,
            Schema::Integer | Schema::Text => raw::make(&path, schema)?,
        }
        Ok(path)
    }

    fn threads(&self) -> Threads {
        match self {
            Self::New(_) => THREADS,
            Self::Stored(stored) => stored.size.threads(),
        }
    }

    fn messages(&self) -> u64 {
        match self {
            Self::New(_) => 0,
            Self::Stored(stored) => stored.size.messages,
        }
    }
}
