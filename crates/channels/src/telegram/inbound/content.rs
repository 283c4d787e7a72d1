//! What a message says, as the platform's types of messages.
//!
//! Promises: all that a bot may need to know is in the payload, under the platform's names first
//! (`imageUrl`, `title`) and Telegram's besides.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use switchboard_model::{Json, Tags};

use crate::telegram::files::Links;
use crate::telegram::lenient::lenient;

/// How much of a quoted text a tag keeps, in characters.
const QUOTE_LIMIT: usize = Tags::VALUE_LIMIT;

/// What a `Message` may carry (<https://core.telegram.org/bots/api#message>). A field of another
/// shape than documented counts as absent, but for the words.
#[derive(Debug, Deserialize)]
pub(super) struct Content<'a> {
    text: Option<String>,
    caption: Option<String>,
    #[serde(default, borrow)]
    entities: Option<&'a RawValue>,
    #[serde(default, borrow)]
    caption_entities: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "lenient")]
    photo: Option<Vec<Attachment>>,
    #[serde(default, deserialize_with = "lenient")]
    animation: Option<Attachment>,
    #[serde(default, deserialize_with = "lenient")]
    video: Option<Attachment>,
    #[serde(default, deserialize_with = "lenient")]
    video_note: Option<Attachment>,
    #[serde(default, deserialize_with = "lenient")]
    audio: Option<Attachment>,
    #[serde(default, deserialize_with = "lenient")]
    voice: Option<Attachment>,
    #[serde(default, deserialize_with = "lenient")]
    document: Option<Attachment>,
    #[serde(default, deserialize_with = "lenient")]
    sticker: Option<Attachment>,
    #[serde(default, deserialize_with = "lenient")]
    venue: Option<Venue>,
    #[serde(default, deserialize_with = "lenient")]
    location: Option<Location>,
    #[serde(default, borrow)]
    contact: Option<&'a RawValue>,
    #[serde(default, borrow)]
    poll: Option<&'a RawValue>,
    #[serde(default, borrow)]
    dice: Option<&'a RawValue>,
    #[serde(default, borrow)]
    paid_media: Option<&'a RawValue>,
    #[serde(default, borrow)]
    checklist: Option<&'a RawValue>,
    #[serde(default, borrow)]
    story: Option<&'a RawValue>,
    #[serde(default, borrow)]
    game: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "lenient")]
    media_group_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    quote: Option<Quote>,
    #[serde(default, deserialize_with = "lenient")]
    forward_origin: Option<Origin>,
    #[serde(default, deserialize_with = "lenient")]
    via_bot: Option<Via>,
    #[serde(default, deserialize_with = "lenient")]
    suggested_post_info: Option<Suggestion>,
}

