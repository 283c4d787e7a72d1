//! When a worker looks for work: when it is told of any, when a time has come, and now and then.

use std::time::{Duration, Instant};

use tokio::task::JoinError;

/// The shortest sleep. If due time and claims should ever disagree, this keeps the loop from
/// spinning.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);
/// The longest pause after claims that failed.
const LONGEST_RECOVERY: Duration = Duration::from_secs(2);

/// When to claim next.
pub(crate) struct Agenda {
    poll: Duration,
    pub(crate) something_waits: bool,
    pub(crate) alarm: Instant,
    recovery: Duration,
}

impl Agenda {
    pub(crate) fn new(poll: Duration) -> Self {
        Self {
            poll,
            something_waits: true,
            alarm: Instant::now() + poll,
            recovery: Duration::ZERO,
        }
    }

    pub(crate) fn claimed(&mut self, full: bool, next_due: Option<Duration>) {
        self.something_waits = full;
        self.recovery = Duration::ZERO;
        let sleep = next_due.unwrap_or(self.poll).min(self.poll);
        self.alarm = Instant::now() + sleep.max(SHORTEST_SLEEP);
    }

    /// Tells whether this is the first failure after successes.
    pub(crate) fn failed(&mut self) -> bool {
        let is_news = self.recovery.is_zero();
        self.recovery = (self.recovery * 2).clamp(Duration::from_millis(50), LONGEST_RECOVERY);
        self.something_waits = false;
        self.alarm = Instant::now() + self.recovery;
        is_news
    }

    pub(crate) fn rang(&mut self) {
        self.something_waits = true;
        // Should all places be taken, the next claim, which sets the alarm anew, is not soon.
        self.alarm = Instant::now() + self.poll;
    }

    /// A task has ended, perhaps with something to do later.
    pub(crate) fn ended(&mut self, task: Result<Option<Instant>, JoinError>) {
        match task {
            Ok(Some(due)) => self.alarm = self.alarm.min(due),
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%error, "a delivery's task broke; it is tried again when its lease is over");
            }
        }
    }
}
