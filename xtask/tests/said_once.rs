//! The documents say a thing once: merges that keep both sides leave lines twice.
#![allow(
    clippy::expect_used,
    reason = "the lint's allowance for tests leaves out their helpers"
)]

use std::collections::HashSet;
use std::path::Path;

fn read(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::read_to_string(root.join(name)).expect("the document is there")
}

#[test]
fn a_room_and_a_dependency_have_one_line() {
    let text = read("ARCHITECTURE.md");
    let mut seen = HashSet::new();
    for line in text.lines() {
        let room = line.split_whitespace().next();
        let room = room.filter(|word| word.ends_with('/') && line.contains("  "));
        let named = line
            .strip_prefix("- **")
            .and_then(|rest| rest.split('*').next());
        if let Some(name) = room.or(named) {
            assert!(seen.insert(name), "ARCHITECTURE.md has {name} twice");
        }
    }
    assert!(seen.contains("switchboard/") && seen.contains("tokio"));
}

#[test]
fn a_paragraph_on_commands_stands_once() {
    let text = read("docs/cli.md");
    let mut seen = HashSet::new();
    for line in text.lines().filter(|line| line.chars().count() > 60) {
        let start: String = line.chars().take(60).collect();
        assert!(seen.insert(start), "docs/cli.md has twice: {line}");
    }
    assert!(!seen.is_empty());
}
