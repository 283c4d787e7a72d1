//! The table, for people and as JSON.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

use crate::ceilings::{self, Way};
use crate::measure::{Measured, median};
use crate::system::Machine;

/// A row of throughput.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) callers: usize,
    /// Messages that were stored before.
    pub(crate) stored: u64,
    /// Whether it is one of the rows with much stored.
    #[serde(skip)]
    pub(crate) at_size: bool,
    pub(crate) ours: Measured,
    /// What it stands beside: raw `SQLite`, or the bare route.
    pub(crate) ceiling: Option<Measured>,
    /// The median of the rounds' ratios: ours and the ceiling of one round had the same weather.
    pub(crate) ratio: Option<f64>,
    /// Raw `SQLite` with the best schema there is, and nothing in it but what it takes.
    pub(crate) minimal: Option<Measured>,
    pub(crate) minimal_ratio: Option<f64>,
    /// The lowest ratio that is wanted: of the last one that there is.
    pub(crate) goal: Option<f64>,
    /// Commands in a commit, as the writer formed them.
    pub(crate) batch: Option<usize>,
}

impl Row {
    /// Of several rounds.
    pub(crate) fn of_rounds(
        name: impl Into<String>,
        callers: usize,
        rounds: &[(Measured, Measured)],
        goal: Option<f64>,
    ) -> Self {
        let ours: Vec<_> = rounds.iter().map(|round| round.0).collect();
        let (ceiling, ratio) = beside(rounds);
        Self {
            name: name.into(),
            callers,
            stored: 0,
            at_size: false,
            ours: Measured::median(&ours),
            ceiling: Some(ceiling),
            ratio: Some(ratio),
            minimal: None,
            minimal_ratio: None,
            goal,
            batch: None,
        }
    }

    /// The goal is for what it reaches of this.
    pub(crate) fn beside_minimal(&mut self, rounds: &[(Measured, Measured)]) {
        let (minimal, ratio) = beside(rounds);
        self.minimal = Some(minimal);
        self.minimal_ratio = Some(ratio);
    }
}

/// The median of what stands beside, and of the ratios.
pub(crate) fn beside(rounds: &[(Measured, Measured)]) -> (Measured, f64) {
    let other: Vec<_> = rounds.iter().map(|round| round.1).collect();
    let ratios = rounds.iter().map(|(a, b)| a.per_second / b.per_second);
    (Measured::median(&other), median(ratios))
}

/// A row of start or memory.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// How far the values lie apart, or what else there is to say.
    pub(crate) note: String,
    /// The highest value that is wanted.
    pub(crate) goal: Option<f64>,
}

/// All that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) rows: Vec<Row>,
    pub(crate) figures: Vec<Figure>,
    pub(crate) ceilings: Vec<Way>,
}

impl Report {
    /// The tables.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}\n", self.machine.line());
        if !self.rows.is_empty() {
            text = format!("{text}\n{}\n", self.rows_table());
        }
        if !self.figures.is_empty() {
            text = format!("{text}\n{}\n", self.figures_table());
        }
        if !self.ceilings.is_empty() {
            text = format!("{text}\n{}\n", ceilings::table(&self.ceilings));
        }
        text
    }

    fn rows_table(&self) -> Table {
        let mut table = table(&[
            "row", "callers", "stored", "per s", "p50 ms", "p95 ms", "p99 ms", "ceiling", "ratio",
            "minimal", "ratio", "goal", "", "server", "load", "batch",
        ]);
        for row in &self.rows {
            let ours = &row.ours;
            let met = match (row.minimal_ratio.or(row.ratio), row.goal) {
                (Some(ratio), Some(goal)) => verdict(ratio >= goal),
                _ => String::new(),
            };
            table.add_row([
                row.name.clone(),
                row.callers.to_string(),
                thousands(row.stored as f64),
                thousands(ours.per_second),
                millis(ours.p50),
                millis(ours.p95),
                millis(ours.p99),
                row.ceiling
                    .map_or_else(String::new, |one| thousands(one.per_second)),
                row.ratio.map_or_else(String::new, percent),
                row.minimal
                    .map_or_else(String::new, |one| thousands(one.per_second)),
                row.minimal_ratio.map_or_else(String::new, percent),
                row.goal
                    .map_or_else(String::new, |goal| format!("≥ {}", percent(goal))),
                met,
                ours.server_cpu.map_or_else(String::new, percent),
                ours.load_cpu.map_or_else(String::new, percent),
                row.batch.map_or_else(String::new, |size| size.to_string()),
            ]);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    fn figures_table(&self) -> Table {
        let mut table = table(&["row", "value", "goal", "", "note"]);
        for figure in &self.figures {
            let unit = figure.unit;
            table.add_row([
                figure.name.clone(),
                format!("{:.1} {unit}", figure.value),
                figure
                    .goal
                    .map_or_else(String::new, |goal| format!("< {goal} {unit}")),
                figure
                    .goal
                    .map_or_else(String::new, |goal| verdict(figure.value < goal)),
                figure.note.clone(),
            ]);
        }
        table
    }
}

/// One with this head.
pub(crate) fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::ASCII_MARKDOWN)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(head.iter().copied());
    table
}

fn verdict(met: bool) -> String {
    if met { "met" } else { "missed" }.to_owned()
}

pub(crate) fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}

pub(crate) fn millis(micros: f64) -> String {
    format!("{:.2}", micros / 1000.0)
}

/// `12345.6` as `12 346`.
pub(crate) fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_the_median_of_the_rounds_and_thousands_are_apart() {
        let of = |per_second| Measured {
            per_second,
            ..Measured::default()
        };
        let rounds = [
            (of(10.0), of(100.0)),
            (of(60.0), of(100.0)),
            (of(7.0), of(10.0)),
        ];
        let mut row = Row::of_rounds("row", 1, &rounds, Some(0.6));
        assert_eq!(row.ratio.map(percent).as_deref(), Some("60 %"));
        let told = |row: &Row| {
            let mut report = Report {
                machine: Machine::look(std::path::Path::new("/tmp")).unwrap(),
                rows: vec![row.clone()],
                figures: Vec::new(),
                ceilings: Vec::new(),
            };
            report.machine.finished();
            report.text()
        };
        assert!(told(&row).contains("met"), "{}", told(&row));
        // Where there is a minimal schema, that is what the goal is for.
        row.beside_minimal(&[(of(5.0), of(10.0))]);
        assert!(told(&row).contains("missed"), "{}", told(&row));
        assert_eq!(thousands(1_234_567.8), "1 234 568");
        assert_eq!(thousands(12.0), "12");
    }
}
