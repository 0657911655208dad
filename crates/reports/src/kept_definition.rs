//! Definitions of custom reports that a store keeps, each with all of its versions.
//!
//! A version is a text, and never changes: what a report of the past was made of can be read for ever. The newest version
//! of a report is the one that runs, unless it was removed.

use crate::error::{Error, Result};
use crate::ids::ReportId;
use chrono::{DateTime, Utc};

/// Most versions that a tenant may have, of all reports together.
pub const DEFINITIONS_MAX: usize = 10_000;
/// Longest text of a definition, in bytes.
pub const DEFINITION_BYTES_MAX: usize = 256 * 1_024;

/// A version of a custom report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptDefinition {
    /// The report.
    pub id: ReportId,
    /// Its version, as the text says.
    pub version: u32,
    /// The definition file.
    pub text: String,
    /// When it was added.
    pub added: DateTime<Utc>,
    /// Who added it.
    pub added_by: String,
    /// When the report was removed, if it is; then none of its versions runs.
    pub removed: Option<DateTime<Utc>>,
}

/// What adding a version does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addition {
    /// It is the newest version already.
    Unchanged,
    /// It is kept.
    New,
    /// It is the newest version, and its report was removed: the report is there again.
    Restored,
}

impl KeptDefinition {
    /// What adding this version does to the report whose newest version is `newest`.
    ///
    /// # Errors
    /// `Invalid` if its version is not greater than the newest, and its text is another one.
    pub fn added_to(&self, newest: Option<&Self>) -> Result<Addition> {
        match newest {
            None => Ok(Addition::New),
            Some(newest) if newest.version < self.version => Ok(Addition::New),
            Some(newest) if newest.version == self.version && newest.text == self.text => {
                Ok(if newest.removed.is_some() { Addition::Restored } else { Addition::Unchanged })
            }
            Some(newest) => Err(Error::invalid(format!(
                "report {:?} has version {} already, and this is another text with version {}: expected a greater version",
                self.id.as_str(),
                newest.version,
                self.version
            ))),
        }
    }
}
