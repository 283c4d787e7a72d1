//! Asking Telegram how an account is, for people who look for what is wrong.
//!
//! What never happens here: a change of anything at Telegram's.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use switchboard_model::Result;

use super::client::{Answer, Client};
use super::control::Failure;
use super::lenient::lenient;

/// How an account is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// The bot's user name, as Telegram knows it.
    pub username: String,
    /// The webhook that is set; empty for none.
    pub webhook_url: String,
    /// Updates that wait at Telegram's.
    pub pending: i64,
    /// The last error of a delivery to the webhook, and when it was, in seconds since 1970.
    pub last_error: Option<(i64, String)>,
}

#[derive(Deserialize)]
struct Me {
    #[serde(default, deserialize_with = "lenient")]
    username: Option<String>,
}

#[derive(Deserialize)]
struct WebhookInfo {
    #[serde(default, deserialize_with = "lenient")]
    url: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pending_update_count: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    last_error_date: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    last_error_message: Option<String>,
}

/// Why an account's state is not known: what is wrong and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown {
    /// Telegram does not take the token.
    Token(String),
    /// Telegram cannot be asked, or does not answer as it does.
    Unreachable(String),
}

/// Asks whose a token is; gives the bot's user name.
pub async fn identify(
    api_url: &str,
    token: SecretString,
    limit: Duration,
) -> Result<std::result::Result<String, Unknown>> {
    let client = Client::new(api_url, token)?;
    let me: std::result::Result<Me, _> = ask(&client, "getMe", limit).await;
    Ok(me.map(|me| me.username.unwrap_or_default()))
}

/// Asks for an account's name and webhook, within twice the limit.
pub async fn examine(
    api_url: &str,
    token: SecretString,
    limit: Duration,
) -> Result<std::result::Result<Examined, Unknown>> {
    let client = Client::new(api_url, token)?;
    let asked = async {
        let me: Me = ask(&client, "getMe", limit).await?;
        let info: WebhookInfo = ask(&client, "getWebhookInfo", limit).await?;
        Ok(Examined {
            username: me.username.unwrap_or_default(),
            webhook_url: info.url.unwrap_or_default(),
            pending: info.pending_update_count.unwrap_or(0),
            last_error: info.last_error_date.zip(info.last_error_message),
        })
    };
    Ok(asked.await)
}

async fn ask<T: DeserializeOwned>(
    client: &Client,
    method: &str,
    limit: Duration,
) -> std::result::Result<T, Unknown> {
    match client.call(method, &serde_json::json!({}), limit).await {
        Answer::Ok(result) => serde_json::from_str(result.get())
            .map_err(|_| Unknown::Unreachable(format!("the answer to {method} is not understood"))),
        answer => {
            let text = Failure::of(&answer).text;
            let is_token =
                matches!(&answer, Answer::Refused(refusal) if matches!(refusal.code, 401 | 404));
            Err(if is_token {
                Unknown::Token(text)
            } else {
                Unknown::Unreachable(text)
            })
        }
    }
}
