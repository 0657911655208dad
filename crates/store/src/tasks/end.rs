//! Ending attempts and tasks.

use crate::failure::failed;
use crate::messages;
use crate::rows::{self, TaskRow};
use crate::tasks::held;
use chrono::{DateTime, Utc};
use muster_reports::error::{Error, Result};
use muster_reports::ids::{TaskId, TenantId};
use muster_reports::ports::Cancelled;
use muster_reports::task::{AttemptEnd, Lease, Message, Severity, TaskResult, TaskState};
use sqlx::SqliteConnection;

const FILES_MAX: usize = 100;
const FILES_TEXT_MAX: usize = 256 * 1_024;
const COVER_MAX: usize = 16 * 1_024 * 1_024;
/// Holds any list of messages that `messages::add` lets through.
const MESSAGES_TEXT_MAX: usize = 64 * 1_024 * 1_024;

/// Terminates the task if it is live.
pub(super) async fn cancel(
    connection: &mut SqliteConnection,
    tenant: TenantId,
    id: TaskId,
    now: DateTime<Utc>,
) -> Result<Cancelled> {
    let wrong = |error| failed("cancel a task", error);
    let done = sqlx::query(
        "UPDATE tasks SET state = 'terminated', completed = ?, worker = NULL
         WHERE id = ? AND tenant = ? AND state IN ('pending', 'running')",
    )
    .bind(rows::micros(now))
    .bind(id.as_str())
    .bind(tenant.as_str())
    .execute(&mut *connection)
    .await
    .map_err(wrong)?;
    if done.rows_affected() > 0 {
        return Ok(Cancelled::Now);
    }
    let found = sqlx::query("SELECT * FROM tasks WHERE id = ? AND tenant = ?")
        .bind(id.as_str())
        .bind(tenant.as_str())
        .fetch_optional(connection)
        .await;
    let task = found.and_then(|row| row.as_ref().map(rows::task).transpose()).map_err(wrong)?;
    Ok(match task.map(|task| task.state) {
        None => Cancelled::Unknown,
        Some(TaskState::Terminated) => Cancelled::Before,
        Some(
            state @ (TaskState::Succeeded
            | TaskState::Warned
            | TaskState::Failed
            | TaskState::Pending
            | TaskState::Running),
        ) => Cancelled::TooLate(state),
    })
}

/// Ends an attempt whose lease still holds; otherwise changes nothing and says `false`.
pub(super) async fn end_attempt(
    connection: &mut SqliteConnection,
    lease: Lease,
    end: AttemptEnd,
    now: DateTime<Utc>,
    attempts_max: u32,
) -> Result<bool> {
    let Some(row) = held(connection, &lease, now).await? else { return Ok(false) };
    match end {
        AttemptEnd::Done { result, messages } => publish(connection, row, result, messages, now).await?,
        AttemptEnd::Failed { message } => fail(connection, row, [message], now).await?,
        AttemptEnd::Retry { message, .. } if row.task.attempts >= attempts_max => {
            let exhausted = exhausted(&row);
            fail(connection, row, [message, exhausted], now).await?;
        }
        AttemptEnd::Retry { message, not_before } => {
            // Why an attempt failed is history once another succeeds: it must not make a result `Warned`.
            let text = format!("attempt {} of {attempts_max}: {}", row.task.attempts, message.text);
            let message = Message { severity: Severity::Info, key: message.key, text };
            wait(connection, row, Some(message), not_before, 0).await?;
        }
        AttemptEnd::Released => wait(connection, row, None, now, 1).await?,
    }
    Ok(true)
}

/// Fails a live task whose deadline has passed.
pub(super) async fn fail_overdue(
    connection: &mut SqliteConnection,
    row: TaskRow,
    now: DateTime<Utc>,
) -> Result<()> {
    let deadline = row.deadline.format("%Y-%m-%d %H:%M:%S UTC");
    let text = format!("the report had not ended at its deadline, {deadline}");
    fail(connection, row, [Message::error("deadline_passed", text)], now).await
}

