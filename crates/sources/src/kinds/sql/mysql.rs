//! MySQL and MariaDB: one query in a transaction that only reads, its rows read from the connection as they come.
//!
//! The query is prepared before it is run: a server prepares one statement and refuses two. It then runs in the text
//! protocol, in which every type has one form.

use std::path::Path;
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow, MySqlSslMode, MySqlValueRef};
use sqlx::{
    AssertSqlSafe, Column, ConnectOptions, Connection, Decode, Executor, MySql, Row, SqlSafeStr, Statement,
    TypeInfo, ValueRef,
};

use super::SqlSettings;
use super::reader::{broken_off, declare, failed, not_connected, not_runnable, take_or_refuse, unknown_type};
use super::settings::Place;
use super::values::{self, Form};
use crate::account::Record;
use crate::remote::{Feed, Stop};
use crate::secret::Secret;

/// Longest text that GROUP_CONCAT gives, in bytes.
const LIST_BYTES_MAX: u32 = 16 << 20;

pub(super) async fn read(
    settings: &SqlSettings,
    place: &Place<'_>,
    ca_file: Option<&Path>,
    password: Option<&Secret>,
    feed: &mut Feed,
) -> Result<(), Stop> {
    let mut connection = connect(settings, place, ca_file, password).await?;
    let ended = read_rows(settings, &mut connection, feed).await;
    // After a query that was left early a close would first read the rest of it.
    if ended.is_ok() {
        let _ = tokio::time::timeout(Duration::from_secs(1), connection.close()).await;
    }
    ended
}

async fn connect(
    settings: &SqlSettings,
    place: &Place<'_>,
    ca_file: Option<&Path>,
    password: Option<&Secret>,
) -> Result<MySqlConnection, Stop> {
    let mode = if settings.allow_plaintext { MySqlSslMode::Preferred } else { MySqlSslMode::VerifyIdentity };
    let mut options = MySqlConnectOptions::new()
        .host(place.host)
        .port(place.port)
        .username(place.user)
        .database(place.database)
        .charset("utf8mb4")
        .ssl_mode(mode)
        .disable_statement_logging();
    if let Some(file) = ca_file {
        options = options.ssl_ca(file);
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
    connection: &mut MySqlConnection,
    feed: &mut Feed,
) -> Result<(), Stop> {
    let unusable = |error| not_runnable(settings, &error);
    let seconds = settings.statement_timeout_s;
    // MySQL has the first of these and MariaDB the second; each knows only its own.
    let limits = [
        format!("SET SESSION max_execution_time = {}", u64::from(seconds) * 1000),
        format!("SET SESSION max_statement_time = {seconds}"),
    ];
    let mut limited = false;
    for limit in limits {
        limited |= sqlx::raw_sql(AssertSqlSafe(limit)).execute(&mut *connection).await.is_ok();
    }
    if !limited {
        feed.sink.warn("the server has no time limit for statements".to_owned());
    }
    // Beyond this the server cuts off what GROUP_CONCAT gives without an error; by default that is 1 KiB on MySQL.
    let whole_lists = format!("SET SESSION group_concat_max_len = {LIST_BYTES_MAX}");
    sqlx::raw_sql(AssertSqlSafe(whole_lists)).execute(&mut *connection).await.map_err(unusable)?;
    let begin = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ";
    sqlx::raw_sql(begin).execute(&mut *connection).await.map_err(unusable)?;
    let begin = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
    sqlx::raw_sql(begin).execute(&mut *connection).await.map_err(unusable)?;
    let query = AssertSqlSafe(settings.query.clone()).into_sql_str();
    let statement = (&mut *connection).prepare(query).await.map_err(unusable)?;
    let mut fields = Vec::with_capacity(statement.columns().len());
    for column in statement.columns() {
        let kind = column.type_info().name();
        let form = form(kind).ok_or_else(|| unknown_type(settings, column.name(), kind))?;
        fields.push((column.name().to_owned(), form));
    }
    drop(statement);
    let names: Vec<String> = fields.iter().map(|(name, _)| name.clone()).collect();
    declare(settings, &mut feed.sink, &names)?;
    let mut rows = sqlx::raw_sql(AssertSqlSafe(settings.query.clone())).fetch(connection);
    let mut any = false;
    loop {
        match rows.try_next().await {
            Ok(Some(row)) => take(&row, &fields, feed)?,
            Ok(None) => return Ok(()),
            Err(error) if !any => return Err(not_runnable(settings, &error)),
            Err(error) => return Err(broken_off(&error)),
        }
        any = true;
    }
}

fn take(row: &MySqlRow, fields: &[(String, Form)], feed: &mut Feed) -> Result<(), Stop> {
    let mut record = Record::default();
    let mut fault = None;
    for (index, (name, form)) in fields.iter().enumerate() {
        let found: MySqlValueRef<'_> = row.try_get_raw(index).map_err(|error| broken_off(&error))?;
        if found.is_null() {
            continue;
        }
        let bytes = <&[u8] as Decode<'_, MySql>>::decode(found).unwrap_or_default();
        match std::str::from_utf8(bytes).ok().filter(|value| !value.contains('\0')) {
            Some(value) => record.fields.push((name.clone(), vec![values::text(*form, value)])),
            None => fault = fault.or_else(|| Some(format!("column {name:?} is bytes: expected text"))),
        }
    }
    take_or_refuse(record, fault, feed)
}

/// How values of a type are read; `None` for types without an agreed text.
fn form(kind: &str) -> Option<Form> {
    Some(match kind {
        "DATETIME" => Form::Time,
        "TIMESTAMP" => Form::TimeInUtc,
        "VARCHAR" | "CHAR" | "TINYTEXT" | "TEXT" | "MEDIUMTEXT" | "LONGTEXT" | "ENUM" | "SET" | "JSON"
        | "DATE" | "TIME" | "YEAR" | "DECIMAL" | "FLOAT" | "DOUBLE" | "NULL" => Form::Plain,
        // Text in a binary collation, which JSON of MariaDB is, calls itself bytes; the values will tell.
        "BINARY" | "VARBINARY" | "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB" => Form::Plain,
        // TINYINT(1) calls itself so, which BOOLEAN is, but it holds any code: its number is given, and a 4 is a 4.
        "BOOLEAN" => Form::Plain,
        integer if integer.trim_end_matches(" UNSIGNED").ends_with("INT") => Form::Plain,
        _ => return None,
    })
}
