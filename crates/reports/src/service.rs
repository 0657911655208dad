//! The use cases: start, result, open, cancel. Rights are checked here, first, for every interface.

mod administration;
mod definitions;
mod history;
mod notifications;
mod recipients;
mod result_lives;
mod reviews;
mod saved_searches;
mod scheduled_searches;
mod schedules;
mod snapshots;
mod sod;
mod sod_prediction;
mod sod_schedules;
mod start_checks;
mod start_remarks;
mod task_status;
mod visibility;

pub use administration::{AUDIT_PAGE_MAX, Administration, REFUSED_PAGE_MAX, SeenTrail};
pub use definitions::{Definitions, added};
pub use history::EventSpan;
pub use notifications::{Notifications, not_failed};
pub use reviews::{Decided, Imported, Reviews, SeenReview, WantedDecision, WantedHandOver};
pub use saved_searches::{Execution, SavedSearches};
pub use scheduled_searches::{ScheduledSearchQuery, SearchSchedule};
pub use schedules::{ScheduledStart, Schedules};
pub use snapshots::SeenSnapshots;
pub use sod::{SodPolicies, ViolationReport};
pub use sod_prediction::{PredictedAccess, PredictedViolation, SodCheck, WantedAccess};
pub use sod_schedules::PolicySchedule;
pub use task_status::ClearedAs;

use crate::arguments::{Arguments, RawArguments, UnknownNames};
use crate::audit::{AuditEvent, AuditOperation};
use crate::caller::{Caller, Operation};
use crate::definition::{Catalogue, ReportDefinition};
use crate::error::{Error, Result};
use crate::ids::{ReportId, TaskDefinitionId, TaskId};
use crate::kind::{FileFormat, ReportKind};
use crate::message::Message;
use crate::metric;
use crate::notify::{Notify, NotifyPolicy, Wish, check_attached};
use crate::ports::{
    AuditTrail, Cancelled, Clock, DocumentSearcher, IdentityHistory, Ids, QueryLanguage, RefreshLog,
    ResultOrder, ResultRetention, ReviewStore, SnapshotCatalogue, SodPolicyStore, TaskStore,
};
use crate::result_life::ResultPolicy;
use crate::retention::AsOf;
use crate::series;
use crate::snapshot::SnapshotManifest;
use crate::task::{NewTask, PublishedFile, Task, TaskState, dedup_key, task_definition_id};
use crate::task_list::{TaskQuery, VisibleTasks};
use chrono::{DateTime, TimeDelta};
use start_checks::{check_formats, check_sources, find_named_sources};
use std::sync::Arc;

/// Most tasks that a list of results reads.
pub const LISTED_MAX: u32 = 100;

/// Limits of the use cases.
#[derive(Debug, Clone)]
pub struct Limits {
    /// A task that has not ended this long after its start fails.
    pub task_deadline: TimeDelta,
    /// A source whose last complete aggregation is older than this makes a report warn.
    pub stale_after: TimeDelta,
    /// Every download is recorded, asked for or not.
    pub audit_every_download: bool,
    /// Where the trail is passed on: a download that is to be recorded is refused while more events than this wait.
    pub audit_backlog_max: Option<u64>,
    /// How long the files of results are kept.
    pub results: ResultPolicy,
    /// Which notifications may be asked for.
    pub notify: NotifyPolicy,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            task_deadline: TimeDelta::hours(6),
            stale_after: TimeDelta::days(7),
            audit_every_download: false,
            audit_backlog_max: None,
            results: ResultPolicy::default(),
            notify: NotifyPolicy::default(),
        }
    }
}

/// The use cases over the ports.
pub struct Reports {
    /// The reports there are.
    pub catalogue: Catalogue,
    /// Tasks.
    pub tasks: Arc<dyn TaskStore>,
    /// How long files of results are kept.
    pub retention: Arc<dyn ResultRetention>,
    /// Refreshes, for the list of tasks.
    pub refreshes: Arc<dyn RefreshLog>,
    /// Snapshots.
    pub snapshots: Arc<dyn SnapshotCatalogue>,
    /// Access reviews, which some reports read.
    pub reviews: Arc<dyn ReviewStore>,
    /// Policies for separation of duties, which a report about them reads.
    pub policies: Arc<dyn SodPolicyStore>,
    /// Audit trail.
    pub audit: Arc<dyn AuditTrail>,
    /// The search language.
    pub queries: Arc<dyn QueryLanguage>,
    /// Searches that are answered at once.
    pub documents: Arc<dyn DocumentSearcher>,
    /// What kept snapshots have of identities.
    pub history: Arc<dyn IdentityHistory>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids.
    pub ids: Arc<dyn Ids>,
    /// Limits.
    pub limits: Limits,
}

