//! Schedules and their runs.
//!
//! A due schedule gets its next time and its run in one transaction; the key of a run has its due time. So a node that dies
//! loses no run, and no two nodes make one. What a node writes about a run names the epoch of its claim.

use crate::failure::{failed, is_taken};
use crate::notifications;
use crate::rows;
use crate::session::{Read, Row, Session, Sql, Value, locking, values};
use crate::store::Store;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::audit::AuditEvent;
use muster_reports::error::{Error, Result};
use muster_reports::failpoint::{Failpoint, reached};
use muster_reports::ids::{ScheduleId, TaskId, TenantId};
use muster_reports::ports::ScheduleStore;
use muster_reports::scheduled::{
    FallenDue, RUNS_KEPT, RunClaim, RunState, RunStep, SCHEDULES_MAX, ScheduledEntry, ScheduledRun,
};
use std::sync::Arc;
use std::time::Duration;

/// Longest name of a schedule, in bytes.
const NAME_MAX: usize = 200;
/// Longest owner, work or form of a schedule, in bytes of its JSON.
const JSON_MAX: usize = 262_144;
/// Bytes kept of the reason of a run.
const MESSAGE_MAX: usize = 4_000;

/// The schedule that has been due for longest. $1 now.
const DUE: Sql = Sql {
    sqlite: "SELECT * FROM schedules WHERE due IS NOT NULL AND paused = 0 AND due <= $1 ORDER BY due LIMIT 1",
    postgres:
        "SELECT * FROM schedules WHERE due IS NOT NULL AND NOT paused AND due <= $1 ORDER BY due LIMIT 1
        FOR UPDATE SKIP LOCKED",
};

/// The live run that may be looked at first. $1 now.
const TO_LOOK_AT: Sql = Sql {
    sqlite: "SELECT * FROM schedule_runs WHERE state IN ('waiting', 'started') AND wake <= $1
        ORDER BY wake LIMIT 1",
    postgres: "SELECT * FROM schedule_runs WHERE state IN ('waiting', 'started') AND wake <= $1
        ORDER BY wake LIMIT 1 FOR UPDATE SKIP LOCKED",
};

/// What came of looking for a schedule that is due.
enum Fallen {
    Nothing,
    Run(ScheduledRun),
    /// There was a run of that due time already.
    Again,
}

#[async_trait]
impl ScheduleStore for Store {
    async fn add_schedule(&self, entry: &ScheduledEntry, event: &AuditEvent) -> Result<()> {
        rows::bounded("the name of a schedule", &entry.name, NAME_MAX)?;
        let owner = rows::to_json("the owner of a schedule", &entry.owner, JSON_MAX)?;
        let work = rows::to_json("what a schedule runs", &entry.work, JSON_MAX)?;
        let form = rows::to_json("the times of a schedule", &entry.form, JSON_MAX)?;
        let notify = rows::to_json("the recipients of a schedule", &entry.notify, JSON_MAX)?;
        let kept = Arc::new((entry.clone(), [owner, work, form, notify]));
        self.write_recorded(
            event,
            |()| true,
            move |session| {
                let kept = kept.clone();
                Box::pin(async move {
                    let (entry, [owner, work, form, notify]) = &*kept;
                    insert(session, entry, owner, work, form, notify).await
                })
            },
        )
        .await
    }

    async fn schedules(&self, tenant: &TenantId) -> Result<Vec<ScheduledEntry>> {
        let found = self
            .read("SELECT * FROM schedules WHERE tenant = $1 ORDER BY name", values![tenant.as_str()])
            .await;
        found
            .and_then(|rows| rows.iter().map(entry).collect())
            .map_err(|error| failed("read the schedules", error))
    }

    async fn pause_schedule(
        &self,
        id: &ScheduleId,
        paused: bool,
        due: Option<DateTime<Utc>>,
        event: &AuditEvent,
    ) -> Result<bool> {
        let kept = (event.caller.tenant.clone(), id.clone());
        let due = due.map(rows::micros);
        self.write_recorded(
            event,
            |there| *there,
            move |mut session| {
                let (tenant, id) = kept.clone();
                Box::pin(async move {
                    session
                        .change(
                            "UPDATE schedules SET paused = $1, due = $2 WHERE tenant = $3 AND id = $4",
                            values![paused, due, tenant.as_str(), id.as_str()],
                        )
                        .await
                        .map(|changed| changed > 0)
                        .map_err(|error| failed("pause a schedule", error))
                })
            },
        )
        .await
    }

