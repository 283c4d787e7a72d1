//! The fake's side of a webhook: one update at a time for each chat, again until 2xx.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::state::{Shared, Update, Webhook, date};
use crate::support::http;

/// Telegram waits longer; tests have less time.
const PAUSE: Duration = Duration::from_millis(100);

/// One copy of an update that was posted.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) update_id: i64,
    /// The status and the body of the answer, or why there was none.
    pub(crate) answer: Result<(u16, String), String>,
    pub(crate) at: Instant,
}

impl Delivery {
    /// Whether it was acknowledged.
    pub(crate) fn is_taken(&self) -> bool {
        matches!(self.answer, Ok((200..=299, _)))
    }
}

/// Starts a worker for each chat that has something to deliver and none yet.
pub(super) fn wake(shared: &Arc<Shared>) {
    let mut state = shared.lock();
    if state.webhook.is_none() {
        return;
    }
    let lines: Vec<_> = state
        .updates
        .iter()
        .map(|update| update.line.clone())
        .collect();
    for line in lines {
        if state.delivering.insert(line.clone()) {
            tokio::spawn(deliver(Arc::clone(shared), line));
        }
    }
}

async fn deliver(shared: Arc<Shared>, line: String) {
    let client = http::client();
    while let Some((webhook, update, copies)) = next(&shared, &line) {
        let posts = (0..copies.max(1)).map(|_| {
            post(
                &client,
                &webhook.url,
                webhook.secret.as_deref(),
                update.text.clone(),
            )
        });
        let mut taken = false;
        for answer in futures::future::join_all(posts).await {
            let delivery = Delivery {
                update_id: update.id,
                answer,
                at: Instant::now(),
            };
            taken |= delivery.is_taken();
            record(&shared, delivery);
        }
        if taken {
            let mut state = shared.lock();
            state.updates.retain(|waiting| waiting.id != update.id);
        } else {
            tokio::time::sleep(PAUSE).await;
        }
        shared.change();
    }
}

fn next(shared: &Shared, line: &str) -> Option<(Webhook, Update, usize)> {
    let mut state = shared.lock();
    let update = state.updates.iter().find(|update| update.line == line);
    match (&state.webhook, update) {
        (Some(webhook), Some(update)) if !state.closed => {
            Some((webhook.clone(), update.clone(), state.copies))
        }
        _ => {
            // Under the lock, so that what is pushed now finds no worker and starts one.
            state.delivering.remove(line);
            None
        }
    }
}

fn record(shared: &Shared, delivery: Delivery) {
    let date = date();
    let mut state = shared.lock();
    if let Some(webhook) = &mut state.webhook {
        match &delivery.answer {
            Ok((200..=299, _)) => {}
            Ok((status, _)) => {
                let words = format!("Wrong response from the webhook: {status}");
                webhook.last_error = Some((date, words));
            }
            Err(error) => webhook.last_error = Some((date, error.clone())),
        }
    }
    state.deliveries.push(delivery);
}

pub(super) async fn post(
    client: &reqwest::Client,
    url: &str,
    secret: Option<&str>,
    body: String,
) -> Result<(u16, String), String> {
    let mut request = client
        .post(url)
        .header("content-type", "application/json")
        .body(body);
    if let Some(secret) = secret {
        request = request.header("x-telegram-bot-api-secret-token", secret);
    }
    let response = request.send().await.map_err(|error| error.to_string())?;
    let status = response.status().as_u16();
    let body = response.text().await.map_err(|error| error.to_string())?;
    Ok((status, body))
}
