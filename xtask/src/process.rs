//! Programs that steps start.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;

use crate::counts::Counts;

/// A program of the step, started at the root.
pub(crate) fn command(root: &Path, line: &[&str]) -> Command {
    let mut command = Command::new(line[0]);
    command
        .args(&line[1..])
        .current_dir(root)
        .stdin(Stdio::null());
    command
}

/// Runs a program to its end; its output goes where ours does.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let status = command
        .status()
        .map_err(|error| cannot_start(command, &error))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{}` failed ({status})", shown(command)))
    }
}

/// Runs a program of which only the exit code matters, without its output.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A program's standard output, if it ends well.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs a test runner, passes its output on as it comes and counts its tests.
pub(crate) fn run_tests(command: &mut Command) -> (Counts, Result<(), String>) {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return (Counts::default(), Err(cannot_start(command, &error))),
    };
    let (lines, received) = mpsc::channel();
    let readers = [
        child.stdout.take().map(|out| forward(out, lines.clone())),
        child.stderr.take().map(|err| forward(err, lines)),
    ];
    let mut counts = Counts::default();
    for line in received {
        println!("{line}");
        counts += Counts::of_line(&line);
    }
    for reader in readers.into_iter().flatten() {
        // A reader ends with its stream and cannot panic.
        drop(reader.join());
    }
    let result = match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{}` failed ({status})", shown(command))),
        Err(error) => Err(format!("`{}`: {error}", shown(command))),
    };
    (counts, result)
}

fn forward(
    stream: impl Read + Send + 'static,
    lines: mpsc::Sender<String>,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        // Bytes, not strings: one odd byte must not end the reading.
        while stream
            .read_until(b'\n', &mut line)
            .is_ok_and(|read| read > 0)
        {
            let text = String::from_utf8_lossy(&line);
            if lines.send(text.trim_end().to_owned()).is_err() {
                return;
            }
            line.clear();
        }
    })
}

fn cannot_start(command: &Command, error: &std::io::Error) -> String {
    format!("`{}` cannot be started: {error}", shown(command))
}

fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(
        command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    words.join(" ")
}
