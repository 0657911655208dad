//! PostgreSQL: a cursor whose rows are fetched in portions and in the server's own text.
//!
//! Why a cursor: it takes a SELECT and nothing else, so a definition cannot write; and the server holds what was not
//! fetched yet. Why text: one form for every type, of which the session's settings decide dates, times and zones.

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode, PgTypeInfo, PgTypeKind};
use sqlx::{AssertSqlSafe, ConnectOptions, Database, Postgres, TypeInfo};

use super::dialect::{Access, Dialect};
use super::values::Form;

impl Dialect for Postgres {
    const CLOSING_READS_ON: bool = false;

    fn options(access: &Access<'_>) -> PgConnectOptions {
        let mode = if access.settings.allow_plaintext { PgSslMode::Prefer } else { PgSslMode::VerifyFull };
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(access.place.host)
            .port(access.place.port)
            .username(access.place.user)
            .database(access.place.database)
            .application_name("muster")
            .ssl_mode(mode)
            .disable_statement_logging();
        if let Some(file) = access.ca_file {
            options = options.ssl_root_cert(file);
        }
        if let Some(password) = access.password {
            options = options.password(password.reveal());
        }
        options
    }

    async fn begin(
        connection: &mut PgConnection,
        time_limit_s: u32,
    ) -> Result<Option<&'static str>, sqlx::Error> {
        let time_limit_ms = u64::from(time_limit_s) * 1000;
        let begin = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {time_limit_ms}; \
             SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'; SET LOCAL intervalstyle = 'iso_8601'; \
             SET LOCAL cursor_tuple_fraction = 1"
        );
        sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut *connection).await?;
        Ok(None)
    }

    async fn declare_cursor(
        connection: &mut PgConnection,
        query: &str,
        rows: usize,
    ) -> Result<Option<String>, sqlx::Error> {
        let cursor = format!("DECLARE muster_source NO SCROLL CURSOR FOR {query}");
        sqlx::query(AssertSqlSafe(cursor)).execute(&mut *connection).await?;
        Ok(Some(format!("FETCH FORWARD {rows} FROM muster_source")))
    }

    async fn close_cursor(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("CLOSE muster_source").execute(&mut *connection).await.map(drop)
    }

    fn form(kind: &PgTypeInfo) -> Option<(Form, bool)> {
        match kind.kind() {
            PgTypeKind::Array(element) => match Self::form(element)? {
                (form, false) => Some((form, true)),
                (_, true) => None,
            },
            PgTypeKind::Domain(inner) => Self::form(inner),
            PgTypeKind::Enum(_) => Some((Form::Plain, false)),
            PgTypeKind::Simple => {
                let form = match kind.name().to_ascii_lowercase().as_str() {
                    "text" | "varchar" | "char" | "\"char\"" | "name" | "citext" | "unknown" | "uuid"
                    | "json" | "jsonb" | "int2" | "int4" | "int8" | "float4" | "float8" | "numeric"
                    | "oid" | "date" | "time" | "timetz" | "interval" | "inet" | "cidr" | "macaddr"
                    | "macaddr8" => Form::Plain,
                    "bool" => Form::Boolean,
                    "timestamp" | "timestamptz" => Form::Time,
                    _ => return None,
                };
                Some((form, false))
            }
            PgTypeKind::Pseudo | PgTypeKind::Composite(_) | PgTypeKind::Range(_) => None,
        }
    }

    fn text<'r>(value: <Self as Database>::ValueRef<'r>) -> Result<&'r str, &'static str> {
        value.as_str().map_err(|_| "not UTF-8")
    }
}
