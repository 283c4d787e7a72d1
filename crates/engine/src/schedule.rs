//! When something is handed on that a caller does not want handed on at once.

use std::time::Duration;

use switchboard_model::{Error, Result, Timestamp};

/// The farthest that a delay reaches: a hundred years of milliseconds.
const LONGEST: f64 = 100.0 * 365.25 * 86_400_000.0;

/// When something is handed on. A time that is past means at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// At this time.
    At(Timestamp),
    /// So long after it is stored.
    After(Duration),
}

impl Schedule {
    /// From a body's `schedule`: a time or a delay in milliseconds, and not both.
    pub fn new(date_time: Option<Timestamp>, delay: Option<f64>) -> Result<Self> {
        match (date_time, delay) {
            (Some(time), None) => Ok(Self::At(time)),
            (None, Some(delay)) if (0.0..=LONGEST).contains(&delay) => {
                Ok(Self::After(Duration::from_secs_f64(delay / 1000.0)))
            }
            (None, Some(_)) => Err(Error::invalid(
                "schedule.delay",
                "expected milliseconds from 0 to those of 100 years",
            )),
            (Some(_), Some(_)) | (None, None) => Err(Error::invalid(
                "schedule",
                "expected either dateTime or delay, and not both",
            )),
        }
    }

    /// The time of what is stored now.
    pub(crate) fn due(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::After(delay) => now.plus(delay),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_one_time_or_one_delay() {
        let now = Timestamp::from_millis(1_000);
        let due = |time, delay| Schedule::new(time, delay).map(|schedule| schedule.due(now));
        assert_eq!(due(Some(now), None), Ok(now));
        assert_eq!(due(None, Some(1.5)), Ok(Timestamp::from_millis(1_001)));
        assert_eq!(due(None, Some(0.0)), Ok(now));
        for (time, delay) in [
            (None, None),
            (Some(now), Some(1.0)),
            (None, Some(-1.0)),
            (None, Some(f64::NAN)),
            (None, Some(f64::INFINITY)),
            (None, Some(1e300)),
        ] {
            let error = Schedule::new(time, delay).unwrap_err().to_string();
            assert!(error.starts_with("schedule"), "{error}");
        }
    }
}
