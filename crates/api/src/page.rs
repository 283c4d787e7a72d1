//! Pages of lists, and the opaque texts that lead from one to the next.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use switchboard_engine::{Caller, keys};
use switchboard_model::Result;
use switchboard_store::{
    Cursor, PageRequest, SortField, SortOrder, TagKind, TagValuePage, TagValues,
};
use utoipa::ToSchema;

use crate::query::Query;

/// How many items a page has when nothing is said.
const DEFAULT_SIZE: usize = 20;
/// The most items of a page.
pub(crate) const MAX_SIZE: usize = 100;

/// Who asks for which part of a list. A page token carries a digest of it: in the list of another
/// bot, or under another filter, its place would mean another one, and something would be skipped.
///
/// The digest has no key. Who makes one up gets to a place of a list that is open to them anyway.
pub(crate) struct Asked<'a> {
    query: &'a Query,
    mark: Mark,
}

/// What tells one such list from others.
pub(crate) type Mark = [u8; 8];

impl<'a> Asked<'a> {
    /// `of` is what the path says: whose list it is.
    pub(crate) fn by(caller: &Caller, of: &str, query: &'a Query) -> Self {
        let bot = caller.bot.to_string();
        let integration = caller.integration_id().map(|id| id.to_string());
        let parts = [&bot, integration.as_deref().unwrap_or_default(), of];
        // How large a page is may change on the way, and the order of parameters means nothing.
        let mut filters: Vec<_> = query
            .pairs()
            .filter(|(name, _)| !PAGING.contains(name))
            .collect();
        filters.sort_unstable();
        let filters = filters.into_iter().flat_map(|(name, value)| [name, value]);
        let parts = parts.into_iter().chain(filters).map(str::as_bytes);
        let digest = keys::key(parts).0;
        let mark = std::array::from_fn(|at| digest[at]);
        Self { query, mark }
    }
}

/// The parameters that choose no items.
const PAGING: [&str; 3] = ["nextToken", "pageSize", "limit"];

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
    pub(crate) fn request(self, asked: &Asked<'_>) -> Result<PageRequest> {
        Ok(PageRequest {
            after: place(asked.query, |text| self.decode(asked.mark, text))?,
            limit: size(asked.query)?,
        })
    }

    /// What tells a client where to go on.
    pub(crate) fn meta(self, asked: &Asked<'_>, next: Option<Cursor>) -> Meta {
        Meta {
            next_token: next.map(|cursor| self.encode(asked.mark, cursor)),
        }
    }

    pub(crate) fn encode(self, mark: Mark, cursor: Cursor) -> String {
        let mut bytes = [&self.0[..], &mark].concat();
        bytes.extend(cursor.at.to_be_bytes());
        bytes.extend(cursor.row.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub(crate) fn decode(self, mark: Mark, text: &str) -> Option<Cursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (list, rest) = bytes.split_first_chunk()?;
        let (marked, rest) = rest.split_first_chunk()?;
        let (at, row) = rest.split_first_chunk()?;
        (*list == self.0 && *marked == mark).then_some(Cursor {
            at: i64::from_be_bytes(*at),
            row: i64::from_be_bytes(row.try_into().ok()?),
        })
    }
}

/// The values of a tag: a page ends with a value, which is its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ValueList([u8; 2]);

impl ValueList {
    /// The values of tags of this kind.
    pub(crate) fn new(kind: TagKind) -> Self {
        Self(match kind {
            TagKind::Conversation => *b"tc",
            TagKind::User => *b"tu",
            TagKind::Message => *b"tm",
        })
    }

    /// What a query asks of this list.
    pub(crate) fn request(self, asked: &Asked<'_>) -> Result<TagValuePage> {
        Ok(TagValuePage {
            after: place(asked.query, |text| self.decode(asked.mark, text))?,
            limit: size(asked.query)?,
        })
    }

    /// What tells a client where to go on.
    pub(crate) fn meta(self, asked: &Asked<'_>, found: &TagValues) -> Meta {
        let last = found.values.last().filter(|_| found.more);
        Meta {
            next_token: last.map(|value| self.encode(asked.mark, value)),
        }
    }

    pub(crate) fn encode(self, mark: Mark, value: &str) -> String {
        URL_SAFE_NO_PAD.encode([&self.0[..], &mark, value.as_bytes()].concat())
    }

    pub(crate) fn decode(self, mark: Mark, text: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (list, rest) = bytes.split_first_chunk()?;
        let (marked, value) = rest.split_first_chunk()?;
        let value = std::str::from_utf8(value).ok()?;
        (*list == self.0 && *marked == mark && !value.is_empty() && !value.contains('\0'))
            .then(|| value.to_owned())
    }
}

/// Where a query goes on.
fn place<T>(query: &Query, decode: impl Fn(&str) -> Option<T>) -> Result<Option<T>> {
    // An empty token, such as a loop may begin with, is that of the first page.
    if !query.says("nextToken") {
        return Ok(None);
    }
    query.read(
        "nextToken",
        "expected the meta.nextToken of an earlier answer of this list, to the same caller and the \
         same filters; ask for the first page again",
        decode,
    )
}

/// How many items a query asks for.
fn size(query: &Query) -> Result<usize> {
    let read = |name| {
        query.read(name, "expected a number from 1 to 100", |text| {
            text.parse::<usize>()
                .ok()
                .filter(|size| (1..=MAX_SIZE).contains(size))
        })
    };
    // Both are read, so that neither can be wrong unnoticed.
    let (size, limit) = (read("pageSize")?, read("limit")?);
    Ok(size.or(limit).unwrap_or(DEFAULT_SIZE))
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

    const MARK: Mark = *b"the mark";

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
            let text = list.encode(MARK, cursor);
            for (other_number, other) in lists.iter().enumerate() {
                let expected = (number == other_number).then_some(cursor);
                assert_eq!(other.decode(MARK, &text), expected, "{list:?} {other:?}");
            }
            assert_eq!(list.decode(MARK, &text[1..]), None);
            assert_eq!(list.decode(*b"another.", &text), None);
        }
    }

    #[test]
    fn a_place_among_values_is_any_value() {
        let lists = TagKind::ALL.map(ValueList::new);
        for value in ["a", "b/c?d&e=f#g", "\u{1f600}", " ", &"\u{e9}".repeat(500)] {
            for list in lists {
                let text = list.encode(MARK, value);
                assert_eq!(list.decode(*b"another.", &text), None);
                for other in lists {
                    let expected = (list == other).then(|| value.to_owned());
                    assert_eq!(other.decode(MARK, &text), expected, "{list:?} {other:?}");
                }
                assert_eq!(List::MESSAGES.decode(MARK, &text), None);
            }
        }
        let list = ValueList::new(TagKind::User);
        for wrong in [
            "",
            "!",
            "dGM",
            &list.encode(MARK, ""),
            &list.encode(MARK, "a\0"),
            &URL_SAFE_NO_PAD.encode(b"tuthe mark\xff"),
        ] {
            assert_eq!(list.decode(MARK, wrong), None, "{wrong:?}");
        }
    }
}
