//! Messages.

use std::collections::BTreeSet;

use async_trait::async_trait;
use switchboard_model::{
    BotId, ConversationId, DeliveryId, Direction, Error, EventId, Json, Kind, Message, MessageId,
    Result, Tags, Timestamp,
};
use switchboard_store::{
    Cursor, Discriminate, Found, Idempotency, MessageFilter, MessageStore, MessageUpdate,
    MessageVersion, Page, PageRequest, PostMessage, Posted, SortOrder,
};

use crate::connection::{Connection, Id};
use crate::failure::Done;
use crate::missing::not_served;
use crate::outbox::{self, Enqueue};
use crate::query::Query;
use crate::rows::{self, ConversationRow, MessageRow};
use crate::tags::{self, MESSAGES, Surplus};
use crate::writer::Tx;
use crate::{PostgresStore, conversation, event, participant, user};

const INSERT: &str = "INSERT INTO message
    (public, bot, conversation, user_id, outgoing, kind, payload, tags, synthetic, seq, once,
        created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12) RETURNING id";
const TAKE_SEQ: &str = "UPDATE conversation
    SET next_seq = $2, message_count = message_count + 1 WHERE id = $1";
const UNCOUNT: &str = "UPDATE conversation SET message_count = message_count - 1 WHERE id = $1";
const UPDATE: &str = "UPDATE message SET tags = $2, payload = $3, updated_at = $4 WHERE id = $1";
// The row stays with its once key, so that a redelivery does not bring it back.
const DELETE: &str = "UPDATE message
    SET payload = '{}', tags = '{}', deleted_at = $2, updated_at = $2 WHERE id = $1";
const BY_PUBLIC: &str = concat!(
    rows::select_message!(),
    " JOIN bot b ON b.id = m.bot WHERE m.public = $1 AND b.public = $2
        AND m.deleted_at IS NULL AND c.deleted_at IS NULL"
);
const BY_NUMBER: &str = concat!(
    rows::select_message!(),
    " WHERE m.id = $1 AND m.deleted_at IS NULL AND c.deleted_at IS NULL"
);
const AFTER: &str = concat!(
    rows::select_message!(),
    " WHERE m.conversation = $1 AND m.seq > $2 AND m.deleted_at IS NULL ORDER BY m.seq LIMIT $3"
);
const INTEGRATION: &str = "SELECT active, alias FROM integration WHERE id = $1";
const KEY: &str = "SELECT request, message FROM idempotency WHERE bot = $1 AND key = $2";
const REMEMBER_KEY: &str = "INSERT INTO idempotency (bot, key, request, message, at)
    VALUES ($1, $2, $3, $4, $5)";

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
    pub(crate) once: Option<[u8; 16]>,
    pub(crate) now: Timestamp,
}

/// The message with this id that is not deleted.
pub(crate) async fn by_public(
    connection: &Connection,
    bot: BotId,
    id: MessageId,
) -> Done<Option<MessageRow>> {
    let keys = (Id(id.to_bytes()), Id(bot.to_bytes()));
    connection
        .one(BY_PUBLIC, &[&keys.0, &keys.1], rows::message)
        .await
}

/// The message with this number that is not deleted.
pub(crate) async fn by_number(connection: &Connection, id: i64) -> Done<Option<MessageRow>> {
    connection.one(BY_NUMBER, &[&id], rows::message).await
}

/// Stores a message at the next place of its conversation, whose row is locked; its author takes
/// part.
pub(crate) async fn insert(
    tx: &mut Tx,
    conversation: &mut ConversationRow,
    draft: Draft<'_>,
) -> Done<i64> {
    let seq = conversation.next_seq;
    conversation.next_seq += 1;
    conversation.value.message_count += 1;
    tx.execute(TAKE_SEQ, &[&conversation.id, &conversation.next_seq])
        .await?;
    let tags = draft.tags.kept();
    let id = tx
        .sure(
            INSERT,
            &[
                &Id(draft.id.to_bytes()),
                &conversation.bot,
                &conversation.id,
                &draft.user,
                &(draft.direction == Direction::Outgoing),
                &draft.kind,
                &draft.payload.as_str(),
                &tags::to_text(&tags)?,
                &draft.synthetic,
                &seq,
                &draft.once.map(Id),
                &draft.now.as_millis(),
            ],
        )
        .await?;
    MESSAGES.add(tx, conversation.id, id, &tags).await?;
    participant::join(tx, conversation.id, draft.user).await?;
    tx.conversation_changed(conversation.value.id);
    Ok(id)
}

