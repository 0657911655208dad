//! Why something could not be done. Only people read it, so it is a text that contains its causes.

use std::fmt;

/// What went wrong, with its causes.
#[derive(Debug)]
pub struct Failure(String);

/// What something gives that can fail.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Adds to an error what was being done.
pub trait Context<T> {
    /// The failure, with `what` before its text.
    ///
    /// # Errors
    /// When this is an error.
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Failure(format!("{}: {error}", what())))
    }
}
