//! Conversations and what was said in them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use switchboard_engine::wire::user_id;
use switchboard_model::{BotId, Conversation, ConversationId, Error, Kind, Message};
use switchboard_store::{
    Change, ConversationFilter, Cursor, DeliveryRecord, DeliveryRecordStatus, MessageFilter,
    PageRequest,
};
use tokio::sync::broadcast::error::RecvError;

use super::{Admin, BotQuery, parse};
use crate::body::JsonBody;
use crate::error::ApiError;
use crate::explain::named;
use crate::path::Segments;
use crate::query::Parameters;

type Answer<T> = Result<Json<T>, ApiError>;

/// The longest that a request may wait for something to happen.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// How many of those who take part are shown.
const PARTICIPANTS: usize = 50;
/// The most rows of an answer.
const MAX_LIMIT: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    bot: Option<String>,
    limit: Option<usize>,
    at: Option<i64>,
    row: Option<i64>,
}

#[derive(Serialize)]
pub(super) struct Conversations {
    conversations: Vec<Conversation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Next>,
}

/// Where a list goes on.
#[derive(Serialize)]
pub(super) struct Next {
    at: i64,
    row: i64,
}

impl From<Cursor> for Next {
    fn from(Cursor { at, row }: Cursor) -> Self {
        Self { at, row }
    }
}

pub(super) async fn list(
    State(admin): State<Admin>,
    Parameters(query): Parameters<ListQuery>,
) -> Answer<Conversations> {
    let bot = admin.named_bot(query.bot.as_deref()).await?;
    let after = after(query.at, query.row);
    let limit = limit(query.limit)?;
    let page = admin
        .engine
        .store()
        .list_conversations(
            bot,
            ConversationFilter::default(),
            PageRequest { after, limit },
        )
        .await?;
    Ok(Json(Conversations {
        conversations: page.items,
        next: page.next.map(Next::from),
    }))
}

/// The place that a query names, if it does.
pub(super) fn after(at: Option<i64>, row: Option<i64>) -> Option<Cursor> {
    at.zip(row).map(|(at, row)| Cursor { at, row })
}

/// How many rows to answer.
pub(super) fn limit(given: Option<usize>) -> Result<usize, Error> {
    let limit = Some(given.unwrap_or(50)).filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| Error::InvalidQuery {
        parameter: "limit".to_owned(),
        expected: format!("expected a number from 1 to {MAX_LIMIT}"),
    })
}

/// A conversation with its latest messages, oldest first.
#[derive(Serialize)]
pub(super) struct Shown {
    conversation: Conversation,
    #[serde(flatten)]
    said: Said,
    /// Who takes part, in the order of joining.
    participants: Vec<Participant>,
    /// Whether there are more of them.
    more_participants: bool,
    /// Deliveries that were given up, are uncertain, or failed and are tried again.
    stuck: Vec<DeliveryRecord>,
}

#[derive(Serialize)]
struct Participant {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

#[derive(Serialize)]
struct Said {
    messages: Vec<Message>,
    /// Names of authors, by user id; the bot's own user is shown by the bot's id.
    authors: BTreeMap<String, String>,
    bot: BotId,
}

pub(super) async fn show(
    State(admin): State<Admin>,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<ListQuery>,
) -> Answer<Shown> {
    let store = admin.engine.store();
    let bot = admin.named_bot(query.bot.as_deref()).await?;
    let conversation = find(&admin, bot, &id).await?;
    let filter = MessageFilter {
        conversation: Some(conversation.id),
        ..MessageFilter::default()
    };
    let page = PageRequest {
        after: None,
        limit: limit(query.limit)?,
    };
    let mut messages = store.list_messages(bot, filter, page).await?.items;
    messages.reverse();
    let mut stuck = Vec::new();
    for status in [
        DeliveryRecordStatus::Dead,
        DeliveryRecordStatus::Uncertain,
        DeliveryRecordStatus::Pending,
        DeliveryRecordStatus::InFlight,
    ] {
        let page = PageRequest {
            after: None,
            limit: 50,
        };
        let found = store
            .list_deliveries(bot, Some(status), Some(conversation.id), page)
            .await?;
        stuck.extend(
            found
                .items
                .into_iter()
                .filter(|found| found.error.is_some()),
        );
    }
    let page = PageRequest {
        after: None,
        limit: PARTICIPANTS,
    };
    let participants = store.list_participants(bot, conversation.id, page).await?;
    let participants = participants.ok_or_else(|| Error::not_found(Kind::Conversation, &id))?;
    let more_participants = participants.next.is_some();
    let participants = participants.items.into_iter().map(|user| Participant {
        id: user_id(bot, user.id),
        name: user.name,
    });
    Ok(Json(Shown {
        participants: participants.collect(),
        more_participants,
        said: said(&admin, bot, messages).await?,
        conversation,
        stuck,
    }))
}

pub(super) async fn reset(
    State(admin): State<Admin>,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<BotQuery>,
) -> Answer<Conversation> {
    let bot = admin.bot(&query).await?;
    let id = conversation_id(&id)?;
    Ok(Json(admin.engine.reset_conversation(bot, id).await?))
}

/// A thread by its external id.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ThreadBody {
    integration: String,
    channel: Option<String>,
    external_id: String,
}

