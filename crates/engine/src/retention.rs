//! Moves table files that no kept snapshot needs to a trash. From there they can be restored, for example if the wrong
//! catalogue was used.
//!
//! Invariants:
//! - The files that kept snapshots need are read from the Delta log before the first file is moved. If a log cannot be
//!   read, nothing is moved.
//! - Logs are kept, and so are all files of the newest version of a table. So the next refresh and other programs find
//!   a valid table, whenever this process ends.
//!
//! The caller prevents refreshes meanwhile: no version names the files of a running refresh yet.

use crate::declared::TABLES;
use crate::error::{EngineError, Result};
use crate::session::Engine;
use crate::tables;
use futures_util::future::BoxFuture;
use muster_reports::SnapshotManifest;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How files are moved.
#[derive(Debug, Clone)]
pub struct Removal {
    /// The trash: a folder on the same file system.
    pub trash: PathBuf,
    /// Number of expired snapshots in the catalogue. The share of files that is moved may not exceed their share of the
    /// snapshots.
    pub expired: usize,
    /// Moves any number of files.
    pub all: bool,
}

impl Removal {
    /// This many files are always allowed.
    const FEW: usize = 16;

    /// Whether expired snapshots, and refreshes that published nothing, can explain so many unneeded files.
    fn permits(&self, unkept: usize, all: usize, kept: usize) -> bool {
        let snapshots = self.expired + kept;
        self.all || unkept <= Self::FEW || 2 * unkept <= all || unkept * snapshots <= all * self.expired
    }
}

/// The files that were moved, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Engine {
    /// Moves every table file that neither a snapshot of `kept` nor the newest version of a table needs. Without a
    /// `removal`, the files are only counted.
    ///
    /// # Errors
    /// When a table cannot be read, or expired snapshots do not explain the number of files; then no file has been
    /// moved. When a file cannot be moved; then the remaining files are moved the next time.
    pub fn remove_unkept<'a>(
        self: &'a Arc<Self>,
        kept: &'a [SnapshotManifest],
        removal: Option<&'a Removal>,
    ) -> BoxFuture<'a, Result<Removed>> {
        Box::pin(async move {
            let mut versions: BTreeMap<&'static str, BTreeSet<u64>> = BTreeMap::new();
            for table in TABLES {
                let named = kept.iter().filter_map(|manifest| manifest.versions.get(table).copied());
                versions.insert(table, named.collect());
            }
            let engine = Arc::clone(self);
            let (removal, kept) = (removal.cloned(), kept.len());
            self.run(async move {
            let (mut unkept, mut all) = (Vec::new(), 0);
            for (table, versions) in versions {
                let (files, of) = unkept_files(engine.tables_dir(), table, &versions).await?;
                unkept.extend(files.into_iter().map(|(path, bytes)| (table, path, bytes)));
                all += of;
            }
            if let Some(removal) = &removal
                && !removal.permits(unkept.len(), all, kept)
            {
                return Err(EngineError::Invalid(format!(
                    "{} of {all} table files are read by no snapshot of this database: expected no larger a share than \
                     that of snapshots that expired; nothing was removed; if this is the right database, \
                     `muster snapshot expire --all` moves them to the trash",
                    unkept.len()
                )));
            }
            let mut removed = Removed::default();
            for (table, path, bytes) in unkept {
                if let Some(removal) = &removal {
                    discard(&path, &removal.trash.join(table))?;
                }
                removed.files += 1;
                removed.bytes += bytes;
            }
            Ok(removed)
        })
        .await
        })
    }
}

/// Moves a file into a folder of the trash.
fn discard(path: &Path, trash: &Path) -> Result<()> {
    let failed = |e| EngineError::io(format!("moving {} to the trash", path.display()), e);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(trash).map_err(failed)?;
    std::fs::rename(path, trash.join(path.file_name().unwrap_or_default())).map_err(failed)
}

/// The files of a table that neither its newest version nor one of `versions` needs, with their sizes; and how many
/// files the table has.
async fn unkept_files(
    dir: &Path,
    table: &str,
    versions: &BTreeSet<u64>,
) -> Result<(Vec<(PathBuf, u64)>, usize)> {
    let folder = dir.join(table);
    if !folder.join("_delta_log").exists() {
        return Ok((Vec::new(), 0));
    }
    // Listed before the log is read: a file that is created later is not in the list.
    let files = data_files(&folder)?;
    let all = files.len();
    let mut kept = tables::files(dir, table, None).await?;
    for version in versions {
        kept.extend(tables::files(dir, table, Some(*version)).await?);
    }
    Ok((files.into_iter().filter(|(path, _)| !is_kept(path, &kept)).collect(), all))
}

fn is_kept(path: &Path, kept: &BTreeSet<String>) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_none_or(|name| kept.contains(name))
}

/// The Parquet files in a table's folder.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_larger_a_share_goes_unasked_than_of_snapshots() {
        let permits = |expired, kept, unkept, of| {
            Removal { trash: PathBuf::new(), expired, all: false }.permits(unkept, of, kept)
        };
        // The catalogue of another database: its only snapshot has just been published, and 38 of 52 files are unknown
        // to it.
        assert!(!permits(0, 1, 38, 52));
        assert!(permits(0, 1, 26, 52), "what a refresh leaves that published nothing");
        // One of three snapshots is kept: two thirds may go.
        assert!(permits(2, 1, 40, 60));
        assert!(!permits(2, 1, 41, 60));
        assert!(permits(0, 1, 16, 16), "so few are never too many");
        assert!(Removal { trash: PathBuf::new(), expired: 0, all: true }.permits(38, 52, 1));
    }
}
