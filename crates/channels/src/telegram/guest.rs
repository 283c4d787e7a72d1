//! Guest messages: somebody asks the bot in a chat where it is not, and it may answer once.
//!
//! Promises: what is answered goes where it was asked, by `answerGuestQuery`, and never to the chat
//! of that number, which need not be the bot's. At most one message answers a query, and it is sent
//! at most once: what may have been taken waits for a person. Which one it was is a tag of the
//! conversation, set before Telegram is asked.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use switchboard_engine::View;
use switchboard_integration::{Lease, Outgoing, Parts, SendOutcome};
use switchboard_model::Tags;

use super::account::Account;
use super::answer::{Trouble, Verdict, judge};
use super::client::Answer;
use super::outbound::form::{Form, Shown};
use super::outbound::note::Note;
use super::outbound::plan::{Call, Plan};

/// The tag of a conversation that is a guest query, and its value.
pub(super) const QUERY: &str = "guestQueryId";
/// The tag of such a conversation that says which message answered it.
pub(super) const ANSWER: &str = "guestAnswer";
/// What the id of such a conversation begins with.
const PREFIX: &str = "guest:";

pub(super) const ONE_MESSAGE: &str =
    "a guest message is answered with one message; send a shorter one, or one item";

/// The external id of a guest query's conversation.
pub(super) fn id(query: &str) -> String {
    format!("{PREFIX}{query}")
}

/// The guest query that a conversation is, by its tags; an error says how they contradict each other.
pub(super) fn query(tags: &Tags) -> Result<Option<&str>, String> {
    let named = tags.get("id").and_then(|id| id.strip_prefix(PREFIX));
    let Some(query) = tags.get(QUERY).or(named).filter(|query| !query.is_empty()) else {
        return Ok(None);
    };
    if named.is_some_and(|named| named != query) {
        return Err(format!(
            "the conversation's tags id and {QUERY} name different guest messages; mend the tags, \
             then send again"
        ));
    }
    match tags.get("chatId") {
        Some(chat) => Err(format!(
            "the conversation's tags {QUERY} and chatId ({chat}) contradict each other: a guest \
             message is answered where it was asked; mend the tags, then send again"
        )),
        None => Ok(Some(query)),
    }
}

/// What `answerGuestQuery` gives back.
#[derive(Deserialize)]
struct SentGuestMessage {
    inline_message_id: String,
}

impl Account {
    /// Answers a guest query, unless a message has answered it already.
    pub(super) async fn answer_guest(
        &self,
        query: &str,
        outgoing: &Outgoing,
        parts: &dyn Parts,
        lease: Lease,
    ) -> Result<Tags, SendOutcome> {
        let permanent = |error: String| SendOutcome::Permanent { error };
        let own = outgoing.message.id.to_string();
        match outgoing.conversation.tags.get(ANSWER) {
            Some(first) if first != own => {
                return Err(permanent(format!(
                    "Telegram takes one answer to a guest message, and {first} was it; write to \
                     the person in another conversation"
                )));
            }
            // A replay is a person's wish, who has seen that nothing is there.
            Some(_) if outgoing.again => {
                return Err(SendOutcome::Unknown {
                    error:
                        "an earlier try may have answered, and a guest message is answered once; \
                            look into the chat, and replay it if it is not there"
                            .to_owned(),
                });
            }
            _ => {}
        }
        let plan = Plan::of(&outgoing.message).map_err(|fault| permanent(fault.to_string()))?;
        self.keep_values(&plan.kept).await?;
        let [call] =
            <[Call; 1]>::try_from(plan.calls).map_err(|_| permanent(ONE_MESSAGE.to_owned()))?;
        self.claim_query(outgoing, &own).await?;
        let answered = self.ask(query, call, lease).await;
        let (form, id) = match answered {
            Ok(answered) => answered,
            Err(outcome @ SendOutcome::Unknown { .. }) => return Err(outcome),
            Err(outcome) => {
                // It was certainly not taken: this one may try again, and others may.
                self.claim_query(outgoing, "").await?;
                return Err(outcome);
            }
        };
        let part = Note::of_guest(&self.number, &form).part(0, &id);
        parts
            .record(part)
            .await
            .map_err(|error| SendOutcome::Unknown {
                error: format!("it was answered, but that could not be recorded: {error}"),
            })?;
        let mut shown = Shown::default();
        shown.add(&id, form.changes);
        Ok(shown.tags())
    }

