//! The lists that come in pages, and what they must show of what there is.

use switchboard_model::ids::Ulid;
use switchboard_model::{ConversationId, Event, Timestamp};

use super::truth::Truth;
use crate::contract::world::World;
use crate::{
    ConversationFilter, DeliveryRecordStatus, EventFilter, MessageFilter, Page, PageRequest,
    SortField, SortOrder, UserFilter, WorkflowFilter,
};

/// A list with its filter.
#[derive(Debug)]
pub(super) enum List {
    Conversations(ConversationFilter),
    Users(UserFilter),
    Messages(MessageFilter),
    Events(EventFilter),
    Participants(ConversationId),
    Workflows(WorkflowFilter),
    Deliveries(Option<DeliveryRecordStatus>, Option<ConversationId>),
}

/// What a list must show.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    /// What it is sorted by, in the end the number of its making.
    key: [i64; 3],
    pub(super) id: Ulid,
    /// Grows where the object itself goes to another place in the order.
    pub(super) place: i64,
}

fn within(at: Timestamp, after: Option<Timestamp>, before: Option<Timestamp>) -> bool {
    after.is_none_or(|after| at >= after) && before.is_none_or(|before| at <= before)
}

impl List {
    pub(super) fn order(&self) -> SortOrder {
        match self {
            Self::Conversations(filter) => filter.order,
            Self::Users(filter) => filter.order,
            Self::Participants(_) => SortOrder::Ascending,
            Self::Messages(_) | Self::Events(_) | Self::Workflows(_) | Self::Deliveries(..) => {
                SortOrder::Descending
            }
        }
    }

    pub(super) async fn page(&self, world: &World, page: PageRequest) -> Page<Ulid> {
        let (store, bot) = (&world.store, world.bot);
        match self {
            Self::Conversations(filter) => {
                let list = store.list_conversations(bot, filter.clone(), page).await;
                list.unwrap().map(|found| found.id.ulid())
            }
            Self::Users(filter) => {
                let list = store.list_users(bot, filter.clone(), page).await;
                list.unwrap().map(|found| found.id.ulid())
            }
            Self::Messages(filter) => {
                let list = store.list_messages(bot, filter.clone(), page).await;
                list.unwrap().map(|found| found.id.ulid())
            }
            Self::Events(filter) => {
                let list = store.list_events(bot, filter.clone(), page).await;
                list.unwrap().map(|found| found.id.ulid())
            }
            Self::Participants(conversation) => {
                let list = store.list_participants(bot, *conversation, page).await;
                let list = list.unwrap().unwrap_or(Page::empty());
                list.map(|found| found.id.ulid())
            }
            Self::Workflows(filter) => {
                let list = store.list_workflows(bot, filter.clone(), page).await;
                list.unwrap().map(|found| found.id.ulid())
            }
            Self::Deliveries(status, conversation) => {
                let list = store.list_deliveries(bot, *status, *conversation, page);
                list.await.unwrap().map(|found| found.id.ulid())
            }
        }
    }

    /// What it must show, in its order.
    pub(super) fn rows(&self, truth: &Truth) -> Vec<Row> {
        let mut rows = match self {
            Self::Conversations(filter) => conversations(filter, truth),
            Self::Users(filter) => users(filter, truth),
            Self::Messages(filter) => messages(filter, truth),
            Self::Events(filter) => events(filter, truth),
            Self::Participants(id) => participants(*id, truth),
            Self::Workflows(filter) => workflows(filter, truth),
            Self::Deliveries(status, conversation) => deliveries(*status, *conversation, truth),
        };
        rows.sort_unstable();
        if self.order() == SortOrder::Descending {
            rows.reverse();
        }
        rows
    }
}

/// The key of what is sorted by a time, and its place.
fn by_time(sort: SortField, made: Timestamp, changed: Timestamp, number: i64) -> ([i64; 3], i64) {
    match sort {
        SortField::CreatedAt => ([made.as_millis(), number, 0], 0),
        SortField::UpdatedAt => ([changed.as_millis(), number, 0], changed.as_millis()),
    }
}

fn conversations(filter: &ConversationFilter, truth: &Truth) -> Vec<Row> {
    let mut rows = Vec::new();
    for (id, (number, found)) in &truth.conversations {
        let takes_part = |user: &_| truth.takes_part(*id, *user);
        let count = found.message_count;
        if found.id == *id
            && found.tags.contains(&filter.tags)
            && filter.integration.is_none_or(|of| found.integration == of)
            && filter
                .channel
                .as_ref()
                .is_none_or(|of| found.channel == *of)
            && filter.participants.iter().all(takes_part)
            && within(found.created_at, filter.after, filter.before)
            && filter
                .min_messages
                .is_none_or(|min| i64::from(count) >= i64::from(min))
            && filter
                .max_messages
                .is_none_or(|max| i64::from(count) <= i64::from(max))
        {
            let (made, changed) = (found.created_at, found.updated_at);
            let (key, place) = by_time(filter.sort, made, changed, *number);
            let id = id.ulid();
            rows.push(Row { key, id, place });
        }
    }
    rows
}