/// What `PhotoSize`, `Video`, `Document` and their like have in common.
#[derive(Debug, Deserialize)]
struct Attachment {
    file_id: String,
    #[serde(default, deserialize_with = "lenient")]
    file_unique_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    file_size: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    file_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    mime_type: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    width: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    height: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    duration: Option<u64>,
    /// Of a piece of music.
    #[serde(default, deserialize_with = "lenient")]
    title: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    performer: Option<String>,
    /// Of a sticker.
    #[serde(default, deserialize_with = "lenient")]
    emoji: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    is_animated: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    is_video: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Location {
    latitude: f64,
    longitude: f64,
    #[serde(default, deserialize_with = "lenient")]
    live_period: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Venue {
    location: Location,
    title: String,
    address: String,
}

#[derive(Debug, Deserialize)]
struct Quote {
    text: String,
}

/// `MessageOrigin`: a user, a hidden user, a chat or a channel.
#[derive(Debug, Deserialize)]
struct Origin {
    #[serde(default, deserialize_with = "lenient")]
    date: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    sender_user: Option<Id>,
    #[serde(default, deserialize_with = "lenient")]
    sender_chat: Option<Id>,
    #[serde(default, deserialize_with = "lenient")]
    chat: Option<Id>,
    #[serde(default, deserialize_with = "lenient")]
    sender_user_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    message_id: Option<i64>,
}

/// The inline bot that made a message for who sends it.
#[derive(Debug, Deserialize)]
struct Via {
    id: i64,
    #[serde(default, deserialize_with = "lenient")]
    username: Option<String>,
}

/// `SuggestedPostInfo`.
#[derive(Debug, Deserialize)]
struct Suggestion {
    state: String,
}

#[derive(Debug, Deserialize)]
struct Id {
    id: i64,
}

/// How a file is passed on.
struct Shape {
    kind: &'static str,
    field: &'static str,
    /// The name of a file that has none.
    name: &'static str,
}

const IMAGE: Shape = Shape {
    kind: "image",
    field: "imageUrl",
    name: "photo.jpg",
};
const STICKER: Shape = Shape {
    name: "sticker.webp",
    ..IMAGE
};
const VIDEO: Shape = Shape {
    kind: "video",
    field: "videoUrl",
    name: "video.mp4",
};
const AUDIO: Shape = Shape {
    kind: "audio",
    field: "audioUrl",
    name: "audio.mp3",
};
const VOICE: Shape = Shape {
    name: "voice.oga",
    ..AUDIO
};
const FILE: Shape = Shape {
    kind: "file",
    field: "fileUrl",
    name: "file",
};

impl<'a> Content<'a> {
    /// None if its words cannot be read: then it must be kept as it is.
    pub(super) fn of(message: &'a str) -> Option<Self> {
        serde_json::from_str(message).ok()
    }

    /// Type and payload; none if it says nothing (somebody joined, the title changed).
    pub(super) fn said(&self, links: &Links) -> Option<(&'static str, Json)> {
        if let Some(text) = self.text.as_deref().filter(|text| !text.is_empty()) {
            return Some((
                "text",
                with_raw(&json!({ "text": clean(text) }), "entities", self.entities)?,
            ));
        }
        if let Some((shape, file)) = self.file() {
            let payload = self.file_payload(&shape, file, links);
            return Some((
                shape.kind,
                with_raw(&payload, "captionEntities", self.caption_entities)?,
            ));
        }
        if let Some(place) = self.place() {
            return Some(("location", Json::from_serialize(&place).ok()?));
        }
        let others = [
            ("contact", self.contact),
            ("poll", self.poll),
            ("dice", self.dice),
            ("paid_media", self.paid_media),
            ("checklist", self.checklist),
            ("story", self.story),
            ("game", self.game),
        ];
        others.into_iter().find_map(|(kind, raw)| {
            let raw = raw.filter(|raw| raw.get().starts_with('{'))?;
            let payload = Json::parse(raw.get()).ok()?;
            match &self.caption {
                Some(caption) if kind == "paid_media" => {
                    let mut captioned: Value = payload.read().ok()?;
                    captioned["caption"] = clean(caption).into();
                    Some((kind, Json::from_serialize(&captioned).ok()?))
                }
                _ => Some((kind, payload)),
            }
        })
    }

    /// The file in it. An animation comes as a document too.
    fn file(&self) -> Option<(Shape, &Attachment)> {
        let area = |size: &&Attachment| {
            let height = size.height.unwrap_or(0);
            size.width.unwrap_or(0).saturating_mul(height)
        };
        let photo = self.photo.iter().flatten().max_by_key(area);
        let sticker = self.sticker.as_ref();
        let others = [
            (VIDEO, &self.animation),
            (VIDEO, &self.video),
            (VIDEO, &self.video_note),
            (AUDIO, &self.audio),
            (VOICE, &self.voice),
            (FILE, &self.document),
        ];
        photo
            .map(|photo| (IMAGE, photo))
            .or_else(|| sticker.map(|sticker| (sticker.shape(), sticker)))
            .or_else(|| {
                let mut others = others.into_iter();
                others.find_map(|(shape, file)| Some((shape, file.as_ref()?)))
            })
    }

    fn file_payload(&self, shape: &Shape, file: &Attachment, links: &Links) -> Value {
        let name = file.file_name.as_deref().filter(|name| !name.is_empty());
        let mut payload = Map::new();
        let address = links.address(&file.file_id, name.unwrap_or(shape.name));
        payload.insert(shape.field.to_owned(), address.into());
        let mut set = |field: &str, value: Option<Value>| {
            if let Some(value) = value {
                payload.insert(field.to_owned(), value);
            }
        };
        let text = |text: &Option<String>| text.as_deref().map(|text| clean(text).into());
        let caption = text(&self.caption);
        let title = caption.clone().or_else(|| text(&file.title));
        set(
            "title",
            title.or_else(|| name.map(|name| clean(name).into())),
        );
        set("caption", caption);
        set("fileName", text(&file.file_name));
        set("fileSize", file.file_size.map(Value::from));
        set("mimeType", text(&file.mime_type));
        set("width", file.width.map(Value::from));
        set("height", file.height.map(Value::from));
        set("duration", file.duration.map(Value::from));
        set("performer", text(&file.performer));
        set("emoji", text(&file.emoji));
        payload.into()
    }

    fn place(&self) -> Option<Value> {
        let place = |location: &Location| {
            let mut place = json!({
                "latitude": location.latitude, "longitude": location.longitude,
            });
            if let Some(period) = location.live_period {
                place["livePeriod"] = period.into();
            }
            place
        };
        // A venue comes with its location besides.
        if let Some(venue) = &self.venue {
            let mut place = place(&venue.location);
            place["title"] = clean(&venue.title).into();
            place["address"] = clean(&venue.address).into();
            return Some(place);
        }
        self.location.as_ref().map(place)
    }

    /// What more there is to know, as tags of the message.
    pub(super) fn tags(&self, tags: &mut Tags) {
        if let Some(group) = &self.media_group_id {
            tags.insert("mediaGroupId", group);
        }
        if let Some((_, file)) = self.file() {
            tags.insert("fileId", &file.file_id);
            if let Some(unique) = &file.file_unique_id {
                tags.insert("fileUniqueId", unique);
            }
        }
        if let Some(quote) = &self.quote {
            let kept: String = clean(&quote.text).chars().take(QUOTE_LIMIT).collect();
            tags.insert("quote", kept);
        }
        if let Some(origin) = &self.forward_origin {
            origin.tags(tags);
        }
        if let Some(Via { id, username }) = &self.via_bot {
            tags.insert("viaBot", username.clone().unwrap_or_else(|| id.to_string()));
        }
        if let Some(suggestion) = &self.suggested_post_info {
            tags.insert("suggestedPost", &suggestion.state);
        }
        if let Some((command, bot, rest)) = self.command() {
            tags.insert("command", command);
            if let Some(bot) = bot {
                tags.insert("commandBot", bot);
            }
            if !rest.is_empty() {
                let kept: String = rest.chars().take(Tags::VALUE_LIMIT).collect();
                tags.insert("commandPayload", kept);
            }
        }
    }

    /// `/start ref-7` as `start` and `ref-7`; in groups a command may name its bot, `/start@name_bot`.
    fn command(&self) -> Option<(&str, Option<&str>, &str)> {
        let text = self.text.as_deref()?.strip_prefix('/')?;
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let is_name = |name: &str| {
            let mut bytes = name.bytes();
            (1..=32).contains(&name.len()) && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        let (name, bot) = word.split_once('@').unwrap_or((word, ""));
        is_name(name).then_some((name, Some(bot).filter(|bot| is_name(bot)), rest.trim()))
    }
}

impl Attachment {
    /// Of a sticker.
    fn shape(&self) -> Shape {
        match (self.is_video, self.is_animated) {
            (Some(true), _) => Shape {
                name: "sticker.webm",
                ..VIDEO
            },
            (_, Some(true)) => Shape {
                name: "sticker.tgs",
                ..FILE
            },
            _ => STICKER,
        }
    }
}

impl Origin {
    fn tags(&self, tags: &mut Tags) {
        let chat = self.sender_chat.as_ref().or(self.chat.as_ref());
        let from = chat
            .or(self.sender_user.as_ref())
            .map(|from| from.id.to_string());
        if let Some(from) = from.or_else(|| self.sender_user_name.clone()) {
            tags.insert("forwardFrom", from);
        }
        if let Some(message) = self.message_id {
            tags.insert("forwardMessageId", message.to_string());
        }
        if let Some(date) = self.date {
            tags.insert("forwardDate", date.to_string());
        }
    }
}

/// NUL becomes U+FFFD: databases refuse it.
pub(super) fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// The payload, with a list of Telegram's as it came.
fn with_raw(payload: &Value, field: &str, raw: Option<&RawValue>) -> Option<Json> {
    let list = raw.filter(|raw| raw.get().starts_with('[') && !raw.get().contains("\\u0000"));
    let list = list.and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
    let mut payload = payload.clone();
    if let Some(list) = list {
        payload[field] = list;
    }
    Json::from_serialize(&payload).ok()
}

#[cfg(test)]
mod tests;
