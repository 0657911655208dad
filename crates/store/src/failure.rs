//! What becomes of a database's failure: busy is `Unavailable`, the rest a fault of ours.

use muster_reports::error::Error;

/// Primary codes of SQLite for which another try may succeed: BUSY and LOCKED.
const BUSY_CODES: [u32; 2] = [5, 6];

/// The failure of an attempt to do `what` ("accept the task").
pub(crate) fn failed(what: &str, error: sqlx::Error) -> Error {
    if is_busy(&error) {
        let mut unavailable = Error::unavailable(format!("the store is busy and could not {what}"));
        unavailable.source = Some(Box::new(error));
        return unavailable;
    }
    Error::internal(format!("the store could not {what}"), error)
}

fn is_busy(error: &sqlx::Error) -> bool {
    if let sqlx::Error::Database(database) = error {
        // An extended code carries the primary one in its low byte.
        let code = database.code().and_then(|code| code.parse::<u32>().ok());
        return code.is_some_and(|code| BUSY_CODES.contains(&(code & 0xff)));
    }
    matches!(error, sqlx::Error::PoolTimedOut)
}

/// Whether `error` says that a unique value is taken.
pub(crate) fn is_taken(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(database) if database.is_unique_violation())
}
