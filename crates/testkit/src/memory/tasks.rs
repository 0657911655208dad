//! The task machine in memory.

use super::{MemoryStore, State};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use muster_reports::audit::AuditEvent;
use muster_reports::error::{Error, Result};
use muster_reports::ids::{SnapshotId, SourceId, TaskDefinitionId, TaskId, TenantId, WorkerId};
use muster_reports::message::{Message, Severity};
use muster_reports::notify::Wish;
use muster_reports::ports::{Cancelled, LeaseState, ResultOrder, Started, TaskStore};
use muster_reports::task::{
    AttemptEnd, Claim, Lease, NewTask, Progress, RUNS_REMEMBERED, SHORT_RUN, Task, TaskState, place_in_line,
};
use muster_reports::task_list::{TaskOrder, TaskPage, TaskQuery, VisibleTasks};
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

/// Most messages of a task, without the note on omitted ones and the errors that end the task.
const MESSAGES_MAX: usize = 1_000;
/// Most bytes of a message text.
const MESSAGE_TEXT_MAX: usize = 4_000;

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) task: Task,
    dedup_key: String,
    deadline: DateTime<Utc>,
    /// When a claim may take the task: the earliest time while it is pending, the end of the lease while it is running.
    due: DateTime<Utc>,
    place: DateTime<Utc>,
    pub(super) wishes: Vec<Wish>,
}

impl Entry {
    fn enter(&mut self, state: TaskState) {
        assert!(self.task.state.may_become(state), "{:?} -> {state:?}", self.task.state);
        self.task.state = state;
    }

    fn end(&mut self, state: TaskState, now: DateTime<Utc>) {
        self.enter(state);
        self.task.completed = Some(now);
    }

    fn fail(&mut self, now: DateTime<Utc>, messages: impl IntoIterator<Item = Message>) {
        self.end(TaskState::Failed, now);
        self.task.messages.extend(messages.into_iter().map(shorten));
    }

    fn fail_overdue(&mut self, now: DateTime<Utc>) {
        let deadline = self.deadline.format("%Y-%m-%d %H:%M:%S UTC");
        let text = format!("the report had not ended at its deadline, {deadline}");
        self.fail(now, [Message::error("deadline_passed", text)]);
    }

    fn exhausted(&self) -> Message {
        let text = format!("the report was given up after {} attempts", self.task.attempts);
        Message::error("attempts_exhausted", text)
    }

    /// Makes tasks due that wait for a distant time because the clock was set back.
    fn set_back(&mut self, now: DateTime<Utc>, lease: Duration) {
        let later = |time: Option<DateTime<Utc>>| time.is_some_and(|time| time > now);
        let waits_in_vain = match self.task.state {
            TaskState::Pending => later(Some(self.task.created)) || later(self.task.launched),
            TaskState::Running => later(
                self.due
                    .checked_sub_signed(TimeDelta::from_std(lease.saturating_mul(20)).unwrap_or_default()),
            ),
            TaskState::Succeeded | TaskState::Warned | TaskState::Failed | TaskState::Terminated => false,
        };
        if waits_in_vain {
            self.due = self.due.min(now);
            if self.task.created > now {
                self.place = self.place.min(now);
            }
        }
    }

    fn wait_until(&mut self, due: DateTime<Utc>) {
        self.enter(TaskState::Pending);
        self.due = due.min(self.deadline);
    }
}

/// Adds messages up to the limit. A note has the number of omitted messages.
fn add(messages: &mut Vec<Message>, more: Vec<Message>) {
    let room = MESSAGES_MAX.saturating_sub(messages.len());
    let left_out = more.get(room..).unwrap_or_default();
    let note = (!left_out.is_empty()).then(|| {
        let text = format!("{} more messages were left out", left_out.len());
        match left_out.iter().all(|m| m.severity == Severity::Info) {
            true => Message { severity: Severity::Info, key: "messages_left_out".into(), text },
            false => Message::warn("messages_left_out", text),
        }
    });
    messages.extend(more.into_iter().take(room).map(shorten));
    messages.extend(note);
}

