//! Errors as callers see them: `{id, code, type, message}`. This file alone knows which error has
//! which status and type; the official client goes by `type`.
//!
//! A 500 tells the caller nothing but its id; the log has everything under that id.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use switchboard_integration::FileFailure;
use switchboard_model::{Environment, Error};
use utoipa::ToSchema;

use crate::limits::{HEAD_LIMIT, URI_LIMIT};

/// Why a request was not done. As a response it is a status and an extension, which
/// [`crate::layers::layered`] turns into the body.
#[derive(Debug, Clone)]
pub struct ApiError(Cause);

#[derive(Debug, Clone)]
enum Cause {
    Model(Error),
    NoRoute {
        path: String,
    },
    NoMethod {
        method: Method,
        path: String,
    },
    Panicked {
        text: String,
    },
    TimedOut,
    File(FileFailure),
    UnreadableHead {
        status: StatusCode,
    },
    LateHead {
        limit: Duration,
    },
    LateBody {
        limit: Duration,
    },
    Displaced {
        after: Duration,
    },
    LongUri,
    NoConnection {
        limit: usize,
    },
    MediaType {
        header: &'static str,
        expected: &'static str,
    },
}

impl<E: Into<Error>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(Cause::Model(error.into()))
    }
}

impl ApiError {
    /// There is no such route.
    pub(crate) fn no_route(path: &str) -> Self {
        Self(Cause::NoRoute {
            path: path.chars().take(200).collect(),
        })
    }

    /// The route has no such method.
    pub(crate) fn no_method(method: &Method, path: &str) -> Self {
        Self(Cause::NoMethod {
            method: method.clone(),
            path: path.chars().take(200).collect(),
        })
    }

    /// A handler panicked.
    pub(crate) fn panicked(text: impl Into<String>) -> Self {
        Self(Cause::Panicked { text: text.into() })
    }

    /// A handler took too long; what it began may still be done.
    pub(crate) fn timed_out() -> Self {
        Self(Cause::TimedOut)
    }

    /// A channel has no such file, or does not give it out.
    pub(crate) fn file(failure: FileFailure) -> Self {
        Self(Cause::File(failure))
    }

    /// A head that the HTTP library refuses, with its status.
    pub(crate) fn unreadable_head(status: Option<u16>) -> Self {
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        Self(Cause::UnreadableHead {
            status: status.unwrap_or(StatusCode::BAD_REQUEST),
        })
    }

    /// A head that does not come to its end.
    pub(crate) fn late_head(limit: Duration) -> Self {
        Self(Cause::LateHead { limit })
    }

    /// A body that does not.
    pub(crate) fn late_body(limit: Duration) -> Self {
        Self(Cause::LateBody { limit })
    }

    /// A head that is slow to come, whose connection another caller needed.
    pub(crate) fn displaced(after: Duration) -> Self {
        Self(Cause::Displaced { after })
    }

    /// A path and query that are too long.
    pub(crate) fn long_uri() -> Self {
        Self(Cause::LongUri)
    }

    /// All connections are taken.
    pub(crate) fn no_connection(limit: usize) -> Self {
        Self(Cause::NoConnection { limit })
    }

    /// A body of a kind that is not read here.
    pub(crate) fn media_type(header: &'static str, expected: &'static str) -> Self {
        Self(Cause::MediaType { header, expected })
    }

