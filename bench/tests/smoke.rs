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
    let output = bench(&["--smoke", "--json"]);
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
        ]
    );
    for row in rows {
        assert!(row["ours"]["per_second"].as_f64() > Some(0.0), "{row}");
        let beside = row["ceiling"]["per_second"].as_f64();
        let alone = row["name"] == "update to sendMessage";
        assert!(alone || beside > Some(0.0), "{row}");
        assert!(row["ours"]["p99"].as_f64() > Some(0.0), "{row}");
    }
    let figures = report["figures"].as_array().expect("figures");
    assert_eq!(figures.len(), 3);
    for figure in figures {
        assert!(figure["value"].as_f64() > Some(0.0), "{figure}");
    }
}

#[test]
fn a_row_that_does_not_exist_is_told() {
    let output = bench(&["--smoke", "--rows", "nothing of the kind"]);
    assert!(!output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("--rows"), "{errors}");
}
