//! Refreshes as tasks of the list (task-status).
//!
//! A refresh is made by the process that was asked for it, a service or a command, and not by a worker. So it is kept apart
//! from the tasks of reports, and is shown as one. While it goes on, its process says so again and again; a refresh that has
//! not been heard of for a while was interrupted.

use crate::arguments::Arguments;
use crate::caller::{Caller, DataScope};
use crate::ids::{ReportId, SnapshotId, TaskDefinitionId, TaskId, TenantId, stable_id};
use crate::message::Message;
use crate::snapshot::SnapshotManifest;
use crate::task::{Progress, Task, TaskState};
use crate::task_list::{TaskOrder, VisibleTasks};
use chrono::{DateTime, Utc};

/// What refreshes have in place of the id of a report's definition. No definition can have it.
pub const REFRESH: &str = "identity.refresh";
/// Refreshes of the list at most: the last ones.
pub const REFRESHES_LISTED_MAX: u32 = 500;

/// A refresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refresh {
    /// Its id in the list of tasks.
    pub id: TaskId,
    /// Who has it made.
    pub requester: Caller,
    /// The snapshot that it publishes.
    pub snapshot: SnapshotId,
    /// When it began.
    pub created: DateTime<Utc>,
    /// Running, succeeded, warned or failed.
    pub state: TaskState,
    /// Parts done of those expected.
    pub progress: Progress,
    /// What a reader must know.
    pub messages: Vec<Message>,
    /// When it ended.
    pub ended: Option<DateTime<Utc>>,
}

impl Refresh {
    /// A refresh that begins.
    pub fn begun(id: TaskId, requester: Caller, snapshot: SnapshotId, now: DateTime<Utc>) -> Self {
        Self {
            id,
            requester,
            snapshot,
            created: now,
            state: TaskState::Running,
            progress: Progress::default(),
            messages: Vec::new(),
            ended: None,
        }
    }

    /// The same after its process was last heard of at a time that is too long ago.
    pub fn interrupted(self, at: DateTime<Utc>) -> Self {
        let text = "the process that made the refresh ended, or stopped, before it was done";
        let messages = [self.messages, vec![Message::error("refresh_interrupted", text)]].concat();
        Self { state: TaskState::Failed, messages, ended: Some(at), ..self }
    }

    /// As a task of the list.
    pub fn into_task(self) -> Task {
        let tenant = self.requester.tenant.clone();
        Task {
            definition: definition(&tenant),
            id: self.id,
            tenant,
            report: ReportId::new(REFRESH),
            name: "Refresh".into(),
            description: "Reads the sources, correlates, and publishes a snapshot.".into(),
            parent: None,
            arguments: Arguments::default(),
            requester: self.requester,
            snapshot: self.snapshot,
            created: self.created,
            launched: Some(self.created),
            completed: self.ended,
            state: self.state,
            progress: self.progress,
            messages: self.messages,
            attempts: 1,
            epoch: 1,
            result: None,
        }
    }
}

fn definition(tenant: &TenantId) -> TaskDefinitionId {
    TaskDefinitionId::new(stable_id(["refreshes", tenant.as_str()]))
}

/// What a reader of a published snapshot must know: each makes its refresh `Warned`.
pub fn remarks(manifest: &SnapshotManifest) -> Vec<Message> {
    let incomplete = manifest.sources.iter().filter(|source| !source.complete);
    let remark = |source: &crate::snapshot::SourceRun| {
        let why = source.remark.as_deref().unwrap_or("it could not be read");
        let text = format!("source {:?} was not read completely: {why}", source.name);
        Message::warn("source_incomplete", text)
    };
    incomplete.map(remark).collect()
}

