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
    committed: Option<usize>,
    synced: Option<usize>,
    answered: Option<usize>,
}

/// Reads `strace -f -y` output: where the marker was written to the database's log, where the last
/// page of its commit was, where the first sync begun after that returned, and where the answer with
/// the marker began. Later commits may write the page with the marker again, and the sync of an
/// earlier one may begin while this one is being written: neither counts.
fn find(trace: &str, marker: &str) -> Found {
    let mut found = Found::default();
    let mut ends_commit = false;
    let mut syncing: Vec<&str> = Vec::new();
    for (number, line) in trace.lines().enumerate() {
        let thread = line.split_whitespace().next().unwrap_or_default();
        let is_sync = line.contains(" fsync(") || line.contains(" fdatasync(");
        if line.contains("HTTP/1.1 201") && line.contains(marker) {
            found.answered = Some(number);
            return found;
        }
        if line.contains("pwrite64(") && line.contains("-wal>") {
            if line.contains(", 24, ") {
                ends_commit = is_commit(line);
            } else {
                if found.written_to_log.is_none() && line.contains(marker) {
                    found.written_to_log = Some(number);
                }
                if found.written_to_log.is_some() && found.committed.is_none() && ends_commit {
                    found.committed = Some(number);
                }
            }
        } else if is_sync && line.contains("-wal>") && found.committed.is_some() {
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

/// Whether the written header of a page says that the page is the last of its commit: its second
/// number is then the size of the database (<https://sqlite.org/fileformat2.html#walformat>).
fn is_commit(line: &str) -> bool {
    let Some((_, text)) = line.split_once('"') else {
        return false;
    };
    let mut bytes = Vec::new();
    let mut rest = text.chars().peekable();
    while bytes.len() < 8 {
        match rest.next() {
            None | Some('"') => break,
            Some('\\') => match rest.next() {
                Some(digit) if digit.is_digit(8) => {
                    let mut value = digit.to_digit(8).unwrap_or_default();
                    for _ in 0..2 {
                        if let Some(more) = rest.peek().and_then(|next| next.to_digit(8)) {
                            value = value * 8 + more;
                            rest.next();
                        }
                    }
                    bytes.push(value);
                }
                // A letter or a quote, none of which stands for nothing.
                _ => bytes.push(1),
            },
            Some(other) => bytes.push(u32::from(other)),
        }
    }
    bytes.len() == 8 && bytes[4..].iter().any(|byte| *byte != 0)
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
    // Several at once: a commit is synced while the next is made.
    let post = async |first: usize| {
        for n in (first..40).step_by(4) {
            let marker = format!("durable-marker-{n:02}");
            let body = json!({
                "conversationId": conversation["id"], "userId": user["id"],
                "type": "custom", "payload": { "marker": marker }, "tags": {},
            });
            api.post("/v1/chat/messages", &body)
                .await
                .created("message");
        }
    };
    tokio::join!(post(0), post(1), post(2), post(3));
    let text = crate::support::wait::until("the trace is written", || async {
        let bytes = std::fs::read(&trace).expect("a trace");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let all = (36..40).all(|n| {
            let found = find(&text, &format!("durable-marker-{n:02}"));
            found.answered.is_some()
        });
        all.then_some(text)
    })
    .await;
    for n in 0..40 {
        let marker = format!("durable-marker-{n:02}");
        let found = find(&text, &marker);
        let (Some(committed), Some(synced), Some(answered)) =
            (found.committed, found.synced, found.answered)
        else {
            panic!("{marker}: {found:?}");
        };
        assert!(
            committed < synced && synced < answered,
            "{marker}: {found:?}"
        );
    }
}

#[test]
fn the_reader_of_traces_sees_a_missing_sync() {
    let good = r#"
7 pwrite64(9</x/d.db-wal>, "\0\0\0\5\0\0\0\0\12\3..", 24, 8) = 24
7 pwrite64(9</x/d.db-wal>, "..m..", 4096, 32) = 4096
7 pwrite64(9</x/d.db-wal>, "\0\0\0\6\0\0\1\0\12\3..", 24, 8) = 24
7 pwrite64(9</x/d.db-wal>, "..", 4096, 32) = 4096
7 fdatasync(9</x/d.db-wal> <unfinished ...>
8 write(4<socket:[1]>, "HTTP/1.1 200 OK", 9) = 9
7 <... fdatasync resumed>) = 0
8 write(4<socket:[1]>, "HTTP/1.1 201 Created m", 9) = 9
"#;
    let found = find(good, "m..");
    assert_eq!((found.written_to_log, found.committed), (Some(2), Some(4)));
    let found = find(good, "m");
    assert!(found.synced < found.answered && found.synced > found.committed);
    let again = good.replace(
        "8 write(4<socket:[1]>, \"HTTP/1.1 201",
        "7 pwrite64(9</x/d.db-wal>, \"..m..\", 4096, 32) = 4096\n\
         8 write(4<socket:[1]>, \"HTTP/1.1 201",
    );
    let found = find(&again, "m");
    assert!(found.synced < found.answered && found.synced > found.committed);
    // One that began before the marker was written, and one before its commit was whole.
    for before in ["\"..m..\"", "\"..\""] {
        let page = format!("7 pwrite64(9</x/d.db-wal>, {before}");
        let early = good.replace(
            &page,
            &format!("9 fdatasync(9</x/d.db-wal> <unfinished ...>\n{page}"),
        );
        let early = early.replace("7 <... fdatasync", "9 <... fdatasync");
        assert_eq!(find(&early, "m").synced, None, "{before}");
    }
    let bad = good.replace("7 <... fdatasync resumed>) = 0\n", "");
    assert_eq!(find(&bad, "m").synced, None);
}
