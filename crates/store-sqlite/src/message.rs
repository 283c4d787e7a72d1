//! Messages.

use std::collections::BTreeSet;

use async_trait::async_trait;
use rusqlite::{Connection, params};
use switchboard_model::{
    BotId, ConversationId, DeliveryId, DeliveryReport, DeliveryStatus, Direction, Error,
    IntegrationId, Json, Kind, Message, MessageId, Result, Tags, Timestamp,
};
use switchboard_store::{
    Cursor, Discriminate, Found, Idempotency, MessageFilter, MessageStore, MessageUpdate,
    MessageVersion, Once, Page, PageRequest, PostMessage, Posted, SortOrder, TagKind,
};

use crate::failure::Done;
use crate::mark::Mark;
use crate::once::{self, Stored};
use crate::outbox::{self, Enqueue};
use crate::query::{self, Query, Walk};
use crate::rows::{self, ConversationRow, Numbered};
use crate::tags::{self, MESSAGES, Surplus};
use crate::writer::Tx;
use crate::{
    SqliteStore, conversation, message_tag, participant, schedule, tag_value, user, version,
};

const INSERT: &str = "INSERT INTO message
    (public, bot, conversation, user, direction, kind, payload, tags, synthetic, seq, once,
        created_at, updated_at, announced)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, ?13)";
const SETTLED: &str =
    "UPDATE conversation SET settled = ?2, message_count = message_count + 1 WHERE id = ?1";
const UNCOUNT: &str = "UPDATE conversation SET message_count = message_count - 1 WHERE id = ?1";
const FOUND_PLACE: &str = "UPDATE message SET seq = ?2, updated_at = ?3 WHERE id = ?1";
const WAITS: &str = "UPDATE message SET seq = -id WHERE id = ?1";
const UPDATE: &str = "UPDATE message SET tags = ?2, payload = ?3, updated_at = ?4 WHERE id = ?1";
// The row stays with its once key, so that a redelivery does not bring it back.
const DELETE: &str = "UPDATE message
    SET payload = '{}', tags = '{}', deleted_at = ?2, updated_at = ?2 WHERE id = ?1";
const BY_PUBLIC: &str = concat!(
    rows::select_message!(),
    " WHERE m.public = ?1 AND m.bot = (SELECT id FROM bot WHERE public = ?2)
        AND m.deleted_at IS NULL AND c.deleted_at IS NULL"
);
const BY_NUMBER: &str = concat!(
    rows::select_message!(),
    " WHERE m.id = ?1 AND m.deleted_at IS NULL AND c.deleted_at IS NULL"
);
const BY_ONCE: &str = concat!(
    rows::select_message!(),
    " WHERE m.once = ?1 AND m.deleted_at IS NULL AND c.deleted_at IS NULL"
);
const AFTER: &str = concat!(
    rows::select_message!(),
    " WHERE m.conversation = ?1 AND m.seq > ?2 AND m.deleted_at IS NULL AND NOT m.imported
    ORDER BY m.seq LIMIT ?3"
);
const INTEGRATION: &str = "SELECT active, alias FROM integration WHERE id = ?1";
const KEY: &str = "SELECT request, message FROM idempotency WHERE bot = ?1 AND key = ?2";
const REMEMBER_KEY: &str = "INSERT OR REPLACE INTO idempotency (bot, key, request, message, at)
    VALUES (?1, ?2, ?3, ?4, ?5)";

/// A message to insert.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draft<'a> {
    pub(crate) id: MessageId,
    pub(crate) user: i64,
    pub(crate) direction: Direction,
    pub(crate) kind: &'a str,
    pub(crate) payload: &'a Json,
    pub(crate) tags: &'a Tags,
    pub(crate) synthetic: bool,
    pub(crate) once: Option<Stored>,
    /// Whether its tags wait for others to enter the index with. Who makes messages by their tags
    /// looks for each before, and must find them there.
    pub(crate) waits: bool,
    /// Whether its author is known to take part.
    pub(crate) takes_part: bool,
    pub(crate) now: Timestamp,
}

