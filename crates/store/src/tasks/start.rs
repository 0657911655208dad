//! Accepting a task, or finding the live one that is the same.

use crate::audit::{self, Entry, Recorder};
use crate::failure::failed;
use crate::messages;
use crate::rows::{self, TaskRow};
use crate::session::{Moment, Read, Row, Session, Sql, locking, values};
use crate::sqlite::Kept;
use crate::tasks::end;
use chrono::TimeDelta;
use muster_reports::audit::AuditEvent;
use muster_reports::error::{Error, Result};
use muster_reports::failpoint::{Failpoint, reached};
use muster_reports::notify::Wish;
use muster_reports::ports::Started;
use muster_reports::task::{NewTask, place_in_line};
use std::sync::Arc;

/// Longest id of a task, and of its tenant, key, definition and snapshot, in bytes.
const ID_MAX: usize = 256;
/// Longest name of a task, and of its report and parent, in bytes.
const NAME_MAX: usize = 1_024;
/// Longest description of a task, in bytes.
const DESCRIPTION_MAX: usize = 4_096;
/// Longest arguments, in bytes of their JSON.
const ARGUMENTS_MAX: usize = 256 * 1_024;
/// Longest caller of a start, in bytes of its JSON.
const CALLER_MAX: usize = 65_536;
/// Longest list of recipients, in bytes of its JSON.
const NOTIFY_MAX: usize = 1_024 * 1_024;
/// Holds any list of messages that `messages::add` lets through.
const MESSAGES_MAX: usize = 64 * 1_024 * 1_024;

/// How often a start looks again after another start has intervened.
const LOOKS_MAX: u32 = 100;

/// Inserts a task unless an equal one is live or too many are.
pub(super) const INSERT: &str =
    "INSERT INTO tasks (id, tenant, dedup_key, definition, report, name, description, parent, arguments,
         requester, snapshot, created, deadline, state, due, attempts, epoch, rows, messages, client, place, notify)
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'pending',
         CASE WHEN $12 < $13 THEN $12 ELSE $13 END, 0, 0, 0, $14, $16, $17, $18
     WHERE $15 > (SELECT count(*) FROM
         (SELECT 1 FROM tasks WHERE state IN ('pending', 'running') LIMIT $15) AS live)
     ON CONFLICT (tenant, dedup_key) WHERE state IN ('pending', 'running') DO NOTHING
     RETURNING *";

/// How many tasks are live, as far as it matters.
pub(super) const LIVE: &str = "SELECT count(*) AS live FROM
    (SELECT 1 FROM tasks WHERE state IN ('pending', 'running') LIMIT $1) AS live";

/// How many live tasks a client has, as far as it matters.
pub(super) const OF_CLIENT: &str = "SELECT count(*) AS ahead FROM
    (SELECT 1 FROM tasks WHERE tenant = $1 AND client = $2 AND state IN ('pending', 'running') LIMIT $3) AS ahead";

/// How long the last run of a definition with a result took.
pub(super) const LAST_RUN: &str = "SELECT completed - launched AS took FROM tasks
    WHERE tenant = $1 AND definition = $2 AND state IN ('succeeded', 'warned') ORDER BY seq DESC LIMIT 1";

/// How many tasks may be live.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    /// Of all clients.
    pub(super) live: u32,
    /// Of one.
    pub(super) of_client: u32,
}

/// A task to be accepted, checked against the bounds.
pub(super) struct Values {
    new: NewTask,
    arguments: String,
    requester: String,
    messages: String,
    /// Of the wishes, if there are any.
    notify: Option<String>,
    entry: Option<Entry>,
}

impl Values {
    pub(super) fn of(mut new: NewTask, entry: Option<Entry>) -> Result<Self> {
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
            notify: wishes_text(&new.notify)?,
            entry,
            new,
        })
    }
}

/// Inserts the task, or returns the live one, and records the start. `None` if that fails a task, which has to be durable
/// when it is told of, and it would not be; then nothing was changed.
pub(super) async fn start(
    mut session: Session<'_>,
    values: Arc<Values>,
    moment: Moment,
    most: Most,
    kept: Kept,
    recorder: &Recorder,
) -> Result<Option<Started>> {
    let mut overdue_events = Vec::new();
    let accepted = accept(&mut session, &values, moment, most, kept, &mut overdue_events).await?;
    let Some(started) = accepted else { return Ok(None) };
    recorder.append(&mut session, &overdue_events).await?;
    if let Some(entry) = &values.entry {
        let task = match &started {
            Started::New(task) | Started::Live(task) => &task.id,
        };
        audit::append(&mut session, &entry.about(task)).await?;
    }
    Ok(Some(started))
}

