//! What a failed call means that no message depends on: `getUpdates`, `setWebhook` and the like.

use std::time::Duration;

use switchboard_model::Environment;

use super::account::Timing;
use super::answer::{broken, redirected, wait};
use super::backoff::Backoff;
use super::client::{Answer, Refusal};

/// So many passing failures in a row are worth a person's look.
const WORTH_TELLING: u32 = 3;

/// A failed call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// What is wrong and what to do. The same for the same trouble, so that it is logged once.
    pub(super) text: String,
    pace: Pace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// It may pass by itself.
    Passing,
    /// Another program is in the way.
    Conflict,
    /// Somebody must change something.
    Refused,
    /// Telegram says how long to wait.
    Told(Duration),
}

impl Failure {
    /// What an answer that is not `Ok` means.
    pub(super) fn of(answer: &Answer) -> Self {
        match answer {
            Answer::Refused(refusal) => Self::refused(refusal),
            Answer::Redirect { status } => Self {
                text: redirected(*status),
                pace: Pace::Refused,
            },
            Answer::NotJson {
                status,
                retry_after,
            } => Self::not_json(*status, *retry_after),
            Answer::NoConnection(error) | Answer::Lost(error) => Self::passing(format!(
                "Telegram's server cannot be reached ({error}); check the network"
            )),
            Answer::TimedOut => Self::passing(
                "Telegram's server does not answer in time; check the network".to_owned(),
            ),
            Answer::Ok(_) | Answer::TooLarge => {
                Self::passing("Telegram's answer cannot be read; trying again".to_owned())
            }
        }
    }

    /// A failure that may pass by itself.
    pub(super) const fn passing(text: String) -> Self {
        Self {
            text,
            pace: Pace::Passing,
        }
    }

    /// Another program is in the way.
    pub(super) const fn conflict(text: String) -> Self {
        Self {
            text,
            pace: Pace::Conflict,
        }
    }

    fn not_json(status: u16, retry_after: Option<Duration>) -> Self {
        if let Some(after) = wait(status, retry_after, "") {
            return Self::told(status, after);
        }
        match status {
            400..=407 | 409..=428 => Self {
                text: format!("HTTP {status}, not JSON; check the address of the Bot API server"),
                pace: Pace::Refused,
            },
            _ => Self::passing(format!(
                "Telegram's server is out of order (HTTP {status}, not JSON); trying again"
            )),
        }
    }

    fn told(code: u16, after: Duration) -> Self {
        let text = match code {
            503 => "Telegram's server is out of order and asks to wait; going on after that",
            _ => "Telegram asks to wait; too many requests were made for this bot",
        };
        Self {
            text: text.to_owned(),
            pace: Pace::Told(after),
        }
    }

    fn refused(refusal: &Refusal) -> Self {
        let words = &refusal.description;
        if let Some(after) = wait(refusal.code, refusal.retry_after, words) {
            return Self::told(refusal.code, after);
        }
        match refusal.code {
            401 | 404 => Self {
                text: broken(words),
                pace: Pace::Refused,
            },
            409 => Self::conflict(format!(
                "another program polls with this bot's token; stop it, or use a bot of its own \
                 (Telegram: {words})"
            )),
            408 | 425 | 500.. => Self::passing(format!(
                "Telegram's server is out of order ({words}); trying again"
            )),
            _ => Self {
                text: format!("Telegram refuses the request: {words}"),
                pace: Pace::Refused,
            },
        }
    }

    /// Whether another program is in the way.
    pub(super) fn is_conflict(&self) -> bool {
        self.pace == Pace::Conflict
    }

    /// The pause until the next try, and whether a person should be told.
    pub(super) fn pause(
        &self,
        backoff: &mut Backoff,
        env: &Environment,
        timing: &Timing,
    ) -> (Duration, bool) {
        let longest = timing.longest;
        let pause = match self.pace {
            Pace::Passing => backoff.next(env, timing.retry, longest),
            Pace::Conflict => backoff.next(env, timing.conflict, longest),
            Pace::Refused => backoff.next(env, timing.refused, longest * 2),
            Pace::Told(after) => after.max(backoff.next(env, timing.retry, longest)),
        };
        let telling = self.pace != Pace::Passing || backoff.failures() >= WORTH_TELLING;
        (pause, telling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16, description: &str) -> Failure {
        Failure::of(&Answer::Refused(Refusal {
            code,
            description: description.to_owned(),
            retry_after: None,
            migrate_to_chat_id: None,
        }))
    }

    /// How often a call that fails at once is made within a minute, by the default timing.
    fn calls_a_minute(failure: &Failure) -> u32 {
        let (env, _clock) = switchboard_model::testing::environment(7);
        let (mut backoff, timing) = (Backoff::default(), Timing::default());
        let (mut calls, mut time) = (0, Duration::ZERO);
        while time < Duration::from_mins(1) {
            calls += 1;
            time += failure.pause(&mut backoff, &env, &timing).0;
        }
        calls
    }

    #[test]
    fn tg_fail_004_a_conflict_is_named_and_makes_few_calls() {
        let failure = refused(409, "Conflict: terminated by other getUpdates request");
        assert!(failure.text.contains("another program"), "{}", failure.text);
        assert!(calls_a_minute(&failure) <= 20);
    }

    #[test]
    fn tg_fail_005_a_refused_token_is_named_and_makes_few_calls() {
        for (code, words) in [(401, "Unauthorized"), (404, "Not Found")] {
            let failure = refused(code, words);
            assert!(failure.text.contains("token"), "{}", failure.text);
            assert!(calls_a_minute(&failure) <= 10);
        }
    }

    #[test]
    fn a_failure_that_passes_is_told_only_when_it_lasts() {
        let (env, _clock) = switchboard_model::testing::environment(7);
        let (mut backoff, timing) = (Backoff::default(), Timing::default());
        let failure = Failure::of(&Answer::NotJson {
            status: 502,
            retry_after: None,
        });
        let told: Vec<_> = (0..4)
            .map(|_| failure.pause(&mut backoff, &env, &timing).1)
            .collect();
        assert_eq!(told, [false, false, true, true]);
    }

    #[test]
    fn a_wait_is_not_cut_short_unless_it_is_longer_than_a_day() {
        let (env, _clock) = switchboard_model::testing::environment(7);
        let day = Duration::from_hours(24);
        for (told, kept) in [
            (Duration::from_secs(6775), Duration::from_secs(6775)),
            (Duration::MAX, day),
        ] {
            let failure = Failure::of(&Answer::Refused(Refusal {
                code: 429,
                description: String::new(),
                retry_after: Some(told),
                migrate_to_chat_id: None,
            }));
            let (pause, _) = failure.pause(&mut Backoff::default(), &env, &Timing::default());
            assert_eq!(pause, kept);
        }
    }
}
