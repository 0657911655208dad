//! What a check says of one thing.

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckOutcome {
    /// It was checked and holds.
    Holds,
    /// It was checked and does not hold.
    Fails,
    /// It could not be checked. That is not a fault.
    Unchecked,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How the check ended.
    pub outcome: CheckOutcome,
    /// What it is, in words for people.
    pub text: String,
}

impl Finding {
    pub(super) fn holds(text: impl Into<String>) -> Self {
        Self { outcome: CheckOutcome::Holds, text: text.into() }
    }

    pub(super) fn fails(text: impl Into<String>) -> Self {
        Self { outcome: CheckOutcome::Fails, text: text.into() }
    }

    pub(super) fn unchecked(text: impl Into<String>) -> Self {
        Self { outcome: CheckOutcome::Unchecked, text: text.into() }
    }
}
