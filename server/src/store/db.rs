//! A connection to whichever database there is, and statements for it.
//!
//! Both databases understand the same statements: parameters are called `$1`, ids are text, texts
//! are compared byte by byte, and PostgreSQL has the two functions of SQLite that are needed.

use super::StoreError;
use sqlx::{
    Acquire as _, AssertSqlSafe, Connection as _, Decode, PgConnection, Postgres, Row as _, Sqlite,
    SqliteConnection, Type,
    pool::PoolConnection,
    postgres::{PgArguments, PgRow},
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};
use std::borrow::Cow;

/// A connection that is borrowed for one statement or several.
pub(super) enum Conn<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

impl Conn<'_> {
    /// The same connection, for a shorter time.
    pub(super) fn again(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(conn) => Conn::Sqlite(conn),
            Self::Postgres(conn) => Conn::Postgres(conn),
        }
    }
}

/// A connection of a pool, which reads.
pub(super) enum Reader {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

impl Reader {
    pub(super) fn conn(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(conn) => Conn::Sqlite(conn),
            Self::Postgres(conn) => Conn::Postgres(conn),
        }
    }

    /// Begins to read everything as it is at one moment.
    pub(super) async fn snapshot(&mut self) -> Result<Transaction<'_>, StoreError> {
        Ok(match self {
            Self::Sqlite(conn) => Transaction::Sqlite(conn.begin().await?),
            Self::Postgres(conn) => Transaction::Postgres(
                conn.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?,
            ),
        })
    }
}

/// Taken back unless it is committed.
pub(super) enum Transaction<'c> {
    Sqlite(sqlx::Transaction<'c, Sqlite>),
    Postgres(sqlx::Transaction<'c, Postgres>),
}

impl Transaction<'_> {
    pub(super) fn conn(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(inner) => Conn::Sqlite(inner),
            Self::Postgres(inner) => Conn::Postgres(inner),
        }
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(inner) => inner.commit().await?,
            Self::Postgres(inner) => inner.commit().await?,
        }
        Ok(())
    }

    pub(super) async fn rollback(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(inner) => inner.rollback().await?,
            Self::Postgres(inner) => inner.rollback().await?,
        }
        Ok(())
    }
}

/// A row of an answer.
pub(super) enum DbRow {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl DbRow {
    pub(super) fn try_get<'r, T>(&'r self, column: &str) -> Result<T, sqlx::Error>
    where
        T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>,
    {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }
}

/// A parameter of a statement.
pub(super) enum Value {
    Text(Option<String>),
    Integer(Option<i64>),
    Boolean(Option<bool>),
    Bytes(Option<Vec<u8>>),
    /// An array to PostgreSQL; SQLite has none.
    Texts(Vec<String>),
}

/// Values from what the callers have.
macro_rules! values {
    ($($from:ty => |$value:ident| $to:expr;)+) => {
        $(impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $to
            }
        })+
    };
}

values! {
    String => |text| Self::Text(Some(text));
    &String => |text| Self::Text(Some(text.clone()));
    &str => |text| Self::Text(Some(text.to_owned()));
    Option<String> => |text| Self::Text(text);
    &Option<String> => |text| Self::Text(text.clone());
    Option<&String> => |text| Self::Text(text.cloned());
    Option<&str> => |text| Self::Text(text.map(str::to_owned));
    i64 => |number| Self::Integer(Some(number));
    Option<i64> => |number| Self::Integer(number);
    bool => |truth| Self::Boolean(Some(truth));
    Option<bool> => |truth| Self::Boolean(truth);
    &[u8] => |bytes| Self::Bytes(Some(bytes.to_vec()));
    Vec<u8> => |bytes| Self::Bytes(Some(bytes));
    &Vec<u8> => |bytes| Self::Bytes(Some(bytes.clone()));
    Option<Vec<u8>> => |bytes| Self::Bytes(bytes);
    Option<&Vec<u8>> => |bytes| Self::Bytes(bytes.cloned());
    Vec<String> => |texts| Self::Texts(texts);
}

/// A statement with its parameters.
pub(super) struct Statement {
    sqlite: Cow<'static, str>,
    postgres: Cow<'static, str>,
    values: Vec<Value>,
}

