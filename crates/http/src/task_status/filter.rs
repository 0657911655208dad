//! `filters` of the list of tasks: the published fields and operators, and what they mean for tasks.

use super::answer::completion_status;
use crate::collection::Operator::{Equals, In, IsNull};
use crate::collection::{Condition, FilterField, Test, conditions};
use crate::failure::Failure;
use muster_reports::TaskState;
use muster_reports::error::shown;
use muster_reports::ids::{SourceId, TaskId};
use muster_reports::task_list::TaskFilter;
use muster_wire::{TaskCompletionStatus, TaskStatusType};

#[derive(Clone, Copy)]
enum Field {
    Id,
    SourceId,
    CompletionStatus,
    Type,
    Launcher,
}

const FIELDS: &[FilterField<Field>] = &[
    ("id", Field::Id, &[Equals, In]),
    ("sourceId", Field::SourceId, &[Equals, In]),
    ("completionStatus", Field::CompletionStatus, &[Equals, In, IsNull]),
    ("type", Field::Type, &[Equals, In]),
    ("launcher", Field::Launcher, &[Equals, In]),
];

/// Tasks that wait or run.
pub(super) fn live() -> TaskFilter {
    TaskFilter { states: Some(live_states()), ..TaskFilter::default() }
}

/// Reads `filters`.
pub(super) fn task_filter(text: &str) -> Result<TaskFilter, Failure> {
    let mut filter = TaskFilter::default();
    for Condition { field, test } in conditions(text, FIELDS)? {
        let values = match test {
            Test::OneOf(values) => values,
            // Only `completionStatus` has it.
            Test::Null => {
                narrow(&mut filter.states, live_states());
                continue;
            }
            // No field has them.
            Test::StartsWith(_) | Test::Contains(_) => continue,
        };
        match field {
            Field::Id => narrow(&mut filter.ids, values.into_iter().map(TaskId::new).collect()),
            Field::SourceId => narrow(&mut filter.sources, values.into_iter().map(SourceId::new).collect()),
            Field::CompletionStatus => narrow(&mut filter.states, ended_states(&values)?),
            // All tasks are of this type. Scripts that ask for others, such as aggregations, get none.
            Field::Type if values.iter().any(|name| name == TaskStatusType::Quartz.as_str()) => {}
            Field::Type => narrow(&mut filter.states, Vec::new()),
            Field::Launcher => narrow(&mut filter.launchers, values),
        }
    }
    Ok(filter)
}

/// Both conditions must hold.
fn narrow<T: PartialEq>(condition: &mut Option<Vec<T>>, to: Vec<T>) {
    *condition = Some(match condition.take() {
        None => to,
        Some(values) => values.into_iter().filter(|value| to.contains(value)).collect(),
    });
}

fn live_states() -> Vec<TaskState> {
    TaskState::ALL.into_iter().filter(|state| completion_status(*state).is_none()).collect()
}

/// The states that have one of these published statuses; none has `TEMPERROR`.
fn ended_states(names: &[String]) -> Result<Vec<TaskState>, Failure> {
    if let Some(stranger) = names.iter().find(|name| !TaskCompletionStatus::NAMES.contains(&name.as_str())) {
        return Err(Failure::invalid(format!(
            "filters: completionStatus is {}: expected one of {}",
            shown(stranger),
            TaskCompletionStatus::NAMES.join(", ")
        )));
    }
    let is_named = |state: &TaskState| {
        completion_status(*state).is_some_and(|status| names.iter().any(|name| name == status.as_str()))
    };
    Ok(TaskState::ALL.into_iter().filter(is_named).collect())
}
