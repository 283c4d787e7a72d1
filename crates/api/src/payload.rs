//! Objects of any content in a body: payloads, inputs, outputs. The text is kept as it came, and every
//! part of it is looked at while it is read.

use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;
use switchboard_model::Json;

use crate::strict::Strict;

/// Of a path that is as deep as it may be, its beginning says enough.
const SHOWN: usize = 200;

/// A JSON object that has one meaning, as text.
#[derive(Debug)]
pub(crate) struct Payload(pub(crate) Json);

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <Box<RawValue>>::deserialize(deserializer)?;
        if !raw.get().starts_with('{') {
            return Err(de::Error::custom("expected a JSON object"));
        }
        let mut inner = serde_json::Deserializer::from_str(raw.get());
        match serde_path_to_error::deserialize::<_, Strict>(&mut inner) {
            Ok(Strict) => Ok(Self(Json::from_checked(raw))),
            Err(error) => {
                let path: String = error.path().to_string().chars().take(SHOWN).collect();
                let error = error.inner();
                Err(de::Error::custom(match path.as_str() {
                    "." => format!("expected a JSON object: {error}"),
                    path => format!("expected a JSON object: in it, {path}: {error}"),
                }))
            }
        }
    }
}