/// A statement for both databases, in the words of PostgreSQL. SQLite has no locks of rows, and
/// needs none: only one writes at a time.
pub(super) fn sql(text: impl Into<Cow<'static, str>>) -> Statement {
    let text = text.into();
    Statement { sqlite: without_locks(text.clone()), postgres: text, values: Vec::new() }
}

/// A statement that is another one to each database.
pub(super) fn sql_of(sqlite: &'static str, postgres: &'static str) -> Statement {
    Statement { sqlite: sqlite.into(), postgres: postgres.into(), values: Vec::new() }
}

fn without_locks(text: Cow<'static, str>) -> Cow<'static, str> {
    const LOCK: &str = " FOR UPDATE";
    let Some((before, lock)) = text.split_once(LOCK) else { return text };
    let after = lock.find(')').and_then(|end| lock.get(end..)).unwrap_or_default();
    format!("{before}{after}").into()
}

impl Statement {
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Goes on with more text.
    pub(super) fn push(&mut self, text: &str) -> &mut Self {
        self.sqlite.to_mut().push_str(text);
        self.postgres.to_mut().push_str(text);
        self
    }

    /// Goes on with a parameter.
    pub(super) fn push_bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        let name = format!("${}", self.values.len());
        self.push(&name)
    }

    /// As SQLite understands it.
    #[cfg(test)]
    pub(super) fn text(&self) -> &str {
        &self.sqlite
    }

    pub(super) async fn execute(self, conn: Conn<'_>) -> Result<u64, sqlx::Error> {
        Ok(match conn {
            Conn::Sqlite(conn) => self.sqlite().execute(conn).await?.rows_affected(),
            Conn::Postgres(conn) => self.postgres().execute(conn).await?.rows_affected(),
        })
    }

    pub(super) async fn fetch_one(self, conn: Conn<'_>) -> Result<DbRow, sqlx::Error> {
        self.fetch_optional(conn).await?.ok_or(sqlx::Error::RowNotFound)
    }

    pub(super) async fn fetch_optional(self, conn: Conn<'_>) -> Result<Option<DbRow>, sqlx::Error> {
        Ok(match conn {
            Conn::Sqlite(conn) => self.sqlite().fetch_optional(conn).await?.map(DbRow::Sqlite),
            Conn::Postgres(conn) => self.postgres().fetch_optional(conn).await?.map(DbRow::Postgres),
        })
    }

    pub(super) async fn fetch_all(self, conn: Conn<'_>) -> Result<Vec<DbRow>, sqlx::Error> {
        Ok(match conn {
            Conn::Sqlite(conn) => {
                self.sqlite().fetch_all(conn).await?.into_iter().map(DbRow::Sqlite).collect()
            }
            Conn::Postgres(conn) => {
                self.postgres().fetch_all(conn).await?.into_iter().map(DbRow::Postgres).collect()
            }
        })
    }

    fn sqlite(self) -> Query<'static, Sqlite, SqliteArguments> {
        self.values.into_iter().fold(sqlx::query(AssertSqlSafe(self.sqlite)), |query, value| match value {
            Value::Text(value) => query.bind(value),
            Value::Integer(value) => query.bind(value),
            Value::Boolean(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
            Value::Texts(values) => query.bind(values.join(" ")),
        })
    }

    fn postgres(self) -> Query<'static, Postgres, PgArguments> {
        self.values.into_iter().fold(sqlx::query(AssertSqlSafe(self.postgres)), |query, value| match value {
            Value::Text(value) => query.bind(value),
            Value::Integer(value) => query.bind(value),
            Value::Boolean(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
            Value::Texts(values) => query.bind(values),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::without_locks;

    #[test]
    fn locks_of_rows_are_not_for_sqlite() {
        for (text, wanted) in [
            ("SELECT 1", "SELECT 1"),
            ("SELECT 1 FROM seat s FOR UPDATE OF s", "SELECT 1 FROM seat s"),
            (
                "DELETE FROM t WHERE a IN (SELECT a FROM t FOR UPDATE SKIP LOCKED)",
                "DELETE FROM t WHERE a IN (SELECT a FROM t)",
            ),
        ] {
            assert_eq!(without_locks(text.into()), wanted);
        }
    }
}
