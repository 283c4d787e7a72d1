//! Actions: `startTypingIndicator` and `stopTypingIndicator`, as the platform's interface
//! `typingIndicator` has them.
//!
//! Promises: the sign shows where the conversation is, and nowhere else.
//! What never happens here: a second try. Who types on asks again.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use switchboard_engine::View;
use switchboard_integration::{ActionCall, ActionFailure, Actions, SendOutcome};
use switchboard_model::{ConversationId, Json};

use super::account::Account;
use super::answer::{Verdict, judge};
use super::client::Answer;
use super::target::target;
use super::thread::{Thread, Topic};

/// What both actions are given. The message and the time are not Telegram's to know: its sign ends
/// after five seconds, or with the next message.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    conversation_id: ConversationId,
}

/// `sendChatAction`.
#[derive(Debug, Serialize)]
struct SendChatAction<'a> {
    chat_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_thread_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    business_connection_id: Option<&'a str>,
    action: &'static str,
}

#[async_trait]
impl Actions for Account {
    async fn call(&self, call: ActionCall) -> Result<Json, ActionFailure> {
        match call.name.as_str() {
            "startTypingIndicator" => self.start_typing(&call).await?,
            "stopTypingIndicator" => {
                self.thread_of(&call).await?;
            }
            _ => return Err(ActionFailure::Unknown),
        }
        Ok(Json::empty())
    }
}

impl Account {
    /// Where the conversation that is meant is.
    async fn thread_of(&self, call: &ActionCall) -> Result<Thread, ActionFailure> {
        let input: Input = call.input.read().map_err(|error| {
            ActionFailure::failed(format!(
                "input: expected conversationId, a conversation's id ({error})"
            ))
        })?;
        let id = input.conversation_id;
        let found = self
            .engine
            .store()
            .get_conversation(self.integration.bot, id)
            .await
            .map_err(|error| ActionFailure::failed(error.to_string()))?
            .filter(|found| found.integration == self.integration.id)
            .ok_or_else(|| {
                ActionFailure::failed(format!(
                    "input.conversationId: conversation {id} not found; expected one of {}",
                    self.integration.alias
                ))
            })?;
        let tags = View::integration(&self.integration.alias).shown_tags(&found.tags);
        target(&tags).map_err(|unknown| ActionFailure::failed(unknown.to_string()))
    }

    async fn start_typing(&self, call: &ActionCall) -> Result<(), ActionFailure> {
        let thread = self.thread_of(call).await?;
        let message_thread_id = match thread.topic {
            Topic::None => None,
            Topic::Forum(topic) => Some(topic),
            // Telegram shows it in no direct messages of a channel
            // (<https://core.telegram.org/bots/api#sendchataction>), and in the channel itself it
            // would be seen by others.
            Topic::Direct(_) => return Ok(()),
        };
        let body = SendChatAction {
            chat_id: thread.chat,
            message_thread_id,
            business_connection_id: thread.business.as_deref(),
            action: "typing",
        };
        let answer = self
            .client
            .call("sendChatAction", &body, self.timing.request)
            .await;
        if matches!(answer, Answer::TimedOut) {
            return Err(ActionFailure::TimedOut);
        }
        match judge(answer) {
            Verdict::Taken(_) | Verdict::Moot => Ok(()),
            Verdict::Without(_, words) | Verdict::Moved(_, words) => {
                Err(ActionFailure::failed(words))
            }
            Verdict::Over(outcome) => Err(self.refused(outcome)),
        }
    }

    fn refused(&self, outcome: SendOutcome) -> ActionFailure {
        ActionFailure::failed(match outcome {
            SendOutcome::Done(_) => String::new(),
            SendOutcome::Wait { after, error } | SendOutcome::Held { after, error } => {
                format!("{error}; try again after {} s", after.as_secs())
            }
            SendOutcome::AccountBroken { error } => {
                self.condition.cannot_send(error.clone());
                error
            }
            SendOutcome::Retry { error }
            | SendOutcome::Permanent { error }
            | SendOutcome::Uncertain { error }
            | SendOutcome::Unknown { error } => error,
            SendOutcome::Unable => "the channel cannot do that".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
