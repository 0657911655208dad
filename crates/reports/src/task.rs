//! A task: one run of one report, and the only ways its state may change.
//!
//! ```text
//!            claim            finish
//! Pending ─────────► Running ────────► Succeeded | Warned | Failed
//!    │  ▲               │
//!    │  └── retry ──────┤      (bounded attempts; every claim raises the epoch)
//!    └──────── cancel ──┴────► Terminated (or Failed, where who cancels says so)
//! ```
//! An end state never changes. [`TaskState::entered_from`] declares every change. A store executes that declaration in
//! the `WHERE` of its updates; the epoch there keeps a worker that lost its lease from writing anything.

use crate::arguments::Arguments;
use crate::audit::{AuditEvent, AuditOperation};
use crate::caller::{Caller, DataScope};
use crate::definition::ReportDefinition;
use crate::ids::{ClientId, ReportId, SnapshotId, TaskDefinitionId, TaskId, TenantId, WorkerId, stable_id};
use crate::kind::FileFormat;
use crate::message::{Message, Severity};
use crate::notify::Wish;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Accepted, waiting for a worker (or for another attempt).
    Pending,
    /// A worker holds its lease.
    Running,
    /// Ended with files and nothing to remark.
    Succeeded,
    /// Ended with files and something a reader must know.
    Warned,
    /// Ended without files.
    Failed,
    /// Cancelled; without files.
    Terminated,
}

impl TaskState {
    /// All states.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Running, Self::Succeeded, Self::Warned, Self::Failed, Self::Terminated];

    /// The name stores use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Warned => "warned",
            Self::Failed => "failed",
            Self::Terminated => "terminated",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Pending or running: at most one such task exists for each de-duplication key.
    pub fn is_live(self) -> bool {
        match self {
            Self::Pending | Self::Running => true,
            Self::Succeeded | Self::Warned | Self::Failed | Self::Terminated => false,
        }
    }

    /// Whether a task in this state has an end to which a worker's run leads only by an error: somebody may have given
    /// it that end while it runs.
    pub fn ends_a_run(self) -> bool {
        match self {
            Self::Failed | Self::Terminated => true,
            Self::Pending | Self::Running | Self::Succeeded | Self::Warned => false,
        }
    }

    /// The states from which a task may change to this one: the declaration that stores execute. A running task is
    /// taken by another worker when its lease has run out, and so changes to running again.
    pub fn entered_from(self) -> &'static [Self] {
        match self {
            Self::Pending | Self::Succeeded | Self::Warned => &[Self::Running],
            Self::Running | Self::Failed | Self::Terminated => &[Self::Pending, Self::Running],
        }
    }

    /// Whether a task in this state may change to `next`.
    pub fn may_become(self, next: Self) -> bool {
        next.entered_from().contains(&self)
    }
}

/// How many places of the line a client's next waiting report gives up to others, and a large one at most.
const TURN: TimeDelta = TimeDelta::minutes(1);

/// The place of a new task among those that wait: the earliest place is claimed first.
///
/// Turns by client: for each task of the same client that is `ahead` (waiting or running) others may come a minute later
/// and still go first, so that hundreds of starts of one client hold up nobody else. Small before large: a report whose
/// last run took long gives way to what is started meanwhile, for as long as that run, a minute at most. Both are bounded,
/// so nobody waits for ever: the place is fixed, and later starts get later places.
pub fn place_in_line(created: DateTime<Utc>, ahead: u32, last_run: Option<TimeDelta>) -> DateTime<Utc> {
    let size = last_run.unwrap_or_default().clamp(TimeDelta::zero(), TURN);
    let turns = TURN.checked_mul(i32::try_from(ahead).unwrap_or(i32::MAX)).unwrap_or(TimeDelta::MAX);
    let later = turns.checked_add(&size).unwrap_or(turns);
    created.checked_add_signed(later).unwrap_or(created)
}

/// A task is expected to be short if the quickest of the last [`RUNS_REMEMBERED`] runs of its definition with a result took
/// no longer than this. So the place that is kept for such runs is soon free again.
pub const SHORT_RUN: TimeDelta = TimeDelta::milliseconds(400);

/// So many runs of a definition say whether the next one is expected to be short. The quickest counts: others may have run
/// beside long ones.
pub const RUNS_REMEMBERED: u32 = 5;

