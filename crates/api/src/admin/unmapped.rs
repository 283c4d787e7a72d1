//! What waits for an integration's script to be mended: listed, and taken.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use switchboard_integration::Replayed;
use switchboard_model::{EventId, EventPayload, Integration, Kind, Result, Timestamp};
use switchboard_store::Unmapped;

use super::access::Answer;
use super::{Admin, BotQuery, parse};
use crate::body::JsonBody;
use crate::explain::named;
use crate::path::Segments;
use crate::query::Parameters;

/// How many updates an answer speaks of at most.
const PAGE: usize = 100;
/// When an answer is given though more wait: a script may take seconds over each.
const ENOUGH: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    bot: Option<String>,
    after: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Listed {
    unmapped: Vec<Shown>,
    /// All that wait.
    waiting: u64,
    /// Where the list goes on.
    next: Option<EventId>,
}

#[derive(Serialize)]
struct Shown {
    event: EventId,
    thread: Option<String>,
    created_at: Timestamp,
    /// What the script did when the update came.
    reason: Option<String>,
}

pub(super) async fn list(
    State(admin): State<Admin>,
    Segments(name): Segments<String>,
    Parameters(query): Parameters<ListQuery>,
) -> Answer<Listed> {
    let bot = admin.bot(&BotQuery { bot: query.bot }).await?;
    let integration = named(&admin.engine, bot, &name).await?;
    let after = query.after.map(|id| parse(Kind::Event, &id)).transpose()?;
    let page = page(&admin, &integration, after).await?;
    let mut unmapped = Vec::with_capacity(page.len());
    for found in &page {
        unmapped.push(Shown {
            event: found.event,
            thread: found.thread.clone(),
            created_at: found.created_at,
            reason: reason(&admin, &integration, found.event).await?,
        });
    }
    let store = admin.engine.store();
    Ok(Json(Listed {
        unmapped,
        waiting: store.count_unmapped(bot, integration.id).await?,
        next: (page.len() == PAGE)
            .then(|| page.last().map(|last| last.event))
            .flatten(),
    }))
}

async fn page(
    admin: &Admin,
    integration: &Integration,
    after: Option<EventId>,
) -> Result<Vec<Unmapped>> {
    let store = admin.engine.store();
    store
        .list_unmapped(integration.bot, integration.id, after, PAGE)
        .await
}

async fn reason(
    admin: &Admin,
    integration: &Integration,
    event: EventId,
) -> Result<Option<String>> {
    #[derive(Deserialize)]
    struct Kept {
        reason: Option<String>,
    }
    let found = admin.engine.store().get_event(integration.bot, event);
    Ok(match found.await?.map(|found| found.payload) {
        Some(EventPayload::Other(payload)) => serde_json::from_str::<Kept>(payload.as_str())
            .ok()
            .and_then(|kept| kept.reason),
        _ => None,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayBody {
    /// Only this one, also before its turn.
    event: Option<String>,
    /// Behind this one.
    after: Option<String>,
}

#[derive(Serialize)]
pub(super) struct ReplayAnswer {
    replayed: Vec<Told>,
    /// How many wait still.
    waiting: u64,
    /// Behind which one to go on.
    next: Option<EventId>,
}

#[derive(Serialize)]
struct Told {
    unmapped: EventId,
    #[serde(flatten)]
    replayed: Replayed,
}

/// Takes what waits, first come first: all, as far as the time of one request goes, or one.
pub(super) async fn replay(
    State(admin): State<Admin>,
    Segments(name): Segments<String>,
    Parameters(query): Parameters<BotQuery>,
    JsonBody(body): JsonBody<ReplayBody>,
) -> Answer<ReplayAnswer> {
    let bot = admin.bot(&query).await?;
    let integration = named(&admin.engine, bot, &name).await?;
    let mut replayed = Vec::new();
    let mut next = None;
    if let Some(event) = body.event {
        let event = parse(Kind::Event, &event)?;
        replayed.push(Told {
            unmapped: event,
            replayed: admin.replay.replay(&integration, event, true).await?,
        });
    } else {
        let started = Instant::now();
        let after = body.after.map(|id| parse(Kind::Event, &id)).transpose()?;
        let waiting = page(&admin, &integration, after).await?;
        for found in &waiting {
            replayed.push(Told {
                unmapped: found.event,
                replayed: admin
                    .replay
                    .replay(&integration, found.event, false)
                    .await?,
            });
            if started.elapsed() > ENOUGH {
                break;
            }
        }
        if replayed.len() < waiting.len() || waiting.len() == PAGE {
            next = replayed.last().map(|last| last.unmapped);
        }
    }
    let store = admin.engine.store();
    Ok(Json(ReplayAnswer {
        replayed,
        waiting: store.count_unmapped(bot, integration.id).await?,
        next,
    }))
}
