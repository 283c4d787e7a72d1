//! Whether a channel account works: it is found out carefully, and one that does not is left alone.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::Policy;
use crate::carrier::Admission;
use crate::moment::from_now;

/// How many are let through until one of them shows that the account works: if it does not, each
/// is a call in vain, and channels count those.
const UNTRIED: usize = 8;

/// Kept in memory only: a worker that replaces another one, with a new token, starts untried.
pub(crate) struct Gate {
    state: Mutex<State>,
    first_pause: Duration,
    longest_pause: Duration,
}

#[derive(Clone, Copy)]
enum State {
    Untried,
    NotRefused,
    Works,
    Broken { until: Instant, pause: Duration },
}

impl Gate {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self {
            state: Mutex::new(State::Untried),
            first_pause: policy.first_pause,
            longest_pause: policy.longest_pause,
        }
    }

    pub(crate) fn admission(&self) -> Admission {
        match *self.state() {
            State::Untried => Admission::UpTo(UNTRIED),
            State::NotRefused | State::Works => Admission::UpTo(usize::MAX),
            State::Broken { until, .. } if Instant::now() < until => Admission::NotBefore(until),
            State::Broken { .. } => Admission::UpTo(1),
        }
    }

    /// Whether the account is being left alone.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.admission(), Admission::NotBefore(_))
    }

    /// The account has answered as one that works. Tells whether it did not before.
    pub(crate) fn works(&self) -> bool {
        let mut state = self.state();
        let was_broken = matches!(*state, State::Broken { .. });
        *state = State::Works;
        was_broken
    }

    /// A refusal would have come by now.
    pub(crate) fn seems_to_work(&self) {
        let mut state = self.state();
        if matches!(*state, State::Untried) {
            *state = State::NotRefused;
        }
    }

    /// The account does not work. Tells for how long it is left alone from now, or `None` if it
    /// was already: several tries that were under way together are one finding.
    pub(crate) fn breaks(&self) -> Option<Duration> {
        let now = Instant::now();
        let mut state = self.state();
        let pause = match *state {
            State::Untried | State::NotRefused | State::Works => self.first_pause,
            State::Broken { until, .. } if now < until => return None,
            State::Broken { pause, .. } => pause.saturating_mul(2).min(self.longest_pause),
        };
        *state = State::Broken {
            until: from_now(pause),
            pause,
        };
        Some(pause)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(first_pause: Duration) -> Gate {
        Gate::new(&Policy {
            first_pause,
            longest_pause: first_pause * 3,
            ..Policy::channel()
        })
    }

    #[test]
    fn an_account_is_tried_carefully_until_it_answers() {
        let gate = gate(Duration::from_mins(1));
        assert_eq!(gate.admission(), Admission::UpTo(UNTRIED));
        gate.seems_to_work();
        assert_eq!(gate.admission(), Admission::UpTo(usize::MAX));
        assert!(!gate.works(), "that is no news");
    }

    #[test]
    fn a_pause_grows_with_each_probe_and_once_for_tries_that_fail_together() {
        let long = gate(Duration::from_mins(1));
        assert_eq!(long.breaks(), Some(Duration::from_mins(1)));
        assert_eq!(long.breaks(), None);
        assert!(long.is_closed());
        long.seems_to_work();
        assert!(long.is_closed());

        let short = gate(Duration::from_nanos(1));
        let pauses: Vec<_> = (0..4)
            .map(|_| {
                std::thread::sleep(Duration::from_micros(1));
                assert_ne!(short.admission(), Admission::UpTo(usize::MAX));
                short.breaks().map(|pause| pause.as_nanos())
            })
            .collect();
        assert_eq!(pauses, [Some(1), Some(2), Some(3), Some(3)]);
        std::thread::sleep(Duration::from_micros(1));
        assert_eq!(short.admission(), Admission::UpTo(1));
        assert!(short.works());
        assert_eq!(short.admission(), Admission::UpTo(usize::MAX));
    }
}
