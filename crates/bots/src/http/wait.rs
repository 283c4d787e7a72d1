//! `Retry-After`, in seconds or as a date.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// The longest wait that a bot may ask for.
const LONGEST: Duration = Duration::from_hours(1);

/// For how long an answer asks to wait. A date counts from the answer's own `Date`, so that the
/// two clocks need not agree.
pub(super) fn asked(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let after = if let Ok(seconds) = text.parse() {
        Duration::from_secs(seconds)
    } else {
        let until = date(text)?;
        let from = date(headers.get(DATE)?.to_str().ok()?)?;
        Duration::try_from(until - from).unwrap_or_default()
    };
    Some(after.min(LONGEST))
}

fn date(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text.trim(), &Rfc2822).ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn with(retry_after: &'static str, date: Option<&'static str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static(retry_after));
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_static(date));
        }
        asked(&headers)
    }

    #[test]
    fn seconds_and_dates_are_understood_and_capped_at_an_hour() {
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(with("7", None), Some(Duration::from_secs(7)));
        assert_eq!(with("86400", None), Some(LONGEST));
        assert_eq!(
            with("Sun, 06 Nov 1994 08:49:47 GMT", date),
            Some(Duration::from_secs(10))
        );
        assert_eq!(
            with("Sun, 06 Nov 1994 08:00:00 GMT", date),
            Some(Duration::ZERO)
        );
        assert_eq!(with("Sun, 06 Nov 1994 08:49:47 GMT", None), None);
        assert_eq!(with("soon", date), None);
        assert_eq!(with("-1", date), None);
    }
}
