//! What channels bring in. The hot path: nothing is written that is as it should be already.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, params};
use switchboard_model::{
    BotId, Conversation, ConversationId, Direction, Error, EventId, IntegrationId, Json, Kind,
    MessageId, Result, Tags, Timestamp,
};
use switchboard_store::{
    About, Batch, Inbound, InboundContent, InboundEdit, InboundEvent, InboundMessage, IngestStore,
    Ingested, NewUser, Occupied, Once, PollPosition, Rekey, Sender, Taken, Thread, UnmappedUpdate,
};

use crate::failure::Done;
use crate::once::{self, Stored};
use crate::rows::{self, ConversationRow, Home, Numbered};
use crate::tags::{Surplus, fitting};
use crate::user::Speaker;
use crate::writer::Tx;
use crate::{
    SqliteStore, chat, conversation, early, event, message, moved, taken, unmapped, user, version,
};

const SET_POSITION: &str = "INSERT INTO poll_position (integration, account, next, at)
    VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (integration, account) DO UPDATE SET next = ?3, at = ?4";
const POSITION: &str = "SELECT p.next, p.at FROM poll_position p
    JOIN integration i ON i.id = p.integration WHERE i.public = ?1 AND p.account = ?2";
const INTEGRATION: &str = "SELECT id FROM integration WHERE public = ?1";

/// A batch with its numbers looked up.
pub(crate) struct Intake<'a> {
    batch: &'a Batch,
    home: Arc<Home>,
}

/// Makes the tags of messages fit, and of who says them and where: what a new row will have. To be
/// called before the writer has it, which would do it for one message after the other.
pub(crate) fn fit(batch: &mut Batch) {
    for item in &mut batch.items {
        match &mut item.content {
            InboundContent::Message(new) => {
                new.tags = fitting(&Tags::new(), &new.tags);
                let thread = &mut new.thread;
                if thread.known.is_none() {
                    thread.tags = fitting(&thread.identity, &thread.tags);
                }
                fit_sender(&mut new.sender);
            }
            InboundContent::Event(new) => {
                let joined = new.news.iter_mut().flat_map(|news| &mut news.joined);
                let joined = joined.map(|joined| &mut joined.who);
                new.sender.iter_mut().chain(joined).for_each(fit_sender);
            }
            InboundContent::Unmapped(_) => {}
        }
    }
}

fn fit_sender(sender: &mut Sender) {
    sender.tags = match sender.known {
        Some(_) => fitting(&Tags::new(), &sender.tags),
        None => fitting(&sender.identity, &sender.tags),
    };
}

/// Takes a batch that [fits](fit).
fn ingest(tx: &mut Tx<'_>, batch: &Batch) -> Done<Vec<Ingested>> {
    let intake = Intake::new(tx, batch)?;
    let mut done = Vec::with_capacity(batch.items.len());
    for item in &batch.items {
        done.push(intake.take(tx, item)?);
    }
    if let Some(position) = &batch.position {
        write_position(tx.connection, intake.integration(), position, batch.now)?;
    }
    Ok(done)
}

impl<'a> Intake<'a> {
    pub(crate) fn new(tx: &mut Tx<'_>, batch: &'a Batch) -> Done<Self> {
        let home = tx.home(batch.bot, batch.integration)?;
        Ok(Self { batch, home })
    }

    /// The integration's number.
    pub(crate) fn integration(&self) -> i64 {
        self.home.integration.id
    }

    /// When.
    pub(crate) const fn now(&self) -> Timestamp {
        self.batch.now
    }

    /// Where identities of conversations are told apart.
    pub(crate) fn scope<'c>(&'c self, channel: &'c str) -> conversation::Scope<'c> {
        conversation::Scope {
            home: &self.home,
            channel,
        }
    }

    /// Where identities of users are told apart.
    pub(crate) fn user_scope(&self) -> user::Scope {
        user::Scope::of(&self.home)
    }
}

