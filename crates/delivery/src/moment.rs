//! Points in time that may lie as far ahead as anybody likes.

use std::time::{Duration, Instant};

/// As good as never.
const FAR: Duration = Duration::from_hours(24 * 365);

/// So long from now; as good as never, if the clock does not reach so far.
pub(crate) fn from_now(after: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(after).unwrap_or_else(|| now + FAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_far_ahead_is_far_ahead() {
        assert!(from_now(Duration::MAX) > from_now(Duration::from_hours(24)));
        assert!(from_now(Duration::from_hours(2)) > from_now(Duration::from_hours(1)));
    }
}