fn shorten(mut message: Message) -> Message {
    if message.text.len() > MESSAGE_TEXT_MAX {
        let end = (0..=MESSAGE_TEXT_MAX).rev().find(|at| message.text.is_char_boundary(*at)).unwrap_or(0);
        message.text.truncate(end);
        message.text.push('…');
    }
    message
}

fn lease_end(now: DateTime<Utc>, lease: Duration, deadline: DateTime<Utc>) -> DateTime<Utc> {
    TimeDelta::from_std(lease)
        .ok()
        .and_then(|lease| now.checked_add_signed(lease))
        .map_or(deadline, |end| end.min(deadline))
}

/// `read_at`: when the snapshots of the task were made, if all that are asked for are known.
fn is_wanted(task: &Task, wanted: &VisibleTasks, read_at: &[DateTime<Utc>]) -> bool {
    fn meets<T: PartialEq>(condition: Option<&Vec<T>>, value: &T) -> bool {
        condition.is_none_or(|values| values.contains(value))
    }
    let filter = &wanted.query.filter;
    let names_one = |sources: &Vec<SourceId>| {
        let arguments = wanted.source_arguments.iter().filter(|(report, _)| *report == task.report);
        let mut named = arguments.filter_map(|(_, argument)| task.arguments.text(argument));
        named.any(|named| sources.iter().any(|source| source.as_str() == named))
    };
    task.created >= wanted.since
        && wanted.scope.covers(&task.requester.data_scope)
        && meets(filter.ids.as_ref(), &task.id)
        && meets(filter.states.as_ref(), &task.state)
        && meets(filter.launchers.as_ref(), &task.requester.launcher().to_owned())
        && filter.sources.as_ref().is_none_or(names_one)
        && wanted.auditor.as_ref().is_none_or(|limits| {
            limits.reports.contains(&task.report)
                && !read_at.is_empty()
                && read_at.iter().all(|read_at| limits.period.has(*read_at))
        })
}

impl State {
    fn find(&mut self, tenant: &TenantId, id: &TaskId) -> Option<&mut Entry> {
        self.tasks.iter_mut().find(|e| e.task.tenant == *tenant && e.task.id == *id)
    }

    /// The task of a lease that is still valid.
    fn held(&mut self, lease: &Lease, now: DateTime<Utc>) -> Option<&mut Entry> {
        self.find(&lease.tenant, &lease.task)
            .filter(|e| e.task.state == TaskState::Running && e.task.epoch == lease.epoch && e.deadline > now)
    }
}

impl MemoryStore {
    fn end_live(&self, state: &mut State, event: &AuditEvent, failure: Option<&Message>) -> Cancelled {
        let Some(entry) = state.find(&event.caller.tenant, &event.task) else { return Cancelled::Unknown };
        match entry.task.state {
            TaskState::Pending | TaskState::Running => {
                match failure {
                    None => entry.end(TaskState::Terminated, event.at),
                    Some(failure) => entry.fail(event.at, [failure.clone()]),
                }
                self.cancels.send_modify(|count| *count += 1);
                Cancelled::Now
            }
            TaskState::Terminated => Cancelled::Before,
            ended @ (TaskState::Succeeded | TaskState::Warned | TaskState::Failed) => {
                Cancelled::TooLate(ended)
            }
        }
    }

