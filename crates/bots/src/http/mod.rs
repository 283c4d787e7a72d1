//! Bots over HTTP: each event is a POST, and the answer may carry messages at once.
//!
//! The request is the one that the platform's runtime sends (`event_received`), so that a bot
//! process written with its SDK works unmodified; a bot of ten lines can ignore all but the body.
//!
//! What never happens here: following a redirect, an address or a password in an error.

mod action;
mod answer;
mod wait;

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use switchboard_model::BotId;

use crate::{Bot, BotAnswer, BotEvent, BotFailure};

/// The most that is read of an answer.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;
/// The most that is read of an answer that only says what went wrong.
const ERROR_LIMIT: usize = 64 * 1024;

/// A bot behind a URL.
pub struct HttpBot {
    client: Client,
    url: Url,
    time_limit: Duration,
    /// The bots whose answers say something that is no message, and whose operators were told.
    told: Mutex<HashSet<BotId>>,
}

/// A bot cannot be reached at such a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHttpBot {
    /// The text is no URL that can be posted to.
    #[error(
        "the bot's URL is not usable: {reason}; give one such as http://127.0.0.1:9000/ or https://bot.example/events"
    )]
    Url {
        /// What is wrong with it.
        reason: String,
    },
    /// The HTTP client cannot be set up.
    #[error(
        "the HTTP client cannot be set up: {reason}; for an https bot, check that the system's CA certificates are installed"
    )]
    Client {
        /// What is wrong.
        reason: String,
    },
}

impl HttpBot {
    /// How long a bot may take, unless told otherwise.
    pub const TIME_LIMIT: Duration = Duration::from_mins(1);

    /// A bot that is posted to at `url` and answers within `time_limit`, body included.
    pub fn new(url: &str, time_limit: Duration) -> Result<Self, InvalidHttpBot> {
        let url = check(url)?;
        // reqwest takes the process's TLS provider and panics if there is none. Whoever comes first
        // installs it; an error says only that it is there.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(time_limit)
            .connect_timeout(time_limit.min(Duration::from_secs(10)))
            // Usual servers close an idle connection after 2 to 5 seconds; a request that meets the
            // closing would fail for nothing.
            .pool_idle_timeout(Duration::from_secs(1))
            .user_agent(concat!("switchboard/", env!("CARGO_PKG_VERSION")));
        if url.scheme() == "http" {
            // Without redirects no certificate is ever looked at, and a bare machine has none.
            builder = builder.tls_certs_only([]);
        }
        if is_loopback(&url) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| InvalidHttpBot::Client {
            reason: chain(&error.without_url()),
        })?;
        Ok(Self {
            client,
            url,
            time_limit,
            told: Mutex::default(),
        })
    }

    async fn post(&self, event: &BotEvent) -> Result<Response, BotFailure> {
        let body = format!("{{\"event\":{}}}", event.json()?);
        let sent = self
            .client
            .post(self.url.clone())
            .headers(event_headers(event))
            .body(body)
            .send()
            .await;
        sent.map_err(|error| self.broken(error))
    }

    /// Warns, once a bot and start, of an answer that says something and has no messages: perhaps it was
    /// meant to.
    fn tell_of_silence(&self, bot: BotId, body: &[u8]) {
        let Some(fields) = answer::other_fields(body) else {
            return;
        };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(bot) {
            tracing::warn!(
                %bot,
                "the bot's answer has the fields {fields} and no `messages`, so it says nothing; \
                 expected {{\"messages\":[{{\"type\":\"text\",\"payload\":{{…}}}}]}}, or {{}} or an empty \
                 body to say nothing. This is told once a start"
            );
        }
    }

    /// Reads at most `limit` bytes; `None` if there are more.
    async fn read(
        &self,
        response: &mut Response,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, BotFailure> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(error))? {
            if body.len() + chunk.len() > limit {
                return Ok(None);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Some(body))
    }

    fn broken(&self, error: reqwest::Error) -> BotFailure {
        if error.is_timeout() {
            return BotFailure::retry(format!(
                "the bot has not answered within {} s",
                self.time_limit.as_secs_f32()
            ));
        }
        let what = if error.is_connect() {
            "the bot cannot be reached"
        } else {
            "the connection to the bot broke"
        };
        BotFailure::retry(format!("{what}: {}", chain(&error.without_url())))
    }
}

