//! Two views of the same tags and event types.
//!
//! The store keeps names as a bot sees them. An integration's own tag `id` is `telegram:id` there,
//! with its alias before the first colon; it sees no other tag than its own.

use switchboard_model::{Conversation, Message, Tags, User};

/// Through whose eyes tags and event types are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    /// A bot's: all names, as stored.
    Bot,
    /// An integration's: its own names, bare.
    Integration {
        /// Its alias.
        alias: String,
    },
}

impl View {
    /// The integration's view.
    pub fn integration(alias: impl Into<String>) -> Self {
        Self::Integration {
            alias: alias.into(),
        }
    }

    /// The stored name of a name in this view.
    pub fn stored_name(&self, name: &str) -> String {
        match self {
            Self::Bot => name.to_owned(),
            Self::Integration { alias } => format!("{alias}:{name}"),
        }
    }

    /// The name in this view of a stored name; `None` if it cannot be seen.
    pub fn shown_name<'a>(&self, stored: &'a str) -> Option<&'a str> {
        match self {
            Self::Bot => Some(stored),
            Self::Integration { alias } => stored.strip_prefix(alias.as_str())?.strip_prefix(':'),
        }
    }

    /// Tags given in this view, as stored.
    pub fn stored_tags(&self, tags: Tags) -> Tags {
        match self {
            Self::Bot => tags,
            Self::Integration { .. } => tags
                .into_iter()
                .map(|(name, value)| (self.stored_name(&name), value))
                .collect(),
        }
    }

    /// Stored tags as this view shows them.
    pub fn shown_tags(&self, tags: &Tags) -> Tags {
        match self {
            Self::Bot => tags.clone(),
            Self::Integration { .. } => tags
                .iter()
                .filter_map(|(name, value)| Some((self.shown_name(name)?, value)))
                .collect(),
        }
    }

    /// A conversation as this view shows it.
    #[must_use]
    pub fn conversation(&self, mut conversation: Conversation) -> Conversation {
        conversation.tags = self.shown_tags(&conversation.tags);
        conversation
    }

    /// A user as this view shows it.
    #[must_use]
    pub fn user(&self, mut user: User) -> User {
        user.tags = self.shown_tags(&user.tags);
        user
    }

    /// A message as this view shows it.
    #[must_use]
    pub fn message(&self, mut message: Message) -> Message {
        message.tags = self.shown_tags(&message.tags);
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integration_sees_its_own_tags_bare_and_no_others() {
        let view = View::integration("telegram");
        let stored = view.stored_tags(Tags::from_iter([("id", "1"), ("a:b", "2")]));
        assert_eq!(
            stored,
            Tags::from_iter([("telegram:id", "1"), ("telegram:a:b", "2")])
        );
        let all = stored
            .with("slack:id", "3")
            .with("mood", "4")
            .with("telegram2:id", "5");
        assert_eq!(
            view.shown_tags(&all),
            Tags::from_iter([("id", "1"), ("a:b", "2")])
        );
        assert_eq!(View::Bot.shown_tags(&all), all);
    }
}