    fn kind(&self) -> (StatusCode, &'static str) {
        let error = match &self.0 {
            Cause::Model(error) => error,
            Cause::NoRoute { .. } => return (StatusCode::NOT_FOUND, "ResourceNotFound"),
            Cause::NoMethod { .. } => return (StatusCode::METHOD_NOT_ALLOWED, "MethodNotFound"),
            Cause::Panicked { .. } => return (StatusCode::INTERNAL_SERVER_ERROR, "Internal"),
            Cause::TimedOut => return (StatusCode::GATEWAY_TIMEOUT, "OperationTimeout"),
            Cause::UnreadableHead { status } => {
                let kind = match *status {
                    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE | StatusCode::URI_TOO_LONG => {
                        "PayloadTooLarge"
                    }
                    _ => "InvalidPayload",
                };
                return (*status, kind);
            }
            Cause::LateHead { .. } | Cause::LateBody { .. } | Cause::Displaced { .. } => {
                return (StatusCode::REQUEST_TIMEOUT, "OperationTimeout");
            }
            Cause::LongUri => return (StatusCode::URI_TOO_LONG, "PayloadTooLarge"),
            Cause::NoConnection { .. } => return (StatusCode::SERVICE_UNAVAILABLE, "Internal"),
            Cause::MediaType { .. } => {
                return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType");
            }
            Cause::File(FileFailure::NotFound) => {
                return (StatusCode::NOT_FOUND, "ResourceNotFound");
            }
            Cause::File(FileFailure::TooLarge(_)) => {
                return (StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge");
            }
            Cause::File(FileFailure::Unavailable(_)) => {
                return (StatusCode::SERVICE_UNAVAILABLE, "Internal");
            }
        };
        match error {
            Error::InvalidPayload { .. } => (StatusCode::BAD_REQUEST, "InvalidPayload"),
            Error::InvalidQuery { .. } => (StatusCode::BAD_REQUEST, "InvalidQuery"),
            Error::NotFound { .. } => (StatusCode::NOT_FOUND, "ResourceNotFound"),
            Error::ReferenceNotFound { .. } => (StatusCode::BAD_REQUEST, "ReferenceNotFound"),
            Error::ConversationExists { .. } | Error::AlreadyExists { .. } => {
                (StatusCode::CONFLICT, "AlreadyExists")
            }
            Error::Unauthorized { .. } => (StatusCode::UNAUTHORIZED, "Unauthorized"),
            Error::Forbidden { .. } => (StatusCode::FORBIDDEN, "Forbidden"),
            Error::PayloadTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge"),
            Error::ActionFailed { .. } => (StatusCode::BAD_REQUEST, "Runtime"),
            Error::ActionTimedOut { .. } => (StatusCode::GATEWAY_TIMEOUT, "OperationTimeout"),
            Error::Busy | Error::Unavailable { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "Internal")
            }
            Error::OutcomeUnknown | Error::Internal(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "Internal")
            }
        }
    }

    /// Everything, for the log.
    fn details(&self) -> String {
        match &self.0 {
            Cause::Model(error) => error.to_string(),
            Cause::NoRoute { path } => {
                format!("no route {path} is served (not found); check the URL")
            }
            Cause::NoMethod { method, path } => {
                format!("{path} does not take {method}; see the Allow header")
            }
            Cause::Panicked { text } => format!("a handler panicked: {text}"),
            Cause::File(failure) => failure.to_string(),
            Cause::UnreadableHead { status } => match *status {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => format!(
                    "headers: expected a head of at most {HEAD_LIMIT} bytes and 100 headers; send fewer"
                ),
                StatusCode::URI_TOO_LONG => long_uri(),
                _ => "head: expected an HTTP/1.1 request line and headers, percent-encoded and \
                      without control characters"
                    .to_owned(),
            },
            Cause::LateHead { limit } => {
                format!("head: expected all of it within {} s", limit.as_secs_f64())
            }
            Cause::LateBody { limit } => {
                format!("body: expected all of it within {} s", limit.as_secs_f64())
            }
            Cause::Displaced { after } => format!(
                "head: the server has no free connection, and this one had sent no whole head for \
                 {} s; send it at once, close connections, or raise max_connections",
                after.as_secs_f64()
            ),
            Cause::LongUri => long_uri(),
            Cause::NoConnection { limit } => format!(
                "all {limit} connections are taken; close some, try again, or raise max_connections"
            ),
            Cause::MediaType { header, expected } => format!("{header}: expected {expected}"),
            Cause::TimedOut => {
                "the request took too long; look whether it was done before repeating it".to_owned()
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.kind().0.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// An error.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub(crate) struct Body {
    /// The log's name for it.
    #[schema(pattern = "^err_[0-9]{14}x[0-9A-F]{8}$")]
    id: String,
    /// The status.
    code: u16,
    /// What official clients go by.
    #[serde(rename = "type")]
    kind: &'static str,
    /// What was wrong, with the field's name, and what to do next.
    message: String,
}

/// Writes the body of an error, and logs what the caller is not told.
pub(crate) fn render(env: &Environment, mut response: Response) -> Response {
    let Some(error) = response.extensions_mut().remove::<ApiError>() else {
        return response;
    };
    let (status, body) = written(env, &error);
    let mut rendered = (status, Json(body)).into_response();
    if let Some(allow) = response.headers_mut().remove(header::ALLOW) {
        rendered.headers_mut().insert(header::ALLOW, allow);
    }
    if let Some(connection) = response.headers_mut().remove(header::CONNECTION) {
        rendered
            .headers_mut()
            .insert(header::CONNECTION, connection);
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        rendered
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    rendered
}

/// The body, made and logged.
fn written(env: &Environment, error: &ApiError) -> (StatusCode, Body) {
    let id = error_id(env);
    let (status, kind) = error.kind();
    let details = error.details();
    let message = if status == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(id, error = details, "a request failed");
        format!("internal error; the server's log says more under {id}")
    } else {
        // That connections are refused is said once, where they are.
        if status.is_server_error() && !matches!(error.0, Cause::NoConnection { .. }) {
            tracing::warn!(id, error = details, "a request was not served");
        } else {
            tracing::debug!(id, kind, error = details, "a request was refused");
        }
        details
    };
    let body = Body {
        id,
        code: status.as_u16(),
        kind,
        message,
    };
    (status, body)
}

/// A whole response as bytes, for a connection on which nothing was asked that could be read. It
/// says that the connection closes.
pub(crate) fn whole_response(env: &Environment, error: &ApiError) -> Vec<u8> {
    let (status, body) = written(env, error);
    let body = serde_json::to_string(&body).unwrap_or_default();
    let retry = match status {
        StatusCode::SERVICE_UNAVAILABLE => "retry-after: 1\r\n",
        _ => "",
    };
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{retry}\
         connection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn long_uri() -> String {
    format!("path and query: expected at most {URI_LIMIT} bytes; send less, or ask in parts")
}

/// `err_<yyyymmddhhmmss>x<8 hex>`, the form that the official client makes up itself.
fn error_id(env: &Environment) -> String {
    let time: String = env
        .now()
        .to_string()
        .chars()
        .filter(char::is_ascii_digit)
        .take(14)
        .collect();
    let mut random = [0; 4];
    env.fill(&mut random);
    format!("err_{time}x{:08X}", u32::from_be_bytes(random))
}

#[cfg(test)]
mod tests {
    use switchboard_model::testing;

    use super::*;

    #[test]
    fn an_id_has_the_form_of_the_official_client() {
        let (env, _) = testing::environment(1);
        let id = error_id(&env);
        assert_eq!(id.len(), "err_20260921142640x0123ABCD".len());
        assert!(id.starts_with("err_20260921"), "{id}");
        assert_eq!(id.as_bytes()[18], b'x');
        assert!(
            id[19..]
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte))
        );
    }
}
