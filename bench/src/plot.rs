//! The table as a picture: throughput, times and memory, row by row. Plain SVG, which every browser
//! shows and which says the same wherever it is made.

use std::fmt::Write as _;

use crate::report::{Figure, Report, Row, thousands};

const WIDTH: f64 = 960.0;
/// Of the names, on the left.
const NAMES: f64 = 300.0;
/// Of the numbers, on the right.
const NUMBERS: f64 = 150.0;
const LINE: f64 = 22.0;
const HEAD: f64 = 44.0;
const MARGIN: f64 = 16.0;

const OURS: &str = "#2a6f97";
const BESIDE: &str = "#c9d6df";
const LATE: &str = "#e09f3e";
const GOAL: &str = "#9e2a2b";
const INK: &str = "#222222";

/// The picture.
pub(crate) fn svg(report: &Report) -> String {
    let mut picture = Picture {
        body: String::new(),
        down: MARGIN,
    };
    picture.throughput(&report.rows);
    picture.times(&report.rows);
    let memory: Vec<_> = report
        .figures
        .iter()
        .filter(|figure| figure.unit == "MiB")
        .collect();
    picture.memory(&memory);
    let height = picture.down + MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height:.0}\" fill=\"#ffffff\"/>\n{}</svg>\n",
        picture.body
    )
}

struct Picture {
    body: String,
    down: f64,
}

impl Picture {
    fn throughput(&mut self, rows: &[Row]) {
        self.head(
            "per second",
            &[(OURS, "Switchboard"), (BESIDE, "its ceiling")],
            rows.len(),
        );
        let beside = |row: &Row| row.ceiling.map_or(0.0, |one| one.per_second);
        let most = most(rows.iter().map(|row| beside(row).max(row.ours.per_second)));
        for row in rows {
            let ours = row.ours.per_second;
            self.bar(beside(row) / most, 0.0, LINE - 4.0, BESIDE);
            self.bar(ours / most, 4.0, LINE - 12.0, OURS);
            let ratio = row
                .ratio
                .map_or_else(String::new, |ratio| format!(", {:.0} %", ratio * 100.0));
            self.line(&name(row), &format!("{}{ratio}", thousands(ours)));
        }
    }

    /// On a logarithmic scale, from a hundredth of a millisecond.
    fn times(&mut self, rows: &[Row]) {
        self.head(
            "milliseconds, logarithmic",
            &[(OURS, "median"), (LATE, "99 of 100")],
            rows.len(),
        );
        let place = |micros: f64| (micros.max(10.0) / 10.0).log10();
        let most = most(rows.iter().map(|row| place(row.ours.p99)));
        for row in rows {
            let (half, late) = (row.ours.p50, row.ours.p99);
            self.bar(place(late) / most, 4.0, LINE - 12.0, LATE);
            self.bar(place(half) / most, 4.0, LINE - 12.0, OURS);
            let text = format!("{:.2}, {:.2}", half / 1000.0, late / 1000.0);
            self.line(&name(row), &text);
        }
    }

    fn memory(&mut self, figures: &[&Figure]) {
        self.head(
            "MiB resident",
            &[(OURS, "Switchboard"), (GOAL, "goal: below this")],
            figures.len(),
        );
        let wanted = |figure: &&Figure| figure.goal.unwrap_or_default().max(figure.value);
        let most = most(figures.iter().map(wanted));
        for figure in figures {
            self.bar(figure.value / most, 4.0, LINE - 12.0, OURS);
            if let Some(goal) = figure.goal {
                let x = NAMES + goal / most * span();
                let (top, end) = (self.down, self.down + LINE - 4.0);
                self.add(&format!(
                    "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top:.1}\" y2=\"{end:.1}\" \
                     stroke=\"{GOAL}\" stroke-width=\"2\"/>"
                ));
            }
            self.line(&figure.name, &format!("{:.1}", figure.value));
        }
    }

    /// The title of a part, and what its colours mean.
    fn head(&mut self, title: &str, colours: &[(&str, &str)], rows: usize) {
        if rows == 0 {
            return;
        }
        self.down += HEAD;
        let base = self.down - 14.0;
        self.text(MARGIN, base, "start", "bold", title);
        let mut x = NAMES;
        for (colour, meaning) in colours {
            let top = base - 10.0;
            self.add(&format!(
                "<rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"12\" height=\"12\" fill=\"{colour}\"/>"
            ));
            self.text(x + 18.0, base, "start", "normal", meaning);
            x += 150.0;
        }
    }

    /// Beside the name that follows.
    fn bar(&mut self, part: f64, down: f64, height: f64, colour: &str) {
        let (top, width) = (self.down + down, part.clamp(0.0, 1.0) * span());
        self.add(&format!(
            "<rect x=\"{NAMES}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             fill=\"{colour}\"/>"
        ));
    }

    /// Ends a row.
    fn line(&mut self, name: &str, numbers: &str) {
        let base = self.down + LINE - 9.0;
        self.text(NAMES - 8.0, base, "end", "normal", name);
        self.text(WIDTH - MARGIN, base, "end", "normal", numbers);
        self.down += LINE;
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, weight: &str, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        self.add(&format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-weight=\"{weight}\" \
             fill=\"{INK}\">{text}</text>"
        ));
    }

    fn add(&mut self, element: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.body, "{element}");
    }
}

/// What a whole bar is long.
fn span() -> f64 {
    WIDTH - NAMES - NUMBERS - MARGIN
}

fn most(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::MIN_POSITIVE, f64::max)
}

fn name(row: &Row) -> String {
    let stored = if row.at_size { " at size" } else { "" };
    format!("{}, {} callers{stored}", row.name, row.callers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Measured;
    use crate::system::Machine;

    #[test]
    fn every_row_is_in_the_picture_and_no_bar_leaves_it() {
        let measured = |per_second| Measured {
            per_second,
            p50: 100.0,
            p99: 40_000.0,
            ..Measured::default()
        };
        let rounds = [(measured(50.0), measured(80.0))];
        let mut row = Row::of_rounds("a < b", 4, &rounds, None);
        row.at_size = true;
        let folder = tempfile::tempdir().unwrap();
        let report = Report {
            machine: Machine::look(folder.path()).unwrap(),
            rows: vec![row],
            figures: vec![Figure {
                name: "memory".to_owned(),
                value: 120.0,
                unit: "MiB",
                note: String::new(),
                goal: Some(100.0),
            }],
            ceilings: Vec::new(),
        };
        let picture = svg(&report);
        assert!(picture.contains("a &lt; b, 4 callers at size"), "{picture}");
        assert!(picture.contains("50, 62 %"), "{picture}");
        assert!(picture.contains(">memory<"), "{picture}");
        let widths = picture.split("<rect x=").skip(1);
        let widest = widths.filter_map(|rect| {
            let width = rect.split("width=\"").nth(1)?;
            width.split('"').next()?.parse::<f64>().ok()
        });
        assert!(widest.fold(0.0, f64::max) <= span() + 0.1, "{picture}");
    }
}