/// Those of the refreshes that a list wants, in its order. A refresh shows rows of every source, and is about none.
pub fn wanted(refreshes: Vec<Refresh>, wanted: &VisibleTasks) -> Vec<Task> {
    fn meets<T: PartialEq>(condition: Option<&Vec<T>>, value: &T) -> bool {
        condition.is_none_or(|values| values.contains(value))
    }
    let filter = &wanted.query.filter;
    let is_wanted = |task: &Task| {
        wanted.scope == DataScope::Everything
            && wanted.auditor.is_none()
            && filter.sources.is_none()
            && task.created >= wanted.since
            && meets(filter.ids.as_ref(), &task.id)
            && meets(filter.states.as_ref(), &task.state)
            && meets(filter.launchers.as_ref(), &task.requester.launcher().to_owned())
    };
    let mut tasks: Vec<_> = refreshes.into_iter().map(Refresh::into_task).filter(is_wanted).collect();
    tasks.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
    match wanted.query.order {
        TaskOrder::FirstFirst => {}
        TaskOrder::LastFirst => tasks.reverse(),
    }
    tasks
}

/// How many tasks of reports a page needs from before its offset: as many as there are refreshes that may come earlier.
pub fn before(refreshes: usize, offset: u32) -> u32 {
    u32::try_from(refreshes).unwrap_or(u32::MAX).min(offset)
}

/// A page of the joined list. `tasks` are those of the list of reports from `offset - before` on, at least `limit + before`
/// of them if there are so many; `refreshes` are all.
pub fn page(
    tasks: Vec<Task>,
    refreshes: Vec<Task>,
    order: TaskOrder,
    (offset, before, limit): (u32, u32, u32),
) -> Vec<Task> {
    let is_earlier = |refresh: &Task, task: &Task| match order {
        TaskOrder::FirstFirst => refresh.created < task.created,
        TaskOrder::LastFirst => refresh.created > task.created,
    };
    let first = offset - before;
    // Earlier refreshes are among the tasks that were not read: they only count.
    let passed = match tasks.first() {
        _ if first == 0 => 0,
        Some(task) => refreshes.iter().take_while(|refresh| is_earlier(refresh, task)).count(),
        // There are at most `first` tasks, and no more refreshes than the offset goes beyond that.
        None => return Vec::new(),
    };
    let skipped = (before as usize).saturating_sub(passed);
    let (mut tasks, mut refreshes) =
        (tasks.into_iter().peekable(), refreshes.into_iter().skip(passed).peekable());
    let joined = std::iter::from_fn(|| match (tasks.peek(), refreshes.peek()) {
        (Some(task), Some(refresh)) if is_earlier(refresh, task) => refreshes.next(),
        (Some(_), _) => tasks.next(),
        (None, _) => refreshes.next(),
    });
    joined.skip(skipped).take(limit as usize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ClientId;
    use chrono::TimeDelta;

    fn at(seconds: i64) -> Task {
        let requester = Caller {
            tenant: TenantId::new("acme"),
            client: ClientId::new("c"),
            user: None,
            scopes: Vec::new(),
            data_scope: DataScope::Everything,
            trace: None,
        };
        let id = TaskId::new(format!("{seconds}"));
        let now = DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        Refresh::begun(id, requester, SnapshotId::new("s"), now).into_task()
    }

    /// Every page of every small pair of lists is the part of the joined list.
    #[test]
    fn pages_are_parts_of_the_joined_list() {
        // Bit n of the number says whether the nth moment is a task or a refresh.
        for kinds in 0_u32..256 {
            let moments: Vec<i64> = (0..8).collect();
            let (tasks, refreshes): (Vec<i64>, Vec<i64>) =
                moments.iter().partition(|moment| kinds >> **moment & 1 == 1);
            for offset in 0..10_u32 {
                for limit in 0..4_u32 {
                    let before = before(refreshes.len(), offset);
                    let first = (offset - before) as usize;
                    let read = tasks.iter().skip(first).take((limit + before) as usize);
                    let found = page(
                        read.copied().map(at).collect(),
                        refreshes.iter().copied().map(at).collect(),
                        TaskOrder::FirstFirst,
                        (offset, before, limit),
                    );
                    let found: Vec<_> = found.into_iter().map(|task| task.id).collect();
                    let expected = moments.iter().skip(offset as usize).take(limit as usize);
                    let expected: Vec<_> = expected.copied().map(at).map(|task| task.id).collect();
                    assert_eq!(found, expected, "{kinds:b} {offset} {limit}");
                }
            }
        }
    }
}
