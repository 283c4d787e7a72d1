//! What channels bring in. The hot path: nothing is written that is as it should be already.
//!
//! Most updates belong to a thread and a sender that are known and unchanged. Those need no lock of
//! their scope: they are found, their conversation's row is locked, and what was found is checked
//! again under that lock. If it has moved meanwhile, the batch begins again with the scope's lock.

use async_trait::async_trait;
use ring::digest;
use switchboard_model::{
    BotId, Conversation, ConversationId, Direction, Error, EventId, IntegrationId, Kind, MessageId,
    Result, Tags, Timestamp, User, UserId,
};
use switchboard_store::{
    About, Batch, Inbound, InboundContent, InboundEvent, InboundMessage, IngestStore, Ingested,
    NewUser, Once, PollPosition, Sender, Taken, Thread,
};
use tokio_postgres::Row;

use crate::connection::{Connection, Id};
use crate::failure::{Done, Failure};
use crate::missing::not_served;
use crate::outbox::storable;
use crate::rows::{self, ConversationRow, Numbered};
use crate::tags::{Surplus, fitting};
use crate::writer::{IdentityScope, Tx};
use crate::{PostgresStore, conversation, event, message, user};

const SEEN: &str = "SELECT EXISTS (SELECT 1 FROM message WHERE once = $1)
    OR EXISTS (SELECT 1 FROM event WHERE once = $1)
    OR EXISTS (SELECT 1 FROM once_kept WHERE key = $1)";
const TAKEN_MESSAGE: &str = "SELECT m.public, c.public, u.public FROM message m
    LEFT JOIN conversation c ON c.id = m.conversation AND c.deleted_at IS NULL
    LEFT JOIN users u ON u.id = m.user_id AND u.deleted_at IS NULL
    WHERE m.once = $1";
const TAKEN_EVENT: &str = "SELECT e.public, c.public, u.public FROM event e
    LEFT JOIN conversation c ON c.id = e.conversation AND c.deleted_at IS NULL
    LEFT JOIN users u ON u.id = e.user_id AND u.deleted_at IS NULL
    WHERE e.once = $1";
const SET_POSITION: &str = "INSERT INTO poll_position (integration, account, next, at)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (integration, account) DO UPDATE SET next = $3, at = $4";
const POSITION: &str = "SELECT p.next, p.at FROM poll_position p
    JOIN integration i ON i.id = p.integration WHERE i.public = $1 AND p.account = $2";
const INTEGRATION: &str = "SELECT id FROM integration WHERE public = $1";

/// A batch with its numbers looked up.
struct Intake<'a> {
    batch: &'a Batch,
    bot: i64,
    integration: i64,
    /// Whether identities may be changed.
    locked: bool,
}

async fn ingest(tx: &mut Tx, batch: &Batch) -> Done<Vec<Ingested>> {
    let decided = |item: &Inbound| {
        let (thread, sender) = ends(item);
        thread.is_some_and(|thread| thread.known.is_some())
            || sender.is_some_and(|sender| sender.known.is_some())
    };
    if batch.items.iter().any(decided) {
        return Err(not_served("scripts of integrations").into());
    }
    let mut intake = Intake {
        batch,
        bot: rows::known_bot(tx, batch.bot).await?,
        integration: rows::known_integration(tx, batch.bot, batch.integration).await?,
        locked: false,
    };
    let known = if tx.careful {
        None
    } else {
        intake.settled(tx).await?
    };
    if known.is_none() {
        tx.lock_scope(IdentityScope::Integration(intake.integration))
            .await?;
        intake.locked = true;
    }
    let known = match known {
        Some(known) => known,
        None => intake.conversations(tx).await?,
    };
    conversation::lock_rows(tx, known).await?;
    let mut done = Vec::with_capacity(batch.items.len());
    for item in &batch.items {
        done.push(intake.take(tx, item).await?);
    }
    if let Some(position) = &batch.position {
        write_position(tx, intake.integration, position, batch.now).await?;
    }
    Ok(done)
}

