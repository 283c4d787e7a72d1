//! The project's chores. `cargo xtask test` is the one command that shows that all is well.
//!
//! It promises to set up what it needs, to say which step of how many it is at and how long each
//! took, to stop at the first step that fails with a text that says what to do, and to end with
//! the number of tests that passed and failed.
//!
//! What never happens here: a change to tracked files (but by a chore whose work that is), a step
//! that is skipped without a word.

mod compatibility;
mod counts;
mod notes;
mod postgres;
mod process;
mod properties;
mod steps;
mod test;
mod tools;
mod waiting;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
Chores of the Switchboard repository.

Usage: cargo xtask <chore>

  test            everything: tools, formatting, clippy, documentation, all tests
  test --quick    for daily work: no clippy, no documentation, no kill rounds
  compatibility   writes docs/compatibility.md anew
  properties      the property tests, a million cases each; --cases N for another number
  waiting         the acceptance cases that wait for later work, with the reason
  help            this text
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["test"] => test::run(&root(), test::Extent::Full),
        ["test", "--quick"] => test::run(&root(), test::Extent::Quick),
        ["compatibility"] => ended(compatibility::write(&root())),
        ["properties", arguments @ ..] => ended(properties::run_all(&root(), arguments)),
        ["waiting"] => ended(waiting::print(&root())),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        other => {
            eprintln!("unknown chore `{}`\n\n{HELP}", other.join(" "));
            ExitCode::from(2)
        }
    }
}

fn ended(result: Result<(), String>) -> ExitCode {
    result.map_or_else(
        |error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

/// The repository's root, wherever the command was called from.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