#[async_trait]
impl Bot for HttpBot {
    async fn handle(&self, event: &BotEvent) -> Result<BotAnswer, BotFailure> {
        let mut response = self.post(event).await?;
        let status = response.status();
        if !status.is_success() {
            let wait = wait::asked(response.headers());
            // What it says is a courtesy: if it cannot be read, the status decides all the same.
            let body = self.read(&mut response, ERROR_LIMIT).await;
            let words = answer::words(&body.ok().flatten().unwrap_or_default());
            return Err(refusal(status, wait, &words));
        }
        let says_json = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(is_json);
        match self.read(&mut response, ANSWER_LIMIT).await? {
            Some(body) => {
                let replies = answer::replies(&body, says_json)?;
                if replies.is_empty() {
                    self.tell_of_silence(event.event().bot, &body);
                }
                Ok(BotAnswer::from(replies))
            }
            None => Err(BotFailure::permanent(format!(
                "the bot's answer is over {ANSWER_LIMIT} bytes; send large messages through the API"
            ))),
        }
    }
}

/// Whether a content type says JSON: `application/json`, or one built on it.
fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    kind == "application/json" || kind == "text/json" || kind.ends_with("+json")
}

fn refusal(status: StatusCode, wait: Option<Duration>, words: &str) -> BotFailure {
    let error = if words.is_empty() {
        format!("the bot answered {}", status.as_u16())
    } else {
        format!("the bot answered {}: {words}", status.as_u16())
    };
    match (status, wait) {
        (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, Some(after)) => {
            BotFailure::Wait { after, error }
        }
        (
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS,
            _,
        ) => BotFailure::Retry { error },
        _ if status.is_server_error() => BotFailure::Retry { error },
        _ if status.is_redirection() => BotFailure::permanent(format!(
            "{error}; redirects are not followed, give the bot's final URL"
        )),
        _ => BotFailure::Permanent { error },
    }
}

fn event_headers(event: &BotEvent) -> HeaderMap {
    let subject = event.event();
    let mut headers = headers("event_received", &subject.kind, subject.bot);
    headers.insert(name("x-switchboard-attempt"), event.attempt().into());
    if let Ok(id) = HeaderValue::try_from(subject.id.to_string()) {
        headers.insert(name("x-switchboard-event-id"), id);
    }
    headers
}

/// What a bot of the SDK expects with every operation.
fn headers(operation: &'static str, kind: &str, bot: BotId) -> HeaderMap {
    // It looks here for three fixed types of events only, and at the body for all else; but it must
    // be there.
    let kind = HeaderValue::from_bytes(kind.as_bytes())
        .ok()
        .filter(|kind| !kind.is_empty())
        .unwrap_or(HeaderValue::from_static("other"));
    let mut headers = HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (name("x-bp-operation"), HeaderValue::from_static(operation)),
        (name("x-bp-type"), kind),
    ]);
    let texts = [
        ("x-bot-id", bot.to_string()),
        ("x-bp-configuration", STANDARD.encode("{}")),
    ];
    for (key, text) in texts {
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(name(key), value);
        }
    }
    headers
}

fn name(name: &'static str) -> reqwest::header::HeaderName {
    reqwest::header::HeaderName::from_static(name)
}

fn check(url: &str) -> Result<Url, InvalidHttpBot> {
    let invalid = |reason: &str| InvalidHttpBot::Url {
        reason: reason.to_owned(),
    };
    let url = Url::parse(url).map_err(|error| invalid(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid("it starts neither with http:// nor with https://"));
    }
    if !url.has_host() {
        return Err(invalid("it names no host"));
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// An error with its causes: reqwest's own text says little more than "error sending request".
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
