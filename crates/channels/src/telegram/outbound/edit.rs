//! A message that was sent, and is changed or deleted → calls.
//!
//! Promises: each part is changed in its place; what there is too much of is deleted, and what there
//! is too little of goes out behind the rest, recorded as it leaves. A change that may have been made
//! is made again, which does no harm; one of several that surely was is not, so that a later try gets
//! further, however few calls its turns let through.
//! What never happens here: a part sent anew because the one that is there cannot be changed.

use serde_json::{Map, Value, json};
use switchboard_integration::{Deletion, Lease, Outgoing, Parts, SendOutcome};
use switchboard_model::{Conversation, Tags};
use switchboard_store::SentPart;

use super::Try;
use super::form::{Changes, Form, Shown};
use super::note::{self, Known, Note, kind};
use super::plan::{Call, Plan};
use crate::telegram::account::Account;
use crate::telegram::answer::Verdict;
use crate::telegram::guest;

/// What Telegram can put into the place of one another.
const FILES: [&str; 5] = ["photo", "animation", "audio", "video", "document"];

/// How a part comes to show something else.
#[derive(Debug, PartialEq)]
enum Change {
    /// It shows that already.
    None,
    /// By this call, but for which part it is.
    Call(&'static str, Map<String, Value>),
}

impl Account {
    pub(super) async fn edit_parts(
        &self,
        outgoing: &Outgoing,
        parts: &dyn Parts,
        lease: Lease,
    ) -> Result<Tags, SendOutcome> {
        let plan = Plan::of(&outgoing.message).map_err(|fault| permanent(&fault))?;
        let mut known = note::known(&self.number, parts.sent());
        self.keep_values(&plan.kept).await?;
        let this = Try::begin(outgoing.message.id, lease);
        let mut shown = Shown::default();
        let is_one_of_several = plan.calls.len() > 1;
        for (part, call) in (0..).zip(plan.calls) {
            let Some(there) = known.remove(&part) else {
                let further = self.further(outgoing, (part, call), (parts, this));
                let (id, changes) = further.await?;
                shown.add(&id, changes);
                continue;
            };
            let there = there.map_err(|unknown| permanent(&unknown))?;
            let whole = is_one_of_several.then(|| note::shows(&call));
            let changes = if whole.is_some() && whole == there.note.shows {
                there.note.changes
            } else {
                let asked = (part, call, whole);
                self.edit_part(&outgoing.conversation, &there, asked, (parts, this))
                    .await?
            };
            shown.add(&there.id, changes);
        }
        for (part, surplus) in known {
            let surplus = surplus.map_err(|unknown| permanent(&unknown))?;
            self.delete_part(&outgoing.conversation, (part, &surplus), (parts, this))
                .await?;
        }
        Ok(shown.all_tags())
    }

    pub(super) async fn delete_parts(
        &self,
        deletion: &Deletion,
        parts: &dyn Parts,
        lease: Lease,
    ) -> Result<Tags, SendOutcome> {
        let this = Try::begin(deletion.message, lease);
        let mut refused = None;
        for (part, there) in note::known(&self.number, parts.sent()) {
            let deleted = match there {
                Ok(there) => {
                    self.delete_part(&deletion.conversation, (part, &there), (parts, this))
                        .await
                }
                Err(unknown) => Err(permanent(&unknown)),
            };
            match deleted {
                Ok(()) => {}
                // The others can still go.
                Err(outcome @ SendOutcome::Permanent { .. }) => {
                    refused.get_or_insert(outcome);
                }
                Err(outcome) => return Err(outcome),
            }
        }
        refused.map_or(Ok(Tags::new()), Err)
    }

    /// Makes a part that is there show what `call` would send, and notes what is news of it, and
    /// `whole`. Tells in which way it is said.
    async fn edit_part(
        &self,
        conversation: &Conversation,
        there: &Known,
        (part, mut call, whole): (u32, Call, Option<String>),
        (parts, this): (&dyn Parts, Try),
    ) -> Result<Changes, SendOutcome> {
        if there.note.kind != "message" {
            // Telegram puts no text into a file's place.
            call.instead = None;
        }
        let mut form = Form::of(call);
        let mut noted = there.note.clone();
        loop {
            let change = change(&there.note, &form.call).map_err(|reason| permanent(&reason))?;
            let Change::Call(method, mut parameters) = change else {
                return Ok(there.note.changes);
            };
            let replaces = method == "editMessageMedia";
            if (replaces && noted.content.is_some()) || noted.shows.is_some() {
                // Should this be the last that is heard of it, nobody knows what is there.
                noted.shows = None;
                if replaces {
                    noted.content = None;
                }
                record(parts, noted.part(part, &there.id)).await?;
            }
            locate(there, &mut parameters);
            let called = self.call_in_turn(there.note.chat, method, &parameters, this);
            match called.await {
                Verdict::Taken(_) | Verdict::Moot => {
                    let shown = Note {
                        shows: whole,
                        ..there.note.showing(&form)
                    };
                    if shown != noted {
                        record(parts, shown.part(part, &there.id)).await?;
                    }
                    return Ok(form.changes);
                }
                Verdict::Without(trouble, error) => {
                    if !form.without(trouble) {
                        return Err(permanent(&error));
                    }
                }
                Verdict::Moved(chat, error) => {
                    return Err(self.left_behind(conversation, there, chat, &error).await);
                }
                Verdict::Over(outcome) => return Err(again(outcome)),
            }
        }
    }

