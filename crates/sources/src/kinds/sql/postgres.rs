//! PostgreSQL: a cursor in a transaction that only reads, its rows fetched in portions and in the server's own text.
//!
//! Why a cursor: it takes a SELECT and nothing else, so a definition cannot write; and the server holds what was not
//! fetched yet. Why text: one form for every type, of which the session's settings decide dates, times and zones.

use std::path::Path;
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow, PgSslMode, PgTypeInfo, PgTypeKind};
use sqlx::{
    AssertSqlSafe, Column, ConnectOptions, Connection, Executor, Row, SqlSafeStr, Statement, TypeInfo,
    ValueRef,
};

use super::SqlSettings;
use super::reader::{broken_off, declare, failed, not_connected, not_runnable, take_or_refuse, unknown_type};
use super::settings::Place;
use super::values::{self, Form};
use crate::account::Record;
use crate::remote::{Feed, Stop};
use crate::secret::Secret;

/// Rows asked for at a time.
const FETCH_ROWS: usize = 2000;

/// How a column is read.
struct Field {
    name: String,
    form: Form,
    is_array: bool,
}

pub(super) async fn read(
    settings: &SqlSettings,
    place: &Place<'_>,
    ca_file: Option<&Path>,
    password: Option<&Secret>,
    feed: &mut Feed,
) -> Result<(), Stop> {
    let mut connection = connect(settings, place, ca_file, password).await?;
    let ended = read_rows(settings, &mut connection, feed).await;
    // The transaction wrote nothing, and closing it is a courtesy.
    let _ = tokio::time::timeout(Duration::from_secs(1), connection.close()).await;
    ended
}

async fn connect(
    settings: &SqlSettings,
    place: &Place<'_>,
    ca_file: Option<&Path>,
    password: Option<&Secret>,
) -> Result<PgConnection, Stop> {
    let mode = if settings.allow_plaintext { PgSslMode::Prefer } else { PgSslMode::VerifyFull };
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(place.host)
        .port(place.port)
        .username(place.user)
        .database(place.database)
        .application_name("muster")
        .ssl_mode(mode)
        .disable_statement_logging();
    if let Some(file) = ca_file {
        options = options.ssl_root_cert(file);
    }
    if let Some(password) = password {
        options = options.password(password.reveal());
    }
    let time_limit = Duration::from_secs(settings.connect_timeout_s);
    match tokio::time::timeout(time_limit, options.connect()).await {
        Ok(connected) => connected.map_err(|error| not_connected(settings, &error)),
        Err(_) => {
            Err(failed(settings, format!("no connection within {} seconds", settings.connect_timeout_s)))
        }
    }
}

async fn read_rows(
    settings: &SqlSettings,
    connection: &mut PgConnection,
    feed: &mut Feed,
) -> Result<(), Stop> {
    let unusable = |error| not_runnable(settings, &error);
    let time_limit_ms = u64::from(settings.statement_timeout_s) * 1000;
    let begin = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {time_limit_ms}; \
         SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'; SET LOCAL intervalstyle = 'iso_8601'; \
         SET LOCAL cursor_tuple_fraction = 1"
    );
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut *connection).await.map_err(unusable)?;
    let query = AssertSqlSafe(settings.query.clone()).into_sql_str();
    let statement = (&mut *connection).prepare(query).await.map_err(unusable)?;
    let mut fields = Vec::with_capacity(statement.columns().len());
    for column in statement.columns() {
        let (form, is_array) = form(column.type_info())
            .ok_or_else(|| unknown_type(settings, column.name(), column.type_info().name()))?;
        fields.push(Field { name: column.name().to_owned(), form, is_array });
    }
    drop(statement);
    let names: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
    declare(settings, &mut feed.sink, &names)?;

    let cursor = format!("DECLARE muster_source NO SCROLL CURSOR FOR {}", settings.query);
    sqlx::query(AssertSqlSafe(cursor)).execute(&mut *connection).await.map_err(unusable)?;
    let fetch = format!("FETCH FORWARD {FETCH_ROWS} FROM muster_source");
    loop {
        let mut rows = sqlx::raw_sql(AssertSqlSafe(fetch.clone())).fetch(&mut *connection);
        let mut count = 0;
        while let Some(row) = rows.try_next().await.map_err(|error| broken_off(&error))? {
            count += 1;
            take(&row, &fields, feed)?;
        }
        if count < FETCH_ROWS {
            return Ok(());
        }
    }
}

fn take(row: &PgRow, fields: &[Field], feed: &mut Feed) -> Result<(), Stop> {
    let mut record = Record::default();
    let mut fault = None;
    for (index, field) in fields.iter().enumerate() {
        let found = row.try_get_raw(index).map_err(|error| broken_off(&error))?;
        if found.is_null() {
            continue;
        }
        let Ok(value) = found.as_str() else {
            fault = fault.or_else(|| Some(format!("column {:?} is not UTF-8", field.name)));
            continue;
        };
        let texts = if field.is_array { values::array(value) } else { Some(vec![value.to_owned()]) };
        let Some(texts) = texts else {
            let reason = format!("column {:?} is an array of several dimensions: expected one", field.name);
            fault = fault.or(Some(reason));
            continue;
        };
        let texts = texts.iter().map(|text| values::text(field.form, text)).collect();
        record.fields.push((field.name.clone(), texts));
    }
    take_or_refuse(record, fault, feed)
}

/// How values of a type are read, and whether they are arrays; `None` for types without an agreed text.
fn form(kind: &PgTypeInfo) -> Option<(Form, bool)> {
    match kind.kind() {
        PgTypeKind::Array(element) => match form(element)? {
            (form, false) => Some((form, true)),
            (_, true) => None,
        },
        PgTypeKind::Domain(inner) => form(inner),
        PgTypeKind::Enum(_) => Some((Form::Plain, false)),
        PgTypeKind::Simple => {
            let form = match kind.name().to_ascii_lowercase().as_str() {
                "text" | "varchar" | "char" | "\"char\"" | "name" | "citext" | "unknown" | "uuid"
                | "json" | "jsonb" | "int2" | "int4" | "int8" | "float4" | "float8" | "numeric" | "oid"
                | "date" | "time" | "timetz" | "interval" | "inet" | "cidr" | "macaddr" | "macaddr8" => {
                    Form::Plain
                }
                "bool" => Form::Boolean,
                "timestamp" | "timestamptz" => Form::Time,
                _ => return None,
            };
            Some((form, false))
        }
        PgTypeKind::Pseudo | PgTypeKind::Composite(_) | PgTypeKind::Range(_) => None,
    }
}