/// A file that a caller may read now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// The task it belongs to.
    pub task: Task,
    /// The file.
    pub file: PublishedFile,
}

impl Reports {
    /// Starts a published kind (start-report); an equal live task is returned instead. An argument that does not
    /// exist is a warning of the result.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid` for arguments; `NotFound` before the first snapshot.
    pub async fn start_kind(&self, caller: &Caller, kind: ReportKind, raw: &RawArguments) -> Result<Task> {
        let how = Start { unknown: UnknownNames::Warn, ..Start::of(Operation::Start) };
        self.start(caller, &ReportId::new(kind.as_str()), raw, how).await
    }

    /// Starts a report by its definition id, built-in or custom, over the newest snapshot or a past one. An argument
    /// that does not exist is refused. The recipients of `notify` are told how the task ends, also where an equal live task
    /// is returned.
    ///
    /// A task over a past snapshot is another one than that over the newest, also where both read the same: its
    /// definition's id and its key name the snapshot.
    ///
    /// # Errors
    /// As [`Reports::start_kind`]; `Invalid` for an entry of `notify` that the settings do not allow; `NotFound` for an id
    /// without a definition, for a source, a policy or a review that is not there, and where no such snapshot is or its data is
    /// not kept any more.
    pub async fn start_definition(
        &self,
        caller: &Caller,
        report: &ReportId,
        raw: &RawArguments,
        as_of: Option<&AsOf>,
        notify: &[Notify],
    ) -> Result<Task> {
        let how = Start { as_of, notify, ..Start::of(Operation::Start) };
        self.start(caller, report, raw, how).await
    }

    /// The definition of a report, the arguments that fit it, and what a reader must know of their names.
    async fn checked(
        &self,
        report: &ReportId,
        raw: &RawArguments,
        unknown: UnknownNames,
    ) -> Result<(Arc<ReportDefinition>, Arguments, Vec<Message>)> {
        let definition = self.catalogue.definition(report)?;
        let (arguments, about_names) = definition.check_arguments(raw, unknown)?;
        self.check_query(&definition, &arguments).await?;
        Ok((definition, arguments, about_names))
    }

    async fn start(
        &self,
        caller: &Caller,
        report: &ReportId,
        raw: &RawArguments,
        Start { operation, unknown, as_of, id, note, notify }: Start<'_>,
    ) -> Result<Task> {
        self.authorise(caller, operation)?;
        self.check_notify(caller, notify)?;
        let scope = caller.scope_with_rows()?;
        if let Some(limits) = caller.auditor() {
            limits.check_report(report)?;
        }
        let raw = &*self.with_kept_policies(&caller.tenant, report, raw).await?;
        let (definition, mut arguments, about_names) = self.checked(report, raw, unknown).await?;
        let definition = &*definition;
        let snapshot = self.snapshot_for(caller, as_of).await?;
        if let Some(limits) = caller.auditor() {
            limits.check_snapshot(snapshot.created)?;
        }
        // The published operation expects ids.
        if unknown == UnknownNames::Refuse {
            find_named_sources(definition, &mut arguments, &snapshot, &scope);
        }
        let (snapshots, reviews, tenant) = (&*self.snapshots, &*self.reviews, &caller.tenant);
        let begins =
            series::settle(snapshots, reviews, tenant, definition, &mut arguments, &snapshot).await?;
        if let (Some(limits), Some(begins)) = (caller.auditor(), begins) {
            limits.check_snapshot(begins)?;
        }
        let now = self.clock.now();
        let mut messages: Vec<_> = note.into_iter().chain(about_names.clone()).collect();
        messages.extend(check_sources(definition, &arguments, &snapshot, &scope, unknown)?);
        messages.extend(check_formats(definition, &arguments)?);
        check_attached(notify, &definition.formats_wanted(&arguments))?;
        messages.extend(self.source_warnings(definition, &arguments, &snapshot, &scope));
        let past = as_of.map(|_| &snapshot.id);
        let task_definition = task_definition_id(&caller.tenant, definition, &arguments, &scope, past);
        let id = id.unwrap_or_else(|| TaskId::new(self.ids.fresh()));
        // The definition's id is made of report and arguments, which the task keeps.
        let details = format!("definition {task_definition}");
        let event = self.event(caller, AuditOperation::Start, &id, &definition.name, details);
        let wishes = notify.iter().cloned().map(|notify| Wish { client: caller.client.clone(), notify });
        let new = NewTask {
            id,
            event: Some(event),
            tenant: caller.tenant.clone(),
            dedup_key: dedup_key(&task_definition, &scope),
            definition: task_definition,
            report: definition.id.clone(),
            name: definition.name.clone(),
            description: definition.description.clone(),
            parent: definition.parent.clone(),
            arguments,
            requester: Caller { data_scope: scope, ..caller.clone() },
            snapshot: snapshot.id.clone(),
            messages,
            created: now,
            deadline: now + self.limits.task_deadline,
            notify: wishes.collect(),
        };
        let mut task = self.tasks.start(new).await?.task();
        // It may have been started over the snapshot before.
        if !self.is_visible(caller, &task).await? {
            return Err(Error::unavailable(format!(
                "the same report is running over another snapshot than {}, outside of the auditor's period: start it when \
                 that run has ended",
                snapshot.id
            )));
        }
        // An equal task that runs already may be another caller's, who wrote no such name.
        for message in about_names {
            if !task.messages.contains(&message) {
                task.messages.push(message);
            }
        }
        Ok(task)
    }