fn users(filter: &UserFilter, truth: &Truth) -> Vec<Row> {
    let mut rows = Vec::new();
    for (id, (number, found)) in &truth.users {
        let at = match filter.range {
            SortField::CreatedAt => found.created_at,
            SortField::UpdatedAt => found.updated_at,
        };
        if found.tags.contains(&filter.tags)
            && filter
                .integration
                .is_none_or(|of| found.integration == Some(of))
            && filter
                .conversation
                .is_none_or(|of| truth.takes_part(of, *id))
            && within(at, filter.after, filter.before)
        {
            let (made, changed) = (found.created_at, found.updated_at);
            let (key, place) = by_time(filter.sort, made, changed, *number);
            let id = id.ulid();
            rows.push(Row { key, id, place });
        }
    }
    rows
}

fn messages(filter: &MessageFilter, truth: &Truth) -> Vec<Row> {
    let mut rows = Vec::new();
    for (id, (number, found)) in &truth.messages {
        let place = &truth.conversations[&found.conversation].1;
        let of = |of| truth.meant(of) == Some(found.conversation);
        if found.seq >= 0
            && found.tags.contains(&filter.tags)
            && filter.conversation.is_none_or(of)
            && filter.integration.is_none_or(|of| place.integration == of)
            && within(found.created_at, filter.after, filter.before)
        {
            let at = found.created_at.as_millis();
            let key = if filter.conversation.is_some() {
                [found.seq, at, *number]
            } else {
                [at, *number, 0]
            };
            // A merge counts places anew, but keeps the order.
            let (id, place) = (id.ulid(), 0);
            rows.push(Row { key, id, place });
        }
    }
    rows
}

fn events(filter: &EventFilter, truth: &Truth) -> Vec<Row> {
    let mut rows = Vec::new();
    for (id, (number, found)) in &truth.events {
        let announces = found.kind == Event::MESSAGE_CREATED;
        let prefixed = |prefix: &String| !announces && found.kind.starts_with(prefix);
        let of = |of| truth.meant(of).is_some() && truth.meant(of) == found.conversation;
        let user = |of| found.user == Some(of) && truth.users.contains_key(&of);
        let message = |of| found.message == Some(of) && truth.messages.contains_key(&of);
        let workflow = |of| found.workflow == Some(of) && truth.workflows.contains_key(&of);
        if filter.kind.as_ref().is_none_or(|kind| found.kind == *kind)
            && filter.kind_prefix.as_ref().is_none_or(prefixed)
            && filter.conversation.is_none_or(of)
            && filter.user.is_none_or(user)
            && filter.message.is_none_or(message)
            && filter.workflow.is_none_or(workflow)
            && filter.status.is_none_or(|status| found.status == status)
        {
            let (key, id, place) = ([*number, 0, 0], id.ulid(), 0);
            rows.push(Row { key, id, place });
        }
    }
    rows
}

fn participants(conversation: ConversationId, truth: &Truth) -> Vec<Row> {
    let meant = truth.meant(conversation);
    let joined = truth.participants.iter();
    let of = joined.filter(|((of, _), _)| Some(*of) == meant);
    of.map(|((_, user), joined)| Row {
        key: [*joined, 0, 0],
        id: user.ulid(),
        place: *joined,
    })
    .collect()
}

fn workflows(filter: &WorkflowFilter, truth: &Truth) -> Vec<Row> {
    let mut rows = Vec::new();
    for (id, (number, found)) in &truth.workflows {
        let of = |of| truth.meant(of).is_some() && truth.meant(of) == found.conversation;
        let user = |of| found.user == Some(of) && truth.users.contains_key(&of);
        if found.tags.contains(&filter.tags)
            && filter.conversation.is_none_or(of)
            && filter.user.is_none_or(user)
            && filter.parent.is_none_or(|of| found.parent == Some(of))
            && (filter.statuses.is_empty() || filter.statuses.contains(&found.status))
            && filter.name.as_ref().is_none_or(|name| found.name == *name)
        {
            let (key, id, place) = ([*number, 0, 0], id.ulid(), 0);
            rows.push(Row { key, id, place });
        }
    }
    rows
}

fn deliveries(
    status: Option<DeliveryRecordStatus>,
    conversation: Option<ConversationId>,
    truth: &Truth,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for (id, (number, replays, found)) in &truth.deliveries {
        let of = |of| truth.meant(of).is_some() && truth.meant(of) == found.conversation;
        if status.is_none_or(|status| found.status == status) && conversation.is_none_or(of) {
            let (key, id) = ([*number, 0, 0], id.ulid());
            let place = *replays;
            rows.push(Row { key, id, place });
        }
    }
    rows
}
