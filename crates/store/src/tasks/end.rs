//! Ending attempts and tasks.

use crate::audit::{self, Entry, Recorder};
use crate::failure::failed;
use crate::messages;
use crate::notifications;
use crate::rows::{self, TaskRow};
use crate::session::{Moment, Read, Session, locking, values};
use crate::tasks::transition::entering;
use chrono::{DateTime, Utc};
use muster_reports::audit::AuditEvent;
use muster_reports::error::{Error, Result};
use muster_reports::failpoint::{Failpoint, reached};
use muster_reports::ids::{TaskId, TenantId};
use muster_reports::message::{Message, Severity};
use muster_reports::ports::Cancelled;
use muster_reports::task::{AttemptEnd, Lease, TaskResult, TaskState};
use std::sync::{Arc, LazyLock};

/// Most files of a result.
const FILES_MAX: usize = 100;
/// Longest list of these files, in bytes of its JSON.
const FILES_TEXT_MAX: usize = 256 * 1_024;
/// Longest cover, in bytes.
const COVER_MAX: usize = 16 * 1_024 * 1_024;
/// Holds any list of messages that `messages::add` lets through.
const MESSAGES_TEXT_MAX: usize = 64 * 1_024 * 1_024;

static TERMINATE: LazyLock<String> =
    LazyLock::new(|| entering(TaskState::Terminated, "completed = $1, worker = NULL", "seq = $2"));

static FAIL: LazyLock<String> = LazyLock::new(|| {
    entering(TaskState::Failed, "completed = $1, worker = NULL, messages = $2", "seq = $3 AND epoch = $4")
});

static SUCCEED: LazyLock<String> = LazyLock::new(|| publishing(TaskState::Succeeded));
static WARN: LazyLock<String> = LazyLock::new(|| publishing(TaskState::Warned));

fn publishing(state: TaskState) -> String {
    let set = "completed = $1, worker = NULL, messages = $2, rows = $3, rows_expected = $3, result_rows = $3,
         files = $4, cover = $5";
    entering(state, set, "seq = $6 AND epoch = $7")
}

static WAIT: LazyLock<String> = LazyLock::new(|| {
    let set =
        "worker = NULL, due = CASE WHEN $1 < deadline THEN $1 ELSE deadline END, attempts = attempts - $2,
         messages = $3";
    entering(TaskState::Pending, set, "seq = $4 AND epoch = $5")
});

/// Terminates the task of an entry if it is live, or fails it where there is a reason, and then records the entry.
pub(super) async fn cancel(
    mut session: Session<'_>,
    cancel: Arc<(Entry, Option<Message>)>,
    moment: Moment,
    recorder: &Recorder,
) -> Result<Cancelled> {
    let (entry, failure) = &*cancel;
    let (tenant, id) = (&entry.event.caller.tenant, &entry.event.task);
    let (cancelled, ending) = end_live(&mut session, tenant, id, failure.as_ref(), moment).await?;
    match cancelled {
        Cancelled::Now => {
            audit::append(&mut session, entry).await?;
            recorder.append(&mut session, ending.as_slice()).await?;
        }
        Cancelled::Before | Cancelled::TooLate(_) | Cancelled::Unknown => {}
    }
    Ok(cancelled)
}

/// Ends the task if it is live. What it leads to, and the event of a failure.
async fn end_live(
    session: &mut Session<'_>,
    tenant: &TenantId,
    id: &TaskId,
    failure: Option<&Message>,
    moment: Moment,
) -> Result<(Cancelled, Option<AuditEvent>)> {
    const WHAT: &str = "cancel a task";
    let wrong = |error| failed(WHAT, error);
    let found = session
        .first(
            locking!("SELECT * FROM tasks WHERE id = $1 AND tenant = $2"),
            values![id.as_str(), tenant.as_str()],
        )
        .await;
    let found = found.and_then(|row| row.as_ref().map(rows::task_row).transpose()).map_err(wrong)?;
    let Some(row) = found else { return Ok((Cancelled::Unknown, None)) };
    match row.task.state {
        TaskState::Terminated => return Ok((Cancelled::Before, None)),
        state @ (TaskState::Succeeded | TaskState::Warned | TaskState::Failed) => {
            return Ok((Cancelled::TooLate(state), None));
        }
        TaskState::Pending | TaskState::Running => {}
    }
    let now = moment.after_waiting(session).await.map_err(wrong)?.now;
    if let Some(failure) = failure {
        return Ok((Cancelled::Now, fail(session, row, [failure.clone()], now).await?));
    }
    let done = session.change(TERMINATE.as_str(), values![rows::micros(now), row.seq]).await;
    changed_one(WHAT, done)?;
    reached(Failpoint::TaskTerminated);
    Ok((Cancelled::Now, None))
}