    /// Whether this caller may do `operation` now.
    ///
    /// # Errors
    /// `Forbidden`, saying what is missing, or when an auditor's access has ended.
    pub fn authorise(&self, caller: &Caller, operation: Operation) -> Result<()> {
        caller.check_end(self.clock.now())?;
        caller.authorise(operation)
    }

    /// Whether the caller may have these recipients told.
    fn check_notify(&self, caller: &Caller, notify: &[Notify]) -> Result<()> {
        self.limits.notify.check(notify)?;
        // What an auditor reads is for him alone.
        if caller.auditor().is_some() && !notify.is_empty() {
            return Err(Error::forbidden("an auditor may not have others told: expected no notify"));
        }
        // Who attaches a file passes its rows on.
        match notify.iter().any(|entry| entry.attach.is_some()) {
            true => self.authorise(caller, Operation::Download),
            false => Ok(()),
        }
    }

    /// The snapshot that a start reads.
    async fn snapshot_for(&self, caller: &Caller, as_of: Option<&AsOf>) -> Result<Arc<SnapshotManifest>> {
        let Some(as_of) = as_of else {
            return self.snapshots.newest(&caller.tenant).await?.ok_or_else(|| {
                // Not `Unavailable`: clients repeat such a start, and waiting does not help.
                Error::not_found(
                    "there is no snapshot to report on yet: an administrator has to add sources and to refresh first",
                )
            });
        };
        let found = self.snapshots.as_of(&caller.tenant, as_of).await?.ok_or_else(|| {
            Error::not_found(match as_of {
                AsOf::Snapshot(id) => format!("there is no snapshot {:?}", id.as_str()),
                AsOf::Moment(time) => format!("there was no snapshot yet at {}", time.to_rfc3339()),
            })
        })?;
        found.readable()
    }

