//! Copies of a PostgreSQL database: made and read by PostgreSQL's own programs, `pg_dump` and `pg_restore`.
//!
//! Why these programs: they know every form of a database, and their copies can be read without ours.
//!
//! Invariants:
//! - what is read from a [`PinnedStore`] and what it dumps are of one moment: one transaction exports its snapshot, and
//!   `pg_dump` takes that snapshot. If its connection breaks, it reads and dumps nothing more;
//! - a dump is restored whole or not at all, and only into a schema that has nothing;
//! - no password is among a program's arguments, which other users can see.

use crate::failure::failed;
use crate::postgres::{Postgres, PostgresUrl};
use crate::settings::Settings;
use crate::signals::Signals;
use crate::store::{Backend, Store};
use muster_reports::error::{Error, Result};
use sqlx::{Connection, PgConnection, Row as _};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::ops::Deref;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// Characters of what a program said that an error shows.
const SAID_MAX: usize = 600;

/// A PostgreSQL database as of one moment, to be read only.
#[derive(Debug)]
pub struct PinnedStore {
    store: Store,
    url: PostgresUrl,
    /// The schema that its tables are in.
    pub schema: String,
    snapshot: String,
}

impl Deref for PinnedStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl PinnedStore {
    /// The database as of now. Its tables are left as they are.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn open(url: &PostgresUrl) -> Result<Self> {
        let settings = Settings::default();
        let postgres = Postgres::pinned(url, &settings).await?;
        let store = Store {
            backend: Backend::Postgres(postgres),
            signals: Arc::new(Signals::new()),
            settings,
            manifests: crate::manifests::Manifests::default(),
        };
        let row = store
            .read_first("SELECT pg_export_snapshot() AS snapshot, current_schema()::text AS schema", &[])
            .await;
        let named = row.and_then(|row| {
            let row = row.ok_or(sqlx::Error::RowNotFound)?;
            Ok((row.text("snapshot")?, row.text("schema")?))
        });
        let (snapshot, schema) = named.map_err(|error| failed(&format!("hold {url} as it is"), error))?;
        Ok(Self { store, url: url.clone(), schema, snapshot })
    }

    /// Writes the tables, as of this moment, to a file that only its owner may read.
    ///
    /// # Errors
    /// When `pg_dump` is not there or fails.
    pub async fn dump_to(&self, path: &Path) -> Result<()> {
        crate::sqlite::create_private(path)
            .map_err(|error| Error::internal(format!("{} could not be made", path.display()), error))?;
        let mut file = OsString::from("--file=");
        file.push(path);
        let arguments = vec![
            "--format=custom".into(),
            "--no-owner".into(),
            "--no-privileges".into(),
            "--no-password".into(),
            format!("--snapshot={}", self.snapshot).into(),
            format!("--schema=\"{}\"", self.schema.replace('"', "\"\"")).into(),
            file,
        ];
        run("pg_dump", Some(&self.url), arguments).await
    }
}

/// Reads a dump to its end, and writes it nowhere.
///
/// # Errors
/// When `pg_restore` is not there, or cannot read the dump.
pub async fn read_dump(dump: &Path) -> Result<()> {
    run("pg_restore", None, vec!["--file=/dev/null".into(), dump.into()]).await
}

