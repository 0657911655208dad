//! One way to speak to either database: statements, values, rows.
//!
//! Why here: what the store does with a task or a credential is written once, over a [`Session`].
//! Both databases take `$1`, so most statements have one text; where the databases differ, a [`Sql`]
//! holds both texts side by side.
//!
//! Invariant: code that uses a session returns the failure of a statement. After a failure PostgreSQL undoes the whole
//! transaction, but would still answer a later commit without an error.

use crate::postgres::escaping;
use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::error::Result;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Postgres, Row as _, SqlSafeStr, SqlStr, Sqlite};
use std::future::Future;
use std::pin::Pin;

pub(crate) type Read<T> = std::result::Result<T, sqlx::Error>;

/// Work on a borrowed session.
pub(crate) type Work<'c, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'c>>;

/// A connection to either database, inside a transaction where it writes.
pub(crate) enum Session<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

/// A statement, in the words of each database.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sql {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

impl From<&'static str> for Sql {
    fn from(both: &'static str) -> Self {
        Self { sqlite: both, postgres: both }
    }
}

/// The text of a statement.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Statement<'s> {
    /// A text of the program.
    Fixed(Sql),
    /// A text for both databases that is built from our own parts, never from values.
    Built(&'s str),
}

impl Statement<'_> {
    /// The text for a database.
    fn text(self, of: fn(Sql) -> &'static str) -> SqlStr {
        match self {
            Self::Fixed(sql) => of(sql).into_sql_str(),
            Self::Built(text) => AssertSqlSafe(text.to_owned()).into_sql_str(),
        }
    }
}

impl<T: Into<Sql>> From<T> for Statement<'_> {
    fn from(sql: T) -> Self {
        Self::Fixed(sql.into())
    }
}

/// A statement that reads a row to change it: PostgreSQL locks the row, SQLite has one writer anyway.
macro_rules! locking {
    ($text:literal) => {
        $crate::session::Sql { sqlite: $text, postgres: concat!($text, " FOR UPDATE") }
    };
}
pub(crate) use locking;

/// A value of a statement.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'v> {
    Text(&'v str),
    OptionalText(Option<&'v str>),
    Integer(i64),
    OptionalInteger(Option<i64>),
    Bytes(&'v [u8]),
    Flag(bool),
}

macro_rules! value_from {
    ($($type:ty => $variant:ident),* $(,)?) => {$(
        impl<'v> From<$type> for Value<'v> {
            fn from(value: $type) -> Self {
                Self::$variant(value)
            }
        }
    )*};
}

value_from! {
    &'v str => Text,
    &'v String => Text,
    Option<&'v str> => OptionalText,
    i64 => Integer,
    Option<i64> => OptionalInteger,
    &'v [u8] => Bytes,
    &'v Vec<u8> => Bytes,
    bool => Flag,
}

/// The values of a statement, each turned into a [`Value`].
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::session::Value::from($value)),*] };
}
pub(crate) use values;