    fn accept(&self, state: &mut State, new: NewTask) -> Result<Started> {
        let live = state
            .tasks
            .iter_mut()
            .find(|e| e.task.tenant == new.tenant && e.dedup_key == new.dedup_key && e.task.state.is_live());
        match live {
            Some(entry) if entry.deadline > new.created => {
                let more = new.notify.into_iter().filter(|wish| !entry.wishes.contains(wish));
                entry.wishes.extend(more.collect::<Vec<_>>());
                return Ok(Started::Live(entry.task.clone()));
            }
            Some(overdue) => {
                overdue.fail_overdue(new.created);
                let id = overdue.task.id.clone();
                state.append_ending(&new.tenant, &id)?;
            }
            None => {}
        }
        if state.tasks.iter().any(|e| e.task.id == new.id) {
            return Err(Error::internal("the task could not be accepted", "its id is taken"));
        }
        let of_client = |task: &Task| {
            task.state.is_live() && task.tenant == new.tenant && task.requester.client == new.requester.client
        };
        let ahead = state.tasks.iter().filter(|e| of_client(&e.task)).count();
        let took = last_runs(&state.tasks, &new.tenant, &new.definition).next();
        let place = place_in_line(new.created, u32::try_from(ahead).unwrap_or(u32::MAX), took);
        let mut messages = Vec::new();
        add(&mut messages, new.messages);
        let task = Task {
            id: new.id,
            tenant: new.tenant,
            definition: new.definition,
            report: new.report,
            name: new.name,
            description: new.description,
            parent: new.parent,
            arguments: new.arguments,
            requester: new.requester,
            snapshot: new.snapshot,
            created: new.created,
            launched: None,
            completed: None,
            state: TaskState::Pending,
            progress: Progress::default(),
            messages,
            attempts: 0,
            epoch: 0,
            result: None,
        };
        state.tasks.push(Entry {
            task: task.clone(),
            dedup_key: new.dedup_key,
            deadline: new.deadline,
            due: new.created.min(new.deadline),
            place,
            wishes: new.notify,
        });
        self.tell_of_work();
        Ok(Started::New(task))
    }

    /// A task may be due.
    fn tell_of_work(&self) {
        self.work.notify_one();
        self.short_work.notify_one();
    }

    /// Claims the first in line of the tasks that are `wanted`, by the quickest of their definition's last runs.
    fn claim_of(
        &self,
        worker: &WorkerId,
        now: DateTime<Utc>,
        lease: Duration,
        wanted: impl Fn(Option<TimeDelta>) -> bool,
    ) -> Result<Option<Claim>> {
        let mut state = self.state();
        loop {
            state.tasks.iter_mut().for_each(|entry| entry.set_back(now, lease));
            let due = state.tasks.iter().filter(|e| e.task.state.is_live() && e.due <= now);
            let quickest = |task: &Task| {
                let runs = last_runs(&state.tasks, &task.tenant, &task.definition);
                runs.take(RUNS_REMEMBERED as usize).min()
            };
            let due = due.filter(|e| wanted(quickest(&e.task)));
            // Of equal ones, the first is the one that was accepted first.
            let Some(id) = due.min_by_key(|e| e.place).map(|e| e.task.id.clone()) else { return Ok(None) };
            let Some(entry) = state.tasks.iter_mut().find(|e| e.task.id == id) else { return Ok(None) };
            if entry.deadline <= now {
                entry.fail_overdue(now);
                let tenant = entry.task.tenant.clone();
                state.append_ending(&tenant, &id)?;
            } else if entry.task.attempts >= self.attempts_max {
                let message = entry.exhausted();
                entry.fail(now, [message]);
                let tenant = entry.task.tenant.clone();
                state.append_ending(&tenant, &id)?;
            } else {
                let until = lease_end(now, lease, entry.deadline);
                entry.due = until;
                entry.enter(TaskState::Running);
                entry.task.launched.get_or_insert(now);
                entry.task.progress = Progress::default();
                entry.task.attempts += 1;
                entry.task.epoch += 1;
                self.tell_of_work();
                return Ok(Some(Claim {
                    task: entry.task.clone(),
                    lease: Lease {
                        task: entry.task.id.clone(),
                        tenant: entry.task.tenant.clone(),
                        worker: worker.clone(),
                        epoch: entry.task.epoch,
                        until,
                        deadline: entry.deadline,
                    },
                }));
            }
        }
    }
}

/// How long the runs of a definition with a result took, the last first.
fn last_runs<'a>(
    tasks: &'a [Entry],
    tenant: &'a TenantId,
    definition: &'a TaskDefinitionId,
) -> impl Iterator<Item = TimeDelta> + 'a {
    let before = tasks.iter().rev().map(|e| &e.task);
    before
        .filter(|task| task.tenant == *tenant && task.definition == *definition && task.result.is_some())
        .filter_map(|task| Some(task.completed? - task.launched?))
}

