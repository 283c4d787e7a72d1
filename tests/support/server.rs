//! The built binary as a server, started as automation starts it: `switchboard serve --ready-json`,
//! settings by variables, a data folder of its own, port 0.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::api::Api;
use crate::support::program::{self, Ended};

/// The longest a server may take to accept requests, or to stop.
const START: Duration = Duration::from_secs(30);
const STOP: Duration = Duration::from_secs(30);

/// The one line on standard output.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ready {
    pub(crate) url: String,
    pub(crate) bot_id: String,
    pub(crate) integration_id: String,
    pub(crate) token: Option<String>,
}

/// What to start it with.
pub(crate) struct Builder {
    env: BTreeMap<String, String>,
    wrapper: Vec<String>,
}

/// A server with a data folder. Dropping it ends the process and checks the outbox.
pub(crate) struct Server {
    folder: TempDir,
    env: BTreeMap<String, String>,
    wrapper: Vec<String>,
    running: Option<Running>,
    /// Of the last start.
    pub(crate) ready: Ready,
    token: String,
    dead_expected: bool,
}

struct Running {
    child: Child,
    stdout: Arc<Mutex<Vec<String>>>,
}

impl Builder {
    /// Sets a variable.
    #[must_use]
    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.insert(name.to_owned(), value.into());
        self
    }

    /// A Bot API server and a token for it.
    #[must_use]
    pub(crate) fn telegram(self, api_url: &str, token: &str) -> Self {
        self.env("SWITCHBOARD_TELEGRAM_API_URL", api_url)
            .env("SWITCHBOARD_TELEGRAM_TOKEN", token)
    }

    /// A bot over HTTP.
    #[must_use]
    pub(crate) fn bot(self, url: &str) -> Self {
        self.env("SWITCHBOARD_BOT_URL", url)
    }

    /// Runs the server under another program, such as a tracer.
    #[must_use]
    pub(crate) fn under(mut self, program: &[&str]) -> Self {
        self.wrapper = program.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Starts it, in a new data folder.
    pub(crate) async fn start(self) -> Server {
        let folder = tempfile::tempdir().expect("a temporary folder");
        self.start_in(folder).await
    }

    /// Starts it in this folder.
    pub(crate) async fn start_in(self, folder: TempDir) -> Server {
        let mut server = Server {
            folder,
            env: self.env,
            wrapper: self.wrapper,
            running: None,
            ready: Ready {
                url: String::new(),
                bot_id: String::new(),
                integration_id: String::new(),
                token: None,
            },
            token: String::new(),
            dead_expected: false,
        };
        server.start().await;
        server
    }
}

impl Server {
    pub(crate) fn builder() -> Builder {
        Builder {
            env: BTreeMap::from([("SWITCHBOARD_LISTEN".to_owned(), "127.0.0.1:0".to_owned())]),
            wrapper: Vec::new(),
        }
    }

    /// With the built-in echo bot and no Telegram token.
    pub(crate) async fn echo() -> Self {
        Self::builder().start().await
    }

    /// Starts it again on the same data folder.
    pub(crate) async fn start(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        match self.try_start().await {
            Ok(()) => {}
            Err(error) => panic!("{error}; its log:\n{}", self.log_tail()),
        }
    }

