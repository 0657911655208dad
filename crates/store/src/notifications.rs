//! Notifications: the outbox of what recipients are told of runs that have ended.
//!
//! What ends a run inserts its notifications in the same transaction, so none is lost and none is sent of an end that did
//! not happen. What a node writes about a notification names the epoch of its claim.

use crate::failure::failed;
use crate::rows::{self, TaskRow};
use crate::session::{Read, Row, Session, Sql, Value, locking, values};
use crate::store::Store;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::audit::AuditEvent;
use muster_reports::error::Result;
use muster_reports::failpoint::{Failpoint, reached};
use muster_reports::ids::{ClientId, TenantId};
use muster_reports::notification::{
    DeliveryState, DeliveryStep, EndedRun, Notification, NotificationClaim, SENT_KEPT, compares,
    notifications,
};
use muster_reports::notify::Recipient;
use muster_reports::ports::NotificationStore;
use muster_reports::scheduled::{ScheduledEntry, ScheduledRun};
use muster_reports::task::TaskResult;
use std::sync::Arc;
use std::time::Duration;

/// Longest notice, in bytes of its JSON.
const NOTICE_MAX: usize = 262_144;
/// Bytes kept of the reason of a failed attempt.
const ERROR_MAX: usize = 1_000;

/// The notification that may be delivered first. $1 now.
const TO_DELIVER: Sql = Sql {
    sqlite: "SELECT * FROM notifications WHERE state = 'waiting' AND wake <= $1 ORDER BY wake, id LIMIT 1",
    postgres: "SELECT * FROM notifications WHERE state = 'waiting' AND wake <= $1 ORDER BY wake, id LIMIT 1
        FOR UPDATE SKIP LOCKED",
};

/// The last result of a definition before a task. $1 tenant, $2 definition, $3 the task.
const BEFORE: &str =
    "SELECT * FROM tasks WHERE tenant = $1 AND definition = $2 AND seq < $3 AND result_rows IS NOT NULL
    ORDER BY seq DESC LIMIT 1";

const OF_TENANT: &str =
    "SELECT * FROM notifications WHERE tenant = $1 ORDER BY created DESC, id DESC LIMIT $2";

const OF_CLIENT: &str = "SELECT * FROM notifications WHERE tenant = $1 AND client = $2
    ORDER BY created DESC, id DESC LIMIT $3";

/// Keeps what is to be sent of a task that has just ended, in the session's transaction.
pub(crate) async fn of_task(session: &mut Session<'_>, row: &TaskRow, now: DateTime<Utc>) -> Result<()> {
    if row.notify.is_empty() {
        return Ok(());
    }
    let before = match compares(&row.notify) {
        true => before(session, row).await?,
        false => None,
    };
    let ended = EndedRun { task: Some(&row.task), before: before.as_ref(), scheduled: None };
    insert(session, &notifications(&ended, &row.notify, now)).await
}

/// Keeps what is to be sent of a run of a schedule, if it has just ended, in the session's transaction.
pub(crate) async fn of_run(
    session: &mut Session<'_>,
    entry: &ScheduledEntry,
    run: &ScheduledRun,
    now: DateTime<Utc>,
) -> Result<()> {
    let wishes = entry.wishes();
    if wishes.is_empty() || run.state.is_live() {
        return Ok(());
    }
    let wrong = |error| failed("read the task of a run", error);
    let row = match &run.task {
        None => None,
        Some(task) => {
            let key: &[Value<'_>; 2] = values![task.as_str(), entry.tenant().as_str()];
            let found = session.first("SELECT * FROM tasks WHERE id = $1 AND tenant = $2", key).await;
            found.and_then(|row| row.as_ref().map(rows::task_row).transpose()).map_err(wrong)?
        }
    };
    let before = match &row {
        Some(row) if compares(&wishes) => before(session, row).await?,
        Some(_) | None => None,
    };
    let task = row.as_ref().map(|row| &row.task);
    let ended = EndedRun { task, before: before.as_ref(), scheduled: Some((entry, run)) };
    insert(session, &notifications(&ended, &wishes, now)).await
}

/// The result of the run before a task's.
async fn before(session: &mut Session<'_>, row: &TaskRow) -> Result<Option<TaskResult>> {
    let key: &[Value<'_>; 3] = values![row.task.tenant.as_str(), row.task.definition.as_str(), row.seq];
    let found = session.first(BEFORE, key).await;
    let task = found.and_then(|row| row.as_ref().map(rows::task).transpose());
    Ok(task.map_err(|error| failed("read the result before", error))?.and_then(|task| task.result))
}

/// Keeps notifications, in the session's transaction.
pub(crate) async fn insert(session: &mut Session<'_>, notifications: &[Notification]) -> Result<()> {
    for new in notifications {
        session
            .change(
                "INSERT INTO notifications (tenant, id, client, channel, address, attach, notice, state, attempts,
                     created, wake, epoch)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $9, 0) ON CONFLICT (tenant, id) DO NOTHING",
                values![
                    new.tenant.as_str(),
                    &new.id,
                    new.client.as_str(),
                    new.to.channel(),
                    new.to.address(),
                    new.attach.map(|format| format.as_str()),
                    &rows::to_json("a notification", &new.notice, NOTICE_MAX)?,
                    new.state.as_str(),
                    rows::micros(new.created),
                ],
            )
            .await
            .map_err(|error| failed("keep a notification", error))?;
    }
    if !notifications.is_empty() {
        reached(Failpoint::NotificationsInserted);
    }
    Ok(())
}

