//! Output: tables and sentences for people, JSON for programs.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::Value;

use crate::commands::Failure;

/// How to print.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    json: bool,
}

impl Printer {
    /// For programs or for people.
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether programs read it.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// One value as a line of JSON.
    pub(crate) fn json(self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(std::io::Error::from)?;
        self.line(&harmless(&text))
    }

    /// One value as JSON over several lines, for people.
    pub(crate) fn indented(self, value: &Value) -> Result<(), Failure> {
        self.line(&harmless(&format!("{value:#}")))
    }

    /// One line.
    #[allow(clippy::unused_self)] // All output goes through the printer.
    pub(crate) fn line(self, text: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        Ok(writeln!(out, "{text}").and_then(|()| out.flush())?)
    }

    /// A table, as wide as the terminal.
    pub(crate) fn table(
        self,
        header: &[&str],
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> Result<(), Failure> {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_header(header.iter().copied());
        if std::io::stdout().is_terminal() {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        }
        for row in rows {
            table.add_row(row.into_iter().map(|cell| printable(&cell)));
        }
        self.line(
            &table
                .to_string()
                .lines()
                .map(str::trim_end)
                .collect::<Vec<_>>()
                .join("\n"),
        )
    }
}

/// A line on standard error. Where that cannot be written there is nobody to tell, and nothing that
/// is under way may break for it.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// How far something is, as a bar on a terminal that the next call writes over.
pub(crate) fn progress(what: &str, percent: u64, done: bool) {
    let filled = usize::try_from(percent.min(100) / 4).unwrap_or(0);
    let bar = format!("{:<25}", "#".repeat(filled));
    let end = if done { "\n" } else { "" };
    let mut err = std::io::stderr();
    let _ = write!(err, "\r{what} [{bar}] {percent:>3} %{end}").and_then(|()| err.flush());
}

/// Where the log goes: as [`complain`], line by line.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = std::io::stderr().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A field that holds a text; empty where it does not.
pub(crate) fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

/// The rows of a list in an answer.
pub(crate) fn rows<'a>(answer: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    answer[field].as_array().into_iter().flatten()
}

/// Text from outside, safe for a terminal: control characters (escape sequences among them) and
/// those that break lines or turn the direction of writing are shown as marks.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if is_unsafe(c) { '\u{fffd}' } else { c })
        .collect()
}

/// The same of JSON, in which such characters stand in texts only, so that an escape says each.
fn harmless(json: &str) -> Cow<'_, str> {
    if !json.contains(is_unsafe) {
        return Cow::Borrowed(json);
    }
    let mut harmless = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_unsafe(c) {
            // None of them has more than four digits.
            harmless.extend(["\\u", &format!("{:04x}", u32::from(c))]);
        } else {
            harmless.push(c);
        }
    }
    Cow::Owned(harmless)
}

fn is_unsafe(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{061c}'
        )
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_steer_the_terminal() {
        assert_eq!(
            printable("a\u{1b}[2Jb\u{202e}c\u{2028}d\te\nf"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\te\nf"
        );
    }

    #[test]
    fn json_means_the_same_and_cannot_steer_the_terminal_either() {
        let value = Value::from("a\u{1b}[2J\u{9b}31m\u{7f}\u{202e}b\n\u{1f600}\\");
        for text in [value.to_string(), format!("{value:#}")] {
            let shown = harmless(&text);
            assert!(!shown.contains(is_unsafe), "{shown:?}");
            assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), value);
        }
        assert!(matches!(harmless("{\n \"a\": 1}"), Cow::Borrowed(_)));
    }
}