    async fn try_start(&mut self) -> Result<(), String> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())
            .expect("a log file");
        let mut command = self.serve_command();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the server starts");
        let stdout = child.stdout.take().expect("a pipe");
        let mut lines = BufReader::new(stdout).lines();
        let line = match tokio::time::timeout(START, lines.next_line()).await {
            Ok(Ok(Some(line))) => line,
            Ok(_) => return Err(format!("the server ended: {:?}", child.wait().await)),
            Err(_) => return Err(format!("no ready line within {START:?}")),
        };
        self.ready = serde_json::from_str(&line)
            .map_err(|error| format!("the ready line is {line:?}: {error}"))?;
        if let Some(token) = &self.ready.token {
            token.clone_into(&mut self.token);
        }
        let stdout = Arc::new(Mutex::new(vec![line]));
        let collected = Arc::clone(&stdout);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                collected.lock().expect("not poisoned").push(line);
            }
        });
        self.running = Some(Running { child, stdout });
        Ok(())
    }

    /// `switchboard serve --ready-json` with this server's settings.
    pub(crate) fn serve_command(&self) -> Command {
        let serve = ["serve", "--ready-json"];
        let mut command = if let Some((wrapper, arguments)) = self.wrapper.split_first() {
            let mut command = Command::new(wrapper);
            command.args(arguments).arg(program::BINARY).args(serve);
            command.current_dir(self.folder.path()).kill_on_drop(true);
            command
        } else {
            let mut command = program::bare(self.folder.path());
            command.args(serve);
            command
        };
        command.envs(self.env_for_commands()).envs(&self.env);
        command
    }

    fn env_for_commands(&self) -> [(&'static str, PathBuf); 1] {
        [("SWITCHBOARD_DATA_DIR", self.data_dir())]
    }

    /// Runs a command on this server's data folder.
    pub(crate) async fn command(&self, arguments: &[&str]) -> Ended {
        self.command_with_input(arguments, "").await
    }

    /// The same, with a text on standard input.
    pub(crate) async fn command_with_input(&self, arguments: &[&str], input: &str) -> Ended {
        let mut command = program::bare(self.folder.path());
        command.args(arguments).envs(self.env_for_commands());
        if self.running.is_none() {
            // Without a server the command does the work itself, so it needs the settings.
            command.envs(&self.env);
        }
        program::run(&mut command, input).await
    }

    /// The bot as a caller.
    pub(crate) fn bot(&self) -> Api {
        assert!(!self.token.is_empty(), "no token was printed");
        Api::new(&self.ready.url, &self.token, &self.ready.bot_id)
    }

    /// The bot's Telegram integration as a caller.
    pub(crate) fn integration(&self) -> Api {
        self.bot().acting_as(&self.ready.integration_id, "telegram")
    }

    /// Changes a variable for the next start.
    pub(crate) fn set_env(&mut self, name: &str, value: impl Into<String>) {
        self.env.insert(name.to_owned(), value.into());
    }

    /// SIGKILL.
    pub(crate) async fn kill(&mut self) {
        let mut running = self.running.take().expect("it runs");
        running.child.kill().await.expect("it can be killed");
    }

    /// SIGTERM, and waits for the end.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        let mut running = self.running.take().expect("it runs");
        signal(&running.child, "TERM").await;
        let status = tokio::time::timeout(STOP, running.child.wait()).await;
        let status = status.unwrap_or_else(|_| {
            panic!(
                "it does not stop within {STOP:?}; its log:\n{}",
                self.log_tail()
            )
        });
        status.expect("it can be waited for")
    }

    /// Sends a signal by name, and does not wait.
    pub(crate) async fn signal(&self, name: &str) {
        signal(&self.running.as_ref().expect("it runs").child, name).await;
    }

    /// Stops it in order and starts it again.
    pub(crate) async fn restart(&mut self) {
        self.terminate().await;
        self.start().await;
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        let running = self.running.as_ref().expect("it runs");
        running.child.id().expect("it runs")
    }

    /// What it printed on standard output so far.
    pub(crate) fn stdout(&self) -> Vec<String> {
        let running = self.running.as_ref().expect("it runs");
        running.stdout.lock().expect("not poisoned").clone()
    }

    /// What it logged so far, over all starts.
    pub(crate) fn log(&self) -> String {
        let bytes = std::fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// This test leaves dead deliveries on purpose.
    pub(crate) fn expect_dead_deliveries(&mut self) {
        self.dead_expected = true;
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// The dead deliveries, by the command that people use.
    fn dead_deliveries(&self) -> serde_json::Value {
        let output = std::process::Command::new(program::BINARY)
            .args(["deliveries", "list", "--status", "dead", "--json"])
            .current_dir(self.folder.path())
            .envs(self.env_for_commands())
            .output()
            .expect("the command starts");
        assert!(
            output.status.success(),
            "the outbox cannot be looked at: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

/// Sends a signal by name.
async fn signal(child: &Child, name: &str) {
    let pid = child.id().expect("it runs");
    let status = Command::new("sh")
        .args(["-c", &format!("kill -{name} {pid}")])
        .status()
        .await
        .expect("a shell");
    assert!(status.success(), "SIG{name} cannot be sent to {pid}");
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the server's log ends with:\n{}", self.log_tail());
            return;
        }
        if !self.dead_expected && !self.ready.url.is_empty() {
            let dead = self.dead_deliveries();
            let dead = dead["deliveries"].as_array().expect("a list");
            assert!(
                dead.is_empty(),
                "dead deliveries that the test did not expect: {dead:#?}"
            );
        }
        if let Some(running) = &mut self.running {
            // The folder goes next, so nothing needs to be finished.
            drop(running.child.start_kill());
        }
    }
}