#[async_trait]
impl TaskStore for MemoryStore {
    async fn start(&self, mut new: NewTask) -> Result<Started> {
        let event = new.event.take();
        if event.is_some() {
            self.accepts_audit()?;
        }
        let mut state = self.state();
        event.as_ref().map_or(Ok(()), |event| state.knows_not(event))?;
        let started = self.accept(&mut state, new)?;
        if let Some(event) = event {
            let task = match &started {
                Started::New(task) | Started::Live(task) => task.id.clone(),
            };
            state.append(&AuditEvent { task, ..event })?;
        }
        Ok(started)
    }

    async fn task(&self, tenant: &TenantId, id: &TaskId) -> Result<Option<Task>> {
        Ok(self.state().find(tenant, id).map(|e| e.task.clone()))
    }

    async fn last_tasks(&self, tenant: &TenantId, count: u32) -> Result<Vec<Task>> {
        let state = self.state();
        let tasks = state.tasks.iter().rev().map(|entry| &entry.task).filter(|task| task.tenant == *tenant);
        Ok(tasks.take(count as usize).cloned().collect())
    }

    async fn task_of_definition(
        &self,
        tenant: &TenantId,
        definition: &TaskDefinitionId,
        order: ResultOrder,
    ) -> Result<Option<Task>> {
        let state = self.state();
        let tasks = state
            .tasks
            .iter()
            .map(|e| &e.task)
            .enumerate()
            .filter(|(_, t)| t.tenant == *tenant && t.definition == *definition);
        // `None` is less than any `Some`, so the greatest is an ended task if there is one.
        let first = match order {
            ResultOrder::CompletedFirst => tasks.max_by_key(|(at, t)| (t.completed, t.created, *at)),
            ResultOrder::CreatedLast => tasks.max_by_key(|(at, t)| (Some(t.created), t.created, *at)),
        };
        Ok(first.map(|(_, t)| t.clone()))
    }

    async fn counts(&self, tenant: &TenantId, wanted: &VisibleTasks) -> Result<BTreeMap<TaskState, u64>> {
        let query = TaskQuery { limit: u32::MAX, offset: 0, ..wanted.query.clone() };
        let page = self.list(tenant, &VisibleTasks { query, ..wanted.clone() }).await?;
        let mut counts = BTreeMap::new();
        for task in page.tasks {
            *counts.entry(task.state).or_default() += 1;
        }
        Ok(counts)
    }

    async fn list(&self, tenant: &TenantId, wanted: &VisibleTasks) -> Result<TaskPage> {
        let state = self.state();
        let tasks = state.tasks.iter().map(|entry| &entry.task);
        let read_at = |task: &Task| {
            let own = || state.snapshots.iter().filter(|(owner, _)| owner == tenant).map(|(_, own)| own);
            let is_known = own().any(|snapshot| snapshot.manifest.id == task.snapshot);
            let of_task = |id: &SnapshotId| *id == task.snapshot || super::names(task, id);
            let read = own().filter(|snapshot| is_known && of_task(&snapshot.manifest.id));
            read.map(|snapshot| snapshot.manifest.created).collect::<Vec<_>>()
        };
        let mut listed: Vec<_> =
            tasks.filter(|task| task.tenant == *tenant && is_wanted(task, wanted, &read_at(task))).collect();
        // Stable: tasks of one time stay in the order of acceptance.
        listed.sort_by_key(|task| task.created);
        let query = &wanted.query;
        match query.order {
            TaskOrder::FirstFirst => {}
            TaskOrder::LastFirst => listed.reverse(),
        }
        let total = query.counted.then_some(listed.len() as u64);
        let part = listed.into_iter().skip(query.offset as usize).take(query.limit as usize);
        let mut tasks: Vec<_> = part.cloned().collect();
        tasks.iter_mut().filter_map(|task| task.result.as_mut()).for_each(|result| result.cover.clear());
        Ok(TaskPage { tasks, total })
    }

