//! Receiving over HTTP.

use async_trait::async_trait;

/// A request to an integration's webhook URL.
#[derive(Debug, Clone, Default)]
pub struct WebhookRequest {
    /// `POST`, `GET`, …
    pub method: String,
    /// What follows the webhook id in the path: `/` or `/more`.
    pub path: String,
    /// The raw query string, without `?`.
    pub query: String,
    /// Headers with lower-case names, in order.
    pub headers: Vec<(String, String)>,
    /// The raw body.
    pub body: Vec<u8>,
}

impl WebhookRequest {
    /// The first header of this lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// What to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookAnswer {
    /// The status.
    pub status: u16,
    /// A short text for people; empty for none.
    pub body: String,
}

impl WebhookAnswer {
    /// Taken: 200 with an empty body.
    pub const OK: Self = Self {
        status: 200,
        body: String::new(),
    };

    /// With a status and a text.
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            body: body.into(),
        }
    }
}

/// A channel that can receive over HTTP.
#[async_trait]
pub trait Webhook: Send + Sync + 'static {
    /// Takes a request. A 2xx may be answered only once what it brings is durable.
    async fn receive(&self, request: WebhookRequest) -> WebhookAnswer;
}
