//! Points in time: milliseconds since the Unix epoch at rest, RFC 3339 in UTC on the wire.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// The text is no RFC 3339 time (<https://www.rfc-editor.org/rfc/rfc3339>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an RFC 3339 time from 1970 on, such as 2026-01-02T03:04:05.678Z")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// The last millisecond that RFC 3339 can write, 9999-12-31T23:59:59.999Z.
    const MAX: i64 = 253_402_300_799_999;

    /// From milliseconds since the epoch; kept within the years 1970 to 9999.
    pub const fn from_millis(millis: i64) -> Self {
        if millis < 0 {
            Self(0)
        } else if millis > Self::MAX {
            Self(Self::MAX)
        } else {
            Self(millis)
        }
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This time and `duration` more.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(Self::MAX);
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// What is written most, several times in each answer: without the general machinery of formats.
struct Written([u8; 24]);

impl Written {
    fn new(time: Timestamp) -> Option<Self> {
        let (seconds, millis) = (time.0.div_euclid(1000), time.0.rem_euclid(1000));
        let time = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let mut put = |end: usize, mut number: u32| {
            // From the last digit on; the zeros before the first are there already.
            for place in (0..end).rev() {
                if number == 0 {
                    break;
                }
                text[place] = b'0' + u8::try_from(number % 10).unwrap_or_default();
                number /= 10;
            }
        };
        put(4, time.year().unsigned_abs());
        put(7, u8::from(time.month()).into());
        put(10, time.day().into());
        put(13, time.hour().into());
        put(16, time.minute().into());
        put(19, time.second().into());
        put(23, u32::try_from(millis).unwrap_or_default());
        Some(Self(text))
    }

    fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Written::new(*self).ok_or(fmt::Error)?;
        f.write_str(text.as_str().ok_or(fmt::Error)?)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;
    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| InvalidTimestamp)?;
        let millis = time.unix_timestamp_nanos().div_euclid(1_000_000);
        i64::try_from(millis)
            .ok()
            // What is written is what was meant, or nothing.
            .filter(|millis| (0..=Self::MAX).contains(millis))
            .map(Self)
            .ok_or(InvalidTimestamp)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match Written::new(*self).as_ref().and_then(Written::as_str) {
            Some(text) => serializer.serialize_str(text),
            None => Err(serde::ser::Error::custom(InvalidTimestamp)),
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_always_written() {
        assert_eq!(
            Timestamp::from_millis(0).to_string(),
            "1970-01-01T00:00:00.000Z"
        );
        assert_eq!(
            Timestamp::from_millis(2_147_483_648_000).to_string(),
            "2038-01-19T03:14:08.000Z"
        );
        let last = Timestamp::from_millis(i64::MAX);
        assert_eq!(last.to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(
            serde_json::to_string(&last).unwrap(),
            r#""9999-12-31T23:59:59.999Z""#
        );
    }

    #[test]
    fn what_is_written_reads_back() {
        // A prime, so that each field takes on many values.
        for millis in (0..=Timestamp::MAX).step_by(12_345_678_917) {
            let time = Timestamp::from_millis(millis);
            assert_eq!(time.to_string().parse(), Ok(time), "{millis}");
        }
    }

    #[test]
    fn other_zones_and_precisions_are_understood() {
        let expected = Ok(Timestamp::from_millis(1_704_164_645_678));
        assert_eq!("2024-01-02T03:04:05.678Z".parse(), expected);
        assert_eq!("2024-01-02T04:04:05.678999+01:00".parse(), expected);
        for wrong in [
            "yesterday",
            "1969-12-31T23:59:59.999Z",
            "1970-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59.999-00:01",
        ] {
            assert_eq!(wrong.parse::<Timestamp>(), Err(InvalidTimestamp), "{wrong}");
        }
    }
}
