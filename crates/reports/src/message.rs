//! What a reader of a result must know.

use serde::{Deserialize, Serialize};

/// How weighty a message is (`messages[].type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// For information.
    Info,
    /// A reader must know it.
    Warn,
    /// Why there is no result.
    Error,
}

/// Something a reader of the result must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// How weighty.
    pub severity: Severity,
    /// A stable identifier, `source_incomplete` and so on.
    pub key: String,
    /// The text.
    pub text: String,
}

impl Message {
    /// A warning.
    pub fn warn(key: &str, text: impl Into<String>) -> Self {
        Self { severity: Severity::Warn, key: key.into(), text: text.into() }
    }

    /// An error.
    pub fn error(key: &str, text: impl Into<String>) -> Self {
        Self { severity: Severity::Error, key: key.into(), text: text.into() }
    }
}
