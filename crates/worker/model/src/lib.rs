//! A model of the task protocol, small enough to try every order of steps.
//!
//! It has the rules that `crates/reports/src/ports.rs` requires of a store and that `crates/store/src/tasks`
//! implements: one live task for each key; a claim raises the epoch; every write of a worker names its epoch; a cancel
//! wins over later writes; attempts are bounded. Two clients start the same report. Anybody may cancel at any moment.
//! Three workers claim, run and finish. Each worker may crash at every step. Each lease may run out at every step, also
//! while its worker continues and does not know.
//!
//! Time is not modelled: a lease may run out at any moment, which covers every clock. A step is one transaction of the
//! store, so it happens completely or not at all. A crash forgets what the worker held; the store keeps its rows. Files
//! that nobody published are not modelled.
//!
//! [`Breakage`] removes one check, to show that the checker finds the fault that this check prevents.

use stateright::{Model, Property};

/// Workers.
const WORKERS: usize = 3;
/// Clients that start the report, each once.
const STARTS: usize = 2;

/// A check that is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Breakage {
    /// No check is removed.
    Nothing,
    /// A finish does not check whether the epoch is still its own, nor whether its task is still running.
    FinishWithoutEpoch,
    /// A finish does not check whether the task was cancelled.
    FinishAfterCancel,
    /// A start does not look for a live task of its key.
    StartWithoutLooking,
}

/// The protocol, its bounds and the removed check.
#[derive(Debug, Clone)]
pub struct Protocol {
    /// Most attempts at a task.
    pub attempts_max: u8,
    /// Most crashes of all workers together.
    pub crashes_max: u8,
    /// The removed check.
    pub breakage: Breakage,
}

/// The state of a task in its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskState {
    /// Waits for a worker.
    Pending,
    /// Claimed under a lease.
    Running,
    /// Ended with a result.
    Succeeded,
    /// Ended after its last attempt.
    Failed,
    /// Cancelled.
    Terminated,
}

impl TaskState {
    fn is_live(self) -> bool {
        match self {
            Self::Pending | Self::Running => true,
            Self::Succeeded | Self::Failed | Self::Terminated => false,
        }
    }
}

/// A task's row, and the facts that the checker records about it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Task {
    state: TaskState,
    epoch: u8,
    attempts: u8,
    /// The lease has run out: a claim may take it.
    lease_over: bool,
    /// Number of published results. The row has one place; the checker counts.
    published: u8,
    /// A client was told that it is cancelled.
    cancel_confirmed: bool,
    /// The task had ended, and its state changed after that.
    end_changed: bool,
}

/// The memory of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Worker {
    /// Nothing.
    Idle,
    /// Runs a task under this epoch.
    Runs {
        /// The task.
        task: usize,
        /// The epoch of its claim.
        epoch: u8,
    },
    /// Has written its files and is about to commit.
    Written {
        /// The task.
        task: usize,
        /// The epoch of its claim.
        epoch: u8,
    },
}

/// The state of the whole system.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    tasks: Vec<Task>,
    workers: [Worker; WORKERS],
    /// The task in the answer to each start.
    accepted: [Option<usize>; STARTS],
    crashes: u8,
}

/// A step: a transaction, or an event of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// A client starts the report.
    Start(usize),
    /// Somebody cancels a task.
    Cancel(usize),
    /// A worker claims a task, or fails it if its attempts are used up.
    Claim(usize, usize),
    /// A worker has written its files.
    Write(usize),
    /// A worker commits its result.
    Finish(usize),
    /// A worker's attempt failed, and may be repeated.
    Retry(usize),
    /// A worker learns by a heartbeat that its lease is lost, and stops.
    Stop(usize),
    /// A worker's process dies.
    Crash(usize),
    /// The lease of a task runs out.
    LeaseOver(usize),
}

impl Protocol {
    /// The protocol as it is.
    pub fn sound() -> Self {
        Self { attempts_max: 2, crashes_max: 2, breakage: Breakage::Nothing }
    }

    /// With a check left out.
    pub fn broken(breakage: Breakage) -> Self {
        Self { breakage, ..Self::sound() }
    }

