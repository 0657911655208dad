//! What the use cases and the worker need of the world outside; joined in the `muster` binary.
//!
//! Every adapter of a port passes the same contract suite (in `testkit`), the in-memory fake included.

mod definitions;
mod identity_history;
mod inspection;
mod reviews;
mod schedules;
mod searching;
mod sod;

pub use definitions::{CustomReports, DefinitionStore};
pub use identity_history::IdentityHistory;
pub use inspection::{InstallationFacts, SnapshotInspector};
pub use reviews::{ReviewPopulations, ReviewSheets, ReviewStore, SheetForm};
pub use schedules::{NotificationStore, ScheduleStore};
pub use searching::{DocumentSearcher, QueryLanguage, SavedSearchStore};
pub use sod::SodPolicyStore;

use crate::audit::{AuditEvent, AuditRecord, ChainedEvent};
use crate::caller::{Caller, Period};
use crate::error::Result;
use crate::ids::{ClientId, SnapshotId, SourceId, TaskDefinitionId, TaskId, TenantId, WorkerId};
use crate::message::Message;
use crate::refreshes::Refresh;
use crate::result_life::{ExpiredResult, ResultFacts, ResultPolicy};
use crate::retention::{AsOf, CataloguedSnapshot, Pin, RetentionPolicy};
use crate::snapshot::SnapshotManifest;
use crate::task::{AttemptEnd, Claim, Lease, NewTask, Progress, PublishedFile, Task, TaskResult, TaskState};
use crate::task_list::{TaskPage, VisibleTasks};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The time.
pub trait Clock: Send + Sync {
    /// Now, in UTC.
    fn now(&self) -> DateTime<Utc>;
}

/// Fresh ids.
pub trait Ids: Send + Sync {
    /// 32 lower-case hex digits that nobody can guess.
    fn fresh(&self) -> String;
}

/// What a start led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// A new task was accepted.
    New(Task),
    /// An equal task is live; this is it.
    Live(Task),
}

impl Started {
    /// The task, new or not.
    pub fn task(self) -> Task {
        match self {
            Self::New(task) | Self::Live(task) => task,
        }
    }
}

/// What a cancel led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It was live and has ended now.
    Now,
    /// It had been cancelled before.
    Before,
    /// It had ended in this state.
    TooLate(TaskState),
    /// There is no such task in this tenant.
    Unknown,
}

/// Whether a lease still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// Renewed until this time.
    Held(DateTime<Utc>),
    /// Lost: cancelled, past its deadline, or taken by another worker. Stop and write nothing.
    Lost,
}

/// How results of one task definition are ordered (docs/contract.md, get-report-result).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultOrder {
    /// Ended ones first, the last ended first.
    CompletedFirst,
    /// The last created first.
    CreatedLast,
}

/// Tasks, kept so that no accepted one is lost and no worker without a lease changes one.
#[async_trait]
pub trait TaskStore: Send + Sync {
    /// Accepts `new`, or returns the live task with the same tenant and key. Durable when it returns. Its event, if
    /// it has one, is recorded in the same transaction, about whichever task that is; the wishes of `new` are that task's
    /// from then on.
    async fn start(&self, new: NewTask) -> Result<Started>;

    /// The task with this id in this tenant.
    async fn task(&self, tenant: &TenantId, id: &TaskId) -> Result<Option<Task>>;

    /// Terminates the event's task at the event's time, if it is live; with `failure` it fails instead, for that
    /// reason, which is recorded as in [`TaskStore::end_attempt`]. Then the event is recorded in the same transaction. A
    /// cancel wins over a retry and over a later finish.
    async fn cancel(&self, event: &AuditEvent, failure: Option<&Message>) -> Result<Cancelled>;

    /// The tasks of this tenant that were accepted last, the last of all first, at most `count`.
    async fn last_tasks(&self, tenant: &TenantId, count: u32) -> Result<Vec<Task>>;

    /// Part of the tasks of this tenant that `wanted` names. Their results have no cover: an empty text.
    async fn list(&self, tenant: &TenantId, wanted: &VisibleTasks) -> Result<TaskPage>;

    /// How many of the tasks of this tenant that `wanted` names are in each state that one of them is in. Order, offset and
    /// limit of its query do not count.
    async fn counts(&self, tenant: &TenantId, wanted: &VisibleTasks) -> Result<BTreeMap<TaskState, u64>>;

    /// The first task of a definition in the given order.
    async fn task_of_definition(
        &self,
        tenant: &TenantId,
        definition: &TaskDefinitionId,
        order: ResultOrder,
    ) -> Result<Option<Task>>;

