//! The report operations, one file each: read, call the use case, answer.

pub(crate) mod cancel;
pub(crate) mod compare;
pub(crate) mod cover;
pub(crate) mod custom;
pub(crate) mod definitions;
pub(crate) mod evidence;
pub(crate) mod file;
pub(crate) mod kept_definitions;
pub(crate) mod result;
pub(crate) mod review_sheets;
pub(crate) mod run;

pub(crate) mod conditional;
pub(crate) mod disposition;
pub(crate) mod file_answer;
pub(crate) mod stream;
