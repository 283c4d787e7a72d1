//! What the types of a body leave open: payloads that are kept as text. Here every part of one is
//! looked at, so that whoever reads it later finds one meaning: no name twice in an object, no half
//! of a surrogate pair, no number that no double holds, at most 128 levels.
//!
//! What never happens here: a change of what came. Numbers keep all their digits.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Up to so many names are compared one by one.
const FEW: usize = 16;

/// Any JSON in which no object has a name twice.
pub(crate) struct Strict;

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Walk)
    }
}

struct Walk;

impl<'de> Visitor<'de> for Walk {
    type Value = Strict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_str<E>(self, _: &str) -> Result<Strict, E> {
        Ok(Strict)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Strict, A::Error> {
        while items.next_element::<Strict>()?.is_some() {}
        Ok(Strict)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Strict, A::Error> {
        let mut names = Names::default();
        while let Some(Name(name)) = fields.next_key::<Name<'de>>()? {
            if let Some(name) = names.insert(name) {
                return Err(A::Error::custom(format_args!(
                    "expected the name {:?} once",
                    name.chars().take(100).collect::<String>()
                )));
            }
            fields.next_value_seed(Seed)?;
        }
        Ok(Strict)
    }
}

/// As the type itself, but without its name in the path of an error.
struct Seed;

impl<'de> DeserializeSeed<'de> for Seed {
    type Value = Strict;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Strict, D::Error> {
        Strict::deserialize(deserializer)
    }
}

/// A name, copied only where it has an escape.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(Read)
    }
}

/// The names of one object so far.
#[derive(Default)]
struct Names<'de> {
    few: Vec<Cow<'de, str>>,
    many: HashSet<Cow<'de, str>>,
}

impl<'de> Names<'de> {
    /// Gives a name back that is there already.
    fn insert(&mut self, name: Cow<'de, str>) -> Option<Cow<'de, str>> {
        if self.many.is_empty() {
            if self.few.contains(&name) {
                return Some(name);
            }
            self.few.push(name);
            if self.few.len() > FEW {
                self.many = self.few.drain(..).collect();
            }
            return None;
        }
        if self.many.contains(&name) {
            return Some(name);
        }
        self.many.insert(name);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), String> {
        serde_json::from_str::<Strict>(text)
            .map(|_| ())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_name_stands_once_however_it_is_written_and_however_many_there_are() {
        for twice in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":[{"a":1,"b":{"c":1,"c":1}}]}"#,
        ] {
            assert!(check(twice).unwrap_err().contains("once"), "{twice}");
        }
        let many: Vec<_> = (0..1000).map(|n| format!("\"{n}\":0")).collect();
        check(&format!("{{{}}}", many.join(","))).unwrap();
        let again = format!("{{{},\"7\":1}}", many.join(","));
        assert!(check(&again).unwrap_err().contains("\"7\" once"));
        check(r#"{"a":{"a":{"a":[{"a":1},{"a":2}]}},"b":""}"#).unwrap();
    }

    #[test]
    fn what_has_no_one_meaning_is_refused() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        for wrong in [r#""\ud800""#, r#"{"\udc00":1}"#, "1e999", "-1e999", &deep] {
            assert!(check(wrong).is_err(), "{}", &wrong[..7]);
        }
        check("[9007199254740993, 18446744073709551616, 1e308, -0.0, 0.1e-400]").unwrap();
    }
}
