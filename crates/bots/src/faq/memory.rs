//! What the bot remembers of a conversation: the state `faq` of the conversation, as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use switchboard_model::Json;

/// The name of the state.
pub(super) const NAME: &str = "faq";
/// The most menus that "back" goes back through.
const DEEPEST: usize = 20;

/// Answers by the name of their field.
pub(super) type Answers = BTreeMap<String, String>;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    /// Whether it was greeted.
    pub(super) greeted: bool,
    /// The language that was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) language: Option<String>,
    /// The menus on the way to where it is, the present one last.
    pub(super) menus: Vec<String>,
    /// What a number means now, if it is not a choice of the menu.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) offered: Vec<String>,
    /// The form under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) form: Option<Filling>,
    /// What forms were answered, by the form's id.
    pub(super) answers: BTreeMap<String, Answers>,
    /// Until when a person has the word, in milliseconds of Unix time; for ever at 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) quiet_until: Option<i64>,
}

/// A form under way. The next question is the first without an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Filling {
    pub(super) id: String,
    pub(super) answers: Answers,
}

impl Memory {
    /// From the state. What somebody else wrote there is as good as nothing.
    pub(super) fn read(json: Option<&Json>) -> Self {
        json.and_then(|json| json.read().ok()).unwrap_or_default()
    }

    pub(super) fn enter(&mut self, menu: &str) {
        if let Some(at) = self.menus.iter().position(|known| known == menu) {
            self.menus.truncate(at);
        }
        if self.menus.len() == DEEPEST {
            self.menus.remove(0);
        }
        self.menus.push(menu.to_owned());
    }
}
