//! Failures of the database as errors: a busy or unreachable database is `Unavailable`, anything else is a fault of the
//! service.

use muster_reports::error::Error;

/// Primary codes of SQLite that say that the disk does not take a write, and how.
const SQLITE_DISK: [(u32, &str); 3] =
    [(8, "it may not be written to"), (10, "its disk fails"), (13, "its disk is full")];

/// PostgreSQL's code of the same.
const POSTGRES_DISK_FULL: &str = "53100";

/// Primary codes of SQLite for which another try may succeed: BUSY and LOCKED.
const SQLITE_BUSY: [u32; 2] = [5, 6];

/// Classes of PostgreSQL's codes that say that it cannot serve now: the connection is broken (08), it is
/// read-only after a failover (25006), a transaction was undone (40), resources are short (53), it was
/// interfered with (55P03, 57), or its system fails (58).
const POSTGRES_AWAY: [&str; 7] = ["08", "25006", "40", "53", "55P03", "57", "58"];

/// Codes of PostgreSQL after which the connection is gone.
const POSTGRES_ENDED: [&str; 4] = ["08", "57P", "25P03", "25P04"];

/// The failure of an attempt to do `what` ("accept the task").
pub(crate) fn failed(what: &str, error: sqlx::Error) -> Error {
    if let Some(why) = disk_fault(&error) {
        return unavailable(format!("the store could not {what}: {why}"), error);
    }
    if is_busy(&error) {
        // Without the database's text: nothing has failed, and the log must distinguish the two.
        return Error::unavailable(format!("the store is busy and could not {what}"));
    }
    if is_away(&error) {
        return unavailable(format!("the store cannot be reached and could not {what}"), error);
    }
    Error::internal(format!("the store could not {what}"), error)
}

/// An `Unavailable` with its cause.
pub(crate) fn unavailable(message: String, error: sqlx::Error) -> Error {
    let mut unavailable = Error::unavailable(message);
    unavailable.source = Some(Box::new(error));
    unavailable
}

/// The failure of a database that does not answer at all.
pub(crate) fn too_slow() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())
}

/// Why the disk does not take a write, where that is the reason.
fn disk_fault(error: &sqlx::Error) -> Option<&'static str> {
    if postgres_code(error).is_some_and(|code| code == POSTGRES_DISK_FULL) {
        return Some("its disk is full");
    }
    let code = sqlite_code(error)?;
    SQLITE_DISK.iter().find(|(known, _)| *known == code).map(|(_, why)| *why)
}

fn is_busy(error: &sqlx::Error) -> bool {
    match sqlite_code(error) {
        Some(code) => SQLITE_BUSY.contains(&code),
        None => matches!(error, sqlx::Error::PoolTimedOut),
    }
}

/// The primary code of a failure of SQLite's; an extended code carries it in its low byte.
fn sqlite_code(error: &sqlx::Error) -> Option<u32> {
    let sqlx::Error::Database(database) = error else { return None };
    database.try_downcast_ref::<sqlx::sqlite::SqliteError>()?;
    database.code()?.parse::<u32>().ok().map(|code| code & 0xff)
}

fn is_away(error: &sqlx::Error) -> bool {
    is_broken(error) || postgres_code(error).is_some_and(|code| starts_with_any(&code, &POSTGRES_AWAY))
}

/// Whether the connection is broken: what ran on it may or may not have happened.
pub(crate) fn is_broken(error: &sqlx::Error) -> bool {
    let without_answer = matches!(
        error,
        sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
    );
    without_answer || postgres_code(error).is_some_and(|code| starts_with_any(&code, &POSTGRES_ENDED))
}

/// Whether PostgreSQL undid the transaction in favour of another one, so that it can be tried again.
pub(crate) fn is_undone(error: &sqlx::Error) -> bool {
    postgres_code(error).is_some_and(|code| ["40001", "40P01"].contains(&code.as_str()))
}

fn starts_with_any(code: &str, starts: &[&str]) -> bool {
    starts.iter().any(|start| code.starts_with(start))
}

fn postgres_code(error: &sqlx::Error) -> Option<String> {
    let sqlx::Error::Database(database) = error else { return None };
    database.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().map(|error| error.code().to_owned())
}

/// Whether `error` says that a unique value is taken.
pub(crate) fn is_taken(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(database) if database.is_unique_violation())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use muster_reports::error::Category;
    use sqlx::{Connection, SqliteConnection};

    /// A database that has no further page is what a full disk is to SQLite.
    #[tokio::test]
    async fn a_disk_that_takes_nothing_is_told_as_the_reason() {
        for (limit, why) in [
            ("PRAGMA max_page_count = 3", "its disk is full"),
            ("PRAGMA query_only = 1", "it may not be written to"),
        ] {
            let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
            sqlx::query("CREATE TABLE a (b)").execute(&mut connection).await.unwrap();
            sqlx::query(limit).execute(&mut connection).await.unwrap();
            let insert = sqlx::query("INSERT INTO a VALUES (zeroblob(100000))");
            let error = failed("accept a task", insert.execute(&mut connection).await.unwrap_err());
            assert_eq!(error.category, Category::Unavailable);
            assert_eq!(error.message, format!("the store could not accept a task: {why}"));
        }
    }
}
