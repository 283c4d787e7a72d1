//! Each row works: a moment of each, and no word about how fast.
#![expect(
    clippy::expect_used,
    reason = "the lint's allowance for tests leaves out their helpers"
)]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn bench(arguments: &[&str]) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_switchboard-bench"));
    let server = program.with_file_name("switchboard");
    let mut command = Command::new(program);
    command.args(arguments);
    // The tests of the whole workspace have built it. Alone, this builds it first.
    if server.is_file() {
        command.arg("--server").arg(server);
    }
    command.output().expect("the program runs")
}

#[test]
fn every_row_is_measured() {
    let folder = tempfile::tempdir().expect("a folder");
    let plot = folder.path().join("table.svg");
    let file = plot.to_str().expect("a path");
    let output = bench(&["--smoke", "--json", "--size", "40,400", "--plot", file]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let rows = report["rows"].as_array().expect("rows");
    let names: Vec<_> = rows
        .iter()
        .map(|row| {
            format!(
                "{} {}",
                row["name"].as_str().expect("a name"),
                row["callers"]
            )
        })
        .collect();
    assert_eq!(
        names,
        [
            "ingest 1",
            "ingest 16",
            "ingest 64",
            "ingest 256",
            "create message 4",
            "get-or-create, hot thread 4",
            "get-or-create, new thread 4",
            "get message 4",
            "list messages 4",
            "update to sendMessage 64",
            "ingest 1",
            "ingest 16",
            "ingest 64",
            "ingest 256",
            "create message 4",
            "get-or-create, hot thread 4",
            "get-or-create, new thread 4",
            "get message 4",
            "list, last page of 10 4",
        ]
    );
    for (row, stored) in rows.iter().skip(10).zip([400; 9]) {
        assert_eq!(row["stored"], stored, "{row}");
    }
    for row in rows {
        assert!(row["ours"]["per_second"].as_f64() > Some(0.0), "{row}");
        let beside = row["ceiling"]["per_second"].as_f64();
        let alone = row["name"] == "update to sendMessage";
        assert!(alone || beside > Some(0.0), "{row}");
        assert!(row["ours"]["p99"].as_f64() > Some(0.0), "{row}");
        let minimal = row["minimal"]["per_second"].as_f64();
        assert_eq!(row["name"] == "ingest", minimal > Some(0.0), "{row}");
    }
    let figures = report["figures"].as_array().expect("figures");
    // Start, at rest, after the rows; and at size after the start and after each of five rows.
    assert_eq!(figures.len(), 9);
    for figure in figures {
        assert!(figure["value"].as_f64() > Some(0.0), "{figure}");
    }
    let picture = std::fs::read_to_string(plot).expect("a picture");
    assert!(picture.contains("ingest, 256 callers at size"), "{picture}");
}

#[test]
fn ceilings_are_measured_if_they_are_named() {
    let output = bench(&[
        "--smoke", "--json", "--rows", "ceilings", "--size", "40,400",
    ]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    for file in ["switchboard.db", "minimal.db", "minimal-text.db"] {
        assert!(
            errors.contains(&format!("read through: {file}")),
            "{errors}"
        );
    }
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["rows"].as_array().map(Vec::len), Some(0));
    let ways = report["ceilings"].as_array().expect("ceilings");
    // Three schemas in four batches, four parts, five checkpoints and two syncs in two, two savepoints,
    // three caches, three reads; and at size the same without the parts.
    let (parts, others) = (4, 12 + 10 + 4 + 2 + 3 + 3);
    assert_eq!(ways.len(), parts + 2 * others);
    for (place, way) in ways.iter().enumerate() {
        assert!(way["measured"]["per_second"].as_f64() > Some(0.0), "{way}");
        assert!(way["measured"]["p99"].as_f64() > Some(0.0), "{way}");
        assert!(way["ratio"].as_f64() > Some(0.0), "{way}");
        let reads = way["question"] == "ceilings reads";
        assert_eq!(reads, way["log_mib"].is_null(), "{way}");
        let stored = match (place < parts + others, reads) {
            (true, true) => 200,
            (true, false) => 0,
            (false, _) => 400,
        };
        assert_eq!(way["stored"], stored, "{way}");
    }
    let output = bench(&["--smoke", "--rows", "ceilings cache"]);
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{table}");
    let lines = table
        .lines()
        .filter(|line| line.starts_with("| ceilings cache"));
    assert_eq!(lines.count(), 3, "{table}");
}

#[test]
fn a_row_that_does_not_exist_is_told() {
    let output = bench(&["--smoke", "--rows", "nothing of the kind"]);
    assert!(!output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("--rows"), "{errors}");
}

#[test]
fn what_is_loaded_is_used_again_and_another_size_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let loaded = folder.path().join("loaded");
    let at = loaded.to_str().expect("a path");
    let output = bench(&["--loaded", at, "--smoke"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && errors.contains("--size"),
        "{errors}"
    );
    let output = bench(&["--size", "40,400", "--loaded", at, "--load-only"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && errors.contains("loaded: 440"),
        "{errors}"
    );
    assert!(errors.contains("loaded: 400 messages, minimal"), "{errors}");
    for _ in 0..2 {
        let rows = "create message at size,ingest 16 at size,new thread at size";
        let output = bench(&["--smoke", "--loaded", at, "--rows", rows]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        assert!(!errors.contains("loaded:"), "{errors}");
        assert!(errors.contains("read through: switchboard.db"), "{errors}");
    }
    let output = bench(&[
        "--smoke",
        "--loaded",
        at,
        "--rows",
        "ingest 1 at size",
        "--cold",
    ]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && !errors.contains("read through"),
        "{errors}"
    );
    let output = bench(&["--smoke", "--loaded", at, "--size", "40,500"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && errors.contains("400 messages"),
        "{errors}"
    );
}
