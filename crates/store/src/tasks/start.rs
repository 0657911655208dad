//! Accepting a task, or finding the live one that is the same.

use crate::failure::failed;
use crate::messages;
use crate::rows;
use crate::tasks::end;
use muster_reports::error::{Error, Result};
use muster_reports::ports::Started;
use muster_reports::task::NewTask;
use sqlx::SqliteConnection;

const ID_MAX: usize = 256;
const NAME_MAX: usize = 1_024;
const DESCRIPTION_MAX: usize = 4_096;
const ARGUMENTS_MAX: usize = 256 * 1_024;
const CALLER_MAX: usize = 65_536;
/// Holds any list of messages that `messages::add` lets through.
const MESSAGES_MAX: usize = 64 * 1_024 * 1_024;

/// Inserts a task unless an equal one is live or too many are.
pub(super) const INSERT: &str =
    "INSERT INTO tasks (id, tenant, dedup_key, definition, report, name, description, parent, arguments,
         requester, snapshot, created, deadline, state, due, attempts, epoch, rows, messages)
     SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 'pending', min(?12, ?13), 0, 0, 0, ?14
     WHERE ?15 > (SELECT count(*) FROM
         (SELECT 1 FROM tasks WHERE state IN ('pending', 'running') LIMIT ?15))
     ON CONFLICT (tenant, dedup_key) WHERE state IN ('pending', 'running') DO NOTHING
     RETURNING *";

/// A task to be accepted, checked against the bounds.
pub(super) struct Values {
    new: NewTask,
    arguments: String,
    requester: String,
    messages: String,
}

impl Values {
    pub(super) fn of(mut new: NewTask) -> Result<Self> {
        let mut kept = Vec::with_capacity(new.messages.len());
        messages::add(&mut kept, std::mem::take(&mut new.messages));
        for (what, text, bytes_max) in [
            ("the id of a task", new.id.as_str(), ID_MAX),
            ("the tenant of a task", new.tenant.as_str(), ID_MAX),
            ("the key of a task", &new.dedup_key, ID_MAX),
            ("the definition id of a task", new.definition.as_str(), ID_MAX),
            ("the report of a task", new.report.as_str(), NAME_MAX),
            ("the name of a task", &new.name, NAME_MAX),
            ("the description of a task", &new.description, DESCRIPTION_MAX),
            ("the parent of a task", new.parent.as_deref().unwrap_or_default(), NAME_MAX),
            ("the snapshot of a task", new.snapshot.as_str(), ID_MAX),
        ] {
            rows::bounded(what, text, bytes_max)?;
        }
        let arguments = new.arguments.canonical();
        rows::bounded("the text of all arguments", &arguments, ARGUMENTS_MAX)?;
        Ok(Self {
            arguments,
            requester: rows::to_json("the requester of a task", &new.requester, CALLER_MAX)?,
            messages: rows::to_json("the messages of a task", &kept, MESSAGES_MAX)?,
            new,
        })
    }
}

/// Inserts the task, or returns the live one; a live one that is past its deadline fails first.
pub(super) async fn start(
    connection: &mut SqliteConnection,
    values: Values,
    live_max: u32,
) -> Result<Started> {
    const WHAT: &str = "accept a task";
    let new = &values.new;
    loop {
        let inserted = sqlx::query(INSERT)
            .bind(new.id.as_str())
            .bind(new.tenant.as_str())
            .bind(&new.dedup_key)
            .bind(new.definition.as_str())
            .bind(new.report.as_str())
            .bind(&new.name)
            .bind(&new.description)
            .bind(new.parent.as_deref())
            .bind(&values.arguments)
            .bind(&values.requester)
            .bind(new.snapshot.as_str())
            .bind(rows::micros(new.created))
            .bind(rows::micros(new.deadline))
            .bind(&values.messages)
            .bind(live_max)
            .fetch_optional(&mut *connection)
            .await;
        let inserted = inserted.and_then(|row| row.as_ref().map(rows::task).transpose());
        if let Some(task) = inserted.map_err(|error| failed(WHAT, error))? {
            return Ok(Started::New(task));
        }
        let live = sqlx::query(
            "SELECT * FROM tasks WHERE tenant = ? AND dedup_key = ? AND state IN ('pending', 'running')",
        )
        .bind(new.tenant.as_str())
        .bind(&new.dedup_key)
        .fetch_optional(&mut *connection)
        .await;
        let live = live.and_then(|row| row.as_ref().map(rows::task_row).transpose());
        match live.map_err(|error| failed(WHAT, error))? {
            Some(live) if live.deadline > new.created => return Ok(Started::Live(live.task)),
            Some(overdue) => end::fail_overdue(connection, overdue, new.created).await?,
            None => {
                return Err(Error::unavailable(format!(
                    "{live_max} reports are waiting or running: expected fewer before another starts"
                )));
            }
        }
    }
}
