//! Refreshes, as the list of tasks shows them.

use crate::failure::failed;
use crate::messages;
use crate::rows;
use crate::session::{Read, Row, Session, values};
use crate::store::Store;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::audit::AuditEvent;
use muster_reports::error::Result;
use muster_reports::ids::{SnapshotId, TaskId, TenantId};
use muster_reports::message::Message;
use muster_reports::ports::RefreshLog;
use muster_reports::refreshes::{REFRESHES_LISTED_MAX, Refresh, remarks};
use muster_reports::snapshot::SnapshotManifest;
use muster_reports::task::{Progress, TaskState};
use muster_reports::task_list::LISTED_FOR;
use std::sync::Arc;
use std::time::Duration;

/// Longest requester of a refresh, in bytes of its JSON.
const CALLER_MAX: usize = 65_536;
/// Longest messages of a refresh, in bytes of their JSON.
const MESSAGES_MAX: usize = 1_024 * 1_024;
/// Messages kept of a refresh.
const REMARKS_MAX: usize = 100;

const LAST: &str =
    "SELECT * FROM refreshes WHERE tenant = $1 AND created >= $2 ORDER BY created DESC LIMIT $3";

/// The end of a refresh.
pub(crate) struct RefreshEnd {
    tenant: TenantId,
    id: TaskId,
    state: TaskState,
    messages: String,
    at: i64,
}

impl RefreshEnd {
    /// That of the refresh that an event is about, which publishes this snapshot.
    pub(crate) fn published(event: &AuditEvent, manifest: &SnapshotManifest) -> Result<Self> {
        let remarks = remarks(manifest);
        let state = if remarks.is_empty() { TaskState::Succeeded } else { TaskState::Warned };
        Self::of(event, state, remarks)
    }

    fn of(event: &AuditEvent, state: TaskState, mut all: Vec<Message>) -> Result<Self> {
        all.truncate(REMARKS_MAX);
        let mut kept = Vec::new();
        messages::add(&mut kept, all);
        Ok(Self {
            tenant: event.caller.tenant.clone(),
            id: event.task.clone(),
            state,
            messages: rows::to_json("the messages of a refresh", &kept, MESSAGES_MAX)?,
            at: rows::micros(event.at),
        })
    }

    /// Keeps it, if there is this refresh and it goes on.
    pub(crate) async fn keep(&self, session: &mut Session<'_>) -> Result<()> {
        session
            .change(
                "UPDATE refreshes SET state = $1, messages = $2, ended = $3,
                     done = CASE WHEN $1 = 'failed' THEN done ELSE coalesce(expected, done) END
                 WHERE tenant = $4 AND id = $5 AND state = 'running'",
                values![self.state.as_str(), &self.messages, self.at, self.tenant.as_str(), self.id.as_str()],
            )
            .await
            .map(drop)
            .map_err(|error| failed("keep the end of a refresh", error))
    }
}