    /// Takes the first in line ([`place_in_line`](crate::task::place_in_line)) of the due tasks (pending and due, or
    /// running with a lease that ran out), raises its epoch and counts an attempt. A task past its deadline or its last
    /// attempt fails instead and is not returned; that is recorded as in [`TaskStore::end_attempt`]. A pending task that was
    /// accepted or launched later than now, and a lease that ends later than any could, are due too: the clock was set back.
    async fn claim(&self, worker: &WorkerId, now: DateTime<Utc>, lease: Duration) -> Result<Option<Claim>>;

    /// As [`TaskStore::claim`], but takes only tasks that are expected to be short
    /// ([`SHORT_RUN`](crate::task::SHORT_RUN)). So a place that is kept for them is never held by a long one for long.
    async fn claim_short(
        &self,
        worker: &WorkerId,
        now: DateTime<Utc>,
        lease: Duration,
    ) -> Result<Option<Claim>>;

    /// Renews a lease and records progress; never past the deadline.
    async fn heartbeat(
        &self,
        lease: &Lease,
        progress: Progress,
        now: DateTime<Utc>,
        extend: Duration,
    ) -> Result<LeaseState>;

    /// Ends an attempt. Returns whether the lease still held: if not, nothing was changed. If the task ends with it, the
    /// event of that ([`crate::task::Task::ending`]) is recorded in the same transaction, and the notifications that its
    /// start asked for are kept ([`NotificationStore`]).
    async fn end_attempt(&self, lease: &Lease, end: AttemptEnd, now: DateTime<Utc>) -> Result<bool>;

    /// Returns when a task may have become due in this process, or after `at_most`.
    async fn work_or(&self, at_most: Duration);

    /// As [`TaskStore::work_or`], for one that claims short tasks. It is told of the same work as those that claim all.
    async fn short_work_or(&self, at_most: Duration);

    /// Returns when this task has been cancelled through this process, whichever end that was.
    async fn cancelled(&self, id: &TaskId);

    /// The stored names of all published files that were not removed after an expiry, for sweeping what no record names.
    async fn published_names(&self) -> Result<Vec<String>>;

    /// The attempts that a worker of any process holds now, as task and epoch: their files are not to be swept.
    async fn live_attempts(&self) -> Result<HashSet<(TaskId, u64)>>;
}

/// How long the files of results are kept ([`crate::result_life`]).
///
/// A hold and an expiry cannot happen at the same time, so that a result whose hold was acknowledged has its files.
#[async_trait]
pub trait ResultRetention: Send + Sync {
    /// What is known of the lives of these tasks' results; nothing of tasks without a result. Newer results are counted
    /// up to `keep_last`.
    async fn lives(
        &self,
        tenant: &TenantId,
        tasks: &[TaskId],
        keep_last: u32,
    ) -> Result<HashMap<TaskId, ResultFacts>>;

    /// Keeps the files of the event's task from expiring, or with `None` lets them expire again; a hold replaces the one
    /// before. The event is recorded in the same transaction. `NotFound` for a task without a result, and for a hold on
    /// files that have expired.
    async fn hold(&self, event: &AuditEvent, hold: Option<&Pin>) -> Result<()>;

    /// Lets the files of at most `limit` results expire that are due at `now` by `policy`, and returns the tasks. The
    /// event of each ([`crate::result_life::expiry_event`]) is recorded in the same transaction. The files are the
    /// caller's to remove, once this has returned.
    async fn expire_results(
        &self,
        tenant: &TenantId,
        policy: ResultPolicy,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<TaskId>>;

    /// At most `limit` results that had expired by `by` and whose files are not recorded as removed; of every tenant.
    async fn to_remove(&self, by: DateTime<Utc>, limit: u32) -> Result<Vec<ExpiredResult>>;

    /// Records that the files of an expired result are removed.
    async fn removed(&self, tenant: &TenantId, task: &TaskId, now: DateTime<Utc>) -> Result<()>;
}

/// Published snapshots.
#[async_trait]
pub trait SnapshotCatalogue: Send + Sync {
    /// Makes `manifest` the newest snapshot of the event's tenant, and records the event in the same transaction; the refresh
    /// that the event is about, if there is one, has succeeded with it ([`RefreshLog`]). Readers see all of the snapshot or
    /// none.
    async fn publish(&self, event: &AuditEvent, manifest: &SnapshotManifest) -> Result<()>;

    /// The newest snapshot.
    async fn newest(&self, tenant: &TenantId) -> Result<Option<Arc<SnapshotManifest>>>;