fn notification(row: &Row) -> Read<Notification> {
    let wrong = |what: &'static str| sqlx::Error::Decode(what.into());
    let channel = row.text("channel")?;
    let attach = row.optional_text("attach")?;
    let state = DeliveryState::from_name(&row.text("state")?);
    let state = state.ok_or_else(|| wrong("no state of a notification has this name"))?;
    let wake = rows::as_time("wake", row.integer("wake")?)?;
    let ended = row.optional_integer("ended")?;
    Ok(Notification {
        id: row.text("id")?,
        tenant: TenantId::new(row.text("tenant")?),
        client: ClientId::new(row.text("client")?),
        to: Recipient::kept(&channel, row.text("address")?)
            .ok_or_else(|| wrong("no way of delivery has this name"))?,
        attach: attach
            .map(|name| name.parse().map_err(|error: String| sqlx::Error::Decode(error.into())))
            .transpose()?,
        notice: rows::json(row, "notice")?,
        state,
        attempts: u32::try_from(row.integer("attempts")?)
            .map_err(|error| sqlx::Error::Decode(error.into()))?,
        error: row.optional_text("error")?,
        created: rows::as_time("created", row.integer("created")?)?,
        next: match state {
            DeliveryState::Waiting => Some(wake),
            DeliveryState::Sent | DeliveryState::Failed => None,
        },
        ended: ended.map(|micros| rows::as_time("ended", micros)).transpose()?,
    })
}

#[async_trait]
impl NotificationStore for Store {
    async fn claim_notification(
        &self,
        now: DateTime<Utc>,
        lease: Duration,
    ) -> Result<Option<NotificationClaim>> {
        self.write_then(
            now,
            move |session, moment| Box::pin(claim(session, moment.now, lease)),
            |claim| {
                if claim.is_some() {
                    reached(Failpoint::NotificationClaimed);
                }
            },
        )
        .await
    }

    async fn step_notification(
        &self,
        claim: &NotificationClaim,
        step: &DeliveryStep,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let kept = Arc::new((claim.clone(), step.clone(), self.recorder()));
        self.write_then(
            now,
            move |mut session, moment| {
                let kept = kept.clone();
                Box::pin(async move {
                    let (claim, step, recorder) = &*kept;
                    let wake = match step {
                        DeliveryStep::Retry { not_before, .. } => Some(moment.kept(*not_before)),
                        DeliveryStep::Sent | DeliveryStep::Failed { .. } => None,
                    };
                    if !keep_step(&mut session, claim, step, wake, moment.now).await? {
                        return Ok(false);
                    }
                    if let DeliveryStep::Failed { reason } = step {
                        recorder.append(&mut session, &[claim.failure_event(reason, moment.now)]).await?;
                    }
                    Ok(true)
                })
            },
            |kept| {
                if *kept {
                    reached(Failpoint::NotificationStepped);
                }
            },
        )
        .await
    }

    async fn notifications(
        &self,
        tenant: &TenantId,
        client: Option<&ClientId>,
        limit: u32,
    ) -> Result<Vec<Notification>> {
        let limit = i64::from(limit);
        let found = match client {
            None => self.read(OF_TENANT, values![tenant.as_str(), limit]).await,
            Some(client) => self.read(OF_CLIENT, values![tenant.as_str(), client.as_str(), limit]).await,
        };
        found
            .and_then(|rows| rows.iter().map(notification).collect())
            .map_err(|error| failed("read the notifications", error))
    }

    async fn notification(&self, tenant: &TenantId, id: &str) -> Result<Option<Notification>> {
        let found = self
            .read_first(
                "SELECT * FROM notifications WHERE tenant = $1 AND id = $2",
                values![tenant.as_str(), id],
            )
            .await;
        found
            .and_then(|row| row.as_ref().map(notification).transpose())
            .map_err(|error| failed("read a notification", error))
    }

    async fn retry_notification(&self, id: &str, event: &AuditEvent) -> Result<bool> {
        let kept = (event.caller.tenant.clone(), id.to_owned(), event.at);
        self.write_recorded(
            event,
            |waits| *waits,
            move |mut session| {
                let (tenant, id, now) = kept.clone();
                Box::pin(async move {
                    session
                        .change(
                            "UPDATE notifications SET state = 'waiting', attempts = 0, ended = NULL, wake = $1
                             WHERE tenant = $2 AND id = $3 AND state = 'failed'",
                            values![rows::micros(now), tenant.as_str(), &id],
                        )
                        .await
                        .map(|changed| changed > 0)
                        .map_err(|error| failed("send a notification again", error))
                })
            },
        )
        .await
    }
}

