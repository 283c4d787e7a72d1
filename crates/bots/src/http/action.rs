//! A bot's own actions: a POST as the platform's runtime sends it (`action_triggered`), answered
//! with `{"output": …}`.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use switchboard_integration::{ActionCall, ActionFailure, Actions};
use switchboard_model::Json;

use super::{ANSWER_LIMIT, ERROR_LIMIT, HttpBot, answer, headers};
use crate::BotFailure;

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    name: &'a str,
    input: &'a Json,
}

#[derive(Deserialize)]
struct Answer {
    output: Option<Json>,
}

#[async_trait]
impl Actions for HttpBot {
    async fn call(&self, call: ActionCall) -> Result<Json, ActionFailure> {
        let body = serde_json::to_string(&Body {
            name: &call.name,
            input: &call.input,
        })
        .map_err(|error| ActionFailure::failed(format!("the input cannot be written: {error}")))?;
        let sent = self
            .client
            .post(self.url.clone())
            .headers(headers("action_triggered", &call.name, call.bot))
            .body(body)
            .send()
            .await;
        let mut response = sent.map_err(|error| self.lost(error))?;
        let status = response.status();
        let limit = if status.is_success() {
            ANSWER_LIMIT
        } else {
            ERROR_LIMIT
        };
        let body = self.read(&mut response, limit).await.map_err(failed)?;
        if !status.is_success() {
            let words = answer::words(&body.unwrap_or_default());
            return Err(ActionFailure::failed(if words.is_empty() {
                format!("the bot answered {}", status.as_u16())
            } else {
                words
            }));
        }
        let body = body.ok_or_else(|| {
            ActionFailure::failed(format!("the bot's answer is over {ANSWER_LIMIT} bytes"))
        })?;
        output(&body)
    }
}

impl HttpBot {
    fn lost(&self, error: reqwest::Error) -> ActionFailure {
        if error.is_timeout() {
            return ActionFailure::TimedOut;
        }
        failed(self.broken(error))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what map_err hands over")]
fn failed(failure: BotFailure) -> ActionFailure {
    ActionFailure::failed(failure.to_string())
}

/// What an action has to show; nothing is the empty object.
fn output(body: &[u8]) -> Result<Json, ActionFailure> {
    // Serde would also fill a struct from an array, by position.
    let body = body.trim_ascii();
    if body.is_empty() {
        return Ok(Json::empty());
    }
    let answer: Option<Answer> = body
        .starts_with(b"{")
        .then(|| serde_json::from_slice(body).ok())
        .flatten();
    answer
        .map(|answer| answer.output.unwrap_or_else(Json::empty))
        .ok_or_else(|| {
            ActionFailure::failed(
                "the bot's answer to the action: expected JSON such as {\"output\": {}}",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_stays_as_it_came_and_nothing_is_an_empty_one() {
        let text = r#"{"output":{"z":1.0, "a":9007199254740993},"meta":{}}"#;
        let found = output(text.as_bytes()).unwrap();
        assert_eq!(found.as_str(), r#"{"z":1.0, "a":9007199254740993}"#);
        for body in ["", " ", "{}", r#"{"output":null}"#] {
            assert_eq!(output(body.as_bytes()), Ok(Json::empty()), "{body}");
        }
        for body in ["[]", "ok", r#"{"output":7}"#, r#"{"output":{}"#] {
            let error = output(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("expected JSON"), "{body}: {error}");
        }
    }
}
