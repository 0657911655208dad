//! The one place that turns rows into types, and types into column values.

use crate::session::{Read, Row};
use chrono::{DateTime, Utc};
use muster_reports::arguments::Arguments;
use muster_reports::audit::{AuditEvent, AuditHead, AuditOperation, AuditRecord, ChainedEvent};
use muster_reports::error::{Error, Result};
use muster_reports::ids::{ReportId, SnapshotId, SourceId, TaskDefinitionId, TaskId, TenantId};
use muster_reports::notify::Wish;
use muster_reports::ports::{Credential, ManualLink, RegisteredSource};
use muster_reports::task::{Progress, Task, TaskResult, TaskState};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A row of `tasks`: the task, and what only the machine needs.
#[derive(Debug)]
pub(crate) struct TaskRow {
    pub(crate) seq: i64,
    pub(crate) task: Task,
    pub(crate) deadline: DateTime<Utc>,
    pub(crate) due: DateTime<Utc>,
    pub(crate) notify: Vec<Wish>,
}

pub(crate) fn task_row(row: &Row) -> Read<TaskRow> {
    Ok(TaskRow {
        seq: row.integer("seq")?,
        task: task(row)?,
        deadline: time(row, "deadline")?,
        due: time(row, "due")?,
        notify: optional_json(row, "notify")?.unwrap_or_default(),
    })
}

pub(crate) fn task_state(row: &Row) -> Read<TaskState> {
    TaskState::from_name(&row.text("state")?).ok_or_else(|| wrong("state", "no task state has this name"))
}

pub(crate) fn task(row: &Row) -> Read<Task> {
    let state = task_state(row)?;
    let result = match optional_unsigned(row, "result_rows")? {
        None => None,
        Some(rows) => Some(TaskResult { rows, files: json(row, "files")?, cover: row.text("cover")? }),
    };
    let arguments = row.text("arguments")?;
    Ok(Task {
        id: TaskId::new(text(row, "id")?),
        tenant: TenantId::new(text(row, "tenant")?),
        definition: TaskDefinitionId::new(text(row, "definition")?),
        report: ReportId::new(text(row, "report")?),
        name: text(row, "name")?,
        description: text(row, "description")?,
        parent: row.optional_text("parent")?,
        arguments: Arguments::from_canonical(&arguments).map_err(|error| wrong("arguments", error))?,
        requester: json(row, "requester")?,
        snapshot: SnapshotId::new(text(row, "snapshot")?),
        created: time(row, "created")?,
        launched: optional_time(row, "launched")?,
        completed: optional_time(row, "completed")?,
        state,
        progress: Progress {
            rows: unsigned(row, "rows")?,
            rows_expected: optional_unsigned(row, "rows_expected")?,
        },
        messages: json(row, "messages")?,
        attempts: u32::try_from(row.integer("attempts")?).map_err(|e| wrong("attempts", e))?,
        epoch: unsigned(row, "epoch")?,
        result,
    })
}

pub(crate) fn credential(row: &Row) -> Read<Credential> {
    let secret = row.bytes("secret_hmac")?;
    Ok(Credential {
        caller: json(row, "caller")?,
        secret_hmac: secret.try_into().map_err(|_| wrong("secret_hmac", "expected 32 bytes"))?,
        enabled: row.flag("enabled")?,
        token_lifetime_s: match row.optional_integer("token_lifetime_s")? {
            None => None,
            Some(seconds) => Some(u32::try_from(seconds).map_err(|e| wrong("token_lifetime_s", e))?),
        },
        created: time(row, "created")?,
        description: text(row, "description")?,
    })
}

pub(crate) fn source(row: &Row) -> Read<RegisteredSource> {
    Ok(RegisteredSource {
        id: SourceId::new(text(row, "id")?),
        name: text(row, "name")?,
        definition: text(row, "definition")?,
        base_dir: text(row, "base_dir")?,
    })
}

pub(crate) fn link(row: &Row) -> Read<ManualLink> {
    Ok(ManualLink {
        source: SourceId::new(text(row, "source")?),
        native_identity: text(row, "native_identity")?,
        identity_name: text(row, "identity_name")?,
    })
}

