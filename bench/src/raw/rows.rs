//! What the store keeps of an update, as it writes it: tags, the digests of their pairs, and what
//! the update is recognised by.

use ring::digest::{Context, SHA256};
use switchboard_engine::keys;
use switchboard_store::{Key, Once};

use crate::update;

/// Pairs of name and value.
pub(super) type Pairs<const N: usize> = [(&'static str, String); N];

/// A conversation's tags.
pub(super) fn conversation(thread: u64) -> Pairs<3> {
    let chat = thread.to_string();
    [
        ("telegram:chatId", chat.clone()),
        ("telegram:chatType", "private".to_owned()),
        ("telegram:id", chat),
    ]
}

/// A user's tags.
pub(super) fn user(thread: u64) -> Pairs<2> {
    [
        ("telegram:id", thread.to_string()),
        ("telegram:username", format!("person{thread}")),
    ]
}

/// A message's tags.
pub(super) fn message(thread: u64, number: u64, date: u64) -> Pairs<3> {
    [
        ("telegram:chatId", thread.to_string()),
        ("telegram:date", date.to_string()),
        ("telegram:id", number.to_string()),
    ]
}

/// Tags as they are stored. No name or value here needs an escape.
pub(super) fn text<const N: usize>(pairs: &Pairs<N>) -> String {
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!(r#""{name}":"{value}""#))
        .collect();
    format!("{{{}}}", pairs.join(","))
}

/// The digest of each pair.
pub(super) fn digests<const N: usize>(pairs: &Pairs<N>) -> [i64; N] {
    std::array::from_fn(|at| digest(pairs[at].0, &pairs[at].1))
}

/// The digest by which a thread's conversation and its user are found.
pub(super) fn identity(external: &str) -> i64 {
    digest("telegram:id", external)
}

fn digest(name: &str, value: &str) -> i64 {
    let mut context = Context::new(&SHA256);
    context.update(&(name.len() as u64).to_be_bytes());
    context.update(name.as_bytes());
    context.update(value.as_bytes());
    i64::from_be_bytes(first(context))
}

/// What a message is recognised by, of this integration.
pub(super) fn once(integration: [u8; 16], thread: u64, number: u64) -> [u8; 16] {
    let parts = update::once(thread, number);
    let key = keys::key(parts.iter().map(String::as_bytes));
    let mut context = Context::new(&SHA256);
    context.update(&integration);
    context.update(&key.0);
    numbered(number, first(context))
}

/// A digest behind the number of what it stands for, as the store keeps it.
pub(super) fn numbered(number: u64, digest: [u8; 16]) -> [u8; 16] {
    let once = Once {
        key: Key(digest),
        number: Some(number),
    };
    once.stored(digest)
}

fn first<const N: usize>(context: Context) -> [u8; N] {
    let digest = context.finish();
    let mut first = [0; N];
    for (to, from) in first.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    first
}
