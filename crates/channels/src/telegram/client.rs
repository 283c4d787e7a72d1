//! The Bot API over HTTP: one call, one answer.
//!
//! Promises: an answer says whether the request can have been taken (see [`Answer`]), and no text
//! that leaves here, error or `Debug`, holds the bot's token.
//! What never happens here: a second try, a redirect, a look at what an answer means.

use std::fmt;
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use switchboard_model::Error;

use super::lenient::lenient;

/// The most bytes of an answer that are read: more than a hundred updates of the largest messages.
const ANSWER_LIMIT: usize = 32 * 1024 * 1024;

/// How long a connection may take to be made. Shorter than every request's own limit, so that a
/// dead host counts as "no connection", not as "may have been taken".
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How long an idle connection is used again. Short, for a request that meets a connection just
/// being closed looks as if it may have been taken.
const IDLE_LIMIT: Duration = Duration::from_secs(15);

const TOO_MANY_REQUESTS: u16 = 429;

/// Calls the Bot API as one bot.
pub(super) struct Client {
    http: reqwest::Client,
    api_url: String,
    token: SecretString,
}

/// What came of a call.
#[derive(Debug)]
pub(super) enum Answer {
    /// `ok` is true: the `result`, `null` where there is none.
    Ok(Box<RawValue>),
    /// `ok` is false.
    Refused(Refusal),
    /// The body is not what the Bot API answers. It is not kept: it is often a whole page.
    NotJson {
        /// The HTTP status.
        status: u16,
        /// How long to wait, as the header says it; it may be absurd.
        retry_after: Option<Duration>,
    },
    /// The server names another place, with whatever body: it is not the Bot API's.
    Redirect {
        /// The HTTP status.
        status: u16,
    },
    /// Nothing was sent: no connection was made.
    NoConnection(String),
    /// The connection broke after it was made: the request may have been taken.
    Lost(String),
    /// No answer came in time: the request may have been taken.
    TimedOut,
    /// The answer is over the limit of what is read.
    TooLarge,
}

/// What the Bot API says when it does not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// `error_code`, else the HTTP status; an HTTP status of 429 goes before both.
    pub(super) code: u16,
    /// Telegram's words.
    pub(super) description: String,
    /// How long to wait, as the parameters say it, else the header; it may be absurd.
    pub(super) retry_after: Option<Duration>,
    /// The supergroup that the group has become.
    pub(super) migrate_to_chat_id: Option<i64>,
}

impl Client {
    /// For the bot of `token` at `api_url`.
    pub(super) fn new(api_url: &str, token: SecretString) -> switchboard_model::Result<Self> {
        // reqwest panics without one.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(Error::internal(
                "no TLS provider is installed; install rustls' ring provider at the start",
            ));
        }
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_LIMIT)
            .pool_idle_timeout(IDLE_LIMIT)
            .user_agent(concat!("switchboard/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::internal(describe(error)))?;
        Ok(Self {
            http,
            api_url: checked_url(api_url)?,
            token,
        })
    }

    /// Calls `method` with `body` as JSON. Returns within about `limit`.
    pub(super) async fn call(
        &self,
        method: &str,
        body: &(impl Serialize + Sync),
        limit: Duration,
    ) -> Answer {
        let url = format!(
            "{}/bot{}/{method}",
            self.api_url,
            self.token.expose_secret()
        );
        let request = self.http.post(url).json(body).timeout(limit);
        match request.send().await {
            Ok(response) => self.read(response).await,
            Err(error) => self.failure(error),
        }
    }

    /// Asks for a file at the path that `getFile` gave. Its error does not hold the token.
    pub(super) async fn file(
        &self,
        path: &str,
        range: Option<&str>,
        limit: Duration,
    ) -> Result<reqwest::Response, String> {
        let (api_url, token) = (&self.api_url, self.token.expose_secret());
        let url = format!("{api_url}/file/bot{token}/{path}");
        let mut request = self.http.get(url).timeout(limit);
        if let Some(range) = range {
            request = request.header(reqwest::header::RANGE, range);
        }
        let sent = request.send().await;
        sent.map_err(|error| self.scrub(describe(error)))
    }

    async fn read(&self, mut response: reqwest::Response) -> Answer {
        let status = response.status().as_u16();
        let header = response.headers().get(RETRY_AFTER);
        let retry_after = header
            .and_then(|value| value.to_str().ok())
            .and_then(seconds);
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > ANSWER_LIMIT => {
                    return Answer::TooLarge;
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return self.parse(status, retry_after, &body),
                // The status alone says that nothing was taken.
                Err(_) if status == TOO_MANY_REQUESTS => {
                    return Answer::NotJson {
                        status,
                        retry_after,
                    };
                }
                Err(error) => return self.failure(error),
            }
        }
    }

    fn parse(&self, status: u16, retry_after: Option<Duration>, body: &[u8]) -> Answer {
        if (300..=399).contains(&status) {
            return Answer::Redirect { status };
        }
        let not_json = Answer::NotJson {
            status,
            retry_after,
        };
        // Half a character in one update must not cost the whole batch.
        let body = String::from_utf8_lossy(body);
        let Ok(envelope) = serde_json::from_str::<Envelope>(&body) else {
            return not_json;
        };
        match envelope {
            Envelope {
                ok: true,
                result: Some(result),
                ..
            } => Answer::Ok(result.to_owned()),
            Envelope { ok: true, .. } if (200..=299).contains(&status) => {
                Answer::Ok(RawValue::NULL.to_owned())
            }
            Envelope { ok: true, .. } => not_json,
            refused => {
                let parameters = refused.parameters.unwrap_or_default();
                let code = match status {
                    TOO_MANY_REQUESTS => status,
                    _ => refused.error_code.unwrap_or(status),
                };
                let words = refused.description.filter(|words| !words.is_empty());
                Answer::Refused(Refusal {
                    code,
                    description: words.map_or_else(
                        || format!("refused with {code} and no reason"),
                        |words| self.scrub(words),
                    ),
                    retry_after: parameters
                        .retry_after
                        .and_then(Seconds::duration)
                        .or(retry_after),
                    migrate_to_chat_id: parameters.migrate_to_chat_id,
                })
            }
        }
    }

    fn failure(&self, error: reqwest::Error) -> Answer {
        if error.is_connect() || error.is_builder() {
            return Answer::NoConnection(self.scrub(describe(error)));
        }
        if error.is_timeout() {
            return Answer::TimedOut;
        }
        Answer::Lost(self.scrub(describe(error)))
    }

    /// A server that repeats what it was asked must not put the token into a log.
    fn scrub(&self, text: String) -> String {
        let token = self.token.expose_secret();
        if text.contains(token) {
            return text.replace(token, "<token>");
        }
        text
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("api_url", &self.api_url)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    ok: bool,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "lenient")]
    error_code: Option<u16>,
    #[serde(default, deserialize_with = "lenient")]
    description: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    parameters: Option<Parameters>,
}

