//! Removing files of table versions that no kept snapshot names.
//!
//! Invariants:
//! - what a kept snapshot reads is known from the Delta log before the first file goes, and a log that
//!   cannot be read removes nothing;
//! - logs stay, and the newest version of a table stays whole, so that the next refresh and other programs
//!   find a table in order however this ends.
//!
//! The caller keeps refreshes out meanwhile: the files of one that runs are named by no version yet.

use crate::error::{EngineError, Result};
use crate::session::Engine;
use crate::tables;
use muster_reports::SnapshotManifest;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was removed, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Engine {
    /// Removes every table file that neither a snapshot of `kept` nor a table's newest version reads. With
    /// `dry_run` they are only counted.
    ///
    /// # Errors
    /// When a table cannot be read, before any of its files is touched; when a file cannot be removed. What
    /// is left over goes the next time.
    pub async fn remove_unkept(
        self: &Arc<Self>,
        kept: &[SnapshotManifest],
        dry_run: bool,
    ) -> Result<Removed> {
        let mut versions: BTreeMap<&'static str, BTreeSet<u64>> = BTreeMap::new();
        for table in tables::TABLES {
            let named = kept.iter().filter_map(|manifest| manifest.versions.get(table).copied());
            versions.insert(table, named.collect());
        }
        let engine = Arc::clone(self);
        self.run(async move {
            let mut unkept = Vec::new();
            for (table, versions) in versions {
                unkept.extend(unkept_files(engine.tables_dir(), table, &versions).await?);
            }
            let mut removed = Removed::default();
            for (path, bytes) in unkept {
                if !dry_run {
                    std::fs::remove_file(&path)
                        .map_err(|e| EngineError::io(format!("removing {}", path.display()), e))?;
                }
                removed.files += 1;
                removed.bytes += bytes;
            }
            Ok(removed)
        })
        .await
    }
}

/// The files of a table that neither its newest version nor one of `versions` reads, with their sizes.
async fn unkept_files(dir: &Path, table: &str, versions: &BTreeSet<u64>) -> Result<Vec<(PathBuf, u64)>> {
    let folder = dir.join(table);
    if !folder.join("_delta_log").exists() {
        return Ok(Vec::new());
    }
    // Listed before the log is read: a file that appears meanwhile is none of ours.
    let files = data_files(&folder)?;
    let mut kept = tables::files(dir, table, None).await?;
    for version in versions {
        kept.extend(tables::files(dir, table, Some(*version)).await?);
    }
    Ok(files.into_iter().filter(|(path, _)| !is_kept(path, &kept)).collect())
}

fn is_kept(path: &Path, kept: &BTreeSet<String>) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_none_or(|name| kept.contains(name))
}

/// The Parquet files beside a table's log.
fn data_files(folder: &Path) -> Result<Vec<(PathBuf, u64)>> {
    let failed = |e| EngineError::io(format!("listing folder {}", folder.display()), e);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let metadata = entry.metadata().map_err(failed)?;
        if metadata.is_file() && entry.path().extension().is_some_and(|extension| extension == "parquet") {
            files.push((entry.path(), metadata.len()));
        }
    }
    files.sort();
    Ok(files)
}
