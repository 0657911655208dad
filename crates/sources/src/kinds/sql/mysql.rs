//! MySQL and MariaDB: the query is run as it is, and its rows are read from the connection as they come.

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode, MySqlTypeInfo};
use sqlx::{AssertSqlSafe, ConnectOptions, Database, Decode, MySql, TypeInfo};

use super::dialect::{Access, Dialect};
use super::values::Form;

/// Longest text that GROUP_CONCAT gives, in bytes.
const LIST_BYTES_MAX: u32 = 16 << 20;

impl Dialect for MySql {
    const CLOSING_READS_ON: bool = true;

    fn options(access: &Access<'_>) -> MySqlConnectOptions {
        let plaintext = access.settings.allow_plaintext;
        let mode = if plaintext { MySqlSslMode::Preferred } else { MySqlSslMode::VerifyIdentity };
        let mut options = MySqlConnectOptions::new()
            .host(access.place.host)
            .port(access.place.port)
            .username(access.place.user)
            .database(access.place.database)
            .charset("utf8mb4")
            .ssl_mode(mode)
            .disable_statement_logging();
        if let Some(file) = access.ca_file {
            options = options.ssl_ca(file);
        }
        if let Some(password) = access.password {
            options = options.password(password.reveal());
        }
        options
    }

    async fn begin(
        connection: &mut MySqlConnection,
        time_limit_s: u32,
    ) -> Result<Option<&'static str>, sqlx::Error> {
        // MySQL has the first of these and MariaDB the second; each knows only its own.
        let limits = [
            format!("SET SESSION max_execution_time = {}", u64::from(time_limit_s) * 1000),
            format!("SET SESSION max_statement_time = {time_limit_s}"),
        ];
        let mut is_limited = false;
        for limit in limits {
            is_limited |= sqlx::raw_sql(AssertSqlSafe(limit)).execute(&mut *connection).await.is_ok();
        }
        // Beyond this the server cuts off what GROUP_CONCAT gives without an error; by default that is 1 KiB on MySQL.
        let whole_lists = format!("SET SESSION group_concat_max_len = {LIST_BYTES_MAX}");
        sqlx::raw_sql(AssertSqlSafe(whole_lists)).execute(&mut *connection).await?;
        let isolation = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ";
        sqlx::raw_sql(isolation).execute(&mut *connection).await?;
        let begin = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
        sqlx::raw_sql(begin).execute(&mut *connection).await?;
        Ok((!is_limited).then_some("the server has no time limit for statements"))
    }

    async fn declare_cursor(
        _: &mut MySqlConnection,
        _: &str,
        _: usize,
    ) -> Result<Option<String>, sqlx::Error> {
        Ok(None)
    }

    async fn close_cursor(_: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }

    fn form(kind: &MySqlTypeInfo) -> Option<(Form, bool)> {
        let form = match kind.name() {
            "DATETIME" => Form::Time,
            "TIMESTAMP" => Form::TimeInUtc,
            "VARCHAR" | "CHAR" | "TINYTEXT" | "TEXT" | "MEDIUMTEXT" | "LONGTEXT" | "ENUM" | "SET"
            | "JSON" | "DATE" | "TIME" | "YEAR" | "DECIMAL" | "FLOAT" | "DOUBLE" | "NULL" => Form::Plain,
            // Text in a binary collation, which JSON of MariaDB is, calls itself bytes; the values will tell.
            "BINARY" | "VARBINARY" | "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB" => Form::Plain,
            // TINYINT(1) calls itself so, which BOOLEAN is, but it holds any code: its number is given, and a 4 is a 4.
            "BOOLEAN" => Form::Plain,
            integer if integer.trim_end_matches(" UNSIGNED").ends_with("INT") => Form::Plain,
            _ => return None,
        };
        Some((form, false))
    }

    fn text<'r>(value: <Self as Database>::ValueRef<'r>) -> Result<&'r str, &'static str> {
        let bytes = <&[u8] as Decode<'_, MySql>>::decode(value).unwrap_or_default();
        let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
        text.ok_or("bytes: expected text")
    }
}