/// Enqueues an outgoing message to its channel, or lets it fail at once where nothing could send
/// it.
pub(crate) async fn send(
    tx: &mut Tx,
    conversation: &ConversationRow,
    message: i64,
    delivery: DeliveryId,
    now: Timestamp,
) -> Done<()> {
    let new = Enqueue {
        id: delivery,
        bot: conversation.bot,
        destination: conversation.integration,
        conversation: Some(conversation.id),
        event: None,
        message: Some(message),
        now,
    };
    let (active, alias): (bool, String) = tx
        .one(INTEGRATION, &[&conversation.integration], rows::pair)
        .await?
        .ok_or_else(|| rows::gone("an integration"))?;
    if active {
        outbox::enqueue(tx, new).await
    } else {
        let error = format!("the integration {alias} is not active; add its token, then replay");
        outbox::enqueue_dead(tx, new, &error).await
    }
}

async fn post(tx: &mut Tx, command: &PostMessage) -> Done<Posted> {
    if command.due.is_some_and(|due| due > command.now) {
        return Err(not_served("scheduled messages").into());
    }
    let bot = rows::known_bot(tx, command.bot).await?;
    if let Discriminate::ByKey(key) = command.discriminate
        && let Some(posted) = known_key(tx, command.bot, bot, key).await?
    {
        return Ok(posted);
    }
    let new = &command.message;
    let mut conversation = conversation::lock_public(tx, command.bot, new.conversation)
        .await?
        .ok_or_else(|| Error::reference("conversationId", Kind::Conversation, new.conversation))?;
    if let Discriminate::ByTags(tags) = &command.discriminate {
        if tags.is_empty() {
            return Err(conversation::no_identity().into());
        }
        if let Some(message) = find(tx, conversation.id, tags).await? {
            return Ok(found(message));
        }
    }
    let user = user::number(tx, bot, new.user)
        .await?
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
        now: command.now,
    };
    let message = insert(tx, &mut conversation, draft).await?;
    match new.direction {
        Direction::Outgoing => {
            send(tx, &conversation, message, command.delivery, command.now).await?;
        }
        Direction::Incoming => {
            let message = (message, new.id);
            let (delivery, now) = (command.delivery, command.now);
            announce(tx, &conversation, user, message, delivery, now).await?;
        }
    }
    if let Discriminate::ByKey(key) = command.discriminate {
        tx.execute(
            REMEMBER_KEY,
            &[
                &bot,
                &Id(key.key.0),
                &Id(key.request.0),
                &Id(new.id.to_bytes()),
                &command.now.as_millis(),
            ],
        )
        .await?;
    }
    let message = by_number(tx, message)
        .await?
        .ok_or_else(|| rows::gone("a new message"))?;
    Ok(Posted::Stored(Found {
        value: message.value,
        created: true,
    }))
}

/// Tells the bot of an incoming message, by an event with its id.
pub(crate) async fn announce(
    tx: &mut Tx,
    conversation: &ConversationRow,
    user: i64,
    (message, id): (i64, MessageId),
    delivery: DeliveryId,
    now: Timestamp,
) -> Done<()> {
    let new = event::Draft {
        id: EventId::from(id),
        delivery,
        bot: conversation.bot,
        kind: switchboard_model::Event::MESSAGE_CREATED,
        payload: None,
        conversation: Some(conversation.id),
        user: Some(user),
        message: Some(message),
        once: None,
        now,
    };
    event::insert(tx, &new).await?;
    Ok(())
}

