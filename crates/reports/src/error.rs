//! One error for the use cases: what kind of failure, what the caller may read, what the log needs.
//!
//! HTTP statuses are decided from [`Category`] in one place, in the `http` crate.

use std::error::Error as StdError;

/// What kind of failure this is, apart from its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// The request is wrong; repeating it unchanged fails again.
    Invalid,
    /// The caller is known and lacks the right.
    Forbidden,
    /// No such thing, for this caller.
    NotFound,
    /// The service cannot do this now (draining, too much at once); it may soon.
    Unavailable,
    /// The service cannot do this until somebody mends what is broken: waiting alone does not help.
    Broken,
    /// A fault of ours.
    Internal,
}

/// A failure of a use case or of a port.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What kind of failure this is.
    pub category: Category,
    /// Text for the caller: names the place, the value's kind and what was expected; no secrets.
    pub message: String,
    /// What only the log should have.
    #[source]
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    fn of(category: Category, message: impl Into<String>) -> Self {
        Self { category, message: message.into(), source: None }
    }

    /// A request that is wrong in itself.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::of(Category::Invalid, message)
    }

    /// A caller without the right.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::of(Category::Forbidden, message)
    }

    /// No such thing, for this caller.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::of(Category::NotFound, message)
    }

    /// Not possible now.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::of(Category::Unavailable, message)
    }

    /// Not possible until somebody mends what the message names.
    pub fn broken(message: impl Into<String>) -> Self {
        Self::of(Category::Broken, message)
    }

    /// A fault of ours; `source` goes to the log and never to the caller.
    pub fn internal(message: impl Into<String>, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { category: Category::Internal, message: message.into(), source: Some(source.into()) }
    }
}

/// Most characters of a text from outside that a message repeats.
const SHOWN_CHARACTERS_MAX: usize = 80;

/// A text from outside as a message shows it: quoted, and not longer than a line.
pub fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// An error and its causes, in one line.
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
