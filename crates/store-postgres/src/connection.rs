//! A connection from the pool, and the few ways to run a statement.

use bytes::BytesMut;
use deadpool_postgres::Object;
use tokio_postgres::types::{FromSql, FromSqlOwned, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Row, SimpleQueryMessage, Statement};

use crate::failure::{Done, Failure};

/// Values for the `$1`, `$2`, … of a statement.
pub(crate) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A connection. Each statement is prepared once on it and kept.
pub(crate) struct Connection(Option<Object>);

impl Connection {
    pub(crate) const fn new(object: Object) -> Self {
        Self(Some(object))
    }

    /// None: what is left in the place of one that was given back.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    fn object(&self) -> Done<&Object> {
        let gone = || Failure::damage("a connection was used after it was given up");
        self.0.as_ref().ok_or_else(gone)
    }

    /// Closes it instead of giving it back: it may be inside a transaction.
    pub(crate) fn discard(&mut self) {
        if let Some(object) = self.0.take() {
            drop(Object::take(object));
        }
    }

    async fn prepared(&self, sql: &str) -> Done<(&Object, Statement)> {
        let object = self.object()?;
        Ok((object, object.prepare_cached(sql).await?))
    }

    /// Runs a statement; tells how many rows it changed.
    pub(crate) async fn execute(&self, sql: &str, values: Values<'_>) -> Done<u64> {
        let (object, statement) = self.prepared(sql).await?;
        Ok(object.execute(&statement, values).await?)
    }

    /// Runs statements without values; gives the first column of the last row, and the second.
    pub(crate) async fn script(&self, sql: &str) -> Done<Option<(String, String)>> {
        let messages = self.object()?.simple_query(sql).await?;
        let row = messages
            .into_iter()
            .rev()
            .find_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(row),
                _ => None,
            });
        Ok(row.and_then(|row| {
            let text = |column| row.try_get(column).ok().flatten().unwrap_or_default();
            (row.len() > 1).then(|| (text(0).to_owned(), text(1).to_owned()))
        }))
    }

    /// All rows.
    pub(crate) async fn all<T>(
        &self,
        sql: &str,
        values: Values<'_>,
        map: impl Fn(&Row) -> Done<T>,
    ) -> Done<Vec<T>> {
        let (object, statement) = self.prepared(sql).await?;
        let rows = object.query(&statement, values).await?;
        rows.iter().map(map).collect()
    }

    /// The first row.
    pub(crate) async fn one<T>(
        &self,
        sql: &str,
        values: Values<'_>,
        map: impl FnOnce(&Row) -> Done<T>,
    ) -> Done<Option<T>> {
        let (object, statement) = self.prepared(sql).await?;
        let row = object.query_opt(&statement, values).await?;
        row.as_ref().map(map).transpose()
    }

    /// The first column of the first row.
    pub(crate) async fn value<T: FromSqlOwned>(
        &self,
        sql: &str,
        values: Values<'_>,
    ) -> Done<Option<T>> {
        self.one(sql, values, |row| Ok(row.try_get(0)?)).await
    }

    /// The first column of a row that must be there, as that of an `INSERT … RETURNING`.
    pub(crate) async fn sure<T: FromSqlOwned>(&self, sql: &str, values: Values<'_>) -> Done<T> {
        let missing = || Failure::damage("a statement that gives one row gave none");
        self.value(sql, values).await?.ok_or_else(missing)
    }
}

/// The 16 bytes of a public id or a key, as `uuid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id(pub(crate) [u8; 16]);

impl ToSql for Id {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::UUID
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Id {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw.try_into()?))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::UUID
    }
}
