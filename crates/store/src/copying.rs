//! Copies of the database, and whether one is sound.

use crate::failure::failed;
use crate::store::{Backend, Store};
use muster_reports::error::{Error, Result};
use std::path::Path;

impl Store {
    /// Copies the database to a new file, as of one moment, while it is in use.
    ///
    /// # Errors
    /// `Invalid` for a PostgreSQL database; `Internal` if the copy cannot be written.
    pub async fn copy_to(&self, path: &Path) -> Result<()> {
        let Backend::Sqlite(sqlite) = &self.backend else { return Err(not_a_file()) };
        let place = path.to_str().ok_or_else(|| {
            Error::invalid(format!("{} is not UTF-8: expected a path that is", path.display()))
        })?;
        crate::sqlite::create_private(path)
            .map_err(|error| Error::internal(format!("{} could not be made", path.display()), error))?;
        let wrong = |error| failed(&format!("copy itself to {}", path.display()), error);
        let mut connection = sqlite.readers.acquire().await.map_err(wrong)?;
        sqlx::query("VACUUM INTO ?1").bind(place).execute(&mut *connection).await.map_err(wrong)?;
        Ok(())
    }

    /// What is wrong with the database's file, as SQLite's own check says, at most twenty faults; empty if nothing is.
    ///
    /// # Errors
    /// `Invalid` for a PostgreSQL database; `Internal` if it cannot be read at all.
    pub async fn file_faults(&self) -> Result<Vec<String>> {
        let Backend::Sqlite(sqlite) = &self.backend else { return Err(not_a_file()) };
        let wrong = |error| failed("check its file", error);
        let mut connection = sqlite.readers.acquire().await.map_err(wrong)?;
        let mut found: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(20)")
            .fetch_all(&mut *connection)
            .await
            .map_err(wrong)?;
        found.retain(|line| line != "ok");
        Ok(found)
    }
}

fn not_a_file() -> Error {
    Error::invalid("the database is in PostgreSQL: expected one in the data directory")
}
