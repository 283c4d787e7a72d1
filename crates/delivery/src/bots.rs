//! Events on their way to a bot.

use std::sync::Arc;

use async_trait::async_trait;
use switchboard_bots::{Bot, BotEvent, BotFailure, BotReply};
use switchboard_engine::Engine;
use switchboard_integration::Lease;
use switchboard_model::TagPatch;
use switchboard_store::{ClaimedDelivery, Reply, Subject};

use crate::carrier::{Carrier, Tried};

pub(crate) struct ToBots {
    pub(crate) engine: Engine,
    pub(crate) bot: Arc<dyn Bot>,
}

#[async_trait]
impl Carrier for ToBots {
    async fn carry(&self, delivery: &ClaimedDelivery, _lease: Lease) -> Tried {
        let Subject::Event(event) = &delivery.subject else {
            return Tried::Permanent {
                error: "a message is in the bots' line; report this as a bug".to_owned(),
            };
        };
        let has_conversation = event.conversation.is_some();
        let event = BotEvent::new((**event).clone(), delivery.attempt);
        match self.bot.handle(&event).await {
            Ok(replies) if !replies.is_empty() && !has_conversation => Tried::Permanent {
                error:
                    "the bot answered with messages, but this event belongs to no conversation; \
                        send them through the API to a conversation"
                        .to_owned(),
            },
            Ok(replies) => Tried::Done {
                replies: replies
                    .into_iter()
                    .map(|reply| self.with_ids(reply))
                    .collect(),
                tags: TagPatch::new(),
            },
            Err(BotFailure::Wait { after, error }) => Tried::Wait { after, error },
            Err(BotFailure::Retry { error }) => Tried::Retry { error },
            Err(BotFailure::Permanent { error }) => Tried::Permanent { error },
        }
    }

    fn may_take_what_is_broken_off(&self) -> bool {
        // A bot knows the event by its id when it comes again.
        false
    }
}

impl ToBots {
    fn with_ids(&self, reply: BotReply) -> Reply {
        Reply {
            message: self.engine.new_message_id(),
            delivery: self.engine.new_delivery_id(),
            kind: reply.kind,
            payload: reply.payload,
        }
    }
}
