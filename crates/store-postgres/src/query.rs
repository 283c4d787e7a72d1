//! Lists: a statement put together from constant pieces, and the page it gives.

use std::fmt::Write as _;

use switchboard_store::{Cursor, Page, PageRequest, SortOrder};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::connection::Connection;
use crate::failure::Done;
use crate::rows;

/// A `SELECT` that grows. Only constants become part of its text; each `?` in them becomes the next
/// `$n`.
pub(crate) struct Query {
    sql: String,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Query {
    pub(crate) fn new(select: &'static str) -> Self {
        Self {
            sql: format!("{select} WHERE true"),
            values: Vec::new(),
        }
    }

    /// Adds a condition.
    pub(crate) fn and(&mut self, condition: &'static str) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
    }

    /// Adds a condition whose `?`s all stand for `value`.
    pub(crate) fn and_value(
        &mut self,
        condition: &'static str,
        value: impl ToSql + Sync + Send + 'static,
    ) {
        let place = self.bind(value);
        self.sql.push_str(" AND ");
        self.sql.push_str(&condition.replace('?', &place));
    }

    fn bind(&mut self, value: impl ToSql + Sync + Send + 'static) -> String {
        self.values.push(Box::new(value));
        format!("${}", self.values.len())
    }

    /// The page that follows the request's cursor in the order of (`at`, `row`).
    pub(crate) async fn page<T>(
        mut self,
        connection: &Connection,
        (at, row, order): (&'static str, &'static str, SortOrder),
        request: PageRequest,
        map: impl Fn(&Row) -> Done<T>,
        place: impl Fn(&T) -> Cursor,
    ) -> Done<Page<T>> {
        let (compare, direction) = match order {
            SortOrder::Ascending => (">", "ASC"),
            SortOrder::Descending => ("<", "DESC"),
        };
        if let Some(cursor) = request.after {
            let (first, second) = (self.bind(cursor.at), self.bind(cursor.row));
            // Writing to a string cannot fail.
            let _ = write!(self.sql, " AND ({at}, {row}) {compare} ({first}, {second})");
        }
        let limit = request.limit.max(1);
        // One more than asked for: there is a next page, and it is not empty.
        let most = self.bind(rows::as_limit(limit.saturating_add(1)));
        let _ = write!(
            self.sql,
            " ORDER BY {at} {direction}, {row} {direction} LIMIT {most}"
        );
        let values: Vec<&(dyn ToSql + Sync)> = self
            .values
            .iter()
            .map(|value| &**value as &(dyn ToSql + Sync))
            .collect();
        let mut items = connection.all(&self.sql, &values, map).await?;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(place);
        Ok(Page { items, next })
    }
}
