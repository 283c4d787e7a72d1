//! Events on their way to a bot.

use std::sync::Arc;

use async_trait::async_trait;
use switchboard_bots::{Bot, BotAnswer, BotEvent, BotFailure, BotReply};
use switchboard_engine::Engine;
use switchboard_integration::Lease;
use switchboard_model::{Event, Json, Result, StateKind, TagPatch};
use switchboard_store::{
    ClaimedDelivery, ConversationChange, Reply, SetState, StateKey, StateOwner, Subject,
};

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
        let memory = match self.memory(event).await {
            Ok(memory) => memory,
            Err(error) => {
                return Tried::Retry {
                    error: format!("the bot's memory cannot be read: {error}"),
                };
            }
        };
        let told = BotEvent::new((**event).clone(), delivery.attempt).with_memory(memory);
        match self.bot.handle(&told).await {
            Ok(answer) if !answer.is_empty() && event.conversation.is_none() => Tried::Permanent {
                error:
                    "the bot answered with messages, but this event belongs to no conversation; \
                        send them through the API to a conversation"
                        .to_owned(),
            },
            Ok(answer) => self.done(event, answer),
            Err(BotFailure::Wait { after, error }) => Tried::Wait { after, error },
            Err(BotFailure::Retry { error }) => Tried::Retry { error },
            Err(BotFailure::Permanent { error }) => Tried::Permanent { error },
        }
    }

    fn may_take_what_is_broken_off(&self, _: &ClaimedDelivery) -> bool {
        // A bot knows the event by its id when it comes again.
        false
    }
}

impl ToBots {
    /// Where the bot's memory of the event's conversation is kept, if it wants one.
    fn place(&self, event: &Event) -> Option<StateKey> {
        Some(StateKey {
            bot: event.bot,
            owner: StateOwner::Bot,
            kind: StateKind::Conversation,
            subject: event.conversation?.ulid(),
            name: self.bot.memory_name()?.to_owned(),
        })
    }

    async fn memory(&self, event: &Event) -> Result<Option<Json>> {
        let Some(key) = self.place(event) else {
            return Ok(None);
        };
        let now = self.engine.env().now();
        let state = self.engine.store().get_state(key, now).await?;
        Ok(state.map(|state| state.payload))
    }

    /// The answer as the store takes it: whole, with the completion, or not at all.
    fn done(&self, event: &Event, answer: BotAnswer) -> Tried {
        let state = answer.memory.and_then(|payload| {
            Some(SetState {
                id: self.engine.new_state_id(),
                key: self.place(event)?,
                payload,
                expiry: None,
                now: self.engine.env().now(),
            })
        });
        if let Some(state) = &state
            && let Err(error) = state.payload.check_payload()
        {
            return Tried::Permanent {
                error: format!("the bot's memory: {error}"),
            };
        }
        let tags = answer.tags;
        let change = (state.is_some() || !tags.is_empty())
            .then(|| Box::new(ConversationChange { state, tags }));
        Tried::Done {
            replies: answer
                .replies
                .into_iter()
                .map(|reply| self.with_ids(reply))
                .collect(),
            tags: TagPatch::new(),
            change,
        }
    }

    fn with_ids(&self, reply: BotReply) -> Reply {
        Reply {
            message: self.engine.new_message_id(),
            delivery: self.engine.new_delivery_id(),
            kind: reply.kind,
            payload: reply.payload,
        }
    }
}
