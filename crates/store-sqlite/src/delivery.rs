//! The outbox as its workers see it. How people see it is in `record.rs`.

use async_trait::async_trait;
use rusqlite::{Connection, params};
use switchboard_model::{
    BotId, ConversationId, DeliveryId, Direction, MessageId, Result, TagPatch, Tags, Timestamp,
    UserId,
};
use switchboard_store::{
    Claim, Claimed, ConversationChange, DeliveryRecord, DeliveryRecordStatus, DeliveryStore,
    Finish, LostSends, MessageUpdate, Outcome, OutgoingMessage, Page, PageRequest, Reply, SentPart,
    Subject,
};

use crate::failure::{Done, Failure};
use crate::outbox::{change, claim, look, lost};
use crate::writer::Tx;
use crate::{
    SqliteStore, conversation, event, message, outbox, record, rows, state, user, workflow,
};

// What goes to a bot is an event, also where it is made of the message (`event::number`).
const CURRENT: &str = "SELECT d.id, d.destination, d.conversation,
        iif(d.destination = 0, coalesce(d.event, -d.message), NULL),
        iif(d.destination = 0, NULL, d.message), b.public, d.action
    FROM delivery d CROSS JOIN bot b ON b.id = d.bot
    WHERE d.public = ?1 AND d.epoch = ?2 AND d.status = 2";
const SETTLE: &str =
    "UPDATE delivery SET status = ?2, error = ?3, leased_until = NULL, uncertain = uncertain + (?2 = 4)
    WHERE id = ?1";
const RETRY: &str = "UPDATE delivery SET status = 1, error = ?2, due_at = ?3, leased_until = NULL,
        attempts = attempts - ?4, trying_since = trying_since + ?5, uncertain = uncertain + ?6
    WHERE id = ?1";
const RECORD_PART: &str = "UPDATE delivery
    SET progress = json_insert(coalesce(progress, '[]'), '$[#]', json(?3))
    WHERE public = ?1 AND epoch = ?2 AND status = 2";
const CONVERSATION: &str = "SELECT public FROM conversation WHERE id = ?1";
pub(crate) const ACTIVE: &str = "SELECT 1 FROM delivery
    WHERE destination IN (0, ?1) AND conversation = ?2 AND status BETWEEN 0 AND 2 LIMIT 1";
// What is new lies as it came and not by its line.
pub(crate) const ACTIVE_OR_NEW: &str = "SELECT 1 FROM delivery
    WHERE destination IN (0, ?1) AND conversation = ?2 AND status BETWEEN 0 AND 2
    UNION ALL SELECT 1 FROM delivery
    WHERE destination IN (0, ?1) AND status = -1 AND conversation = ?2 LIMIT 1";

pub(crate) fn subject(
    connection: &Connection,
    event: Option<i64>,
    message: Option<i64>,
) -> Done<Subject> {
    if let Some(event) = event {
        let event = event::by_number(connection, event)?;
        return Ok(event.map_or(Subject::Gone, |event| Subject::Event(Box::new(event))));
    }
    let Some(message) = message else {
        return Ok(Subject::Gone);
    };
    let outgoing = outgoing(connection, message)?;
    Ok(outgoing.map_or(Subject::Gone, |outgoing| {
        Subject::Message(Box::new(outgoing))
    }))
}

