//! The system's clock, randomness and limits: the only place that asks for them.

use std::time::UNIX_EPOCH;

use ring::rand::{SecureRandom, SystemRandom};
use switchboard_model::{Clock, Environment, Random, Timestamp};

/// Lets this process open as many files and connections as it may. Many slow bots and chats each
/// hold one, and the usual limit of 1,024 is only where the system starts.
pub(crate) fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// How many files and connections this process may be allowed to open.
pub(crate) fn file_limit() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    })
}

struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // Here the system's time enters as a value.
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
        // Ids and secrets made without randomness would be worse than no server.
        if self.0.fill(bytes).is_err() {
            eprintln!("error: the system gives no randomness; check /dev/urandom");
            std::process::abort();
        }
    }
}

/// Time and randomness from the system.
pub(crate) fn environment() -> Environment {
    Environment::new(SystemClock, SystemSource(SystemRandom::new()))
}
