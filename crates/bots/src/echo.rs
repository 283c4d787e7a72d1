//! The built-in bot: it says what it is told.

use async_trait::async_trait;
use serde::Deserialize;
use switchboard_model::{EventPayload, Message};

use crate::{Bot, BotAnswer, BotEvent, BotFailure, BotReply};

/// Answers each incoming text with the same text, and each other message with a text that names
/// its type. Other events it only takes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Echo;

#[async_trait]
impl Bot for Echo {
    async fn handle(&self, event: &BotEvent) -> Result<BotAnswer, BotFailure> {
        let EventPayload::MessageCreated(subject) = &event.event().payload else {
            return Ok(BotAnswer::default());
        };
        Ok(vec![answer(&subject.0)].into())
    }
}

fn answer(message: &Message) -> BotReply {
    #[derive(Deserialize)]
    struct Text {
        text: String,
    }
    match message.payload.read::<Text>() {
        Ok(Text { text }) if message.kind == "text" && !text.is_empty() => BotReply::text(&text),
        _ => BotReply::text(&format!(
            "I can only echo texts; this message is of the type {}.",
            message.kind
        )),
    }
}

#[cfg(test)]
mod tests {
    use switchboard_model::{
        ConversationId, Direction, Json, MessageId, Tags, Timestamp, UserId, ids::Ulid,
    };

    use super::*;

    fn answered(kind: &str, payload: &str) -> String {
        let message = Message {
            id: MessageId::new(Ulid(1)),
            conversation: ConversationId::new(Ulid(2)),
            user: UserId::new(Ulid(3)),
            direction: Direction::Incoming,
            kind: kind.to_owned(),
            payload: Json::parse(payload).unwrap(),
            tags: Tags::new(),
            synthetic: false,
            seq: 1,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            delivery: None,
        };
        answer(&message).payload.as_str().to_owned()
    }

    #[test]
    fn a_text_comes_back_and_anything_else_is_named() {
        assert_eq!(
            answered("text", r#"{"text":"a \"b\" \n ü","more":1}"#),
            r#"{"text":"a \"b\" \n ü"}"#
        );
        for (kind, payload) in [
            ("image", r#"{"imageUrl":"x"}"#),
            ("text", r#"{"text":""}"#),
            ("text", "{}"),
        ] {
            assert!(answered(kind, payload).contains(&format!("type {kind}")));
        }
    }
}
