//! The rules of schedules, notifications and retention: a pure function from what happened, and what there is at the end, to
//! what breaks them.
//!
//! Each fault begins with the number of its rule (docs/harness.md):
//!
//! - 11: each due time has one run, and each run that was not skipped has one task or snapshot of its own;
//! - 12: each end has its notification, which was delivered, and nothing else was;
//! - 13: what is delivered again is the same, and only a kill leads to it;
//! - 14: nothing is removed that is held, is among the newest, or has not expired;
//! - 15: what expired is gone, with its audit event, and its record stays.

use crate::receiver::Delivery;
use std::collections::{BTreeMap, BTreeSet};

/// What happened, and what there is at the end. Times are in microseconds.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// The due times that were set: schedule and time.
    pub due: Vec<(String, i64)>,
    /// Tasks of starts that were answered. Each start names the receiver.
    pub started: BTreeSet<String>,
    /// Starts that were not answered.
    pub lost_starts: usize,
    /// Holds that were acknowledged.
    pub holds: Vec<Hold>,
    /// Results of a definition that are always kept.
    pub newest_kept: usize,
    /// What the receiver got, in order.
    pub deliveries: Vec<Delivery>,
    /// Ids of deliveries whose signature is wrong.
    pub forged: Vec<String>,
    /// Runs of schedules.
    pub runs: Vec<Run>,
    /// Schedules whose runs make a refresh.
    pub refreshing: BTreeSet<String>,
    /// Snapshots that were made.
    pub snapshots: usize,
    /// Notifications.
    pub notices: Vec<Notice>,
    /// Tasks, in the order of their acceptance.
    pub tasks: Vec<Task>,
    /// Audit events about expired results: task and details.
    pub events: Vec<(String, String)>,
    /// Names of the files in the folder of results.
    pub names: Vec<String>,
}

/// A hold of a result, from its acknowledgement until its release was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The result's task.
    pub task: String,
    /// When it was acknowledged.
    pub from: i64,
    /// When its release was asked for.
    pub until: Option<i64>,
}

/// A run of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The schedule's name.
    pub schedule: String,
    /// When it was due.
    pub due: i64,
    /// Its state.
    pub state: String,
    /// Its task.
    pub task: Option<String>,
    /// When it ended.
    pub ended: Option<i64>,
}

/// A notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its id.
    pub id: String,
    /// `waiting`, `sent` or `failed`.
    pub state: String,
    /// Deliveries that were begun.
    pub attempts: usize,
    /// The schedule's name and the due time as a text, of a run of a schedule.
    pub run: Option<(String, String)>,
    /// The task, if there is one.
    pub task: Option<String>,
}

/// A task, and the life of its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its id.
    pub id: String,
    /// Its state.
    pub state: String,
    /// What it has in common with other tasks of the same report and arguments.
    pub definition: String,
    /// Whether it was there before anything was broken.
    pub is_earlier: bool,
    /// Whether somebody is to be told how it ends.
    pub notifies: bool,
    /// The files in its record.
    pub files: Vec<File>,
    /// Whether it is held.
    pub is_held: bool,
    /// When its result expired.
    pub expired: Option<i64>,
    /// Whether its record says that the files are removed.
    pub is_removed: bool,
}

/// A file in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name in the folder of results.
    pub name: String,
    /// The SHA-256 in the record.
    pub sha256: String,
    /// The SHA-256 of the file; `None` if there is none.
    pub found: Option<String>,
}

/// Everything that breaks a rule, each with the rule's number.
pub fn broken(observed: &Observed) -> Vec<String> {
    let mut faults = Vec::new();
    runs(observed, &mut faults);
    own_tasks(observed, &mut faults);
    notices(observed, &mut faults);
    deliveries(observed, &mut faults);
    kept(observed, &mut faults);
    expired(observed, &mut faults);
    faults
}

/// Whether a task or a run in this state has a result.
fn has_result(state: &str) -> bool {
    matches!(state, "succeeded" | "warned")
}

/// How many there are of each.
fn counted<K: Ord>(all: impl Iterator<Item = K>) -> BTreeMap<K, usize> {
    let mut counts = BTreeMap::new();
    all.for_each(|one| *counts.entry(one).or_default() += 1);
    counts
}

