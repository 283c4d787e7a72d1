//! Query strings as the official client writes them: `tags.telegram%3Aid=1`, arrays as a repeated
//! key, percent-encoding undone once, `+` a space (as form encoders write it; a plus is `%2B`).
//! Parameters that are not known are refused before (`unknown`).

use std::borrow::Cow;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use switchboard_engine::wire;
use switchboard_model::{ConversationId, Error, Result, Tags, Timestamp, UserId};
use switchboard_store::{SortField, SortOrder};

use crate::error::ApiError;
use crate::{percent, unknown};

/// The most values of one array.
const ARRAY_LIMIT: usize = 100;

/// The parameters of a query, decoded, in order.
#[derive(Clone)]
pub(crate) struct Query(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        if let Some(read) = parts.extensions.remove::<Self>() {
            return Ok(read);
        }
        Ok(Self::parse(parts.uri.query().unwrap_or_default())?)
    }
}

/// Parameters read as `T`, of a route that is no operation of the platform's.
pub(crate) struct Parameters<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Query::parse(parts.uri.query().unwrap_or_default())?;
        let read = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        read.map(|query| Self(query.0)).map_err(|rejection| {
            let text = rejection.body_text();
            // Its own words come first, then the parameter's name.
            let said = text
                .split_once(": ")
                .map_or(text.as_str(), |(_, said)| said);
            let (parameter, expected) = said.split_once(": ").unwrap_or(("(any)", said));
            let unknown = unknown::said(expected)
                .map(|(name, known)| (name, unknown::expected("parameter", name, &known)));
            match unknown {
                Some((name, expected)) => invalid(&unknown::shown(name), &expected).into(),
                None => invalid(parameter, expected).into(),
            }
        })
    }
}

/// Of a route that has no parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoQuery {}

impl Query {
    pub(crate) fn parse(raw: &str) -> Result<Self> {
        raw.split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let invalid = || Error::InvalidQuery {
                    parameter: name.to_owned(),
                    expected: "expected percent-encoded UTF-8".to_owned(),
                };
                let decoded = decode(name).ok_or_else(invalid)?;
                Ok((decoded, decode(value).ok_or_else(invalid)?))
            })
            .collect::<Result<_>>()
            .map(Self)
    }

    /// The names, as often as they stand there.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Names and values.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// All values of an array.
    fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(given, _)| given == name)
            .map(|(_, value)| value.as_str())
    }

    /// A text that is not empty. An empty one is no absent one: who asks for the messages of no
    /// conversation must not get those of all.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(invalid(name, "expected it once only")),
            (Some(""), None) => Err(invalid(name, EMPTY)),
            (Some(text), None) if text.contains('\0') => Err(invalid(name, NUL)),
            (value, None) => Ok(value),
        }
    }

    /// Whether a parameter is there and not empty.
    pub(crate) fn says(&self, name: &str) -> bool {
        self.all(name).any(|value| !value.is_empty())
    }

    /// A value of one of the forms that `read` knows.
    pub(crate) fn read<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        self.text(name)?
            .map(|text| read(text).ok_or_else(|| invalid(name, expected)))
            .transpose()
    }

    /// An id.
    pub(crate) fn id<T: FromStr<Err: ToString>>(&self, name: &str) -> Result<Option<T>> {
        self.text(name)?
            .map(|text| {
                text.parse()
                    .map_err(|error: T::Err| invalid(name, &error.to_string()))
            })
            .transpose()
    }

    /// `conversationId`.
    pub(crate) fn conversation(&self) -> Result<Option<ConversationId>> {
        self.id("conversationId")
    }

    /// A user's id, or the bot's.
    pub(crate) fn user(&self, name: &str) -> Result<Option<UserId>> {
        self.read(name, USER, wire::parse_user_id)
    }

    /// Users' ids.
    pub(crate) fn users(&self, name: &str) -> Result<Vec<UserId>> {
        self.each(name, USER, wire::parse_user_id)
    }

    /// All values of an array, each of one of the forms that `read` knows.
    pub(crate) fn each<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>> {
        let values: Vec<_> = self
            .all(name)
            .map(|text| match text {
                "" => Err(invalid(name, EMPTY)),
                text if text.contains('\0') => Err(invalid(name, NUL)),
                text => read(text).ok_or_else(|| invalid(name, expected)),
            })
            .collect::<Result<_>>()?;
        if values.len() > ARRAY_LIMIT {
            return Err(invalid(
                name,
                &format!("expected at most {ARRAY_LIMIT} values"),
            ));
        }
        Ok(values)
    }

    /// `afterDate` and `beforeDate`.
    pub(crate) fn dates(&self) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
        Ok((self.id("afterDate")?, self.id("beforeDate")?))
    }

    /// What to sort by, and in which order.
    pub(crate) fn sort(&self) -> Result<(SortField, SortOrder)> {
        let order = self.read("sortDirection", "expected asc or desc", |text| {
            Some(match text {
                "asc" => SortOrder::Ascending,
                "desc" => SortOrder::Descending,
                _ => return None,
            })
        })?;
        let field = self.time_field("sortField")?;
        Ok((field, order.unwrap_or_default()))
    }

    /// Which of two times is meant.
    pub(crate) fn time_field(&self, name: &str) -> Result<SortField> {
        let field = self.read(name, "expected createdAt or updatedAt", |text| {
            Some(match text {
                "createdAt" => SortField::CreatedAt,
                "updatedAt" => SortField::UpdatedAt,
                _ => return None,
            })
        })?;
        Ok(field.unwrap_or_default())
    }

    /// The tags to look for. What follows the first dot is the name, dots and all.
    pub(crate) fn tags(&self) -> Result<Tags> {
        let mut tags = Tags::new();
        for (key, value) in &self.0 {
            let Some(name) = key.strip_prefix("tags.") else {
                continue;
            };
            if tags.get(name).is_some_and(|given| given != value) {
                return Err(invalid(key, "expected it once only"));
            }
            tags.insert(name, value);
        }
        Ok(tags)
    }
}

