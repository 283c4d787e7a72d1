//! Threads and people as a script maps them.
//!
//! Promises: an update is lost for no fault of the script's. A failing script is asked once
//! more; then the update is kept as the event `unmapped`, with its text and the reason, for
//! `replay.rs`, and the next is taken. An update that was taken before does not reach the script.
//! What never happens here: a conversation opened by anything but something said.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use switchboard_engine::{ExternalNews, ExternalThread, ExternalUser, Update, UpdateContent};
use switchboard_integration::Context;
use switchboard_model::{Result, Tags};
use switchboard_script::{Failure, Mode, Origin, Script};

use super::CHANNEL;
use super::account::Account;
use super::guest;
use super::inbound;
use super::target::{UnknownTarget, target};
use super::thread::Thread;

/// How long a failing script is left alone before it is asked once more. Short, since all others of
/// the account wait.
const PAUSE: Duration = Duration::from_millis(250);

/// The tags that say where an answer goes. Where a conversation has several threads, those of the
/// last one count, all together.
const PLACE: [&str; 6] = [
    "chatId",
    "threadId",
    "directMessagesTopicId",
    "businessConnectionId",
    guest::QUERY,
    guest::ANSWER,
];

/// How often an update is mapped anew because what it was mapped to is gone.
pub(super) const TRIES: usize = 3;

/// A script, and how it is.
pub(super) struct Mapping {
    script: Script,
    /// Whether it failed at the last update to the end: then the next is tried once, so that a
    /// script that always fails does not hold up each of them.
    failing: AtomicBool,
}

impl Mapping {
    pub(super) fn new(script: Script) -> Self {
        Self {
            script,
            failing: AtomicBool::new(false),
        }
    }
}

impl Account {
    /// The update with what the script says of it. Without a script it stays as it is. An error is
    /// the store's: nothing is decided then.
    pub(super) async fn mapped(&self, raw: &str, update: &Update) -> Result<Update> {
        let Some(mapping) = &self.mapping else {
            return Ok(update.clone());
        };
        if self.engine.is_taken(&self.integration, update).await? {
            return Ok(update.clone());
        }
        let mut again = !mapping.failing.load(Ordering::Relaxed);
        loop {
            match self.place(mapping, raw, update).await {
                Ok(placed) => {
                    mapping.failing.store(false, Ordering::Relaxed);
                    self.condition.maps();
                    return Ok(placed);
                }
                Err(Failure::Store(error)) => return Err(error),
                Err(Failure::Script(reason)) => {
                    self.condition.cannot_map(&self.integration.alias);
                    if std::mem::take(&mut again) {
                        tokio::time::sleep(PAUSE).await;
                    } else {
                        mapping.failing.store(true, Ordering::Relaxed);
                        return Ok(inbound::unmapped(update, raw, &reason));
                    }
                }
            }
        }
    }

    /// The update with what the script says of it, asked once.
    pub(super) async fn placed(&self, raw: &str, update: &Update) -> Result<Update, Failure> {
        match &self.mapping {
            Some(mapping) => self.place(mapping, raw, update).await,
            None => Ok(update.clone()),
        }
    }

