//! The list of tasks: who may ask for it, and how.

use crate::fields::address;

/// What lets a client read the list of tasks.
pub(crate) const TASK_SCOPES: [&str; 2] = ["idn:task-management:read", "idn:task-management:write"];

/// An address of the list of tasks, with the total.
pub(crate) fn tasks_address(conditions: &str, offset: usize, limit: usize) -> String {
    address(
        "/task-status/v1",
        [
            ("limit", limit.to_string()),
            ("offset", offset.to_string()),
            ("count", "true".to_owned()),
            ("filters", conditions.to_owned()),
        ],
    )
}
