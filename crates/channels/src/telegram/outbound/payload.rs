//! The payloads of the message types, as npm `@botpress/sdk` defines them, with what people write
//! besides (a `caption`, an empty `imageUrl`).
//!
//! Promises: what cannot be sent is refused with the field and what was expected.

use serde_json::Value;
use switchboard_model::Json;

use super::keyboard::Button;

/// The types of messages that can be sent.
const TYPES: &str = "text, markdown, image, audio, video, file, location, card, carousel, choice, \
                     dropdown or bloc";

/// How many items a carousel or a bloc may have.
const ITEM_LIMIT: usize = 50;

/// A payload that cannot be sent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(in crate::telegram) struct Fault(String);

/// What is shown by itself.
#[derive(Debug)]
pub(super) enum Item {
    Text(String),
    Markdown(String),
    Media(Media),
    Location(Location),
    Card(Card),
    Choice(Choice),
}

/// A file behind an address.
#[derive(Debug)]
pub(super) struct Media {
    pub(super) kind: MediaKind,
    pub(super) url: String,
    pub(super) caption: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MediaKind {
    Image,
    Animation,
    Audio,
    Voice,
    Video,
    File,
}

#[derive(Debug)]
pub(super) struct Location {
    pub(super) latitude: f64,
    pub(super) longitude: f64,
    pub(super) title: Option<String>,
    pub(super) address: Option<String>,
}

#[derive(Debug)]
pub(super) struct Card {
    pub(super) title: String,
    pub(super) subtitle: Option<String>,
    pub(super) image: Option<String>,
    pub(super) buttons: Vec<Button>,
    /// Actions whose address no button may have: label and address.
    pub(super) links: Vec<(String, String)>,
}

#[derive(Debug)]
pub(super) struct Choice {
    pub(super) text: String,
    pub(super) buttons: Vec<Button>,
}

/// A payload, and where in the message it stands.
struct Reader<'a> {
    kind: &'a str,
    path: String,
    value: &'a Value,
}

impl Fault {
    pub(super) fn blank() -> Self {
        Self("nothing to send: the text shows nothing".to_owned())
    }
}

impl Item {
    /// The buttons under it, if it can have any.
    pub(super) fn buttons(&self) -> Option<&[Button]> {
        match self {
            Self::Card(card) => Some(&card.buttons),
            Self::Choice(choice) => Some(&choice.buttons),
            _ => None,
        }
    }
}

impl Media {
    pub(super) fn picture(url: &str) -> Self {
        Self {
            kind: MediaKind::Image,
            url: url.to_owned(),
            caption: None,
        }
    }
}

/// Reads the payload of a message of type `kind`.
pub(super) fn read(kind: &str, payload: &Json) -> Result<Vec<Item>, Fault> {
    let value = payload
        .read::<Value>()
        .map_err(|error| Fault(format!("the payload cannot be read: {error}")))?;
    let reader = Reader {
        kind,
        path: "payload".to_owned(),
        value: &value,
    };
    match kind {
        "bloc" => reader.each("items", |item| {
            let kind = item.text("type")?;
            match kind {
                "bloc" | "carousel" => Err(item.fault("type", "a type that is shown by itself")),
                _ => Reader {
                    kind,
                    ..item.inner("payload")
                }
                .item(),
            }
        }),
        "carousel" => reader.each("items", |item| item.card().map(Item::Card)),
        _ => Ok(vec![reader.item()?]),
    }
}

impl<'a> Reader<'a> {
    fn item(&self) -> Result<Item, Fault> {
        Ok(match self.kind {
            "text" => Item::Text(self.text("text")?.to_owned()),
            "markdown" => Item::Markdown(self.text("markdown")?.to_owned()),
            "image" => self.media("imageUrl", image_kind)?,
            "audio" => self.media("audioUrl", audio_kind)?,
            "video" => self.media("videoUrl", |_| MediaKind::Video)?,
            "file" => self.media("fileUrl", |_| MediaKind::File)?,
            "location" => Item::Location(self.location()?),
            "card" => Item::Card(self.card()?),
            "choice" | "dropdown" => Item::Choice(self.choice()?),
            other => {
                return Err(Fault(format!(
                    "messages of type {other} cannot be sent to Telegram; send {TYPES}"
                )));
            }
        })
    }

    fn media(&self, field: &str, kind: fn(&str) -> MediaKind) -> Result<Item, Fault> {
        let url = self.text(field)?;
        if !is_web(url) {
            return Err(self.fault(field, "an address that starts with http:// or https://"));
        }
        Ok(Item::Media(Media {
            kind: kind(path_of(url)),
            url: url.to_owned(),
            caption: self.some("caption").or_else(|| self.some("title")),
        }))
    }