impl Session<'_> {
    /// The same session, lent.
    pub(crate) fn lend(&mut self) -> Session<'_> {
        match self {
            Self::Sqlite(connection) => Session::Sqlite(connection),
            Self::Postgres(connection) => Session::Postgres(connection),
        }
    }

    /// Runs a statement; the number of rows that it changed.
    pub(crate) async fn change(&mut self, sql: impl Into<Sql>, values: &[Value<'_>]) -> Read<u64> {
        let sql = sql.into();
        match self {
            Self::Sqlite(connection) => {
                let done = sqlite_query(sql.sqlite, values).execute(&mut **connection).await?;
                Ok(done.rows_affected())
            }
            Self::Postgres(connection) => {
                let done = postgres_query(sql.postgres, values).execute(&mut **connection).await?;
                Ok(done.rows_affected())
            }
        }
    }

    /// As [`Session::change`], with a text that is built from our own parts, never from values.
    pub(crate) async fn change_built(&mut self, sql: String, values: &[Value<'_>]) -> Read<u64> {
        let sql = AssertSqlSafe(sql);
        match self {
            Self::Sqlite(connection) => {
                Ok(sqlite_query(sql, values).execute(&mut **connection).await?.rows_affected())
            }
            Self::Postgres(connection) => {
                Ok(postgres_query(sql, values).execute(&mut **connection).await?.rows_affected())
            }
        }
    }

    /// The rows of a statement.
    pub(crate) async fn all(
        &mut self,
        sql: impl Into<Statement<'_>>,
        values: &[Value<'_>],
    ) -> Read<Vec<Row>> {
        let statement = sql.into();
        match self {
            Self::Sqlite(connection) => {
                let sql = statement.text(|sql| sql.sqlite);
                let rows = sqlite_query(sql, values).fetch_all(&mut **connection).await?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
            Self::Postgres(connection) => {
                let sql = statement.text(|sql| sql.postgres);
                let rows = postgres_query(sql, values).fetch_all(&mut **connection).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// The first row of a statement, if it has one.
    pub(crate) async fn first(&mut self, sql: impl Into<Sql>, values: &[Value<'_>]) -> Read<Option<Row>> {
        Ok(self.all(sql, values).await?.into_iter().next())
    }

    /// Takes the lock of this name until the transaction ends, so that no other transaction has it.
    pub(crate) async fn alone_in(&mut self, part: &str) -> Read<()> {
        match self {
            // There is one writer.
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(connection) => sqlx::query(
                "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' ' || $1, 0))",
            )
            .bind(part)
            .execute(&mut **connection)
            .await
            .map(drop),
        }
    }
}

fn sqlite_query<'q>(sql: impl SqlSafeStr, values: &[Value<'_>]) -> Query<'q, Sqlite, SqliteArguments> {
    let mut query = sqlx::query::<Sqlite>(sql);
    for value in values {
        query = match *value {
            Value::Text(text) => query.bind(text.to_owned()),
            Value::OptionalText(text) => query.bind(text.map(str::to_owned)),
            Value::Integer(number) => query.bind(number),
            Value::OptionalInteger(number) => query.bind(number),
            Value::Bytes(bytes) => query.bind(bytes.to_owned()),
            Value::Flag(flag) => query.bind(flag),
        };
    }
    query
}

fn postgres_query<'q>(sql: impl SqlSafeStr, values: &[Value<'_>]) -> Query<'q, Postgres, PgArguments> {
    let mut query = sqlx::query::<Postgres>(sql);
    for value in values {
        query = match *value {
            Value::Text(text) => query.bind(escaping::escaped(text).into_owned()),
            Value::OptionalText(text) => query.bind(text.map(|text| escaping::escaped(text).into_owned())),
            Value::Integer(number) => query.bind(number),
            Value::OptionalInteger(number) => query.bind(number),
            Value::Bytes(bytes) => query.bind(bytes.to_owned()),
            Value::Flag(flag) => query.bind(flag),
        };
    }
    query
}

/// A row of either database; columns are asked for by name.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    pub(crate) fn text(&self, column: &'static str) -> Read<String> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column).map(escaping::unescaped),
        }
    }

    pub(crate) fn optional_text(&self, column: &'static str) -> Read<Option<String>> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => {
                row.try_get(column).map(|text: Option<String>| text.map(escaping::unescaped))
            }
        }
    }

    pub(crate) fn integer(&self, column: &'static str) -> Read<i64> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }

    pub(crate) fn optional_integer(&self, column: &'static str) -> Read<Option<i64>> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }

    pub(crate) fn bytes(&self, column: &'static str) -> Read<Vec<u8>> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }

    pub(crate) fn flag(&self, column: &'static str) -> Read<bool> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }
}

/// PostgreSQL's time of this statement, not of its transaction.
const CLOCK: &str = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now";

/// When a write happens, on the clock that decides, and how far that clock is ahead of the caller's.
///
/// Over PostgreSQL the database's clock decides, so that nodes whose clocks differ agree on leases and deadlines. A
/// time from a caller (a deadline, a time to wait until) is taken as a distance from the caller's now. A time that the
/// caller gets back is converted to the caller's clock, so that its timers are right.
///
/// Invariant: the time is read inside the change's transaction, when it is the turn of the change. So the times of rows
/// are in the order of their commits, unless the clock is set back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Now, on the clock that decides.
    pub(crate) now: DateTime<Utc>,
    /// How far that clock is ahead of the caller's.
    ahead: TimeDelta,
    /// Whether it is read from the database, whose time advances while a change waits for a lock.
    of_database: bool,
}

impl Moment {
    /// The caller's clock decides, or one that shows the same.
    pub(crate) fn of_caller(now: DateTime<Utc>) -> Self {
        Self { now, ahead: TimeDelta::zero(), of_database: false }
    }

    /// The database's clock decides.
    pub(crate) fn of_database(now: DateTime<Utc>, caller_now: DateTime<Utc>) -> Self {
        Self { now, ahead: now - caller_now, of_database: true }
    }

    /// The moment at which a change has the locks that it waited for. So its time is later than the times of the
    /// changes that held them. Over SQLite there is one lock, and the change has had it from the start.
    pub(crate) async fn after_waiting(self, session: &mut Session<'_>) -> Read<Self> {
        if !self.of_database {
            return Ok(self);
        }
        let row = session.first(CLOCK, &[]).await?.ok_or(sqlx::Error::RowNotFound)?;
        let now = DateTime::from_timestamp_micros(row.integer("now")?)
            .ok_or_else(|| sqlx::Error::Protocol("the database's time is out of range".into()))?;
        Ok(Self { now, ..self })
    }

    /// A time on the caller's clock, converted to the deciding clock.
    pub(crate) fn kept(self, callers: DateTime<Utc>) -> DateTime<Utc> {
        callers.checked_add_signed(self.ahead).unwrap_or(callers)
    }

    /// A time on the deciding clock, converted to the caller's clock.
    pub(crate) fn told(self, kept: DateTime<Utc>) -> DateTime<Utc> {
        kept.checked_sub_signed(self.ahead).unwrap_or(kept)
    }
}