/// The message with this id that is not deleted.
pub(crate) fn by_public(
    connection: &Connection,
    bot: BotId,
    id: MessageId,
) -> Done<Option<Numbered<Message>>> {
    let keys = [id.to_bytes(), bot.to_bytes()];
    rows::one(connection, BY_PUBLIC, keys, rows::message)
}

/// The message with this number that is not deleted.
pub(crate) fn by_number(connection: &Connection, id: i64) -> Done<Option<Numbered<Message>>> {
    rows::one(connection, BY_NUMBER, [id], rows::message)
}

/// The message that was stored with this number just now.
pub(crate) fn stored(connection: &Connection, id: i64) -> Done<Message> {
    let message = by_number(connection, id)?.ok_or_else(|| rows::gone("a new message"))?;
    Ok(message.value)
}

/// The message that a channel's update brought, unless it is deleted.
pub(crate) fn by_once(connection: &Connection, once: Stored) -> Done<Option<Numbered<Message>>> {
    rows::one(connection, BY_ONCE, [once], rows::message)
}

/// The same by what its channel says of it, also if an earlier version has stored it.
pub(crate) fn brought(
    connection: &Connection,
    integration: IntegrationId,
    told: Once,
) -> Done<Option<Numbered<Message>>> {
    for once in once::all(integration, told) {
        if let Some(found) = by_once(connection, once)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Stores a message at the next place of its conversation; its author takes part.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    conversation: &mut ConversationRow,
    draft: Draft<'_>,
) -> Done<i64> {
    let seq = take_place(tx.connection, conversation, !draft.waits)?;
    let id = insert_at(tx, conversation, seq, draft)?;
    message_tag::came(tx.connection, conversation, seq)?;
    tx.conversation_changed(conversation.value.id);
    Ok(id)
}

/// The next place of a conversation, for a message that is said in it now and whose tags are in the
/// index, or are not.
fn take_place(
    connection: &Connection,
    conversation: &mut ConversationRow,
    is_tagged: bool,
) -> Done<i64> {
    let seq = conversation.next_seq;
    conversation.next_seq += 1;
    conversation.value.message_count += 1;
    // Where others wait it is counted with them.
    if is_tagged && conversation.settled == seq - 1 {
        rows::execute(connection, SETTLED, [conversation.id, seq])?;
        conversation.settled = seq;
    }
    Ok(seq)
}

/// Gives a message that waited for its time its place.
pub(crate) fn arrive(
    tx: &mut Tx<'_>,
    conversation: &mut ConversationRow,
    message: i64,
    now: Timestamp,
) -> Done<()> {
    let seq = take_place(tx.connection, conversation, true)?;
    rows::execute(
        tx.connection,
        FOUND_PLACE,
        params![message, seq, now.as_millis()],
    )?;
    message_tag::came(tx.connection, conversation, seq)?;
    tx.conversation_changed(conversation.value.id);
    Ok(())
}

fn insert_at(
    tx: &mut Tx<'_>,
    conversation: &ConversationRow,
    seq: i64,
    draft: Draft<'_>,
) -> Done<i64> {
    let connection = tx.connection;
    let tags = draft.tags.kept();
    let id = rows::insert(
        connection,
        INSERT,
        params![
            draft.id.to_bytes(),
            conversation.bot,
            conversation.id,
            draft.user,
            draft.direction == Direction::Outgoing,
            draft.kind,
            draft.payload.as_str(),
            tags::to_text(&tags)?,
            draft.synthetic,
            seq,
            draft.once,
            draft.now.as_millis(),
            // What waits for its time is announced when that has come, by an event with a row.
            draft.direction == Direction::Incoming && seq >= 0
        ],
    )?;
    if !draft.waits {
        MESSAGES.add(connection, conversation.id, id, &tags)?;
    }
    if !draft.takes_part {
        participant::join(connection, conversation.id, draft.user)?;
    }
    Ok(id)
}

/// Enqueues an outgoing message to its channel, or lets it fail at once where nothing could send
/// it. Tells what is shown of that beside the message.
pub(crate) fn send(
    tx: &mut Tx<'_>,
    conversation: &ConversationRow,
    message: i64,
    delivery: DeliveryId,
    now: Timestamp,
) -> Done<DeliveryReport> {
    let new = Enqueue {
        id: delivery,
        bot: conversation.bot,
        destination: conversation.integration,
        conversation: Some(conversation.id),
        event: None,
        message: Some(message),
        action: outbox::SEND,
        now,
    };
    hand_on(tx, new)
}

/// Enqueues what goes to a channel, or lets it fail at once where nothing could bring it.
pub(crate) fn hand_on(tx: &mut Tx<'_>, new: Enqueue) -> Done<DeliveryReport> {
    let (active, alias): (bool, String) =
        rows::one(tx.connection, INTEGRATION, [new.destination], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .ok_or_else(|| rows::gone("an integration"))?;
    let (status, error) = if active {
        outbox::enqueue(tx, new)?;
        (DeliveryStatus::Queued, None)
    } else {
        let error = format!("the integration {alias} is not active; add its token, then replay");
        outbox::enqueue_dead(tx, new, &error)?;
        (DeliveryStatus::Failed, Some(error))
    };
    Ok(DeliveryReport {
        status,
        attempts: 0,
        error,
        uncertain: 0,
    })
}

fn post(tx: &mut Tx<'_>, command: &PostMessage) -> Done<Posted> {
    let bot = rows::known_bot(tx.connection, command.bot)?;
    if let Discriminate::ByKey(key) = command.discriminate
        && let Some(posted) = known_key(tx.connection, command.bot, bot, key)?
    {
        return Ok(posted);
    }
    let new = &command.message;
    let mut conversation = conversation::by_public(tx.connection, command.bot, new.conversation)?
        .ok_or_else(|| {
        Error::reference("conversationId", Kind::Conversation, new.conversation)
    })?;
    if let Discriminate::ByTags(tags) = &command.discriminate {
        if tags.is_empty() {
            return Err(conversation::no_identity().into());
        }
        if let Some(message) = find(tx.connection, conversation.id, tags)? {
            return Ok(found(message));
        }
    }
    let user = user::number(tx.connection, bot, new.user)?
        .ok_or_else(|| Error::reference("userId", Kind::User, new.user))?;
    let draft = Draft {
        id: new.id,
        user,
        direction: new.direction,
        kind: &new.kind,
        payload: &new.payload,
        tags: &new.tags,
        synthetic: new.synthetic,
        once: None,
        waits: false,
        takes_part: false,
        now: command.now,
    };
    let value = match command.due.filter(|due| *due > command.now) {
        Some(due) => {
            let message = wait(tx, &conversation, draft, command.delivery, due)?;
            stored(tx.connection, message)?
        }
        None => say(tx, &mut conversation, draft, command)?,
    };
    if let Discriminate::ByKey(key) = command.discriminate {
        rows::execute(
            tx.connection,
            REMEMBER_KEY,
            params![
                bot,
                key.key.0,
                key.request.0,
                new.id.to_bytes(),
                command.now.as_millis()
            ],
        )?;
    }
    Ok(Posted::Stored(Found {
        value,
        created: true,
    }))
}

/// Stores a message at the next place of its conversation and hands it on. Gives it as a read
/// would, which the contract suite compares.
fn say(
    tx: &mut Tx<'_>,
    conversation: &mut ConversationRow,
    draft: Draft<'_>,
    command: &PostMessage,
) -> Done<Message> {
    let seq = conversation.next_seq;
    let message = insert(tx, conversation, draft)?;
    let delivery = match draft.direction {
        Direction::Outgoing => {
            let (id, now) = (command.delivery, command.now);
            Some(send(tx, conversation, message, id, now)?)
        }
        Direction::Incoming => {
            announce(tx, conversation, message, command.delivery, command.now)?;
            None
        }
    };
    Ok(Message {
        id: draft.id,
        // Not the id that was given: that may be of one that was merged into this.
        conversation: conversation.value.id,
        user: command.message.user,
        direction: draft.direction,
        kind: draft.kind.to_owned(),
        payload: draft.payload.clone(),
        tags: draft.tags.kept().into_owned(),
        synthetic: draft.synthetic,
        seq,
        created_at: command.now,
        updated_at: command.now,
        delivery,
    })
}

/// Stores a message that waits for its time, and has no place until then.
fn wait(
    tx: &mut Tx<'_>,
    conversation: &ConversationRow,
    draft: Draft<'_>,
    delivery: DeliveryId,
    due: Timestamp,
) -> Done<i64> {
    let message = insert_at(tx, conversation, i64::MIN, draft)?;
    rows::execute(tx.connection, WAITS, [message])?;
    schedule::message(tx, conversation, message, delivery, due)?;
    Ok(message)
}

/// Tells the bot of an incoming message: the event is made of the message when the delivery is
/// claimed.
pub(crate) fn announce(
    tx: &mut Tx<'_>,
    conversation: &ConversationRow,
    message: i64,
    delivery: DeliveryId,
    now: Timestamp,
) -> Done<()> {
    let new = Enqueue {
        id: delivery,
        bot: conversation.bot,
        destination: outbox::BOTS,
        conversation: Some(conversation.id),
        event: None,
        message: Some(message),
        action: outbox::SEND,
        now,
    };
    outbox::enqueue(tx, new)
}

/// What an earlier use of a key says to this one.
fn known_key(
    connection: &Connection,
    bot: BotId,
    bot_number: i64,
    key: Idempotency,
) -> Done<Option<Posted>> {
    let known = rows::one(connection, KEY, params![bot_number, key.key.0], |row| {
        Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, [u8; 16]>(1)?))
    })?;
    let Some((request, message)) = known else {
        return Ok(None);
    };
    if request != key.request.0 {
        return Ok(Some(Posted::KeyReused));
    }
    let id = MessageId::from_bytes(message);
    let message = by_public(connection, bot, id)?;
    Ok(Some(message.map_or(Posted::Deleted(id), found)))
}