/// What an earlier use of a key says to this one.
async fn known_key(
    connection: &Connection,
    bot: BotId,
    bot_number: i64,
    key: Idempotency,
) -> Done<Option<Posted>> {
    let known: Option<(Id, Id)> = connection
        .one(KEY, &[&bot_number, &Id(key.key.0)], rows::pair)
        .await?;
    let Some((request, message)) = known else {
        return Ok(None);
    };
    if request.0 != key.request.0 {
        return Ok(Some(Posted::KeyReused));
    }
    let id = MessageId::from_bytes(message.0);
    let message = by_public(connection, bot, id).await?;
    Ok(Some(message.map_or(Posted::Deleted(id), found)))
}

/// The first message of a conversation whose tags contain every pair.
async fn find(
    connection: &Connection,
    conversation: i64,
    identity: &Tags,
) -> Done<Option<MessageRow>> {
    let pairs = tags::digests(identity);
    let mut start = 0;
    while let Some(id) = MESSAGES
        .first(connection, conversation, &pairs, start)
        .await?
    {
        if let Some(message) = by_number(connection, id).await?
            && message.value.tags.contains(identity)
        {
            return Ok(Some(message));
        }
        start = id + 1;
    }
    Ok(None)
}

fn found(message: MessageRow) -> Posted {
    Posted::Stored(Found {
        value: message.value,
        created: false,
    })
}

/// Locks a message's conversation, which is how messages are locked.
async fn lock(tx: &Tx, bot: BotId, id: MessageId) -> Done<Option<MessageRow>> {
    let Some(row) = by_public(tx, bot, id).await? else {
        return Ok(None);
    };
    conversation::lock_rows(tx, [row.conversation]).await?;
    by_public(tx, bot, id).await
}

async fn update(
    tx: &mut Tx,
    bot: BotId,
    id: MessageId,
    update: &MessageUpdate,
    now: Timestamp,
) -> Done<Option<Message>> {
    let Some(message) = lock(tx, bot, id).await? else {
        return Ok(None);
    };
    Surplus::Refuse.merge(&mut message.value.tags.clone(), &update.tags)?;
    Ok(Some(change(tx, message, update, now).await?.value))
}

/// Merges what fits of tags and replaces the payload, if that says anything new. The conversation's
/// row is locked.
pub(crate) async fn change(
    tx: &mut Tx,
    mut message: MessageRow,
    update: &MessageUpdate,
    now: Timestamp,
) -> Done<MessageRow> {
    let before = message.value.tags.clone();
    let retagged = message.value.tags.merge_fitting(&update.tags);
    let rewritten = update.payload.as_ref().is_some_and(|payload| {
        std::mem::replace(&mut message.value.payload, payload.clone()) != *payload
    });
    if !retagged && !rewritten {
        return Ok(message);
    }
    message.value.updated_at = now;
    let tags = tags::to_text(&message.value.tags)?;
    let payload = message.value.payload.as_str();
    tx.execute(UPDATE, &[&message.id, &tags, &payload, &now.as_millis()])
        .await?;
    if retagged {
        let after = tags::digest_set(&message.value.tags);
        let before = tags::digest_set(&before);
        MESSAGES
            .replace(tx, message.conversation, message.id, &before, &after)
            .await?;
    }
    tx.conversation_changed(message.value.conversation);
    Ok(message)
}

async fn delete(tx: &mut Tx, bot: BotId, id: MessageId, now: Timestamp) -> Done<bool> {
    let Some(message) = lock(tx, bot, id).await? else {
        return Ok(false);
    };
    tx.execute(DELETE, &[&message.id, &now.as_millis()]).await?;
    tx.execute(UNCOUNT, &[&message.conversation]).await?;
    let pairs = tags::digest_set(&message.value.tags);
    MESSAGES
        .replace(
            tx,
            message.conversation,
            message.id,
            &pairs,
            &BTreeSet::new(),
        )
        .await?;
    tx.conversation_changed(message.value.conversation);
    Ok(true)
}

