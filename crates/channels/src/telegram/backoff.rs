//! Pauses that grow while something keeps failing.

use std::time::Duration;

use switchboard_model::Environment;

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The pause after one more failure: `first`, doubled for each failure before, at most
    /// `longest`; shortened at random by up to a quarter, so that many do not come back at once.
    pub(super) fn next(
        &mut self,
        env: &Environment,
        first: Duration,
        longest: Duration,
    ) -> Duration {
        let doubled = first.saturating_mul(2_u32.saturating_pow(self.failures.min(16)));
        self.failures = self.failures.saturating_add(1);
        let mut random = [0];
        env.fill(&mut random);
        doubled
            .min(longest)
            .mul_f64(1.0 - f64::from(random[0]) / 1024.0)
    }

    /// How many failures in a row there were.
    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }

    /// It works again.
    pub(super) const fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_start_again_after_a_success() {
        let (env, _clock) = switchboard_model::testing::environment(1);
        let (first, longest) = (Duration::from_secs(1), Duration::from_secs(10));
        let mut backoff = Backoff::default();
        for full in [1.0, 2.0, 4.0, 8.0, 10.0, 10.0] {
            let pause = backoff.next(&env, first, longest).as_secs_f64();
            assert!(pause <= full && pause >= full * 0.75, "{pause} of {full}");
        }
        for _ in 0..100 {
            assert!(backoff.next(&env, first, longest) <= longest);
        }
        backoff.reset();
        assert!(backoff.next(&env, first, longest) <= first);
    }
}
