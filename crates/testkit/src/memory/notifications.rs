//! Notifications in memory.

use super::{MemoryStore, State};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::audit::AuditEvent;
use muster_reports::error::Result;
use muster_reports::ids::{ClientId, TaskId, TenantId};
use muster_reports::notification::{
    DeliveryState, DeliveryStep, EndedRun, Notification, NotificationClaim, SENT_KEPT, notifications,
};
use muster_reports::ports::NotificationStore;
use muster_reports::scheduled::{ScheduledEntry, ScheduledRun};
use muster_reports::task::TaskResult;
use std::cmp::Reverse;
use std::time::Duration;

impl State {
    /// The result of the run before a task's.
    fn before(&self, tenant: &TenantId, task: &TaskId) -> Option<&TaskResult> {
        let at = self.tasks.iter().position(|e| e.task.tenant == *tenant && e.task.id == *task)?;
        let definition = &self.tasks[at].task.definition;
        let mut before = self.tasks[..at].iter().rev().map(|entry| &entry.task);
        let is_before = |task: &&muster_reports::Task| {
            task.tenant == *tenant && task.definition == *definition && task.result.is_some()
        };
        before.find(is_before).and_then(|task| task.result.as_ref())
    }

    pub(super) fn notify_of_task(&mut self, tenant: &TenantId, task: &TaskId) {
        let Some(entry) = self.tasks.iter().find(|e| e.task.tenant == *tenant && e.task.id == *task) else {
            return;
        };
        let before = self.before(tenant, task);
        let ended = EndedRun { task: Some(&entry.task), before, scheduled: None };
        let now = entry.task.completed.unwrap_or_default();
        let new = notifications(&ended, &entry.wishes, now);
        self.keep(new);
    }

    pub(super) fn notify_of_run(&mut self, entry: &ScheduledEntry, run: &ScheduledRun, now: DateTime<Utc>) {
        let id = run.task.as_ref();
        let task = id.and_then(|id| self.tasks.iter().find(|e| e.task.id == *id)).map(|e| &e.task);
        let before = id.and_then(|id| self.before(entry.tenant(), id));
        let ended = EndedRun { task, before, scheduled: Some((entry, run)) };
        let new = notifications(&ended, &entry.wishes(), now);
        self.keep(new);
    }

    pub(super) fn tell(&mut self, new: &[Notification]) {
        self.keep(new.to_vec());
    }

    fn keep(&mut self, new: Vec<Notification>) {
        for notification in new {
            if self.found(&notification.tenant, &notification.id).is_none() {
                self.notifications.push(NotificationClaim { notification, epoch: 0 });
            }
        }
    }

    fn found(&mut self, tenant: &TenantId, id: &str) -> Option<&mut NotificationClaim> {
        let is_it =
            |kept: &&mut NotificationClaim| kept.notification.tenant == *tenant && kept.notification.id == id;
        self.notifications.iter_mut().find(is_it)
    }
}

#[async_trait]
impl NotificationStore for MemoryStore {
    async fn claim_notification(
        &self,
        now: DateTime<Utc>,
        lease: Duration,
    ) -> Result<Option<NotificationClaim>> {
        let mut state = self.state();
        let due = state.notifications.iter_mut().filter(|kept| {
            let next = kept.notification.next;
            kept.notification.state == DeliveryState::Waiting && next.is_some_and(|next| next <= now)
        });
        let first = due.min_by_key(|kept| (kept.notification.next, kept.notification.id.clone()));
        Ok(first.map(|kept| {
            kept.epoch += 1;
            kept.notification.attempts += 1;
            kept.notification.next = Some(now + TimeDelta::from_std(lease).unwrap_or_default());
            kept.clone()
        }))
    }

    async fn step_notification(
        &self,
        claim: &NotificationClaim,
        step: &DeliveryStep,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        if matches!(step, DeliveryStep::Failed { .. }) {
            self.accepts_audit()?;
        }
        let mut state = self.state();
        let Notification { tenant, id, .. } = &claim.notification;
        let held = state
            .found(tenant, id)
            .filter(|kept| kept.epoch == claim.epoch && kept.notification.state == DeliveryState::Waiting);
        let Some(kept) = held else { return Ok(false) };
        let kept = &mut kept.notification;
        match step {
            DeliveryStep::Sent => {
                (kept.state, kept.error, kept.next, kept.ended) =
                    (DeliveryState::Sent, None, None, Some(now));
                state.notifications.retain(|kept| {
                    kept.notification.state != DeliveryState::Sent
                        || kept.notification.ended.is_none_or(|ended| ended >= now - SENT_KEPT)
                });
            }
            DeliveryStep::Retry { reason, not_before } => {
                (kept.error, kept.next) = (Some(reason.clone()), Some(*not_before));
            }
            DeliveryStep::Failed { reason } => {
                (kept.state, kept.error, kept.next, kept.ended) =
                    (DeliveryState::Failed, Some(reason.clone()), None, Some(now));
                state.append(&claim.failure_event(reason, now))?;
            }
        }
        Ok(true)
    }

    async fn notifications(
        &self,
        tenant: &TenantId,
        client: Option<&ClientId>,
        limit: u32,
    ) -> Result<Vec<Notification>> {
        let state = self.state();
        let own = state.notifications.iter().map(|kept| &kept.notification).filter(|notification| {
            notification.tenant == *tenant && client.is_none_or(|client| notification.client == *client)
        });
        let mut own: Vec<_> = own.cloned().collect();
        own.sort_by_key(|notification| Reverse((notification.created, notification.id.clone())));
        own.truncate(limit as usize);
        Ok(own)
    }

    async fn notification(&self, tenant: &TenantId, id: &str) -> Result<Option<Notification>> {
        Ok(self.state().found(tenant, id).map(|kept| kept.notification.clone()))
    }

    async fn retry_notification(&self, id: &str, event: &AuditEvent) -> Result<bool> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let failed = state.found(&event.caller.tenant, id);
        let failed = failed.filter(|kept| kept.notification.state == DeliveryState::Failed);
        let Some(kept) = failed else { return Ok(false) };
        let kept = &mut kept.notification;
        (kept.state, kept.attempts, kept.ended, kept.next) =
            (DeliveryState::Waiting, 0, None, Some(event.at));
        state.append(event)?;
        Ok(true)
    }
}
