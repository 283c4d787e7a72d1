//! The errors of the document, by status.

use std::collections::BTreeMap;

use utoipa::ToSchema;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use crate::error::Body;

/// Status, name in the document, meaning.
const ERRORS: [(&str, &str, &str); 13] = [
    (
        "400",
        "Invalid",
        "A field (`InvalidPayload`) or parameter (`InvalidQuery`) is not as it must be, or a field \
         names something that does not exist (`ReferenceNotFound`), or an action failed \
         (`Runtime`).",
    ),
    (
        "401",
        "Unauthorized",
        "The token is missing, unknown or revoked.",
    ),
    (
        "403",
        "Forbidden",
        "The token is good, but not for this: another bot or integration, or something that only \
         the bot may do.",
    ),
    (
        "404",
        "NotFound",
        "There is no such object, or the caller may not see it (`ResourceNotFound`).",
    ),
    (
        "408",
        "Late",
        "The body did not come in time. Nothing was done.",
    ),
    (
        "409",
        "Conflict",
        "Something of the kind exists (`AlreadyExists`). Nothing was done.",
    ),
    ("413", "TooLarge", "The body or payload is over its limit."),
    ("414", "LongPath", "Path and query are over their limit."),
    (
        "415",
        "MediaType",
        "The body is compressed, or says that it is no JSON and is none.",
    ),
    ("431", "LargeHead", "The headers are over their limit."),
    (
        "500",
        "Internal",
        "A defect, or a write whose outcome is unknown. The log says more under the error's id.",
    ),
    (
        "503",
        "Busy",
        "The server is busy, or its disk takes nothing now. Nothing was done; try again after the \
         time in Retry-After.",
    ),
    (
        "504",
        "TimedOut",
        "The request took too long. It may still have been done: look before repeating it.",
    ),
];

/// The errors as components.
pub(super) fn all() -> BTreeMap<String, RefOr<Response>> {
    ERRORS
        .into_iter()
        .map(|(_, name, meaning)| (name.to_owned(), error(meaning).into()))
        .collect()
}

/// What an operation may answer besides what it says itself: status and component.
pub(super) fn of_operation(
    addressed: bool,
    has_body: bool,
) -> impl Iterator<Item = (&'static str, &'static str)> {
    ERRORS
        .into_iter()
        .filter(move |(status, ..)| match *status {
            "404" => addressed,
            "408" | "409" | "413" | "415" => has_body,
            _ => true,
        })
        .map(|(status, name, _)| (status, name))
}

fn error(meaning: &str) -> Response {
    let schema = Ref::from_schema_name(Body::name().into_owned());
    ResponseBuilder::new()
        .description(meaning)
        .content(
            "application/json",
            ContentBuilder::new().schema(Some(schema)).build(),
        )
        .build()
}
