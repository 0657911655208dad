//! Schedules and their runs, in memory.

use super::{MemoryStore, State};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::audit::AuditEvent;
use muster_reports::error::{Error, Result};
use muster_reports::ids::{ScheduleId, TenantId};
use muster_reports::ports::ScheduleStore;
use muster_reports::scheduled::{
    FallenDue, RUNS_KEPT, RunClaim, RunStep, SCHEDULES_MAX, ScheduledEntry, ScheduledRun,
};
use std::time::Duration;

#[derive(Debug)]
struct Kept {
    run: ScheduledRun,
    tenant: TenantId,
    epoch: u64,
    /// When a node may look at it.
    wake: DateTime<Utc>,
}

/// All schedules, and their runs.
#[derive(Debug, Default)]
pub(super) struct Schedules {
    entries: Vec<ScheduledEntry>,
    runs: Vec<Kept>,
}

impl Schedules {
    fn entry(&mut self, tenant: &TenantId, id: &ScheduleId) -> Option<&mut ScheduledEntry> {
        self.entries.iter_mut().find(|entry| entry.tenant() == tenant && entry.id == *id)
    }

    fn is_live(&self, tenant: &TenantId, id: &ScheduleId) -> bool {
        let mut own = self.runs.iter().filter(|kept| kept.tenant == *tenant && kept.run.schedule == *id);
        own.any(|kept| kept.run.state.is_live())
    }

    fn add(&mut self, tenant: &TenantId, run: ScheduledRun, now: DateTime<Utc>) -> Option<ScheduledRun> {
        let is_same = |kept: &Kept| {
            kept.tenant == *tenant && kept.run.schedule == run.schedule && kept.run.due == run.due
        };
        if self.runs.iter().any(is_same) {
            return None;
        }
        self.runs.push(Kept { run: run.clone(), tenant: tenant.clone(), epoch: 0, wake: now });
        let mut dues: Vec<_> = self
            .runs
            .iter()
            .filter(|kept| kept.tenant == *tenant && kept.run.schedule == run.schedule)
            .map(|kept| kept.run.due)
            .collect();
        dues.sort();
        let oldest = dues.iter().rev().nth(RUNS_KEPT as usize - 1).copied();
        self.runs.retain(|kept| {
            kept.tenant != *tenant
                || kept.run.schedule != run.schedule
                || kept.run.state.is_live()
                || oldest.is_none_or(|oldest| kept.run.due >= oldest)
        });
        Some(run)
    }

    fn held(&mut self, claim: &RunClaim) -> Option<&mut Kept> {
        self.runs.iter_mut().find(|kept| {
            kept.tenant == *claim.entry.tenant()
                && kept.run.schedule == claim.run.schedule
                && kept.run.due == claim.run.due
                && kept.epoch == claim.epoch
                && kept.run.state.is_live()
        })
    }
}

fn after(now: DateTime<Utc>, lease: Duration) -> DateTime<Utc> {
    now + TimeDelta::from_std(lease).unwrap_or_default()
}

impl State {
    fn due_entry(&self, now: DateTime<Utc>) -> Option<ScheduledEntry> {
        let due = self.schedules.entries.iter().filter(|entry| !entry.paused);
        let due = due.filter(|entry| entry.due.is_some_and(|due| due <= now));
        due.min_by_key(|entry| entry.due).cloned()
    }
}

