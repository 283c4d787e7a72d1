//! The system's clock and randomness: the only place that asks for them.

use std::time::UNIX_EPOCH;

use ring::rand::{SecureRandom, SystemRandom};
use switchboard_model::{Clock, Environment, Random, Timestamp};

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