    async fn cancel(&self, event: &AuditEvent, failure: Option<&Message>) -> Result<Cancelled> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let cancelled = self.end_live(&mut state, event, failure);
        if cancelled == Cancelled::Now {
            state.append(event)?;
            state.append_ending(&event.caller.tenant, &event.task)?;
        }
        Ok(cancelled)
    }

    async fn claim(&self, worker: &WorkerId, now: DateTime<Utc>, lease: Duration) -> Result<Option<Claim>> {
        self.claim_of(worker, now, lease, |_| true)
    }

    async fn claim_short(
        &self,
        worker: &WorkerId,
        now: DateTime<Utc>,
        lease: Duration,
    ) -> Result<Option<Claim>> {
        self.claim_of(worker, now, lease, |quickest| quickest.is_some_and(|took| took <= SHORT_RUN))
    }

    async fn heartbeat(
        &self,
        lease: &Lease,
        progress: Progress,
        now: DateTime<Utc>,
        extend: Duration,
    ) -> Result<LeaseState> {
        let mut state = self.state();
        let Some(entry) = state.held(lease, now) else { return Ok(LeaseState::Lost) };
        entry.due = lease_end(now, extend, entry.deadline);
        entry.task.progress = progress;
        Ok(LeaseState::Held(entry.due))
    }

    async fn end_attempt(&self, lease: &Lease, end: AttemptEnd, now: DateTime<Utc>) -> Result<bool> {
        let mut state = self.state();
        let attempts_max = self.attempts_max;
        let Some(entry) = state.held(lease, now) else { return Ok(false) };
        match end {
            AttemptEnd::Done { result, messages } => {
                add(&mut entry.task.messages, messages);
                let plain = entry.task.messages.iter().all(|m| m.severity == Severity::Info);
                entry.end(if plain { TaskState::Succeeded } else { TaskState::Warned }, now);
                entry.task.progress = Progress { rows: result.rows, rows_expected: Some(result.rows) };
                entry.task.result = Some(result);
            }
            AttemptEnd::Failed { message } => entry.fail(now, [message]),
            AttemptEnd::Retry { message, .. } if entry.task.attempts >= attempts_max => {
                let exhausted = entry.exhausted();
                entry.fail(now, [message, exhausted]);
            }
            AttemptEnd::Retry { message, not_before } => {
                let text = format!("attempt {} of {attempts_max}: {}", entry.task.attempts, message.text);
                add(
                    &mut entry.task.messages,
                    vec![Message { severity: Severity::Info, key: message.key, text }],
                );
                entry.wait_until(not_before);
                self.tell_of_work();
            }
            AttemptEnd::Released => {
                entry.task.attempts -= 1;
                entry.wait_until(now);
                self.tell_of_work();
            }
        }
        state.append_ending(&lease.tenant, &lease.task)?;
        Ok(true)
    }

    async fn work_or(&self, at_most: Duration) {
        // A permit from an earlier notification ends the wait at once.
        let _ = tokio::time::timeout(at_most, self.work.notified()).await;
    }

    async fn short_work_or(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.short_work.notified()).await;
    }

    async fn cancelled(&self, id: &TaskId) {
        // Subscribe before looking, so that no cancel is missed in between.
        let mut cancels = self.cancels.subscribe();
        loop {
            let cancelled = self.state().tasks.iter().any(|e| e.task.id == *id && e.task.state.ends_a_run());
            if cancelled {
                return;
            }
            cancels.changed().await.expect("the sender lives as long as the store");
        }
    }

    async fn published_names(&self) -> Result<Vec<String>> {
        let state = self.state();
        let kept = state.tasks.iter().filter(|e| !state.lives.is_removed(&e.task));
        let results = kept.filter_map(|e| e.task.result.as_ref());
        Ok(results.flat_map(|r| &r.files).map(|f| f.stored_name.clone()).collect())
    }

    async fn live_attempts(&self) -> Result<HashSet<(TaskId, u64)>> {
        let state = self.state();
        let running = state.tasks.iter().filter(|entry| entry.task.state == TaskState::Running);
        Ok(running.map(|entry| (entry.task.id.clone(), entry.task.epoch)).collect())
    }
}