#[async_trait]
impl ScheduleStore for MemoryStore {
    async fn add_schedule(&self, entry: &ScheduledEntry, event: &AuditEvent) -> Result<()> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let own = state.schedules.entries.iter().filter(|known| known.tenant() == entry.tenant());
        if own.clone().any(|known| known.name == entry.name) {
            return Err(Error::invalid(format!("there is a schedule {:?} already", entry.name)));
        }
        if own.count() >= SCHEDULES_MAX {
            return Err(Error::invalid(format!("there are {SCHEDULES_MAX} schedules already")));
        }
        state.schedules.entries.push(entry.clone());
        state.append(event)
    }

    async fn schedules(&self, tenant: &TenantId) -> Result<Vec<ScheduledEntry>> {
        let state = self.state();
        let own = state.schedules.entries.iter().filter(|entry| entry.tenant() == tenant);
        let mut own: Vec<_> = own.cloned().collect();
        own.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(own)
    }

    async fn pause_schedule(
        &self,
        id: &ScheduleId,
        paused: bool,
        due: Option<DateTime<Utc>>,
        event: &AuditEvent,
    ) -> Result<bool> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let Some(entry) = state.schedules.entry(&event.caller.tenant, id) else { return Ok(false) };
        (entry.paused, entry.due) = (paused, due);
        state.append(event)?;
        Ok(true)
    }

    async fn replace_schedule(&self, entry: &ScheduledEntry, event: &AuditEvent) -> Result<bool> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let Some(kept) = state.schedules.entry(&event.caller.tenant, &entry.id) else { return Ok(false) };
        let (name, owner, created) = (kept.name.clone(), kept.owner.clone(), kept.created);
        *kept = ScheduledEntry { name, owner, created, ..entry.clone() };
        state.append(event)?;
        Ok(true)
    }

    async fn remove_schedule(&self, id: &ScheduleId, event: &AuditEvent) -> Result<bool> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let tenant = &event.caller.tenant;
        if state.schedules.entry(tenant, id).is_none() {
            return Ok(false);
        }
        state.schedules.entries.retain(|entry| entry.tenant() != tenant || entry.id != *id);
        state.schedules.runs.retain(|kept| kept.tenant != *tenant || kept.run.schedule != *id);
        state.append(event)?;
        Ok(true)
    }

    async fn runs_of(&self, tenant: &TenantId, id: &ScheduleId, limit: u32) -> Result<Vec<ScheduledRun>> {
        let state = self.state();
        let own =
            state.schedules.runs.iter().filter(|kept| kept.tenant == *tenant && kept.run.schedule == *id);
        let mut own: Vec<_> = own.map(|kept| kept.run.clone()).collect();
        own.sort_by_key(|run| std::cmp::Reverse(run.due));
        own.truncate(limit as usize);
        Ok(own)
    }

    async fn fall_due(&self, now: DateTime<Utc>) -> Result<Option<ScheduledRun>> {
        let mut state = self.state();
        loop {
            let Some(entry) = state.due_entry(now) else { return Ok(None) };
            let Some((fallen, next)) = entry.falls_due(now) else { return Ok(None) };
            let tenant = entry.tenant().clone();
            if let Some(kept) = state.schedules.entry(&tenant, &entry.id) {
                kept.due = next;
            }
            let run = match state.schedules.is_live(&tenant, &entry.id) {
                true => ScheduledRun::skipped(&entry.id, fallen, now),
                false => ScheduledRun::waiting(&entry.id, fallen),
            };
            if let Some(run) = state.schedules.add(&tenant, run, now) {
                state.notify_of_run(&entry, &run, now);
                return Ok(Some(run));
            }
        }
    }

    async fn run_schedule(
        &self,
        id: &ScheduleId,
        fallen: FallenDue,
        event: &AuditEvent,
    ) -> Result<ScheduledRun> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let tenant = event.caller.tenant.clone();
        if state.schedules.entry(&tenant, id).is_none() {
            return Err(Error::not_found(format!("there is no schedule {:?}", id.as_str())));
        }
        if state.schedules.is_live(&tenant, id) {
            return Err(Error::invalid("a run of the schedule goes on: expected none"));
        }
        let run = ScheduledRun::waiting(id, fallen);
        let Some(run) = state.schedules.add(&tenant, run, fallen.due) else {
            return Err(Error::invalid("the schedule was due at this moment"));
        };
        state.append(event)?;
        Ok(run)
    }

    async fn claim_run(&self, now: DateTime<Utc>, lease: Duration) -> Result<Option<RunClaim>> {
        let mut state = self.state();
        let live =
            state.schedules.runs.iter_mut().filter(|kept| kept.run.state.is_live() && kept.wake <= now);
        let Some(kept) = live.min_by_key(|kept| kept.wake) else { return Ok(None) };
        kept.wake = after(now, lease);
        kept.epoch += 1;
        let (run, tenant, epoch) = (kept.run.clone(), kept.tenant.clone(), kept.epoch);
        let entry = state.schedules.entry(&tenant, &run.schedule).cloned();
        Ok(entry.map(|entry| RunClaim { entry, run, epoch }))
    }

    async fn renew_run(&self, claim: &RunClaim, now: DateTime<Utc>, lease: Duration) -> Result<bool> {
        let mut state = self.state();
        let Some(kept) = state.schedules.held(claim) else { return Ok(false) };
        kept.wake = after(now, lease);
        Ok(true)
    }

    async fn step_run(&self, claim: &RunClaim, step: &RunStep, now: DateTime<Utc>) -> Result<bool> {
        let mut state = self.state();
        let Some(kept) = state.schedules.held(claim) else { return Ok(false) };
        kept.run = kept.run.after(step, now);
        match step {
            RunStep::Begun | RunStep::Ended { .. } => {}
            RunStep::Started { look, .. } => kept.wake = *look,
            RunStep::Retry { not_before, .. } => kept.wake = *not_before,
        }
        let run = kept.run.clone();
        state.notify_of_run(&claim.entry, &run, now);
        Ok(true)
    }
}
