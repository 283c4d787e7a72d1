//! How long to try, and how often.

use std::time::Duration;

use switchboard_model::{Environment, Timestamp};
use switchboard_store::{ClaimedDelivery, LostSends, Outcome};

use crate::carrier::Tried;
use crate::descriptors;

/// What to do with a message that a channel may have taken: the connection broke, or the time was
/// up, after the request was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UncertainPolicy {
    /// Send it again: nothing is lost, and some may show up twice.
    #[default]
    Retry,
    /// Leave it as uncertain, for a person to replay: nothing shows up twice, and some may be lost.
    AtMostOnce,
}

impl From<UncertainPolicy> for LostSends {
    fn from(policy: UncertainPolicy) -> Self {
        match policy {
            UncertainPolicy::Retry => Self::Retry,
            UncertainPolicy::AtMostOnce => Self::Uncertain,
        }
    }
}

/// The longest wait that anybody may ask for. Who still wants to wait then is asked again.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// How a worker tries.
#[derive(Debug, Clone)]
pub struct Policy {
    /// How many deliveries are under way at once, those that take long left out.
    pub slots: usize,
    /// What takes longer leaves its slot to others.
    pub slow_after: Duration,
    /// How many deliveries are under way at once, those that take long counted in.
    pub most: usize,
    /// How long the other side may take for one try.
    pub time_limit: Duration,
    /// For how long a delivery is claimed. Longer than `time_limit`, so that the result of a try
    /// that took all of it can still be written.
    pub lease: Duration,
    /// The wait before the second try. It doubles with each try.
    pub first_retry: Duration,
    /// The longest wait between two tries.
    pub longest_retry: Duration,
    /// For how long a delivery may hold up its conversation by being tried.
    pub patience: Duration,
    /// What to do with what may have been taken.
    pub uncertain: UncertainPolicy,
    /// How long an account that does not work is left alone before it is probed. It doubles with
    /// each probe.
    pub first_pause: Duration,
    /// The longest such pause.
    pub longest_pause: Duration,
    /// How long a stopping worker waits for what is under way.
    pub grace: Duration,
    /// How often to look for work without having been told of any.
    pub poll: Duration,
}

impl Policy {
    /// For bots. At most half of the files that the process may open are their connections.
    pub fn bots() -> Self {
        Self {
            slots: 512,
            slow_after: Duration::from_secs(2),
            most: (descriptors::limit() / 2).clamp(1, 2048),
            time_limit: Duration::from_mins(1),
            lease: Duration::from_secs(90),
            first_retry: Duration::from_secs(1),
            longest_retry: Duration::from_mins(1),
            patience: Duration::from_mins(15),
            uncertain: UncertainPolicy::Retry,
            first_pause: Duration::from_secs(30),
            longest_pause: Duration::from_mins(5),
            grace: Duration::from_secs(10),
            poll: Duration::from_secs(5),
        }
    }

    /// For a channel account. At most a quarter of the files that the process may open are its
    /// connections.
    pub fn channel() -> Self {
        Self {
            slots: 512,
            most: (descriptors::limit() / 4).clamp(1, 1024),
            ..Self::bots()
        }
    }

    /// With another time limit, and a lease that fits it.
    #[must_use]
    pub fn with_time_limit(mut self, time_limit: Duration) -> Self {
        self.time_limit = time_limit;
        self.lease = time_limit.saturating_add(Duration::from_secs(30));
        self
    }

    /// When a try is broken off: a little after the other side's own time limit, whose error says
    /// more, and well before the lease ends.
    pub(crate) fn hard_limit(&self) -> Duration {
        self.time_limit
            .saturating_add(self.lease.saturating_sub(self.time_limit) / 3)
    }

    /// What follows from a try. Nothing before `count_from` counts as having been tried.
    pub(crate) fn outcome(
        &self,
        env: &Environment,
        delivery: &ClaimedDelivery,
        count_from: Timestamp,
        tried: Tried,
    ) -> Outcome {
        match tried {
            Tried::Done {
                replies,
                tags,
                change,
            } => Outcome::Delivered {
                replies,
                tags,
                change,
            },
            Tried::Permanent { error } => Outcome::Dead { error },
            Tried::Unknown { error } => Outcome::Uncertain { error },
            Tried::Unable => Outcome::Dropped,
            Tried::Wait { after, error } => Outcome::Retry {
                // A bot that asks for no wait at all would be asked again without end or pause.
                after: after.max(self.first_retry).min(LONGEST_WAIT),
                error,
                uncertain: false,
                counts: false,
            },
            Tried::Released { error } => Outcome::Retry {
                // The pause is kept in memory only: whoever replaces this worker goes on at once.
                after: Duration::ZERO,
                error,
                uncertain: false,
                counts: false,
            },
            Tried::Uncertain { error } if self.uncertain == UncertainPolicy::AtMostOnce => {
                Outcome::Uncertain { error }
            }
            Tried::Uncertain { error } => self.retry(
                env,
                delivery,
                count_from,
                format!("uncertain: {error}"),
                true,
            ),
            Tried::Retry { error } => self.retry(env, delivery, count_from, error, false),
        }
    }

