//! Bodies: JSON whatever the content type says, within limits of size and time. A field that is not
//! known is refused by name, with those that are: one that is mistyped would be missed in silence.

use std::fmt;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header;
use futures::StreamExt;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use switchboard_engine::wire::schema;
use switchboard_engine::{Schedule, wire};
use switchboard_model::{Error, Result, Tags, Timestamp, UserId};
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::layers::LateBody;
use crate::unknown;

/// The largest JSON body, in bytes.
const JSON_LIMIT: usize = 1 << 20;

/// A body read as `T`.
pub(crate) struct JsonBody<T>(pub(crate) T);

/// A body as it came, of which nothing says that it is no JSON.
pub(crate) struct RawBody(pub(crate) Bytes);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let RawBody(bytes) = RawBody::from_request(request, state).await?;
        Ok(Self(parse(&bytes)?))
    }
}

/// Whether the content type is JSON, if one is named. A wrong one on a right body is no reason to
/// refuse it.
fn says_json(request: &Request) -> Option<bool> {
    let kind = request.headers().get(header::CONTENT_TYPE)?;
    Some(kind.to_str().is_ok_and(|kind| kind.contains("json")))
}

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let is_encoded = request
            .headers()
            .get(header::CONTENT_ENCODING)
            .is_some_and(|value| value != "identity");
        if is_encoded {
            return Err(ApiError::media_type("content-encoding", "none"));
        }
        let names_json = says_json(&request);
        let bytes = read(request, JSON_LIMIT).await?;
        if !bytes.is_empty() && !begins_object(&bytes) && names_json == Some(false) {
            return Err(ApiError::media_type(
                "content-type",
                "application/json and a JSON object",
            ));
        }
        Ok(Self(bytes))
    }
}

/// Whether it is an object, if it is JSON.
fn begins_object(bytes: &[u8]) -> bool {
    let blank = |byte: &&u8| b" \t\r\n".contains(*byte);
    bytes.iter().find(|byte| !blank(byte)) == Some(&b'{')
}

/// Reads a body of at most `limit` bytes. One that says beforehand that it is larger is not read.
pub(crate) async fn read(request: Request, limit: usize) -> Result<Bytes, ApiError> {
    let too_large = || Error::PayloadTooLarge {
        what: "request body".to_owned(),
        limit,
    };
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large().into());
    }
    let mut stream = request.into_body().into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| broken(&error))?;
        if bytes.len() + chunk.len() > limit {
            return Err(too_large().into());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

fn broken(error: &axum::Error) -> ApiError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(late) = error.downcast_ref::<LateBody>() {
            return ApiError::late_body(late.limit);
        }
        cause = error.source();
    }
    Error::invalid("body", "expected all of it; the connection broke off").into()
}

/// Reads a JSON object. An error names the field, or the line and column. No body is the empty
/// object.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let text = match bytes {
        [] => b"{}".as_slice(),
        // A struct could also be read from an array, by position.
        bytes if begins_object(bytes) => bytes,
        _ => return Err(Error::invalid("body", "expected a JSON object")),
    };
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        invalid(&path, error.inner())
    })?;
    deserializer.end().map_err(|error| invalid(".", &error))?;
    Ok(value)
}

fn invalid(path: &str, error: &serde_json::Error) -> Error {
    let text = error.to_string();
    let root = path == ".";
    if !error.is_data() {
        // Also said of a value that is no name of those that may stand here.
        let field = if root { "body" } else { path };
        return Error::invalid(field, format!("expected other JSON: {text}"));
    }
    let missing = text
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split_once('`'));
    if let Some(error) = unknown(path, &text) {
        return error;
    }
    match missing {
        Some((name, _)) if root => Error::invalid(name, "expected this field"),
        Some((name, _)) => Error::invalid(format!("{path}.{name}"), "expected this field"),
        None => Error::invalid(if root { "body" } else { path }, text),
    }
}

/// A field that the types do not have.
fn unknown(path: &str, text: &str) -> Option<Error> {
    let (name, known) = unknown::said(text)?;
    // The path may end with the name or before it.
    let outer = path.strip_suffix(name).unwrap_or(path);
    let field = match outer.trim_end_matches('.') {
        "" => unknown::shown(name),
        outer => format!("{outer}.{}", unknown::shown(name)),
    };
    Some(Error::invalid(
        field,
        unknown::expected("field", name, &known),
    ))
}

/// Tags in a body; `null` unsets, as the empty text does.
pub(crate) fn tags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tags, D::Error> {
    deserializer.deserialize_map(ReadTags)
}

struct ReadTags;

impl<'de> Visitor<'de> for ReadTags {
    type Value = Tags;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Tags, A::Error> {
        let mut tags = Tags::new();
        while let Some(name) = pairs.next_key::<String>()? {
            if tags.get(&name).is_some() {
                return Err(A::Error::custom(format_args!(
                    "expected the name {:?} once",
                    unknown::shown(&name)
                )));
            }
            tags.insert(
                name,
                pairs.next_value::<Option<String>>()?.unwrap_or_default(),
            );
        }
        Ok(tags)
    }
}

