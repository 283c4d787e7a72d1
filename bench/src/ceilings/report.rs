//! The table of the ceilings.

use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use crate::measure::{Measured, median};
use crate::report::{self, millis, percent, thousands};
use crate::system::cores;

/// One way to do something.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Way {
    /// What it is an answer to.
    pub(crate) question: &'static str,
    pub(crate) name: String,
    /// Commands in a commit, or connections of those who read.
    pub(crate) at_once: usize,
    /// Messages that were stored before.
    pub(crate) stored: u64,
    pub(crate) measured: Measured,
    /// The longest log, in MiB.
    pub(crate) log_mib: Option<f64>,
    /// Beside the one that the others are compared with: the median of the rounds' ratios.
    pub(crate) ratio: f64,
    /// Whether it is what the server does.
    pub(crate) adopted: bool,
}

impl Way {
    /// The median of the rounds' ratios.
    pub(super) fn ratio(rounds: &[Measured], compared: &[Measured]) -> f64 {
        let pairs = rounds.iter().zip(compared);
        median(pairs.map(|(one, other)| one.per_second / other.per_second))
    }
}

/// The table.
pub(crate) fn table(ways: &[Way]) -> Table {
    let mut table = report::table(&[
        "",
        "way",
        "at once",
        "stored",
        "per s",
        "p50 ms",
        "p99 ms",
        "cpu µs",
        "longest log",
        "ratio",
        "",
    ]);
    for way in ways {
        let measured = &way.measured;
        table.add_row([
            way.question.to_owned(),
            way.name.clone(),
            way.at_once.to_string(),
            thousands(way.stored as f64),
            thousands(measured.per_second),
            millis(measured.p50),
            millis(measured.p99),
            measured.server_cpu.map_or_else(String::new, |share| {
                let used = share * cores() as f64 / measured.per_second;
                format!("{:.0}", used * 1e6)
            }),
            way.log_mib
                .map_or_else(String::new, |mib| format!("{mib:.0} MiB")),
            percent(way.ratio),
            if way.adopted { "ours" } else { "" }.to_owned(),
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
