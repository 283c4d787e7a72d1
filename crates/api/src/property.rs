//! Properties of what callers write: whatever it is, it is read or refused, and never a panic.
//! `cargo xtask properties` tries a million cases of each.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use proptest::string::{RegexGeneratorStrategy, string_regex};
use serde::Deserialize;
use switchboard_engine::Caller;
use switchboard_model::{ConversationId, Error, Tags, Timestamp};
use switchboard_store::{Cursor, SortField, SortOrder, TagKind};

use crate::body::{self, names, tags};
use crate::page::{Asked, List, Mark, ValueList};
use crate::payload::Payload;
use crate::percent;
use crate::query::Query;

/// Texts that a pattern matches. A pattern in the place of a strategy is compiled for each case.
fn matching(pattern: &str) -> RegexGeneratorStrategy<String> {
    string_regex(pattern).unwrap()
}

/// All lists with their orders.
fn lists() -> Vec<List> {
    let mut lists = vec![
        List::PARTICIPANTS,
        List::CONVERSATION_MESSAGES,
        List::MESSAGES,
        List::EVENTS,
        List::WORKFLOWS,
    ];
    for field in [SortField::CreatedAt, SortField::UpdatedAt] {
        for order in [SortOrder::Ascending, SortOrder::Descending] {
            lists.extend([
                List::conversations((field, order)),
                List::users((field, order)),
            ]);
        }
    }
    lists
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Queries as they come, good and bad.
fn query_text() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("tags.".to_owned()),
        matching("tags\\.[a-z%:.]{0,8}"),
        matching("tags(\\[[a-z]{0,3}\\])?"),
        matching("(nextToken|pageSize|limit|sortField|afterDate|participantIds|conversationId)"),
        matching("\\PC{0,6}"),
    ];
    let value = prop_oneof![
        matching("[a-z0-9%+=&.:-]{0,20}"),
        matching("\\PC{0,20}"),
        matching("[0-9]{0,25}"),
    ];
    let pair = (name, value).prop_map(|(name, value)| format!("{name}={value}"));
    prop::collection::vec(pair, 0..8).prop_map(|pairs| pairs.join("&"))
}

/// JSON of any form, in which no object has a name twice.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        matching(".{0,8}").prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map(matching(".{0,4}"), inner, 0..4)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sample {
    #[serde(default, deserialize_with = "tags")]
    tags: Tags,
    #[serde(default, deserialize_with = "names")]
    discriminate_by_tags: Option<Vec<String>>,
    conversation_id: Option<ConversationId>,
    created_at: Option<Timestamp>,
    payload: Payload,
}