/// The first message of a conversation whose tags contain every pair.
pub(crate) fn find(
    connection: &Connection,
    conversation: i64,
    identity: &Tags,
) -> Done<Option<Numbered<Message>>> {
    let mut start = 0;
    while let Some(id) = message_tag::first(connection, conversation, identity, start)? {
        if let Some(message) = by_number(connection, id)?
            && message.value.tags.contains(identity)
        {
            return Ok(Some(message));
        }
        start = id + 1;
    }
    Ok(None)
}

fn found(message: Numbered<Message>) -> Posted {
    Posted::Stored(Found {
        value: message.value,
        created: false,
    })
}

fn update(
    tx: &mut Tx<'_>,
    bot: BotId,
    id: MessageId,
    update: MessageUpdate,
    now: Timestamp,
) -> Done<Option<Message>> {
    let Some(message) = by_public(tx.connection, bot, id)? else {
        return Ok(None);
    };
    Surplus::Refuse.merge(&mut message.value.tags.clone(), &update.tags)?;
    let says_more = |payload: &Json| *payload != message.value.payload;
    let told = update
        .delivery
        .filter(|_| update.payload.as_ref().is_some_and(says_more));
    let message = change(tx, message, update, now)?;
    if let Some(delivery) = told {
        outbox::change::edited(tx, message.id, delivery, now)?;
    }
    Ok(Some(message.value))
}

