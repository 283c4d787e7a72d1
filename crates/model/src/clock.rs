//! Where time and randomness come from. The binary hands in the system's; tests hand in theirs.

use std::sync::{Arc, Mutex, PoisonError};

use ulid::Ulid;

use crate::Timestamp;

/// A source of the current time.
pub trait Clock: Send + Sync + 'static {
    /// The current time.
    fn now(&self) -> Timestamp;
}

/// A source of random bytes, fit for secrets unless it is a test's.
pub trait Random: Send + Sync + 'static {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// Time, randomness and new ids, handed to each room that needs them. Cheap to clone; clones make
/// ids from one sequence.
#[derive(Clone)]
pub struct Environment {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    last: Arc<Mutex<Ulid>>,
}

impl Environment {
    /// From a clock and a random source.
    pub fn new(clock: impl Clock, random: impl Random) -> Self {
        Self {
            clock: Arc::new(clock),
            random: Arc::new(random),
            last: Arc::new(Mutex::new(Ulid(0))),
        }
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Fills `bytes` with randomness.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.random.fill(bytes);
    }

    /// A new ULID, greater than each one made before it from this environment, also within one
    /// millisecond and when the clock steps back.
    pub fn ulid(&self) -> Ulid {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes[6..]);
        let random = u128::from_be_bytes(bytes);
        let millis = u64::try_from(self.now().as_millis()).unwrap_or(0);
        let fresh = Ulid::from_parts(millis, random);

        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = if fresh.timestamp_ms() > last.timestamp_ms() {
            fresh
        } else {
            Ulid(last.0 + 1)
        };
        *last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stopped;
    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_700_000_000_000)
        }
    }
    struct Highest;
    impl Random for Highest {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0xff);
        }
    }

    #[test]
    fn ids_grow_within_one_millisecond_even_from_the_highest_random_part() {
        let env = Environment::new(Stopped, Highest);
        let (a, b, c) = (env.ulid(), env.ulid(), env.ulid());
        assert!(a < b && b < c);
    }
}