fn until(now: DateTime<Utc>, lease: Duration) -> DateTime<Utc> {
    let lease = TimeDelta::from_std(lease).unwrap_or(TimeDelta::MAX);
    now.checked_add_signed(lease).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[async_trait]
impl RefreshLog for Store {
    async fn begin_refresh(&self, refresh: &Refresh, event: &AuditEvent, lease: Duration) -> Result<()> {
        let requester = rows::to_json("the requester of a refresh", &refresh.requester, CALLER_MAX)?;
        let kept = Arc::new((refresh.clone(), requester, until(refresh.created, lease)));
        self.write_recorded(
            event,
            |()| true,
            move |mut session| {
                let kept = kept.clone();
                Box::pin(async move {
                    let (refresh, requester, lease) = &*kept;
                    begin(&mut session, refresh, requester, *lease)
                        .await
                        .map_err(|error| failed("keep a refresh", error))
                })
            },
        )
        .await
    }

    async fn refresh_goes_on(
        &self,
        tenant: &TenantId,
        id: &TaskId,
        progress: Progress,
        now: DateTime<Utc>,
        lease: Duration,
    ) -> Result<()> {
        let done = rows::signed("the parts done", progress.rows)?;
        let expected =
            progress.rows_expected.map(|rows| rows::signed("the parts expected", rows)).transpose()?;
        let kept = Arc::new((tenant.clone(), id.clone()));
        self.write(move |mut session| {
            let kept = kept.clone();
            Box::pin(async move {
                session
                    .change(
                        "UPDATE refreshes SET done = $1, expected = $2, lease = $3
                         WHERE tenant = $4 AND id = $5 AND state = 'running'",
                        values![
                            done,
                            expected,
                            rows::micros(until(now, lease)),
                            kept.0.as_str(),
                            kept.1.as_str(),
                        ],
                    )
                    .await
                    .map(drop)
                    .map_err(|error| failed("keep how far a refresh is", error))
            })
        })
        .await
    }

    async fn fail_refresh(&self, message: &Message, event: &AuditEvent) -> Result<()> {
        let end = Arc::new(RefreshEnd::of(event, TaskState::Failed, vec![message.clone()])?);
        self.write_recorded(
            event,
            |()| true,
            move |mut session| {
                let end = end.clone();
                Box::pin(async move { end.keep(&mut session).await })
            },
        )
        .await
    }

    async fn refreshes(
        &self,
        tenant: &TenantId,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Refresh>> {
        let most = i64::from(REFRESHES_LISTED_MAX);
        let found = self.read(LAST, values![tenant.as_str(), rows::micros(since), most]).await;
        found
            .and_then(|found| found.iter().map(|row| refresh(row, now)).collect())
            .map_err(|error| failed("read the refreshes", error))
    }
}

async fn begin(
    session: &mut Session<'_>,
    refresh: &Refresh,
    requester: &str,
    lease: DateTime<Utc>,
) -> Read<()> {
    let forgotten = refresh.created.checked_sub_signed(LISTED_FOR).unwrap_or(refresh.created);
    let tenant = refresh.requester.tenant.as_str();
    session
        .change(
            "DELETE FROM refreshes WHERE tenant = $1 AND created < $2",
            values![tenant, rows::micros(forgotten)],
        )
        .await?;
    session
        .change(
            "INSERT INTO refreshes (tenant, id, requester, snapshot, created, state, done, messages, lease)
             VALUES ($1, $2, $3, $4, $5, 'running', 0, '[]', $6)",
            values![
                tenant,
                refresh.id.as_str(),
                requester,
                refresh.snapshot.as_str(),
                rows::micros(refresh.created),
                rows::micros(lease),
            ],
        )
        .await
        .map(drop)
}

fn refresh(row: &Row, now: DateTime<Utc>) -> Read<Refresh> {
    let wrong = |what: &'static str| sqlx::Error::Decode(what.into());
    let state = TaskState::from_name(&row.text("state")?);
    let ended = row.optional_integer("ended")?;
    let lease = rows::as_time("lease", row.integer("lease")?)?;
    let refresh = Refresh {
        id: TaskId::new(row.text("id")?),
        requester: rows::json(row, "requester")?,
        snapshot: SnapshotId::new(row.text("snapshot")?),
        created: rows::as_time("created", row.integer("created")?)?,
        state: state.ok_or_else(|| wrong("no state of a refresh has this name"))?,
        progress: Progress {
            rows: row.integer("done")?.cast_unsigned(),
            rows_expected: row.optional_integer("expected")?.map(i64::cast_unsigned),
        },
        messages: rows::json(row, "messages")?,
        ended: ended.map(|micros| rows::as_time("ended", micros)).transpose()?,
    };
    match refresh.state == TaskState::Running && lease <= now {
        true => Ok(refresh.interrupted(lease)),
        false => Ok(refresh),
    }
}