async fn list(
    connection: &Connection,
    bot: BotId,
    filter: &MessageFilter,
    page: PageRequest,
) -> Done<Page<Message>> {
    let Some(bot_number) = rows::bot(connection, bot).await? else {
        return Ok(Page::empty());
    };
    let mut query = Query::new(rows::select_message!());
    query.and("m.deleted_at IS NULL AND c.deleted_at IS NULL");
    let by_place = filter.conversation.is_some();
    if let Some(id) = filter.conversation {
        let Some(conversation) = conversation::number(connection, bot_number, id).await? else {
            return Ok(Page::empty());
        };
        if !filter.tags.is_empty() {
            let found = MESSAGES
                .candidates(connection, &[conversation], &filter.tags)
                .await?;
            if let Some(candidates) = found {
                query.and_value("m.id = ANY (?)", candidates);
            }
        }
        query.and_value("m.conversation = ?", conversation);
    } else {
        query.and_value("m.bot = ?", bot_number);
    }
    if !filter.tags.is_empty() {
        query.and_value(
            "m.tags::jsonb @> ?::text::jsonb",
            tags::to_text(&filter.tags)?,
        );
    }
    if let Some(integration) = filter.integration {
        let Some(integration) = rows::integration(connection, bot, integration).await? else {
            return Ok(Page::empty());
        };
        query.and_value("c.integration = ?", integration);
    }
    if let Some(after) = filter.after {
        query.and_value("m.created_at >= ?", after.as_millis());
    }
    if let Some(before) = filter.before {
        query.and_value("m.created_at <= ?", before.as_millis());
    }
    let column = if by_place { "m.seq" } else { "m.id" };
    let place = |message: &MessageRow| Cursor {
        at: if by_place {
            message.value.seq
        } else {
            message.id
        },
        row: message.id,
    };
    let order = (column, "m.id", SortOrder::Descending);
    let page = query
        .page(connection, order, page, rows::message, place)
        .await?;
    Ok(page.map(|message| message.value))
}

async fn after(
    connection: &Connection,
    bot: BotId,
    conversation: ConversationId,
    seq: i64,
    limit: usize,
) -> Done<Vec<Message>> {
    let Some(row) = conversation::by_public(connection, bot, conversation).await? else {
        return Ok(Vec::new());
    };
    let found = connection
        .all(
            AFTER,
            &[&row.id, &seq, &rows::as_limit(limit)],
            rows::message,
        )
        .await?;
    Ok(found.into_iter().map(|message| message.value).collect())
}

#[async_trait]
impl MessageStore for PostgresStore {
    async fn post_message(&self, command: PostMessage) -> Result<Posted> {
        self.write(command, |tx, command| Box::pin(post(tx, command)))
            .await
    }

    async fn get_message(&self, bot: BotId, id: MessageId) -> Result<Option<Message>> {
        self.look((bot, id), |connection, (bot, id)| {
            Box::pin(async move {
                let found = by_public(connection, *bot, *id).await?;
                Ok(found.map(|message| message.value))
            })
        })
        .await
    }

    async fn list_messages(
        &self,
        bot: BotId,
        filter: MessageFilter,
        page: PageRequest,
    ) -> Result<Page<Message>> {
        self.read((bot, filter, page), |connection, (bot, filter, page)| {
            Box::pin(list(connection, *bot, filter, *page))
        })
        .await
    }

    async fn messages_after(
        &self,
        bot: BotId,
        conversation: ConversationId,
        seq: i64,
        limit: usize,
    ) -> Result<Vec<Message>> {
        self.read((bot, conversation, seq, limit), |connection, keys| {
            Box::pin(after(connection, keys.0, keys.1, keys.2, keys.3))
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
        self.write((bot, id, change, now), |tx, (bot, id, change, now)| {
            Box::pin(update(tx, *bot, *id, change, *now))
        })
        .await
    }

    async fn message_versions(&self, _: BotId, _: MessageId) -> Result<Vec<MessageVersion>> {
        Err(not_served("edits of messages"))
    }

    async fn delete_message(
        &self,
        bot: BotId,
        id: MessageId,
        _: Option<DeliveryId>,
        now: Timestamp,
    ) -> Result<bool> {
        self.write((bot, id, now), |tx, (bot, id, now)| {
            Box::pin(delete(tx, *bot, *id, *now))
        })
        .await
    }
}