    async fn replace_schedule(&self, entry: &ScheduledEntry, event: &AuditEvent) -> Result<bool> {
        let work = rows::to_json("what a schedule runs", &entry.work, JSON_MAX)?;
        let form = rows::to_json("the times of a schedule", &entry.form, JSON_MAX)?;
        let notify = rows::to_json("the recipients of a schedule", &entry.notify, JSON_MAX)?;
        let due = entry.due.map(rows::micros);
        let kept = Arc::new((event.caller.tenant.clone(), entry.id.clone(), [work, form, notify]));
        let paused = entry.paused;
        self.write_recorded(
            event,
            |there| *there,
            move |mut session| {
                let kept = kept.clone();
                Box::pin(async move {
                    let (tenant, id, [work, form, notify]) = &*kept;
                    session
                        .change(
                            "UPDATE schedules SET work = $1, form = $2, paused = $3, due = $4, notify = $7
                             WHERE tenant = $5 AND id = $6",
                            values![work, form, paused, due, tenant.as_str(), id.as_str(), notify],
                        )
                        .await
                        .map(|changed| changed > 0)
                        .map_err(|error| failed("change a schedule", error))
                })
            },
        )
        .await
    }

    async fn remove_schedule(&self, id: &ScheduleId, event: &AuditEvent) -> Result<bool> {
        let kept = (event.caller.tenant.clone(), id.clone());
        self.write_recorded(
            event,
            |there| *there,
            move |mut session| {
                let (tenant, id) = kept.clone();
                Box::pin(async move {
                    let wrong = |error| failed("remove a schedule", error);
                    let key: &[Value<'_>; 2] = values![tenant.as_str(), id.as_str()];
                    let removed =
                        session.change("DELETE FROM schedules WHERE tenant = $1 AND id = $2", key).await;
                    session
                        .change("DELETE FROM schedule_runs WHERE tenant = $1 AND schedule = $2", key)
                        .await
                        .map_err(wrong)?;
                    removed.map(|removed| removed > 0).map_err(wrong)
                })
            },
        )
        .await
    }

    async fn runs_of(&self, tenant: &TenantId, id: &ScheduleId, limit: u32) -> Result<Vec<ScheduledRun>> {
        let found = self
            .read(
                "SELECT * FROM schedule_runs WHERE tenant = $1 AND schedule = $2 ORDER BY due DESC LIMIT $3",
                values![tenant.as_str(), id.as_str(), i64::from(limit)],
            )
            .await;
        found
            .and_then(|rows| rows.iter().map(run).collect())
            .map_err(|error| failed("read the runs of a schedule", error))
    }

    async fn fall_due(&self, now: DateTime<Utc>) -> Result<Option<ScheduledRun>> {
        loop {
            let fallen = self
                .write_then(
                    now,
                    |session, moment| Box::pin(fall_due(session, moment.now)),
                    |fallen| match fallen {
                        Fallen::Run(_) => reached(Failpoint::RunFallenDue),
                        Fallen::Nothing | Fallen::Again => {}
                    },
                )
                .await?;
            match fallen {
                Fallen::Nothing => return Ok(None),
                Fallen::Run(run) => return Ok(Some(run)),
                Fallen::Again => {}
            }
        }
    }

    async fn run_schedule(
        &self,
        id: &ScheduleId,
        fallen: FallenDue,
        event: &AuditEvent,
    ) -> Result<ScheduledRun> {
        let kept = Arc::new((event.caller.tenant.clone(), id.clone()));
        self.write_recorded(
            event,
            |_| true,
            move |session| {
                let kept = kept.clone();
                Box::pin(async move { run_now(session, &kept.0, &kept.1, fallen).await })
            },
        )
        .await
    }

    async fn claim_run(&self, now: DateTime<Utc>, lease: Duration) -> Result<Option<RunClaim>> {
        self.write_then(
            now,
            move |session, moment| Box::pin(claim(session, moment.now, until(moment.now, lease))),
            |claim| {
                if claim.is_some() {
                    reached(Failpoint::RunClaimed);
                }
            },
        )
        .await
    }

    async fn renew_run(&self, claim: &RunClaim, now: DateTime<Utc>, lease: Duration) -> Result<bool> {
        let claim = Arc::new(claim.clone());
        self.write_then(
            now,
            move |mut session, moment| {
                let claim = claim.clone();
                Box::pin(async move {
                    let epoch = rows::signed("the epoch of a run", claim.epoch)?;
                    session
                        .change(
                            "UPDATE schedule_runs SET wake = $1 WHERE tenant = $2 AND schedule = $3 AND due = $4
                             AND epoch = $5 AND state IN ('waiting', 'started')",
                            values![
                                rows::micros(until(moment.now, lease)),
                                claim.entry.tenant().as_str(),
                                claim.run.schedule.as_str(),
                                rows::micros(claim.run.due),
                                epoch,
                            ],
                        )
                        .await
                        .map(|changed| changed > 0)
                        .map_err(|error| failed("keep a run of a schedule", error))
                })
            },
            |_| (),
        )
        .await
    }

    async fn step_run(&self, claim: &RunClaim, step: &RunStep, now: DateTime<Utc>) -> Result<bool> {
        let kept = Arc::new((claim.clone(), step.clone()));
        self.write_then(
            now,
            move |session, moment| {
                let kept = kept.clone();
                Box::pin(async move {
                    let (claim, step) = &*kept;
                    let wake = match step {
                        RunStep::Begun | RunStep::Ended { .. } => None,
                        RunStep::Started { look, .. } => Some(moment.kept(*look)),
                        RunStep::Retry { not_before, .. } => Some(moment.kept(*not_before)),
                    };
                    keep_step(session, claim, step, wake, moment.now).await
                })
            },
            |kept| {
                if *kept {
                    reached(Failpoint::RunStepped);
                }
            },
        )
        .await
    }
}

fn until(now: DateTime<Utc>, lease: Duration) -> DateTime<Utc> {
    let lease = TimeDelta::from_std(lease).unwrap_or(TimeDelta::MAX);
    now.checked_add_signed(lease).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn entry(row: &Row) -> Read<ScheduledEntry> {
    let due = row.optional_integer("due")?;
    Ok(ScheduledEntry {
        id: ScheduleId::new(row.text("id")?),
        name: row.text("name")?,
        owner: rows::json(row, "owner")?,
        work: rows::json(row, "work")?,
        form: rows::json(row, "form")?,
        notify: rows::optional_json(row, "notify")?.unwrap_or_default(),
        paused: row.flag("paused")?,
        created: rows::as_time("created", row.integer("created")?)?,
        due: due.map(|micros| rows::as_time("due", micros)).transpose()?,
    })
}

fn run(row: &Row) -> Read<ScheduledRun> {
    let time = |column| {
        let micros = row.optional_integer(column)?;
        micros.map(|micros| rows::as_time(column, micros)).transpose()
    };
    let count =
        |column| u32::try_from(row.integer(column)?).map_err(|error| sqlx::Error::Decode(error.into()));
    let state = RunState::from_name(&row.text("state")?);
    Ok(ScheduledRun {
        schedule: ScheduleId::new(row.text("schedule")?),
        due: rows::as_time("due", row.integer("due")?)?,
        missed_since: time("missed_since")?,
        state: state.ok_or_else(|| sqlx::Error::Decode("no state of a run has this name".into()))?,
        attempts: count("attempts")?,
        failures: count("failures")?,
        task: row.optional_text("task")?.map(TaskId::new),
        message: row.optional_text("message")?,
        ended: time("ended")?,
    })
}

async fn insert(
    mut session: Session<'_>,
    entry: &ScheduledEntry,
    owner: &str,
    work: &str,
    form: &str,
    notify: &str,
) -> Result<()> {
    let wrong = |error| failed("keep a schedule", error);
    let tenant = entry.tenant().as_str();
    session.alone_in("schedules").await.map_err(wrong)?;
    let counted = session
        .first("SELECT count(*) AS schedules FROM schedules WHERE tenant = $1", values![tenant])
        .await
        .and_then(|row| row.map_or(Ok(0), |row| row.integer("schedules")))
        .map_err(wrong)?;
    if usize::try_from(counted).unwrap_or(usize::MAX) >= SCHEDULES_MAX {
        return Err(Error::invalid(format!("there are {SCHEDULES_MAX} schedules already: expected fewer")));
    }
    let inserted = session
        .change(
            "INSERT INTO schedules (tenant, id, name, owner, work, form, paused, created, due, notify)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            values![
                tenant,
                entry.id.as_str(),
                &entry.name,
                owner,
                work,
                form,
                entry.paused,
                rows::micros(entry.created),
                entry.due.map(rows::micros),
                notify,
            ],
        )
        .await;
    match inserted {
        Ok(_) => Ok(()),
        Err(error) if is_taken(&error) => {
            Err(Error::invalid(format!("there is a schedule {:?} already", entry.name)))
        }
        Err(error) => Err(wrong(error)),
    }
}

async fn fall_due(mut session: Session<'_>, now: DateTime<Utc>) -> Result<Fallen> {
    let wrong = |error| failed("look for schedules that are due", error);
    let found = session.first(DUE, values![rows::micros(now)]).await;
    let found = found.and_then(|row| row.as_ref().map(entry).transpose()).map_err(wrong)?;
    let Some((entry, (fallen, next))) = found.and_then(|entry| Some((entry.clone(), entry.falls_due(now)?)))
    else {
        return Ok(Fallen::Nothing);
    };
    let (tenant, id) = (entry.tenant(), &entry.id);
    session
        .change(
            "UPDATE schedules SET due = $1 WHERE tenant = $2 AND id = $3 AND due = $4",
            values![next.map(rows::micros), tenant.as_str(), id.as_str(), entry.due.map(rows::micros)],
        )
        .await
        .map_err(wrong)?;
    let run = match goes_on(&mut session, tenant, id).await.map_err(wrong)? {
        true => ScheduledRun::skipped(id, fallen, now),
        false => ScheduledRun::waiting(id, fallen),
    };
    if !insert_run(&mut session, tenant, &run, now).await.map_err(wrong)? {
        return Ok(Fallen::Again);
    }
    notifications::of_run(&mut session, &entry, &run, now).await?;
    Ok(Fallen::Run(run))
}

/// Whether a run of the schedule is live.
async fn goes_on(session: &mut Session<'_>, tenant: &TenantId, id: &ScheduleId) -> Read<bool> {
    let live = session
        .first(
            "SELECT due FROM schedule_runs WHERE tenant = $1 AND schedule = $2 AND state IN ('waiting', 'started')
             LIMIT 1",
            values![tenant.as_str(), id.as_str()],
        )
        .await?;
    Ok(live.is_some())
}

/// Inserts a run, and forgets old ones. Returns whether there was none of its due time.
async fn insert_run(
    session: &mut Session<'_>,
    tenant: &TenantId,
    run: &ScheduledRun,
    now: DateTime<Utc>,
) -> Read<bool> {
    let inserted = session
        .change(
            "INSERT INTO schedule_runs (tenant, schedule, due, missed_since, state, attempts, failures, message, ended,
                 wake, epoch)
             VALUES ($1, $2, $3, $4, $5, 0, 0, $6, $7, $8, 0) ON CONFLICT (tenant, schedule, due) DO NOTHING",
            values![
                tenant.as_str(),
                run.schedule.as_str(),
                rows::micros(run.due),
                run.missed_since.map(rows::micros),
                run.state.as_str(),
                run.message.as_deref(),
                run.ended.map(rows::micros),
                rows::micros(now),
            ],
        )
        .await?;
    session
        .change(
            "DELETE FROM schedule_runs WHERE tenant = $1 AND schedule = $2 AND state NOT IN ('waiting', 'started')
             AND due < (SELECT due FROM schedule_runs WHERE tenant = $1 AND schedule = $2
                 ORDER BY due DESC LIMIT 1 OFFSET $3)",
            values![tenant.as_str(), run.schedule.as_str(), i64::from(RUNS_KEPT) - 1],
        )
        .await?;
    Ok(inserted > 0)
}

