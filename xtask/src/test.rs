//! The test command: its steps in order.

use std::cell::Cell;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::counts::Counts;
use crate::postgres::{self, Cluster};
use crate::process::{command, run as run_command, run_tests};
use crate::steps::{self, Step};
use crate::tools::Runner;
use crate::{notes, tools, waiting};

/// How much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Everything.
    Full,
    /// What is worth waiting for in daily work.
    Quick,
}

/// Runs the tests.
pub(crate) fn run(root: &Path, extent: Extent) -> ExitCode {
    let notes = match notes::prepare(root) {
        Ok(folder) => folder,
        Err(error) => {
            eprintln!("target/test-notes cannot be made: {error}");
            return ExitCode::FAILURE;
        }
    };
    let total = Cell::new(Counts::default());
    let result = steps::run(plan(root, extent, &notes, &total));
    notes::print(&notes);
    // The last line, so that people and programs find it.
    println!("\ntests: {}", total.get());
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(()) => ExitCode::FAILURE,
    }
}

fn plan<'a>(
    root: &'a Path,
    extent: Extent,
    notes: &'a Path,
    total: &'a Cell<Counts>,
) -> Vec<Step<'a>> {
    let simple = |line: &'static [&'static str]| move || run_command(&mut command(root, line));
    let counted = move |mut command: Command| {
        let (counts, result) = run_tests(command.env(notes::VARIABLE, notes));
        let mut sum = total.get();
        sum += counts;
        total.set(sum);
        result
    };
    let mut steps = vec![
        Step::new(
            "tools",
            "install what is named above, then run this again",
            || tools::prepare(root),
        ),
        Step::new(
            "formatting",
            "run `cargo fmt`",
            simple(&["cargo", "fmt", "--all", "--check"]),
        ),
    ];
    if extent == Extent::Full {
        steps.push(Step::new(
            "clippy, pedantic",
            "follow its advice, or explain an allowance in place",
            simple(&[
                "cargo",
                "clippy",
                "--workspace",
                "--all-targets",
                "--quiet",
                "--",
                "-D",
                "warnings",
            ]),
        ));
        steps.push(Step::new(
            "documentation without warnings",
            "mend the links and comments named above",
            || {
                let line = ["cargo", "doc", "--workspace", "--no-deps", "--quiet"];
                run_command(command(root, &line).env("RUSTDOCFLAGS", "-D warnings"))
            },
        ));
    }
    steps.push(Step::new(
        "third-party programs (npm ci)",
        "check that the npm registry can be reached, and tests/js/package-lock.json",
        || {
            run_command(
                command(root, &["npm", "ci", "--no-progress"]).current_dir(root.join("tests/js")),
            )
        },
    ));
    steps.push(Step::new(
        "tests in the documentation",
        "the failing example is named above",
        move || {
            counted(command(
                root,
                &["cargo", "test", "--doc", "--workspace", "--quiet"],
            ))
        },
    ));
    steps.push(Step::new(
        "unit, contract, property and black-box tests",
        "the failing test's output is above; run it alone with `cargo nextest run -E 'test(NAME)'` \
         or `cargo test NAME`",
        move || {
            let mut tests = all_tests(root, extent);
            // Ends with this step, also if the step is interrupted.
            let _cluster = with_postgres(&mut tests, notes);
            counted(tests)
        },
    ));
    steps.push(Step::new(
        "cases that wait",
        "tests/fixtures/cases/waiting.txt lists them",
        || waiting::print(root),
    ));
    steps
}

/// Gives the tests a `PostgreSQL` of their own; where that cannot be had, leaves out those that need it
/// and says so.
fn with_postgres(tests: &mut Command, notes: &Path) -> Option<Cluster> {
    match Cluster::start() {
        Ok(cluster) => {
            tests.env(postgres::VARIABLE, cluster.folder());
            Some(cluster)
        }
        Err(error) => {
            let arguments: Vec<_> = tests.get_args().map(std::ffi::OsStr::to_owned).collect();
            let mut without = Command::new(tests.get_program());
            for argument in arguments {
                let workspace = argument == "--workspace";
                without.arg(argument);
                if workspace {
                    without.args(["--exclude", "switchboard-store-postgres"]);
                }
            }
            without.stdin(std::process::Stdio::null());
            if let Some(folder) = tests.get_current_dir() {
                without.current_dir(folder);
            }
            *tests = without;
            let note = format!("all tests of the PostgreSQL store were skipped: {error}");
            println!("{note}");
            if let Err(error) = std::fs::write(notes.join("store-postgres"), note) {
                println!("the note about that cannot be left: {error}");
            }
            None
        }
    }
}

fn all_tests(root: &Path, extent: Extent) -> Command {
    match (Runner::find(root), extent) {
        (Runner::Nextest, Extent::Full) => {
            command(root, &["cargo", "nextest", "run", "--workspace"])
        }
        (Runner::Nextest, Extent::Quick) => command(
            root,
            &[
                "cargo",
                "nextest",
                "run",
                "--workspace",
                "-E",
                "not test(/^kill::/)",
            ],
        ),
        (Runner::CargoTest, Extent::Full) => command(
            root,
            &[
                "cargo",
                "test",
                "--workspace",
                "--all-targets",
                "--no-fail-fast",
            ],
        ),
        (Runner::CargoTest, Extent::Quick) => command(
            root,
            &[
                "cargo",
                "test",
                "--workspace",
                "--all-targets",
                "--no-fail-fast",
                "--",
                "--skip",
                "kill::",
            ],
        ),
    }
}