/// Ends an attempt whose lease is valid. Otherwise changes nothing and returns `false`.
pub(super) async fn end_attempt(
    mut session: Session<'_>,
    ending: Arc<(Lease, AttemptEnd)>,
    moment: Moment,
    attempts_max: u32,
    recorder: &Recorder,
) -> Result<bool> {
    let (lease, end) = &*ending;
    let session = &mut session;
    let Some(row) = held(session, lease, moment).await? else { return Ok(false) };
    let moment = moment.after_waiting(session).await.map_err(|error| failed("end an attempt", error))?;
    let now = moment.now;
    let ending = match end {
        AttemptEnd::Done { result, messages } => publish(session, row, result, messages, now).await?,
        AttemptEnd::Failed { message } => fail(session, row, [message.clone()], now).await?,
        AttemptEnd::Retry { message, .. } if row.task.attempts >= attempts_max => {
            let exhausted = exhausted(&row);
            fail(session, row, [message.clone(), exhausted], now).await?
        }
        AttemptEnd::Retry { message, not_before } => {
            // When another attempt succeeds, the reason of the failed one must not make the result `Warned`.
            let text = format!("attempt {} of {attempts_max}: {}", row.task.attempts, message.text);
            let message = Message { severity: Severity::Info, key: message.key.clone(), text };
            wait(session, row, Some(message), moment.kept(*not_before), 0).await?;
            None
        }
        AttemptEnd::Released => {
            wait(session, row, None, now, 1).await?;
            None
        }
    };
    recorder.append(session, ending.as_slice()).await?;
    Ok(true)
}

/// Gives back a task whose claim nobody took, if its lease is valid.
pub(super) async fn release(mut session: Session<'_>, lease: &Lease, moment: Moment) -> Result<()> {
    let session = &mut session;
    let Some(row) = held(session, lease, moment).await? else { return Ok(()) };
    let moment = moment.after_waiting(session).await.map_err(|error| failed("end an attempt", error))?;
    wait(session, row, None, moment.now, 1).await
}

/// Fails a live task whose deadline has passed. Returns the event, which is recorded at the end of the transaction.
pub(super) async fn fail_overdue(
    session: &mut Session<'_>,
    row: TaskRow,
    now: DateTime<Utc>,
) -> Result<Option<AuditEvent>> {
    let deadline = row.deadline.format("%Y-%m-%d %H:%M:%S UTC");
    let text = format!("the report had not ended at its deadline, {deadline}");
    fail(session, row, [Message::error("deadline_passed", text)], now).await
}

/// Fails a live task whose last attempt has been lost.
pub(super) async fn fail_exhausted(
    session: &mut Session<'_>,
    row: TaskRow,
    now: DateTime<Utc>,
) -> Result<Option<AuditEvent>> {
    let message = exhausted(&row);
    fail(session, row, [message], now).await
}

fn exhausted(row: &TaskRow) -> Message {
    let text = format!("the report was given up after {} attempts", row.task.attempts);
    Message::error("attempts_exhausted", text)
}