pub(crate) fn outgoing(connection: &Connection, number: i64) -> Done<Option<OutgoingMessage>> {
    const ENDS: &str = "SELECT user, conversation FROM message WHERE id = ?1";
    let Some(message) = message::by_number(connection, number)? else {
        return Ok(None);
    };
    let (author, conversation): (i64, i64) = rows::one(connection, ENDS, [number], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?
    .ok_or_else(|| rows::gone("a message"))?;
    let conversation = conversation::by_number(connection, conversation)?
        .ok_or_else(|| rows::gone("a conversation"))?;
    let user = user::by_number(connection, author)?.ok_or_else(|| rows::gone("an author"))?;
    Ok(Some(OutgoingMessage {
        message: message.value,
        user: user.value,
        conversation: conversation.value,
    }))
}

/// A delivery under a claim that is still current.
struct Current {
    id: i64,
    destination: i64,
    conversation: Option<i64>,
    event: Option<i64>,
    message: Option<i64>,
    bot: BotId,
    action: u8,
}

fn finish(tx: &mut Tx<'_>, finish: &Finish) -> Done<bool> {
    let keys = params![finish.id.to_bytes(), finish.epoch];
    let current = rows::one(tx.connection, CURRENT, keys, |row| {
        Ok(Current {
            id: row.get(0)?,
            destination: row.get(1)?,
            conversation: row.get(2)?,
            event: row.get(3)?,
            message: row.get(4)?,
            bot: BotId::from_bytes(row.get(5)?),
            action: row.get(6)?,
        })
    })?;
    let Some(current) = current else {
        return Ok(false);
    };
    let now = finish.now;
    match &finish.outcome {
        Outcome::Delivered {
            replies,
            tags,
            change,
        } => {
            if let Some(change) = change {
                changed_by_bot(tx, &current, change, now)?;
            }
            delivered(tx, &current, replies, tags.clone(), now)?;
        }
        Outcome::Dead { error } => settle(tx, &current, outbox::DEAD, Some(error), now)?,
        Outcome::Uncertain { error } => settle(tx, &current, outbox::UNCERTAIN, Some(error), now)?,
        Outcome::Dropped => drop_change(tx, &current, now)?,
        Outcome::Retry {
            after,
            error,
            uncertain,
            counts,
        } => {
            let due = now.plus(*after).as_millis();
            let asked = if *counts { 0 } else { due - now.as_millis() };
            let keys = params![current.id, error, due, !counts, asked, uncertain];
            rows::execute(tx.connection, RETRY, keys)?;
            outbox::told(tx, current.destination)?;
        }
    }
    changed(tx, current.conversation)?;
    Ok(true)
}

/// Tells those who look at a conversation that one of its deliveries has another status.
pub(crate) fn changed(tx: &mut Tx<'_>, conversation: Option<i64>) -> Done<()> {
    if let Some(id) = conversation
        && let Some(public) = rows::value(tx.connection, CONVERSATION, [id])?
    {
        tx.conversation_changed(ConversationId::from_bytes(public));
    }
    Ok(())
}

/// Ends a delivery and lets the next of its line come.
fn settle(
    tx: &mut Tx<'_>,
    current: &Current,
    status: i8,
    error: Option<&str>,
    now: Timestamp,
) -> Done<()> {
    if let Some(message) = current.message.filter(|_| current.action != outbox::SEND) {
        if status == outbox::DEAD && !change::stands(tx.connection, message, current.action)? {
            return drop_change(tx, current, now);
        }
        change::supersede(tx.connection, message, current.id)?;
    }
    rows::execute(tx.connection, SETTLE, params![current.id, status, error])?;
    outbox::promote(tx, current.destination, current.conversation, now)
}

/// Forgets a change of a message that has nowhere to go, and lets the next of its line come.
fn drop_change(tx: &mut Tx<'_>, current: &Current, now: Timestamp) -> Done<()> {
    const DROP: &str = "DELETE FROM delivery WHERE id = ?1";
    rows::execute(tx.connection, DROP, [current.id])?;
    outbox::promote(tx, current.destination, current.conversation, now)
}

fn delivered(
    tx: &mut Tx<'_>,
    current: &Current,
    replies: &[Reply],
    tags: TagPatch,
    now: Timestamp,
) -> Done<()> {
    if !replies.is_empty()
        && let Err(error) = store_replies(tx, current, replies, now)?
    {
        return settle(tx, current, outbox::DEAD, Some(error), now);
    }
    if let Some(number) = current.message
        && !tags.is_empty()
        && let Some(message) = message::by_number(tx.connection, number)?
    {
        let update = MessageUpdate {
            tags,
            ..MessageUpdate::default()
        };
        message::change(tx, message, update, now)?;
    }
    settle(tx, current, outbox::DELIVERED, None, now)?;
    match current.event {
        Some(event) => workflow::processed(tx, event, now),
        None => Ok(()),
    }
}

/// Writes what a bot's answer changes of the event's conversation.
fn changed_by_bot(
    tx: &mut Tx<'_>,
    current: &Current,
    change: &ConversationChange,
    now: Timestamp,
) -> Done<()> {
    if let Some(state) = &change.state {
        state::set(tx, state)?;
    }
    if !change.tags.is_empty()
        && let Some(number) = current.conversation
        && let Some(mut conversation) = conversation::by_number(tx.connection, number)?
    {
        conversation::merge_tags(tx.connection, &mut conversation, &change.tags, now)?;
    }
    Ok(())
}

/// Stores what a bot answered; the inner error says why its answer has no place to go.
fn store_replies(
    tx: &mut Tx<'_>,
    current: &Current,
    replies: &[Reply],
    now: Timestamp,
) -> Done<Result<(), &'static str>> {
    let line = current.conversation.filter(|line| *line > 0);
    let (Some(number), Some(_)) = (line, current.event) else {
        return Ok(Err(
            "the bot answered with messages, but the event belongs to no conversation; answer \
             without messages, or create them where they belong",
        ));
    };
    let Some(mut conversation) = conversation::by_number(tx.connection, number)? else {
        return Ok(Err(
            "the bot answered with messages, but the conversation was deleted meanwhile",
        ));
    };
    let author = user::number(tx.connection, conversation.bot, UserId::from(current.bot))?
        .ok_or_else(|| rows::gone("the bot's own user"))?;
    let no_tags = Tags::new();
    for reply in replies {
        let draft = message::Draft {
            id: reply.message,
            user: author,
            direction: Direction::Outgoing,
            kind: &reply.kind,
            payload: &reply.payload,
            tags: &no_tags,
            synthetic: false,
            once: None,
            waits: false,
            takes_part: false,
            now,
        };
        let message = message::insert(tx, &mut conversation, draft)?;
        message::send(tx, &conversation, message, reply.delivery, now)?;
    }
    Ok(Ok(()))
}

