//! The list of official operations and what is served of them, `docs/compatibility.md`. A test of
//! the API makes the page and compares it with the file; here it is told to write the file.

use std::path::Path;

use crate::process;

/// Writes the page.
pub(crate) fn write(root: &Path) -> Result<(), String> {
    let test = [
        "cargo",
        "test",
        "--quiet",
        "--package=switchboard-api",
        "--test=api",
        "compatibility::",
    ];
    process::run(process::command(root, &test).env("SWITCHBOARD_WRITE", "1"))
}
