//! No case is left out: each one is named by a test, or waits with a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All ids that the sources under a folder name in quotes.
fn named(folder: &Path, ids: &BTreeSet<String>, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            named(&path, ids, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            found.extend(
                ids.iter()
                    .filter(|id| text.contains(&format!("\"{id}\"")))
                    .cloned(),
            );
        }
    }
}

#[test]
fn every_case_runs_or_waits_with_a_reason() {
    let fixtures = root().join("tests/fixtures/cases");
    let read = |name: &str| std::fs::read_to_string(fixtures.join(name)).expect("a file");
    let files = ["api.jsonl", "telegram.jsonl", "telegram-more.jsonl"].map(read);
    let ids: BTreeSet<String> = files
        .iter()
        .flat_map(|text| text.lines())
        .map(|line| {
            let case: serde_json::Value = serde_json::from_str(line).expect("a case");
            case["id"].as_str().expect("an id").to_owned()
        })
        .collect();
    let text = read("waiting.txt");
    let waiting: BTreeMap<&str, &str> = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split_once(": ").expect("id: reason"))
        .collect();
    let mut tested = BTreeSet::new();
    named(&root().join("tests"), &ids, &mut tested);
    named(&root().join("crates"), &ids, &mut tested);

    for (id, reason) in &waiting {
        // `api-009/event`: a part of a case waits, the rest runs.
        let (case, part) = id
            .split_once('/')
            .map_or((*id, None), |(case, part)| (case, Some(part)));
        assert!(ids.contains(case), "{id} waits, but there is no such case");
        assert_eq!(
            tested.contains(case),
            part.is_some(),
            "{id}: it waits, but a test names it"
        );
        assert!(reason.len() > 10, "{id}: why does it wait?");
    }
    let left_out: Vec<_> = ids
        .iter()
        .filter(|id| !tested.contains(*id) && !waiting.contains_key(id.as_str()))
        .collect();
    assert_eq!(
        left_out,
        Vec::<&String>::new(),
        "neither tested nor waiting"
    );
}
