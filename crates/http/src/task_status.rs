//! The operations on the list of tasks, one file each: read, call the use case, answer.

pub(crate) mod list;
pub(crate) mod status;
pub(crate) mod update;

mod answer;
mod filter;
