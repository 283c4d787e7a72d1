//! Reading fields that are nice to have: one of another shape than expected counts as absent, so
//! that a change in something of no importance costs no message.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// For `#[serde(default, deserialize_with = "lenient")]`.
pub(super) fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let raw = <&'de RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).ok())
}