    /// The chat of a part has become another: its conversation follows, though the part cannot.
    async fn left_behind(
        &self,
        conversation: &Conversation,
        there: &Known,
        chat: i64,
        error: &str,
    ) -> SendOutcome {
        let place = self.target(&conversation.tags);
        if let Ok(mut thread) = place
            && Some(thread.chat) == there.note.chat
            && thread.chat != chat
            && let Err(outcome) = self.follow(conversation, &mut thread, chat).await
        {
            return outcome;
        }
        permanent(&format!(
            "{error}; the conversation goes on in chat {chat}, and what was sent before stays as it \
             is: Telegram changes no messages of a group that has become a supergroup"
        ))
    }

    /// Sends what the parts that are there have no room for.
    async fn further(
        &self,
        outgoing: &Outgoing,
        next: (u32, Call),
        within: (&dyn Parts, Try),
    ) -> Result<(String, Changes), SendOutcome> {
        let tags = &outgoing.conversation.tags;
        if guest::query(tags)
            .map_err(|error| permanent(&error))?
            .is_some()
        {
            return Err(permanent(&guest::ONE_MESSAGE));
        }
        let mut thread = self
            .target(tags)
            .map_err(|unknown| permanent(&format!("{unknown}; mend the tags, then send again")))?;
        self.send_next(outgoing, &mut thread, next, within).await
    }

    async fn delete_part(
        &self,
        conversation: &Conversation,
        (part, there): (u32, &Known),
        (parts, this): (&dyn Parts, Try),
    ) -> Result<(), SendOutcome> {
        let (Some(chat), Ok(number)) = (there.note.chat, there.id.parse::<i64>()) else {
            return Err(permanent(
                &"Telegram has no way to delete an answer to a guest message",
            ));
        };
        let (method, parameters) = match &there.note.business {
            None => (
                "deleteMessage",
                json!({ "chat_id": chat, "message_id": number }),
            ),
            Some(business) => (
                "deleteBusinessMessages",
                json!({ "business_connection_id": business, "message_ids": [number] }),
            ),
        };
        let called = self.call_in_turn(Some(chat), method, &parameters, this);
        match called.await {
            Verdict::Taken(_) | Verdict::Moot => {
                let gone = Note {
                    shows: None,
                    gone: true,
                    ..there.note.clone()
                };
                record(parts, gone.part(part, &there.id)).await
            }
            Verdict::Moved(chat, error) => {
                Err(self.left_behind(conversation, there, chat, &error).await)
            }
            Verdict::Without(_, error) => Err(permanent(&error)),
            Verdict::Over(outcome) => Err(again(outcome)),
        }
    }
}

/// How what is there comes to show what `call` would send; or why Telegram cannot do that.
fn change(there: &Note, call: &Call) -> Result<Change, String> {
    let (was, is) = (there.kind.as_str(), kind(call));
    let same = was == is && there.content.is_some() && there.content == note::content(call);
    let change = |method, parameters| Ok(Change::Call(method, parameters));
    let is_file = |kind: &str| FILES.contains(&kind);
    match (was, is) {
        ("message", "message") => change("editMessageText", call.parameters.clone()),
        ("location" | "venue", _) if same => Ok(Change::None),
        _ if same => {
            let mut parameters = call.parameters.clone();
            parameters.remove(is);
            change("editMessageCaption", parameters)
        }
        _ if is_file(is) && (is_file(was) || was == "message") => {
            let mut media = call.parameters.clone();
            let mut parameters = Map::new();
            if let Some(markup) = media.remove("reply_markup") {
                parameters.insert("reply_markup".to_owned(), markup);
            }
            let file = media.remove(is).unwrap_or_default();
            media.insert("type".to_owned(), is.into());
            media.insert("media".to_owned(), file);
            parameters.insert("media".to_owned(), media.into());
            change("editMessageMedia", parameters)
        }
        _ => Err(format!(
            "Telegram cannot make {} of {}; delete the message and send another",
            named(is),
            named(was)
        )),
    }
}

fn named(kind: &str) -> &str {
    match kind {
        "message" => "a text",
        "photo" => "a photo",
        "animation" => "an animation",
        "audio" => "an audio file",
        "voice" => "a voice message",
        "video" => "a video",
        "document" => "a document",
        "location" => "a place",
        "venue" => "a venue",
        other => other,
    }
}

/// Which part a call changes.
fn locate(there: &Known, parameters: &mut Map<String, Value>) {
    let mut set = |field: &str, value: Value| parameters.insert(field.to_owned(), value);
    let Some(chat) = there.note.chat else {
        set("inline_message_id", there.id.as_str().into());
        return;
    };
    set("chat_id", chat.into());
    let number = there.id.parse::<i64>();
    set(
        "message_id",
        number.map_or_else(|_| there.id.as_str().into(), Value::from),
    );
    if let Some(business) = &there.note.business {
        set("business_connection_id", business.as_str().into());
    }
}

/// What may have been done does no harm a second time.
fn again(outcome: SendOutcome) -> SendOutcome {
    match outcome {
        SendOutcome::Uncertain { error } => SendOutcome::Retry { error },
        other => other,
    }
}

fn permanent(error: &impl ToString) -> SendOutcome {
    SendOutcome::Permanent {
        error: error.to_string(),
    }
}

async fn record(parts: &dyn Parts, part: SentPart) -> Result<(), SendOutcome> {
    let number = part.part + 1;
    parts
        .record(part)
        .await
        .map_err(|error| SendOutcome::Retry {
            error: format!("part {number} was changed, but not recorded: {error}"),
        })
}

#[cfg(test)]
mod tests;
