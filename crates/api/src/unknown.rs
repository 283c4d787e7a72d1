//! Names that a request has and the API does not: they are refused, with those that may stand there.
//! A filter that is left out in silence lists too much, and a field that is mistyped is missed late.
//!
//! Which parameters an operation has is read off its document, so that neither has what the other
//! lacks.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{Method, Uri};
use switchboard_model::near::nearest;
use switchboard_model::{Error, Result};
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::{OpenApi, RefOr};

use crate::query::Query;

/// What begins the parameters of a filter by tags.
const TAGS: &str = "tags.";
/// Of a longer name, its beginning says enough.
const SHOWN: usize = 200;

/// A name as an error shows it.
pub(crate) fn shown(name: &str) -> String {
    name.chars().take(SHOWN).collect()
}

/// What to say of a name that is none of `known`.
pub(crate) fn expected(what: &str, name: &str, known: &[&str]) -> String {
    if known.is_empty() {
        return format!("unknown {what}; expected none here");
    }
    let limit = name.chars().count().div_ceil(2).min(3);
    let meant = nearest(name, known.iter().copied(), limit)
        .map(|name| format!(", perhaps {name} is meant"))
        .unwrap_or_default();
    format!("unknown {what}{meant}; expected only {}", known.join(", "))
}

/// A name that a type does not have and those that it has, as serde says it.
pub(crate) fn said(text: &str) -> Option<(&str, Vec<&str>)> {
    let rest = text.strip_prefix("unknown field `")?;
    let (name, known) = rest
        .rsplit_once("`, expected ")
        .or_else(|| rest.rsplit_once("`, there are no fields"))?;
    Some((name, known.split('`').skip(1).step_by(2).collect()))
}

/// The names of the parameters of every operation, by path.
#[derive(Default)]
pub(crate) struct Parameters(HashMap<String, Vec<(Method, Vec<String>)>>);

impl Parameters {
    pub(crate) fn of(document: &OpenApi) -> Self {
        let paths = document.paths.paths.iter();
        Self(
            paths
                .map(|(path, item)| {
                    let operations = [
                        (Method::GET, &item.get),
                        (Method::POST, &item.post),
                        (Method::PUT, &item.put),
                        (Method::PATCH, &item.patch),
                        (Method::DELETE, &item.delete),
                    ];
                    let operations = operations.into_iter().filter_map(|(method, operation)| {
                        Some((method, names(operation.as_ref()?)))
                    });
                    (path.clone(), operations.collect())
                })
                .collect(),
        )
    }

    /// Refuses parameters that the operation of a request does not have. What was read is kept for the
    /// operation. A request for none of them is let through.
    fn refuse(&self, parts: &mut Parts) -> Result<()> {
        let Some(raw) = query(&parts.uri) else {
            return Ok(());
        };
        let path = parts.extensions.get::<MatchedPath>();
        let Some(operations) = path.and_then(|path| self.0.get(path.as_str())) else {
            return Ok(());
        };
        let query = Query::parse(raw)?;
        let method = match &parts.method {
            &Method::HEAD => &Method::GET,
            method => method,
        };
        if let Some((_, known)) = operations.iter().find(|(other, _)| other == method) {
            check(&query, known)?;
        }
        parts.extensions.insert(query);
        Ok(())
    }
}

/// The parameters of all operations, on their way to where a request's caller is known: whoever is not
/// let in is not told what there is.
#[derive(Clone)]
pub(crate) struct Known(pub(crate) Arc<Parameters>);

impl Known {
    /// Gives them to a request that has parameters.
    pub(crate) fn lend(&self, request: &mut Request) {
        if query(request.uri()).is_some() {
            request.extensions_mut().insert(self.clone());
        }
    }
}

/// Refuses unknown parameters of an operation. Its caller must have been let in.
pub(crate) fn refuse(parts: &mut Parts) -> Result<()> {
    match parts.extensions.remove::<Known>() {
        None => Ok(()),
        Some(Known(parameters)) => parameters.refuse(parts),
    }
}

fn query(uri: &Uri) -> Option<&str> {
    uri.query().filter(|raw| !raw.is_empty())
}

fn names(operation: &Operation) -> Vec<String> {
    let parameters = operation.parameters.iter().flatten();
    parameters
        .filter_map(|one| match one {
            RefOr::T(one) if matches!(one.parameter_in, ParameterIn::Query) => Some(&one.name),
            _ => None,
        })
        .map(|name| match name.as_str() {
            "tags" => format!("{TAGS}<name>"),
            name => name.to_owned(),
        })
        .collect()
}

fn check(query: &Query, known: &[String]) -> Result<()> {
    let has_tags = known.iter().any(|name| name.starts_with(TAGS));
    let is_known = |name: &str| {
        known.iter().any(|known| known == name) || (has_tags && name.starts_with(TAGS))
    };
    match query.names().find(|name| !is_known(name)) {
        None => Ok(()),
        Some(name) => {
            let known: Vec<_> = known.iter().map(String::as_str).collect();
            Err(Error::InvalidQuery {
                parameter: shown(name),
                expected: expected("parameter", name, &known),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_is_told_with_the_one_that_is_meant() {
        let known = ["conversationId", "tags", "type"];
        for (name, meant) in [
            ("conversation_id", Some("conversationId")),
            ("conversationid", Some("conversationId")),
            ("tgas", Some("tags")),
            ("x", None),
            ("colour", None),
        ] {
            let text = expected("field", name, &known);
            let perhaps = meant.map(|meant| format!("perhaps {meant} is meant"));
            assert_eq!(text.contains("perhaps"), meant.is_some(), "{text}");
            assert!(
                perhaps.is_none_or(|perhaps| text.contains(&perhaps)),
                "{text}"
            );
            assert!(text.ends_with("expected only conversationId, tags, type"));
        }
    }
}