pub(super) async fn reset_thread(
    State(admin): State<Admin>,
    Parameters(query): Parameters<BotQuery>,
    JsonBody(body): JsonBody<ThreadBody>,
) -> Answer<Conversation> {
    let bot = admin.bot(&query).await?;
    let integration = named(&admin.engine, bot, &body.integration).await?;
    let found = admin
        .engine
        .conversation_of(&integration, body.channel.as_deref(), &body.external_id)
        .await?;
    Ok(Json(admin.engine.reset_conversation(bot, found.id).await?))
}

async fn find(admin: &Admin, bot: BotId, id: &str) -> Result<Conversation, Error> {
    let missing = || Error::not_found(Kind::Conversation, id);
    admin
        .engine
        .store()
        .get_conversation(bot, parse(Kind::Conversation, id)?)
        .await?
        .ok_or_else(missing)
}

async fn said(admin: &Admin, bot: BotId, messages: Vec<Message>) -> Result<Said, Error> {
    let mut authors = BTreeMap::new();
    for message in &messages {
        let id = user_id(bot, message.user);
        if let Entry::Vacant(entry) = authors.entry(id) {
            let user = admin.engine.store().get_user(bot, message.user).await?;
            let name = user
                .and_then(|user| user.name)
                .unwrap_or_else(|| entry.key().clone());
            entry.insert(name);
        }
    }
    Ok(Said {
        messages,
        authors,
        bot,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FollowQuery {
    bot: Option<String>,
    /// What was said after this place, or …
    after: Option<i64>,
    /// … at most so many of what was said last.
    last: Option<usize>,
    limit: Option<usize>,
    wait_ms: Option<u64>,
    /// Answer at once where nothing is under way.
    #[serde(default)]
    until_idle: bool,
}

/// What was said after a place, and whether something of the conversation is still under way.
#[derive(Serialize)]
pub(super) struct Followed {
    #[serde(flatten)]
    said: Said,
    /// The place after which the rest comes.
    place: i64,
    busy: bool,
}

/// What was said last, and the place after it.
async fn latest(
    admin: &Admin,
    bot: BotId,
    conversation: ConversationId,
    last: usize,
) -> Result<Followed, Error> {
    let store = admin.engine.store();
    let busy = store.is_busy(bot, conversation).await?;
    let filter = MessageFilter {
        conversation: Some(conversation),
        ..MessageFilter::default()
    };
    // One at least, to learn the place.
    let page = PageRequest {
        after: None,
        limit: limit(Some(last.max(1)))?,
    };
    let mut messages = store.list_messages(bot, filter, page).await?.items;
    let place = messages.iter().map(|message| message.seq).max();
    messages.truncate(last);
    messages.reverse();
    Ok(Followed {
        said: said(admin, bot, messages).await?,
        place: place.unwrap_or(0),
        busy,
    })
}

pub(super) async fn messages(
    State(admin): State<Admin>,
    Segments(id): Segments<String>,
    Parameters(query): Parameters<FollowQuery>,
) -> Answer<Followed> {
    let bot = admin.named_bot(query.bot.as_deref()).await?;
    let conversation = find(&admin, bot, &id).await?.id;
    if let Some(last) = query.last {
        return Ok(Json(latest(&admin, bot, conversation, last).await?));
    }
    let after = query.after.unwrap_or(0);
    let limit = limit(query.limit)?;
    let wait = Duration::from_millis(query.wait_ms.unwrap_or(0)).min(MAX_WAIT);

    // Subscribed before the first look, so that nothing falls between the two.
    let mut changes = admin.engine.store().changes();
    let deadline = tokio::time::Instant::now() + wait;
    let was_busy = admin.engine.store().is_busy(bot, conversation).await?;
    loop {
        // Busy is read first: what was finished by then is among the messages read after it.
        let busy = admin.engine.store().is_busy(bot, conversation).await?;
        let messages = admin
            .engine
            .store()
            .messages_after(bot, conversation, after, limit)
            .await?;
        let over = tokio::time::Instant::now() >= deadline;
        let idle = query.until_idle && !busy;
        if over || idle || !messages.is_empty() || busy != was_busy {
            let place = messages.iter().map(|message| message.seq).max();
            return Ok(Json(Followed {
                place: place.unwrap_or(after),
                said: said(&admin, bot, messages).await?,
                busy,
            }));
        }
        let change = async {
            loop {
                match changes.recv().await {
                    Ok(Change::Conversation(other)) if other != conversation => {}
                    Ok(Change::Lane(_)) => {}
                    Ok(Change::Conversation(_)) | Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        // Passing the deadline is no error: it is answered as it is then.
        let _ = tokio::time::timeout_at(deadline, change).await;
    }
}

/// For other rooms of administration.
pub(super) fn conversation_id(text: &str) -> Result<ConversationId, Error> {
    parse(Kind::Conversation, text)
}
