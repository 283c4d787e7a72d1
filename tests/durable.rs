//! The promise: what is acknowledged is on disk. A kill does not test that, since the system keeps
//! what a killed process wrote; so this looks at the system calls.

use std::process::Command;

use serde_json::json;

use crate::support::{Server, notes};

/// Why tracing is not possible here, if it is not.
fn no_tracing() -> Option<String> {
    match Command::new("strace").args(["-f", "true"]).output() {
        Err(error) => Some(format!("strace cannot be started ({error}): install it")),
        Ok(output) if !output.status.success() => {
            let text = String::from_utf8_lossy(&output.stderr);
            let last = text.lines().last().unwrap_or_default();
            Some(format!("tracing is not allowed here: {last}"))
        }
        Ok(_) => None,
    }
}

/// Places in a trace of what happened to one write.
#[derive(Debug, Default)]
struct Found {
    written_to_log: Option<usize>,
    synced: Option<usize>,
    answered: Option<usize>,
}

/// Reads `strace -f -y` output: where the marker was written to the database's log, where the first
/// sync after that returned, and where the answer with the marker began. Later commits may write the
/// page with the marker again, before the answer too: what is synced stays so.
fn find(trace: &str, marker: &str) -> Found {
    let mut found = Found::default();
    let mut syncing: Vec<&str> = Vec::new();
    for (number, line) in trace.lines().enumerate() {
        let thread = line.split_whitespace().next().unwrap_or_default();
        let is_sync = line.contains(" fsync(") || line.contains(" fdatasync(");
        if line.contains("HTTP/1.1 201") && line.contains(marker) {
            found.answered = Some(number);
            return found;
        }
        if line.contains("pwrite64(") && line.contains("-wal>") && line.contains(marker) {
            if found.synced.is_none() {
                found.written_to_log = Some(number);
                syncing.clear();
            }
        } else if is_sync && line.contains("-wal>") && found.written_to_log.is_some() {
            if line.ends_with("= 0") {
                found.synced = found.synced.or(Some(number));
            } else if line.contains("<unfinished") {
                syncing.push(thread);
            }
        } else if line.contains("sync resumed>")
            && line.ends_with("= 0")
            && let Some(place) = syncing.iter().position(|other| *other == thread)
        {
            syncing.remove(place);
            found.synced = found.synced.or(Some(number));
        }
    }
    found
}

#[tokio::test]
async fn the_log_is_synced_before_the_answer_is_sent() {
    if let Some(reason) = no_tracing() {
        notes::leave("durable", &format!("skipped: {reason}"));
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("trace");
    let mut server = Server::builder()
        // As a grandchild, so that the process that is signalled is the server.
        .under(&[
            "strace",
            "-D",
            "-f",
            "-y",
            "-s",
            "8192",
            "-e",
            "trace=fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg",
            "-o",
            trace.to_str().expect("UTF-8"),
        ])
        .start()
        .await;
    server.expect_dead_deliveries(); // The echoes: there is no Telegram token.
    let api = server.integration();
    let conversation = api.conversation("501").await;
    let user = api.user("501").await;
    for n in 0..20 {
        let marker = format!("durable-marker-{n:02}");
        let body = json!({
            "conversationId": conversation["id"], "userId": user["id"],
            "type": "custom", "payload": { "marker": marker }, "tags": {},
        });
        api.post("/v1/chat/messages", &body)
            .await
            .created("message");
    }
    let text = crate::support::wait::until("the trace is written", || async {
        let bytes = std::fs::read(&trace).expect("a trace");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        find(&text, "durable-marker-19").answered.map(|_| text)
    })
    .await;
    for n in 0..20 {
        let marker = format!("durable-marker-{n:02}");
        let found = find(&text, &marker);
        let (Some(written), Some(synced), Some(answered)) =
            (found.written_to_log, found.synced, found.answered)
        else {
            panic!("{marker}: {found:?}");
        };
        assert!(written < synced && synced < answered, "{marker}: {found:?}");
    }
}

#[test]
fn the_reader_of_traces_sees_a_missing_sync() {
    let good = "\
7 pwrite64(9</x/d.db-wal>, \"..m..\", 4096, 32) = 4096
7 fdatasync(9</x/d.db-wal> <unfinished ...>
8 write(4<socket:[1]>, \"HTTP/1.1 200 OK\", 9) = 9
7 <... fdatasync resumed>) = 0
8 write(4<socket:[1]>, \"HTTP/1.1 201 Created m\", 9) = 9
";
    let found = find(good, "m..");
    assert_eq!(found.written_to_log, Some(0));
    let found = find(good, "m");
    assert!(found.synced < found.answered && found.synced > found.written_to_log);
    let again = good.replace(
        "8 write(4<socket:[1]>, \"HTTP/1.1 201",
        "\
7 pwrite64(9</x/d.db-wal>, \"..m..\", 4096, 32) = 4096
8 write(4<socket:[1]>, \"HTTP/1.1 201",
    );
    let found = find(&again, "m");
    assert!(found.synced < found.answered && found.synced > found.written_to_log);
    let early = good.replace(
        "7 pwrite64",
        "9 fdatasync(9</x/d.db-wal> <unfinished ...>\n7 pwrite64",
    );
    let early = early.replace("7 <... fdatasync", "9 <... fdatasync");
    assert_eq!(find(&early, "m").synced, None);
    let bad = good.replace("7 <... fdatasync resumed>) = 0\n", "");
    assert_eq!(find(&bad, "m").synced, None);
}