/// How far a running task is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Rows written so far.
    pub rows: u64,
    /// Rows expected, once they have been counted.
    pub rows_expected: Option<u64>,
}

impl Progress {
    /// The text of the published `progress` field.
    pub fn text(self) -> String {
        match self.rows_expected {
            None => "Initializing...".into(),
            Some(expected) => format!("{} of {expected} rows written", self.rows),
        }
    }
}

/// One published file of a result. Only a file named by a committed record is ever served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedFile {
    /// Format.
    pub format: FileFormat,
    /// Name inside the result folder; carries the epoch of the attempt that wrote it.
    pub stored_name: String,
    /// Media type when served.
    pub media_type: String,
    /// Extension when served, without a dot.
    pub extension: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Data rows.
    pub rows: u64,
    /// SHA-256, 64 hex digits.
    pub sha256: String,
}

/// What a successful run leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskResult {
    /// Rows reported.
    pub rows: u64,
    /// The files.
    pub files: Vec<PublishedFile>,
    /// The cover, as the bytes of its JSON text.
    pub cover: String,
}

/// One run of one report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The task result id.
    pub id: TaskId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The stable id of this report with these arguments.
    pub definition: TaskDefinitionId,
    /// Which report.
    pub report: ReportId,
    /// Its name when it was started.
    pub name: String,
    /// Its description when it was started.
    pub description: String,
    /// Its parent's name, if it has one.
    pub parent: Option<String>,
    /// The checked arguments.
    pub arguments: Arguments,
    /// Who started it.
    pub requester: Caller,
    /// The data it reads; fixed at the start, so that a retry reads the same.
    pub snapshot: SnapshotId,
    /// When it was accepted.
    pub created: DateTime<Utc>,
    /// When its first attempt began.
    pub launched: Option<DateTime<Utc>>,
    /// When it ended.
    pub completed: Option<DateTime<Utc>>,
    /// Where it is.
    pub state: TaskState,
    /// How far it is.
    pub progress: Progress,
    /// What a reader must know.
    pub messages: Vec<Message>,
    /// Attempts begun.
    pub attempts: u32,
    /// Fencing number: grows with every claim.
    pub epoch: u64,
    /// What it left, once it has succeeded.
    pub result: Option<TaskResult>,
}

impl Task {
    /// What the audit trail says of the end of this task; nothing of one that is live, or whose cancel it has. Its id
    /// is that of no other event: a task ends once.
    pub fn ending(&self) -> Option<AuditEvent> {
        let operation = match self.state {
            TaskState::Succeeded | TaskState::Warned => AuditOperation::Ended,
            TaskState::Failed => AuditOperation::EndedFailed,
            TaskState::Pending | TaskState::Running | TaskState::Terminated => return None,
        };
        let mut details = match (&self.result, self.messages.last()) {
            (Some(result), _) => format!("{} rows", result.rows),
            // The text of a message may show rows.
            (None, last) => last.map_or_else(String::new, |message| message.key.clone()),
        };
        for file in self.result.iter().flat_map(|result| &result.files) {
            details.push_str(&format!("; {} sha-256 {}", file.format, file.sha256));
        }
        let caller = Caller {
            tenant: self.tenant.clone(),
            // The service itself, in the trace of the start.
            client: ClientId::new("service"),
            user: None,
            scopes: Vec::new(),
            data_scope: self.requester.data_scope.clone(),
            trace: self.requester.trace.clone(),
        };
        Some(AuditEvent {
            id: stable_id(["ended", self.id.as_str()]),
            at: self.completed?,
            operation,
            caller,
            task: self.id.clone(),
            report: self.name.clone(),
            details,
        })
    }

    /// How much of it is done, in percent: rows written of rows expected. It is 100 when it has succeeded and not before:
    /// until then there are no files, however many rows are written.
    pub fn percent_complete(&self) -> u8 {
        match self.state {
            TaskState::Succeeded | TaskState::Warned => return 100,
            TaskState::Pending | TaskState::Running | TaskState::Failed | TaskState::Terminated => {}
        }
        let Some(expected) = self.progress.rows_expected.filter(|rows| *rows > 0) else { return 0 };
        let percent = u128::from(self.progress.rows) * 100 / u128::from(expected);
        u8::try_from(percent.min(99)).unwrap_or(99)
    }

