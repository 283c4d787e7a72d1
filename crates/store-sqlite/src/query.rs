//! Lists: a statement put together from constant pieces, and the page it gives.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};
use switchboard_store::{Cursor, Page, PageRequest, SortOrder};

use crate::failure::Done;

/// A `SELECT` that grows. Only constants become part of its text.
pub(crate) struct Query {
    sql: String,
    values: Vec<Value>,
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

    /// Adds a condition whose `?` stands for `value`.
    pub(crate) fn and_value(&mut self, condition: &'static str, value: impl Into<Value>) {
        self.and(condition);
        self.values.push(value.into());
    }

    /// Adds a condition whose `?`s stand for `values`.
    pub(crate) fn and_values<const N: usize>(
        &mut self,
        condition: &'static str,
        values: [impl Into<Value>; N],
    ) {
        self.and(condition);
        self.values.extend(values.into_iter().map(Into::into));
    }

    /// The page that follows the request's cursor in the order of (`at`, `row`). Rows that `keep`
    /// refuses are passed over.
    pub(crate) fn page<T>(
        self,
        connection: &Connection,
        (at, row, order): (&'static str, &'static str, SortOrder),
        request: PageRequest,
        map: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
        place: impl Fn(&T) -> Cursor,
        keep: impl FnMut(&T) -> Done<bool>,
    ) -> Done<Page<T>> {
        let after = request.after.map(|cursor| vec![cursor.at, cursor.row]);
        let walk = Walk {
            columns: &[at, row],
            order,
            after,
            limit: request.limit,
        };
        self.walk(connection, walk, map, place, keep)
    }

    /// The page that a walk gives. Rows that `keep` refuses are passed over.
    pub(crate) fn walk<T>(
        mut self,
        connection: &Connection,
        walk: Walk<'_>,
        map: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
        place: impl Fn(&T) -> Cursor,
        mut keep: impl FnMut(&T) -> Done<bool>,
    ) -> Done<Page<T>> {
        let (compare, direction) = match walk.order {
            SortOrder::Ascending => (">", " ASC"),
            SortOrder::Descending => ("<", " DESC"),
        };
        if let Some(after) = walk.after {
            let columns = walk.columns.join(", ");
            let marks = vec!["?"; walk.columns.len()].join(", ");
            for piece in [" AND (", &columns, ") ", compare, " (", &marks, ")"] {
                self.sql.push_str(piece);
            }
            self.values.extend(after.into_iter().map(Value::from));
        }
        for (number, column) in walk.columns.iter().enumerate() {
            self.sql
                .push_str(if number == 0 { " ORDER BY " } else { ", " });
            self.sql.push_str(column);
            self.sql.push_str(direction);
        }

        let mut statement = connection.prepare_cached(&self.sql)?;
        let mut found = statement.query(params_from_iter(self.values))?;
        let limit = walk.limit.max(1);
        let mut items = Vec::new();
        while let Some(row) = found.next()? {
            let item = map(row)?;
            if !keep(&item)? {
                continue;
            }
            if items.len() == limit {
                // One more than asked for: there is a next page, and it is not empty.
                let next = items.last().map(place);
                return Ok(Page { items, next });
            }
            items.push(item);
        }
        Ok(Page { items, next: None })
    }
}

/// An order, and where to go on in it.
pub(crate) struct Walk<'a> {
    /// What decides, the first first. Together they tell rows apart.
    pub(crate) columns: &'a [&'static str],
    pub(crate) order: SortOrder,
    /// A value for each column.
    pub(crate) after: Option<Vec<i64>>,
    pub(crate) limit: usize,
}

/// A page without items.
pub(crate) const fn empty<T>() -> Page<T> {
    Page {
        items: Vec::new(),
        next: None,
    }
}

/// A page of what its items stand for.
pub(crate) fn map_page<T, U>(page: Page<T>, map: impl FnMut(T) -> U) -> Page<U> {
    Page {
        items: page.items.into_iter().map(map).collect(),
        next: page.next,
    }
}
