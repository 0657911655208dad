//! The life of the files of results, in memory.

use super::{MemoryStore, State};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muster_reports::audit::AuditEvent;
use muster_reports::error::{Error, Result};
use muster_reports::ids::{TaskId, TenantId};
use muster_reports::ports::ResultRetention;
use muster_reports::result_life::{ExpiredResult, ResultFacts, ResultPolicy, expiry_event};
use muster_reports::retention::Pin;
use muster_reports::task::Task;
use std::collections::{BTreeMap, HashMap};

#[derive(Debug, Default, Clone)]
struct Life {
    hold: Option<Pin>,
    expired: Option<DateTime<Utc>>,
    removed: bool,
}

/// By task.
#[derive(Debug, Default)]
pub(super) struct Lives(BTreeMap<TaskId, Life>);

impl Lives {
    pub(super) fn is_removed(&self, task: &Task) -> bool {
        self.0.get(&task.id).is_some_and(|life| life.removed)
    }
}

impl State {
    fn facts(&self, task: &Task, keep_last: u32) -> Option<ResultFacts> {
        task.result.as_ref()?;
        let results = self.tasks.iter().map(|entry| &entry.task);
        let newer = results
            .rev()
            .take_while(|other| other.id != task.id)
            .filter(|other| other.tenant == task.tenant && other.definition == task.definition)
            .filter(|other| other.result.is_some())
            .take(keep_last as usize)
            .count();
        let life = self.lives.0.get(&task.id).cloned().unwrap_or_default();
        Some(ResultFacts {
            completed: task.completed?,
            newer: u32::try_from(newer).unwrap_or(u32::MAX),
            hold: life.hold,
            expired: life.expired,
        })
    }
}

#[async_trait]
impl ResultRetention for MemoryStore {
    async fn lives(
        &self,
        tenant: &TenantId,
        tasks: &[TaskId],
        keep_last: u32,
    ) -> Result<HashMap<TaskId, ResultFacts>> {
        let state = self.state();
        let own = state.tasks.iter().map(|entry| &entry.task).filter(|task| task.tenant == *tenant);
        let wanted = own.filter(|task| tasks.contains(&task.id));
        Ok(wanted.filter_map(|task| Some((task.id.clone(), state.facts(task, keep_last)?))).collect())
    }

    async fn hold(&self, event: &AuditEvent, hold: Option<&Pin>) -> Result<()> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let own = state.tasks.iter().map(|entry| &entry.task);
        let mut own = own.filter(|task| task.tenant == event.caller.tenant && task.id == event.task);
        let Some(facts) = own.next().and_then(|task| state.facts(task, 0)) else {
            return Err(Error::not_found(format!("there is no result {:?} with files", event.task.as_str())));
        };
        if facts.expired.is_some() && hold.is_some() {
            return Err(Error::not_found(format!("result {} expired", event.task)));
        }
        state.lives.0.entry(event.task.clone()).or_default().hold = hold.cloned();
        state.append(event)
    }

    async fn expire_results(
        &self,
        tenant: &TenantId,
        policy: ResultPolicy,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<TaskId>> {
        self.accepts_audit()?;
        let mut state = self.state();
        let own = state.tasks.iter().map(|entry| &entry.task).filter(|task| task.tenant == *tenant);
        let is_due = |task: &&Task| {
            state.facts(task, policy.keep_last).is_some_and(|facts| policy.life(facts).is_due(now))
        };
        let mut due: Vec<Task> = own.filter(is_due).cloned().collect();
        due.sort_by_key(|task| task.completed);
        due.truncate(limit as usize);
        for task in &due {
            state.lives.0.entry(task.id.clone()).or_default().expired = Some(now);
            state.append(&expiry_event(task, now))?;
        }
        Ok(due.into_iter().map(|task| task.id).collect())
    }

    async fn to_remove(&self, by: DateTime<Utc>, limit: u32) -> Result<Vec<ExpiredResult>> {
        let state = self.state();
        let gone = |task: &&Task| {
            let life = state.lives.0.get(&task.id);
            life.is_some_and(|life| !life.removed && life.expired.is_some_and(|expired| expired <= by))
        };
        let gone = state.tasks.iter().map(|entry| &entry.task).filter(gone);
        let expired = gone.map(|task| ExpiredResult {
            tenant: task.tenant.clone(),
            task: task.id.clone(),
            files: task.result.iter().flat_map(|result| result.files.clone()).collect(),
        });
        Ok(expired.take(limit as usize).collect())
    }

    async fn removed(&self, _: &TenantId, task: &TaskId, _: DateTime<Utc>) -> Result<()> {
        if let Some(life) = self.state().lives.0.get_mut(task) {
            life.removed = life.expired.is_some();
        }
        Ok(())
    }
}
