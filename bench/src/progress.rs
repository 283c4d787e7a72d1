//! Which row is measured: a bar on a terminal, lines elsewhere; on standard error.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};

/// How far the table is.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    count: usize,
    done: usize,
}

impl Progress {
    /// Of so many rows.
    pub(crate) fn new(count: usize) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(count as u64);
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}")
            {
                bar.set_style(style);
            }
            bar
        });
        Self {
            bar,
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