/// Merges what fits of tags and replaces the payload, if that says anything new.
pub(crate) fn change(
    tx: &mut Tx<'_>,
    mut message: Numbered<Message>,
    update: MessageUpdate,
    now: Timestamp,
) -> Done<Numbered<Message>> {
    let before = message.value.tags.clone();
    let retagged = message.value.tags.merge_fitting(&update.tags);
    let rewritten = update.payload.is_some_and(|payload| {
        std::mem::replace(&mut message.value.payload, payload.clone()) != payload
    });
    if !retagged && !rewritten {
        return Ok(message);
    }
    message.value.updated_at = now;
    rows::execute(
        tx.connection,
        UPDATE,
        params![
            message.id,
            tags::to_text(&message.value.tags)?,
            message.value.payload.as_str(),
            now.as_millis()
        ],
    )?;
    if retagged {
        let tags = &message.value.tags;
        tag_value::changed(tx.connection, TagKind::Message, message.id, &before, tags)?;
        let scope = conversation_of(tx.connection, message.id)?;
        MESSAGES.replace(
            tx.connection,
            scope,
            message.id,
            &MESSAGES.pairs(&before),
            &MESSAGES.pairs(&message.value.tags),
        )?;
    }
    tx.conversation_changed(message.value.conversation);
    Ok(message)
}

