//! JSON that is kept as it came: payloads are stored and passed on as the text received, so that
//! no number loses a digit and no key its place.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// A valid JSON object, as text.
#[derive(Clone)]
pub struct Json(Box<RawValue>);

/// The text is no JSON object that can be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a JSON object: {reason}")]
pub struct InvalidJson {
    /// What is wrong with it.
    pub reason: String,
}

impl Json {
    /// The longest payload, in bytes (the platform's 128 KB).
    pub const PAYLOAD_LIMIT: usize = 131_072;

    /// Refuses a payload over the limit.
    pub fn check_payload(&self) -> crate::Result<()> {
        if self.as_str().len() > Self::PAYLOAD_LIMIT {
            return Err(crate::Error::PayloadTooLarge {
                what: "payload".to_owned(),
                limit: Self::PAYLOAD_LIMIT,
            });
        }
        Ok(())
    }

    /// Takes the text of a JSON object. Every part is checked (depth up to 128, no half surrogate
    /// pairs), so that whoever reads it later can.
    pub fn parse(text: &str) -> Result<Self, InvalidJson> {
        let invalid = |error: serde_json::Error| InvalidJson {
            reason: error.to_string(),
        };
        serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text)
            .map_err(invalid)?;
        RawValue::from_string(text.to_owned())
            .map(Self)
            .map_err(invalid)
    }

    /// Writes `value` as JSON; it must serialize to an object.
    pub fn from_serialize(value: &impl Serialize) -> Result<Self, InvalidJson> {
        let text = serde_json::to_string(value).map_err(|error| InvalidJson {
            reason: error.to_string(),
        })?;
        Self::parse(&text)
    }

    /// Text that was checked when it was stored.
    pub fn from_trusted(text: String) -> Result<Self, InvalidJson> {
        RawValue::from_string(text)
            .map(Self)
            .map_err(|error| InvalidJson {
                reason: error.to_string(),
            })
    }

    /// An object of which every part was checked.
    pub fn from_checked(object: Box<RawValue>) -> Self {
        Self(object)
    }

    /// The empty object.
    pub fn empty() -> Self {
        Self(RawValue::from_string("{}".to_owned()).unwrap_or_default())
    }

    /// The text, as received.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Reads it as `T`.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.0.get())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Json {}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <Box<RawValue>>::deserialize(deserializer)?;
        Self::parse(raw.get()).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_order_stay_as_they_came() {
        let text = r#"{"z":9007199254740993,"a":-0.0,"e":1e2,"z2":18446744073709551615}"#;
        assert_eq!(Json::parse(text).unwrap().as_str(), text);
    }

    #[test]
    fn what_is_no_readable_object_is_refused() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        for text in ["", "[]", "1", "{", r#"{"a":"\ud800"}"#, "{} {}", &deep] {
            assert!(Json::parse(text).is_err(), "{text}");
        }
    }
}