    /// Notes which message answers, or that none does.
    async fn claim_query(&self, outgoing: &Outgoing, message: &str) -> Result<(), SendOutcome> {
        let mut tags = Tags::new();
        tags.insert(ANSWER, message);
        let tags = View::integration(&self.integration.alias).stored_tags(tags);
        let (bot, id) = (self.integration.bot, outgoing.conversation.id);
        let now = self.engine.env().now();
        let noted = self
            .engine
            .store()
            .update_conversation(bot, id, tags, now)
            .await;
        let error = match noted {
            Ok(Some(_)) => return Ok(()),
            Ok(None) => "the conversation is gone".to_owned(),
            Err(error) => error.to_string(),
        };
        Err(SendOutcome::Retry {
            error: format!("it could not be noted which message answers: {error}"),
        })
    }

    /// Asks Telegram until it takes the answer in some form: which was taken, and its id.
    async fn ask(
        &self,
        query: &str,
        call: Call,
        lease: Lease,
    ) -> Result<(Form, String), SendOutcome> {
        let permanent = |error: String| SendOutcome::Permanent { error };
        let mut form = Form::of(call);
        loop {
            let Some(result) = result(&form.call) else {
                if !form.without(Trouble::File) {
                    let error = "this cannot be an answer to a guest message".to_owned();
                    return Err(permanent(error));
                }
                continue;
            };
            let limit = self.time_limit(lease).ok_or_else(|| SendOutcome::Retry {
                error: "the time for this try is over; going on in the next".to_owned(),
            })?;
            let parameters = json!({ "guest_query_id": query, "result": result });
            let answer = self
                .client
                .call("answerGuestQuery", &parameters, limit)
                .await;
            let id = match &answer {
                Answer::Ok(raw) => serde_json::from_str::<SentGuestMessage>(raw.get()).ok(),
                _ => None,
            };
            match judge(answer) {
                Verdict::Taken(_) => {
                    let id = id.map(|sent| sent.inline_message_id).unwrap_or_default();
                    return Ok((form, id));
                }
                Verdict::Without(trouble, error) => {
                    if !form.without(trouble) {
                        return Err(permanent(error));
                    }
                }
                Verdict::Moot => {
                    return Err(permanent(
                        "the guest message can be answered no more: it is too old, or was answered"
                            .to_owned(),
                    ));
                }
                Verdict::Moved(_, error) => return Err(permanent(error)),
                Verdict::Over(SendOutcome::Uncertain { error }) => {
                    return Err(SendOutcome::Unknown { error });
                }
                Verdict::Over(outcome) => return Err(outcome),
            }
        }
    }
}

/// The `InlineQueryResult` that shows what a call would send. None where Telegram wants more of a
/// file than is known (a video's thumbnail, a document that is no PDF or ZIP).
fn result(call: &Call) -> Option<Value> {
    let text = |field: &str| call.parameters.get(field).and_then(Value::as_str);
    let mut result = match call.method {
        "sendMessage" => {
            let mut content = Map::new();
            content.insert("message_text".to_owned(), text("text")?.into());
            if let Some(mode) = text("parse_mode") {
                content.insert("parse_mode".to_owned(), mode.into());
            }
            json!({ "type": "article", "title": "Answer", "input_message_content": content })
        }
        "sendPhoto" => {
            let url = text("photo")?;
            json!({ "type": "photo", "photo_url": url, "thumbnail_url": url })
        }
        "sendAnimation" => {
            let url = text("animation")?;
            json!({ "type": "gif", "gif_url": url, "thumbnail_url": url })
        }
        "sendAudio" => json!({ "type": "audio", "audio_url": text("audio")?, "title": "Audio" }),
        "sendVoice" => json!({ "type": "voice", "voice_url": text("voice")?, "title": "Voice" }),
        "sendDocument" => {
            let url = text("document")?;
            let path = url.split(['?', '#']).next().unwrap_or(url).to_lowercase();
            let kind = ["pdf", "zip"]
                .into_iter()
                .find(|kind| path.ends_with(&format!(".{kind}")))?;
            json!({
                "type": "document", "document_url": url, "title": "Document",
                "mime_type": format!("application/{kind}"),
            })
        }
        "sendLocation" | "sendVenue" => {
            let mut place = call.parameters.clone();
            let kind = if call.method == "sendVenue" {
                "venue"
            } else {
                "location"
            };
            place.insert("type".to_owned(), kind.into());
            place.entry("title").or_insert_with(|| "Place".into());
            Value::from(place)
        }
        _ => return None,
    };
    result["id"] = "1".into();
    for field in ["caption", "reply_markup"] {
        if let Some(value) = call.parameters.get(field) {
            result[field] = value.clone();
        }
    }
    if let (Some(_), Some(mode)) = (text("caption"), text("parse_mode")) {
        result["parse_mode"] = mode.into();
    }
    Some(result)
}

#[cfg(test)]
mod tests;