    /// When its state last changed, as far as it is kept.
    pub fn modified(&self) -> DateTime<Utc> {
        self.completed.or(self.launched).unwrap_or(self.created)
    }

    /// ` (why)` of a task that failed; empty where nothing was kept of it.
    pub fn failure_reason(&self) -> String {
        let last = self.messages.iter().rev().find(|message| message.severity == Severity::Error);
        last.map_or_else(String::new, |message| format!(" ({})", message.text))
    }
}

/// A task to be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTask {
    /// The id it gets unless an equal task is live.
    pub id: TaskId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Equal for tasks that are the same: one live task each.
    pub dedup_key: String,
    /// The stable id of this report with these arguments.
    pub definition: TaskDefinitionId,
    /// Which report.
    pub report: ReportId,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// Its parent's name.
    pub parent: Option<String>,
    /// The checked arguments.
    pub arguments: Arguments,
    /// Who starts it.
    pub requester: Caller,
    /// The data it will read.
    pub snapshot: SnapshotId,
    /// Messages that are known at the start.
    pub messages: Vec<Message>,
    /// Now.
    pub created: DateTime<Utc>,
    /// When it fails if it has not ended.
    pub deadline: DateTime<Utc>,
    /// What the audit trail is to say of this start.
    pub event: Option<AuditEvent>,
    /// Who is told how it ends. They are added to those of an equal task that is live.
    pub notify: Vec<Wish>,
}

/// The stable id of one report with one set of arguments over the rows of one data scope, and over one past
/// snapshot where it was asked for as of one. Ids of reports over everything do not depend on the scope, and
/// those over the newest snapshot on none: they were given out before there were others.
pub fn task_definition_id(
    tenant: &TenantId,
    definition: &ReportDefinition,
    arguments: &Arguments,
    scope: &DataScope,
    past: Option<&SnapshotId>,
) -> TaskDefinitionId {
    let (arguments, rows) = (arguments.canonical(), scope.to_string());
    let mut parts = vec!["task", tenant.as_str(), definition.id.as_str(), &arguments];
    match scope {
        DataScope::Everything => {}
        DataScope::Sources(_) => parts.push(&rows),
    }
    if let Some(snapshot) = past {
        parts.extend(["as of", snapshot.as_str()]);
    }
    TaskDefinitionId::new(stable_id(parts))
}

/// Equal exactly for starts that are the same task (docs/contract.md, start-report).
pub fn dedup_key(definition: &TaskDefinitionId, scope: &DataScope) -> String {
    stable_id(["live", definition.as_str(), &scope.to_string()])
}

/// The right to work on a task until a time; every write of a worker names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The task.
    pub task: TaskId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The holder.
    pub worker: WorkerId,
    /// The fencing number of this claim.
    pub epoch: u64,
    /// When it runs out unless renewed.
    pub until: DateTime<Utc>,
    /// When the task fails whatever is renewed.
    pub deadline: DateTime<Utc>,
}

/// A task in the hands of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The task as it was claimed (state running).
    pub task: Task,
    /// The lease on it.
    pub lease: Lease,
}

/// How a worker ends an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptEnd {
    /// The result is written and may be published; any warning makes the task `Warned`.
    Done {
        /// The result.
        result: TaskResult,
        /// Messages to add.
        messages: Vec<Message>,
    },
    /// It cannot succeed.
    Failed {
        /// Why.
        message: Message,
    },
    /// It may succeed later; past the last attempt the task fails.
    Retry {
        /// Why this attempt failed.
        message: Message,
        /// Not before this time.
        not_before: DateTime<Utc>,
    },
    /// The worker stops (drain): the task goes back unharmed and no attempt is counted.
    Released,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_states_never_change() {
        for from in TaskState::ALL.into_iter().filter(|s| !s.is_live()) {
            for to in TaskState::ALL {
                assert!(!from.may_become(to), "{from:?} -> {to:?}");
            }
        }
    }

    #[test]
    fn only_running_tasks_succeed() {
        assert!(!TaskState::Pending.may_become(TaskState::Succeeded));
        assert!(TaskState::Running.may_become(TaskState::Warned));
    }

    #[test]
    fn progress_says_rows_done_and_total() {
        assert_eq!(Progress { rows: 5, rows_expected: Some(9) }.text(), "5 of 9 rows written");
    }
}
