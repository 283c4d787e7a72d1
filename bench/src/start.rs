//! Start and memory.

use std::path::Path;

use crate::failure::{Result, failed};
use crate::measure::Effort;
use crate::report::Figure;
use crate::server::Server;
use crate::system::{Memory, forget_most, memory};

const START_MS: f64 = 150.0;
const REST_MIB: f64 = 40.0;
/// However much is stored, and whatever was asked for.
const MOST_MIB: f64 = 100.0;

/// From the call that makes the process to the line that it is ready, each time on a new folder.
pub(crate) fn cold(program: &Path, effort: Effort) -> Result<Figure> {
    let mut times = Vec::new();
    for _ in 0..effort.starts {
        let folder = tempfile::tempdir()?;
        let server = Server::start(program, folder.path(), &[])?;
        times.push(server.start.as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (times.first(), times.last()) else {
        return failed("no start was asked for");
    };
    Ok(Figure {
        name: "cold start to ready, new folder".to_owned(),
        value: times[times.len() / 2],
        unit: "ms",
        note: format!("median of {}, {least:.1} to {most:.1}", times.len()),
        goal: Some(START_MS),
    })
}

/// Some seconds after the start, before any request.
pub(crate) async fn rest(program: &Path, effort: Effort) -> Result<Figure> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(program, folder.path(), &[])?;
    tokio::time::sleep(effort.rest).await;
    of("memory at rest".to_owned(), server.pid(), Some(REST_MIB))
}

/// In a row over HTTP, or in all of them: the most since this was asked last.
pub(crate) fn during(what: &str, server: u32) -> Result<Figure> {
    let figure = of(format!("memory in {what}"), server, Some(MOST_MIB))?;
    forget_most(server)?;
    Ok(figure)
}

fn of(name: String, server: u32, goal: Option<f64>) -> Result<Figure> {
    let Memory { most, now, own } = memory(server)?;
    Ok(Figure {
        name,
        value: most,
        unit: "MiB",
        note: format!("resident at most; {now:.1} MiB at its end, {own:.1} MiB its own share"),
        goal,
    })
}