fn runs(observed: &Observed, faults: &mut Vec<String>) {
    let made = counted(observed.runs.iter().map(|run| (run.schedule.as_str(), run.due)));
    let due = counted(observed.due.iter().map(|(schedule, due)| (schedule.as_str(), *due)));
    for (schedule, time) in made.keys().chain(due.keys()).collect::<BTreeSet<_>>() {
        let count = |of: &BTreeMap<_, usize>| of.get(&(*schedule, *time)).copied().unwrap_or_default();
        if count(&made) != 1 || count(&due) != 1 {
            faults.push(format!(
                "rule 11: {schedule:?} was due at {time} {} times and has {} runs of that time",
                count(&due),
                count(&made)
            ));
        }
    }
    for Run { schedule, due, state, .. } in &observed.runs {
        let what = format!("rule 11: the run of {schedule:?} due at {due}");
        match state.as_str() {
            "succeeded" | "warned" => {}
            "skipped" => {
                // Whether it was seen to end between the due time and the look at it does not matter.
                let goes_on = |other: &Run| {
                    other.schedule == *schedule
                        && other.due < *due
                        && other.state != "skipped"
                        && other.ended.is_none_or(|ended| ended >= *due)
                };
                if !observed.runs.iter().any(goes_on) {
                    faults.push(format!("{what} was skipped, and none before it went on at that time"));
                }
            }
            other => faults.push(format!("{what} is {other}")),
        }
    }
    let refreshed = observed
        .runs
        .iter()
        .filter(|run| has_result(&run.state) && observed.refreshing.contains(&run.schedule));
    let refreshed = refreshed.count();
    if observed.snapshots != refreshed {
        faults
            .push(format!("rule 11: {refreshed} runs with a refresh made {} snapshots", observed.snapshots));
    }
}

fn own_tasks(observed: &Observed, faults: &mut Vec<String>) {
    let of_runs = counted(observed.runs.iter().filter_map(|run| run.task.as_deref()));
    let known: BTreeMap<&str, &Task> = observed.tasks.iter().map(|task| (task.id.as_str(), task)).collect();
    for (task, runs) in &of_runs {
        if *runs > 1 {
            faults.push(format!("rule 11: task {task} is that of {runs} runs"));
        }
    }
    for task in of_runs.keys().copied().chain(observed.started.iter().map(String::as_str)) {
        match known.get(task) {
            Some(task) if has_result(&task.state) => {}
            Some(task) => faults.push(format!("rule 11: task {} is {}", task.id, task.state)),
            None => faults.push(format!("rule 11: task {task} is not there")),
        }
    }
    let unasked: Vec<&str> = observed
        .tasks
        .iter()
        .filter(|task| !task.is_earlier && !of_runs.contains_key(task.id.as_str()))
        .map(|task| task.id.as_str())
        .filter(|task| !observed.started.contains(*task))
        .collect();
    if unasked.len() > observed.lost_starts {
        faults.push(format!(
            "rule 11: nobody asked for {} of the tasks {unasked:?}",
            unasked.len() - observed.lost_starts
        ));
    }
}

fn notices(observed: &Observed, faults: &mut Vec<String>) {
    // The schedule, and the task: what an end is known by. Of ends without a task there may be several.
    let of_runs = observed.runs.iter().filter(|run| run.ended.is_some());
    let of_runs = of_runs.map(|run| (Some(run.schedule.as_str()), run.task.as_deref()));
    let of_tasks = observed.tasks.iter().filter(|task| task.notifies);
    let of_tasks = of_tasks.map(|task| (None, Some(task.id.as_str())));
    let ends = counted(of_runs.chain(of_tasks));
    let told =
        counted(observed.notices.iter().map(|notice| {
            (notice.run.as_ref().map(|(schedule, _)| schedule.as_str()), notice.task.as_deref())
        }));
    for end in ends.keys().chain(told.keys()).collect::<BTreeSet<_>>() {
        let count = |of: &BTreeMap<_, usize>| of.get(end).copied().unwrap_or_default();
        if count(&ends) != count(&told) {
            faults.push(format!(
                "rule 12: {} ends of {end:?} have {} notifications",
                count(&ends),
                count(&told)
            ));
        }
    }
    for task in observed.tasks.iter().filter(|task| observed.started.contains(&task.id) && !task.notifies) {
        faults.push(format!("rule 12: task {} has forgotten whom to tell", task.id));
    }
    for (run, count) in counted(observed.notices.iter().filter_map(|notice| notice.run.as_ref())) {
        if count > 1 {
            faults.push(format!("rule 12: the run {run:?} has {count} notifications"));
        }
    }
    let accepted: BTreeSet<&str> = observed
        .deliveries
        .iter()
        .filter(|delivery| delivery.accepted)
        .map(|delivery| delivery.id.as_str())
        .collect();
    for Notice { id, state, .. } in &observed.notices {
        if state != "sent" {
            faults.push(format!("rule 12: notification {id} is {state}"));
        }
        if !accepted.contains(id.as_str()) {
            faults.push(format!("rule 12: notification {id} was not received"));
        }
    }
}

