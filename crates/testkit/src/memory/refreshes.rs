//! Refreshes in memory.

use super::{MemoryStore, State};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::audit::AuditEvent;
use muster_reports::error::Result;
use muster_reports::ids::{TaskId, TenantId};
use muster_reports::message::Message;
use muster_reports::ports::RefreshLog;
use muster_reports::refreshes::{REFRESHES_LISTED_MAX, Refresh, remarks};
use muster_reports::snapshot::SnapshotManifest;
use muster_reports::task::{Progress, TaskState};
use muster_reports::task_list::LISTED_FOR;
use std::time::Duration;

/// A refresh, and the end of its lease.
pub(super) type Kept = (Refresh, DateTime<Utc>);

impl State {
    fn refresh(&mut self, tenant: &TenantId, id: &TaskId) -> Option<&mut Kept> {
        self.refreshes.iter_mut().find(|(refresh, _)| {
            refresh.requester.tenant == *tenant && refresh.id == *id && refresh.state == TaskState::Running
        })
    }

    pub(super) fn end_refresh(&mut self, event: &AuditEvent, state: TaskState, messages: Vec<Message>) {
        if let Some((refresh, _)) = self.refresh(&event.caller.tenant, &event.task) {
            (refresh.state, refresh.messages, refresh.ended) = (state, messages, Some(event.at));
            if state != TaskState::Failed {
                refresh.progress.rows = refresh.progress.rows_expected.unwrap_or(refresh.progress.rows);
            }
        }
    }

    pub(super) fn refresh_published(&mut self, event: &AuditEvent, manifest: &SnapshotManifest) {
        let remarks = remarks(manifest);
        let state = if remarks.is_empty() { TaskState::Succeeded } else { TaskState::Warned };
        self.end_refresh(event, state, remarks);
    }
}

fn until(now: DateTime<Utc>, lease: Duration) -> DateTime<Utc> {
    now + TimeDelta::from_std(lease).unwrap_or_default()
}

#[async_trait]
impl RefreshLog for MemoryStore {
    async fn begin_refresh(&self, refresh: &Refresh, event: &AuditEvent, lease: Duration) -> Result<()> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.append(event)?;
        state.refreshes.retain(|(known, _)| known.created >= refresh.created - LISTED_FOR);
        state.refreshes.push((refresh.clone(), until(refresh.created, lease)));
        Ok(())
    }

    async fn refresh_goes_on(
        &self,
        tenant: &TenantId,
        id: &TaskId,
        progress: Progress,
        now: DateTime<Utc>,
        lease: Duration,
    ) -> Result<()> {
        if let Some((refresh, ends)) = self.state().refresh(tenant, id) {
            (refresh.progress, *ends) = (progress, until(now, lease));
        }
        Ok(())
    }

    async fn fail_refresh(&self, message: &Message, event: &AuditEvent) -> Result<()> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.append(event)?;
        state.end_refresh(event, TaskState::Failed, vec![message.clone()]);
        Ok(())
    }

    async fn refreshes(
        &self,
        tenant: &TenantId,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Refresh>> {
        let state = self.state();
        let own = state
            .refreshes
            .iter()
            .filter(|(refresh, _)| refresh.requester.tenant == *tenant && refresh.created >= since);
        let seen = own.map(|(refresh, ends)| match refresh.state == TaskState::Running && *ends <= now {
            true => refresh.clone().interrupted(*ends),
            false => refresh.clone(),
        });
        Ok(seen.rev().take(REFRESHES_LISTED_MAX as usize).collect())
    }
}
