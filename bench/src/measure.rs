//! Numbers of one measurement, and what several of them say together.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::failure::{Failure, Result};
use crate::system::cores;

/// How long, and how often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Before the clock starts.
    pub(crate) warm: Duration,
    /// While it runs.
    pub(crate) time: Duration,
    /// Ours and the ceiling take turns so many times; medians are told.
    pub(crate) rounds: usize,
    /// Connections of a row over HTTP.
    pub(crate) connections: usize,
    /// How many messages are there before.
    pub(crate) seeded: usize,
    /// How many starts are timed.
    pub(crate) starts: usize,
    /// How long a server rests before its memory is read.
    pub(crate) rest: Duration,
}

/// One measurement. Times are in microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Measured {
    pub(crate) per_second: f64,
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    /// The server's part of all processors, from 0 to 1.
    pub(crate) server_cpu: Option<f64>,
    /// The load generator's.
    pub(crate) load_cpu: Option<f64>,
}

impl Measured {
    /// From the times of each call in microseconds, and how long it all took.
    pub(crate) fn new(times: &Histogram<u64>, took: Duration) -> Self {
        let at = |quantile| times.value_at_quantile(quantile) as f64;
        Self {
            per_second: times.len() as f64 / took.as_secs_f64(),
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
            server_cpu: None,
            load_cpu: None,
        }
    }

    /// Field by field the median of several.
    pub(crate) fn median(all: &[Self]) -> Self {
        let of = |field: fn(&Self) -> f64| median(all.iter().map(field));
        let of_some = |field: fn(&Self) -> Option<f64>| {
            let known: Vec<f64> = all.iter().filter_map(field).collect();
            (!known.is_empty()).then(|| median(known))
        };
        Self {
            per_second: of(|one| one.per_second),
            p50: of(|one| one.p50),
            p95: of(|one| one.p95),
            p99: of(|one| one.p99),
            server_cpu: of_some(|one| one.server_cpu),
            load_cpu: of_some(|one| one.load_cpu),
        }
    }
}

/// The middle one.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The part of all processors that was used.
pub(crate) fn share(used: Duration, took: Duration) -> f64 {
    used.as_secs_f64() / took.as_secs_f64() / cores() as f64
}

/// For times in microseconds up to a minute, to three digits.
pub(crate) fn histogram() -> Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, 60_000_000, 3)
        .map_err(|error| Failure::Other(format!("no histogram: {error}")))
}

/// Notes how long a call took.
pub(crate) fn record(times: &mut Histogram<u64>, took: Duration) {
    times.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_kept_to_three_digits() {
        let mut times = histogram().unwrap();
        for millis in 1..=100 {
            record(&mut times, Duration::from_millis(millis));
        }
        let measured = Measured::new(&times, Duration::from_secs(2));
        assert!((measured.per_second - 50.0).abs() < f64::EPSILON);
        assert!(
            (measured.p95 / 95_000.0 - 1.0).abs() < 0.002,
            "{measured:?}"
        );
    }

    #[test]
    fn the_median_is_of_each_field_by_itself() {
        let all = [(3.0, 10.0), (1.0, 30.0), (2.0, 20.0)].map(|(per_second, p50)| Measured {
            per_second,
            p50,
            ..Measured::default()
        });
        let middle = Measured::median(&all);
        assert!((middle.per_second - 2.0).abs() < f64::EPSILON);
        assert!((middle.p50 - 20.0).abs() < f64::EPSILON);
        assert_eq!(middle.server_cpu, None);
    }
}
