//! Tags: short named texts on conversations, users and messages. Some of them identify: an
//! external id `K` is the tag set `{id: K}`.
//!
//! Stores keep tags as a bot sees them: those of an integration carry its alias (`telegram:id`),
//! the bot's own are bare. The engine translates.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map;

use serde::{Deserialize, Serialize};

/// Names and values, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(BTreeMap<String, String>);

/// A change of tags: a value sets, an empty text unsets, a name not mentioned stays.
pub type TagPatch = Tags;

/// A tag that cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTag {
    /// The name is empty, too long or has a NUL.
    #[error("expected a name of 1 to {} characters without NUL", Tags::NAME_LIMIT)]
    Name {
        /// The name, cut at the limit.
        name: String,
    },
    /// The value is too long or has a NUL.
    #[error(
        "expected a value of at most {} characters without NUL",
        Tags::VALUE_LIMIT
    )]
    Value {
        /// The tag's name.
        name: String,
    },
    /// There are too many tags.
    #[error("expected at most {} tags", Tags::COUNT_LIMIT)]
    Count,
}

impl Tags {
    /// The longest name, in characters.
    pub const NAME_LIMIT: usize = 200;
    /// The longest value, in characters (the platform's limit).
    pub const VALUE_LIMIT: usize = 500;
    /// The most tags on one object.
    pub const COUNT_LIMIT: usize = 100;

    /// No tags.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Checks names, values and count.
    pub fn check(&self) -> Result<(), InvalidTag> {
        if self.0.len() > Self::COUNT_LIMIT {
            return Err(InvalidTag::Count);
        }
        for (name, value) in &self.0 {
            if name.is_empty() || too_long(name, Self::NAME_LIMIT) || name.contains('\0') {
                return Err(InvalidTag::Name {
                    name: name.chars().take(Self::NAME_LIMIT).collect(),
                });
            }
            if too_long(value, Self::VALUE_LIMIT) || value.contains('\0') {
                return Err(InvalidTag::Value { name: name.clone() });
            }
        }
        Ok(())
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Sets one tag.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// With one more tag.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.insert(name, value);
        self
    }

    /// Whether every pair of `other` is among these.
    pub fn contains(&self, other: &Self) -> bool {
        other
            .iter()
            .all(|(name, value)| self.get(name) == Some(value))
    }

    /// Merges `patch`: an empty value unsets. Tells whether anything changed.
    pub fn apply(&mut self, patch: &TagPatch) -> bool {
        let mut changed = false;
        for (name, value) in patch.iter() {
            changed |= if value.is_empty() {
                self.0.remove(name).is_some()
            } else {
                self.0.insert(name.to_owned(), value.to_owned()).as_deref() != Some(value)
            };
        }
        changed
    }

    /// As [`apply`](Self::apply), but refused where it would make more tags than an object may have.
    /// Nothing is changed then.
    pub fn merge(&mut self, patch: &TagPatch) -> Result<bool, InvalidTag> {
        let mut merged = self.clone();
        let changed = merged.apply(patch);
        if merged.len() > Self::COUNT_LIMIT && merged.len() > self.len() {
            return Err(InvalidTag::Count);
        }
        *self = merged;
        Ok(changed)
    }

    /// As [`apply`](Self::apply), but new names for which there is no room are left out, the last
    /// ones by name. Tells whether anything changed.
    pub fn merge_fitting(&mut self, patch: &TagPatch) -> bool {
        let (new, known): (Self, Self) = patch
            .clone()
            .into_iter()
            .partition(|(name, value)| !value.is_empty() && self.get(name).is_none());
        let changed = self.apply(&known);
        let room = Self::COUNT_LIMIT.saturating_sub(self.len());
        self.apply(&new.into_iter().take(room).collect()) || changed
    }

    /// These without the empty values, which on a new object mean "unset".
    #[must_use]
    pub fn without_empty(mut self) -> Self {
        self.0.retain(|_, value| !value.is_empty());
        self
    }

    /// As [`without_empty`](Self::without_empty), and no copy where nothing is left out.
    pub fn kept(&self) -> Cow<'_, Self> {
        if self.0.values().any(String::is_empty) {
            Cow::Owned(self.clone().without_empty())
        } else {
            Cow::Borrowed(self)
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn too_long(text: &str, limit: usize) -> bool {
    text.len() > limit && text.chars().count() > limit
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Tags {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

impl Extend<(String, String)> for Tags {
    fn extend<I: IntoIterator<Item = (String, String)>>(&mut self, pairs: I) {
        self.0.extend(pairs);
    }
}

impl IntoIterator for Tags {
    type Item = (String, String);
    type IntoIter = btree_map::IntoIter<String, String>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_sets_unsets_and_leaves() {
        let mut tags = Tags::from_iter([("a", "1"), ("b", "2")]);
        assert!(tags.apply(&Tags::from_iter([("b", ""), ("c", "3")])));
        assert_eq!(tags, Tags::from_iter([("a", "1"), ("c", "3")]));
        assert!(!tags.apply(&Tags::from_iter([("a", "1"), ("zzz", "")])));
    }

    fn many(prefix: &str, count: usize) -> Tags {
        (0..count)
            .map(|number| (format!("{prefix}{number}"), "x"))
            .collect()
    }

    #[test]
    fn a_merge_over_the_limit_is_refused_and_changes_nothing() {
        let mut tags = many("a", Tags::COUNT_LIMIT);
        let before = tags.clone();
        assert_eq!(tags.merge(&many("b", 1)), Err(InvalidTag::Count));
        assert_eq!(tags, before);
        let swap = Tags::from_iter([("a0", ""), ("b0", "x")]);
        assert_eq!(tags.merge(&swap), Ok(true));
        assert_eq!(tags.merge(&swap), Ok(false));
        assert_eq!(tags.len(), Tags::COUNT_LIMIT);
    }

    #[test]
    fn a_merge_of_what_fits_leaves_out_new_names_only() {
        let mut tags = many("a", Tags::COUNT_LIMIT - 1);
        let patch = Tags::from_iter([
            ("a0", ""),
            ("a1", "y"),
            ("b0", "x"),
            ("b1", "x"),
            ("b2", "x"),
        ]);
        assert!(tags.merge_fitting(&patch));
        assert_eq!(tags.len(), Tags::COUNT_LIMIT);
        assert_eq!(tags.get("a0"), None);
        assert_eq!(tags.get("a1"), Some("y"));
        assert_eq!(tags.get("b1"), Some("x"));
        assert_eq!(tags.get("b2"), None);
        assert!(!tags.merge_fitting(&many("c", 1)));
    }

    #[test]
    fn limits_count_characters_and_refuse_nul() {
        assert!(Tags::from_iter([("id", "é".repeat(500))]).check().is_ok());
        assert_eq!(
            Tags::from_iter([("id", "é".repeat(501))]).check(),
            Err(InvalidTag::Value {
                name: "id".to_owned()
            })
        );
        assert!(Tags::from_iter([("id", "7\0")]).check().is_err());
        assert!(Tags::from_iter([("", "7")]).check().is_err());
    }
}
