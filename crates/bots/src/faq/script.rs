//! What a bot says and does, checked: every name leads somewhere, every text is there in every
//! language.

use std::collections::BTreeMap;

use switchboard_model::Timestamp;

use super::check;
use super::hours::Hours;
use super::matching::{self, Fit, Phrase};

pub(super) use super::file::Kind as FieldKind;

/// What a bot says and does.
#[derive(Debug, Clone)]
pub struct Script {
    pub(super) start: String,
    pub(super) books: BTreeMap<String, Book>,
    /// Of the first language.
    pub(super) first: Book,
    pub(super) hours: Option<Hours>,
    pub(super) tag: String,
    pub(super) quiet_hours: Option<u32>,
}

/// All of it in one language.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    pub(super) greeting: Option<String>,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) words: BTreeMap<&'static str, Vec<String>>,
    pub(super) texts: BTreeMap<&'static str, String>,
    pub(super) menus: BTreeMap<String, Menu>,
    pub(super) entries: Vec<Entry>,
    pub(super) forms: BTreeMap<String, Form>,
}

#[derive(Debug, Clone)]
pub(super) struct Menu {
    pub(super) text: String,
    pub(super) choices: Vec<Choice>,
}

#[derive(Debug, Clone)]
pub(super) struct Choice {
    pub(super) label: String,
    pub(super) phrase: Vec<Phrase>,
    pub(super) go: Go,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) question: String,
    pub(super) phrases: Vec<Phrase>,
    pub(super) answer: String,
    pub(super) go: Option<Go>,
}

#[derive(Debug, Clone)]
pub(super) struct Form {
    pub(super) intro: Option<String>,
    pub(super) fields: Vec<Field>,
    pub(super) confirm: Option<String>,
    pub(super) done: String,
    pub(super) go: Option<Go>,
}

#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) ask: String,
    pub(super) kind: FieldKind,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) options: Vec<String>,
    pub(super) invalid: Option<String>,
}

/// Where a choice leads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Go {
    Menu(String),
    Faq(String),
    Form(String),
    Language(String),
    Person,
    Home,
    Back,
}

impl Go {
    /// As the file spells it, and as a button brings it back.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text.split_once(':') {
            Some(("menu", id)) => Self::Menu(id.to_owned()),
            Some(("faq", id)) => Self::Faq(id.to_owned()),
            Some(("form", id)) => Self::Form(id.to_owned()),
            Some(("language", code)) => Self::Language(code.to_owned()),
            None if text == "person" => Self::Person,
            None if text == "home" => Self::Home,
            None if text == "back" => Self::Back,
            _ => return None,
        })
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Menu(id) => format!("menu:{id}"),
            Self::Faq(id) => format!("faq:{id}"),
            Self::Form(id) => format!("form:{id}"),
            Self::Language(code) => format!("language:{code}"),
            Self::Person => "person".to_owned(),
            Self::Home => "home".to_owned(),
            Self::Back => "back".to_owned(),
        }
    }
}

/// A fault in a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, {field}: {problem}")]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// The field, such as `menu[0].choices[2].go`; `(file)` where there is none.
    pub field: String,
    /// What is wrong, and what was expected.
    pub problem: String,
}

/// A file that describes no bot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct InvalidScript {
    /// Everything that is wrong with it.
    pub faults: Vec<Fault>,
}

impl Script {
    /// Reads and checks a TOML file's text.
    pub fn parse(text: &str) -> Result<Self, InvalidScript> {
        check::parse(text)
    }

    /// How well each entry fits a text, best first: id and points. `None` for a language that the
    /// file does not have.
    pub fn explain(&self, text: &str, language: Option<&str>) -> Option<Vec<Fit<String>>> {
        let book = match language {
            Some(language) => self.books.get(language)?,
            None => &self.first,
        };
        let entries = book
            .entries
            .iter()
            .map(|entry| (entry.id.clone(), entry.phrases.as_slice()));
        Some(matching::rank(text, entries))
    }

    /// From how many points on an entry is the answer, and from how many it is suggested.
    pub const fn thresholds() -> (f64, f64) {
        (matching::ANSWER, matching::SUGGEST)
    }

    /// How many menus, entries and forms it has.
    pub fn counts(&self) -> (usize, usize, usize) {
        let book = &self.first;
        (book.menus.len(), book.entries.len(), book.forms.len())
    }

    /// Whether the shop is open; always, where no hours are given.
    pub(super) fn is_open(&self, now: Timestamp) -> bool {
        self.hours
            .as_ref()
            .is_none_or(|hours| matches!(hours.at(now), super::hours::Now::Open(_)))
    }
}
