//! Which row is measured: a bar on a terminal, lines elsewhere; on standard error.

use std::io::{IsTerminal, stderr};
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::report::thousands;

/// Between two lines of a load.
const PAUSE: Duration = Duration::from_secs(10);

/// How far the table is.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    count: usize,
    done: usize,
}

impl Progress {
    /// Of so many rows.
    pub(crate) fn new(count: usize) -> Self {
        Self {
            bar: bar(count as u64, "{bar:30} {pos}/{len} {elapsed} {msg}"),
            count,
            done: 0,
        }
    }

    /// A row is begun.
    pub(crate) fn begin(&mut self, name: &str) {
        self.done += 1;
        match &self.bar {
            Some(bar) => {
                bar.set_position(self.done as u64 - 1);
                bar.set_message(name.to_owned());
            }
            None => eprintln!("[{}/{}] {name}", self.done, self.count),
        }
    }

    /// All is done.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// How far a load is.
pub(crate) struct Loading {
    bar: Option<ProgressBar>,
    what: String,
    count: u64,
    begun: Instant,
    told: Instant,
}

impl Loading {
    /// Of so many of these.
    pub(crate) fn new(what: &str, count: u64) -> Self {
        let now = Instant::now();
        let template = "loading {bar:30} {human_pos}/{human_len} {per_sec} {eta} left";
        Self {
            bar: bar(count, template),
            what: what.to_owned(),
            count,
            begun: now,
            told: now,
        }
    }

    /// So many are there.
    pub(crate) fn at(&mut self, rows: u64) {
        match &self.bar {
            Some(bar) => bar.set_position(rows),
            None if self.told.elapsed() >= PAUSE => {
                self.told = Instant::now();
                let per_second = rows as f64 / self.begun.elapsed().as_secs_f64();
                eprintln!(
                    "loading: {} of {} {}, {} per second",
                    thousands(rows as f64),
                    thousands(self.count as f64),
                    self.what,
                    thousands(per_second)
                );
            }
            None => {}
        }
    }

    /// All are there.
    pub(crate) fn finish(self, path: &Path) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        let size = std::fs::metadata(path).map_or(0, |file| file.len()) >> 20;
        eprintln!(
            "loaded: {} {} in {:.0} s, {} MiB",
            thousands(self.count as f64),
            self.what,
            self.begun.elapsed().as_secs_f64(),
            thousands(size as f64)
        );
    }
}

/// How far a file is read.
pub(crate) struct Reading {
    bar: Option<ProgressBar>,
    name: String,
    mib: u64,
    begun: Instant,
}

impl Reading {
    /// Of this file.
    pub(crate) fn new(path: &Path, mib: u64) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Self {
            bar: bar(mib, "reading {bar:30} {human_pos}/{human_len} MiB {msg}"),
            name: name.into_owned(),
            mib,
            begun: Instant::now(),
        }
    }

    /// So much.
    pub(crate) fn at(&self, mib: u64) {
        if let Some(bar) = &self.bar {
            bar.set_message(self.name.clone());
            bar.set_position(mib);
        }
    }

    /// All of it.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        eprintln!(
            "read through: {}, {} MiB in {:.1} s",
            self.name,
            thousands(self.mib as f64),
            self.begun.elapsed().as_secs_f64()
        );
    }
}

fn bar(count: u64, template: &str) -> Option<ProgressBar> {
    stderr().is_terminal().then(|| {
        let bar = ProgressBar::new(count);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar
    })
}
