//! Which list is read next, with which filter.

use std::time::Duration;

use switchboard_model::{
    ConversationId, EventStatus, IntegrationId, Tags, Timestamp, UserId, WorkflowStatus,
};

use super::Served;
use super::happenings::{KINDS_OF_EVENTS, Side, pick, some_tags};
use super::list::List;
use crate::{
    ConversationFilter, DeliveryRecordStatus, EventFilter, MessageFilter, SortField, SortOrder,
    UserFilter, WorkflowFilter,
};

/// How many kinds [`Choice::list`] knows.
pub(super) const KINDS: usize = 8;

/// What a step chooses; most filters let much through.
pub(super) struct Choice<'a> {
    /// Whose objects are named.
    named: &'a Side,
    a: u8,
    b: u8,
    c: u8,
    tags: Tags,
    after: Option<Timestamp>,
    before: Option<Timestamp>,
    integration: Option<IntegrationId>,
    conversation: Option<ConversationId>,
    user: Option<UserId>,
}

impl<'a> Choice<'a> {
    /// Now and then what is named is another bot's.
    pub(super) fn new(
        own: &'a Side,
        other: &'a Side,
        start: Timestamp,
        [_, a, b, c]: [u8; 4],
    ) -> Self {
        let named = if b % 16 == 15 { other } else { own };
        let mut choice = Self {
            named,
            a: a / 8,
            b,
            c,
            tags: Tags::new(),
            after: None,
            before: None,
            integration: None,
            conversation: None,
            user: pick(&named.users, a),
        };
        if choice.says(0) {
            choice.tags = some_tags(choice.a);
        }
        if choice.says(1) {
            let millis = u64::from(choice.a % 8);
            choice.after = Some(start.plus(Duration::from_millis(millis)));
        }
        if choice.says(2) {
            let millis = 2 + u64::from(c % 16);
            choice.before = Some(start.plus(Duration::from_millis(millis)));
        }
        if choice.says(3) {
            choice.integration = Some(named.integration(a));
        }
        if choice.says(4) {
            choice.conversation = pick(&named.conversations, c);
        }
        choice
    }

    /// Whether something is filtered by: one in four.
    fn says(&self, bit: u8) -> bool {
        self.b & self.c & (1 << bit) != 0
    }

    fn sort(&self) -> (SortField, SortOrder) {
        let field = if self.c & 64 == 0 {
            SortField::CreatedAt
        } else {
            SortField::UpdatedAt
        };
        let order = if self.c & 128 == 0 {
            SortOrder::Ascending
        } else {
            SortOrder::Descending
        };
        (field, order)
    }

    /// A list of this kind.
    pub(super) fn list(self, kind: usize, served: Served) -> List {
        let conversation = pick(&self.named.conversations, self.c);
        match kind {
            0 => self.users(),
            1 => self.messages(conversation),
            2 => self.messages(None),
            3 => self.events(),
            4 => match conversation {
                Some(conversation) => List::Participants(conversation),
                None => List::Deliveries(None, None),
            },
            5 if served == Served::Everything => self.workflows(),
            6 => self.deliveries(),
            _ => self.conversations(),
        }
    }

    fn conversations(self) -> List {
        let (sort, order) = self.sort();
        let by_user = if self.says(5) { self.user } else { None };
        List::Conversations(ConversationFilter {
            channel: self.says(4).then(|| format!("channel{}", self.a % 2)),
            participants: by_user.into_iter().collect(),
            min_messages: self.says(6).then(|| u32::from(self.a % 3)),
            max_messages: self.says(7).then(|| u32::from(self.a % 6)),
            tags: self.tags,
            integration: self.integration,
            after: self.after,
            before: self.before,
            sort,
            order,
        })
    }

    fn users(self) -> List {
        let (sort, order) = self.sort();
        List::Users(UserFilter {
            tags: self.tags,
            integration: self.integration,
            conversation: self.conversation,
            range: if self.a & 1 == 0 {
                SortField::CreatedAt
            } else {
                SortField::UpdatedAt
            },
            after: self.after,
            before: self.before,
            sort,
            order,
        })
    }

    fn messages(self, conversation: Option<ConversationId>) -> List {
        List::Messages(MessageFilter {
            conversation,
            tags: self.tags,
            after: self.after,
            before: self.before,
            integration: self.integration,
        })
    }

    fn events(self) -> List {
        const STATUSES: [EventStatus; 5] = [
            EventStatus::Pending,
            EventStatus::Processed,
            EventStatus::Failed,
            EventStatus::Scheduled,
            EventStatus::Canceled,
        ];
        let named = self.named;
        let some = |bit: u8| self.says(bit).then_some(self.a);
        List::Events(EventFilter {
            kind: some(0).map(|a| KINDS_OF_EVENTS[usize::from(a % 3)].to_owned()),
            kind_prefix: some(1).map(|_| "telegram:".to_owned()),
            conversation: self.conversation,
            user: some(2).and(self.user),
            message: some(5).and_then(|a| pick(&named.messages, a)),
            workflow: some(3).and_then(|a| pick(&named.workflows, a)),
            status: some(6).map(|a| STATUSES[usize::from(a) % STATUSES.len()]),
        })
    }

    fn workflows(self) -> List {
        const STATUSES: [WorkflowStatus; 3] = [
            WorkflowStatus::Pending,
            WorkflowStatus::Listening,
            WorkflowStatus::Cancelled,
        ];
        let some = |bit: u8| self.says(bit).then_some(self.a);
        List::Workflows(WorkflowFilter {
            conversation: self.conversation,
            user: some(1).and(self.user),
            parent: some(3).and_then(|a| pick(&self.named.workflows, a)),
            statuses: STATUSES[..usize::from(some(2).unwrap_or_default() % 4)].to_vec(),
            name: some(5).map(|a| format!("w{}", a % 2)),
            tags: self.tags,
        })
    }

    fn deliveries(self) -> List {
        const STATUSES: [DeliveryRecordStatus; 6] = [
            DeliveryRecordStatus::Pending,
            DeliveryRecordStatus::InFlight,
            DeliveryRecordStatus::Delivered,
            DeliveryRecordStatus::Uncertain,
            DeliveryRecordStatus::Dead,
            DeliveryRecordStatus::Dismissed,
        ];
        let by_status = self.says(0);
        let status = by_status.then(|| STATUSES[usize::from(self.a) % STATUSES.len()]);
        List::Deliveries(status, self.conversation)
    }
}
