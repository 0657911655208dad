//! Lists of tasks: which tasks, in what order, and which part of them.

use crate::caller::{AuditorLimits, DataScope};
use crate::ids::{ReportId, SourceId, TaskId};
use crate::task::{Task, TaskState};
use chrono::{DateTime, TimeDelta, Utc};

/// A list has tasks that were accepted this recently, and no others: the published bound.
pub const LISTED_FOR: TimeDelta = TimeDelta::days(90);

/// Conditions, all of which a task must meet. `None` is no condition; no task meets an empty list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Its id is one of these.
    pub ids: Option<Vec<TaskId>>,
    /// Its state is one of these.
    pub states: Option<Vec<TaskState>>,
    /// One of these started it ([`Caller::launcher`](crate::caller::Caller::launcher)).
    pub launchers: Option<Vec<String>>,
    /// The source that its arguments name is one of these.
    pub sources: Option<Vec<SourceId>>,
}

/// The order of a list, by the time of acceptance. Tasks of one time are in the order of acceptance, so that no two have
/// the same place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TaskOrder {
    /// The last accepted first.
    #[default]
    LastFirst,
    /// The first accepted first.
    FirstFirst,
}

/// Which tasks are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskQuery {
    /// Those that meet this.
    pub filter: TaskFilter,
    /// In this order.
    pub order: TaskOrder,
    /// Without so many from the beginning.
    pub offset: u32,
    /// At most so many.
    pub limit: u32,
    /// Whether the number of all that meet the filter is wanted too.
    pub counted: bool,
}

/// Which tasks are wanted of those that somebody may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisibleTasks {
    /// What is wanted.
    pub query: TaskQuery,
    /// Only tasks whose rows are all in this scope.
    pub scope: DataScope,
    /// Only tasks of the reports that an auditor may see, over snapshots of his period.
    pub auditor: Option<AuditorLimits>,
    /// Only tasks that were accepted at this time or later.
    pub since: DateTime<Utc>,
    /// The reports that are about a source, and the argument that names it.
    pub source_arguments: Vec<(ReportId, String)>,
}

/// Part of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskPage {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// How many tasks the whole list has, if that was wanted.
    pub total: Option<u64>,
}
