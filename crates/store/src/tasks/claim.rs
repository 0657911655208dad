//! Taking a task for a worker, and keeping it.

use crate::audit::Recorder;
use crate::failure::failed;
use crate::rows;
use crate::session::{Moment, Session, Sql, values};
use crate::sqlite::Kept;
use crate::store::{Announcer, Unattended};
use crate::tasks::end;
use crate::tasks::transition::entering;
use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::error::Result;
use muster_reports::failpoint::{Failpoint, reached};
use muster_reports::ids::WorkerId;
use muster_reports::ports::LeaseState;
use muster_reports::task::{Claim, Lease, Progress, RUNS_REMEMBERED, SHORT_RUN, TaskState};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// A lease that ends later than this many leases from now was given when the clock was ahead.
const LEASES_AHEAD_MAX: u32 = 20;

/// Tasks that wait for a time from before the clock was set back: those that were accepted or launched later than now,
/// and those whose leases end later than any lease that is given now ($2). They are due now. Those that were accepted
/// later are in line as if they were accepted now.
pub(super) const SET_BACK: &str =
    "UPDATE tasks SET due = $1, place = CASE WHEN created > $1 AND place > $1 THEN $1 ELSE place END
     WHERE state IN ('pending', 'running') AND due > $1
     AND ((state = 'pending' AND (created > $1 OR launched > $1)) OR (state = 'running' AND due > $2))";

/// The first in line of the tasks that are due. PostgreSQL skips those that somebody else is claiming now. In SQLite,
/// the sign prevents the use of the index on `due`, with which all due tasks would be sorted.
pub(super) const DUE: Sql = Sql {
    sqlite: "SELECT * FROM tasks WHERE state IN ('pending', 'running') AND +due <= $1 ORDER BY place, seq LIMIT 1",
    postgres:
        "SELECT * FROM tasks WHERE state IN ('pending', 'running') AND due <= $1 ORDER BY place, seq LIMIT 1
               FOR UPDATE SKIP LOCKED",
};

/// As [`DUE`], of the tasks of whose last $3 runs the quickest took at most $2 microseconds.
pub(super) const DUE_SHORT: Sql = Sql {
    sqlite: "SELECT * FROM tasks WHERE state IN ('pending', 'running') AND +due <= $1
         AND (SELECT min(r.took) FROM (SELECT l.completed - l.launched AS took FROM tasks l
              WHERE l.tenant = tasks.tenant AND l.definition = tasks.definition
              AND l.state IN ('succeeded', 'warned') ORDER BY l.seq DESC LIMIT $3) r) <= $2
         ORDER BY place, seq LIMIT 1",
    postgres: "SELECT * FROM tasks WHERE state IN ('pending', 'running') AND due <= $1
         AND (SELECT min(r.took) FROM (SELECT l.completed - l.launched AS took FROM tasks l
              WHERE l.tenant = tasks.tenant AND l.definition = tasks.definition
              AND l.state IN ('succeeded', 'warned') ORDER BY l.seq DESC LIMIT $3) r) <= $2
         ORDER BY place, seq LIMIT 1 FOR UPDATE SKIP LOCKED",
};

/// Which tasks are claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claimed {
    All,
    /// Those that are expected to be short.
    Short,
}

/// How tasks are claimed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) claimed: Claimed,
    pub(super) lease: Duration,
    pub(super) attempts_max: u32,
    /// When the claim is durable.
    pub(super) kept: Kept,
}

/// Gives a task to a worker.
static CLAIM: LazyLock<String> = LazyLock::new(|| {
    let set = "worker = $1, epoch = epoch + 1, attempts = attempts + 1, launched = coalesce(launched, $2), due = $3,
         rows = 0, rows_expected = NULL";
    format!("{} RETURNING *", entering(TaskState::Running, set, "seq = $4 AND epoch = $5"))
});

/// What one transaction of a claim led to.
pub(super) enum ClaimStep {
    Claimed(Delivery),
    Nothing,
    /// The first in line is to be failed, which has to be durable when it is told of. Nothing was changed.
    ToFail,
    /// It failed a task; there may be more that are due.
    More,
}

/// A claim on its way to the worker. If the worker has gone, the task is released at once and need not wait for the end
/// of the lease.
pub(super) struct Delivery {
    claim: Option<Box<Claim>>,
    release: Option<Release>,
}

struct Release {
    unattended: Unattended,
    announcer: Announcer,
    caller_now: DateTime<Utc>,
}

impl Delivery {
    /// The claim is durable. From here on it is released unless the worker takes it.
    pub(super) fn committed(
        &mut self,
        unattended: Unattended,
        announcer: Announcer,
        caller_now: DateTime<Utc>,
    ) {
        self.release = Some(Release { unattended, announcer, caller_now });
    }

