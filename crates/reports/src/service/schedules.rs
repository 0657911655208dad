//! Schedules: making them, and what may be done with them.
//!
//! A caller sees and changes the schedules of its own credential; an administrator of the organisation sees and changes
//! all of the tenant. Schedules that make refreshes are made on the data directory only, where the rights are those of the
//! operating system.

use super::{Reports, Start, check_formats};
use crate::arguments::{RawArguments, UnknownNames};
use crate::audit::{AuditEvent, AuditOperation};
use crate::caller::{Caller, Operation};
use crate::error::{Error, Result, shown};
use crate::ids::{ReportId, ScheduleId, TaskId};
use crate::message::Message;
use crate::notify::{Notify, check_attached};
use crate::ports::{Credentials, ScheduleStore};
use crate::scheduled::{FallenDue, NewSchedule, ScheduledEntry, ScheduledRun, ScheduledWork};
use crate::task::Task;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use std::sync::Arc;

/// The use cases of schedules.
pub struct Schedules {
    /// Reports, which are scheduled.
    pub reports: Arc<Reports>,
    /// Schedules.
    pub store: Arc<dyn ScheduleStore>,
    /// Credentials, which own schedules.
    pub credentials: Arc<dyn Credentials>,
    /// The time zone of schedules that name none.
    pub zone: Tz,
}

impl Schedules {
    /// Makes a schedule whose owner is the caller.
    ///
    /// # Errors
    /// `Forbidden`, also for a refresh, and for a caller with a token of an external issuer; `Invalid` for the times, an
    /// argument, a recipient that the settings do not allow, or a name that is taken; `NotFound` for the report and a policy.
    pub async fn create(&self, caller: &Caller, new: NewSchedule) -> Result<ScheduledEntry> {
        caller.authorise(Operation::ManageSchedules)?;
        if new.work.refreshes() {
            return Err(Error::forbidden("a schedule that makes a refresh is made by `muster schedule add`"));
        }
        self.check_owner(caller).await?;
        if let ScheduledWork::Report { report, arguments, .. } = &new.work {
            let raw: RawArguments =
                arguments.iter().map(|(name, value)| (name.clone(), value.into())).collect();
            self.reports.check_start(caller, report, &raw, &new.notify).await?;
        }
        self.reports.check_notify(caller, &new.notify)?;
        let (clock, ids) = (&self.reports.clock, &self.reports.ids);
        // The trace is that of this request.
        let owner = Caller { trace: None, ..caller.clone() };
        let entry = new.entry(ScheduleId::new(ids.fresh()), owner, self.zone, clock.now())?;
        let event = self.event(caller, &entry, format!("schedule added: {}", entry.form));
        self.store.add_schedule(&entry, &event).await?;
        Ok(entry)
    }

