//! What came of an attempt to deliver something, whichever way.

/// What came of an attempt to deliver something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The recipient's server has it.
    Sent,
    /// It does not, and a later attempt may succeed.
    NotNow(String),
    /// No attempt can succeed.
    Never(String),
}
