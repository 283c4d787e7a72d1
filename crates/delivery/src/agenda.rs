//! When a worker looks for work: when it is told of any, when a time has come, and now and then.

use std::time::{Duration, Instant};

use crate::moment::from_now;
use crate::underway::{Ended, Places};

/// The shortest sleep. If due time and claims should ever disagree, this keeps the loop from
/// spinning.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);
/// The longest pause after claims that failed.
const LONGEST_RECOVERY: Duration = Duration::from_secs(2);

/// When to claim next.
pub(crate) struct Agenda {
    poll: Duration,
    pub(crate) something_waits: bool,
    /// Perhaps something waits that was tried before, for which there was no room.
    retries_wait: bool,
    pub(crate) alarm: Instant,
    recovery: Duration,
}

impl Agenda {
    pub(crate) fn new(poll: Duration) -> Self {
        Self {
            poll,
            something_waits: true,
            retries_wait: false,
            alarm: from_now(poll),
            recovery: Duration::ZERO,
        }
    }

    /// Whether to claim now, for so many places.
    pub(crate) fn calls(&self, places: Places) -> bool {
        places.all > 0 && (self.something_waits || self.retries_wait && places.again > 0)
    }

    /// Whether anything waits for a place.
    pub(crate) fn wants_places(&self) -> bool {
        self.something_waits || self.retries_wait
    }

    /// So many were claimed for these places.
    pub(crate) fn claimed(&mut self, places: Places, claimed: Places, next_due: Option<Duration>) {
        self.something_waits = claimed.all >= places.all;
        self.retries_wait = claimed.again >= places.again;
        self.recovery = Duration::ZERO;
        let sleep = next_due.unwrap_or(self.poll).min(self.poll);
        self.alarm = from_now(sleep.max(SHORTEST_SLEEP));
    }

    /// Tells whether this is the first failure after successes.
    pub(crate) fn failed(&mut self) -> bool {
        let is_news = self.recovery.is_zero();
        self.recovery = (self.recovery * 2).clamp(Duration::from_millis(50), LONGEST_RECOVERY);
        self.something_waits = false;
        self.retries_wait = false;
        self.alarm = from_now(self.recovery);
        is_news
    }

    pub(crate) fn rang(&mut self) {
        self.something_waits = true;
        // Should all places be taken, the next claim, which sets the alarm anew, is not soon.
        self.alarm = from_now(self.poll);
    }

    /// A task has ended, perhaps with something to do later.
    pub(crate) fn ended(&mut self, task: Ended) {
        match task {
            Ok(Some(due)) => self.alarm = self.alarm.min(due),
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%error, "a delivery's task broke; it is tried again when its lease is over");
            }
        }
    }
}
