//! A message that was sent, and is changed or deleted → calls.
//!
//! Promises: each part is changed in its place; what there is too much of is deleted, and what there
//! is too little of goes out behind the rest, recorded as it leaves. A change that may have been made
//! is made again, which does no harm; one of several that surely was is not, so that a later try gets
//! further, however few calls its turns let through.
//! What never happens here: a part sent anew because the one that is there cannot be changed.

use serde_json::{Map, Value, json};
use switchboard_integration::{Deletion, Lease, Outgoing, Parts, SendOutcome};
use switchboard_model::Tags;
use switchboard_store::SentPart;

use super::note::{self, Known, Note, kind};
use super::plan::{Call, Plan};
use super::{Changes, Try};
use crate::telegram::account::Account;
use crate::telegram::answer::{Verdict, sent_tags};
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
        let mut changes = Changes::default();
        let mut ids = Vec::new();
        let is_one_of_several = plan.calls.len() > 1;
        for (part, call) in (0..).zip(plan.calls) {
            if let Some(there) = known.remove(&part) {
                let there = there.map_err(|unknown| permanent(&unknown))?;
                let whole = is_one_of_several.then(|| note::shows(&call));
                if whole.is_none() || whole != there.note.shows {
                    let asked = (part, whole);
                    self.edit_part(outgoing, asked, &there, call, (parts, this), &mut changes)
                        .await?;
                }
                ids.push(there.id);
                continue;
            }
            let further = self.further(outgoing, (part, call), (parts, this), &mut changes);
            ids.push(further.await?);
        }
        for (part, surplus) in known {
            let surplus = surplus.map_err(|unknown| permanent(&unknown))?;
            self.delete_part(part, &surplus, parts, this).await?;
        }
        Ok(tags(&ids, &changes))
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
                Ok(there) => self.delete_part(part, &there, parts, this).await,
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

    /// Makes a part that is there show what `call` would send, and notes it if that is asked for.
    async fn edit_part(
        &self,
        outgoing: &Outgoing,
        (part, whole): (u32, Option<String>),
        there: &Known,
        mut call: Call,
        (parts, this): (&dyn Parts, Try),
        changes: &mut Changes,
    ) -> Result<(), SendOutcome> {
        loop {
            let change = change(&there.note, &call).map_err(|reason| permanent(&reason))?;
            let Change::Call(method, mut parameters) = change else {
                return Ok(());
            };
            let replaces = method == "editMessageMedia";
            if (replaces && there.note.content.is_some()) || there.note.shows.is_some() {
                // Should this be the last that is heard of it, nobody knows what is there.
                let unsure = Note {
                    content: there.note.content.clone().filter(|_| !replaces),
                    shows: None,
                    ..there.note.clone()
                };
                record(parts, unsure.part(part, &there.id)).await?;
            }
            locate(there, &mut parameters);
            let called = self.call_in_turn(there.note.chat, method, &parameters, this);
            match called.await {
                Verdict::Taken(_) | Verdict::Moot => {
                    if replaces || whole.is_some() {
                        let mut noted = there.note.clone();
                        if replaces {
                            noted = noted.showing(&call);
                        }
                        noted.shows = whole;
                        record(parts, noted.part(part, &there.id)).await?;
                    }
                    return Ok(());
                }
                Verdict::Plainly(error) => {
                    if !call.strip() {
                        return Err(permanent(&error));
                    }
                    changes.plain = true;
                }
                Verdict::WithoutFile(error) => {
                    let instead = call.instead.take().filter(|_| there.note.kind == "message");
                    call = *instead.ok_or_else(|| permanent(&error))?;
                    changes.link = true;
                }
                Verdict::Moved(chat, error) => {
                    self.follow_from(outgoing, there, chat).await?;
                    return Err(permanent(&error));
                }
                Verdict::WithoutReply(error) => return Err(permanent(&error)),
                Verdict::Over(outcome) => return Err(again(outcome)),
            }
        }
    }

    /// The chat of a part has become another: its conversation follows, though the part cannot.
    async fn follow_from(
        &self,
        outgoing: &Outgoing,
        there: &Known,
        chat: i64,
    ) -> Result<(), SendOutcome> {
        match self.target(&outgoing.conversation.tags) {
            Ok(mut thread) if Some(thread.chat) == there.note.chat && thread.chat != chat => {
                self.follow(outgoing, &mut thread, chat).await
            }
            _ => Ok(()),
        }
    }

    /// Sends what the parts that are there have no room for.
    async fn further(
        &self,
        outgoing: &Outgoing,
        next: (u32, Call),
        within: (&dyn Parts, Try),
        changes: &mut Changes,
    ) -> Result<String, SendOutcome> {
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
        self.send_next(outgoing, &mut thread, next, within, changes)
            .await
    }

    async fn delete_part(
        &self,
        part: u32,
        there: &Known,
        parts: &dyn Parts,
        this: Try,
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
            Verdict::Plainly(error)
            | Verdict::WithoutFile(error)
            | Verdict::WithoutReply(error)
            | Verdict::Moved(_, error) => Err(permanent(&error)),
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

/// The tags of a message after a change; empty ones take back what was so before.
fn tags(ids: &[String], changes: &Changes) -> Tags {
    let ids: Vec<String> = ids.iter().filter(|id| !id.is_empty()).cloned().collect();
    let mut tags = sent_tags(&ids);
    if tags.get("ids").is_none() {
        tags.insert("ids", "");
    }
    for (name, value, is) in changes.tags() {
        tags.insert(name, if is { value } else { "" });
    }
    tags
}

#[cfg(test)]
mod tests;
