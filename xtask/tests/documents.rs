//! What the documents show, where they lead, and that they say a thing once.
#![allow(
    clippy::expect_used,
    reason = "the lint's allowance for tests leaves out their helpers"
)]

use std::collections::HashSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect(path)
}

/// The documents in `docs/`, by their paths.
fn documents() -> Vec<String> {
    let mut all: Vec<String> = std::fs::read_dir(root().join("docs"))
        .expect("docs/")
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("UTF-8"))
        .filter(|name| Path::new(name).extension().is_some_and(|end| end == "md"))
        .map(|name| format!("docs/{name}"))
        .collect();
    all.sort();
    all
}

/// The blocks of code of a document: their languages and texts.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    text.split("\n```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.split_once('\n'))
        .collect()
}

/// Whether these lines stand in the text, whole and next to each other.
fn stands_in(text: &str, lines: &str) -> bool {
    format!("\n{text}\n").contains(&format!("\n{}\n", lines.trim_end_matches('\n')))
}

#[test]
fn the_programs_that_the_guides_show_are_files_of_the_examples() {
    let examples: Vec<String> = std::fs::read_dir(root().join("examples"))
        .expect("examples/")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .map(|path| std::fs::read_to_string(path).expect("a text"))
        .collect();
    for guide in ["tutorial", "write-a-bot", "write-a-channel", "operating"] {
        let text = read(&format!("docs/{guide}.md"));
        let mut shown = 0;
        for (language, block) in blocks(&text) {
            if !["python", "js", "rust", "caddyfile"].contains(&language) {
                assert!(["", "console"].contains(&language), "{guide}: {language}");
                continue;
            }
            shown += 1;
            let known = examples.iter().any(|example| stands_in(example, block));
            assert!(known, "docs/{guide}.md shows what no example says: {block}");
        }
        assert!(shown > 0, "docs/{guide}.md shows nothing");
    }
}

#[test]
fn every_document_is_in_the_readme() {
    let readme = read("README.md");
    let missing: Vec<String> = documents()
        .into_iter()
        .filter(|path| !readme.contains(&format!("]({path})")))
        .collect();
    assert_eq!(missing, [""; 0], "link them in README.md");
}

#[test]
fn every_link_between_documents_leads_to_a_file_and_a_heading() {
    let mut broken = Vec::new();
    for path in ["README.md".to_owned(), "CONTRIBUTING.md".to_owned()]
        .into_iter()
        .chain(documents())
    {
        let text = without_code(&read(&path));
        let folder = root().join(&path).parent().expect("a folder").to_owned();
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split_once(')'))
        {
            let (file, heading) = link.0.split_once('#').unwrap_or((link.0, ""));
            if file.contains("://") || file.contains(char::is_whitespace) {
                continue;
            }
            let target = if file.is_empty() {
                root().join(&path)
            } else {
                folder.join(file)
            };
            let leads = target.exists()
                && (heading.is_empty()
                    || std::fs::read_to_string(&target)
                        .is_ok_and(|text| headings(&text).contains(&heading.to_owned())));
            if !leads {
                broken.push(format!("{path}: {}", link.0));
            }
        }
    }
    assert_eq!(broken, [""; 0]);
}

/// A document without what stands between backticks in a line.
fn without_code(text: &str) -> String {
    text.lines()
        .flat_map(|line| line.split('`').step_by(2).chain(["\n"]))
        .collect()
}

/// The headings of a document as links name them.
fn headings(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter(|&c| c.is_alphanumeric() || "-_ ".contains(c))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}

// Merges that keep both sides leave lines twice.
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