    /// Whether a worker's write changes the row: `WHERE epoch = ? AND state = 'running'`.
    fn holds(&self, task: &Task, epoch: u8) -> bool {
        match self.breakage {
            Breakage::FinishWithoutEpoch => task.state != TaskState::Terminated,
            Breakage::FinishAfterCancel => {
                task.epoch == epoch && matches!(task.state, TaskState::Running | TaskState::Terminated)
            }
            Breakage::Nothing | Breakage::StartWithoutLooking => {
                task.epoch == epoch && task.state == TaskState::Running
            }
        }
    }

    /// Whether a step other than a cancel is possible for this task: a live task must not be stuck.
    fn can_move(&self, state: &State, index: usize) -> bool {
        let mut steps = Vec::new();
        self.actions(state, &mut steps);
        let working = |worker: &usize| match state.workers[*worker] {
            Worker::Idle => false,
            Worker::Runs { task, epoch } | Worker::Written { task, epoch } => {
                task == index && epoch == state.tasks[index].epoch
            }
        };
        let all_busy = state.workers.iter().all(|worker| *worker != Worker::Idle);
        steps.iter().any(|step| match step {
            Step::Claim(_, task) | Step::LeaseOver(task) => *task == index,
            Step::Write(worker) | Step::Finish(worker) | Step::Retry(worker) => working(worker),
            Step::Start(_) | Step::Cancel(_) | Step::Stop(_) | Step::Crash(_) => false,
        }) || all_busy
    }

    fn start(&self, state: &mut State, client: usize) {
        let live = state.tasks.iter().position(|task| task.state.is_live());
        let found = live.filter(|_| self.breakage != Breakage::StartWithoutLooking);
        let task = found.unwrap_or_else(|| {
            state.tasks.push(Task {
                state: TaskState::Pending,
                epoch: 0,
                attempts: 0,
                lease_over: false,
                published: 0,
                cancel_confirmed: false,
                end_changed: false,
            });
            state.tasks.len() - 1
        });
        state.accepted[client] = Some(task);
    }

    fn claim(&self, state: &mut State, worker: usize, task: usize) {
        let row = &mut state.tasks[task];
        if row.attempts >= self.attempts_max {
            row.become_state(TaskState::Failed);
            return;
        }
        row.become_state(TaskState::Running);
        row.epoch += 1;
        row.attempts += 1;
        row.lease_over = false;
        state.workers[worker] = Worker::Runs { task, epoch: row.epoch };
    }

    fn finish(&self, state: &mut State, worker: usize) {
        if let Worker::Written { task, epoch } = state.workers[worker] {
            let row = &mut state.tasks[task];
            if self.holds(row, epoch) {
                row.become_state(TaskState::Succeeded);
                row.published += 1;
            }
        }
        state.workers[worker] = Worker::Idle;
    }

    fn retry(&self, state: &mut State, worker: usize) {
        if let Worker::Runs { task, epoch } = state.workers[worker] {
            let row = &mut state.tasks[task];
            if row.epoch == epoch && row.state == TaskState::Running {
                let used_up = row.attempts >= self.attempts_max;
                row.become_state(if used_up { TaskState::Failed } else { TaskState::Pending });
            }
        }
        state.workers[worker] = Worker::Idle;
    }
}

