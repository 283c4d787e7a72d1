//! Pages of lists, and the opaque texts that lead from one to the next.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use switchboard_model::Result;
use switchboard_store::{Cursor, PageRequest, SortField, SortOrder};
use utoipa::ToSchema;

use crate::query::Query;

/// How many items a page has when nothing is said.
const DEFAULT_SIZE: usize = 20;
/// The most items of a page.
pub(crate) const MAX_SIZE: usize = 100;

/// Which list a cursor belongs to, and in which order: elsewhere it would point at a place that
/// means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct List([u8; 2]);

impl List {
    /// The participants of a conversation.
    pub(crate) const PARTICIPANTS: Self = Self(*b"p ");
    /// The messages of a conversation.
    pub(crate) const CONVERSATION_MESSAGES: Self = Self(*b"mc");
    /// All messages.
    pub(crate) const MESSAGES: Self = Self(*b"m ");
    /// Events.
    pub(crate) const EVENTS: Self = Self(*b"e ");
    /// Workflows.
    pub(crate) const WORKFLOWS: Self = Self(*b"w ");

    /// Conversations in an order.
    pub(crate) fn conversations(order: (SortField, SortOrder)) -> Self {
        Self([b'c', letter(order)])
    }

    /// Users in an order.
    pub(crate) fn users(order: (SortField, SortOrder)) -> Self {
        Self([b'u', letter(order)])
    }

    /// What a query asks of this list.
    pub(crate) fn request(self, query: &Query) -> Result<PageRequest> {
        let after = query.read(
            "nextToken",
            "expected the meta.nextToken of an earlier answer of this list",
            |text| self.decode(text),
        )?;
        let size = |name| {
            query.read(name, "expected a number from 1 to 100", |text| {
                text.parse::<usize>()
                    .ok()
                    .filter(|size| (1..=MAX_SIZE).contains(size))
            })
        };
        let limit = match size("pageSize")? {
            Some(limit) => Some(limit),
            None => size("limit")?,
        };
        Ok(PageRequest {
            after,
            limit: limit.unwrap_or(DEFAULT_SIZE),
        })
    }

    /// What tells a client where to go on.
    pub(crate) fn meta(self, next: Option<Cursor>) -> Meta {
        Meta {
            next_token: next.map(|cursor| self.encode(cursor)),
        }
    }

    fn encode(self, cursor: Cursor) -> String {
        let mut bytes = self.0.to_vec();
        bytes.extend(cursor.at.to_be_bytes());
        bytes.extend(cursor.row.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn decode(self, text: &str) -> Option<Cursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (list, rest) = bytes.split_first_chunk()?;
        let (at, row) = rest.split_first_chunk()?;
        (*list == self.0).then_some(Cursor {
            at: i64::from_be_bytes(*at),
            row: i64::from_be_bytes(row.try_into().ok()?),
        })
    }
}

fn letter(order: (SortField, SortOrder)) -> u8 {
    match order {
        (SortField::CreatedAt, SortOrder::Descending) => b'c',
        (SortField::CreatedAt, SortOrder::Ascending) => b'C',
        (SortField::UpdatedAt, SortOrder::Descending) => b'u',
        (SortField::UpdatedAt, SortOrder::Ascending) => b'U',
    }
}

/// Where a list goes on; nothing on its last page.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Meta {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    next_token: Option<String>,
}

/// Whether a get-or-create has made it.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedMeta {
    pub(crate) created: bool,
}

/// What official clients expect beside a state.
#[derive(Serialize, ToSchema)]
pub(crate) struct CachedMeta {
    cached: bool,
}

impl CachedMeta {
    /// Nothing is cached.
    pub(crate) const FRESH: Self = Self { cached: false };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_on_in_its_own_list_and_order_only() {
        let (fields, orders) = (
            [SortField::CreatedAt, SortField::UpdatedAt],
            [SortOrder::Ascending, SortOrder::Descending],
        );
        let mut lists = vec![
            List::PARTICIPANTS,
            List::CONVERSATION_MESSAGES,
            List::MESSAGES,
            List::EVENTS,
            List::WORKFLOWS,
        ];
        for order in fields.into_iter().flat_map(|f| orders.map(|o| (f, o))) {
            lists.extend([List::conversations(order), List::users(order)]);
        }
        let cursor = Cursor {
            at: -1,
            row: i64::MAX,
        };
        for (number, list) in lists.iter().enumerate() {
            let text = list.encode(cursor);
            for (other_number, other) in lists.iter().enumerate() {
                let expected = (number == other_number).then_some(cursor);
                assert_eq!(other.decode(&text), expected, "{list:?} {other:?}");
            }
            assert_eq!(list.decode(&text[1..]), None);
        }
    }
}