    /// The snapshot with this id, or the last published one that was made by a moment; expired ones too.
    async fn as_of(&self, tenant: &TenantId, as_of: &AsOf) -> Result<Option<CataloguedSnapshot>>;

    /// The snapshots that were made in `period`, or ever, the last published first, at most `limit`; expired ones too.
    async fn catalogued(
        &self,
        tenant: &TenantId,
        period: Option<Period>,
        limit: u32,
    ) -> Result<Vec<CataloguedSnapshot>>;

    /// Keeps a snapshot from expiring, or with `None` lets it expire again; a pin replaces the one before.
    /// `NotFound` for an unknown one, and for a pin on one that has expired.
    async fn pin(&self, tenant: &TenantId, id: &SnapshotId, pin: Option<&Pin>) -> Result<()>;

    /// The snapshots that `policy` would let expire now, the last published first. Changes nothing.
    async fn expiring(
        &self,
        tenant: &TenantId,
        policy: RetentionPolicy,
        now: DateTime<Utc>,
    ) -> Result<Vec<SnapshotId>>;

    /// Lets snapshots of the event's tenant expire as `policy` says at the event's time, and returns them, the last
    /// published first. If any expire, the event is recorded in the same transaction, with their ids as its details. The
    /// data is the caller's to remove, once this has returned.
    async fn expire(&self, event: &AuditEvent, policy: RetentionPolicy) -> Result<Vec<SnapshotId>>;

    /// The kept snapshots of a tenant, the last published first, at most `limit`.
    async fn kept_of(&self, tenant: &TenantId, limit: u32) -> Result<Vec<Arc<SnapshotManifest>>>;

    /// The manifests of all snapshots whose data must be kept, of every tenant: they share their tables.
    async fn kept(&self) -> Result<Vec<SnapshotManifest>>;

    /// How many snapshots of the tenant have expired. Their entries are kept for ever.
    async fn expired_count(&self, tenant: &TenantId) -> Result<usize>;
}

/// Refreshes as tasks of the list ([`crate::refreshes`]). That one has succeeded is kept by
/// [`SnapshotCatalogue::publish`].
#[async_trait]
pub trait RefreshLog: Send + Sync {
    /// Keeps a refresh that begins, for `lease` at first, and records the event in the same transaction. Refreshes that
    /// began longer ago than the list reaches are forgotten.
    async fn begin_refresh(&self, refresh: &Refresh, event: &AuditEvent, lease: Duration) -> Result<()>;

    /// Keeps how far a refresh is, and that it goes on for `lease` from now.
    async fn refresh_goes_on(
        &self,
        tenant: &TenantId,
        id: &TaskId,
        progress: Progress,
        now: DateTime<Utc>,
        lease: Duration,
    ) -> Result<()>;

    /// Fails the refresh of the event, and records the event in the same transaction.
    async fn fail_refresh(&self, message: &Message, event: &AuditEvent) -> Result<()>;

    /// The last refreshes of a tenant that began at `since` or later, at most
    /// [`REFRESHES_LISTED_MAX`](crate::refreshes::REFRESHES_LISTED_MAX), in any order. One that has not been heard of until
    /// `now` is interrupted.
    async fn refreshes(
        &self,
        tenant: &TenantId,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Refresh>>;
}

/// Makes refreshes for schedules.
#[async_trait]
pub trait Refresher: Send + Sync {
    /// Makes a refresh whose snapshot has this id, unless there is such a snapshot already.
    ///
    /// # Errors
    /// When nothing was published, with the reason.
    async fn refresh(&self, snapshot: &SnapshotId) -> Result<()>;
}

/// A credential as it is kept: the secret only as a keyed hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Who a token for it will be.
    pub caller: Caller,
    /// HMAC-SHA-256 of the secret under the service's key.
    pub secret_hmac: [u8; 32],
    /// Whether it may be used.
    pub enabled: bool,
    /// How long a token of it holds, in seconds (`accessTokenValiditySeconds`); the service's setting where there is
    /// none.
    pub token_lifetime_s: Option<u32>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// What it is for, as its maker put it.
    pub description: String,
}

/// Credentials of the token endpoint.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// Keeps a new credential, and records the event in the same transaction. `Invalid` when the client id is taken.
    async fn create(&self, credential: &Credential, event: &AuditEvent) -> Result<()>;

    /// The credential with this client id, in whichever tenant.
    async fn credential(&self, client: &ClientId) -> Result<Option<Credential>>;

    /// Every credential of the tenant, the oldest first.
    async fn credentials(&self, tenant: &TenantId) -> Result<Vec<Credential>>;

