//! The server and the bare routes as processes, which end with the value that holds them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::bare;
use crate::failure::{Failure, Result, failed};
use crate::load::whole;

/// The longest an answer to a single request may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What opens each server that is started here: a folder that is used again tells none of its own.
const TOKEN: &str = "a-token-of-the-benchmark-which-opens-nothing-else";

/// What the server says when it is ready (docs/automation.md).
#[derive(Debug, Deserialize)]
struct ReadyLine {
    bot_id: String,
    url: String,
}

/// A process that is ended when this value goes.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, which is what is wanted.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Process {
    /// The first line it says on its standard output.
    fn first_line(&mut self) -> Result<String> {
        let mut line = String::new();
        if let Some(output) = self.0.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        if line.is_empty() {
            return failed("a process ended before it was ready; its errors are above");
        }
        Ok(line)
    }
}

/// A running server.
pub(crate) struct Server {
    process: Process,
    pub(crate) address: SocketAddr,
    pub(crate) bot: String,
    pub(crate) token: &'static str,
    /// From the call that made the process to the line that it was ready.
    pub(crate) start: Duration,
}

impl Server {
    /// On this folder, with these further settings.
    pub(crate) fn start(program: &Path, folder: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SWITCHBOARD_") {
                command.env_remove(name);
            }
        }
        command
            .args(["serve", "--ready-json"])
            .current_dir(folder)
            .env("SWITCHBOARD_LISTEN", "127.0.0.1:0")
            .env("SWITCHBOARD_DATA_DIR", folder)
            .env("SWITCHBOARD_LOG", "warn")
            .env("SWITCHBOARD_TOKEN", TOKEN)
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let before = Instant::now();
        let mut process = Process(command.spawn()?);
        let line = process.first_line()?;
        let start = before.elapsed();
        let ready: ReadyLine = serde_json::from_str(&line)?;
        let address = ready.url.strip_prefix("http://").unwrap_or_default();
        let address = address
            .parse()
            .map_err(|_| Failure::Other(format!("no address: {}", ready.url)))?;
        Ok(Self {
            process,
            address,
            bot: ready.bot_id,
            token: TOKEN,
            start,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }
}

/// The bare routes, running.
pub(crate) struct Bare {
    process: Process,
    pub(crate) address: SocketAddr,
}

impl Bare {
    /// This program again, in its other role.
    pub(crate) fn start(setup: &bare::Setup) -> Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .arg("bare")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut process = Process(child);
        if let Some(mut input) = process.0.stdin.take() {
            input.write_all(serde_json::to_string(setup)?.as_bytes())?;
        }
        let ready: bare::Ready = serde_json::from_str(&process.first_line()?)?;
        Ok(Self {
            process,
            address: ready.address,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }
}

/// Sends one request and gives the body of the answer.
pub(crate) fn ask(address: SocketAddr, request: &[u8]) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk)?;
        answer.extend_from_slice(&chunk[..count]);
        if let Some((status, end)) = whole(&answer)? {
            let text = String::from_utf8_lossy(&answer[..end]).into_owned();
            let (_, body) = text.split_once("\r\n\r\n").unwrap_or_default();
            if !(200..300).contains(&status) {
                return failed(format!("the server refused a request: {text}"));
            }
            return Ok(body.to_owned());
        }
        if count == 0 {
            return failed("the server closed a connection in the middle of an answer");
        }
    }
}

/// The server's binary: the one that is named, or the one beside this program, built anew if cargo
/// has started this.
pub(crate) fn program(named: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(path) = named {
        // It is started in other folders.
        return Ok(std::path::absolute(path)?);
    }
    let beside = std::env::current_exe()?.with_file_name("switchboard");
    if let Some(cargo) = std::env::var_os("CARGO") {
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "switchboard"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        if !build.status()?.success() {
            return failed("the server does not build; its errors are above");
        }
    }
    if beside.is_file() {
        return Ok(beside);
    }
    failed(format!(
        "there is no {}; run `cargo build --release -p switchboard`, or name one with --server",
        beside.display()
    ))
}