/// Names of tags, of which there must be one.
pub(crate) fn names<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<String>>, D::Error> {
    let names = Option::<Vec<String>>::deserialize(deserializer)?;
    let is_name = |name: &String| (1..=Tags::NAME_LIMIT).contains(&name.chars().count());
    let are_names = |names: &Vec<String>| !names.is_empty() && names.iter().all(is_name);
    if !names.as_ref().is_none_or(are_names) {
        return Err(serde::de::Error::custom(
            "expected the name of one tag at least; leave it out to mean all",
        ));
    }
    Ok(names)
}

/// A field that is there, be it `null`.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A user's id in a body; the bot's own means the user that stands for it.
#[derive(Clone, Copy)]
pub(crate) struct UserRef(pub(crate) UserId);

impl<'de> Deserialize<'de> for UserRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        wire::parse_user_id(&text).map(Self).ok_or_else(|| {
            serde::de::Error::custom(
                "expected a user's id such as user_01ARZ3NDEKTSV4RRFFQ69G5FAV, or the bot's",
            )
        })
    }
}

/// When something is handed on: at a time or after a delay.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ScheduleBody {
    /// At this time; one that is past means at once.
    #[schema(value_type = Option<schema::Time>)]
    date_time: Option<Timestamp>,
    /// After so many milliseconds.
    #[schema(minimum = 0)]
    delay: Option<f64>,
}

impl ScheduleBody {
    pub(crate) fn read(self) -> Result<Schedule> {
        Schedule::new(self.date_time, self.delay)
    }
}

#[cfg(test)]
mod tests {
    use switchboard_model::ConversationId;

    use super::*;
    use crate::payload::Payload;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Sample {
        #[serde(default, deserialize_with = "tags")]
        tags: Tags,
        conversation_id: Option<ConversationId>,
        payload: Payload,
        #[expect(dead_code, reason = "read only")]
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "read only")]
        delay: Option<f64>,
    }

    fn error(text: &str) -> String {
        parse::<Sample>(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn an_error_names_the_field_or_the_place() {
        assert!(error(r#"{"payload":{},"tags":{"id":1}}"#).starts_with("tags.id: "));
        assert!(
            error(r#"{"payload":{},"conversationId":"x"}"#)
                .starts_with("conversationId: expected `conv_`")
        );
        assert_eq!(error(""), "payload: expected this field");
        assert!(error(r#"{"payload":[]}"#).starts_with("payload: expected a JSON object"));
        assert!(error("{\n\"payload\" 1}").contains("line 2 column 11"));
        assert!(error(r#"{"payload":{}} x"#).contains("trailing characters"));
        for text in ["[]", " ", "\r\n", "\u{c}", "\u{c}{}", "\u{feff}{}", "\0"] {
            assert_eq!(error(text), "body: expected a JSON object", "{text:?}");
        }
        assert_eq!(error(" \t\r\n{}"), "payload: expected this field");
        let deep = format!(
            "{{\"payload\":{{\"x\":{}{}}}}}",
            "[".repeat(500),
            "]".repeat(500)
        );
        assert!(
            error(&deep).starts_with("payload: expected a JSON object: in it, x[0]")
                && error(&deep).contains("recursion limit"),
            "{}",
            error(&deep)
        );
    }

    #[test]
    fn a_field_that_is_not_known_is_named_with_those_that_are() {
        assert_eq!(
            error(r#"{"payload":{},"conversation_id":"x"}"#),
            "conversation_id: unknown field, perhaps conversationId is meant; expected only tags, \
             conversationId, payload, inner"
        );
        assert_eq!(
            error(r#"{"inner":{"delya":1},"payload":{}}"#),
            "inner.delya: unknown field, perhaps delay is meant; expected only delay"
        );
        for name in ["a.b", "`, expected `", "a.inner", ""] {
            let text = error(&format!(r#"{{"{name}":[],"payload":{{}}}}"#));
            let named = text.starts_with(&format!("{name}: unknown field"));
            assert!(named && text.ends_with("payload, inner"), "{text}");
        }
        assert!(error(&format!(r#"{{"{}":1}}"#, "x".repeat(100_000))).len() < 300);
    }

    #[test]
    fn payloads_stay_as_they_came_and_null_unsets_a_tag() {
        let payload = r#"{"z":18446744073709551615, "a":-0.0,"e":1e2,"t":"a\u0000b"}"#;
        let text = format!(r#"{{"payload":{payload},"tags":{{"a":null,"b":"1"}}}}"#);
        let sample: Sample = parse(text.as_bytes()).unwrap();
        assert_eq!(sample.payload.0.as_str(), payload);
        assert_eq!(sample.tags, Tags::from_iter([("a", ""), ("b", "1")]));
        assert_eq!(sample.conversation_id, None);
    }
}
