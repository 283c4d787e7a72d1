//! Message → the calls that show it, in order. A pure function, the same on each try: a call's place
//! is what is recorded as sent.
//!
//! Promises: all that a message says is shown, in one form or another, or the message is refused
//! with the field that cannot be sent; no call is made that Telegram is known to refuse.

use serde_json::{Map, Value, json};
use switchboard_model::Message;

use super::keyboard::{Button, Keyboard};
use super::payload::{self, Card, Choice, Fault, Item, Location, Media, MediaKind};
use crate::telegram::markdown;
use crate::telegram::rich::{Rich, Style};
use crate::telegram::split::MESSAGE_LIMIT;

/// The most UTF-16 units of a caption.
const CAPTION_LIMIT: usize = 1024;

/// The parameter that says what a message answers.
const REPLY: &str = "reply_parameters";

/// A call of the Bot API, but for where it goes to.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::telegram) struct Call {
    pub(in crate::telegram) method: &'static str,
    pub(in crate::telegram) parameters: Map<String, Value>,
    /// The field that is formatted, and its text without formatting: for when Telegram cannot
    /// parse it.
    pub(in crate::telegram) plain: Option<(&'static str, String)>,
    /// What is sent in its place when Telegram cannot get the file.
    pub(in crate::telegram) instead: Option<Box<Call>>,
}

impl Call {
    /// Leaves the formatting out. `false` if there is none.
    pub(in crate::telegram) fn strip(&mut self) -> bool {
        let Some((field, text)) = self.plain.take() else {
            return false;
        };
        self.parameters.remove("parse_mode");
        self.parameters.insert(field.to_owned(), text.into());
        true
    }

    /// The same as an answer to a message.
    pub(super) fn answering(mut self, reply: &Value) -> Self {
        self.set(REPLY, reply.clone());
        self.instead = self.instead.map(|call| Box::new(call.answering(reply)));
        self
    }

    /// Leaves out that it is an answer. `false` if it is none.
    pub(super) fn unanswer(&mut self) -> bool {
        if let Some(instead) = &mut self.instead {
            instead.unanswer();
        }
        self.parameters.remove(REPLY).is_some()
    }
}

/// The calls for a message, and the values of its buttons that are too long to travel with them.
#[derive(Debug, Default)]
pub(in crate::telegram) struct Plan {
    pub(in crate::telegram) calls: Vec<Call>,
    pub(in crate::telegram) kept: Vec<String>,
}

impl Plan {
    pub(in crate::telegram) fn of(message: &Message) -> Result<Self, Fault> {
        let items = payload::read(&message.kind, &message.payload)?;
        let mut plan = Self::default();
        for (number, item) in (0..).zip(&items) {
            plan.item(item, &Source { message, number });
        }
        if plan.calls.is_empty() {
            return Err(Fault::blank());
        }
        Ok(plan)
    }

    fn item(&mut self, item: &Item, source: &Source<'_>) {
        match item {
            Item::Text(text) => self.texts(&Rich::from(text.as_str()), None),
            Item::Markdown(text) => self.texts(&markdown::read(text), None),
            Item::Media(media) => self.media(media),
            Item::Location(location) => self.calls.push(location_call(location)),
            Item::Card(card) => self.card(card, source),
            Item::Choice(choice) => self.choice(choice, source),
        }
    }

    fn texts(&mut self, text: &Rich, keyboard: Option<&Keyboard>) {
        self.messages(&text.messages(), keyboard);
    }

    /// The last message carries the buttons.
    fn messages(&mut self, parts: &[Rich], keyboard: Option<&Keyboard>) {
        let last = parts.len().saturating_sub(1);
        for (at, part) in parts.iter().enumerate() {
            let call = Call::text(part);
            self.calls.push(match keyboard {
                Some(keyboard) if at == last => call.with(keyboard),
                _ => call,
            });
        }
    }

    fn media(&mut self, media: &Media) {
        let caption = media.caption.as_deref().map(Rich::from).unwrap_or_default();
        self.captioned(media, &caption, None);
    }

    /// A file with what is written under it. What has no room there follows as text.
    fn captioned(&mut self, media: &Media, caption: &Rich, keyboard: Option<&Keyboard>) {
        let mut parts = caption.split(CAPTION_LIMIT, MESSAGE_LIMIT).into_iter();
        let first = parts.next().unwrap_or_default();
        let rest: Vec<_> = parts.collect();
        let mut call = Call::file(media, &first);
        if let Some(keyboard) = keyboard.filter(|_| rest.is_empty()) {
            call = call.with(keyboard);
        }
        self.calls.push(call);
        self.messages(&rest, keyboard);
    }

