//! Randomness that can be repeated: tests print their seed, and `SWITCHBOARD_TEST_SEED` sets it.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// A small generator (splitmix64).
pub(crate) struct Random(u64);

impl Random {
    /// With the seed that was asked for, else with a new one; prints it.
    pub(crate) fn new(test: &str) -> Self {
        let seed = std::env::var("SWITCHBOARD_TEST_SEED")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| RandomState::new().hash_one(test));
        println!("{test}: SWITCHBOARD_TEST_SEED={seed}");
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A time between two.
    pub(crate) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let range = u64::try_from(most.saturating_sub(least).as_micros()).expect("a short time");
        least + Duration::from_micros(self.below(range.max(1)))
    }
}
