//! Query parameters that several lists share.

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, Type};
use utoipa::openapi::{RefOr, Required};
use utoipa::{IntoParams, PartialSchema};

use switchboard_engine::wire::schema;
use switchboard_model::Tags;

use crate::page::MAX_SIZE;

/// `nextToken`, `pageSize` and `limit`.
pub(crate) struct Paging;

/// `sortField` and `sortDirection`.
pub(crate) struct Sorting;

/// `afterDate` and `beforeDate`.
pub(crate) struct Dates;

/// `tags.<name>`.
pub(crate) struct TagFilter;

/// `rangeField`.
pub(crate) struct RangeField;

/// `status` of events.
pub(crate) struct StatusFilter;

/// The header of `createMessage`.
pub(crate) struct IdempotencyKey;

impl IntoParams for Paging {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let size = || {
            ObjectBuilder::new()
                .schema_type(Type::Integer)
                .minimum(Some(1))
                .maximum(Some(MAX_SIZE))
        };
        vec![
            query(
                "nextToken",
                "The `meta.nextToken` of the page before, of the same list in the same order.",
                text(),
            ),
            query("pageSize", "How many items; 20 if nothing is said.", size()),
            query("limit", "The same, under another name.", size()),
        ]
    }
}

impl IntoParams for Sorting {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            query(
                "sortField",
                "What to sort by; `createdAt` if nothing is said.",
                text().enum_values(Some(["createdAt", "updatedAt"])),
            ),
            query(
                "sortDirection",
                "In which order; `desc`, newest first, if nothing is said.",
                text().enum_values(Some(["asc", "desc"])),
            ),
        ]
    }
}

impl IntoParams for Dates {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            query("afterDate", "Not before this time.", schema::Time::schema()),
            query("beforeDate", "Not after this time.", schema::Time::schema()),
        ]
    }
}

impl IntoParams for RangeField {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![query(
            "rangeField",
            "Which time the dates mean; `createdAt` if nothing is said.",
            text().enum_values(Some(["createdAt", "updatedAt"])),
        )]
    }
}

impl IntoParams for StatusFilter {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let words = [
            "pending",
            "processed",
            "ignored",
            "failed",
            "scheduled",
            "canceled",
        ];
        vec![query(
            "status",
            "That have got so far.",
            text().enum_values(Some(words)),
        )]
    }
}

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut parameter = query(
            "Idempotency-Key",
            "A repeated request with the same key and body is answered with the message of the \
             first; the same key with another body is a conflict.",
            text(),
        );
        parameter.parameter_in = ParameterIn::Header;
        vec![parameter]
    }
}

impl IntoParams for TagFilter {
    /// As an exploded form its own name is not written: `?tags.id=1&tags.lang=en`.
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let name = text()
            .pattern(Some("^tags\\.."))
            .max_length(Some("tags.".len() + Tags::NAME_LIMIT));
        let value = text().max_length(Some(Tags::VALUE_LIMIT));
        let pairs = ObjectBuilder::new()
            .schema_type(Type::Object)
            .property_names(Some(name))
            .max_properties(Some(Tags::COUNT_LIMIT))
            .additional_properties(Some(AdditionalProperties::from(value)));
        let mut parameter = query(
            "tags",
            "Tags that it must have, each as a parameter `tags.<name>`.",
            pairs,
        );
        parameter.style = Some(ParameterStyle::Form);
        parameter.explode = Some(true);
        vec![parameter]
    }
}

/// A query parameter, which may be left out.
fn query(name: &str, description: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}
