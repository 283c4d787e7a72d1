//! Public ids: a prefix that names the kind, and a ULID (<https://github.com/ulid/spec>), which
//! sorts by the time of making. 30 to 32 characters on the wire, 16 bytes at rest.
//!
//! Foreign ids (a Telegram chat, a Slack thread) are never ids here: they are tags.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
pub use ulid::Ulid;

/// The text is no id of the kind that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected `{prefix}_` followed by 26 characters, as in {prefix}_01ARZ3NDEKTSV4RRFFQ69G5FAV"
)]
pub struct InvalidId {
    /// The prefix that the text should have had.
    pub prefix: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Ulid);

        impl $name {
            /// The part before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// Wraps a ULID.
            pub const fn new(ulid: Ulid) -> Self { Self(ulid) }

            /// The ULID without the prefix.
            pub const fn ulid(self) -> Ulid { self.0 }

            /// The 16 bytes that stores keep; they sort as the ids do.
            pub const fn to_bytes(self) -> [u8; 16] { self.0.0.to_be_bytes() }

            /// The id of 16 stored bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Ulid(u128::from_be_bytes(bytes)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!($prefix, "_"))?;
                f.write_str(self.0.array_to_str(&mut [0; ulid::ULID_LEN]))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(parse_ulid)
                    .map(Self)
                    .ok_or(InvalidId { prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                const PLACE: usize = concat!($prefix, "_").len();
                // On the stack: an answer has several of them.
                let mut text = [0; PLACE + ulid::ULID_LEN];
                let (prefix, rest) = text.split_at_mut(PLACE);
                prefix.copy_from_slice(concat!($prefix, "_").as_bytes());
                rest.copy_from_slice(
                    self.0.array_to_str(&mut [0; ulid::ULID_LEN]).as_bytes(),
                );
                let text = std::str::from_utf8(&text).map_err(serde::ser::Error::custom)?;
                serializer.serialize_str(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// A bot: the tenant, the boundary of isolation, the first part of every key.
    BotId = "bot";
    /// An integration that a bot has installed: one account of one channel platform.
    IntegrationId = "int";
    /// A conversation: one external thread.
    ConversationId = "conv";
    /// A user: one external person, channel or anonymous group. The bot itself is the user whose
    /// ULID is the bot's.
    UserId = "user";
    /// A message.
    MessageId = "msg";
    /// An event, the same on each try to deliver it.
    EventId = "evt";
    /// A state.
    StateId = "state";
    /// A workflow.
    WorkflowId = "wflow";
    /// A row of the outbox.
    DeliveryId = "dlv";
    /// An access token's record; never the token itself.
    TokenId = "tok";
}

impl From<BotId> for UserId {
    /// The user that stands for the bot in its conversations.
    fn from(bot: BotId) -> Self {
        Self(bot.0)
    }
}

impl From<MessageId> for EventId {
    /// The event that announces an incoming message to the bot.
    fn from(message: MessageId) -> Self {
        Self(message.0)
    }
}

/// Only the canonical spelling: `Ulid::from_string` also takes lower case and look-alikes, which
/// would give one object several ids.
fn parse_ulid(text: &str) -> Option<Ulid> {
    let ulid = Ulid::from_string(text).ok()?;
    (ulid.array_to_str(&mut [0; ulid::ULID_LEN]) == text).then_some(ulid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_was_written() {
        let id = ConversationId::new(Ulid(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(ConversationId::from_bytes(id.to_bytes()), id);
        assert_eq!(id.to_string().len(), 31);
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{id}\""));
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            "",
            "conv_",
            "user_01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "conv_01arz3ndektsv4rrffq69g5fav",
            "conv_01ARZ3NDEKTSV4RRFFQ69G5FA",
            "conv_81ARZ3NDEKTSV4RRFFQ69G5FAV",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        ] {
            assert!(text.parse::<ConversationId>().is_err(), "{text}");
        }
    }
}
