//! Notifications: reading them, and sending one again that was given up.
//!
//! A caller sees the notifications that its own credential asked for; an administrator of the organisation sees all of the
//! tenant. The rights are those of schedules.

use super::{LISTED_MAX, Reports};
use crate::audit::AuditOperation;
use crate::caller::{Caller, Operation};
use crate::error::{Error, Result, shown};
use crate::ids::TaskId;
use crate::notification::Notification;
use crate::ports::NotificationStore;
use std::sync::Arc;

/// The use cases of notifications.
pub struct Notifications {
    /// Reports, of whose ends somebody is told.
    pub reports: Arc<Reports>,
    /// Notifications.
    pub store: Arc<dyn NotificationStore>,
}

impl Notifications {
    /// The last [`LISTED_MAX`] notifications that the caller may see, the last one first.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn list(&self, caller: &Caller) -> Result<Vec<Notification>> {
        caller.authorise(Operation::ReadSchedules)?;
        let of = if caller.administers() { None } else { Some(&caller.client) };
        self.store.notifications(&caller.tenant, of, LISTED_MAX).await
    }

    /// Lets a notification that was given up be delivered again. Returns it as it is then.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Invalid` for one that was not given up.
    pub async fn retry(&self, caller: &Caller, id: &str) -> Result<Notification> {
        caller.authorise(Operation::ManageSchedules)?;
        let kept = self.find(caller, id).await?;
        let event = self.reports.event(
            caller,
            AuditOperation::ConfigurationChanged,
            kept.notice.data.task_result_id.as_ref().unwrap_or(&TaskId::new("")),
            &kept.notice.data.name,
            format!("notification {id} sent again by hand"),
        );
        if !self.store.retry_notification(id, &event).await? {
            return Err(not_failed(&kept));
        }
        self.find(caller, id).await
    }

    async fn find(&self, caller: &Caller, id: &str) -> Result<Notification> {
        let found = self.store.notification(&caller.tenant, id).await?;
        let found = found.filter(|kept| kept.client == caller.client || caller.administers());
        found.ok_or_else(|| Error::not_found(format!("there is no notification {}", shown(id))))
    }
}

/// The refusal to send one again that was not given up.
pub fn not_failed(kept: &Notification) -> Error {
    Error::invalid(format!("notification {} is {}: expected one that failed", kept.id, kept.state.as_str()))
}
