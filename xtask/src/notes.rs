//! What tests want a person to know although they pass, such as "skipped, because tracing is not
//! allowed here". Test runners hide the output of what passes, so tests leave a file each.

use std::io;
use std::path::{Path, PathBuf};

/// The variable that tells tests where to leave notes.
pub(crate) const VARIABLE: &str = "SWITCHBOARD_TEST_NOTES";

/// Empties the folder for notes and gives its path.
pub(crate) fn prepare(root: &Path) -> io::Result<PathBuf> {
    let folder = root.join("target").join("test-notes");
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Prints what tests left.
pub(crate) fn print(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut notes: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            Some((name, std::fs::read_to_string(entry.path()).ok()?))
        })
        .collect();
    notes.sort();
    if !notes.is_empty() {
        println!("\nNotes left by tests:");
    }
    for (name, text) in notes {
        println!("  {name}: {}", text.trim());
    }
}
