//! The ten rules, as far as they can be seen from outside: a pure function from a history to what breaks them.
//!
//! Each fault begins with the number of its rule (docs/harness.md):
//!
//! - 0: every answer is one that the contract allows;
//! - 1: an accepted task stays visible;
//! - 2: there is one live task for each key;
//! - 3: equal starts at the same time get one id;
//! - 4: an end state never changes;
//! - 5: an epoch only grows;
//! - 6: success means that the file exists with the digest of its record, and nothing else is served;
//! - 7: a cancelled task never succeeds;
//! - 8: each audited download has its event, and no event was invented;
//! - 9: no call succeeds on another tenant's task;
//! - 10: what a dead process held continues, under a higher epoch.

use crate::history::{Call, Inspection, Phase, Recorded, Reply, Request, TaskRow};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that breaks a rule, each with the rule's number.
pub fn broken(recorded: &Recorded) -> Vec<String> {
    let mut faults = Vec::new();
    answers(recorded, &mut faults);
    visible(recorded, &mut faults);
    one_live(recorded, &mut faults);
    concurrent_starts(recorded, &mut faults);
    end_states(recorded, &mut faults);
    epochs(recorded, &mut faults);
    files(recorded, &mut faults);
    cancelled(recorded, &mut faults);
    audited(recorded, &mut faults);
    tenants(recorded, &mut faults);
    moved_on(recorded, &mut faults);
    faults
}

fn settled(recorded: &Recorded) -> Option<&Inspection> {
    recorded.inspections.last().filter(|inspection| inspection.phase == Phase::Settled)
}

/// Whether a task in this state waits or runs.
pub fn is_live(state: &str) -> bool {
    matches!(state, "pending" | "running")
}

fn has_files(state: &str) -> bool {
    matches!(state, "succeeded" | "warned")
}

/// The published word of an end state.
fn published(state: &str) -> &str {
    match state {
        "succeeded" => "SUCCESS",
        "warned" => "WARNING",
        "failed" => "FAILURE",
        "terminated" => "TERMINATED",
        live => live,
    }
}

fn row<'a>(inspection: &'a Inspection, task: &str) -> Option<&'a TaskRow> {
    inspection.rows.iter().find(|row| row.task == task)
}

/// Starts that were accepted: the call, its key, its task.
fn accepted(recorded: &Recorded) -> impl Iterator<Item = (&Call, &str, &str)> {
    recorded.calls.iter().filter_map(|call| match (&call.request, &call.reply) {
        (Request::Start(key), Reply::Accepted(task)) => Some((call, key.as_str(), task.as_str())),
        _ => None,
    })
}

/// What a call says about the state of its task: `live` or the published word of its end.
fn says(call: &Call) -> Option<(&str, &str)> {
    match (&call.request, &call.reply) {
        (Request::Poll(task), Reply::Live) => Some((task, "live")),
        (Request::Poll(task), Reply::Ended(status)) => Some((task, status)),
        (Request::Start(_), Reply::Accepted(task)) => Some((task, "live")),
        _ => None,
    }
}

fn answers(recorded: &Recorded, faults: &mut Vec<String>) {
    for call in &recorded.calls {
        if let Reply::Wrong(text) = &call.reply {
            faults.push(format!("rule 0: {:?} was answered with {text}", call.request));
        }
    }
}

fn visible(recorded: &Recorded, faults: &mut Vec<String>) {
    let mut since: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
    for (call, _, task) in accepted(recorded) {
        let first = since.entry(task).or_insert((call.ended, &call.tenant));
        first.0 = first.0.min(call.ended);
    }
    for call in &recorded.calls {
        if let (Request::Poll(task) | Request::Cancel(task), Reply::Unknown) = (&call.request, &call.reply)
            && let Some((ended, tenant)) = since.get(task.as_str())
            && *ended < call.begun
            && *tenant == call.tenant
        {
            faults.push(format!("rule 1: task {task} was accepted and is unknown to {:?}", call.request));
        }
    }
    for inspection in &recorded.inspections {
        let rows: BTreeSet<&str> = inspection.rows.iter().map(|row| row.task.as_str()).collect();
        for (task, (ended, _)) in &since {
            if *ended < inspection.begun && !rows.contains(task) {
                faults.push(format!("rule 1: task {task} was accepted and has no row"));
            }
        }
    }
}

fn one_live(recorded: &Recorded, faults: &mut Vec<String>) {
    for inspection in &recorded.inspections {
        let mut live = BTreeSet::new();
        for row in inspection.rows.iter().filter(|row| is_live(&row.state)) {
            if !live.insert((&row.tenant, &row.key)) {
                faults.push(format!("rule 2: task {} is a second live one of its key", row.task));
            }
        }
    }
    // Over time: each task of a key is created after the one before it has ended.
    let Some(last) = recorded.inspections.last() else { return };
    let mut of_key: BTreeMap<_, Vec<&TaskRow>> = BTreeMap::new();
    for row in &last.rows {
        of_key.entry((&row.tenant, &row.key)).or_default().push(row);
    }
    for rows in of_key.values() {
        for pair in rows.windows(2) {
            if pair[0].completed.is_none_or(|completed| completed > pair[1].created) {
                let (first, second) = (&pair[0].task, &pair[1].task);
                faults.push(format!("rule 2: task {second} was created while {first} was live"));
            }
        }
    }
}