impl Intake<'_> {
    /// The conversations of the batch, if it would change no identity.
    async fn settled(&self, tx: &Tx) -> Done<Option<Vec<i64>>> {
        let mut known = Vec::new();
        for item in &self.batch.items {
            let (thread, sender) = ends(item);
            if let Some(thread) = thread {
                let makes = matches!(item.content, InboundContent::Message(_));
                match self.find(tx, thread).await? {
                    Some(row) if !makes || Self::has_no_news(&row, thread) => known.push(row.id),
                    None if !makes => {}
                    _ => return Ok(None),
                }
            }
            if let Some(sender) = sender {
                let found = user::find(tx, self.user_scope(), &sender.identity).await?;
                if !found.is_some_and(|user| is_settled(&user.value, sender)) {
                    return Ok(None);
                }
            }
        }
        Ok(Some(known))
    }

    /// The conversations that the batch will find, to be locked in order.
    async fn conversations(&self, tx: &Tx) -> Done<Vec<i64>> {
        let mut known = Vec::new();
        for item in &self.batch.items {
            if let Some(thread) = ends(item).0 {
                known.extend(self.find(tx, thread).await?.map(|row| row.id));
            }
        }
        Ok(known)
    }

    async fn find(&self, tx: &Tx, thread: &Thread) -> Done<Option<ConversationRow>> {
        if thread.identity.is_empty() {
            return Ok(None);
        }
        conversation::find(tx, self.scope(&thread.channel), &thread.identity).await
    }

    fn has_no_news(row: &ConversationRow, thread: &Thread) -> bool {
        let tags = fitting(&thread.identity, &thread.tags);
        let news = conversation::news(row, &thread.identity, &tags);
        !row.value.tags.clone().merge_fitting(&news)
    }

    async fn take(&self, tx: &mut Tx, item: &Inbound) -> Done<Ingested> {
        let once = item.once.map(|key| scoped(self.batch.integration, key));
        // After the locks: whoever brings the same update meanwhile holds one of them, or runs into
        // the unique index and looks again.
        if let Some(once) = once
            && tx.sure(SEEN, &[&Id(once)]).await?
        {
            return Ok(Ingested::Duplicate);
        }
        match &item.content {
            InboundContent::Message(new) => self.message(tx, item, new, once).await,
            InboundContent::Event(new) => self.event(tx, item, new, once).await,
            InboundContent::Unmapped(_) => Err(not_served("scripts of integrations").into()),
        }
    }

    async fn message(
        &self,
        tx: &mut Tx,
        item: &Inbound,
        new: &InboundMessage,
        once: Option<[u8; 16]>,
    ) -> Done<Ingested> {
        let now = self.batch.now;
        if new.thread.identity.is_empty() {
            return Err(conversation::no_identity().into());
        }
        if !new.thread.defaults.is_empty() {
            return Err(not_served("what is told of chats as a whole").into());
        }
        let (mut conversation, conversation_created) = self.thread(tx, &new.thread).await?;
        let (user, user_created) = self.sender(tx, &new.sender).await?;
        let draft = message::Draft {
            id: new.id,
            user: user.id,
            direction: Direction::Incoming,
            kind: &new.kind,
            payload: &new.payload,
            tags: &fitting(&Tags::new(), &new.tags),
            synthetic: false,
            once,
            now,
        };
        let message = message::insert(tx, &mut conversation, draft).await?;
        let message = (message, new.id);
        message::announce(tx, &conversation, user.id, message, item.delivery, now).await?;
        Ok(Ingested::Message {
            message: new.id,
            event: EventId::from(new.id),
            conversation: conversation.value,
            conversation_created,
            user: user.value.id,
            user_created,
        })
    }

    /// The conversation of a thread with its row locked, made if need be. Tells whether it is new.
    async fn thread(&self, tx: &Tx, thread: &Thread) -> Done<(ConversationRow, bool)> {
        if self.locked {
            return conversation::find_or_insert(
                tx,
                self.scope(&thread.channel),
                thread.id,
                &thread.identity,
                &fitting(&thread.identity, &thread.tags),
                Surplus::LeaveOut,
                self.batch.now,
            )
            .await;
        }
        let found = self.find(tx, thread).await?.ok_or(Failure::Moved)?;
        let row = conversation::lock_number(tx, found.id)
            .await?
            .ok_or(Failure::Moved)?;
        if row.is_known_by(&thread.identity) && Self::has_no_news(&row, thread) {
            Ok((row, false))
        } else {
            Err(Failure::Moved)
        }
    }

    async fn event(
        &self,
        tx: &mut Tx,
        item: &Inbound,
        new: &InboundEvent,
        once: Option<[u8; 16]>,
    ) -> Done<Ingested> {
        if new.moved_from.is_some() {
            return Err(not_served("threads that move").into());
        }
        if new.edit.is_some() {
            return Err(not_served("edits of messages").into());
        }
        if new.about.is_some() || new.news.is_some() || !new.tags.is_empty() {
            return Err(not_served("what is told of chats as a whole").into());
        }
        let conversation = match &new.thread {
            Some(thread) => match self.find(tx, thread).await? {
                Some(found) => Some(
                    conversation::lock_number(tx, found.id)
                        .await?
                        .ok_or(Failure::Moved)?,
                ),
                None => None,
            },
            None => None,
        };
        let user = match &new.sender {
            Some(sender) => Some(self.sender(tx, sender).await?.0.id),
            None => None,
        };
        let draft = event::Draft {
            id: item.event,
            delivery: item.delivery,
            bot: self.bot,
            kind: &new.kind,
            payload: Some(&new.payload),
            conversation: conversation.as_ref().map(|row| row.id),
            user,
            message: None,
            once,
            now: self.batch.now,
        };
        event::insert(tx, &draft).await?;
        Ok(Ingested::Event {
            event: item.event,
            conversation: conversation.map(|row| row.value.id),
        })
    }

    fn scope<'a>(&self, channel: &'a str) -> conversation::Scope<'a> {
        conversation::Scope {
            bot: self.bot,
            integration: self.integration,
            channel,
        }
    }

    fn user_scope(&self) -> user::Scope {
        user::Scope {
            bot: self.bot,
            integration: Some(self.integration),
        }
    }

    async fn sender(&self, tx: &Tx, sender: &Sender) -> Done<(Numbered<User>, bool)> {
        if sender.identity.is_empty() {
            return Err(conversation::no_identity().into());
        }
        if !self.locked {
            let found = user::find(tx, self.user_scope(), &sender.identity).await?;
            let found = found.filter(|user| is_settled(&user.value, sender));
            return Ok((found.ok_or(Failure::Moved)?, false));
        }
        let new = NewUser {
            id: sender.id,
            bot: self.batch.bot,
            integration: Some(self.batch.integration),
            tags: fitting(&sender.identity, &sender.tags),
            name: sender.name.as_deref().map(storable),
            picture_url: None,
            now: self.batch.now,
        };
        let (scope, identity) = (self.user_scope(), &sender.identity);
        user::find_or_insert(tx, scope, &new, identity, true, Surplus::LeaveOut).await
    }
}