async fn run_now(
    mut session: Session<'_>,
    tenant: &TenantId,
    id: &ScheduleId,
    fallen: FallenDue,
) -> Result<ScheduledRun> {
    let wrong = |error| failed("run a schedule", error);
    let found = session
        .first(
            locking!("SELECT id FROM schedules WHERE tenant = $1 AND id = $2"),
            values![tenant.as_str(), id.as_str()],
        )
        .await
        .map_err(wrong)?;
    if found.is_none() {
        return Err(Error::not_found(format!("there is no schedule {:?}", id.as_str())));
    }
    if goes_on(&mut session, tenant, id).await.map_err(wrong)? {
        return Err(Error::invalid("a run of the schedule goes on: expected none"));
    }
    let run = ScheduledRun::waiting(id, fallen);
    match insert_run(&mut session, tenant, &run, fallen.due).await.map_err(wrong)? {
        true => Ok(run),
        false => Err(Error::invalid("the schedule was due at this moment")),
    }
}

async fn claim(
    mut session: Session<'_>,
    now: DateTime<Utc>,
    wake: DateTime<Utc>,
) -> Result<Option<RunClaim>> {
    let wrong = |error| failed("claim a run of a schedule", error);
    let Some(row) = session.first(TO_LOOK_AT, values![rows::micros(now)]).await.map_err(wrong)? else {
        return Ok(None);
    };
    let (run, tenant) = (run(&row).map_err(wrong)?, row.text("tenant").map_err(wrong)?);
    let epoch = row.integer("epoch").map_err(wrong)? + 1;
    session
        .change(
            "UPDATE schedule_runs SET wake = $1, epoch = $2 WHERE tenant = $3 AND schedule = $4 AND due = $5",
            values![rows::micros(wake), epoch, &tenant, run.schedule.as_str(), rows::micros(run.due)],
        )
        .await
        .map_err(wrong)?;
    let found = session
        .first(
            "SELECT * FROM schedules WHERE tenant = $1 AND id = $2",
            values![&tenant, run.schedule.as_str()],
        )
        .await;
    // A schedule is removed together with its runs.
    let entry = found.and_then(|row| entry(&row.ok_or(sqlx::Error::RowNotFound)?)).map_err(wrong)?;
    Ok(Some(RunClaim { entry, run, epoch: epoch.cast_unsigned() }))
}

