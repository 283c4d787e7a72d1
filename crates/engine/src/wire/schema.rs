//! The schemas of values whose types know nothing of documents: ids, times, tags, payloads, words.
//! Each is a component under its name in the OpenAPI document; a field names one with
//! `#[schema(value_type = schema::MessageId)]`.
//!
//! What never happens here: a rule that is only written down. What a schema says is checked where
//! the value is read; the tests call a running server and compare.

use std::borrow::Cow;

use switchboard_model::Tags as ModelTags;
use utoipa::openapi::schema::{
    AdditionalProperties, ObjectBuilder, Schema as OpenApiSchema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{KnownFormat, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::check::NAME_LIMIT;

macro_rules! schemas {
    ($($(#[doc = $doc:literal])* $name:ident = $builder:expr;)*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug)]
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<OpenApiSchema> {
                let description = concat!($($doc),*).trim();
                $builder.description(Some(description)).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )*};
}

schemas! {
    /// The id of a bot.
    BotId = id("bot");
    /// The id of a conversation.
    ConversationId = id("conv");
    /// The id of a user. The user that stands for the bot has the bot's id.
    UserId = id("(user|bot)");
    /// The id of a message.
    MessageId = id("msg");
    /// The id of a workflow.
    WorkflowId = id("wflow");
    /// The id of an event.
    EventId = id("evt");
    /// The id of a state.
    StateId = id("state");
    /// A point in time: RFC 3339, UTC, milliseconds.
    Time = text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    /// A JSON object. It is kept as it came, digit for digit; at most 131072 bytes.
    Payload = object().additional_properties(Some(AdditionalProperties::FreeForm(true)));
    /// Tags, by name. An integration sees its own names bare, a bot sees them as `<alias>:<name>`.
    Tags = object().additional_properties(Some(text().max_length(Some(ModelTags::VALUE_LIMIT))));
    /// Tags to set, by name; an empty text or `null` unsets one. Neither may hold a NUL.
    TagPatch = object()
        .max_properties(Some(ModelTags::COUNT_LIMIT))
        .property_names(Some(
            text().min_length(Some(1)).max_length(Some(ModelTags::NAME_LIMIT)),
        ))
        .additional_properties(Some(
            text()
                .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
                .max_length(Some(ModelTags::VALUE_LIMIT)),
        ));
    /// A name or type: 1 to 200 characters without NUL.
    Name = text().min_length(Some(1)).max_length(Some(NAME_LIMIT));
    /// Whether a message came from the channel or goes to it.
    Direction = words(&["incoming", "outgoing"]);
    /// How far an outgoing message has got.
    DeliveryStatus = words(&["scheduled", "queued", "sent", "failed", "uncertain"]);
    /// How far an event has got.
    EventStatus = words(&["pending", "processed", "ignored", "failed", "scheduled", "canceled"]);
    /// What a state belongs to.
    StateType = words(&["conversation", "user", "bot", "integration", "workflow"]);
    /// What has tags whose values are listed.
    TagType = words(&["conversation", "user", "message"]);
    /// How far a workflow has got.
    WorkflowStatus = words(&[
        "pending", "in_progress", "listening", "paused", "completed", "failed", "timedout", "cancelled",
    ]);
    /// Who said it, if not a person or the bot: a program in a person's name.
    Origin = words(&["synthetic"]);
}

/// How the delivery of an outgoing message stands. Not part of the official API.
#[derive(Debug, ToSchema)]
pub struct Delivery {
    /// The state it is in.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub attempts: u32,
    /// The channel's last words about it.
    #[schema(required = true)]
    pub error: Option<String>,
    /// How many of the tries may have been taken without our knowing; left out where none were.
    #[schema(required = false)]
    pub uncertain: u32,
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn object() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Object)
}

fn id(prefix: &str) -> ObjectBuilder {
    text().pattern(Some(format!("^{prefix}_[0-7][0-9A-HJKMNP-TV-Z]{{25}}$")))
}

fn words(words: &[&str]) -> ObjectBuilder {
    text().enum_values(Some(words.iter().copied()))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use switchboard_model::Json;
    use switchboard_model::{
        DeliveryStatus as S, Direction as D, EventStatus as E, StateKind as K,
    };

    use super::*;

    fn schema<T: PartialSchema>() -> Value {
        serde_json::to_value(T::schema()).unwrap()
    }

    #[test]
    fn words_are_spelled_as_the_model_writes_them() {
        let written = serde_json::json!([
            [D::Incoming, D::Outgoing],
            [S::Scheduled, S::Queued, S::Sent, S::Failed, S::Uncertain],
            [
                E::Pending,
                E::Processed,
                E::Ignored,
                E::Failed,
                E::Scheduled,
                E::Canceled
            ],
            [
                K::Conversation,
                K::User,
                K::Bot,
                K::Integration,
                K::Workflow
            ],
        ]);
        let described = [
            schema::<Direction>(),
            schema::<DeliveryStatus>(),
            schema::<EventStatus>(),
            schema::<StateType>(),
        ];
        assert_eq!(
            written,
            Value::from(described.map(|schema| schema["enum"].clone()).to_vec())
        );
    }

    #[test]
    fn prefixes_are_those_of_the_model() {
        use switchboard_model as model;
        for (schema, prefix) in [
            (schema::<BotId>(), model::BotId::PREFIX),
            (schema::<ConversationId>(), model::ConversationId::PREFIX),
            (schema::<MessageId>(), model::MessageId::PREFIX),
            (schema::<WorkflowId>(), model::WorkflowId::PREFIX),
            (schema::<EventId>(), model::EventId::PREFIX),
            (schema::<StateId>(), model::StateId::PREFIX),
        ] {
            let pattern = schema["pattern"].as_str().unwrap();
            assert!(pattern.starts_with(&format!("^{prefix}_")), "{pattern}");
        }
        let text = format!("{} bytes", Json::PAYLOAD_LIMIT);
        let payload = schema::<Payload>();
        assert!(payload["description"].as_str().unwrap().contains(&text));
    }
}
