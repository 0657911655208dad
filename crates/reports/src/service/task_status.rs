//! The list of tasks (task-status): reading it, and ending a task through it.
//!
//! Tasks are the runs of reports, and refreshes. A task is there for those who may see all of its rows, as its result is; a
//! refresh for those who may see everything.

use super::Reports;
use crate::audit::AuditOperation;
use crate::caller::{Caller, DataScope, Operation};
use crate::error::{Error, Result, shown};
use crate::ids::TaskId;
use crate::message::Message;
use crate::ports::Cancelled;
use crate::refreshes::{self, Refresh};
use crate::task::{Task, TaskState};
use crate::task_list::{LISTED_FOR, TaskFilter, TaskPage, TaskQuery, VisibleTasks};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// The ends that somebody may give a live task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClearedAs {
    /// It failed.
    Failed,
    /// It was cancelled.
    Terminated,
}

impl ClearedAs {
    /// The state of the task then.
    pub fn state(self) -> TaskState {
        match self {
            Self::Failed => TaskState::Failed,
            Self::Terminated => TaskState::Terminated,
        }
    }
}

impl Reports {
    /// Part of the list of tasks.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn task_list(&self, caller: &Caller, query: TaskQuery) -> Result<TaskPage> {
        let (mut wanted, refreshes) = self.wanted(caller, query).await?;
        let TaskQuery { offset, limit, order, .. } = wanted.query;
        let before = refreshes::before(refreshes.len(), offset);
        wanted.query.offset = offset - before;
        wanted.query.limit = limit.saturating_add(before);
        let TaskPage { tasks, total } = self.tasks.list(&caller.tenant, &wanted).await?;
        let total = total.map(|total| total + refreshes.len() as u64);
        Ok(TaskPage { tasks: refreshes::page(tasks, refreshes, order, (offset, before, limit)), total })
    }

    /// How many tasks of the list are in each state that one of them is in.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn task_counts(&self, caller: &Caller, filter: TaskFilter) -> Result<BTreeMap<TaskState, u64>> {
        let query = TaskQuery { filter, ..TaskQuery::default() };
        let (wanted, refreshes) = self.wanted(caller, query).await?;
        let mut counts = self.tasks.counts(&caller.tenant, &wanted).await?;
        for refresh in refreshes {
            *counts.entry(refresh.state).or_default() += 1;
        }
        Ok(counts)
    }

    /// What the caller wants and may see of the list; and the refreshes among it.
    async fn wanted(&self, caller: &Caller, query: TaskQuery) -> Result<(VisibleTasks, Vec<Task>)> {
        caller.authorise(Operation::ReadTasks)?;
        let about_sources = self.catalogue.iter().filter_map(|definition| {
            let argument = definition.source_argument()?;
            Some((definition.id.clone(), argument.name.clone()))
        });
        let wanted = VisibleTasks {
            query,
            scope: caller.scope(),
            auditor: caller.auditor().cloned(),
            since: self.listed_since(),
            source_arguments: about_sources.collect(),
        };
        let refreshes = refreshes::wanted(self.refreshes_since(caller, wanted.since).await?, &wanted);
        Ok((wanted, refreshes))
    }

    async fn refreshes_since(&self, caller: &Caller, since: DateTime<Utc>) -> Result<Vec<Refresh>> {
        self.refreshes.refreshes(&caller.tenant, since, self.clock.now()).await
    }

    /// The refresh of an id, for those who see it.
    async fn listed_refresh(&self, caller: &Caller, id: &TaskId) -> Result<Option<Task>> {
        if caller.scope() != DataScope::Everything {
            return Ok(None);
        }
        let all = self.refreshes_since(caller, self.listed_since()).await?;
        Ok(all.into_iter().find(|refresh| refresh.id == *id).map(Refresh::into_task))
    }

    /// One task of the list.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for an id that the list does not have.
    pub async fn listed_task(&self, caller: &Caller, id: &TaskId) -> Result<Task> {
        caller.authorise(Operation::ReadTasks)?;
        match self.listed_refresh(caller, id).await? {
            Some(refresh) => Ok(refresh),
            None => self.listed(caller, id).await,
        }
    }

    /// Ends a live task, and returns it as it is then. One that had this end before stays as it is.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for an id that the list does not have; `Invalid` for a task that ended otherwise, and for a
    /// refresh.
    pub async fn clear(&self, caller: &Caller, id: &TaskId, end: ClearedAs) -> Result<Task> {
        caller.authorise(Operation::UpdateTask)?;
        if self.listed_refresh(caller, id).await?.is_some() {
            return Err(Error::invalid(format!("task {id} is a refresh: expected the run of a report")));
        }
        // Whose rows a task has never changes, so that nothing can come in between.
        let task = self.listed(caller, id).await?;
        let state = end.state().as_str();
        let event =
            self.event(caller, AuditOperation::Cancel, id, &task.name, format!("task-status: {state}"));
        let failure = match end {
            ClearedAs::Terminated => None,
            ClearedAs::Failed => {
                let text = format!("{} ended the report through task-status", caller.launcher());
                Some(Message::error("task_cleared", text))
            }
        };
        match self.tasks.cancel(&event, failure.as_ref()).await? {
            Cancelled::Unknown => return Err(absent(id)),
            Cancelled::Now => {}
            Cancelled::Before => refuse_other_end(id, end, TaskState::Terminated)?,
            Cancelled::TooLate(ended) => refuse_other_end(id, end, ended)?,
        }
        self.listed(caller, id).await
    }

    async fn listed(&self, caller: &Caller, id: &TaskId) -> Result<Task> {
        let task = self.task(caller, id).await?;
        task.filter(|task| task.created >= self.listed_since()).ok_or_else(|| absent(id))
    }

    fn listed_since(&self) -> DateTime<Utc> {
        self.clock.now() - LISTED_FOR
    }
}

fn refuse_other_end(id: &TaskId, asked: ClearedAs, ended: TaskState) -> Result<()> {
    if asked.state() == ended {
        return Ok(());
    }
    Err(Error::invalid(format!("task {id} cannot be changed: it has ended already ({})", ended.as_str())))
}

fn absent(id: &TaskId) -> Error {
    Error::not_found(format!("there is no task {}", shown(id.as_str())))
}