/// Keeps the run after a step, if the claim is the last one. Without `wake`, that time stays.
async fn keep_step(
    mut session: Session<'_>,
    claim: &RunClaim,
    step: &RunStep,
    wake: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let wrong = |error| failed("keep a step of a run", error);
    let key = (claim.entry.tenant().as_str(), claim.run.schedule.as_str(), rows::micros(claim.run.due));
    let found = session
        .first(
            locking!(
                "SELECT * FROM schedule_runs WHERE tenant = $1 AND schedule = $2 AND due = $3 AND epoch = $4
                 AND state IN ('waiting', 'started')"
            ),
            values![key.0, key.1, key.2, rows::signed("the epoch of a run", claim.epoch)?],
        )
        .await;
    let found = found.and_then(|row| row.as_ref().map(run).transpose()).map_err(wrong)?;
    let Some(mut run) = found.map(|run| run.after(step, now)) else { return Ok(false) };
    if let Some(message) = &mut run.message {
        message.truncate(message.floor_char_boundary(MESSAGE_MAX));
    }
    session
        .change(
            "UPDATE schedule_runs SET state = $1, attempts = $2, task = $3, message = $4, ended = $5,
             wake = coalesce($6, wake), failures = $10 WHERE tenant = $7 AND schedule = $8 AND due = $9",
            values![
                run.state.as_str(),
                i64::from(run.attempts),
                run.task.as_ref().map(TaskId::as_str),
                run.message.as_deref(),
                run.ended.map(rows::micros),
                wake.map(rows::micros),
                key.0,
                key.1,
                key.2,
                i64::from(run.failures),
            ],
        )
        .await
        .map_err(wrong)?;
    notifications::of_run(&mut session, &claim.entry, &run, now).await?;
    Ok(true)
}
