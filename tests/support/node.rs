//! Third-party programs from npm, run by node, unmodified.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::support::program::{self, Ended};

/// The folder of the scripts and packages.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/js")
        .canonicalize()
        .expect("tests/js")
}

/// A script of that folder.
pub(crate) fn script(name: &str) -> Command {
    let folder = folder();
    assert!(
        folder.join("node_modules").is_dir(),
        "run `npm ci` in tests/js first, or `cargo xtask test`, which does"
    );
    let mut command = Command::new("node");
    command.arg(name).current_dir(folder).kill_on_drop(true);
    command
}

/// Runs a script to its end, which must be a good one.
pub(crate) async fn run(command: &mut Command) -> Ended {
    let ended = program::run(command, "").await;
    assert_eq!(
        ended.code,
        Some(0),
        "the script failed\n{}\n{}",
        ended.stdout,
        ended.stderr
    );
    ended
}
