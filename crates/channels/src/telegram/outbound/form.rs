//! The form in which something is said: as it is meant or, as far as Telegram refuses that, plainer.
//!
//! Promises: in which form a part went out is noted with the part, so that a message tells it however
//! many tries it took; each refusal leads to a plainer form or to none, so that asking ends.

use serde::{Deserialize, Serialize};
use switchboard_model::Tags;

use super::plan::Call;
use crate::telegram::answer::{Trouble, sent_tags};

/// In which way a part is said otherwise than it was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::telegram) struct Changes {
    /// Telegram could not parse the formatting.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::telegram) plain: bool,
    /// Telegram could not get a file: its address went out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::telegram) link: bool,
}

/// A call in the form in which it is tried.
#[derive(Debug, Clone)]
pub(in crate::telegram) struct Form {
    pub(in crate::telegram) call: Call,
    pub(in crate::telegram) changes: Changes,
}

impl Form {
    /// As it is meant.
    pub(in crate::telegram) fn of(call: Call) -> Self {
        Self {
            call,
            changes: Changes::default(),
        }
    }

    /// Leaves out what Telegram does not take. `false` if there is nothing to leave out.
    pub(in crate::telegram) fn without(&mut self, trouble: Trouble) -> bool {
        match trouble {
            Trouble::Reply => self.call.unanswer(),
            Trouble::Formatting => {
                let is_formatted = self.call.strip();
                self.changes.plain |= is_formatted;
                is_formatted
            }
            Trouble::File => {
                let Some(instead) = self.call.instead.take() else {
                    return false;
                };
                self.call = *instead;
                // Its formatting was not refused yet.
                self.changes = Changes {
                    plain: false,
                    link: true,
                };
                true
            }
        }
    }
}

/// What is there of a message: its parts' numbers, in order, and in which way any of them is said
/// otherwise than it was meant.
#[derive(Debug, Default)]
pub(in crate::telegram) struct Shown {
    ids: Vec<String>,
    changes: Changes,
}

impl Shown {
    /// With one more part. Telegram may not have said its number: then that is empty.
    pub(in crate::telegram) fn add(&mut self, id: &str, changes: Changes) {
        if !id.is_empty() {
            self.ids.push(id.to_owned());
        }
        self.changes.plain |= changes.plain;
        self.changes.link |= changes.link;
    }

    /// The message's tags.
    pub(in crate::telegram) fn tags(&self) -> Tags {
        let mut tags = sent_tags(&self.ids);
        for (name, value, _) in self.marks().into_iter().filter(|(.., is)| *is) {
            tags.insert(name, value);
        }
        tags
    }

    /// The same with an empty value for each that it does not have, which takes back what was so.
    pub(super) fn all_tags(&self) -> Tags {
        let mut tags = self.tags();
        let absent = self.marks().into_iter().filter(|(.., is)| !*is);
        for name in absent.map(|(name, ..)| name).chain(["ids"]) {
            if tags.get(name).is_none() {
                tags.insert(name, "");
            }
        }
        tags
    }

    /// The tags of which each says that something is so, and whether it is.
    fn marks(&self) -> [(&'static str, &'static str, bool); 2] {
        [
            ("formatting", "refused", self.changes.plain),
            ("file", "sent as a link", self.changes.link),
        ]
    }
}
