//! The ports of schedules, and of what is sent when a run has ended.

use crate::audit::AuditEvent;
use crate::error::Result;
use crate::ids::{ClientId, ScheduleId, TenantId};
use crate::notification::{DeliveryStep, Notification, NotificationClaim};
use crate::scheduled::{FallenDue, RunClaim, RunStep, ScheduledEntry, ScheduledRun};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::time::Duration;

/// Schedules and their runs ([`crate::scheduled`]). There is one run of a schedule and a due time, however many nodes ask.
#[async_trait]
pub trait ScheduleStore: Send + Sync {
    /// Keeps a new schedule, and records the event in the same transaction. `Invalid` when the tenant has one of this name,
    /// or too many.
    async fn add_schedule(&self, entry: &ScheduledEntry, event: &AuditEvent) -> Result<()>;

    /// The schedules of a tenant, by name.
    async fn schedules(&self, tenant: &TenantId) -> Result<Vec<ScheduledEntry>>;

    /// Pauses a schedule of the event's tenant, or lets it go on. `due` is when it is due next. Returns whether the tenant
    /// has it; then the event is recorded in the same transaction.
    async fn pause_schedule(
        &self,
        id: &ScheduleId,
        paused: bool,
        due: Option<DateTime<Utc>>,
        event: &AuditEvent,
    ) -> Result<bool>;

    /// Replaces what a schedule of the event's tenant runs, when, who is told, whether it is paused, and when it is due next. Its name,
    /// its owner and the time at which it was made stay. Returns whether the tenant has it; then the event is recorded in
    /// the same transaction.
    async fn replace_schedule(&self, entry: &ScheduledEntry, event: &AuditEvent) -> Result<bool>;

    /// Removes a schedule of the event's tenant with what is known of its runs; a live task goes on. Returns whether the
    /// tenant has it; then the event is recorded in the same transaction.
    async fn remove_schedule(&self, id: &ScheduleId, event: &AuditEvent) -> Result<bool>;

    /// The last runs of a schedule, the last due first, at most `limit`.
    async fn runs_of(&self, tenant: &TenantId, id: &ScheduleId, limit: u32) -> Result<Vec<ScheduledRun>>;

    /// Makes the run of one schedule, of any tenant, whose time has come ([`ScheduledEntry::falls_due`]), and sets its next
    /// time, in one transaction. While an earlier run of the schedule goes on, the new one is skipped. `None` where no
    /// schedule is due.
    async fn fall_due(&self, now: DateTime<Utc>) -> Result<Option<ScheduledRun>>;

    /// Makes a run now, whatever the schedule says, and records the event in the same transaction. `NotFound` where the
    /// event's tenant has no such schedule; `Invalid` while a run of it goes on.
    async fn run_schedule(
        &self,
        id: &ScheduleId,
        fallen: FallenDue,
        event: &AuditEvent,
    ) -> Result<ScheduledRun>;

    /// Takes a live run whose time to look at it has come, and keeps other nodes from it for `lease`.
    async fn claim_run(&self, now: DateTime<Utc>, lease: Duration) -> Result<Option<RunClaim>>;

    /// Keeps other nodes from a run for `lease` from now. Returns whether the claim still held.
    async fn renew_run(&self, claim: &RunClaim, now: DateTime<Utc>, lease: Duration) -> Result<bool>;

    /// Keeps what a node found out about its run. Returns whether the claim still held: if not, nothing was changed. If the
    /// run ends with it, the notifications that its schedule asks for are kept in the same transaction.
    async fn step_run(&self, claim: &RunClaim, step: &RunStep, now: DateTime<Utc>) -> Result<bool>;
}

/// Notifications ([`crate::notification`]) that wait, were sent or were given up. What ends a task or a run of a schedule
/// keeps them, in its transaction.
#[async_trait]
pub trait NotificationStore: Send + Sync {
    /// Takes a waiting notification whose time has come, counts an attempt, and keeps other nodes from it for `lease`.
    async fn claim_notification(
        &self,
        now: DateTime<Utc>,
        lease: Duration,
    ) -> Result<Option<NotificationClaim>>;

    /// Keeps what became of an attempt. Returns whether the claim still held: if not, nothing was changed. The event of one
    /// that is given up ([`NotificationClaim::failure_event`]) is recorded in the same transaction.
    async fn step_notification(
        &self,
        claim: &NotificationClaim,
        step: &DeliveryStep,
        now: DateTime<Utc>,
    ) -> Result<bool>;

    /// The last notifications of a tenant, or of one of its clients, the last one first, at most `limit`.
    async fn notifications(
        &self,
        tenant: &TenantId,
        client: Option<&ClientId>,
        limit: u32,
    ) -> Result<Vec<Notification>>;

    /// The notification with this id in this tenant.
    async fn notification(&self, tenant: &TenantId, id: &str) -> Result<Option<Notification>>;

    /// Lets a notification of the event's tenant that was given up wait again, with all of its attempts. Returns whether it
    /// had been given up; then the event is recorded in the same transaction.
    async fn retry_notification(&self, id: &str, event: &AuditEvent) -> Result<bool>;
}