async fn fail(
    session: &mut Session<'_>,
    mut row: TaskRow,
    last: impl IntoIterator<Item = Message>,
    now: DateTime<Utc>,
) -> Result<Option<AuditEvent>> {
    for message in last {
        messages::add_last(&mut row.task.messages, message);
    }
    let done = session
        .change(
            FAIL.as_str(),
            values![
                rows::micros(now),
                &rows::to_json("the messages of a task", &row.task.messages, MESSAGES_TEXT_MAX)?,
                row.seq,
                rows::signed("the epoch of a task", row.task.epoch)?,
            ],
        )
        .await;
    changed_one("fail a task", done)?;
    reached(Failpoint::FailureRecorded);
    (row.task.state, row.task.completed) = (TaskState::Failed, Some(now));
    notifications::of_task(session, &row, now).await?;
    Ok(row.task.ending())
}

async fn publish(
    session: &mut Session<'_>,
    mut row: TaskRow,
    result: &TaskResult,
    more: &[Message],
    now: DateTime<Utc>,
) -> Result<Option<AuditEvent>> {
    if result.files.len() > FILES_MAX {
        return Err(Error::invalid(format!(
            "the result has {} files: expected at most {FILES_MAX}",
            result.files.len()
        )));
    }
    rows::bounded("the cover of a result", &result.cover, COVER_MAX)?;
    messages::add(&mut row.task.messages, more.to_vec());
    let remarked = row.task.messages.iter().any(messages::is_remark);
    let (state, statement) =
        if remarked { (TaskState::Warned, &WARN) } else { (TaskState::Succeeded, &SUCCEED) };
    let done = session
        .change(
            statement.as_str(),
            values![
                rows::micros(now),
                &rows::to_json("the messages of a task", &row.task.messages, MESSAGES_TEXT_MAX)?,
                rows::signed("the rows of a result", result.rows)?,
                &rows::to_json("the files of a result", &result.files, FILES_TEXT_MAX)?,
                &result.cover,
                row.seq,
                rows::signed("the epoch of a task", row.task.epoch)?,
            ],
        )
        .await;
    changed_one("publish a result", done)?;
    reached(Failpoint::ResultRecorded);
    (row.task.state, row.task.completed) = (state, Some(now));
    row.task.result = Some(result.clone());
    notifications::of_task(session, &row, now).await?;
    Ok(row.task.ending())
}

/// Lets a running task wait again, and does not count `uncounted` of its attempts.
async fn wait(
    session: &mut Session<'_>,
    mut row: TaskRow,
    message: Option<Message>,
    not_before: DateTime<Utc>,
    uncounted: u32,
) -> Result<()> {
    messages::add(&mut row.task.messages, message.into_iter().collect());
    let done = session
        .change(
            WAIT.as_str(),
            values![
                rows::micros(not_before),
                i64::from(uncounted),
                &rows::to_json("the messages of a task", &row.task.messages, MESSAGES_TEXT_MAX)?,
                row.seq,
                rows::signed("the epoch of a task", row.task.epoch)?,
            ],
        )
        .await;
    changed_one("put a task back", done)
}

/// The running task of a valid lease: its epoch is the newest and its deadline has not passed.
async fn held(session: &mut Session<'_>, lease: &Lease, moment: Moment) -> Result<Option<TaskRow>> {
    const WHAT: &str = "read a leased task";
    let epoch = rows::signed("the epoch of a lease", lease.epoch)?;
    let found = session
        .first(
            locking!(
                "SELECT * FROM tasks WHERE id = $1 AND tenant = $2 AND epoch = $3 AND state = 'running'
                 AND deadline > $4"
            ),
            values![lease.task.as_str(), lease.tenant.as_str(), epoch, rows::micros(moment.now)],
        )
        .await;
    found.and_then(|row| row.as_ref().map(rows::task_row).transpose()).map_err(|error| failed(WHAT, error))
}

/// The row was read, and locked, in the same transaction, so the update must have found it.
fn changed_one(what: &str, done: Read<u64>) -> Result<()> {
    match done {
        Ok(1) => Ok(()),
        Ok(_) => Err(failed(what, sqlx::Error::RowNotFound)),
        Err(error) => Err(failed(what, error)),
    }
}
