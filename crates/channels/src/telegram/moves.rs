//! Groups that become supergroups: found out by a message that could not be sent, and as a script
//! maps them.
//!
//! Promises: a script that has given the group a conversation is found to have given it to the
//! supergroup, in whichever order Telegram tells of it, and for each person by whom it divides a
//! group.

use switchboard_engine::inbound::ID_TAG;
use switchboard_engine::{Engine, ExternalThread, View, inbound};
use switchboard_integration::Context;
use switchboard_model::{Conversation, ConversationId, Error, Integration, Kind, Result, Tags};
use switchboard_script::{Failure, Mode, Origin, Script};
use switchboard_store::{Occupied, Rekey, Rekeyed};

use super::account::Account;
use super::mapping::{facts, place_tags};
use super::target::target;
use super::thread::Thread;

/// Gives the group's conversation the supergroup's identity. If messages from there have opened one
/// of their own, the two become one.
pub(super) async fn follow(
    engine: &Engine,
    integration: &Integration,
    conversation: &Conversation,
    chat: i64,
    is_scripted: bool,
) -> Result<()> {
    let old = conversation.tags.get(ID_TAG).unwrap_or_default();
    let place = target(&place_tags(is_scripted, &conversation.tags));
    if is_scripted && let Ok(was) = &place {
        note(engine, integration, &Thread::chat(chat), was).await?;
    }
    if !old.is_empty() && place.is_ok_and(|to| to.to_string() != old) {
        return stay(engine, integration, conversation.id, chat).await;
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
    id: ConversationId,
    chat: i64,
) -> Result<()> {
    let tags = Thread::supergroup(chat).tags;
    let tags = View::integration(&integration.alias).stored_tags(tags);
    let (bot, now) = (integration.bot, engine.env().now());
    let changed = engine.store().update_conversation(bot, id, tags, now);
    let changed = changed.await?;
    changed
        .map(drop)
        .ok_or_else(|| Error::not_found(Kind::Conversation, id))
}

/// Remembers which chat a chat was.
async fn note(
    engine: &Engine,
    integration: &Integration,
    chat: &Thread,
    was: &Thread,
) -> Result<()> {
    let (bot, id) = (integration.bot, integration.id);
    let (chat, was) = (chat.to_string(), was.to_string());
    engine.store().note_move(bot, id, &chat, &was).await
}

impl Account {
    /// Remembers that a thread had another name, for the script to be asked by both.
    pub(super) async fn note_move(&self, thread: &str, was: &str) -> Result<()> {
        let (bot, id) = (self.integration.bot, self.integration.id);
        self.engine.store().note_move(bot, id, thread, was).await
    }

    /// The conversation that the script gives a thread. Of a thread that moved it is asked by both
    /// names: what it has under the old one goes on, and two become one.
    pub(super) async fn conversation(
        &self,
        script: &Script,
        ctx: &Context,
        origin: &Origin,
        thread: &ExternalThread,
        mode: Mode,
    ) -> Result<Option<ConversationId>, Failure> {
        let (bot, id) = (self.integration.bot, self.integration.id);
        let was = self.engine.store().moved_from(bot, id, &thread.id).await;
        let Some(was) = was.map_err(Failure::Store)? else {
            let found = script.conversation(ctx, origin, &thread.id, mode).await?;
            return Ok(found.map(|found| found.id));
        };
        let before = Origin {
            thread: facts(&was, &with_chat(&thread.tags, &was)),
            ..origin.clone()
        };
        let old = script.conversation(ctx, &before, &was, Mode::Look).await?;
        let new = script.conversation(ctx, origin, &thread.id, Mode::Look);
        Ok(match (old, new.await?) {
            (Some(old), Some(new)) if old.id != new.id => {
                let united = self.unite(&old, new, thread).await;
                Some(united.map_err(Failure::Store)?)
            }
            (Some(found), _) | (None, Some(found)) => Some(found.id),
            (None, None) => {
                let newly = script.conversation(ctx, origin, &thread.id, mode).await?;
                newly.map(|newly| newly.id)
            }
        })
    }

    /// Two conversations of one chat become one, with the names of both.
    async fn unite(
        &self,
        old: &Conversation,
        new: Conversation,
        thread: &ExternalThread,
    ) -> Result<ConversationId> {
        let Some(name) = new.tags.get(ID_TAG) else {
            return Ok(new.id);
        };
        let named = ExternalThread {
            id: name.to_owned(),
            ..thread.clone()
        };
        let (identity, tags) = inbound::stored_identity(&self.integration, named)?;
        let command = Rekey {
            bot: self.integration.bot,
            conversation: old.id,
            tags,
            identity,
            occupied: Occupied::Merge,
            now: self.engine.env().now(),
        };
        Ok(
            match self.engine.store().rekey_conversation(command).await? {
                Rekeyed::Merged { survivor, .. } => survivor.id,
                Rekeyed::Rekeyed(found) | Rekeyed::Unchanged(found) => found.id,
                Rekeyed::Missing | Rekeyed::Occupied(_) => new.id,
            },
        )
    }

    /// What the script has for a chat that moved: what is sent there goes to the new chat from now on.
    pub(super) async fn settle(&self, conversation: ConversationId, chat: &str) -> Result<()> {
        match chat.parse() {
            Ok(chat) => stay(&self.engine, &self.integration, conversation, chat).await,
            Err(_) => Ok(()),
        }
    }
}

fn with_chat(tags: &Tags, chat: &str) -> Tags {
    let mut tags = tags.clone();
    tags.insert("chatId", chat);
    tags
}
