//! Bringing tables up to date.
//!
//! Each database has its own numbered files. A file that has been applied never changes: its checksum is kept with
//! its number. A new file only adds, or drops what the version before does not use, so that processes of both versions
//! work on one database. Opening refuses tables to which a file was applied that this version does not have.

use crate::failure::failed;
use muster_reports::error::{Error, Result};
use sqlx::migrate::{Migrate, MigrateError, Migrator};

/// Applies what is missing; `place` names the database in errors.
pub(crate) async fn run<C: Migrate>(migrator: &Migrator, connection: &mut C, place: &str) -> Result<()> {
    // Newer processes lock the database while they do this; the lock ends with the connection if we fail.
    let Err(error) = migrator.run_direct(None, connection, false).await else { return Ok(()) };
    if let MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) = error {
        return Err(failed(&format!("bring the tables of {place} up to date"), error));
    }
    let message = if let MigrateError::VersionMissing(version) = error {
        newer(migrator, place, version)
    } else if let MigrateError::VersionMismatch(version) = error {
        different(place, version)
    } else {
        format!("the tables of {place} are not usable")
    };
    Err(Error::internal(message, error))
}

/// What is said of tables to which a step was applied that this version does not have.
pub(crate) fn newer(migrator: &Migrator, place: &str, version: i64) -> String {
    let known = last(migrator);
    format!(
        "{place} was written by a newer version: its tables are of version {version}, expected at most {known}"
    )
}

/// What is said of tables to which another step of this number was applied.
pub(crate) fn different(place: &str, version: i64) -> String {
    format!("{place}: version {version} of its tables differs from this program's")
}

/// The version of the tables that this program makes.
pub(crate) fn last(migrator: &Migrator) -> i64 {
    migrator.iter().map(|migration| migration.version).max().unwrap_or_default()
}