/// Fails a live task whose last attempt has been lost.
pub(super) async fn fail_exhausted(
    connection: &mut SqliteConnection,
    row: TaskRow,
    now: DateTime<Utc>,
) -> Result<()> {
    let message = exhausted(&row);
    fail(connection, row, [message], now).await
}

fn exhausted(row: &TaskRow) -> Message {
    let text = format!("the report was given up after {} attempts", row.task.attempts);
    Message::error("attempts_exhausted", text)
}

async fn fail(
    connection: &mut SqliteConnection,
    mut row: TaskRow,
    last: impl IntoIterator<Item = Message>,
    now: DateTime<Utc>,
) -> Result<()> {
    for message in last {
        messages::add_last(&mut row.task.messages, message);
    }
    let done = sqlx::query(
        "UPDATE tasks SET state = 'failed', completed = ?, worker = NULL, messages = ?
         WHERE seq = ? AND epoch = ? AND state IN ('pending', 'running')",
    )
    .bind(rows::micros(now))
    .bind(rows::to_json("the messages of a task", &row.task.messages, MESSAGES_TEXT_MAX)?)
    .bind(row.seq)
    .bind(rows::signed("the epoch of a task", row.task.epoch)?)
    .execute(connection)
    .await;
    changed_one("fail a task", done)
}

async fn publish(
    connection: &mut SqliteConnection,
    mut row: TaskRow,
    result: TaskResult,
    more: Vec<Message>,
    now: DateTime<Utc>,
) -> Result<()> {
    if result.files.len() > FILES_MAX {
        return Err(Error::invalid(format!(
            "the result has {} files: expected at most {FILES_MAX}",
            result.files.len()
        )));
    }
    rows::bounded("the cover of a result", &result.cover, COVER_MAX)?;
    messages::add(&mut row.task.messages, more);
    let remarked = row.task.messages.iter().any(messages::is_remark);
    let state = if remarked { TaskState::Warned } else { TaskState::Succeeded };
    let done = sqlx::query(
        "UPDATE tasks SET state = ?1, completed = ?2, worker = NULL, messages = ?3, rows = ?4, rows_expected = ?4,
             result_rows = ?4, files = ?5, cover = ?6
         WHERE seq = ?7 AND epoch = ?8 AND state = 'running'",
    )
    .bind(state.as_str())
    .bind(rows::micros(now))
    .bind(rows::to_json("the messages of a task", &row.task.messages, MESSAGES_TEXT_MAX)?)
    .bind(rows::signed("the rows of a result", result.rows)?)
    .bind(rows::to_json("the files of a result", &result.files, FILES_TEXT_MAX)?)
    .bind(&result.cover)
    .bind(row.seq)
    .bind(rows::signed("the epoch of a task", row.task.epoch)?)
    .execute(connection)
    .await;
    changed_one("publish a result", done)
}

/// Puts a running task back to wait, and takes back `uncounted` attempts.
async fn wait(
    connection: &mut SqliteConnection,
    mut row: TaskRow,
    message: Option<Message>,
    not_before: DateTime<Utc>,
    uncounted: u32,
) -> Result<()> {
    messages::add(&mut row.task.messages, message.into_iter().collect());
    let done = sqlx::query(
        "UPDATE tasks SET state = 'pending', worker = NULL, due = min(?, deadline), attempts = attempts - ?,
             messages = ?
         WHERE seq = ? AND epoch = ? AND state = 'running'",
    )
    .bind(rows::micros(not_before))
    .bind(uncounted)
    .bind(rows::to_json("the messages of a task", &row.task.messages, MESSAGES_TEXT_MAX)?)
    .bind(row.seq)
    .bind(rows::signed("the epoch of a task", row.task.epoch)?)
    .execute(connection)
    .await;
    changed_one("put a task back", done)
}

/// The row was read in the same transaction, so the update must have found it.
fn changed_one(what: &str, done: Result<sqlx::sqlite::SqliteQueryResult, sqlx::Error>) -> Result<()> {
    match done {
        Ok(done) if done.rows_affected() == 1 => Ok(()),
        Ok(_) => Err(failed(what, sqlx::Error::RowNotFound)),
        Err(error) => Err(failed(what, error)),
    }
}