    pub(super) fn take(mut self) -> Claim {
        *self.claim.take().expect("a claim is taken once")
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let (Some(claim), Some(release)) = (self.claim.take(), self.release.take()) {
            let (lease, announcer) = (Arc::new(claim.lease), release.announcer);
            release.unattended.write(
                release.caller_now,
                move |session, moment| {
                    let lease = lease.clone();
                    Box::pin(async move { end::release(session, &lease, moment).await })
                },
                move || announcer.work(),
            );
        }
    }
}

/// Claims the first in line of the tasks that are due, or fails it if it cannot run any more. A transaction fails only
/// one task, because its event holds the tenant's chain, and a transaction that holds a chain waits for nothing else.
pub(super) async fn step(
    mut session: Session<'_>,
    worker: WorkerId,
    moment: Moment,
    terms: Terms,
    recorder: &Recorder,
) -> Result<ClaimStep> {
    const WHAT: &str = "claim a task";
    let Terms { claimed, lease, attempts_max, kept } = terms;
    let now = moment.now;
    let ahead = now.checked_add_signed(
        TimeDelta::from_std(lease.saturating_mul(LEASES_AHEAD_MAX)).unwrap_or(TimeDelta::MAX),
    );
    session
        .change(SET_BACK, values![rows::micros(now), rows::micros(ahead.unwrap_or(DateTime::<Utc>::MAX_UTC))])
        .await
        .map_err(|error| failed(WHAT, error))?;
    let due = match claimed {
        Claimed::All => session.first(DUE, values![rows::micros(now)]).await,
        Claimed::Short => {
            let at_most = SHORT_RUN.num_microseconds().unwrap_or(i64::MAX);
            session.first(DUE_SHORT, values![rows::micros(now), at_most, i64::from(RUNS_REMEMBERED)]).await
        }
    };
    let due = due.and_then(|row| row.as_ref().map(rows::task_row).transpose());
    let Some(due) = due.map_err(|error| failed(WHAT, error))? else { return Ok(ClaimStep::Nothing) };
    let is_overdue = due.deadline <= now;
    if kept != Kept::Now && (is_overdue || due.task.attempts >= attempts_max) {
        return Ok(ClaimStep::ToFail);
    }
    let ending = if is_overdue {
        end::fail_overdue(&mut session, due, now).await?
    } else if due.task.attempts >= attempts_max {
        end::fail_exhausted(&mut session, due, now).await?
    } else {
        let claimed = session
            .first(
                CLAIM.as_str(),
                values![
                    worker.as_str(),
                    rows::micros(now),
                    rows::micros(lease_end(now, lease, due.deadline)),
                    due.seq,
                    rows::signed("the epoch of a task", due.task.epoch)?,
                ],
            )
            .await;
        let claimed = claimed
            .and_then(|row| rows::task_row(&row.ok_or(sqlx::Error::RowNotFound)?))
            .map_err(|error| failed(WHAT, error))?;
        reached(Failpoint::TaskClaimed);
        let lease = Lease {
            task: claimed.task.id.clone(),
            tenant: claimed.task.tenant.clone(),
            worker,
            epoch: claimed.task.epoch,
            until: moment.told(claimed.due),
            deadline: moment.told(claimed.deadline),
        };
        let claim = Box::new(Claim { task: claimed.task, lease });
        return Ok(ClaimStep::Claimed(Delivery { claim: Some(claim), release: None }));
    };
    recorder.append(&mut session, ending.as_slice()).await?;
    Ok(ClaimStep::More)
}

/// Renews a lease that still holds, and keeps the progress.
pub(super) async fn heartbeat(
    mut session: Session<'_>,
    lease: Lease,
    progress: Progress,
    moment: Moment,
    extend: Duration,
) -> Result<LeaseState> {
    let expected = progress.rows_expected.map(|rows| rows::signed("the rows expected", rows)).transpose()?;
    let renewed = session
        .first(
            "UPDATE tasks SET due = CASE WHEN $1 < deadline THEN $1 ELSE deadline END, rows = $2,
                 rows_expected = $3
             WHERE id = $4 AND tenant = $5 AND epoch = $6 AND state = 'running' AND deadline > $7
             RETURNING due",
            values![
                rows::micros(lease_end(moment.now, extend, moment.kept(lease.deadline))),
                rows::signed("the rows written", progress.rows)?,
                expected,
                lease.task.as_str(),
                lease.tenant.as_str(),
                rows::signed("the epoch of a lease", lease.epoch)?,
                rows::micros(moment.now),
            ],
        )
        .await;
    let until = renewed
        .and_then(|row| row.map(|row| rows::as_time("due", row.integer("due")?)).transpose())
        .map_err(|error| failed("renew a lease", error))?;
    reached(Failpoint::LeaseRenewed);
    Ok(until.map_or(LeaseState::Lost, |until| LeaseState::Held(moment.told(until))))
}

/// When a lease that is taken or renewed now runs out: never past the deadline.
fn lease_end(now: DateTime<Utc>, lease: Duration, deadline: DateTime<Utc>) -> DateTime<Utc> {
    let end = TimeDelta::from_std(lease).ok().and_then(|lease| now.checked_add_signed(lease));
    end.map_or(deadline, |end| end.min(deadline))
}
