//! What holds for the repository as a whole.
#![allow(
    clippy::expect_used,
    reason = "the lint's allowance for tests leaves out their helpers"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .to_owned()
}

/// The paths of all tracked files that still exist.
fn tracked() -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(output.status.success(), "this is no git checkout");
    String::from_utf8(output.stdout)
        .expect("paths in UTF-8")
        .split('\0')
        .filter(|path| !path.is_empty() && root().join(path).is_file())
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_map_in_the_architecture_names_exactly_the_rooms_that_exist() {
    let rooms: BTreeSet<String> = std::fs::read_dir(root().join("crates"))
        .expect("crates/")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| entry.file_name().into_string().expect("UTF-8"))
        .collect();
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let map = text
        .split("```")
        .find(|block| block.contains("\ncrates/\n"))
        .expect("a code block with the map of crates/");
    let mapped: BTreeSet<String> = map
        .lines()
        .skip_while(|line| *line != "crates/")
        .skip(1)
        .map_while(|line| line.strip_prefix("  "))
        .filter_map(|line| line.split_once('/'))
        .map(|(room, _)| room.to_owned())
        .collect();
    assert_eq!(mapped, rooms);
}

#[test]
fn every_dependency_has_its_line_in_the_architecture() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let missing: Vec<&str> = manifest
        .split_once("[workspace.dependencies]")
        .expect("the list of dependencies")
        .1
        .lines()
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with("switchboard-"))
        .filter(|name| !text.contains(&format!("**{name}**")))
        .collect();
    assert_eq!(missing, [""; 0], "say in one line what each is for");
}

#[test]
fn no_file_names_a_registry_host_or_a_path_of_one_machine() {
    // Written in two halves, so that this file does not name them either.
    let hosts = [
        ["registry.", "npmjs.org"],
        ["static.", "crates.io"],
        ["index.", "crates.io"],
        ["pypi.", "org"],
        ["deb.", "debian.org"],
    ];
    let paths = [
        ["/wo", "rk/"],
        ["/ro", "ot/"],
        ["/ho", "me/"],
        ["/fa", "rm/"],
    ];
    let mut found = Vec::new();
    for path in tracked() {
        let Ok(text) = std::fs::read_to_string(root().join(&path)) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            if hosts.iter().any(|host| line.contains(&host.concat()))
                || paths.iter().any(|path| names_path(line, &path.concat()))
            {
                found.push(format!("{path}:{}: {line}", number + 1));
            }
        }
    }
    assert_eq!(found, [""; 0]);
}

/// Whether an absolute path starts so: not the middle of a longer one, as in `a/work/b`.
fn names_path(line: &str, start: &str) -> bool {
    line.match_indices(start).any(|(at, _)| {
        !line[..at]
            .chars()
            .next_back()
            .is_some_and(|before| before.is_alphanumeric() || "_-.}>)/*".contains(before))
    })
}

#[test]
fn the_lock_file_of_the_third_party_programs_names_no_download_address() {
    let lock = std::fs::read_to_string(root().join("tests/js/package-lock.json")).expect("a lock");
    assert!(!lock.contains("\"resolved\""), "see tests/js/.npmrc");
    assert!(lock.contains("\"integrity\""));
}

#[test]
fn what_a_stranger_looks_for_is_there() {
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "deny.toml",
        ".ci/run",
        "docs/automation.md",
        "docs/cli.md",
    ] {
        assert!(root().join(name).is_file(), "{name} is missing");
    }
}

#[test]
fn the_ci_script_calls_the_readme_s_test_command() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    let script = std::fs::read_to_string(root().join(".ci/run")).expect(".ci/run");
    let command = script
        .lines()
        .find_map(|line| line.strip_prefix("exec "))
        .expect("the script ends with one command");
    assert!(
        readme.contains(command),
        "README.md does not name `{command}`"
    );
}
