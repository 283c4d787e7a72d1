//! Opening hours, in the shop's own time zone. The time comes in as a value.

use std::collections::BTreeMap;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, ToSpan};
use switchboard_model::Timestamp;

/// From and to, within one day. A span to 24:00 ends at midnight.
pub(super) type Span = (Time, Time);

/// When a shop is open.
#[derive(Debug, Clone)]
pub(super) struct Hours {
    pub(super) zone: TimeZone,
    /// From Monday.
    pub(super) week: [Vec<Span>; 7],
    /// Days that are not as their weekday.
    pub(super) special: BTreeMap<Date, Vec<Span>>,
}

/// What is to say of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Now {
    /// Open, until then.
    Open(Time),
    /// Closed, until then; nothing within two weeks without.
    Closed(Option<(Weekday, Time)>),
}

/// The end of a day as it is written.
const MIDNIGHT: Time = Time::constant(23, 59, 59, 999_999_999);

impl Hours {
    pub(super) fn at(&self, now: Timestamp) -> Now {
        let Ok(instant) = Instant::from_millisecond(now.as_millis()) else {
            return Now::Closed(None);
        };
        let local = self.zone.to_datetime(instant);
        let (mut day, time) = (local.date(), local.time());
        for (from, to) in self.of(day) {
            if *from <= time && time < *to {
                return Now::Open(*to);
            }
        }
        if let Some((from, _)) = self.of(day).iter().find(|(from, _)| *from > time) {
            return Now::Closed(Some((day.weekday(), *from)));
        }
        for _ in 0..14 {
            day = day.saturating_add(1.day());
            if let Some((from, _)) = self.of(day).first() {
                return Now::Closed(Some((day.weekday(), *from)));
            }
        }
        Now::Closed(None)
    }

    fn of(&self, day: Date) -> &[Span] {
        self.special.get(&day).unwrap_or_else(|| {
            let index = usize::try_from(day.weekday().to_monday_zero_offset()).unwrap_or_default();
            &self.week[index % 7]
        })
    }
}

/// A time as it is shown.
pub(super) fn clock(time: Time) -> String {
    if time == MIDNIGHT {
        return "24:00".to_owned();
    }
    format!("{:02}:{:02}", time.hour(), time.minute())
}

/// Reads `09:00-18:30`.
pub(super) fn span(text: &str) -> Option<Span> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (time(from)?, time(to)?);
    (from < to).then_some((from, to))
}

fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    if minute.len() != 2 || hour.is_empty() || hour.len() > 2 {
        return None;
    }
    if (hour, minute) == ("24", "00") {
        return Some(MIDNIGHT);
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Hours {
        let mut week: [Vec<Span>; 7] = std::array::from_fn(|_| Vec::new());
        week[0] = vec![span("09:00-12:30").unwrap(), span("14:00-18:00").unwrap()];
        week[4] = vec![span("20:00-24:00").unwrap()];
        Hours {
            zone: TimeZone::get("Europe/Berlin").unwrap(),
            week,
            special: BTreeMap::from([("2026-06-08".parse().unwrap(), Vec::new())]),
        }
    }

    fn at(text: &str) -> Now {
        let instant: Instant = text.parse().unwrap();
        shop().at(Timestamp::from_millis(instant.as_millisecond()))
    }

    #[test]
    fn the_shop_s_own_clock_decides_in_summer_and_in_winter() {
        let noon = Time::constant(12, 30, 0, 0);
        // Monday, 1 June: UTC+2. Monday, 7 December: UTC+1.
        assert_eq!(at("2026-06-01T07:00:00Z"), Now::Open(noon));
        assert_eq!(
            at("2026-12-07T07:59:00Z"),
            Now::Closed(Some((Weekday::Monday, Time::constant(9, 0, 0, 0))))
        );
        assert_eq!(at("2026-12-07T08:00:00Z"), Now::Open(noon));
    }

    #[test]
    fn breaks_midnight_and_special_days_are_known() {
        let two = Time::constant(14, 0, 0, 0);
        assert_eq!(
            at("2026-06-01T11:00:00Z"),
            Now::Closed(Some((Weekday::Monday, two)))
        );
        assert_eq!(at("2026-06-05T21:59:00Z"), Now::Open(MIDNIGHT));
        assert_eq!(clock(MIDNIGHT), "24:00");
        // The Monday after is closed, so the next to come is Friday.
        assert_eq!(
            at("2026-06-06T10:00:00Z"),
            Now::Closed(Some((Weekday::Friday, Time::constant(20, 0, 0, 0))))
        );
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in [
            "",
            "9-18",
            "18:00-09:00",
            "09:00",
            "09:00-25:00",
            "09:60-10:00",
            "9:00-9:00",
        ] {
            assert_eq!(span(text), None, "{text}");
        }
        assert!(span("9:00 - 18:00").is_some());
    }
}