    /// The schedules that the caller may see, by name.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn list(&self, caller: &Caller) -> Result<Vec<ScheduledEntry>> {
        caller.authorise(Operation::ReadSchedules)?;
        let all = self.store.schedules(&caller.tenant).await?;
        Ok(all.into_iter().filter(|entry| is_visible(caller, entry)).collect())
    }

    /// One schedule, and its last runs, the last due first.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`.
    pub async fn show(
        &self,
        caller: &Caller,
        id: &ScheduleId,
        runs: u32,
    ) -> Result<(ScheduledEntry, Vec<ScheduledRun>)> {
        caller.authorise(Operation::ReadSchedules)?;
        let entry = self.find(caller, id).await?;
        let runs = self.store.runs_of(&caller.tenant, id, runs).await?;
        Ok((entry, runs))
    }

    /// Pauses a schedule, or lets it go on from now. Returns it as it is then.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`.
    pub async fn pause(&self, caller: &Caller, id: &ScheduleId, paused: bool) -> Result<ScheduledEntry> {
        caller.authorise(Operation::ManageSchedules)?;
        let entry = self.find(caller, id).await?;
        let due = entry.due_if(paused, self.reports.clock.now());
        let done = if paused { "schedule paused" } else { "schedule resumed" };
        let event = self.event(caller, &entry, done.into());
        if !self.store.pause_schedule(id, paused, due, &event).await? {
            return Err(absent(id));
        }
        Ok(ScheduledEntry { paused, due, ..entry })
    }

    /// Makes a run of a schedule now, also of a paused one.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Invalid` while a run of it goes on.
    pub async fn run(&self, caller: &Caller, id: &ScheduleId) -> Result<ScheduledRun> {
        caller.authorise(Operation::ManageSchedules)?;
        let entry = self.find(caller, id).await?;
        self.run_entry(caller, &entry).await
    }

    /// Makes a run of a schedule now. The caller has the right.
    pub(super) async fn run_entry(&self, caller: &Caller, entry: &ScheduledEntry) -> Result<ScheduledRun> {
        let fallen = FallenDue { due: whole_micros(self.reports.clock.now()), missed_since: None };
        let event = self.event(caller, entry, "schedule run by hand".into());
        self.store.run_schedule(&entry.id, fallen, &event).await
    }

    /// Removes a schedule.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`.
    pub async fn remove(&self, caller: &Caller, id: &ScheduleId) -> Result<()> {
        caller.authorise(Operation::ManageSchedules)?;
        let entry = self.find(caller, id).await?;
        let event = self.event(caller, &entry, "schedule removed".into());
        match self.store.remove_schedule(id, &event).await? {
            true => Ok(()),
            false => Err(absent(id)),
        }
    }

    /// Whether a schedule can be the caller's: its rights must be known at each run.
    pub(super) async fn check_owner(&self, caller: &Caller) -> Result<()> {
        let credential = self.credentials.credential(&caller.client).await?;
        match credential.filter(|credential| credential.caller.tenant == caller.tenant) {
            Some(_) => Ok(()),
            None => Err(Error::forbidden(
                "the token is of an external issuer: expected a client of this service, whose rights can be looked up \
                 at each run",
            )),
        }
    }

    async fn find(&self, caller: &Caller, id: &ScheduleId) -> Result<ScheduledEntry> {
        let all = self.store.schedules(&caller.tenant).await?;
        let found = all.into_iter().find(|entry| entry.id == *id && is_visible(caller, entry));
        found.ok_or_else(|| absent(id))
    }

    pub(super) fn event(&self, caller: &Caller, entry: &ScheduledEntry, details: String) -> AuditEvent {
        let operation = AuditOperation::ConfigurationChanged;
        self.reports.event(caller, operation, &TaskId::new(""), entry.shown_name(), details)
    }
}

impl Reports {
    /// Starts a report over the newest snapshot as the task with this id, unless there is this task already; an equal live
    /// task is returned instead. `note` is the first message of a new task.
    ///
    /// # Errors
    /// As [`Reports::start_definition`].
    pub async fn start_scheduled(
        &self,
        caller: &Caller,
        work: ScheduledStart<'_>,
        id: &TaskId,
        note: Message,
    ) -> Result<Task> {
        if let Some(task) = self.tasks.task(&caller.tenant, id).await? {
            return Ok(task);
        }
        // Who is told of a scheduled run follows from the run's end, which several tasks may lead to.
        let how = Start { id: Some(id.clone()), note: Some(note), ..Start::of(work.operation) };
        self.start(caller, work.report, work.arguments, how).await
    }

    /// Checks what can be checked of a later start: the right, the report, and the arguments.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for the report and a policy; `Invalid` for an argument, or a file to attach.
    pub async fn check_start(
        &self,
        caller: &Caller,
        report: &ReportId,
        raw: &RawArguments,
        notify: &[Notify],
    ) -> Result<()> {
        self.authorise(caller, Operation::Start)?;
        caller.scope_with_rows()?;
        let raw = &*self.with_kept_policies(&caller.tenant, report, raw).await?;
        let (definition, arguments, _) = self.checked(report, raw, UnknownNames::Refuse).await?;
        check_formats(&definition, &arguments)?;
        check_attached(notify, &definition.formats_wanted(&arguments))
    }
}

/// What a run of a schedule starts.
#[derive(Debug, Clone, Copy)]
pub struct ScheduledStart<'a> {
    /// The operation that the owner must be allowed at the time of the run.
    pub operation: Operation,
    /// The report.
    pub report: &'a ReportId,
    /// Its arguments.
    pub arguments: &'a RawArguments,
}

/// A time as every store keeps it.
fn whole_micros(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap_or(time)
}

fn is_visible(caller: &Caller, entry: &ScheduledEntry) -> bool {
    entry.owner.client == caller.client || caller.administers()
}

fn absent(id: &ScheduleId) -> Error {
    Error::not_found(format!("there is no schedule {}", shown(id.as_str())))
}
