//! Groups that become supergroups, found out by a message that could not be sent.

use switchboard_engine::inbound::ID_TAG;
use switchboard_engine::{Engine, View, inbound};
use switchboard_model::{Conversation, Error, Integration, Kind, Result};
use switchboard_store::{Occupied, Rekey, Rekeyed};

use super::target::target;
use super::thread::Thread;

/// Gives the group's conversation the supergroup's identity. If messages from there have opened one
/// of their own, the two become one.
pub(super) async fn follow(
    engine: &Engine,
    integration: &Integration,
    conversation: &Conversation,
    chat: i64,
) -> Result<()> {
    let old = conversation.tags.get(ID_TAG).unwrap_or_default();
    if !old.is_empty() && target(&conversation.tags).is_ok_and(|to| to.to_string() != old) {
        return stay(engine, integration, conversation, chat).await;
    }
    let (identity, tags) = inbound::stored_identity(integration, Thread::supergroup(chat))?;
    let command = Rekey {
        bot: integration.bot,
        conversation: conversation.id,
        tags,
        identity,
        occupied: Occupied::Merge,
        now: engine.env().now(),
    };
    match engine.store().rekey_conversation(command).await? {
        Rekeyed::Rekeyed(_) | Rekeyed::Unchanged(_) | Rekeyed::Merged { .. } => Ok(()),
        Rekeyed::Missing | Rekeyed::Occupied(_) => {
            Err(Error::not_found(Kind::Conversation, conversation.id))
        }
    }
}

/// Something else than the chat decides what the conversation is: it keeps its identity, and learns
/// where to send.
async fn stay(
    engine: &Engine,
    integration: &Integration,
    conversation: &Conversation,
    chat: i64,
) -> Result<()> {
    let tags = Thread::supergroup(chat).tags;
    let tags = View::integration(&integration.alias).stored_tags(tags);
    let (bot, id, now) = (integration.bot, conversation.id, engine.env().now());
    let changed = engine.store().update_conversation(bot, id, tags, now);
    let changed = changed.await?;
    changed
        .map(drop)
        .ok_or_else(|| Error::not_found(Kind::Conversation, id))
}
