//! What integrations bring in: a message with all that it belongs to, and history.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use switchboard_engine::Engine;
use switchboard_engine::conversations::ConversationInput;
use switchboard_engine::incoming::{Initial, InitialInput, Named, PastInput, Said};
use switchboard_engine::users::UserInput;
use switchboard_engine::wire::{WireConversation, WireMessage, WireUser, schema};
use switchboard_model::{ConversationId, Error, Result, Tags, Timestamp};
use utoipa::ToSchema;

use super::Answer;
use super::messages::Origin;
use crate::body::{JsonBody, UserRef, tags};
use crate::caller::Authenticated;
use crate::payload::Payload;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct InitializeBody {
    #[schema(value_type = Option<schema::UserId>)]
    user_id: Option<UserRef>,
    #[schema(inline)]
    user: Option<UserBody>,
    #[schema(value_type = Option<schema::ConversationId>)]
    conversation_id: Option<ConversationId>,
    #[schema(inline)]
    conversation: Option<ConversationBody>,
    #[schema(inline)]
    message: Option<SaidBody>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UserBody {
    #[serde(default, deserialize_with = "tags")]
    #[schema(value_type = schema::TagPatch)]
    tags: Tags,
    name: Option<String>,
    picture_url: Option<String>,
    integration_name: Option<String>,
    discriminate_by_tags: Vec<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ConversationBody {
    #[schema(value_type = schema::Name)]
    channel: String,
    #[serde(default, deserialize_with = "tags")]
    #[schema(value_type = schema::TagPatch)]
    tags: Tags,
    integration_name: Option<String>,
    discriminate_by_tags: Vec<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SaidBody {
    #[serde(rename = "type")]
    #[schema(value_type = schema::Name)]
    kind: String,
    #[schema(value_type = schema::Payload)]
    payload: Payload,
    #[serde(default, deserialize_with = "tags")]
    #[schema(value_type = schema::TagPatch)]
    tags: Tags,
    #[schema(value_type = Option<schema::Origin>)]
    origin: Option<Origin>,
    discriminate_by_tags: Vec<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportBody {
    #[schema(inline, max_items = 100)]
    messages: Vec<PastBody>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PastBody {
    #[schema(value_type = schema::ConversationId)]
    conversation_id: ConversationId,
    #[schema(value_type = schema::UserId)]
    user_id: UserRef,
    #[schema(value_type = schema::Time)]
    created_at: Timestamp,
    #[serde(rename = "type")]
    #[schema(value_type = schema::Name)]
    kind: String,
    #[schema(value_type = schema::Payload)]
    payload: Payload,
    #[serde(default, deserialize_with = "tags")]
    #[schema(value_type = schema::TagPatch)]
    tags: Tags,
    #[schema(value_type = Option<schema::Origin>)]
    origin: Option<Origin>,
    discriminate_by_tags: Vec<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Initialized {
    user: WireUser,
    conversation: WireConversation,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = WireMessage, required = false)]
    message: Option<WireMessage>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Imported {
    messages: Vec<WireMessage>,
}

impl InitializeBody {
    fn read(self) -> Result<InitialInput> {
        let user = self.user.map(|user| {
            let input = UserInput {
                tags: user.tags,
                name: user.name,
                picture_url: user.picture_url,
                integration: user.integration_name,
            };
            (input, user.discriminate_by_tags)
        });
        let conversation = self.conversation.map(|conversation| {
            let input = ConversationInput {
                channel: conversation.channel,
                tags: conversation.tags,
                integration: conversation.integration_name,
            };
            (input, conversation.discriminate_by_tags)
        });
        Ok(InitialInput {
            user: one("userId", "user", self.user_id.map(|user| user.0), user)?,
            conversation: one(
                "conversationId",
                "conversation",
                self.conversation_id,
                conversation,
            )?,
            message: self.message.map(SaidBody::read),
        })
    }
}

/// Exactly one of two ways to name something.
fn one<I, T>(
    id_field: &str,
    field: &str,
    id: Option<I>,
    named: Option<(T, Vec<String>)>,
) -> Result<Named<I, T>> {
    match (id, named) {
        (Some(id), None) => Ok(Named::Id(id)),
        (None, Some((input, by))) => Ok(Named::Tags(input, by)),
        (Some(_), Some(_)) => Err(Error::invalid(
            id_field,
            format!("expected either {id_field} or {field}, and not both"),
        )),
        (None, None) => Err(Error::invalid(
            id_field,
            format!("expected either {id_field} or {field}"),
        )),
    }
}

impl SaidBody {
    fn read(self) -> Said {
        Said {
            kind: self.kind,
            payload: self.payload.0,
            tags: self.tags,
            synthetic: matches!(self.origin, Some(Origin::Synthetic)),
            by: self.discriminate_by_tags,
        }
    }
}

impl PastBody {
    fn read(self) -> PastInput {
        PastInput {
            conversation: self.conversation_id,
            user: self.user_id.0,
            said: Said {
                kind: self.kind,
                payload: self.payload.0,
                tags: self.tags,
                synthetic: matches!(self.origin, Some(Origin::Synthetic)),
                by: self.discriminate_by_tags,
            },
            said_at: self.created_at,
        }
    }
}

/// Finds or makes a user, a conversation and a message of the user in it, all in one.
///
/// User and conversation are named by an id or by tags that identify. The bot is told of a new
/// message, once. For integrations only.
#[utoipa::path(
    post,
    path = "/initialize-incoming-message",
    operation_id = "initializeIncomingMessage",
    tag = "messages",
    request_body = inline(InitializeBody),
    responses((status = 200, body = inline(Initialized), description = "Done."))
)]
pub(super) async fn initialize(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    JsonBody(body): JsonBody<InitializeBody>,
) -> Answer<Initialized> {
    let Initial {
        user,
        conversation,
        message,
    } = engine.initialize_incoming(&caller, body.read()?).await?;
    Ok(Json(Initialized {
        user,
        conversation,
        message,
    }))
}

/// Stores messages that were said before, as far as they are not there yet. Nobody is told.
#[utoipa::path(
    post,
    path = "/messages/import-messages",
    operation_id = "importMessages",
    tag = "messages",
    request_body = inline(ImportBody),
    responses((status = 200, body = inline(Imported), description = "In the order of the request."))
)]
pub(super) async fn import(
    State(engine): State<Engine>,
    Authenticated(caller): Authenticated,
    JsonBody(body): JsonBody<ImportBody>,
) -> Answer<Imported> {
    let inputs = body.messages.into_iter().map(PastBody::read).collect();
    let messages = engine.import_messages(&caller, inputs).await?;
    Ok(Json(Imported { messages }))
}
