//! What is noted of each part that was sent, so that it can be changed later.
//!
//! Promises: a part is changed where it was sent, whatever its conversation's tags say by now, and by
//! the bot that sent it: numbers of messages mean others in another chat, and to another bot.

use std::collections::BTreeMap;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use switchboard_engine::keys::hex;
use switchboard_store::SentPart;

use super::form::{Changes, Form};
use super::plan::Call;
use crate::telegram::thread::Thread;

/// Where a part is, and what it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::telegram) struct Note {
    /// The number of the bot that sent it.
    pub(super) bot: String,
    /// The chat; none of an answer to a guest message, whose id says where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) chat: Option<i64>,
    /// The business connection through which it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) business: Option<String>,
    /// What it is: `message` (a text), `photo`, `voice`, `location`, …
    pub(super) kind: String,
    /// A digest of the file's address, or of the place; none while it is not known which is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<String>,
    /// A digest of all that an edit of a message of several parts has made it show; none while that
    /// is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shows: Option<String>,
    /// In which way it is said otherwise than it was meant.
    #[serde(flatten)]
    pub(super) changes: Changes,
    /// Whether it was deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) gone: bool,
}

/// A part that is in the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// Its number there.
    pub(super) id: String,
    /// Where it is, and what.
    pub(super) note: Note,
}

/// Why a part cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unknown {
    #[error("Telegram did not say which number part {} has, so it cannot be changed", .0 + 1)]
    Number(u32),
    #[error(
        "part {} was sent by a version of this program that did not keep where, so it cannot be \
         changed safely",
        .0 + 1
    )]
    Place(u32),
    #[error(
        "part {} was sent by the bot {bot}, which alone can change it; set that bot's token again",
        .part + 1
    )]
    Bot { part: u32, bot: String },
}

impl Note {
    /// Of what is sent to a thread.
    pub(super) fn of(bot: &str, thread: &Thread, form: &Form) -> Self {
        Self {
            chat: Some(thread.chat),
            business: thread.business.clone(),
            ..Self::of_guest(bot, form)
        }
    }

    /// Of what answers a guest message.
    pub(in crate::telegram) fn of_guest(bot: &str, form: &Form) -> Self {
        Self {
            bot: bot.to_owned(),
            chat: None,
            business: None,
            kind: kind(&form.call).to_owned(),
            content: content(&form.call),
            shows: None,
            changes: form.changes,
            gone: false,
        }
    }

    /// The same place with what a call shows.
    pub(super) fn showing(&self, form: &Form) -> Self {
        Self {
            kind: kind(&form.call).to_owned(),
            content: content(&form.call),
            changes: form.changes,
            ..self.clone()
        }
    }

    /// The part with this note.
    pub(in crate::telegram) fn part(&self, part: u32, external_id: &str) -> SentPart {
        SentPart {
            detail: serde_json::to_value(self).unwrap_or_default(),
            ..SentPart::new(part, external_id)
        }
    }
}

/// In which way a part is said otherwise than it was meant.
pub(super) fn changes(part: &SentPart) -> Changes {
    Note::deserialize(&part.detail).map_or_else(|_| Changes::default(), |note| note.changes)
}

/// The parts that are in the channel, by number: what was noted of each last.
pub(super) fn known(bot: &str, parts: &[SentPart]) -> BTreeMap<u32, Result<Known, Unknown>> {
    let last: BTreeMap<u32, &SentPart> = parts.iter().map(|part| (part.part, part)).collect();
    last.into_iter()
        .filter_map(|(number, part)| {
            let note = Note::deserialize(&part.detail).ok();
            if note.as_ref().is_some_and(|note| note.gone) {
                return None;
            }
            Some((number, read(bot, number, part, note)))
        })
        .collect()
}

fn read(bot: &str, number: u32, part: &SentPart, note: Option<Note>) -> Result<Known, Unknown> {
    if part.external_id.is_empty() {
        return Err(Unknown::Number(number));
    }
    let note = note.ok_or(Unknown::Place(number))?;
    if note.bot != bot {
        return Err(Unknown::Bot {
            part: number,
            bot: note.bot,
        });
    }
    Ok(Known {
        id: part.external_id.clone(),
        note,
    })
}

/// What a call shows: `message`, `photo`, …
pub(super) fn kind(call: &Call) -> &'static str {
    match call.method {
        "sendPhoto" => "photo",
        "sendAnimation" => "animation",
        "sendAudio" => "audio",
        "sendVoice" => "voice",
        "sendVideo" => "video",
        "sendDocument" => "document",
        "sendLocation" => "location",
        "sendVenue" => "venue",
        _ => "message",
    }
}

/// A digest of what a call shows beside text: what it said is not kept in another place.
pub(super) fn content(call: &Call) -> Option<String> {
    let shown = match kind(call) {
        "message" => return None,
        "location" | "venue" => {
            let fields = ["latitude", "longitude", "title", "address"];
            let place: Map<String, Value> = fields
                .into_iter()
                .filter_map(|field| Some((field.to_owned(), call.parameters.get(field)?.clone())))
                .collect();
            Value::from(place).to_string()
        }
        field => call.parameters.get(field)?.to_string(),
    };
    Some(short(&shown))
}

/// A digest of all that a call shows.
pub(super) fn shows(call: &Call) -> String {
    short(&json!([call.method, call.parameters]).to_string())
}

fn short(shown: &str) -> String {
    hex(&digest(&SHA256, shown.as_bytes()).as_ref()[..8])
}