fn record_part(tx: &mut Tx<'_>, id: DeliveryId, epoch: i64, part: &SentPart) -> Done<bool> {
    let part = serde_json::to_string(part).map_err(Failure::damage)?;
    let keys = params![id.to_bytes(), epoch, part];
    Ok(rows::execute(tx.connection, RECORD_PART, keys)? > 0)
}

#[async_trait]
impl DeliveryStore for SqliteStore {
    async fn claim(&self, wanted: Claim) -> Result<Claimed> {
        if let Some(idle) = self
            .read(|connection| claim::idle(connection, wanted))
            .await?
        {
            return Ok(idle);
        }
        self.write(move |tx| claim::run(tx, wanted)).await
    }

    async fn finish(&self, result: Finish) -> Result<bool> {
        self.write(move |tx| finish(tx, &result)).await
    }

    async fn record_part(&self, id: DeliveryId, epoch: i64, part: SentPart) -> Result<bool> {
        self.write(move |tx| record_part(tx, id, epoch, &part))
            .await
    }

    async fn release_in_flight(&self, now: Timestamp, lost: LostSends) -> Result<usize> {
        self.write(move |tx| lost::all(tx, lost, now)).await
    }

    async fn list_deliveries(
        &self,
        bot: BotId,
        status: Option<DeliveryRecordStatus>,
        conversation: Option<ConversationId>,
        page: PageRequest,
    ) -> Result<Page<DeliveryRecord>> {
        self.list(move |connection| record::list(connection, bot, status, conversation, page))
            .await
    }

    async fn replay_delivery(
        &self,
        bot: BotId,
        id: DeliveryId,
        now: Timestamp,
    ) -> Result<Option<DeliveryRecord>> {
        self.write(move |tx| record::replay(tx, bot, id, now)).await
    }

    async fn dismiss_delivery(&self, bot: BotId, id: DeliveryId) -> Result<Option<DeliveryRecord>> {
        self.write(move |tx| record::dismiss(tx, bot, id)).await
    }

    async fn message_deliveries(
        &self,
        bot: BotId,
        message: MessageId,
    ) -> Result<Vec<DeliveryRecord>> {
        self.read(
            |connection| Ok(record::of_message(connection, bot, message)?.unwrap_or_default()),
        )
        .await
    }

    async fn replay_message(
        &self,
        bot: BotId,
        message: MessageId,
        now: Timestamp,
    ) -> Result<Option<DeliveryRecord>> {
        self.write(move |tx| record::replay_message(tx, bot, message, now))
            .await
    }

    async fn is_busy(&self, bot: BotId, conversation: ConversationId) -> Result<bool> {
        let look = |connection: &Connection| {
            let Some(row) = conversation::by_public(connection, bot, conversation)? else {
                return Ok((false, None));
            };
            let line = [row.integration, row.id];
            let busy = rows::value::<i64>(connection, ACTIVE, line)?.is_some();
            let may_be = !busy
                && (look::has_new(connection, outbox::BOTS)?
                    || look::has_new(connection, row.integration)?);
            Ok((busy, may_be.then_some(line)))
        };
        match self.read(look).await? {
            // All that is new is gone through, as a list is, and meanwhile it may have been looked at.
            (_, Some(line)) => {
                let whole = move |connection: &Connection| {
                    Ok(rows::value::<i64>(connection, ACTIVE_OR_NEW, line)?.is_some())
                };
                self.list(whole).await
            }
            (busy, None) => Ok(busy),
        }
    }
}
