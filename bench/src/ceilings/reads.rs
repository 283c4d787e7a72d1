//! Ways to read one message, behind bare routes.

use std::path::Path;

use super::{Place, Question, Way};
use crate::failure::Result;
use crate::http::Bench;
use crate::measure::{Effort, Measured};

/// Route, name, and whether the server does so. The others are compared with the first.
const WAYS: [(&str, &str, bool); 3] = [
    ("none", "no database", false),
    ("get", "a connection of each thread's own", true),
    ("pool", "a pool, on threads that may block", false),
];

/// The rows.
pub(super) async fn rows(place: &Place<'_>, program: &Path, effort: Effort) -> Result<Vec<Way>> {
    let bench = match place {
        Place::New(folder) => Bench::open(folder, program, effort).await?,
        Place::Stored(stored) => Bench::at_size(stored, program)?,
    };
    let mut measured: [Vec<Measured>; WAYS.len()] = Default::default();
    for _ in 0..effort.rounds {
        for (at, (route, ..)) in WAYS.into_iter().enumerate() {
            measured[at].push(bench.read(route, effort).await?);
        }
    }
    let stored = match place {
        Place::New(_) => effort.seeded as u64,
        Place::Stored(stored) => stored.size.messages,
    };
    let ways = WAYS.into_iter().enumerate();
    Ok(ways
        .map(|(at, (_, name, adopted))| Way {
            question: Question::Reads.name(),
            name: name.to_owned(),
            at_once: effort.connections,
            stored,
            measured: Measured::median(&measured[at]),
            log_mib: None,
            ratio: Way::ratio(&measured[at], &measured[0]),
            adopted,
        })
        .collect())
}
