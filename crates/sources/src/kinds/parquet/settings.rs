//! What a definition says about Parquet files.

use serde::{Deserialize, Serialize};

use crate::account::AccountSettings;
use crate::files::FileSettings;
use crate::source_kind::{Fault, SourceSettings};
use crate::total::TotalPlace;

/// The `[parquet]` table of a definition file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ParquetSettings(pub FileSettings);

impl SourceSettings for ParquetSettings {
    fn counts(&self) -> &'static str {
        "row"
    }

    fn totals(&self) -> &'static [TotalPlace] {
        &[TotalPlace::Source]
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
