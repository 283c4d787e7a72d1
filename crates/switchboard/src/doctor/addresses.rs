//! Whether what the settings name is there: the bot that answers, and the public URL.

use std::path::Path;

use switchboard_api::admin::Check;

use super::inside::{Inside, LIMIT};
use super::{fail, ok, skip, warn};
use crate::config::shown_url;
use crate::lifecycle::read_faq;

impl Inside {
    pub(super) async fn who_answers(&self) -> Check {
        const NAME: &str = "bot";
        if let Some(file) = &self.config.faq {
            return self.faq(NAME, file);
        }
        let Some(url) = &self.config.bot_url else {
            return ok(NAME, "the built-in echo answers");
        };
        let shown = shown_url(url);
        let address = url
            .host_str()
            .zip(url.port_or_known_default())
            .map(|(host, port)| format!("{host}:{port}"))
            .unwrap_or_default();
        let connected = tokio::net::TcpStream::connect(address);
        match tokio::time::timeout(LIMIT, connected).await {
            Ok(Ok(_)) => ok(NAME, &format!("{shown} takes connections")),
            Ok(Err(error)) => fail(
                NAME,
                &format!("{shown}: {error}"),
                "events wait, and are put aside after retry_for",
                "start the bot, or correct --bot-url",
            ),
            Err(_) => fail(
                NAME,
                &format!("{shown}: no connection within 5 s"),
                "events wait, and are put aside after retry_for",
                "check the network, or correct --bot-url",
            ),
        }
    }

    /// A server goes on with the file as it last was well; it does not start with one that is not.
    fn faq(&self, name: &str, file: &Path) -> Check {
        let shown = file.display();
        match read_faq(file) {
            Ok(_) => ok(name, &format!("the FAQ bot of {shown} answers")),
            Err(failure) if self.serves => warn(
                name,
                &failure.to_string(),
                "the FAQ bot answers as the file was before, and the next start fails",
                "mend the file (switchboard bots check), or correct --faq",
            ),
            Err(failure) => fail(
                name,
                &failure.to_string(),
                "the server does not start",
                "mend the file (switchboard bots check), or correct --faq",
            ),
        }
    }

    pub(super) async fn public_url(&self) -> Check {
        const NAME: &str = "public URL";
        let Some(url) = &self.config.public_url else {
            return ok(NAME, "none is set, so updates are polled for");
        };
        if !self.serves {
            return skip(NAME, "no server runs");
        }
        let shown = shown_url(url);
        let wrong = |found: String| {
            fail(
                NAME,
                &found,
                "webhooks do not arrive",
                "check the proxy, the certificate and the DNS entry, or leave --public-url out",
            )
        };
        let health = format!("{}/healthz", url.as_str().trim_end_matches('/'));
        let Ok(client) = reqwest::Client::builder().timeout(LIMIT).build() else {
            return skip(NAME, "no HTTP client can be made");
        };
        match client.get(health).send().await {
            Ok(answer) if answer.status().is_success() => {
                ok(NAME, &format!("{shown} leads to a server"))
            }
            Ok(answer) => wrong(format!("{shown}/healthz answers {}", answer.status())),
            Err(error) => wrong(format!("{shown}: {}", error.without_url())),
        }
    }
}