/// The number of a message's conversation.
pub(crate) fn conversation_of(connection: &Connection, message: i64) -> Done<i64> {
    const SQL: &str = "SELECT conversation FROM message WHERE id = ?1";
    rows::value(connection, SQL, [message])?.ok_or_else(|| rows::gone("a message"))
}

fn delete(
    tx: &mut Tx<'_>,
    bot: BotId,
    id: MessageId,
    delivery: Option<DeliveryId>,
    now: Timestamp,
) -> Done<bool> {
    let Some(message) = by_public(tx.connection, bot, id)? else {
        return Ok(false);
    };
    tag_value::gone(
        tx.connection,
        TagKind::Message,
        message.id,
        &message.value.tags,
    )?;
    let conversation = conversation_of(tx.connection, message.id)?;
    // Of those that wait to be counted none is deleted.
    message_tag::settle(tx.connection, conversation)?;
    rows::execute(tx.connection, DELETE, params![message.id, now.as_millis()])?;
    version::forget(tx.connection, message.id)?;
    if message.value.seq < 0 {
        schedule::forget_message(tx.connection, message.id)?;
    } else {
        rows::execute(tx.connection, UNCOUNT, [conversation])?;
    }
    let pairs = MESSAGES.pairs(&message.value.tags);
    MESSAGES.replace(
        tx.connection,
        conversation,
        message.id,
        &pairs,
        &BTreeSet::new(),
    )?;
    if let Some(delivery) = delivery {
        outbox::change::deleted(tx, message.id, delivery, now)?;
    }
    tx.conversation_changed(message.value.conversation);
    Ok(true)
}

