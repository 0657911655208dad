//! What a command ends with when it does not succeed: one line, and an exit status.

use crate::config::ConfigError;
use muster_reports::Category;
use muster_reports::error::error_chain;
use std::error::Error as StdError;
use std::fmt;
use std::io::Write;
use std::process::ExitCode;

/// How a command ended that did not succeed. docs/command-line.md explains them; scripts rely on the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// Something went wrong, or what was looked at is not in order.
    Failed,
    /// The command was called wrongly, or a setting is wrong.
    Usage,
    /// It is done, and there is something that a reader must know.
    Warning,
    /// The credential is not valid, or lacks the right.
    NotAllowed,
    /// What was named does not exist, or may not be seen.
    NotFound,
    /// The report was cancelled.
    Cancelled,
    /// More would be lost than the settings allow: nothing was published.
    LosesTooMuch,
    /// The time was up.
    TimedOut,
}

impl ExitStatus {
    /// The number that the process ends with.
    pub const fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Warning => 3,
            Self::NotAllowed => 4,
            Self::NotFound => 5,
            Self::Cancelled => 6,
            Self::LosesTooMuch => 7,
            Self::TimedOut => 124,
        }
    }
}

/// Why a command did not succeed.
#[derive(Debug)]
pub struct Failure {
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    status: ExitStatus,
}

/// A command's result.
pub type Result<T = (), E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A failure with this status.
    pub fn of(status: ExitStatus, message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None, status }
    }

    /// Something went wrong.
    pub fn new(message: impl Into<String>) -> Self {
        Self::of(ExitStatus::Failed, message)
    }

    /// Something went wrong, and why.
    pub fn with(message: impl Into<String>, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..Self::new(message) }
    }

    /// The command was called wrongly.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::of(ExitStatus::Usage, message)
    }

    /// What was named does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::of(ExitStatus::NotFound, message)
    }

    /// It is done, and there is something that a reader must know.
    pub fn warning(message: impl Into<String>) -> Self {
        Self::of(ExitStatus::Warning, message)
    }

    /// What was looked at is in order now and was not before.
    pub fn mended(message: impl Into<String>) -> Self {
        Self::warning(message)
    }

    /// The same failure in a larger one, whose status stays.
    pub fn within(self, message: impl Into<String>) -> Self {
        let status = self.status;
        Self { message: message.into(), source: Some(Box::new(self)), status }
    }

    /// How the command ends.
    pub fn status(&self) -> ExitStatus {
        self.status
    }

    /// Prints the one line and gives the exit status.
    pub fn report(&self) -> ExitCode {
        // A message that spans lines would hide where it ends.
        let line = error_chain(self).split_whitespace().collect::<Vec<_>>().join(" ");
        // Where standard error takes nothing, the status still says it.
        let _ = writeln!(std::io::stderr(), "error: {line}");
        ExitCode::from(self.status().code())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<muster_reports::Error> for Failure {
    fn from(error: muster_reports::Error) -> Self {
        let status = match error.category {
            Category::Forbidden => ExitStatus::NotAllowed,
            Category::NotFound => ExitStatus::NotFound,
            Category::Invalid | Category::Unavailable | Category::Broken | Category::Internal => {
                ExitStatus::Failed
            }
        };
        Self { message: error.message, source: error.source, status }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string())
    }
}

/// Gives a failure its place.
pub trait Context<T> {
    /// Says what could not be done; the error becomes the cause.
    fn context(self, message: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> Context<T> for std::result::Result<T, E> {
    fn context(self, message: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Failure::with(message(), error))
    }
}
