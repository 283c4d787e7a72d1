//! The system's clock and randomness, what processes use, and what machine this is.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant, UNIX_EPOCH};

use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;
use switchboard_model::{Clock, Environment, Random, Timestamp};

use crate::failure::{Result, failed};

struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "here the system's time enters as a value"
    )]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

struct SystemSource(SystemRandom);

impl Random for SystemSource {
    fn fill(&self, bytes: &mut [u8]) {
        if self.0.fill(bytes).is_err() {
            eprintln!("error: the system gives no randomness; check /dev/urandom");
            std::process::abort();
        }
    }
}

/// The same time and randomness as the server has.
pub(crate) fn environment() -> Environment {
    Environment::new(SystemClock, SystemSource(SystemRandom::new()))
}

/// The time, in milliseconds since 1970.
pub(crate) fn now() -> u64 {
    SystemClock.now().as_millis().unsigned_abs()
}

/// How many processors share the work.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The processor time that a process has used, of the user's and the system's kind; `None` for
/// this process.
pub(crate) fn cpu_time(pid: Option<u32>) -> Result<Duration> {
    let who = pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    let stat = fs::read_to_string(format!("/proc/{who}/stat"))?;
    // The name in the second field may hold anything, also spaces and brackets.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = fields
        .split_ascii_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    // Linux tells them in hundredths of a second to every program (USER_HZ).
    Ok(Duration::from_millis(ticks * 10))
}

/// A process' memory, in MiB.
pub(crate) struct Memory {
    /// What has been resident at most since the last [`forget_most`], or since the start.
    pub(crate) most: f64,
    /// What is resident.
    pub(crate) now: f64,
    /// The proportional share of that.
    pub(crate) own: f64,
}

/// How much memory a process has.
pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kib = line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()?;
        Some(kib / 1024.0)
    };
    let now = field("smaps_rollup", "Rss:");
    let own = field("smaps_rollup", "Pss:");
    match (field("status", "VmHWM:"), now, own) {
        (Some(most), Some(now), Some(own)) => Ok(Memory { most, now, own }),
        _ => failed("this system does not tell how much memory a process has"),
    }
}

/// Begins anew to note what a process has at most (`proc_pid_clear_refs(5)`).
pub(crate) fn forget_most(pid: u32) -> Result<()> {
    Ok(fs::write(format!("/proc/{pid}/clear_refs"), "5")?)
}

/// What the numbers were made on.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    cores: usize,
    processor: String,
    kernel: String,
    sqlite: &'static str,
    /// The median of 100 writes of one page each, made durable.
    fsync_micros: u128,
    /// How many others wanted a processor, on average over a minute, when the table was begun.
    load_before: String,
    load_after: String,
}

impl Machine {
    /// Looks around; `folder` is where the databases will be.
    pub(crate) fn look(folder: &Path) -> Result<Self> {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = info
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .and_then(|line| line.split_once(':'))
            .map_or("unknown", |(_, name)| name.trim());
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Ok(Self {
            cores: cores(),
            processor: processor.to_owned(),
            kernel: kernel.trim().to_owned(),
            sqlite: rusqlite::version(),
            fsync_micros: fsync(folder)?.as_micros(),
            load_before: load(),
            load_after: String::new(),
        })
    }

    /// To be called when the table is done.
    pub(crate) fn finished(&mut self) {
        self.load_after = load();
    }

    /// A line for people.
    pub(crate) fn line(&self) -> String {
        format!(
            "{} cores ({}), Linux {}, SQLite {}, a durable write of 4 KiB takes {} µs; load average \
             {} before, {} after",
            self.cores,
            self.processor,
            self.kernel,
            self.sqlite,
            self.fsync_micros,
            self.load_before,
            self.load_after
        )
    }
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn fsync(folder: &Path) -> Result<Duration> {
    let mut file = tempfile::tempfile_in(folder)?;
    let mut times = Vec::new();
    for _ in 0..100 {
        file.write_all(&[1; 4096])?;
        let start = Instant::now();
        file.sync_data()?;
        times.push(start.elapsed());
    }
    times.sort();
    Ok(times[times.len() / 2])
}