#[derive(Deserialize, Default)]
struct Parameters {
    #[serde(default, deserialize_with = "lenient")]
    retry_after: Option<Seconds>,
    #[serde(default, deserialize_with = "lenient")]
    migrate_to_chat_id: Option<i64>,
}

/// A number of seconds, as a number of any size or in quotes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(f64),
    Text(String),
}

impl Seconds {
    /// None for what is no length of time; the longest there is for what is longer.
    fn duration(self) -> Option<Duration> {
        match self {
            Self::Number(seconds) => length(seconds),
            Self::Text(text) => seconds(&text),
        }
    }
}

/// A length of time that is written as a number of seconds.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    length(text.trim().parse().ok()?)
}

fn length(seconds: f64) -> Option<Duration> {
    (seconds >= 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// The error without its URL, which holds the token, and with its innermost cause, which says
/// most.
fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let (outer, inner) = (error.to_string(), cause.to_string());
    if outer == inner {
        outer
    } else {
        format!("{outer}: {inner}")
    }
}

/// The URL without a slash at its end.
fn checked_url(text: &str) -> switchboard_model::Result<String> {
    let wrong = || {
        Error::invalid(
            "telegram api url",
            "expected the address of a Bot API server such as https://api.telegram.org",
        )
    };
    let url = reqwest::Url::parse(text).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https")
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err(wrong());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_however_it_is_written() {
        let client = {
            let _ = rustls::crypto::ring::default_provider().install_default();
            Client::new("http://127.0.0.1:9", "1:x".to_owned().into()).unwrap()
        };
        let read = |written: &str| {
            let body = format!(
                r#"{{"ok":false,"error_code":429,"description":"slow down","parameters":{{"retry_after":{written}}}}}"#
            );
            match client.parse(429, None, body.as_bytes()) {
                Answer::Refused(refusal) => refusal.retry_after,
                other => panic!("{other:?}"),
            }
        };
        for (written, seconds) in [("5", 5.0), ("0", 0.0), ("2.5", 2.5), ("\"7\"", 7.0)] {
            assert_eq!(
                read(written),
                Some(Duration::from_secs_f64(seconds)),
                "{written}"
            );
        }
        for written in [
            "18446744073709551615",
            "99999999999999999999",
            "1e300",
            "\"inf\"",
        ] {
            let wait = read(written).expect(written);
            assert!(
                wait > Duration::from_hours(1_000_000),
                "{written}: {wait:?}"
            );
        }
        for written in [
            "-5", "-0.5", "-1e300", "\"-5\"", "\"soon\"", "\"NaN\"", "null", "[]", "{}",
        ] {
            assert_eq!(read(written), None, "{written}");
        }
    }
}