const EMPTY: &str = "expected a value; leave the parameter out to get all";

const NUL: &str = "expected a value without NUL";

const USER: &str = "expected a user's id such as user_01ARZ3NDEKTSV4RRFFQ69G5FAV, or the bot's";

fn invalid(parameter: &str, expected: &str) -> Error {
    Error::InvalidQuery {
        parameter: parameter.to_owned(),
        expected: expected.to_owned(),
    }
}

fn decode(text: &str) -> Option<String> {
    percent::decode(&text.replace('+', " ")).map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_decoded_once_and_cut_at_the_first_dot() {
        let query = Query::parse(
            "tags.telegram%3Aid=1%202%26&tags.a.b=x%252By+z&tags.%E4%B8%AD=%2B&other=1&flag",
        )
        .unwrap();
        let expected = Tags::from_iter([
            ("telegram:id", "1 2&"),
            ("a.b", "x%2By z"),
            ("\u{4e2d}", "+"),
        ]);
        assert_eq!(query.tags(), Ok(expected));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (raw, parameter) in [
            ("conversationId=conv_1", "conversationId"),
            ("participantIds=user_1", "participantIds"),
            ("conversationId=", "conversationId"),
            ("conversationId", "conversationId"),
            ("participantIds=", "participantIds"),
            ("beforeDate=", "beforeDate"),
            ("sortDirection=", "sortDirection"),
            ("afterDate=yesterday", "afterDate"),
            ("sortField=name", "sortField"),
            ("sortDirection=up", "sortDirection"),
            ("sortField=createdAt&sortField=updatedAt", "sortField"),
            ("tags.a=1&tags.a=2", "tags.a"),
        ] {
            let query = Query::parse(raw).unwrap();
            let error = query
                .conversation()
                .and_then(|_| query.users("participantIds"))
                .and_then(|_| query.dates())
                .and_then(|_| query.sort())
                .and_then(|_| query.tags())
                .unwrap_err();
            assert!(
                error
                    .to_string()
                    .contains(&format!("parameter {parameter}:")),
                "{raw}: {error}"
            );
        }
        for raw in ["a=%ff", "a=%zz", "a=%4", "%=1", "a=%"] {
            assert!(Query::parse(raw).is_err(), "{raw}");
        }
    }
}