/// The thread and the sender of an update.
fn ends(item: &Inbound) -> (Option<&Thread>, Option<&Sender>) {
    match &item.content {
        InboundContent::Message(new) => (Some(&new.thread), Some(&new.sender)),
        InboundContent::Event(new) => (new.thread.as_ref(), new.sender.as_ref()),
        InboundContent::Unmapped(_) => (None, None),
    }
}

/// Whether a sender says nothing new of a user.
fn is_settled(user: &User, sender: &Sender) -> bool {
    let tags = fitting(&sender.identity, &sender.tags);
    let news = user::news(user, &sender.identity, &tags);
    let same_name = sender
        .name
        .as_deref()
        .is_none_or(|name| user.name.as_deref() == Some(storable(name).as_str()));
    same_name && !user.tags.clone().merge_fitting(&news)
}

async fn find_taken(
    connection: &Connection,
    bot: BotId,
    integration: IntegrationId,
    once: Once,
) -> Done<Option<Taken>> {
    if rows::integration(connection, bot, integration)
        .await?
        .is_none()
    {
        return Ok(None);
    }
    let once = Id(scoped(integration, once));
    let message = connection
        .one(TAKEN_MESSAGE, &[&once], |row| {
            Ok(Taken {
                message: Some(MessageId::from_bytes(rows::bytes(row, 0)?)),
                ..places(row)?
            })
        })
        .await?;
    if message.is_some() {
        return Ok(message);
    }
    let event = connection
        .one(TAKEN_EVENT, &[&once], |row| {
            Ok(Taken {
                event: Some(EventId::from_bytes(rows::bytes(row, 0)?)),
                ..places(row)?
            })
        })
        .await?;
    if event.is_some() {
        return Ok(event);
    }
    let seen: bool = connection.sure(SEEN, &[&once]).await?;
    Ok(seen.then(Taken::default))
}

