//! What a definition says about a Delta table.

use serde::{Deserialize, Serialize};

use crate::account::AccountSettings;
use crate::source_kind::{Fault, SourceSettings};
use crate::total::TotalPlace;

/// The `[delta]` table of a definition file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeltaSettings {
    /// The table's folder, in which `_delta_log` lies. A relative path is taken from the definition file's folder.
    pub path: String,
    /// The version to read; the newest when absent.
    #[serde(default)]
    pub version: Option<u64>,
    /// What the columns mean.
    pub account: AccountSettings,
}

impl SourceSettings for DeltaSettings {
    fn counts(&self) -> &'static str {
        "row"
    }

    fn totals(&self) -> &'static [TotalPlace] {
        &[TotalPlace::Source]
    }

    fn fault(&self) -> Option<Fault> {
        if self.path.trim().is_empty() {
            return Some(("path".to_owned(), "must not be blank".to_owned()));
        }
        if self.path.contains("://") {
            return Some(("path".to_owned(), "expected a folder of this machine and no address".to_owned()));
        }
        self.account.fault()
    }

    fn account(&self) -> Option<&AccountSettings> {
        Some(&self.account)
    }
}
