//! One query on a database of either kind, its rows read as they come.
//!
//! The query is prepared before it is run, so that the types of its columns are known before the first row, and so that
//! a server refuses two statements. It then runs in the text protocol, in which every type has one form.

use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, Column, ColumnIndex, Connection, Executor, Row, SqlSafeStr, Statement, TypeInfo, ValueRef,
};

use super::SqlSettings;
use super::dialect::{Access, Dialect};
use super::values::{self, Form};
use crate::account::{AccountSink, Record};
use crate::reader::ReadError;
use crate::remote::{Feed, Stop};
use crate::total::{Stated, TotalDefinition};

/// Rows asked for at a time.
const FETCH_ROWS: usize = 2000;

/// How a column is read.
struct Field {
    name: String,
    form: Form,
    is_array: bool,
}

/// Connects, and reads every row.
pub(super) async fn read<D: Dialect>(access: &Access<'_>, feed: &mut Feed) -> Result<(), Stop>
where
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
    usize: ColumnIndex<D::Row>,
{
    let mut connection = connect::<D>(access).await?;
    let ended = read_rows::<D>(access, &mut connection, feed).await;
    if ended.is_ok() || !D::CLOSING_READS_ON {
        // The transaction wrote nothing, and closing it is a courtesy.
        let _ = tokio::time::timeout(Duration::from_secs(1), connection.close()).await;
    }
    ended
}

async fn connect<D: Dialect>(access: &Access<'_>) -> Result<D::Connection, Stop> {
    let settings = access.settings;
    let options = D::options(access);
    let time_limit = Duration::from_secs(settings.connect_timeout_s);
    match tokio::time::timeout(time_limit, D::Connection::connect_with(&options)).await {
        Ok(connected) => connected.map_err(|error| failed(settings, format!("no connection: {error}"))),
        Err(_) => {
            Err(failed(settings, format!("no connection within {} seconds", settings.connect_timeout_s)))
        }
    }
}

async fn read_rows<D: Dialect>(
    access: &Access<'_>,
    connection: &mut D::Connection,
    feed: &mut Feed,
) -> Result<(), Stop>
where
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
    usize: ColumnIndex<D::Row>,
{
    let settings = access.settings;
    let unusable = |error| not_runnable(settings, &error);
    let warning = D::begin(connection, settings.statement_timeout_s).await.map_err(unusable)?;
    if let Some(warning) = warning {
        feed.sink.warn(warning.to_owned());
    }
    if let Some(total) = access.total {
        feed.sink.stated = Some(Ok(stated::<D>(settings, total, connection).await?));
    }
    let fields = prepare::<D>(settings, connection).await?;
    declare(settings, &mut feed.sink, &fields)?;

    let fetch = D::declare_cursor(connection, &settings.query, FETCH_ROWS).await.map_err(unusable)?;
    let statement = fetch.as_ref().unwrap_or(&settings.query);
    loop {
        let mut rows = sqlx::raw_sql(AssertSqlSafe(statement.clone())).fetch(&mut *connection);
        let mut count = 0;
        loop {
            match rows.try_next().await {
                Ok(Some(row)) => take::<D>(&row, &fields, feed)?,
                Ok(None) => break,
                // Without a cursor this is the beginning of the query.
                Err(error) if fetch.is_none() && count == 0 => return Err(unusable(error)),
                Err(error) => return Err(broken_off(&error)),
            }
            count += 1;
        }
        if fetch.is_none() || count < FETCH_ROWS {
            return Ok(());
        }
    }
}

/// The numbers of the query that gives the owner's total, in the same state of the database as the rows.
async fn stated<D: Dialect>(
    settings: &SqlSettings,
    total: &TotalDefinition,
    connection: &mut D::Connection,
) -> Result<Stated, Stop>
where
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
    usize: ColumnIndex<D::Row>,
{
    let query = total.query.as_deref().unwrap_or_default();
    let refuse = |reason: &str| failed(settings, format!("total.query: {reason}"));
    let runnable = |error: sqlx::Error| {
        let reason =
            error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
        refuse(&format!("the query cannot be run: {reason}"))
    };
    let (columns, wanted) = match total.sum_of {
        None => (1, "expected one column"),
        Some(_) => (2, "expected two columns, the number of records and the sum"),
    };
    // Prepared for the same reason as the query of the rows: one statement.
    let statement =
        connection.prepare(AssertSqlSafe(query.to_owned()).into_sql_str()).await.map_err(runnable)?;
    if statement.columns().len() != columns {
        return Err(refuse(wanted));
    }
    drop(statement);
    let fetch = D::declare_cursor(connection, query, 2).await.map_err(runnable)?;
    let statement = fetch.as_deref().unwrap_or(query).to_owned();
    let mut found = Vec::new();
    {
        let mut rows = sqlx::raw_sql(AssertSqlSafe(statement)).fetch(&mut *connection);
        while let Some(row) = rows.try_next().await.map_err(runnable)? {
            let mut texts = Vec::with_capacity(columns);
            for column in 0..columns {
                let value = row.try_get_raw(column).map_err(runnable)?;
                texts.push(if value.is_null() { None } else { D::text(value).ok().map(str::to_owned) });
            }
            found.push(texts);
        }
    }
    D::close_cursor(connection).await.map_err(runnable)?;
    let [texts] = &found[..] else {
        let found = if found.is_empty() { "none" } else { "several" };
        return Err(refuse(&format!("expected one row: found {found}")));
    };
    let mut texts = texts.iter().map(Option::as_deref);
    let (count, sum) = (texts.next().flatten(), texts.next().flatten());
    match (count, total.sum_of.is_some()) {
        (None, false) => return Err(refuse("expected a whole number, and it is null")),
        (None, true) if sum.is_none() => return Err(refuse("expected numbers, and they are null")),
        _ => {}
    }
    // The sum of no rows is null.
    let sum = sum.or_else(|| (total.sum_of.is_some() && count == Some("0")).then_some("0"));
    // A database has a point before the decimals, whatever the column has.
    Stated::of(count, sum, '.').map_err(|reason| refuse(&reason))
}

/// The columns of the query.
async fn prepare<D: Dialect>(
    settings: &SqlSettings,
    connection: &mut D::Connection,
) -> Result<Vec<Field>, Stop>
where
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
{
    let query = AssertSqlSafe(settings.query.clone()).into_sql_str();
    let statement = connection.prepare(query).await.map_err(|error| not_runnable(settings, &error))?;
    let mut fields = Vec::with_capacity(statement.columns().len());
    for column in statement.columns() {
        let (name, kind) = (column.name(), column.type_info());
        let (form, is_array) = D::form(kind).ok_or_else(|| {
            let kind = kind.name();
            let reason = format!(
                "column {name:?} is of type {kind}, which has no agreed text: expected a cast to text"
            );
            failed(settings, reason)
        })?;
        fields.push(Field { name: name.to_owned(), form, is_array });
    }
    Ok(fields)
}

/// Checks the columns of a query against the settings.
fn declare(settings: &SqlSettings, sink: &mut AccountSink, fields: &[Field]) -> Result<(), Stop> {
    let names: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
    let repeated = names.iter().enumerate().find(|(index, name)| names[..*index].contains(name));
    if let Some((_, name)) = repeated {
        return Err(failed(settings, format!("the query has two columns {name:?}: expected distinct names")));
    }
    sink.declare(&names).map_err(|reason| failed(settings, format!("the query's columns: {reason}")))
}

/// Takes a row; one with a value that cannot be read is refused, with what names its account.
fn take<D: Dialect>(row: &D::Row, fields: &[Field], feed: &mut Feed) -> Result<(), Stop>
where
    usize: ColumnIndex<D::Row>,
{
    let mut record = Record::default();
    let mut fault = None;
    for (index, field) in fields.iter().enumerate() {
        let found = row.try_get_raw(index).map_err(|error| broken_off(&error))?;
        if found.is_null() {
            continue;
        }
        let texts = D::text(found).and_then(|text| {
            let texts = if field.is_array { values::array(text) } else { Some(vec![text.to_owned()]) };
            texts.ok_or("an array of several dimensions: expected one")
        });
        match texts {
            Ok(texts) => {
                let texts = texts.iter().map(|text| values::text(field.form, text)).collect();
                record.fields.push((field.name.clone(), texts));
            }
            Err(kind) => fault = fault.or_else(|| Some(format!("column {:?} is {kind}", field.name))),
        }
    }
    match fault {
        None => feed.push(record),
        Some(reason) => {
            let native_identity = record.text(feed.sink.key()).map(str::to_owned);
            feed.sink.reject(0, native_identity, reason);
            Ok(())
        }
    }
}

/// Nothing could be read.
fn failed(settings: &SqlSettings, reason: String) -> Stop {
    Stop::Failed(ReadError::Remote { place: settings.url.clone(), reason })
}

/// The query cannot be run as it is; nothing of the data is in such a message.
fn not_runnable(settings: &SqlSettings, error: &sqlx::Error) -> Stop {
    let reason =
        error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
    failed(settings, format!("the query cannot be run: {reason}"))
}

/// Rows stopped coming.
fn broken_off(error: &sqlx::Error) -> Stop {
    let Some(found) = error.as_database_error() else {
        return Stop::Incomplete(format!("the connection was lost: {error}"));
    };
    let code = found.code().unwrap_or_default();
    let meaning = match code.as_ref() {
        // PostgreSQL's query_canceled; MySQL's and MariaDB's time-outs of a statement.
        "57014" | "HY000" | "70100" => ", its time limit for a statement among the causes",
        _ => "",
    };
    Stop::Incomplete(format!("the server ended the query (SQLSTATE {code}{meaning})"))
}