proptest! {
    #[test]
    fn property_a_query_is_read_or_the_parameter_named(text in query_text()) {
        let caller = Caller { bot: "bot_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(), integration: None };
        let query = match Query::parse(&text) {
            Ok(query) => query,
            Err(error) => {
                let named = matches!(error, Error::InvalidQuery { .. });
                prop_assert!(named, "{error}");
                return Ok(());
            }
        };
        let asked = Asked::by(&caller, "", &query);
        let errors = [
            query.tags().err(),
            query.conversation().err(),
            query.users("participantIds").err(),
            query.dates().err(),
            query.sort().err(),
            List::MESSAGES.request(&asked).err(),
            ValueList::new(TagKind::User).request(&asked).err(),
        ];
        for error in errors.into_iter().flatten() {
            let Error::InvalidQuery { parameter, .. } = &error else {
                return Err(TestCaseError::fail(error.to_string()));
            };
            prop_assert!(!parameter.is_empty());
        }
    }

    #[test]
    fn property_tags_of_a_query_come_back_as_they_were_written(
        pairs in prop::collection::btree_map(matching(".{1,20}"), matching(".{0,20}"), 0..6),
    ) {
        let written: Vec<_> = pairs
            .iter()
            .map(|(name, value)| format!("tags.{}={}", encoded(name), encoded(value)))
            .collect();
        let query = Query::parse(&written.join("&"));
        let tags = query.and_then(|query| query.tags());
        prop_assert_eq!(tags, Ok(Tags::from_iter(pairs)));
    }

    #[test]
    fn property_percent_encoding_is_undone_once_or_refused(text in matching("\\PC{0,30}")) {
        let written = encoded(&text);
        let read = percent::decode(&written);
        prop_assert_eq!(read.as_deref(), Some(text.as_str()));
        if let Some(decoded) = percent::decode(&text) {
            prop_assert!(text.contains('%') || decoded == text);
        }
    }

    #[test]
    fn property_a_page_token_is_of_its_list_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..40),
        text in matching("\\PC{0,60}"),
        at in any::<i64>(),
        row in any::<i64>(),
        value in matching("[^\0]{1,40}"),
        mark in any::<Mark>(),
        another in any::<Mark>(),
        own in prop::sample::select(lists()),
        cut in any::<prop::sample::Index>(),
    ) {
        let cursor = Cursor { at, row };
        let random = URL_SAFE_NO_PAD.encode(&bytes);
        let token = own.encode(mark, cursor);
        for list in lists() {
            for wrong in [&random, &text] {
                // It is a token, letter for letter, or none.
                if let Some(found) = list.decode(mark, wrong) {
                    prop_assert_eq!(&list.encode(mark, found), wrong);
                }
            }
            prop_assert_eq!(list.decode(mark, &token), (list == own).then_some(cursor));
        }
        prop_assert_eq!(own.decode(another, &token), (mark == another).then_some(cursor));
        prop_assert_eq!(own.decode(mark, &token[..cut.index(token.len())]), None);
        for kind in TagKind::ALL {
            let list = ValueList::new(kind);
            for wrong in [&random, &text] {
                if let Some(found) = list.decode(mark, wrong) {
                    prop_assert_eq!(&list.encode(mark, &found), wrong);
                }
            }
            for other in TagKind::ALL {
                let expected = (kind == other).then(|| value.clone());
                prop_assert_eq!(ValueList::new(other).decode(mark, &list.encode(mark, &value)), expected);
            }
        }
    }

    #[test]
    fn property_bytes_are_a_body_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Err(error) = body::parse::<Sample>(&bytes) {
            let named = matches!(error, Error::InvalidPayload { .. });
            prop_assert!(named, "{error}");
        }
    }

    #[test]
    fn property_a_payload_is_kept_as_it_came_and_what_is_not_is_named(
        payload in json(),
        tags in json(),
        id in json(),
    ) {
        let text = format!(r#"{{"payload":{payload},"tags":{tags},"conversationId":{id}}}"#);
        match body::parse::<Sample>(text.as_bytes()) {
            Ok(sample) => {
                prop_assert_eq!(sample.payload.0.as_str(), payload.to_string());
                prop_assert!(sample.conversation_id.is_none() && sample.created_at.is_none());
                prop_assert!(sample.discriminate_by_tags.is_none() && tags.is_object());
                prop_assert_eq!(sample.tags.len(), tags.as_object().map_or(0, serde_json::Map::len));
            }
            Err(Error::InvalidPayload { field, .. }) => {
                let known = ["payload", "tags", "conversationId"];
                prop_assert!(known.iter().any(|name| field.starts_with(name)), "{field}");
            }
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        }
    }

    #[test]
    fn property_a_name_that_stands_twice_is_found_wherever_it_is(
        value in json(),
        name in matching("[a-z]{1,5}"),
        depth in 0..20_usize,
    ) {
        let twice = format!(r#"{{"{name}":{value},"{name}":1}}"#);
        let deep = format!("{}{twice}{}", r#"{"a":["#.repeat(depth), "]}".repeat(depth));
        let text = format!(r#"{{"payload":{{"x":{deep}}}}}"#);
        prop_assert!(body::parse::<Sample>(text.as_bytes()).is_err());
    }
}