impl Task {
    fn become_state(&mut self, next: TaskState) {
        self.end_changed |= !self.state.is_live() && self.state != next;
        self.state = next;
        self.lease_over = false;
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            tasks: Vec::new(),
            workers: [Worker::Idle; WORKERS],
            accepted: [None; STARTS],
            crashes: 0,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        steps.extend((0..STARTS).filter(|client| state.accepted[*client].is_none()).map(Step::Start));
        for (index, task) in state.tasks.iter().enumerate() {
            if task.state.is_live() {
                steps.push(Step::Cancel(index));
            }
            if task.state == TaskState::Running && !task.lease_over {
                steps.push(Step::LeaseOver(index));
            }
            let due = task.state == TaskState::Pending || task.state == TaskState::Running && task.lease_over;
            let idle = (0..WORKERS).filter(|worker| state.workers[*worker] == Worker::Idle);
            steps.extend(idle.filter(|_| due).map(|worker| Step::Claim(worker, index)));
        }
        for (index, worker) in state.workers.iter().enumerate() {
            match *worker {
                Worker::Idle => {}
                Worker::Runs { task, epoch } => {
                    steps.extend([Step::Write(index), Step::Retry(index)]);
                    let row = &state.tasks[task];
                    if row.epoch != epoch || row.state != TaskState::Running {
                        steps.push(Step::Stop(index));
                    }
                }
                Worker::Written { .. } => steps.push(Step::Finish(index)),
            }
            if *worker != Worker::Idle && state.crashes < self.crashes_max {
                steps.push(Step::Crash(index));
            }
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        match step {
            Step::Start(client) => self.start(&mut state, client),
            Step::Cancel(task) => {
                state.tasks[task].become_state(TaskState::Terminated);
                state.tasks[task].cancel_confirmed = true;
            }
            Step::Claim(worker, task) => self.claim(&mut state, worker, task),
            Step::Write(worker) => {
                if let Worker::Runs { task, epoch } = state.workers[worker] {
                    state.workers[worker] = Worker::Written { task, epoch };
                }
            }
            Step::Finish(worker) => self.finish(&mut state, worker),
            Step::Retry(worker) => self.retry(&mut state, worker),
            Step::Stop(worker) => state.workers[worker] = Worker::Idle,
            Step::Crash(worker) => {
                state.workers[worker] = Worker::Idle;
                state.crashes += 1;
            }
            Step::LeaseOver(task) => state.tasks[task].lease_over = true,
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no two results of one task", |_, state: &State| {
                state.tasks.iter().all(|task| task.published <= 1)
            }),
            Property::always("a cancelled task never succeeds", |_, state: &State| {
                state.tasks.iter().all(|task| {
                    !task.cancel_confirmed || task.state == TaskState::Terminated && task.published == 0
                })
            }),
            Property::always("an end state never changes", |_, state: &State| {
                state.tasks.iter().all(|task| !task.end_changed)
            }),
            Property::always("success and a result are one", |_, state: &State| {
                state.tasks.iter().all(|task| (task.state == TaskState::Succeeded) == (task.published == 1))
            }),
            Property::always("one live task of a key", |_, state: &State| {
                state.tasks.iter().filter(|task| task.state.is_live()).count() <= 1
            }),
            Property::always("attempts are bounded", |model: &Protocol, state: &State| {
                state.tasks.iter().all(|task| task.attempts <= model.attempts_max)
            }),
            Property::always(
                "an accepted task is there, and moves while it is live",
                |model: &Protocol, state: &State| {
                    state.accepted.iter().flatten().all(|task| match state.tasks.get(*task) {
                        None => false,
                        Some(row) => !row.state.is_live() || model.can_move(state, *task),
                    })
                },
            ),
            Property::eventually("every accepted task ends", |_, state: &State| {
                state.accepted.iter().all(Option::is_some)
                    && state.tasks.iter().all(|task| !task.state.is_live())
            }),
            Property::sometimes("a task succeeds after a crash", |_, state: &State| {
                state.crashes > 0 && state.tasks.iter().any(|task| task.state == TaskState::Succeeded)
            }),
            Property::sometimes("a task succeeds under a second epoch", |_, state: &State| {
                state.tasks.iter().any(|task| task.state == TaskState::Succeeded && task.epoch == 2)
            }),
            Property::sometimes("both starts get one task", |_, state: &State| {
                state.accepted[0].is_some() && state.accepted[0] == state.accepted[1]
            }),
            Property::sometimes("a worker finishes too late", |_, state: &State| {
                state.workers.iter().any(|worker| match worker {
                    Worker::Written { task, epoch } => state.tasks[*task].epoch > *epoch,
                    Worker::Idle | Worker::Runs { .. } => false,
                })
            }),
        ]
    }
}

#[cfg(test)]
mod tests;
