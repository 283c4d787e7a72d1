//! The file as it is written.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A text, or one for each language.
#[derive(Debug, Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a text in quotes, or one for each language such as { en = \"…\", de = \"…\" }"
)]
pub(super) enum Text {
    One(String),
    Each(BTreeMap<String, String>),
}

/// Several texts, or several for each language.
#[derive(Debug, Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a list of texts such as [\"…\", \"…\"], or one for each language such as { en = [\"…\"] }"
)]
pub(super) enum Texts {
    One(Vec<String>),
    Each(BTreeMap<String, Vec<String>>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) languages: Vec<String>,
    pub(super) start: String,
    pub(super) greeting: Option<Text>,
    #[serde(default)]
    pub(super) variables: BTreeMap<String, Text>,
    #[serde(default)]
    pub(super) words: BTreeMap<String, Texts>,
    #[serde(default)]
    pub(super) texts: BTreeMap<String, Text>,
    pub(super) hours: Option<Hours>,
    #[serde(default)]
    pub(super) handover: Handover,
    #[serde(default)]
    pub(super) menu: Vec<Menu>,
    #[serde(default)]
    pub(super) faq: Vec<Entry>,
    #[serde(default)]
    pub(super) form: Vec<Form>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hours {
    pub(super) zone: String,
    #[serde(default)]
    pub(super) monday: Vec<String>,
    #[serde(default)]
    pub(super) tuesday: Vec<String>,
    #[serde(default)]
    pub(super) wednesday: Vec<String>,
    #[serde(default)]
    pub(super) thursday: Vec<String>,
    #[serde(default)]
    pub(super) friday: Vec<String>,
    #[serde(default)]
    pub(super) saturday: Vec<String>,
    #[serde(default)]
    pub(super) sunday: Vec<String>,
    #[serde(default)]
    pub(super) special: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Handover {
    pub(super) tag: Option<String>,
    pub(super) quiet_hours: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Menu {
    pub(super) id: String,
    pub(super) text: Text,
    pub(super) choices: Vec<Choice>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Choice {
    pub(super) label: Text,
    pub(super) go: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) question: Text,
    pub(super) phrases: Option<Texts>,
    pub(super) answer: Text,
    pub(super) go: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Form {
    pub(super) id: String,
    pub(super) intro: Option<Text>,
    #[serde(default)]
    pub(super) fields: Vec<Field>,
    pub(super) confirm: Option<Text>,
    pub(super) done: Text,
    pub(super) go: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) ask: Text,
    #[serde(default)]
    pub(super) kind: Kind,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) options: Option<Texts>,
    pub(super) invalid: Option<Text>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    #[default]
    Text,
    Number,
    Email,
    Phone,
    Choice,
}