/// Whether `pg_restore` is there to be called.
pub fn can_read_dumps() -> bool {
    let asked =
        Command::new("pg_restore").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// Refuses a database that a dump with tables of this schema cannot be restored to.
///
/// # Errors
/// `Invalid` if the first schema of its search path is another one, or has something; when it cannot be reached.
pub async fn check_target(url: &PostgresUrl, schema: &str) -> Result<()> {
    const SQL: &str = "SELECT current_schema()::text AS schema,
                              (SELECT count(*) FROM pg_class
                               WHERE relnamespace = (SELECT oid FROM pg_namespace
                                                     WHERE nspname = current_schema())) AS kept";
    let wrong = |error| failed(&format!("look at {url}"), error);
    let mut connection = PgConnection::connect_with(url.options()).await.map_err(wrong)?;
    let row = sqlx::query(SQL).fetch_one(&mut connection).await.map_err(wrong)?;
    let (found, kept): (Option<String>, Option<i64>) =
        (row.try_get("schema").map_err(wrong)?, row.try_get("kept").map_err(wrong)?);
    let _ = connection.close().await;
    if found.as_deref() != Some(schema) {
        return Err(Error::invalid(format!(
            "{url} keeps tables in {}, and the tables of the backup are in the schema {schema:?}: expected a database whose \
             search path begins with it",
            found.map_or_else(|| "no schema".to_owned(), |found| format!("the schema {found:?}"))
        )));
    }
    match kept {
        Some(0) => Ok(()),
        _ => Err(Error::invalid(format!(
            "{url} has tables in the schema {schema:?}: expected an empty database"
        ))),
    }
}

/// Puts the tables of a dump into a database, all of them or none.
///
/// # Errors
/// As [`check_target`]; when `pg_restore` is not there or fails.
pub async fn restore_dump(url: &PostgresUrl, schema: &str, dump: &Path) -> Result<()> {
    check_target(url, schema).await?;
    let arguments = vec![
        "--no-owner".into(),
        "--no-privileges".into(),
        "--no-password".into(),
        "--exit-on-error".into(),
        "--single-transaction".into(),
        // The tables of the schema, and not the schema, which is there.
        format!("--schema={schema}").into(),
        dump.into(),
    ];
    run("pg_restore", Some(url), arguments).await
}

/// A database that is made for a check and removed afterwards.
#[derive(Debug)]
pub struct ScratchDatabase {
    server: PostgresUrl,
    name: String,
    /// Where it is.
    pub url: PostgresUrl,
}

impl ScratchDatabase {
    /// Makes a database of this name, with an empty schema, on the server of `server`.
    ///
    /// # Errors
    /// When the server cannot be reached, or its user may not make databases.
    pub async fn make(server: &PostgresUrl, name: &str, schema: &str) -> Result<Self> {
        let made =
            Self { server: server.clone(), name: name.to_owned(), url: server.with_database(name, schema)? };
        made.ask_server(&format!("CREATE DATABASE {}", quoted(name))).await?;
        let wrong = |error| failed(&format!("make a schema in {}", made.url), error);
        let mut connection = PgConnection::connect_with(made.url.options()).await.map_err(wrong)?;
        let sql = format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(schema));
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.map_err(wrong);
        let _ = connection.close().await;
        if let Err(error) = done {
            made.remove().await?;
            return Err(error);
        }
        Ok(made)
    }

    /// Removes it.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn remove(self) -> Result<()> {
        self.ask_server(&format!("DROP DATABASE {} WITH (FORCE)", quoted(&self.name))).await
    }

    async fn ask_server(&self, sql: &str) -> Result<()> {
        let wrong = |error| failed(&format!("make or remove a database on {}", self.server), error);
        let mut connection = PgConnection::connect_with(self.server.options()).await.map_err(wrong)?;
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await;
        let _ = connection.close().await;
        done.map(drop).map_err(wrong)
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Runs a program of PostgreSQL to its end. What it prints is only in errors.
async fn run(program: &'static str, url: Option<&PostgresUrl>, arguments: Vec<OsString>) -> Result<()> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    if let Some(url) = url {
        let (plain, password) = url.for_programs();
        command.arg("--dbname").arg(plain);
        if let Some(password) = password {
            command.env("PGPASSWORD", password);
        }
    }
    let ended = tokio::task::spawn_blocking(move || command.output()).await;
    match ended.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said: String =
                said.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SAID_MAX).collect();
            Err(Error::internal(format!("{program} failed"), format!("{}: {said}", output.status)))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::invalid(format!(
            "there is no program {program} on the path: expected PostgreSQL's programs, of the server's version or a newer \
             one (on Debian the package postgresql-client)"
        ))),
        Err(error) => Err(Error::internal(format!("{program} cannot be run"), error)),
    }
}
