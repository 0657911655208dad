//! Statements that change the state of a task.

use muster_reports::task::TaskState;

/// A statement that changes the state of one task: only from the states that are declared for it. `set` changes other
/// columns, `which` finds the task.
pub(super) fn entering(state: TaskState, set: &str, which: &str) -> String {
    let from: Vec<_> = state.entered_from().iter().map(|from| format!("'{}'", from.as_str())).collect();
    let (state, from) = (state.as_str(), from.join(", "));
    format!("UPDATE tasks SET state = '{state}', {set} WHERE {which} AND state IN ({from})")
}
