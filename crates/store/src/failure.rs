//! What becomes of a database's failure: busy or away is `Unavailable`, the rest a fault of ours.

use muster_reports::error::Error;

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
    if is_busy(&error) {
        return unavailable(format!("the store is busy and could not {what}"), error);
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

fn is_busy(error: &sqlx::Error) -> bool {
    if let sqlx::Error::Database(database) = error
        && database.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some()
    {
        // An extended code carries the primary one in its low byte.
        let code = database.code().and_then(|code| code.parse::<u32>().ok());
        return code.is_some_and(|code| SQLITE_BUSY.contains(&(code & 0xff)));
    }
    matches!(error, sqlx::Error::PoolTimedOut)
}

fn is_away(error: &sqlx::Error) -> bool {
    is_broken(error) || postgres_code(error).is_some_and(|code| starts_with_any(&code, &POSTGRES_AWAY))
}

/// Whether the connection is of no use any more: what ran on it may or may not have happened.
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

/// Whether PostgreSQL undid the transaction for the sake of another one: the same may be tried again.
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
