//! The long run of the property tests: all whose name says `property`, with many cases each.

use std::path::Path;
use std::process::Command;

use crate::process::{command, run};
use crate::tools::Runner;

/// How many cases each has when nothing is said.
const CASES: u64 = 1_000_000;

/// Runs them.
pub(crate) fn run_all(root: &Path, arguments: &[&str]) -> Result<(), String> {
    let cases = read(arguments)?;
    println!("==> every test named `property`, {cases} cases each; each that ends is named");
    run(tests(root).env("PROPTEST_CASES", cases.to_string()))?;
    println!("==> {cases} cases of each: ok");
    Ok(())
}

fn read(arguments: &[&str]) -> Result<u64, String> {
    match arguments {
        [] => Ok(CASES),
        ["--cases", number] => number
            .replace('_', "")
            .parse()
            .ok()
            .filter(|cases| *cases > 0)
            .ok_or_else(|| format!("--cases {number}: expected a number from 1")),
        other => Err(format!(
            "unknown arguments `{}`; expected --cases N",
            other.join(" ")
        )),
    }
}

fn tests(root: &Path) -> Command {
    // Not those of the whole program, which have none and take long to build optimized.
    match Runner::find(root) {
        // The tests in a row end at different times, so all run on whatever is free.
        Runner::Nextest => command(
            root,
            &[
                "cargo",
                "nextest",
                "run",
                "--workspace",
                "--lib",
                "--bins",
                "--test",
                "api",
                "--profile",
                "properties",
                "--cargo-profile",
                "properties",
                "-E",
                "test(property)",
            ],
        ),
        Runner::CargoTest => command(
            root,
            &[
                "cargo",
                "test",
                "--workspace",
                "--lib",
                "--bins",
                "--test",
                "api",
                "--profile",
                "properties",
                "--no-fail-fast",
                "property",
            ],
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_cases_can_be_said() {
        assert_eq!(read(&[]), Ok(CASES));
        assert_eq!(read(&["--cases", "5_000"]), Ok(5000));
        for wrong in [
            &["--cases"][..],
            &["--cases", "0"],
            &["--cases", "x"],
            &["x"],
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