fn places(row: &Row) -> Done<Taken> {
    Ok(Taken {
        conversation: rows::bytes_or_none(row, 1)?.map(ConversationId::from_bytes),
        user: rows::bytes_or_none(row, 2)?.map(UserId::from_bytes),
        ..Taken::default()
    })
}

/// A key as it is stored: two integrations never share one, whatever their channels make of it. What
/// its channel numbers is stored behind the number.
fn scoped(integration: IntegrationId, once: Once) -> [u8; 16] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&integration.to_bytes());
    context.update(&once.key.0);
    let mut first = [0; 16];
    for (to, from) in first.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    once.stored(first)
}

async fn write_position(
    tx: &Tx,
    integration: i64,
    position: &PollPosition,
    now: Timestamp,
) -> Done<()> {
    let at = now.as_millis();
    tx.execute(
        SET_POSITION,
        &[&integration, &position.account, &position.next, &at],
    )
    .await?;
    Ok(())
}

#[async_trait]
impl IngestStore for PostgresStore {
    async fn ingest(&self, batch: Batch) -> Result<Vec<Ingested>> {
        self.write(batch, |tx, batch| Box::pin(ingest(tx, batch)))
            .await
    }

    async fn find_taken(
        &self,
        bot: BotId,
        integration: IntegrationId,
        once: Once,
    ) -> Result<Option<Taken>> {
        self.read((bot, integration, once), |connection, keys| {
            Box::pin(find_taken(connection, keys.0, keys.1, keys.2))
        })
        .await
    }

    async fn find_external_message(
        &self,
        _: BotId,
        _: IntegrationId,
        _: About,
    ) -> Result<Option<(MessageId, Conversation)>> {
        Err(not_served("what is told of chats as a whole"))
    }

    async fn poll_position(
        &self,
        integration: IntegrationId,
        account: &str,
    ) -> Result<Option<(i64, Timestamp)>> {
        self.look((integration, account.to_owned()), |connection, keys| {
            Box::pin(async move {
                let id = Id(keys.0.to_bytes());
                connection
                    .one(POSITION, &[&id, &keys.1], |row| {
                        Ok((row.try_get(0)?, rows::time(row, 1)?))
                    })
                    .await
            })
        })
        .await
    }

    async fn note_move(&self, _: BotId, _: IntegrationId, _: &str, _: &str) -> Result<()> {
        Err(not_served("threads that move"))
    }

    async fn moved_from(&self, _: BotId, _: IntegrationId, _: &str) -> Result<Option<String>> {
        Err(not_served("threads that move"))
    }

    async fn set_poll_position(
        &self,
        integration: IntegrationId,
        position: PollPosition,
        now: Timestamp,
    ) -> Result<()> {
        self.write((integration, position, now), |tx, (id, position, now)| {
            Box::pin(async move {
                let number = tx
                    .value(INTEGRATION, &[&Id(id.to_bytes())])
                    .await?
                    .ok_or_else(|| Error::not_found(Kind::Integration, id))?;
                write_position(tx, number, position, *now).await
            })
        })
        .await
    }
}