    async fn place(
        &self,
        mapping: &Mapping,
        raw: &str,
        update: &Update,
    ) -> Result<Update, Failure> {
        let mut update = update.clone();
        leave_to_script(&mut update);
        let moved = match &update.content {
            UpdateContent::Event(event) => event.thread.as_ref().zip(event.moved_from.as_ref()),
            _ => None,
        };
        let moved_to = moved.map(|(thread, _)| thread.id.clone());
        if let Some((thread, was)) = moved {
            let noted = self.note_move(&thread.id, was).await;
            noted.map_err(Failure::Store)?;
        }
        let (thread, sender, mode) = match &mut update.content {
            UpdateContent::Message(message) => {
                let (thread, sender) = (&mut message.thread, &mut message.sender);
                (Some(thread), Some(sender), Mode::Open)
            }
            UpdateContent::Event(event) => {
                (event.thread.as_mut(), event.sender.as_mut(), Mode::Look)
            }
            UpdateContent::Unmapped(_) => (None, None, Mode::Look),
        };
        let ctx = Context::new(self.engine.clone(), self.integration.clone(), CHANNEL);
        let origin = Origin {
            thread: thread.as_deref().map_or(Value::Null, thread_facts),
            sender: sender.as_deref().map_or(Value::Null, sender_facts),
            update: serde_json::from_str(raw).unwrap_or_default(),
        };
        let script = &mapping.script;
        let mut nowhere = false;
        let origins = (thread.as_deref().cloned(), origin.clone());
        if let Some(thread) = thread {
            thread.known = self
                .conversation(script, &ctx, &origin, thread, mode)
                .await?;
            nowhere = thread.known.is_none();
            if let (Some(conversation), Some(chat)) = (thread.known, &moved_to) {
                let settled = self.settle(conversation, chat).await;
                settled.map_err(Failure::Store)?;
            }
            for tag in PLACE {
                if thread.tags.get(tag).is_none() {
                    thread.tags.insert(tag, "");
                }
            }
        }
        if let Some(sender) = sender.filter(|_| script.maps_users()) {
            let user = script.user(&ctx, &origin, &sender.id).await?;
            sender.known = Some(user.id);
        }
        if let UpdateContent::Event(event) = &mut update.content {
            if let (Some(news), (Some(thread), origin)) = (&mut event.news, origins) {
                self.members(script, &ctx, &origin, &thread, news).await?;
            }
            if nowhere {
                event.thread = None;
            }
        }
        Ok(update)
    }

    /// What the script says of those who joined a chat or left it: who they are, and where who joined
    /// takes part. It is asked for each as if they had caused the update, for it may divide a chat by
    /// person.
    async fn members(
        &self,
        script: &Script,
        ctx: &Context,
        origin: &Origin,
        thread: &ExternalThread,
        news: &mut ExternalNews,
    ) -> Result<(), Failure> {
        let by = |who: &ExternalUser| Origin {
            sender: sender_facts(who),
            ..origin.clone()
        };
        for member in &mut news.joined {
            let origin = by(&member.who);
            member.into = self
                .conversation(script, ctx, &origin, thread, Mode::Look)
                .await?;
        }
        if !script.maps_users() {
            return Ok(());
        }
        let joined = news.joined.iter_mut().map(|member| &mut member.who);
        for who in joined.chain(&mut news.left) {
            let user = script.user(ctx, &by(who), &who.id).await?;
            who.known = Some(user.id);
        }
        Ok(())
    }

    /// Where a conversation's messages go. The id that a script gives a conversation names no
    /// place, unless it is all there is.
    pub(super) fn target(&self, tags: &Tags) -> Result<Thread, UnknownTarget> {
        target(&place_tags(self.mapping.is_some(), tags))
    }
}

/// The tags that name a conversation's place.
pub(super) fn place_tags(is_scripted: bool, tags: &Tags) -> Tags {
    let all = tags.iter();
    if is_scripted && tags.get("chatId").is_some() {
        return all.filter(|(name, _)| *name != "id").collect();
    }
    all.collect()
}

/// What conversations are is the script's to say: none of its own gets tags by what Telegram tells of a
/// chat, nor is found by the chat that its last message came from, but for who takes part in it.
fn leave_to_script(update: &mut Update) {
    match &mut update.content {
        UpdateContent::Message(message) => message.thread.defaults = Tags::new(),
        UpdateContent::Event(event) => {
            event.about = None;
            event.tags = Tags::new();
            event.news = event.news.take().and_then(|mut news| {
                news.tags = Tags::new();
                news.decided = true;
                (!news.joined.is_empty() || !news.left.is_empty()).then_some(news)
            });
        }
        UpdateContent::Unmapped(_) => {}
    }
}

fn thread_facts(thread: &ExternalThread) -> Value {
    facts(&thread.id, &thread.tags)
}

fn sender_facts(sender: &ExternalUser) -> Value {
    let mut facts = facts(&sender.id, &sender.tags);
    facts["name"] = json!(sender.name);
    facts
}

pub(super) fn facts(id: &str, tags: &Tags) -> Value {
    let mut facts = json!(tags);
    facts["id"] = id.into();
    facts
}