impl Intake<'_> {
    fn take(&self, tx: &mut Tx<'_>, item: &Inbound) -> Done<Ingested> {
        let Some(told) = item.once else {
            return self.place(tx, item, None);
        };
        let once = once::stored(self.batch.integration, told);
        let is_known = taken::is_known(tx.connection, once)?;
        if self.has_earlier(tx, told)? {
            return Ok(Ingested::Duplicate);
        }
        if !is_known {
            return self.place(tx, item, Some(once));
        }
        if !early::waits(tx.connection, once)? {
            return Ok(Ingested::Duplicate);
        }
        self.place_and_edit(tx, item, Some(once))
    }

    /// Whether an earlier version has taken it.
    fn has_earlier(&self, tx: &Tx<'_>, told: Once) -> Done<bool> {
        if self.batch.now.as_millis() >= tx.asks_for_digests_until {
            return Ok(false);
        }
        let Some(earlier) = once::earlier(self.batch.integration, told) else {
            return Ok(false);
        };
        let is_known = taken::is_known(tx.connection, earlier)?;
        Ok(is_known && !early::waits(tx.connection, earlier)?)
    }

    /// Stores what is new, as it was edited before it came.
    pub(crate) fn place_and_edit(
        &self,
        tx: &mut Tx<'_>,
        item: &Inbound,
        once: Option<Stored>,
    ) -> Done<Ingested> {
        let taken = self.place(tx, item, once)?;
        if let Some(once) = once {
            early::apply(tx, once, self.batch.now)?;
        }
        Ok(taken)
    }

    /// Stores what is new, under what recognises it.
    fn place(&self, tx: &mut Tx<'_>, item: &Inbound, once: Option<Stored>) -> Done<Ingested> {
        match &item.content {
            InboundContent::Message(new) => self.message(tx, item, new, once),
            InboundContent::Event(new) => self.event(tx, item, new, once),
            InboundContent::Unmapped(new) => self.unmapped(tx, item, new, once),
        }
    }

    /// An event that belongs nowhere (yet).
    fn draft<'d>(
        &self,
        item: &Inbound,
        kind: &'d str,
        payload: &'d Json,
        once: Option<Stored>,
    ) -> event::Draft<'d> {
        event::Draft {
            id: item.event,
            delivery: item.delivery,
            bot: self.home.bot.id,
            kind,
            payload: Some(payload),
            conversation: None,
            user: None,
            message: None,
            workflow: None,
            once,
            due: None,
            now: self.batch.now,
        }
    }

    /// Keeps what no script could place.
    fn unmapped(
        &self,
        tx: &mut Tx<'_>,
        item: &Inbound,
        new: &UnmappedUpdate,
        once: Option<Stored>,
    ) -> Done<Ingested> {
        let event = event::insert(tx, &self.draft(item, &new.kind, &new.payload, once))?;
        unmapped::wait(
            tx.connection,
            self.home.integration.id,
            event,
            new.thread.as_deref(),
        )?;
        Ok(Ingested::Event {
            event: item.event,
            conversation: None,
        })
    }

    fn message(
        &self,
        tx: &mut Tx<'_>,
        item: &Inbound,
        new: &InboundMessage,
        once: Option<Stored>,
    ) -> Done<Ingested> {
        let now = self.batch.now;
        let thread = &new.thread;
        let (mut conversation, conversation_created) = self.thread(tx.connection, thread)?;
        let (speaker, user_created) =
            self.speaker(tx.connection, &new.sender, Some(conversation.id))?;
        let user = speaker.user;
        let draft = message::Draft {
            id: new.id,
            user: user.id,
            direction: Direction::Incoming,
            kind: &new.kind,
            payload: &new.payload,
            tags: &new.tags,
            synthetic: false,
            once,
            waits: true,
            takes_part: speaker.takes_part,
            now,
        };
        let message = message::insert(tx, &mut conversation, draft)?;
        message::announce(tx, &conversation, message, item.delivery, now)?;
        Ok(Ingested::Message {
            message: new.id,
            event: EventId::from(new.id),
            conversation: conversation.value,
            conversation_created,
            user: user.value.id,
            user_created,
        })
    }

    fn event(
        &self,
        tx: &mut Tx<'_>,
        item: &Inbound,
        new: &InboundEvent,
        once: Option<Stored>,
    ) -> Done<Ingested> {
        let mut conversation = self.place_of(tx, new)?;
        let user = match &new.sender {
            Some(sender) => Some(self.sender(tx.connection, sender)?.0.id),
            None => None,
        };
        let message = self.concerned(tx, new)?;
        if let Some(news) = &new.news {
            self.news(tx, news)?;
        }
        let is_decided = new
            .thread
            .as_ref()
            .is_some_and(|thread| thread.known.is_some());
        if let Some((_, place)) = &message
            && !is_decided
        {
            conversation = conversation::by_number(tx.connection, *place)?;
        }
        let draft = event::Draft {
            conversation: conversation.as_ref().map(|row| row.id),
            user,
            message: message.map(|(message, _)| message),
            ..self.draft(item, &new.kind, &new.payload, once)
        };
        event::insert(tx, &draft)?;
        Ok(Ingested::Event {
            event: item.event,
            conversation: conversation.map(|row| row.value.id),
        })
    }

    /// The conversation of an event's thread, if it exists, with what the event says of it.
    fn place_of(&self, tx: &mut Tx<'_>, new: &InboundEvent) -> Done<Option<ConversationRow>> {
        let Some(thread) = &new.thread else {
            return Ok(None);
        };
        if let Some(id) = thread.known {
            return self.known_conversation(tx.connection, id).map(Some);
        }
        let mut found = self.happened_in(tx, thread, new.moved_from.as_ref())?;
        if let Some(row) = &mut found
            && row.value.tags.contains(&thread.identity)
        {
            conversation::note(tx.connection, row, &new.tags, self.batch.now)?;
        }
        Ok(found)
    }

    /// The message that an event changes or is about, and its conversation.
    fn concerned(&self, tx: &mut Tx<'_>, new: &InboundEvent) -> Done<Option<(i64, i64)>> {
        if let Some(edit) = &new.edit
            && let Some(message) = self.edit(tx, edit)?
        {
            let place = message::conversation_of(tx.connection, message)?;
            return Ok(Some((message, place)));
        }
        let integration = self.batch.integration;
        if let Some(about) = &new.about {
            let scope = self.scope(&about.chat.channel);
            let found = chat::find_message(tx.connection, scope, integration, about)?;
            if let Some((message, row)) = found {
                return Ok(Some((message.id, row.id)));
            }
        }
        if let Some(edit) = &new.edit {
            early::remember(tx.connection, integration, edit, self.batch.now)?;
        }
        Ok(None)
    }

    /// The conversation of a thread that exists, after it got its new identity.
    fn happened_in(
        &self,
        tx: &mut Tx<'_>,
        thread: &Thread,
        moved_from: Option<&Tags>,
    ) -> Done<Option<ConversationRow>> {
        let scope = self.scope(&thread.channel);
        if let Some(old) = moved_from
            && let Some(row) = conversation::find(tx.connection, scope, old)?
        {
            let identity = &thread.identity;
            let command = Rekey {
                bot: self.batch.bot,
                conversation: row.value.id,
                tags: fitting(identity, &thread.tags),
                identity: identity.clone(),
                occupied: Occupied::Merge,
                now: self.batch.now,
            };
            conversation::rekey(tx, &command)?;
        }
        conversation::find(tx.connection, scope, &thread.identity)
    }

    /// Changes a message; tells which, if it is there.
    fn edit(&self, tx: &mut Tx<'_>, edit: &InboundEdit) -> Done<Option<i64>> {
        let brought = message::brought(tx.connection, self.batch.integration, edit.once)?;
        let Some(message) = brought else {
            return Ok(None);
        };
        let id = message.id;
        version::replace(tx, message, edit, self.batch.now)?;
        Ok(Some(id))
    }

    fn thread(&self, connection: &Connection, thread: &Thread) -> Done<(ConversationRow, bool)> {
        let now = self.batch.now;
        if let Some(id) = thread.known {
            let mut row = self.known_conversation(connection, id)?;
            // An empty value takes a tag away.
            conversation::note(connection, &mut row, &thread.tags, now)?;
            return Ok((row, false));
        }
        if thread.identity.is_empty() {
            return Err(conversation::no_identity().into());
        }
        let (mut row, created) = conversation::find_or_insert(
            connection,
            self.scope(&thread.channel),
            thread.id,
            &thread.identity,
            &thread.tags,
            Surplus::LeaveOut,
            now,
        )?;
        let is_open = |(name, _): &(&str, &str)| row.value.tags.get(name).is_none();
        let defaults: Tags = thread.defaults.iter().filter(is_open).collect();
        if !defaults.is_empty() {
            conversation::note(connection, &mut row, &defaults, now)?;
        }
        Ok((row, created))
    }

    pub(crate) fn known_conversation(
        &self,
        connection: &Connection,
        id: ConversationId,
    ) -> Done<ConversationRow> {
        conversation::by_public(connection, self.batch.bot, id)?
            .filter(|row| row.integration == self.home.integration.id)
            .ok_or_else(|| Error::reference("conversation", Kind::Conversation, id).into())
    }

    /// The user that a sender is, made if need be. Tells whether it is new.
    pub(crate) fn sender(
        &self,
        connection: &Connection,
        sender: &Sender,
    ) -> Done<(Numbered<switchboard_model::User>, bool)> {
        let (speaker, created) = self.speaker(connection, sender, None)?;
        Ok((speaker.user, created))
    }

    /// The same, who speaks in a conversation.
    fn speaker(
        &self,
        connection: &Connection,
        sender: &Sender,
        conversation: Option<i64>,
    ) -> Done<(Speaker, bool)> {
        if let Some(id) = sender.known {
            let found = user::by_public(connection, self.batch.bot, id)?
                .filter(|found| found.value.integration == Some(self.batch.integration))
                .ok_or_else(|| Error::reference("user", Kind::User, id))?;
            let (tags, now) = (&sender.tags, self.batch.now);
            let user = user::merge(
                connection,
                self.home.bot.id,
                found,
                tags,
                Surplus::LeaveOut,
                now,
            )?;
            return Ok((user.into(), false));
        }
        if sender.identity.is_empty() {
            return Err(conversation::no_identity().into());
        }
        let scope = self.user_scope();
        let found = user::find_speaker(connection, scope, &sender.identity, conversation)?;
        if let Some(Speaker { user, takes_part }) = found {
            let told = user::Told {
                identity: &sender.identity,
                tags: &sender.tags,
                name: sender.name.as_deref(),
                now: self.batch.now,
            };
            let user = user::hear(connection, scope.bot.id, user, told, Surplus::LeaveOut)?;
            return Ok((Speaker { user, takes_part }, false));
        }
        let new = NewUser {
            id: sender.id,
            bot: self.batch.bot,
            integration: Some(self.batch.integration),
            tags: sender.tags.clone(),
            name: sender.name.clone(),
            picture_url: None,
            now: self.batch.now,
        };
        let user = user::insert(connection, scope, &new)?;
        Ok((user.into(), true))
    }
}

