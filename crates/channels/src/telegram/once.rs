//! What an update is recognised by when it comes again.
//!
//! Promises: what names a message is the message, not the update it came in; and nothing that
//! another bot account was sent is taken for it.

use ring::digest::{SHA256, digest};
use serde::Deserialize;
use switchboard_engine::keys::hex;

use super::types::Message;

/// The highest number that counts as an update's. Telegram's have 32 bits; beyond 53 not every
/// JSON reader would give the same.
const HIGHEST_NUMBER: i64 = 1 << 53;

/// Reads an update's number and nothing else of it. None if there is none, or one that polling
/// could not go on behind: a negative offset, for one, means something else.
pub(super) fn update_id(raw: &str) -> Option<i64> {
    #[derive(Deserialize)]
    struct Numbered {
        update_id: i64,
    }
    serde_json::from_str::<Numbered>(raw)
        .ok()
        .map(|numbered| numbered.update_id)
        .filter(|id| (0..=HIGHEST_NUMBER).contains(id))
}

/// Messages are numbered per account (in private chats and basic groups; where the chat itself
/// numbers them this does no harm), business connection and chat, with the chat's id as received:
/// topics share the numbers, and after an upgrade to a supergroup they start again.
pub(super) fn message(account: &str, message: &Message) -> Vec<String> {
    let business = message.business_connection_id.as_deref();
    numbered(account, business, message.chat.id, message.message_id)
}

/// A message by its number.
pub(super) fn numbered(
    account: &str,
    business: Option<&str>,
    chat: i64,
    number: i64,
) -> Vec<String> {
    vec![
        "message".to_owned(),
        account.to_owned(),
        business.unwrap_or_default().to_owned(),
        chat.to_string(),
        number.to_string(),
    ]
}

/// A guest query is one message, however often it is told of: its chat's numbers need not be the bot's.
pub(super) fn guest(account: &str, query: &str) -> Vec<String> {
    ["guest", account, query].map(str::to_owned).to_vec()
}

/// Old update numbers may come back with other content.
pub(super) fn update(account: &str, id: Option<i64>, content: &[u8]) -> Vec<String> {
    let hash = digest(&SHA256, content);
    vec![
        "update".to_owned(),
        account.to_owned(),
        id.map(|id| id.to_string()).unwrap_or_default(),
        hex(&hash.as_ref()[..16]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_that_polling_can_go_on_behind_are_an_updates() {
        let read = |number: &str| update_id(&format!("{{\"update_id\":{number}}}"));
        for id in [0, 1, 2_147_483_647, 4_294_967_296, HIGHEST_NUMBER] {
            assert_eq!(read(&id.to_string()), Some(id));
        }
        for number in [
            "-1",
            "9007199254740993",
            "9223372036854775807",
            "-9223372036854775808",
            "99999999999999999999",
            "1e3",
            "\"7\"",
            "null",
        ] {
            assert_eq!(read(number), None, "{number}");
        }
    }
}