    fn location(&self) -> Result<Location, Fault> {
        let degrees = |field: &str, most: f64| {
            let number = self.value.get(field).and_then(Value::as_f64);
            number
                .filter(|degrees| degrees.abs() <= most)
                .ok_or_else(|| self.fault(field, &format!("degrees, from -{most} to {most}")))
        };
        Ok(Location {
            latitude: degrees("latitude", 90.0)?,
            longitude: degrees("longitude", 180.0)?,
            title: self.some("title"),
            address: self.some("address"),
        })
    }

    fn card(&self) -> Result<Card, Fault> {
        let mut card = Card {
            title: self.text("title")?.to_owned(),
            subtitle: self.some("subtitle"),
            image: self.some("imageUrl").filter(|url| is_web(url)),
            buttons: Vec::new(),
            links: Vec::new(),
        };
        if self.value.get("actions").is_none() {
            return Ok(card);
        }
        for action in self.list("actions")? {
            let (label, value) = (action.text("label")?, action.text("value")?);
            match action.text("action")? {
                "postback" | "say" => card.buttons.push(Button::say(label, value)),
                "url" if can_be_opened(value) => card.buttons.push(Button::open(label, value)),
                "url" => card.links.push((label.to_owned(), value.to_owned())),
                _ => return Err(action.fault("action", "postback, say or url")),
            }
        }
        Ok(card)
    }

    fn choice(&self) -> Result<Choice, Fault> {
        let options = self.list("options")?;
        let button =
            |option: &Reader<'_>| Ok(Button::say(option.text("label")?, option.text("value")?));
        Ok(Choice {
            text: self.text("text")?.to_owned(),
            buttons: options.iter().map(button).collect::<Result<_, Fault>>()?,
        })
    }

    fn each(
        &self,
        field: &str,
        read: impl Fn(&Reader<'_>) -> Result<Item, Fault>,
    ) -> Result<Vec<Item>, Fault> {
        let items = self.list(field)?;
        if items.is_empty() || items.len() > ITEM_LIMIT {
            return Err(self.fault(field, &format!("1 to {ITEM_LIMIT} items")));
        }
        items.iter().map(read).collect()
    }

    fn list(&self, field: &str) -> Result<Vec<Reader<'a>>, Fault> {
        let list = self.value.get(field).and_then(Value::as_array);
        let list = list.ok_or_else(|| self.fault(field, "a list"))?;
        let item = |(at, value)| Reader {
            kind: self.kind,
            path: format!("{}.{field}[{at}]", self.path),
            value,
        };
        Ok(list.iter().enumerate().map(item).collect())
    }

    fn inner(&self, field: &str) -> Reader<'a> {
        Reader {
            kind: self.kind,
            path: format!("{}.{field}", self.path),
            value: self.value.get(field).unwrap_or(&Value::Null),
        }
    }

    fn text(&self, field: &str) -> Result<&'a str, Fault> {
        let text = self.value.get(field).and_then(Value::as_str);
        text.ok_or_else(|| self.fault(field, "a string"))
    }

    /// A field that may be missing, empty or null.
    fn some(&self, field: &str) -> Option<String> {
        let text = self.value.get(field)?.as_str()?;
        (!text.trim().is_empty()).then(|| text.to_owned())
    }

    fn fault(&self, field: &str, expected: &str) -> Fault {
        let Self { kind, path, .. } = self;
        Fault(format!(
            "{path}.{field}: a message of type {kind} must have {expected} there"
        ))
    }
}

fn is_web(url: &str) -> bool {
    let lower = url.get(..8).unwrap_or(url).to_ascii_lowercase();
    (lower.starts_with("http://") || lower.starts_with("https://"))
        && !url.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// What Telegram takes for a button's address.
fn can_be_opened(url: &str) -> bool {
    is_web(url) || url.starts_with("tg://")
}

fn path_of(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

fn ends(path: &str, endings: &[&str]) -> bool {
    let ending = path.rsplit('.').next().unwrap_or_default();
    endings
        .iter()
        .any(|known| ending.eq_ignore_ascii_case(known))
}

fn image_kind(path: &str) -> MediaKind {
    if ends(path, &["gif"]) {
        MediaKind::Animation
    } else {
        MediaKind::Image
    }
}

/// Telegram plays these as a voice message, and takes nothing else as one.
fn audio_kind(path: &str) -> MediaKind {
    if ends(path, &["ogg", "oga", "opus"]) {
        MediaKind::Voice
    } else {
        MediaKind::Audio
    }
}