fn concurrent_starts(recorded: &Recorded, faults: &mut Vec<String>) {
    let mut of_key: BTreeMap<(&str, &str), Vec<(&Call, &str)>> = BTreeMap::new();
    for (call, key, task) in accepted(recorded) {
        of_key.entry((&call.tenant, key)).or_default().push((call, task));
    }
    for starts in of_key.values_mut() {
        starts.sort_by_key(|(call, _)| call.begun);
        // Starts are in the order of their beginnings, so only those that begin before this one ends are compared.
        for (index, (call, task)) in starts.iter().enumerate() {
            let together = starts[index + 1..].iter().take_while(|(other, _)| other.begun < call.ended);
            for (_, other) in together.filter(|(_, other)| other != task) {
                if !one_ended_before_the_other(recorded, task, other) {
                    faults.push(format!("rule 3: starts at the same time got {task} and {other}"));
                }
            }
        }
    }
}

fn one_ended_before_the_other(recorded: &Recorded, one: &str, other: &str) -> bool {
    let Some(last) = recorded.inspections.last() else { return false };
    let (Some(one), Some(other)) = (row(last, one), row(last, other)) else { return false };
    let before = |a: &TaskRow, b: &TaskRow| a.completed.is_some_and(|completed| completed <= b.created);
    before(one, other) || before(other, one)
}

fn end_states(recorded: &Recorded, faults: &mut Vec<String>) {
    // Everything that was said about a task: (begun, ended, word).
    let mut said: BTreeMap<&str, Vec<(u64, u64, &str)>> = BTreeMap::new();
    for call in &recorded.calls {
        if let Some((task, word)) = says(call) {
            said.entry(task).or_default().push((call.begun, call.ended, word));
        }
    }
    for inspection in &recorded.inspections {
        for row in &inspection.rows {
            let word = if is_live(&row.state) { "live" } else { published(&row.state) };
            said.entry(&row.task).or_default().push((inspection.begun, inspection.ended, word));
        }
    }
    for (task, mut words) in said {
        words.sort_unstable();
        let Some(&(_, ended, end)) = words.iter().filter(|(.., word)| *word != "live").min_by_key(|w| w.1)
        else {
            continue;
        };
        for (begun, _, word) in words {
            if begun > ended && word != end {
                faults.push(format!("rule 4: task {task} was {end} and later {word}"));
            }
        }
    }
}

fn epochs(recorded: &Recorded, faults: &mut Vec<String>) {
    let mut highest: BTreeMap<&str, u64> = BTreeMap::new();
    for row in recorded.inspections.iter().flat_map(|inspection| &inspection.rows) {
        let before = highest.entry(&row.task).or_insert(row.epoch);
        if row.epoch < *before {
            faults.push(format!("rule 5: the epoch of {} fell from {before} to {}", row.task, row.epoch));
        }
        *before = row.epoch;
        for file in &row.files {
            let mut parts = file.name.split('.');
            let of_task = parts.next() == Some(&row.task);
            if !of_task || parts.next() != Some(&row.epoch.to_string()) {
                faults
                    .push(format!("rule 5: task {} of epoch {} has file {}", row.task, row.epoch, file.name));
            }
        }
    }
}

fn files(recorded: &Recorded, faults: &mut Vec<String>) {
    let Some(last) = settled(recorded) else { return };
    for row in &last.rows {
        if has_files(&row.state) == row.files.is_empty() {
            faults.push(format!("rule 6: task {} is {} with {} files", row.task, row.state, row.files.len()));
        }
        for file in row.files.iter().filter(|file| file.found.as_ref() != Some(&file.sha256)) {
            faults.push(format!(
                "rule 6: file {} is {:?}, its record says {}",
                file.name, file.found, file.sha256
            ));
        }
    }
    for call in &recorded.calls {
        let Request::Download { task, .. } = &call.request else { continue };
        let row = row(last, task);
        let right = |sha256: &String| row.is_some_and(|row| row.files.iter().any(|f| f.sha256 == *sha256));
        if let Reply::File(sha256) = &call.reply
            && !right(sha256)
        {
            faults.push(format!("rule 6: {task} was served with {sha256}, which no record of it has"));
        }
        let has_files = row.is_some_and(|row| has_files(&row.state) && row.tenant == call.tenant);
        if call.reply == Reply::NoFile && has_files && ended_before(recorded, task, call) {
            faults.push(format!("rule 6: {task} had succeeded, and its file was not found"));
        }
    }
}