fn write_position(
    connection: &Connection,
    integration: i64,
    position: &PollPosition,
    now: Timestamp,
) -> Done<()> {
    rows::execute(
        connection,
        SET_POSITION,
        params![
            integration,
            position.account,
            position.next,
            now.as_millis()
        ],
    )?;
    Ok(())
}

#[async_trait]
impl IngestStore for SqliteStore {
    async fn ingest(&self, mut batch: Batch) -> Result<Vec<Ingested>> {
        fit(&mut batch);
        self.write(move |tx| ingest(tx, &batch)).await
    }

    async fn find_taken(
        &self,
        bot: BotId,
        integration: IntegrationId,
        once: Once,
    ) -> Result<Option<Taken>> {
        self.read(|connection| taken::find(connection, bot, integration, once))
            .await
    }

    async fn find_external_message(
        &self,
        bot: BotId,
        integration: IntegrationId,
        message: About,
    ) -> Result<Option<(MessageId, Conversation)>> {
        self.read(|connection| chat::look(connection, bot, integration, &message))
            .await
    }

    async fn poll_position(
        &self,
        integration: IntegrationId,
        account: &str,
    ) -> Result<Option<(i64, Timestamp)>> {
        self.read(|connection| {
            let keys = params![integration.to_bytes(), account];
            rows::one(connection, POSITION, keys, |row| {
                Ok((row.get(0)?, rows::time(row, 1)?))
            })
        })
        .await
    }

    async fn note_move(
        &self,
        bot: BotId,
        integration: IntegrationId,
        thread: &str,
        was: &str,
    ) -> Result<()> {
        let (thread, was) = (thread.to_owned(), was.to_owned());
        self.write(move |tx| moved::note(tx, bot, integration, &thread, &was))
            .await
    }

    async fn moved_from(
        &self,
        bot: BotId,
        integration: IntegrationId,
        thread: &str,
    ) -> Result<Option<String>> {
        self.read(|connection| moved::was(connection, bot, integration, thread))
            .await
    }

    async fn set_poll_position(
        &self,
        integration: IntegrationId,
        position: PollPosition,
        now: Timestamp,
    ) -> Result<()> {
        self.write(move |tx| {
            let number = rows::value(tx.connection, INTEGRATION, [integration.to_bytes()])?
                .ok_or_else(|| {
                    switchboard_model::Error::not_found(
                        switchboard_model::Kind::Integration,
                        integration,
                    )
                })?;
            write_position(tx.connection, number, &position, now)
        })
        .await
    }
}