    /// Stops a credential from being used. Returns whether the event's tenant has it; then the event is recorded in the
    /// same transaction.
    async fn disable(&self, client: &ClientId, event: &AuditEvent) -> Result<bool>;
}

/// A source as an administrator registered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredSource {
    /// Its id.
    pub id: SourceId,
    /// Its name; unique in the tenant.
    pub name: String,
    /// Its definition, as the JSON text that the `sources` crate reads and writes.
    pub definition: String,
    /// The folder that relative paths in the definition start from.
    pub base_dir: String,
}

impl RegisteredSource {
    /// By what people name it.
    pub fn id_and_name(&self) -> (&str, &str) {
        (self.id.as_str(), &self.name)
    }
}

/// A link from an account to an identity that a person made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManualLink {
    /// The account's source.
    pub source: SourceId,
    /// The account's native identity.
    pub native_identity: String,
    /// The name (uid) of the identity.
    pub identity_name: String,
}

/// What administrators registered: sources and manual links.
#[async_trait]
pub trait Registry: Send + Sync {
    /// Adds sources to the event's tenant, or replaces those with their ids: all of them or none. They may exchange their
    /// names. The event is recorded in the same transaction. `Invalid` when another source has the name of one of them.
    async fn put_sources(&self, sources: &[RegisteredSource], event: &AuditEvent) -> Result<()>;

    /// Every source, by name.
    async fn sources(&self, tenant: &TenantId) -> Result<Vec<RegisteredSource>>;

    /// Removes a source of the event's tenant, and with `links` the manual links of its accounts; returns how many links
    /// were removed. The event is recorded in the same transaction. Snapshots keep what they have of the source until the
    /// next refresh. `Invalid` when there is no such source, and when it has links and they are to stay.
    async fn remove_source(&self, source: &SourceId, links: bool, event: &AuditEvent) -> Result<u64>;

    /// Adds links to the event's tenant in one step; a link of the same account is replaced. The event is recorded in the
    /// same transaction.
    async fn put_links(&self, links: &[ManualLink], event: &AuditEvent) -> Result<()>;

    /// Removes links of a source of the event's tenant: those of these native identities, or all. Returns how many there
    /// were. The event is recorded in the same transaction, if there was one.
    async fn remove_links(
        &self,
        source: &SourceId,
        native_identities: Option<&[String]>,
        event: &AuditEvent,
    ) -> Result<u64>;

    /// Every link, by source and native identity.
    async fn links(&self, tenant: &TenantId) -> Result<Vec<ManualLink>>;
}

/// How far a run is: written by the runner, read by the worker's heartbeat.
#[derive(Debug, Default)]
pub struct ProgressCell {
    rows: AtomicU64,
    /// Rows expected plus one; zero while unknown.
    expected: AtomicU64,
}

impl ProgressCell {
    /// Sets the rows expected.
    pub fn expect(&self, rows: u64) {
        self.expected.store(rows.saturating_add(1), Ordering::Relaxed);
    }

    /// Adds rows written.
    pub fn add(&self, rows: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// The progress now.
    pub fn get(&self) -> Progress {
        Progress {
            rows: self.rows.load(Ordering::Relaxed),
            rows_expected: self.expected.load(Ordering::Relaxed).checked_sub(1),
        }
    }
}

/// What a run leaves: files written and synced under their stored names, not yet published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOutcome {
    /// The result to publish.
    pub result: TaskResult,
    /// Messages to add; a warning makes the task `Warned`.
    pub messages: Vec<Message>,
}

/// Runs one claimed task: plans, writes, counts. Dropping the future stops the plan and removes
/// what was written.
#[async_trait]
pub trait ReportRunner: Send + Sync {
    /// Runs `claim` and reports through `progress`.
    ///
    /// # Errors
    /// `Unavailable` when another attempt may succeed; anything else ends the task.
    async fn run(&self, claim: &Claim, progress: &ProgressCell) -> Result<RunOutcome>;
}

/// A published file that is opened.
pub struct OpenedFile {
    /// The size of the whole file.
    pub bytes: u64,
    /// The bytes that were asked for. They are read where blocking is allowed.
    pub content: Box<dyn Read + Send>,
}

/// Opens published files.
#[async_trait]
pub trait FileOpener: Send + Sync {
    /// The file under this stored name: the bytes of the range, which is inside of the file, or all of them. Called where
    /// blocking is allowed.
    ///
    /// # Errors
    /// When there is no such file or it cannot be read.
    fn open(&self, stored_name: &str, range: Option<Range<u64>>) -> Result<OpenedFile>;

