//! What a definition says about files of JSON objects, one on each line.

use serde::{Deserialize, Serialize};

use crate::account::AccountSettings;
use crate::files::FileSettings;
use crate::source_kind::{Fault, SourceSettings};

/// The `[ndjson]` table of a definition file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NdjsonSettings(pub FileSettings);

impl SourceSettings for NdjsonSettings {
    fn counts(&self) -> &'static str {
        "line"
    }

    fn fault(&self) -> Option<Fault> {
        self.0.fault()
    }

    fn account(&self) -> Option<&AccountSettings> {
        Some(&self.0.account)
    }

    fn named(&self) -> Vec<(String, &str)> {
        self.0.named()
    }
}