    /// The task of a task result id or a task definition id (get-report-result). `None` where there is none.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn result(&self, caller: &Caller, id: &str, completed: bool) -> Result<Option<Task>> {
        self.authorise(caller, Operation::ReadResult)?;
        if let Some(task) = self.task(caller, &TaskId::new(id)).await? {
            return Ok(Some(task));
        }
        let order = if completed { ResultOrder::CompletedFirst } else { ResultOrder::CreatedLast };
        // All tasks of one definition have one data scope: it is part of the definition's id.
        let task = self.tasks.task_of_definition(&caller.tenant, &TaskDefinitionId::new(id), order).await?;
        self.if_visible(caller, task).await
    }

    /// The tasks that were accepted last and that the caller may see, the last of all first: of the last [`LISTED_MAX`] of
    /// the tenant; for an auditor, the last [`LISTED_MAX`] of those that he may see.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn last(&self, caller: &Caller) -> Result<Vec<Task>> {
        self.authorise(caller, Operation::ReadResult)?;
        let scope = caller.scope();
        if let Some(limits) = caller.auditor() {
            let query = TaskQuery { limit: LISTED_MAX, ..TaskQuery::default() };
            let auditor = Some(limits.clone());
            let since = DateTime::UNIX_EPOCH;
            let wanted = VisibleTasks { query, scope, auditor, since, source_arguments: Vec::new() };
            return Ok(self.tasks.list(&caller.tenant, &wanted).await?.tasks);
        }
        let tasks = self.tasks.last_tasks(&caller.tenant, LISTED_MAX).await?;
        Ok(tasks.into_iter().filter(|task| scope.covers(&task.requester.data_scope)).collect())
    }

    /// A task of the caller's tenant that the caller may see. What it may not see is not there.
    async fn task(&self, caller: &Caller, id: &TaskId) -> Result<Option<Task>> {
        let task = self.tasks.task(&caller.tenant, id).await?;
        self.if_visible(caller, task).await
    }

    async fn if_visible(&self, caller: &Caller, task: Option<Task>) -> Result<Option<Task>> {
        match task {
            Some(task) if self.is_visible(caller, &task).await? => Ok(Some(task)),
            Some(_) | None => Ok(None),
        }
    }

    /// The file of an ended task (get-report). With `auditable`, the event is durable when this returns.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` with what is missing; `Internal` when the event could not be recorded.
    pub async fn open(
        &self,
        caller: &Caller,
        id: &TaskId,
        format: FileFormat,
        auditable: bool,
    ) -> Result<Download> {
        let task = self.ended(caller, Operation::Download, id).await?;
        self.file_of(caller, task, format, auditable).await
    }

    /// The file of a task that the caller may download from.
    async fn file_of(
        &self,
        caller: &Caller,
        task: Task,
        format: FileFormat,
        auditable: bool,
    ) -> Result<Download> {
        self.refuse_expired(&task).await?;
        let id = &task.id;
        let files = task.result.as_ref().map_or(&[][..], |result| &result.files);
        let Some(file) = files.iter().find(|file| file.format == format).cloned() else {
            let text = match (task.state, files) {
                (TaskState::Terminated, _) => format!("report result {id} was cancelled: it has no file"),
                (_, []) => format!("report result {id} failed{}: it has no file", task.failure_reason()),
                (_, files) => {
                    let formats: Vec<_> = files.iter().map(|f| f.format.as_str()).collect();
                    format!("report result {id} has no {format} file: it has {}", formats.join(", "))
                }
            };
            return Err(Error::not_found(text));
        };
        if auditable || self.limits.audit_every_download {
            self.record_download(caller, &task, format!("{format} sha-256 {}", file.sha256)).await?;
        }
        Ok(Download { task, file })
    }

    /// The task of a result, for its evidence package.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` with what is missing.
    pub async fn evidence(&self, caller: &Caller, id: &TaskId) -> Result<Task> {
        let task = self.ended(caller, Operation::Download, id).await?;
        self.refuse_expired(&task).await?;
        match (&task.result, task.state) {
            (Some(_), _) => Ok(task),
            (None, TaskState::Terminated) => {
                Err(Error::not_found(format!("report result {id} was cancelled: it has no evidence package")))
            }
            (None, _) => {
                let why = task.failure_reason();
                Err(Error::not_found(format!("report result {id} failed{why}: it has no evidence package")))
            }
        }
    }

    /// Records that an evidence package of `task` goes to `caller`. The event is durable when this returns.
    ///
    /// # Errors
    /// `Internal` when the event could not be recorded.
    pub async fn record_evidence(&self, caller: &Caller, task: &Task, sha256: &str) -> Result<()> {
        self.record_download(caller, task, format!("evidence package sha-256 {sha256}")).await
    }

    /// Records that `caller` was refused something; `details` say what and why.
    ///
    /// # Errors
    /// `Internal` when the event could not be recorded.
    pub async fn record_refusal(&self, caller: &Caller, details: String) -> Result<()> {
        let event = self.event(caller, AuditOperation::Refused, &TaskId::new(""), "", details);
        self.audit.record(&event).await
    }

    /// The CSV files of two runs of one report, to be compared.
    ///
    /// # Errors
    /// As [`Reports::open`]; `Invalid` where they are runs of different reports, or have archives.
    pub async fn compare(&self, caller: &Caller, old: &TaskId, new: &TaskId) -> Result<(Download, Download)> {
        let old = self.open(caller, old, FileFormat::Csv, false).await?;
        let new = self.open(caller, new, FileFormat::Csv, false).await?;
        if old.task.report != new.task.report {
            return Err(Error::invalid(format!(
                "report result {} is of {}, report result {} is of {}: expected two runs of one report",
                old.task.id, old.task.report, new.task.id, new.task.report
            )));
        }
        for download in [&old, &new] {
            if download.file.extension != FileFormat::Csv.extension() {
                return Err(Error::invalid(format!(
                    "report result {} is an archive of CSV files, which cannot be compared: expected one CSV file; the \
                     files in two archives can be compared by `muster report compare`",
                    download.task.id
                )));
            }
        }
        Ok((old, new))
    }

    /// Records that what differs between two runs goes to `caller`, for both of them. The events are durable when
    /// this returns.
    ///
    /// # Errors
    /// `Internal` when an event could not be recorded.
    pub async fn record_comparison(
        &self,
        caller: &Caller,
        old: &Task,
        new: &Task,
        sha256: Option<&str>,
    ) -> Result<()> {
        let what = sha256.map_or_else(|| "counts".to_owned(), |sha256| format!("sha-256 {sha256}"));
        let as_old = format!("comparison with the later {}: {what}", new.id);
        self.record_download(caller, old, as_old).await?;
        self.record_download(caller, new, format!("comparison with the earlier {}: {what}", old.id)).await
    }

    /// A task that has ended and that the caller may see, if it may do `operation`.
    async fn ended(&self, caller: &Caller, operation: Operation, id: &TaskId) -> Result<Task> {
        self.authorise(caller, operation)?;
        match self.task(caller, id).await? {
            None => Err(Error::not_found(format!("there is no report result {:?}", id.as_str()))),
            Some(task) if task.state.is_live() => {
                Err(Error::not_found(format!("report result {id} has not ended yet")))
            }
            Some(task) => Ok(task),
        }
    }

    async fn record_download(&self, caller: &Caller, task: &Task, details: String) -> Result<()> {
        if let Some(backlog_max) = self.limits.audit_backlog_max
            && self.audit.backlog(&caller.tenant).await? >= backlog_max
        {
            metrics::counter!(metric::LIMITS.name, "limit" => "audit_backlog").increment(1);
            return Err(Error::unavailable(format!(
                "{backlog_max} audit events wait to be passed on: expected fewer before another download is recorded"
            )));
        }
        let event = self.event(caller, AuditOperation::Download, &task.id, &task.name, details);
        self.audit.record(&event).await
    }

    /// What `caller` does now, for the audit trail.
    fn event(
        &self,
        caller: &Caller,
        operation: AuditOperation,
        task: &TaskId,
        report: &str,
        details: String,
    ) -> AuditEvent {
        AuditEvent {
            id: self.ids.fresh(),
            at: self.clock.now(),
            operation,
            caller: caller.clone(),
            task: task.clone(),
            report: report.into(),
            details,
        }
    }

    /// Cancels a live task (cancel-report).
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for an unknown id; `Invalid` for a task that ended otherwise.
    pub async fn cancel(&self, caller: &Caller, id: &TaskId) -> Result<()> {
        caller.authorise(Operation::Cancel)?;
        // Whose rows a task has never changes, so that nothing can come in between.
        let cancelled = match self.task(caller, id).await? {
            None => Cancelled::Unknown,
            Some(task) => {
                let event = self.event(caller, AuditOperation::Cancel, id, &task.name, String::new());
                self.tasks.cancel(&event, None).await?
            }
        };
        match cancelled {
            Cancelled::Now | Cancelled::Before => Ok(()),
            Cancelled::TooLate(state) => Err(Error::invalid(format!(
                "report {id} cannot be cancelled: it has ended already ({})",
                state.as_str()
            ))),
            Cancelled::Unknown => Err(Error::not_found(format!("there is no report {:?}", id.as_str()))),
        }
    }
}

/// How a report is started.
struct Start<'a> {
    /// The operation that the caller must be allowed.
    operation: Operation,
    unknown: UnknownNames,
    as_of: Option<&'a AsOf>,
    /// The id of a new task; a fresh one if there is none.
    id: Option<TaskId>,
    /// The first message of a new task.
    note: Option<Message>,
    /// Who is told how it ends.
    notify: &'a [Notify],
}

impl Start<'_> {
    /// A start over the newest snapshot that refuses unknown arguments.
    fn of(operation: Operation) -> Self {
        Self { operation, unknown: UnknownNames::Refuse, as_of: None, id: None, note: None, notify: &[] }
    }
}