/// Where the message with which a page ended is now, deleted or not: a merge of conversations counts
/// places anew, but keeps their order.
fn reached(connection: &Connection, conversation: i64, cursor: Cursor) -> Done<Vec<i64>> {
    const SQL: &str = "SELECT seq, created_at FROM message
        WHERE id = ?1 AND conversation = ?2 AND seq >= 0";
    let keys = [cursor.row, conversation];
    let found = rows::one(connection, SQL, keys, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (seq, said_at) = found.unwrap_or((cursor.at, i64::MAX));
    Ok(vec![seq, said_at, cursor.row])
}

fn list(
    connection: &Connection,
    bot: BotId,
    filter: &MessageFilter,
    page: PageRequest,
) -> Done<Page<Message>> {
    let Some(bot_number) = rows::bot(connection, bot)? else {
        return Ok(query::empty());
    };
    let mut query = Query::new(rows::select_message!());
    query.and("m.deleted_at IS NULL AND c.deleted_at IS NULL AND m.seq >= 0");
    let by_place = filter.conversation.is_some();
    let mut after = page.after.map(|cursor| vec![cursor.at, cursor.row]);
    if let Some(id) = filter.conversation {
        let Some(conversation) = conversation::number(connection, bot_number, id)? else {
            return Ok(query::empty());
        };
        if let Some(cursor) = page.after {
            after = Some(reached(connection, conversation, cursor)?);
        }
        let candidates = if filter.tags.is_empty() {
            None
        } else {
            message_tag::candidates(connection, conversation, &filter.tags)?
        };
        if let Some(candidates) = candidates {
            query.and_value("m.id IN (SELECT value FROM json_each(?))", candidates);
            query.and_value("+m.conversation = ?", conversation);
        } else {
            query.and_value("m.conversation = ?", conversation);
        }
    } else if let Some(candidates) =
        message_tag::candidates_of_bot(connection, bot_number, &filter.tags)?
    {
        query.and_value("m.id IN (SELECT value FROM json_each(?))", candidates);
        query.and_value("+m.bot = ?", bot_number);
    } else {
        query.and_value("m.bot = ?", bot_number);
    }
    if let Some(integration) = filter.integration {
        let Some(integration) = rows::integration(connection, bot, integration)? else {
            return Ok(query::empty());
        };
        query.and_value("c.integration = ?", integration);
    }
    if let Some(after) = filter.after {
        query.and_value("m.created_at >= ?", after.as_millis());
    }
    if let Some(before) = filter.before {
        query.and_value("m.created_at <= ?", before.as_millis());
    }
    let columns: &[&str] = if by_place {
        &["m.seq", "m.created_at", "m.id"]
    } else {
        &["m.created_at", "m.id"]
    };
    let walk = Walk {
        columns,
        order: SortOrder::Descending,
        after,
        limit: page.limit,
    };
    let page = query.walk(
        connection,
        walk,
        rows::message,
        |message| Cursor {
            at: if by_place {
                message.value.seq
            } else {
                message.value.created_at.as_millis()
            },
            row: message.id,
        },
        |message| Ok(message.value.tags.contains(&filter.tags)),
    )?;
    Ok(query::map_page(page, |message| message.value))
}

#[async_trait]
impl MessageStore for SqliteStore {
    async fn post_message(&self, command: PostMessage) -> Result<Posted> {
        self.write(move |tx| post(tx, &command)).await
    }

    async fn get_message(&self, bot: BotId, id: MessageId) -> Result<Option<Message>> {
        self.read_one(|connection| Ok(by_public(connection, bot, id)?.map(|message| message.value)))
            .await
    }

    async fn list_messages(
        &self,
        bot: BotId,
        filter: MessageFilter,
        page: PageRequest,
    ) -> Result<Page<Message>> {
        if filter.conversation.is_none() && !filter.tags.is_empty() {
            self.gather_up_to_now(Mark::MessageTags).await?;
        }
        self.list(move |connection| list(connection, bot, &filter, page))
            .await
    }

    async fn messages_after(
        &self,
        bot: BotId,
        conversation: ConversationId,
        seq: i64,
        limit: usize,
    ) -> Result<Vec<Message>> {
        self.list(move |connection| {
            let Some(row) = conversation::by_public(connection, bot, conversation)? else {
                return Ok(Vec::new());
            };
            let keys = params![row.id, seq, rows::as_limit(limit)];
            let found = rows::all(connection, AFTER, keys, rows::message)?;
            Ok(found.into_iter().map(|message| message.value).collect())
        })
        .await
    }

    async fn update_message(
        &self,
        bot: BotId,
        id: MessageId,
        change: MessageUpdate,
        now: Timestamp,
    ) -> Result<Option<Message>> {
        self.write(move |tx| update(tx, bot, id, change.clone(), now))
            .await
    }

    async fn message_versions(&self, bot: BotId, id: MessageId) -> Result<Vec<MessageVersion>> {
        self.read(|connection| version::list(connection, bot, id))
            .await
    }

    async fn delete_message(
        &self,
        bot: BotId,
        id: MessageId,
        delivery: Option<DeliveryId>,
        now: Timestamp,
    ) -> Result<bool> {
        self.write(move |tx| delete(tx, bot, id, delivery, now))
            .await
    }
}