fn deliveries(observed: &Observed, faults: &mut Vec<String>) {
    let notices: BTreeMap<&str, &Notice> =
        observed.notices.iter().map(|notice| (notice.id.as_str(), notice)).collect();
    let mut of_id: BTreeMap<&str, Vec<&Delivery>> = BTreeMap::new();
    for delivery in &observed.deliveries {
        of_id.entry(&delivery.id).or_default().push(delivery);
    }
    for (id, deliveries) in of_id {
        match notices.get(id) {
            None => faults.push(format!("rule 12: {id} was received, and no notification has this id")),
            Some(notice) if deliveries.len() > notice.attempts => faults.push(format!(
                "rule 13: {id} was received {} times, and its record has {} attempts",
                deliveries.len(),
                notice.attempts
            )),
            Some(_) => {}
        }
        for pair in deliveries.windows(2) {
            if pair[0].body != pair[1].body {
                faults.push(format!("rule 13: {id} was received with two bodies"));
            }
            if pair[0].accepted && pair[0].kills == pair[1].kills {
                faults.push(format!(
                    "rule 13: {id} was accepted and sent again, and nothing was killed in between"
                ));
            }
        }
    }
    for id in &observed.forged {
        faults.push(format!("rule 13: the signature of {id} is wrong"));
    }
}

/// Of each definition, the results that later ones do not push out.
fn newest(observed: &Observed) -> BTreeSet<&str> {
    let mut of_definition: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for task in observed.tasks.iter().filter(|task| has_result(&task.state)) {
        of_definition.entry(&task.definition).or_default().push(&task.id);
    }
    of_definition.into_values().flat_map(|ids| ids.into_iter().rev().take(observed.newest_kept)).collect()
}

fn kept(observed: &Observed, faults: &mut Vec<String>) {
    let newest = newest(observed);
    for task in &observed.tasks {
        let holds = observed.holds.iter().filter(|hold| hold.task == task.id);
        for Hold { from, until, .. } in holds {
            if until.is_none() && !task.is_held {
                faults.push(format!("rule 14: {} has forgotten its hold", task.id));
            }
            if task
                .expired
                .is_some_and(|expired| expired >= *from && until.is_none_or(|until| expired < until))
            {
                faults.push(format!("rule 14: {} was held and expired", task.id));
            }
        }
        if task.is_held && task.expired.is_some() {
            faults.push(format!("rule 14: {} is held and has expired", task.id));
        }
        if newest.contains(task.id.as_str()) && task.expired.is_some() {
            faults.push(format!("rule 14: {} is among the newest and has expired", task.id));
        }
        if task.expired.is_none() {
            for file in task.files.iter().filter(|file| file.found.as_ref() != Some(&file.sha256)) {
                faults.push(format!(
                    "rule 14: {} has not expired, its file {} is {:?} and its record says {}",
                    task.id, file.name, file.found, file.sha256
                ));
            }
        }
    }
}

fn expired(observed: &Observed, faults: &mut Vec<String>) {
    let newest = newest(observed);
    let mut events: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (task, details) in &observed.events {
        events.entry(task).or_default().push(details);
    }
    for task in &observed.tasks {
        let id = &task.id;
        let of_task = events.remove(id.as_str()).unwrap_or_default();
        if of_task.len() != usize::from(task.expired.is_some()) {
            faults.push(format!("rule 15: {id} expired at {:?} with {} events", task.expired, of_task.len()));
        }
        if has_result(&task.state) && task.files.is_empty() {
            faults.push(format!("rule 15: the record of {id} names no file"));
        }
        if task.expired.is_none() {
            let is_kept = task.is_held || newest.contains(id.as_str());
            if has_result(&task.state) && !is_kept {
                faults.push(format!("rule 15: nothing keeps {id}, and it has not expired"));
            }
            continue;
        }
        if !has_result(&task.state) {
            faults.push(format!("rule 15: {id} expired and is {}", task.state));
        }
        if !task.is_removed {
            faults
                .push(format!("rule 15: {id} expired, and its record does not say that its files are gone"));
        }
        for file in &task.files {
            if file.found.is_some() {
                faults.push(format!("rule 15: {id} expired, and its file {} is there", file.name));
            }
            if of_task.iter().any(|details| !details.contains(&file.sha256)) {
                faults.push(format!("rule 15: the event of {id} does not have the digest of {}", file.name));
            }
        }
    }
    for task in events.keys() {
        faults.push(format!("rule 15: there is an event about the unknown result {task}"));
    }
    let there: BTreeSet<&str> = observed
        .tasks
        .iter()
        .filter(|task| task.expired.is_none())
        .flat_map(|task| task.files.iter().map(|file| file.name.as_str()))
        .collect();
    for name in observed.names.iter().filter(|name| !there.contains(name.as_str())) {
        faults.push(format!("rule 15: file {name} is left, and no record says that it is there"));
    }
}

#[cfg(test)]
mod tests;
