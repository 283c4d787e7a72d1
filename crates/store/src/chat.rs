//! Chats of a channel as a whole: who is in them, and messages that are named without their thread.

use switchboard_model::{ConversationId, Tags};

use crate::{Once, Sender};

/// A chat of a channel, which may be several conversations: one for itself, and one for each of its
/// topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    /// The channel.
    pub channel: String,
    /// What the chat's own conversation is known by; not empty.
    pub identity: Tags,
    /// The tag that all its conversations have, name and value.
    pub tag: (String, String),
    /// Names of tags that none of its conversations has, for with them it is another chat.
    pub without: Vec<String>,
}

/// A message that is named without its conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// What it was recognised by when it came, should it have come in.
    pub once: Option<Once>,
    /// Its chat.
    pub chat: Chat,
    /// The tag that it has in its chat, name and value, should it have gone out. One that left in
    /// several parts is found by each, see [`parts_of`].
    pub message: (String, String),
}

/// Somebody who is in a chat.
#[derive(Debug, Clone)]
pub struct Joined {
    /// Who: made if new.
    pub who: Sender,
    /// Where they take part, if somebody else decides that and has: as [`Thread::known`]. Without, it
    /// is the chat's own conversation, if there is one and nobody else decides.
    ///
    /// [`Thread::known`]: crate::Thread::known
    pub into: Option<ConversationId>,
}

/// What an event says of a chat as a whole.
#[derive(Debug, Clone)]
pub struct ChatNews {
    /// The chat. What it was called before it moved does not count: who left there did not leave it.
    pub chat: Chat,
    /// Tags to merge into all its conversations.
    pub tags: Tags,
    /// Who is in it.
    pub joined: Vec<Joined>,
    /// Who is not, by their identity or as `known`: takes part in none of its conversations, until
    /// something new is said. Nobody is made of them.
    pub left: Vec<Sender>,
    /// Whether somebody else decides what its conversations are. None is its own then, and one may be
    /// other chats' too: who has spoken in it from another chat, among the last that was said, stays.
    pub decided: bool,
    /// When, in seconds since 1970 as the channel says. Of a person in a chat an older word than the
    /// last changes nothing; nor does it that somebody left who has spoken there later.
    pub at: i64,
    /// The tag of messages that says when they were said, as `at` does.
    pub said_at: String,
}

/// The parts that a message left in, by its tags: all their names stand in one tag, with commas, that
/// is called as theirs with an `s` behind (`telegram:id`, `telegram:ids`). Gives the tags that they
/// would have had, name and value.
pub fn parts_of(tags: &Tags) -> impl Iterator<Item = (&str, &str)> {
    tags.iter()
        .flat_map(|(name, value)| parts_of_tag(name, value))
}

/// The same by one of its tags.
pub fn parts_of_tag<'t>(name: &'t str, value: &'t str) -> impl Iterator<Item = (&'t str, &'t str)> {
    let name = name.strip_suffix('s').filter(|name| name.ends_with(":id"));
    name.into_iter()
        .flat_map(move |name| value.split(',').map(move |part| (name, part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_names_of_its_parts() {
        let tags = Tags::from_iter([
            ("telegram:id", "9"),
            ("telegram:ids", "7,9"),
            ("ids", "1"),
            ("kids", "2"),
        ]);
        let parts: Vec<_> = parts_of(&tags).collect();
        assert_eq!(parts, [("telegram:id", "7"), ("telegram:id", "9")]);
    }
}