/// Whether somebody was told that the task had ended before `call` was sent, by a caller of the same tenant.
fn ended_before(recorded: &Recorded, task: &str, call: &Call) -> bool {
    recorded.calls.iter().any(|earlier| {
        earlier.ended < call.begun
            && earlier.tenant == call.tenant
            && matches!(&earlier.reply, Reply::Ended(_))
            && earlier.request == Request::Poll(task.into())
    })
}

fn cancelled(recorded: &Recorded, faults: &mut Vec<String>) {
    let mut confirmed: BTreeMap<&str, u64> = BTreeMap::new();
    let mut asked: BTreeSet<&str> = BTreeSet::new();
    for call in &recorded.calls {
        if let Request::Cancel(task) = &call.request {
            asked.insert(task);
            if call.reply == Reply::Cancelled {
                let first = confirmed.entry(task).or_insert(call.ended);
                *first = (*first).min(call.ended);
            }
        }
    }
    for call in &recorded.calls {
        match (&call.request, &call.reply) {
            (Request::Download { task, .. }, Reply::File(_)) if confirmed.contains_key(task.as_str()) => {
                faults.push(format!("rule 7: {task} was cancelled, and its file was served"));
            }
            (Request::Poll(task), Reply::Ended(status))
                if confirmed.contains_key(task.as_str()) && status != "TERMINATED" =>
            {
                faults.push(format!("rule 7: {task} was cancelled and is {status}"));
            }
            _ => {}
        }
    }
    for inspection in &recorded.inspections {
        for row in &inspection.rows {
            if confirmed.get(row.task.as_str()).is_some_and(|ended| *ended < inspection.begun)
                && row.state != "terminated"
            {
                faults.push(format!("rule 7: {} was cancelled and is {}", row.task, row.state));
            }
            if row.state == "terminated" && !asked.contains(row.task.as_str()) {
                faults.push(format!("rule 7: {} is terminated, and nobody cancelled it", row.task));
            }
        }
    }
}

fn audited(recorded: &Recorded, faults: &mut Vec<String>) {
    let Some(last) = settled(recorded) else { return };
    let events: BTreeMap<&str, u64> = last.downloads.iter().map(|(task, n)| (task.as_str(), *n)).collect();
    // Served ones, and all that were requested: a request whose answer was lost may have its event.
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for call in &recorded.calls {
        if let Request::Download { task, audited: true } = &call.request {
            let count = counts.entry(task).or_default();
            count.0 += u64::from(matches!(call.reply, Reply::File(_)));
            count.1 += 1;
        }
    }
    for row in &last.rows {
        counts.entry(&row.task).or_default();
    }
    for (task, (served, asked)) in counts {
        let found = events.get(task).copied().unwrap_or_default();
        if found < served || found > asked {
            faults.push(format!(
                "rule 8: {task} has {found} events for {served} audited downloads of {asked} asked for"
            ));
        }
    }
}

fn tenants(recorded: &Recorded, faults: &mut Vec<String>) {
    let owner: BTreeMap<&str, &str> =
        accepted(recorded).map(|(call, _, task)| (task, call.tenant.as_str())).collect();
    for call in &recorded.calls {
        let (Request::Poll(task) | Request::Cancel(task) | Request::Download { task, .. }) = &call.request
        else {
            continue;
        };
        let succeeded = matches!(
            call.reply,
            Reply::Live | Reply::Ended(_) | Reply::Cancelled | Reply::TooLate | Reply::File(_)
        );
        if succeeded && owner.get(task.as_str()).is_some_and(|owner| *owner != call.tenant) {
            faults.push(format!(
                "rule 9: {:?} of tenant {} succeeded on another's task",
                call.request, call.tenant
            ));
        }
    }
    for (call, _, task) in accepted(recorded) {
        if recorded
            .inspections
            .iter()
            .filter_map(|inspection| row(inspection, task))
            .any(|row| row.tenant != call.tenant)
        {
            faults.push(format!("rule 9: tenant {} was given {task} of another", call.tenant));
        }
    }
}

fn moved_on(recorded: &Recorded, faults: &mut Vec<String>) {
    let Some(last) = settled(recorded) else { return };
    for row in last.rows.iter().filter(|row| is_live(&row.state)) {
        faults.push(format!("rule 10: {} is still {}", row.task, row.state));
    }
    for inspection in recorded.inspections.iter().filter(|inspection| inspection.phase == Phase::Dead) {
        for dead in inspection.rows.iter().filter(|row| row.state == "running") {
            let Some(end) = row(last, &dead.task) else { continue };
            if has_files(&end.state) && end.epoch <= dead.epoch {
                faults.push(format!("rule 10: {} was ended by a dead process", end.task));
            }
        }
    }
}

#[cfg(test)]
mod tests;
