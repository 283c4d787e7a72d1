//! What a test wants a person to know although it passes; the test command prints it.

/// Leaves a note. Outside the test command it goes to standard error.
pub(crate) fn leave(test: &str, note: &str) {
    eprintln!("{test}: {note}");
    if let Some(folder) = std::env::var_os("SWITCHBOARD_TEST_NOTES") {
        let path = std::path::Path::new(&folder).join(test);
        std::fs::write(&path, note).expect("the folder for notes exists");
    }
}