    /// What follows from a try that the end of the worker broke off. Whatever comes next goes on at
    /// once: a stop is no failure of the other side.
    pub(crate) fn stopped(&self, may_be_taken: bool) -> Outcome {
        let error = match (may_be_taken, self.uncertain) {
            (true, UncertainPolicy::AtMostOnce) => {
                return Outcome::Uncertain {
                    error: "the server was stopped while this was being sent, so it may have been \
                            sent; look into the chat, and replay it if it is not there"
                        .to_owned(),
                };
            }
            (true, UncertainPolicy::Retry) => {
                "uncertain: the server was stopped while this was being sent"
            }
            (false, _) => "the server was stopped before this was answered",
        };
        Outcome::Retry {
            after: Duration::ZERO,
            error: error.to_owned(),
            uncertain: may_be_taken,
            counts: true,
        }
    }

    fn retry(
        &self,
        env: &Environment,
        delivery: &ClaimedDelivery,
        count_from: Timestamp,
        error: String,
        uncertain: bool,
    ) -> Outcome {
        let since = delivery.trying_since.max(count_from);
        let left = self.patience.saturating_sub(env.now().since(since));
        if left.is_zero() {
            let attempt = delivery.attempt;
            let patience = self.patience.as_secs_f32();
            let error = format!("given up after {patience} s, at try {attempt}: {error}");
            return if uncertain {
                Outcome::Uncertain { error }
            } else {
                Outcome::Dead { error }
            };
        }
        Outcome::Retry {
            // The last try is made when the patience ends, not a whole wait later.
            after: self.backoff(env, delivery.attempt).min(left),
            error,
            uncertain,
            counts: true,
        }
    }

    fn backoff(&self, env: &Environment, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(30);
        let wait = self
            .first_retry
            .saturating_mul(1 << doublings)
            .min(self.longest_retry)
            .min(LONGEST_WAIT);
        let mut byte = [0];
        env.fill(&mut byte);
        // 80 % to 120 %, so that what failed together does not come back together.
        wait.mul_f64(0.8 + 0.4 * f64::from(byte[0]) / 255.0)
    }
}

#[cfg(test)]
mod tests {
    use switchboard_model::{BotId, DeliveryId, ids::Ulid, testing};
    use switchboard_store::Subject;

    use super::*;

    fn delivery(attempt: u32, trying_since: Timestamp) -> ClaimedDelivery {
        ClaimedDelivery {
            id: DeliveryId::new(Ulid(1)),
            epoch: 1,
            attempt,
            again: attempt > 1,
            trying_since,
            bot: BotId::new(Ulid(2)),
            subject: Subject::Gone,
            progress: Vec::new(),
        }
    }

    fn failed() -> Tried {
        Tried::Retry {
            error: "no".to_owned(),
        }
    }

    #[test]
    fn waits_double_up_to_the_longest_and_vary_by_a_fifth() {
        let (env, _clock) = testing::environment(1);
        let policy = Policy::bots();
        for (attempt, base) in [(1, 1.0), (2, 2.0), (4, 8.0), (7, 60.0), (4_000_000, 60.0)] {
            let mut waits: Vec<_> = (0..100)
                .map(|_| policy.backoff(&env, attempt).as_secs_f64() / base)
                .collect();
            waits.sort_by(f64::total_cmp);
            assert!(waits[0] > 0.799 && waits[99] < 1.201, "{waits:?}");
            assert!(waits[99] - waits[0] > 0.2, "{waits:?}");
        }
    }

    #[test]
    fn patience_ends_with_a_last_try_and_starts_anew_where_trying_did() {
        let (env, clock) = testing::environment(1);
        let policy = Policy::bots();
        let start = env.now();
        clock.advance(policy.patience.saturating_sub(Duration::from_secs(2)));
        let last = policy.outcome(&env, &delivery(20, start), Timestamp::default(), failed());
        assert!(
            matches!(last, Outcome::Retry { after, counts: true, .. } if after == Duration::from_secs(2))
        );
        clock.advance(Duration::from_secs(2));
        let dead = policy.outcome(&env, &delivery(21, start), Timestamp::default(), failed());
        assert!(matches!(dead, Outcome::Dead { error } if error.ends_with("at try 21: no")));
        // A server that was down, or an account that did not work, was not trying.
        let again = policy.outcome(&env, &delivery(21, start), env.now(), failed());
        assert!(matches!(again, Outcome::Retry { counts: true, .. }));
    }

    #[test]
    fn a_wait_that_was_asked_for_uses_up_nothing_and_is_never_none() {
        let (env, clock) = testing::environment(1);
        let policy = Policy::bots();
        let start = env.now();
        clock.advance(Duration::from_hours(24));
        for (asked, waited) in [(0, 1), (1, 1), (3600, 3600), (u64::MAX, 24 * 3600)] {
            let tried = Tried::Wait {
                after: Duration::from_secs(asked),
                error: String::new(),
            };
            let outcome = policy.outcome(&env, &delivery(9, start), Timestamp::default(), tried);
            assert!(
                matches!(outcome, Outcome::Retry { after, counts: false, .. } if after == Duration::from_secs(waited))
            );
        }
    }
}