/// A row of `audit_events` that is in a chain, as it is kept.
pub(crate) fn audit_record(row: &Row) -> Read<AuditRecord> {
    Ok(AuditRecord {
        sequence: unsigned(row, "sequence")?,
        previous: text(row, "previous")?,
        hash: text(row, "hash")?,
        id: text(row, "id")?,
        at_micros: row.integer("at")?,
        operation: text(row, "operation")?,
        tenant: text(row, "tenant")?,
        caller: text(row, "caller")?,
        task: text(row, "task")?,
        report: text(row, "report")?,
        details: text(row, "details")?,
    })
}

pub(crate) fn chained_event(row: &Row) -> Read<ChainedEvent> {
    let operation = AuditOperation::from_name(&row.text("operation")?);
    Ok(ChainedEvent {
        sequence: unsigned(row, "sequence")?,
        hash: text(row, "hash")?,
        event: AuditEvent {
            id: text(row, "id")?,
            at: time(row, "at")?,
            operation: operation.ok_or_else(|| wrong("operation", "no operation has this name"))?,
            caller: json(row, "caller")?,
            task: TaskId::new(text(row, "task")?),
            report: text(row, "report")?,
            details: text(row, "details")?,
        },
    })
}

pub(crate) fn audit_head(row: &Row) -> Read<AuditHead> {
    Ok(AuditHead { sequence: unsigned(row, "sequence")?, hash: text(row, "hash")? })
}

/// The value of a JSON column.
pub(crate) fn json<T: DeserializeOwned>(row: &Row, column: &'static str) -> Read<T> {
    let text = row.text(column)?;
    serde_json::from_str(&text).map_err(|error| wrong(column, error))
}

/// The value of a JSON column that may be empty.
pub(crate) fn optional_json<T: DeserializeOwned>(row: &Row, column: &'static str) -> Read<Option<T>> {
    let text = row.optional_text(column)?;
    text.map(|text| serde_json::from_str(&text).map_err(|error| wrong(column, error))).transpose()
}

/// The text of a JSON column, at most `bytes_max` long. `what` names it in errors.
pub(crate) fn to_json<T: Serialize>(what: &str, value: &T, bytes_max: usize) -> Result<String> {
    let text = serde_json::to_string(value)
        .map_err(|error| Error::internal(format!("{what} could not be written as JSON"), error))?;
    bounded(what, &text, bytes_max)?;
    Ok(text)
}

/// Refuses a text longer than `bytes_max`.
pub(crate) fn bounded(what: &str, text: &str, bytes_max: usize) -> Result<()> {
    if text.len() > bytes_max {
        return Err(Error::invalid(format!(
            "{what} is {} bytes long: expected at most {bytes_max}",
            text.len()
        )));
    }
    Ok(())
}

/// Microseconds since 1970-01-01 UTC.
pub(crate) fn micros(time: DateTime<Utc>) -> i64 {
    time.timestamp_micros()
}

/// A count as the database keeps it. `what` names it in errors.
pub(crate) fn signed(what: &str, count: u64) -> Result<i64> {
    i64::try_from(count)
        .map_err(|_| Error::invalid(format!("{what} is {count}: expected at most {}", i64::MAX)))
}

fn text(row: &Row, column: &'static str) -> Read<String> {
    row.text(column)
}

fn unsigned(row: &Row, column: &'static str) -> Read<u64> {
    u64::try_from(row.integer(column)?).map_err(|error| wrong(column, error))
}

fn optional_unsigned(row: &Row, column: &'static str) -> Read<Option<u64>> {
    let value = row.optional_integer(column)?;
    value.map(|value| u64::try_from(value).map_err(|error| wrong(column, error))).transpose()
}

fn time(row: &Row, column: &'static str) -> Read<DateTime<Utc>> {
    as_time(column, row.integer(column)?)
}

fn optional_time(row: &Row, column: &'static str) -> Read<Option<DateTime<Utc>>> {
    let value = row.optional_integer(column)?;
    value.map(|value| as_time(column, value)).transpose()
}

/// The time of a column of microseconds.
pub(crate) fn as_time(column: &'static str, micros: i64) -> Read<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| wrong(column, "the time is out of range"))
}

/// A value that the column cannot have.
pub(crate) fn wrong(
    column: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.into(), source: source.into() }
}
