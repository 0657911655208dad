//! Whether this version can go on with a database, and what opening it would do.

use crate::failure::failed;
use crate::migrations::{different, last, newer};
use crate::store::Place;
use crate::{postgres, sqlite};
use muster_reports::error::{Error, Result};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, PgConnection};

/// The tables of a database, compared with those of this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablesState {
    /// Their version; 0 where there are none yet.
    pub version: i64,
    /// The version that this program has.
    pub known: i64,
    /// The steps that opening applies: their numbers and names.
    pub steps: Vec<(i64, String)>,
}

impl TablesState {
    /// Looks at a database that is there, and changes nothing.
    ///
    /// # Errors
    /// `Internal` if a newer version, or another program, made its tables; when it cannot be read.
    pub async fn of(place: &Place) -> Result<Self> {
        match place {
            Place::Sqlite(path) => {
                let name = path.display().to_string();
                let wrong = |error| failed(&format!("look at {name}"), error);
                let options = SqliteConnectOptions::new().filename(path).read_only(true);
                let mut connection = SqliteConnection::connect_with(&options).await.map_err(wrong)?;
                let applied = if is_there(&mut connection).await.map_err(wrong)? {
                    sqlx::query_as(APPLIED).fetch_all(&mut connection).await.map_err(wrong)?
                } else {
                    Vec::new()
                };
                let _ = connection.close().await;
                compare(&sqlite::MIGRATIONS, &name, &applied)
            }
            Place::Postgres(url) => {
                let wrong = |error| failed(&format!("look at {url}"), error);
                let mut connection = PgConnection::connect_with(url.options()).await.map_err(wrong)?;
                let table: Option<String> = sqlx::query_scalar(
                    "SELECT to_regclass(quote_ident(current_schema()) || '._sqlx_migrations')::text",
                )
                .fetch_one(&mut connection)
                .await
                .map_err(wrong)?;
                let applied = match table {
                    Some(_) => sqlx::query_as(APPLIED).fetch_all(&mut connection).await.map_err(wrong)?,
                    None => Vec::new(),
                };
                let _ = connection.close().await;
                compare(&postgres::MIGRATIONS, &url.to_string(), &applied)
            }
        }
    }
}

/// What was applied: the number of each step, and the checksum of its text.
const APPLIED: &str = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";

async fn is_there(connection: &mut SqliteConnection) -> std::result::Result<bool, sqlx::Error> {
    let found: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'",
    )
    .fetch_one(connection)
    .await?;
    Ok(found > 0)
}

fn compare(migrator: &Migrator, place: &str, applied: &[(i64, Vec<u8>)]) -> Result<TablesState> {
    for (version, checksum) in applied {
        let message = match migrator.iter().find(|migration| migration.version == *version) {
            None => newer(migrator, place, *version),
            Some(known) if *known.checksum != **checksum => different(place, *version),
            Some(_) => continue,
        };
        return Err(Error::internal(message, "its tables are not this program's"));
    }
    let waits = |version: i64| applied.iter().all(|(done, _)| *done != version);
    Ok(TablesState {
        version: applied.iter().map(|(version, _)| *version).max().unwrap_or_default(),
        known: last(migrator),
        steps: migrator
            .iter()
            .filter(|migration| waits(migration.version))
            .map(|migration| (migration.version, migration.description.to_string()))
            .collect(),
    })
}