    fn card(&mut self, card: &Card, source: &Source<'_>) {
        let mut text = Rich::default();
        text.append(&card.title, Style::Bold);
        if let Some(subtitle) = &card.subtitle {
            text.push("\n");
            text.push(subtitle);
        }
        for (label, address) in &card.links {
            text.push("\n");
            text.push(label);
            text.push(": ");
            text.push(address);
        }
        let keyboard = self.keyboard(&card.buttons, source);
        match &card.image {
            Some(image) => {
                let picture = Media::picture(image);
                self.captioned(&picture, &text, keyboard.as_ref());
            }
            None => self.texts(&text, keyboard.as_ref()),
        }
    }

    fn choice(&mut self, choice: &Choice, source: &Source<'_>) {
        let keyboard = self.keyboard(&choice.buttons, source);
        self.texts(&Rich::from(choice.text.as_str()), keyboard.as_ref());
    }

    fn keyboard(&mut self, buttons: &[Button], source: &Source<'_>) -> Option<Keyboard> {
        let keyboard = Keyboard::page(buttons, &source.message.id.to_string(), source.number, 0)?;
        let values = buttons.iter().filter_map(Button::kept);
        self.kept.extend(values.map(ToOwned::to_owned));
        Some(keyboard)
    }
}

/// What a keyboard belongs to.
struct Source<'a> {
    message: &'a Message,
    /// Which item of it.
    number: usize,
}

impl Call {
    fn new(method: &'static str, parameters: Value) -> Self {
        let parameters = match parameters {
            Value::Object(parameters) => parameters,
            _ => Map::new(),
        };
        Self {
            method,
            parameters,
            plain: None,
            instead: None,
        }
    }

    fn text(text: &Rich) -> Self {
        Self::new("sendMessage", json!({})).formatted("text", text)
    }

    fn file(media: &Media, caption: &Rich) -> Self {
        let (method, field) = media.kind.method();
        let mut shown = caption.clone();
        if !shown.is_blank() {
            shown.push("\n");
        }
        shown.push(&media.url);
        // A caption and an address longer than a message could not be sent in the file's place.
        let instead = (shown.units() <= MESSAGE_LIMIT).then(|| Box::new(Self::text(&shown)));
        let call = Self::new(method, json!({ field: media.url }));
        let call = if caption.is_blank() {
            call
        } else {
            call.formatted("caption", caption)
        };
        Self { instead, ..call }
    }

    fn formatted(mut self, field: &'static str, text: &Rich) -> Self {
        if text.is_plain() {
            self.set(field, text.text());
            return self;
        }
        self.set(field, text.html());
        self.set("parse_mode", "HTML");
        self.plain = Some((field, text.text().to_owned()));
        self
    }

    fn with(mut self, keyboard: &Keyboard) -> Self {
        self.set("reply_markup", keyboard.markup());
        self.instead = self.instead.map(|instead| Box::new(instead.with(keyboard)));
        self
    }

    fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.parameters.insert(field.to_owned(), value.into());
    }
}

impl MediaKind {
    const fn method(self) -> (&'static str, &'static str) {
        match self {
            Self::Image => ("sendPhoto", "photo"),
            Self::Animation => ("sendAnimation", "animation"),
            Self::Audio => ("sendAudio", "audio"),
            Self::Voice => ("sendVoice", "voice"),
            Self::Video => ("sendVideo", "video"),
            Self::File => ("sendDocument", "document"),
        }
    }
}

/// With a name it is a venue, which must have both a title and an address.
fn location_call(location: &Location) -> Call {
    let Location {
        latitude,
        longitude,
        title,
        address,
    } = location;
    let place = json!({ "latitude": latitude, "longitude": longitude });
    let (Some(title), Some(address)) = (
        title.as_ref().or(address.as_ref()),
        address.as_ref().or(title.as_ref()),
    ) else {
        return Call::new("sendLocation", place);
    };
    let mut call = Call::new("sendVenue", place);
    call.set("title", title.as_str());
    call.set("address", address.as_str());
    call
}

#[cfg(test)]
mod tests;