    /// An address outside of the service at which whoever has it can read the file for some time; `None` where there is none,
    /// and the service sends the file.
    ///
    /// # Errors
    /// When it cannot be made.
    async fn signed_address(&self, stored_name: &str, lifetime: Duration) -> Result<Option<String>> {
        let _ = (stored_name, lifetime);
        Ok(None)
    }
}

/// What removes files that were written for a result and will never be published.
#[async_trait]
pub trait DiscardFiles: Send + Sync {
    /// Removes `files`; a missing file is not an error.
    async fn discard(&self, files: &[PublishedFile]) -> Result<()>;
}

/// Whether the service can do its work now.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// Succeeds when requests may be sent here.
    ///
    /// # Errors
    /// `Unavailable` with the reason: the store does not answer, or the service drains. `Broken` with what somebody has
    /// to repair.
    async fn ready(&self) -> Result<()>;
}

/// The audit trail: for each tenant a chain (see [`crate::audit`]). An event is durable when `record` returns.
#[async_trait]
pub trait AuditTrail: Send + Sync {
    /// Records one event at the end of its tenant's chain. `Invalid` when its id is taken.
    async fn record(&self, event: &AuditEvent) -> Result<()>;

    /// The tenant's events after the number `after_sequence`, in order, at most `limit`. An event appears only
    /// after all events before it, so a reader that continues from the last number misses none.
    async fn events(&self, tenant: &TenantId, after_sequence: u64, limit: u32) -> Result<Vec<ChainedEvent>>;

    /// The tenant's last events about one task with a number below `before`, the last first, at most `limit`.
    async fn events_of(
        &self,
        tenant: &TenantId,
        task: &TaskId,
        before: u64,
        limit: u32,
    ) -> Result<Vec<ChainedEvent>>;

    /// The tenant's events about one task after the number `after_sequence`, in order, at most `limit`, each as it
    /// is kept, so that its hash can be computed again.
    async fn records_of(
        &self,
        tenant: &TenantId,
        task: &TaskId,
        after_sequence: u64,
        limit: u32,
    ) -> Result<Vec<AuditRecord>>;

    /// Walks from the event with this number to the trail's sealed head: each is as it was recorded.
    ///
    /// `NotFound` where the trail was resealed behind that event, else `Broken` with what was found; nothing may then be
    /// made of these events.
    async fn holds_from(&self, tenant: &TenantId, sequence: u64) -> Result<()>;

    /// Whether further events can be recorded: the trail holds at its end.
    ///
    /// `Broken` with what was found.
    async fn can_go_on(&self, tenant: &TenantId) -> Result<()>;

    /// The number of the tenant's last event; 0 before the first.
    async fn last_sequence(&self, tenant: &TenantId) -> Result<u64>;

    /// How many of the tenant's events no relay has passed on yet, see [`RelayLog`].
    async fn backlog(&self, tenant: &TenantId) -> Result<u64>;
}

/// How far a tenant's events have been passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// The tenant.
    pub tenant: TenantId,
    /// Number of the last event up to which all are passed on or parked; 0 for none.
    pub relayed: u64,
    /// Number of the last event recorded.
    pub recorded: u64,
}

/// An event that can never be passed on: kept for people to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedEvent {
    /// Its number in the tenant's chain.
    pub sequence: u64,
    /// Its id.
    pub id: String,
    /// Why it cannot be passed on.
    pub reason: String,
}

/// What a relay of the audit trail remembers. One relay leads at a time: it holds a lease on the store's clock, as
/// workers do, and only its marks count. A mark only moves forward.
#[async_trait]
pub trait RelayLog: Send + Sync {
    /// Takes or renews the lease. Returns whether `holder` leads until `lease` has passed.
    async fn lead(&self, holder: &WorkerId, now: DateTime<Utc>, lease: Duration) -> Result<bool>;

    /// Gives the lease back, so that another relay need not wait for its end.
    async fn step_down(&self, holder: &WorkerId) -> Result<()>;

    /// The tenants that have events to be passed on, at most a thousand, by id.
    async fn backlogs(&self) -> Result<Vec<Backlog>>;

    /// Marks all events up to `through` as passed on, except those in `parked`, which are kept. Returns whether
    /// `holder` still led: if not, nothing was changed.
    async fn mark(
        &self,
        holder: &WorkerId,
        tenant: &TenantId,
        through: u64,
        parked: Vec<ParkedEvent>,
        now: DateTime<Utc>,
    ) -> Result<bool>;

    /// The tenant's parked events, by number, at most a thousand.
    async fn parked(&self, tenant: &TenantId) -> Result<Vec<ParkedEvent>>;
}
