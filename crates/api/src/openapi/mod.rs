//! The OpenAPI document of the runtime API, and the page that shows it.
//!
//! The document is made of the same list of operations as the routes, so that neither has what the
//! other lacks. What holds for every operation (headers, token, errors) is added
//! here, once. It is written as text when the first one asks, and that text is kept.
//!
//! What never happens here: a request to a third party, from the server or from the page.

mod page;
mod params;
mod responses;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use axum::routing::get;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, Content, InfoBuilder, License, OpenApi, OpenApiBuilder, Ref, RefOr, Required,
};
use utoipa::{PartialSchema, ToSchema};

pub(crate) use params::{
    Dates, IdempotencyKey, Paging, RangeField, Sorting, StatusFilter, TagFilter,
};

use crate::actions::ActionRegistry;
use crate::error::ApiError;

/// What the document says of itself.
const ABOUT: &str = "\
The runtime API of Switchboard. It speaks the wire protocol of the official client \
`@botpress/client`, which runs against it unmodified.

Every request carries a token in the header `Authorization: Bearer <token>` and names the token's \
bot in `x-bot-id`. The first start of the server prints both; `switchboard tokens create` makes \
another token. With `x-integration-id` the caller is that integration of the bot: it sees what is its own, and its tags \
by their bare names. Bodies are JSON objects whatever their content type says, at most 1 MB and 128 \
levels, and no object has a name twice; fields and parameters that are not known are \
refused.

`getOrCreate…` finds by tags, and makes what it does not find. `discriminateByTags` names the tags that \
identify: with `\"tags\": {\"id\": \"501\", \"topic\": \"news\"}` and \
`\"discriminateByTags\": [\"id\"]` what has the `id` 501 is found whatever its `topic`, which is `news` \
from then on. Without it all of the tags that are given identify. Several that fit: the first made. Calls that race end as if one came after the other, so \
that one is made.

An error is an object `{id, code, type, message}`: `code` is the status, `type` is what the official \
client goes by, `message` says what to do next, and the server's log says more under `id`.";

/// Of a security scheme, below.
const TOKEN: &str = "token";

/// Headers of every operation: name, whether it must be there, what it is.
const HEADERS: [(&str, Required, &str); 3] = [
    (
        "x-bot-id",
        Required::True,
        "The bot's id, to which the token belongs.",
    ),
    (
        "x-integration-id",
        Required::False,
        "The integration as which the request is made; without, it is made as the bot.",
    ),
    (
        "x-integration-alias",
        Required::False,
        "That integration's alias, if given, must be right.",
    ),
];

/// The document of the operations below `/v1/chat`.
pub fn document() -> OpenApi {
    complete(crate::runtime::operations(ActionRegistry::default()).into_openapi())
}

/// The document's route, and the page's.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let text = Arc::new(OnceLock::<Bytes>::new());
    Router::new()
        .route("/openapi.json", get(serve))
        .with_state(text)
        .merge(page::router())
}

async fn serve(State(text): State<Arc<OnceLock<Bytes>>>) -> Result<impl IntoResponse, ApiError> {
    let bytes = if let Some(bytes) = text.get() {
        bytes.clone()
    } else {
        let json = document()
            .to_json()
            .map_err(switchboard_model::Error::internal)?;
        text.get_or_init(|| json.into()).clone()
    };
    // Tools in browsers read it from wherever they are; there is no secret in it.
    let headers: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    Ok((headers, bytes))
}

/// Adds what holds for all operations.
fn complete(operations: OpenApi) -> OpenApi {
    let mut document: OpenApi = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Switchboard runtime API")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(ABOUT))
                .license(Some(License::new("MIT OR Apache-2.0")))
                .build(),
        )
        .paths(operations.paths)
        .components(operations.components)
        .build();
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "A token of the bot, or of one of its integrations: `switchboard tokens create`.",
        ))
        .build();
    let components = document.components.get_or_insert_with(Components::default);
    components.add_security_scheme(TOKEN, SecurityScheme::Http(token));
    components.schemas.insert(
        crate::error::Body::name().into_owned(),
        crate::error::Body::schema(),
    );
    components.responses = responses::all();
    for (name, required, description) in HEADERS {
        let parameter = header_parameter(name, required, description);
        components
            .parameters
            .insert(name.to_owned(), parameter.into());
    }
    document.security = Some(vec![SecurityRequirement::new(TOKEN, [""; 0])]);
    for (path, item) in &mut document.paths.paths {
        let addressed = path.contains('{');
        for operation in operations_of(item) {
            complete_operation(operation, addressed);
        }
    }
    document
}

fn operations_of(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.post,
        &mut item.put,
        &mut item.patch,
        &mut item.delete,
    ]
    .into_iter()
    .flatten()
}

fn complete_operation(operation: &mut Operation, addressed: bool) {
    let parameters = operation.parameters.get_or_insert_default();
    for (name, ..) in HEADERS {
        let reference = format!("#/components/parameters/{name}");
        parameters.push(RefOr::Ref(Ref::new(reference)));
    }
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        complete_body(body);
    }
    let has_body = operation.request_body.is_some();
    for (status, name) in responses::of_operation(addressed, has_body) {
        operation
            .responses
            .responses
            .entry(status.to_owned())
            .or_insert_with(|| RefOr::Ref(Ref::from_response_name(name)));
    }
}

/// No body is the empty object.
fn complete_body(body: &mut RequestBody) {
    for content in body.content.values_mut() {
        let RefOr::T(Content {
            schema: Some(RefOr::T(Schema::Object(object))),
            ..
        }) = content
        else {
            continue;
        };
        body.required = Some(if object.required.is_empty() {
            Required::False
        } else {
            Required::True
        });
    }
}

fn header_parameter(name: &str, required: Required, description: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(required)
        .description(Some(description))
        .schema(Some(String::schema()))
        .build()
}
