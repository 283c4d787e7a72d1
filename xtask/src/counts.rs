//! How many tests ran, read from what the test runners print.

use std::fmt;
use std::ops::AddAssign;

/// Tests that ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    /// What a line of a test runner's output adds: the summary of nextest, or the result of one
    /// binary of `cargo test`. Any other line adds nothing.
    pub(crate) fn of_line(line: &str) -> Self {
        if let Some((_, tests)) = line
            .split_once("tests run:")
            .or(line.split_once("test run:"))
            && line.trim_start().starts_with("Summary [")
        {
            Self::of_list(tests.split(','))
        } else if let Some(result) = line.strip_prefix("test result: ") {
            let list = result.split_once(". ").map_or("", |(_, list)| list);
            Self::of_list(list.split(';'))
        } else {
            Self::default()
        }
    }

    fn of_list<'a>(list: impl Iterator<Item = &'a str>) -> Self {
        let mut counts = Self::default();
        for part in list {
            let mut words = part.split_whitespace();
            let Some(Ok(number)) = words.next().map(str::parse::<u64>) else {
                continue;
            };
            match words.next() {
                Some("passed") => counts.passed += number,
                Some("failed" | "timed" | "exec") => counts.failed += number,
                Some("skipped" | "ignored") => counts.skipped += number,
                _ => {}
            }
        }
        counts
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summaries_of_both_runners_are_counted() {
        let of = |line| {
            let counts = Counts::of_line(line);
            (counts.passed, counts.failed, counts.skipped)
        };
        assert_eq!(
            of("     Summary [   0.006s] 3 tests run: 3 passed, 0 skipped"),
            (3, 0, 0)
        );
        assert_eq!(
            of(
                "     Summary [  12.0s] 6 tests run: 3 passed (1 slow), 1 failed, 2 timed out, 4 skipped"
            ),
            (3, 3, 4)
        );
        assert_eq!(
            of("     Summary [   0.1s] 1 test run: 1 passed, 0 skipped"),
            (1, 0, 0)
        );
        assert_eq!(
            of(
                "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s"
            ),
            (5, 0, 1)
        );
        assert_eq!(of("running 3 tests"), (0, 0, 0));
    }
}