/// Inserts the task, or returns the live one. A live task that is past its deadline fails first, and its event is added
/// to `overdue_events`; `None` if the failure would be told of too early.
async fn accept(
    session: &mut Session<'_>,
    values: &Values,
    moment: Moment,
    most: Most,
    kept: Kept,
    overdue_events: &mut Vec<AuditEvent>,
) -> Result<Option<Started>> {
    const WHAT: &str = "accept a task";
    let wrong = |error| failed(WHAT, error);
    let new = &values.new;
    let live_max = i64::from(most.live);
    // Over PostgreSQL equal starts take turns, so that numbers and times of their tasks are in the same order.
    let turn = format!("start {} {}", new.tenant.as_str(), new.dedup_key);
    session.alone_in(&turn).await.map_err(wrong)?;
    let same = values![new.tenant.as_str(), &new.dedup_key];
    for _ in 0..LOOKS_MAX {
        match task_row(session.first(SAME, same).await).map_err(wrong)? {
            Some(live) if live.deadline > moment.now => {
                if join(session, &live, &new.notify).await? {
                    return Ok(Some(Started::Live(live.task)));
                }
                // It has ended meanwhile.
                continue;
            }
            Some(_) if kept != Kept::Now => return Ok(None),
            Some(_) => {
                // Read again under a lock: over PostgreSQL it may have ended meanwhile.
                let overdue = task_row(session.first(SAME_LOCKED, same).await).map_err(wrong)?;
                if let Some(overdue) = overdue.filter(|overdue| overdue.deadline <= moment.now) {
                    overdue_events.extend(end::fail_overdue(session, overdue, moment.now).await?);
                }
            }
            None => {}
        }
        // An equal task that has ended did so in a committed transaction; this start is later.
        let moment = moment.after_waiting(session).await.map_err(wrong)?;
        let ahead = ahead(session, new, most.of_client).await.map_err(wrong)?;
        if ahead >= most.of_client {
            return Err(Error::unavailable(format!(
                "{ahead} reports of this client are waiting or running: expected fewer before another starts"
            )));
        }
        let took = last_run(session, new).await.map_err(wrong)?;
        let place = place_in_line(moment.now, ahead, took);
        let inserted = session
            .first(
                INSERT,
                values![
                    new.id.as_str(),
                    new.tenant.as_str(),
                    &new.dedup_key,
                    new.definition.as_str(),
                    new.report.as_str(),
                    &new.name,
                    &new.description,
                    new.parent.as_deref(),
                    &values.arguments,
                    &values.requester,
                    new.snapshot.as_str(),
                    rows::micros(moment.now),
                    rows::micros(moment.kept(new.deadline)),
                    &values.messages,
                    live_max,
                    new.requester.client.as_str(),
                    rows::micros(place),
                    values.notify.as_deref(),
                ],
            )
            .await;
        let inserted = inserted.and_then(|row| row.as_ref().map(rows::task).transpose());
        if let Some(task) = inserted.map_err(wrong)? {
            reached(Failpoint::TaskInserted);
            return Ok(Some(Started::New(task)));
        }
        let live = session.first(LIVE, values![live_max]).await;
        let live = live.and_then(|row| row.map_or(Ok(0), |row| row.integer("live"))).map_err(wrong)?;
        if live >= live_max {
            return Err(Error::unavailable(format!(
                "{live_max} reports are waiting or running: expected fewer before another starts"
            )));
        }
        // A node that does not wait for its turn has intervened.
    }
    Err(Error::unavailable(
        "equal reports start and end all the time: expected a pause before another starts",
    ))
}

fn wishes_text(wishes: &[Wish]) -> Result<Option<String>> {
    if wishes.is_empty() {
        return Ok(None);
    }
    rows::to_json("the recipients of a task", &wishes, NOTIFY_MAX).map(Some)
}

/// Adds wishes to those of a live task. Returns whether it was still live: if not, nothing was changed.
async fn join(session: &mut Session<'_>, live: &TaskRow, wishes: &[Wish]) -> Result<bool> {
    if wishes.is_empty() {
        return Ok(true);
    }
    let wrong = |error| failed("add recipients to a task", error);
    // Read again under a lock: over PostgreSQL its end may be about to read its wishes, and others may add theirs.
    let found = task_row(session.first(LIVE_LOCKED, values![live.seq]).await).map_err(wrong)?;
    let Some(found) = found else { return Ok(false) };
    let mut all = found.notify;
    all.extend(wishes.iter().filter(|wish| !all.contains(wish)).cloned().collect::<Vec<_>>());
    let text = wishes_text(&all)?;
    session
        .change("UPDATE tasks SET notify = $1 WHERE seq = $2", values![text.as_deref(), live.seq])
        .await
        .map(|_| true)
        .map_err(wrong)
}

/// Live tasks of the client of a new one, at most `most`.
async fn ahead(session: &mut Session<'_>, new: &NewTask, most: u32) -> Read<u32> {
    let (tenant, client) = (new.tenant.as_str(), new.requester.client.as_str());
    let found = session.first(OF_CLIENT, values![tenant, client, i64::from(most)]).await?;
    let ahead = found.map_or(Ok(0), |row| row.integer("ahead"))?;
    Ok(u32::try_from(ahead).unwrap_or(most))
}

/// How long the last run of the same definition with a result took.
async fn last_run(session: &mut Session<'_>, new: &NewTask) -> Read<Option<TimeDelta>> {
    let found = session.first(LAST_RUN, values![new.tenant.as_str(), new.definition.as_str()]).await?;
    Ok(found.map(|row| row.integer("took")).transpose()?.map(TimeDelta::microseconds))
}

fn task_row(found: Read<Option<Row>>) -> Read<Option<TaskRow>> {
    found.and_then(|row| row.as_ref().map(rows::task_row).transpose())
}

const SAME: &str =
    "SELECT * FROM tasks WHERE tenant = $1 AND dedup_key = $2 AND state IN ('pending', 'running')";
const LIVE_LOCKED: Sql = locking!("SELECT * FROM tasks WHERE seq = $1 AND state IN ('pending', 'running')");
const SAME_LOCKED: Sql =
    locking!("SELECT * FROM tasks WHERE tenant = $1 AND dedup_key = $2 AND state IN ('pending', 'running')");
