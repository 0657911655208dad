//! What a command ends with when it does not succeed: one line, and an exit status.

use crate::config::ConfigError;
use muster_reports::error::error_chain;
use std::error::Error as StdError;
use std::fmt;
use std::io::Write;
use std::process::ExitCode;

/// Why a command did not succeed.
#[derive(Debug)]
pub struct Failure {
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    status: u8,
}

/// A command's result.
pub type Result<T = (), E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// Something went wrong: exit status 1.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None, status: 1 }
    }

    /// Something went wrong, and why.
    pub fn with(message: impl Into<String>, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { message: message.into(), source: Some(source.into()), status: 1 }
    }

    /// The command was called wrongly: exit status 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None, status: 2 }
    }

    /// What was looked at is in order now and was not before: exit status 3.
    pub fn mended(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None, status: 3 }
    }

    /// Prints the one line and gives the exit status.
    pub fn report(&self) -> ExitCode {
        // A message that spans lines would hide where it ends.
        let line = error_chain(self).split_whitespace().collect::<Vec<_>>().join(" ");
        // Where standard error takes nothing, the status still says it.
        let _ = writeln!(std::io::stderr(), "error: {line}");
        ExitCode::from(self.status)
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
        Self { message: error.message, source: error.source, status: 1 }
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
