//! What of a tenant could not be taken over.

use serde::Serialize;

/// Something of the tenant that a definition cannot say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LeftOut {
    /// The source, by its name.
    pub source: String,
    /// What of it, such as `identity attribute "email"`.
    pub what: String,
    /// Why, and what is there instead.
    pub reason: String,
}

/// Takes down what of a source is left out.
pub(super) struct Notes<'a> {
    pub(super) source: &'a str,
    pub(super) left_out: &'a mut Vec<LeftOut>,
}

impl Notes<'_> {
    pub(super) fn add(&mut self, what: impl Into<String>, reason: impl Into<String>) {
        let source = self.source.to_owned();
        self.left_out.push(LeftOut { source, what: what.into(), reason: reason.into() });
    }
}