impl Store {
    /// How many notifications of all tenants are still to be delivered, and when the oldest of them was made.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn waiting_notifications(&self) -> Result<(u64, Option<DateTime<Utc>>)> {
        let found = self.read_first(WAITING, &[]).await;
        let waiting = found.and_then(|row| {
            let row = row.ok_or(sqlx::Error::RowNotFound)?;
            let oldest = row.optional_integer("oldest")?;
            let oldest = oldest.map(|oldest| rows::as_time("oldest", oldest)).transpose()?;
            Ok((row.integer("waiting")?.cast_unsigned(), oldest))
        });
        waiting.map_err(|error| failed("count the notifications that wait", error))
    }
}

/// By the index of those that wait.
const WAITING: &str =
    "SELECT count(*) AS waiting, min(created) AS oldest FROM notifications WHERE state = 'waiting'";

async fn claim(
    mut session: Session<'_>,
    now: DateTime<Utc>,
    lease: Duration,
) -> Result<Option<NotificationClaim>> {
    let wrong = |error| failed("claim a notification", error);
    let Some(row) = session.first(TO_DELIVER, values![rows::micros(now)]).await.map_err(wrong)? else {
        return Ok(None);
    };
    let mut notification = notification(&row).map_err(wrong)?;
    notification.attempts = notification.attempts.saturating_add(1);
    let epoch = row.integer("epoch").map_err(wrong)? + 1;
    let lease = TimeDelta::from_std(lease).unwrap_or(TimeDelta::MAX);
    let wake = now.checked_add_signed(lease).unwrap_or(DateTime::<Utc>::MAX_UTC);
    session
        .change(
            "UPDATE notifications SET wake = $1, epoch = $2, attempts = $3 WHERE tenant = $4 AND id = $5",
            values![
                rows::micros(wake),
                epoch,
                i64::from(notification.attempts),
                notification.tenant.as_str(),
                &notification.id,
            ],
        )
        .await
        .map_err(wrong)?;
    notification.next = Some(wake);
    Ok(Some(NotificationClaim { notification, epoch: epoch.cast_unsigned() }))
}

/// Keeps what became of an attempt, if the claim is the last one. Without `wake`, that time stays.
async fn keep_step(
    session: &mut Session<'_>,
    claim: &NotificationClaim,
    step: &DeliveryStep,
    wake: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let wrong = |error| failed("keep what became of a notification", error);
    let Notification { tenant, id, .. } = &claim.notification;
    let epoch = rows::signed("the epoch of a notification", claim.epoch)?;
    let held = session
        .first(
            locking!(
                "SELECT id FROM notifications WHERE tenant = $1 AND id = $2 AND epoch = $3 AND state = 'waiting'"
            ),
            values![tenant.as_str(), id, epoch],
        )
        .await
        .map_err(wrong)?;
    if held.is_none() {
        return Ok(false);
    }
    let (state, error, ended) = match step {
        DeliveryStep::Sent => (DeliveryState::Sent, None, Some(now)),
        DeliveryStep::Retry { reason, .. } => (DeliveryState::Waiting, Some(reason), None),
        DeliveryStep::Failed { reason } => (DeliveryState::Failed, Some(reason), Some(now)),
    };
    let error = error.and_then(|reason| reason.get(..reason.floor_char_boundary(ERROR_MAX)));
    session
        .change(
            "UPDATE notifications SET state = $1, error = $2, ended = $3, wake = coalesce($4, wake)
             WHERE tenant = $5 AND id = $6",
            values![
                state.as_str(),
                error,
                ended.map(rows::micros),
                wake.map(rows::micros),
                tenant.as_str(),
                id,
            ],
        )
        .await
        .map_err(wrong)?;
    if state == DeliveryState::Sent {
        let forgotten = now.checked_sub_signed(SENT_KEPT).unwrap_or(now);
        session
            .change(
                "DELETE FROM notifications WHERE state = 'sent' AND ended < $1",
                values![rows::micros(forgotten)],
            )
            .await
            .map_err(wrong)?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::settings::Settings;
    use crate::store::{Backend, Place};
    use sqlx::{AssertSqlSafe, Row};

    /// These run every two seconds, or within the end of a task.
    #[tokio::test]
    async fn no_statement_scans_a_table() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::Sqlite(dir.path().join("muster.db"));
        let store = Store::open(&place, Settings::default()).await.unwrap();
        let Backend::Sqlite(sqlite) = &store.backend else { panic!("it is a file") };
        for statement in [TO_DELIVER.sqlite, BEFORE, OF_TENANT, OF_CLIENT, WAITING] {
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
            let rows = sqlx::query(explain).fetch_all(&sqlite.readers).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
            assert!(plan.iter().all(|line| line.contains(" USING ")), "{statement}: {plan:?}");
            assert!(!plan.iter().any(|line| line.contains("TEMP B-TREE")), "{statement}: {plan:?}");
        }
    }
}
