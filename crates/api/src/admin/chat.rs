//! The terminal's way in: the same ingest as any channel's.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::json;
use switchboard_engine::{ExternalThread, ExternalUser, IncomingMessage, Update, UpdateContent};
use switchboard_model::{ConversationId, Error, Json as Payload, Kind, MessageId, Tags};
use switchboard_store::Ingested;

use super::{Admin, BotQuery};
use crate::body::JsonBody;
use crate::error::ApiError;
use crate::query::Parameters;

/// Something typed at a terminal.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SayBody {
    thread: String,
    user: String,
    text: String,
    /// Made by the caller, so that a repeated request says it once.
    message: String,
}

#[derive(Serialize)]
pub(super) struct SayAnswer {
    conversation: ConversationId,
    message: MessageId,
    /// Its place in the conversation: answers come after it.
    seq: i64,
    created: bool,
}

pub(super) async fn say(
    State(admin): State<Admin>,
    Parameters(query): Parameters<BotQuery>,
    JsonBody(body): JsonBody<SayBody>,
) -> Result<Json<SayAnswer>, ApiError> {
    let bot = admin.bot(&query).await?;
    let integration = admin
        .engine
        .store()
        .list_integrations(bot)
        .await?
        .into_iter()
        .find(|found| found.platform == "terminal")
        .ok_or_else(|| Error::not_found(Kind::Integration, "terminal"))?;
    let update = Update {
        once: vec![
            "message".to_owned(),
            body.thread.clone(),
            body.message.clone(),
        ],
        content: UpdateContent::Message(IncomingMessage {
            thread: ExternalThread {
                known: None,
                channel: "terminal".to_owned(),
                id: body.thread,
                tags: Tags::new(),
                defaults: Tags::new(),
            },
            sender: ExternalUser {
                known: None,
                id: body.user.clone(),
                tags: Tags::new(),
                name: Some(body.user),
            },
            kind: "text".to_owned(),
            payload: Payload::from_serialize(&json!({ "text": body.text })).map_err(Error::from)?,
            tags: Tags::new().with("id", body.message),
        }),
    };
    let taken = admin
        .engine
        .ingest(&integration, vec![update], None)
        .await?;
    match taken.into_iter().next() {
        Some(Ingested::Message {
            message,
            conversation,
            conversation_created,
            ..
        }) => {
            let stored = admin.engine.store().get_message(bot, message).await?;
            Ok(Json(SayAnswer {
                seq: stored.map_or(0, |stored| stored.seq),
                conversation: conversation.id,
                message,
                created: conversation_created,
            }))
        }
        _ => Err(Error::AlreadyExists {
            field: "message".to_owned(),
            reason: "this message was taken before; give each one an id of its own".to_owned(),
        }
        .into()),
    }
}
