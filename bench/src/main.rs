//! How fast Switchboard is, in one table: ingest beside raw `SQLite`, the runtime API beside bare
//! routes, from an update to its echo, start and memory. `bench/README.md` says how to read it.
//!
//! This room promises that ours and the ceiling take turns within one run, so that both have the
//! same weather, that the load generator's part of the processors is shown, and that the ceiling
//! writes the rows that the server writes.
//!
//! What never happens here: a test that depends on time, a number that was not measured in the run.

#![expect(
    clippy::cast_precision_loss,
    reason = "counts are far below 2^52, and are divided"
)]

mod bare;
mod ceilings;
mod end_to_end;
mod failure;
mod http;
mod ingest;
mod load;
mod measure;
mod plot;
mod progress;
mod raw;
mod report;
mod seed;
mod server;
mod start;
mod stored;
mod system;
mod table;
mod update;
mod warm;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::failure::{Result, failed};
use crate::measure::Effort;
use crate::progress::Progress;
use crate::report::Report;
use crate::stored::{Size, Stored};
use crate::system::Machine;
use crate::table::{Plan, Table};

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own, and they go together in any way"
)]
/// Measures Switchboard and prints a table.
#[derive(Debug, Parser)]
#[command(name = "switchboard-bench", disable_help_subcommand = true)]
struct Options {
    /// A second a measurement, one round
    #[arg(long)]
    quick: bool,
    /// Hardly any time: shows that each row works, and nothing else
    #[arg(long, hide = true)]
    smoke: bool,
    /// Only the rows whose name contains one of these texts, such as `ingest,get message`; `ceilings`
    /// are measured only if they are named
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    rows: Vec<String>,
    /// How long a measurement takes, without its warm-up
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    seconds: f64,
    /// How often ours and the ceiling take turns; medians are shown
    #[arg(long, value_name = "COUNT", default_value_t = 3)]
    rounds: usize,
    /// Connections of the rows over HTTP
    #[arg(long, value_name = "COUNT", default_value_t = 64)]
    connections: usize,
    /// The server's binary; without it, the one beside this program
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
    /// Where the databases are made; the disk decides much
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// The rows once more, with so much stored before, such as 1000000,10000000
    #[arg(long, value_name = "CONVERSATIONS,MESSAGES")]
    size: Option<Size>,
    /// Where that is stored and stays, for another run; without it, it is made anew and goes
    #[arg(long, value_name = "FOLDER")]
    loaded: Option<PathBuf>,
    /// Only make what is stored
    #[arg(long, requires_all = ["size", "loaded"])]
    load_only: bool,
    /// What is measured at size is not read through before
    #[arg(long)]
    cold: bool,
    /// A picture of throughput, times and memory, as SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// JSON instead of a table
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Role {
    /// Serves the bare routes
    #[command(hide = true)]
    Bare,
}

impl Options {
    fn effort(&self) -> Result<Effort> {
        if self.rounds == 0 || self.connections == 0 {
            return failed("--rounds and --connections: expected at least 1");
        }
        let seconds = if self.quick { 1.0 } else { self.seconds };
        let Ok(time) = Duration::try_from_secs_f64(seconds) else {
            return failed("--seconds: expected a number of seconds, such as 2.5");
        };
        let effort = Effort {
            warm: Duration::from_millis(500),
            time,
            rounds: if self.quick { 1 } else { self.rounds },
            connections: self.connections,
            seeded: 5_000,
            starts: 10,
            rest: Duration::from_secs(5),
        };
        Ok(if self.smoke {
            Effort {
                warm: Duration::from_millis(5),
                time: Duration::from_millis(20),
                rounds: 1,
                connections: 4,
                seeded: 200,
                starts: 1,
                rest: Duration::ZERO,
            }
        } else {
            effort
        })
    }

    fn wants(&self, name: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|part| name.contains(part.as_str()))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let result = match options.role {
        Some(Role::Bare) => bare::serve().await,
        None => measure_all(options).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn measure_all(options: Options) -> Result<()> {
    let effort = options.effort()?;
    let folder = match &options.folder {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    let kept = options.loaded.clone();
    let at = kept.unwrap_or_else(|| folder.path().join("loaded"));
    let size = match &options.loaded {
        None => options.size,
        Some(_) => Some(Stored::size(&at, options.size)?),
    };
    let plan = Plan::new(|name| options.wants(name), &options.rows, size)?;
    if options.load_only {
        return plan.load(&Stored::find_or_load(&at, size).await?);
    }
    let program = server::program(options.server.clone())?;
    let mut table = Table {
        report: Report {
            machine: Machine::look(folder.path())?,
            rows: Vec::new(),
            figures: Vec::new(),
            ceilings: Vec::new(),
        },
        progress: Progress::new(plan.count()),
        program,
        effort,
        cold: options.cold,
    };
    table.small(folder.path(), &plan).await?;
    if plan.at_size() {
        // Loaded last: it leaves the disk and the system's memory busy.
        let stored = Stored::find_or_load(&at, size).await?;
        plan.load(&stored)?;
        table.large(&stored, &plan).await?;
    }
    table.report.machine.finished();
    table.progress.finish();
    if let Some(path) = &options.plot {
        std::fs::write(path, plot::svg(&table.report))?;
    }
    if options.json {
        println!("{}", serde_json::to_string(&table.report)?);
    } else {
        print!("{}", table.report.text());
    }
    Ok(())
}
