//! Checks that the files of tables are the files that were written. The manifest of each snapshot has their SHA-256.
//!
//! A Parquet file with a flipped bit is often read without an error and returns wrong values.
//!
//! Invariants:
//! - A table is opened only if its version consists of the files that the manifest names and each file has the size and
//!   digest in the manifest. A process hashes a file once, when it first opens the file, and again in
//!   [`Engine::check`].
//! - A damaged file is checked again each time, so a restored file is accepted.
//! - Manifests of older versions of the program have no digests. Their tables are opened without this check.

pub(crate) mod files;

pub use crate::error::Damage;

use crate::declared::TABLES;
use crate::error::{EngineError, Result};
use crate::session::Engine;
use crate::tables;
use files::{hash, look_at, path_of};
use muster_reports::SnapshotManifest;
use muster_reports::snapshot::TableFile;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

/// The result of a check of all files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Files that were hashed.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Snapshots without digests, made by older versions of the program.
    pub unchecked: u64,
    /// The damage found, with the snapshot it is in.
    pub damaged: Vec<(String, Damage)>,
}

impl Engine {
    /// Checks that a table of a snapshot is what was written.
    ///
    /// # Errors
    /// [`EngineError::Damaged`].
    pub(crate) async fn check_table(&self, manifest: &SnapshotManifest, table: &'static str) -> Result<()> {
        match self.damage_of(manifest, table).await? {
            None => Ok(()),
            Some(damage) => Err(EngineError::Damaged { snapshot: manifest.id.to_string(), damage }),
        }
    }

    /// The damage to a table of a snapshot; `None` if it is intact.
    pub(crate) async fn damage_of(
        &self,
        manifest: &SnapshotManifest,
        table: &'static str,
    ) -> Result<Option<Damage>> {
        let (Some(files), Some(version)) = (manifest.files.get(table), manifest.versions.get(table)) else {
            return Ok(None);
        };
        let damage = |fault: String| Some(Damage { table: table.to_owned(), fault });
        match tables::files(self.tables_dir(), table, Some(*version)).await {
            Err(error) => return Ok(damage(format!("its log cannot be read: {}", chain(&error)))),
            Ok(found) if !found.iter().eq(files.keys()) => {
                return Ok(damage("its log does not name the files that were written".to_owned()));
            }
            Ok(_) => {}
        }
        let (dir, known, files) = (self.tables_dir().join(table), Arc::clone(self.known()), files.clone());
        let hashed = tokio::task::spawn_blocking(move || {
            files.iter().find_map(|(name, file)| known.fault(&dir, table, name, file))
        });
        Ok(hashed.await.map_err(|_| EngineError::Stopped)?.and_then(damage))
    }

    /// Hashes every file of these snapshots once.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub async fn check(self: &Arc<Self>, kept: &[SnapshotManifest]) -> Result<Checked> {
        let (engine, kept) = (Arc::clone(self), kept.to_vec());
        self.run(async move {
            let (mut checked, mut seen) = (Checked::default(), BTreeSet::new());
            engine.known().forget();
            for manifest in &kept {
                checked.unchecked += u64::from(manifest.files.is_empty());
                for table in TABLES {
                    // Snapshots share files, so a file may have been seen already.
                    for (name, file) in manifest.files.get(table).into_iter().flatten() {
                        if seen.insert((table, name.clone())) {
                            checked.files += 1;
                            checked.bytes += file.bytes;
                        }
                    }
                    let damage = engine.damage_of(manifest, table).await?;
                    checked.damaged.extend(damage.map(|damage| (manifest.id.to_string(), damage)));
                }
            }
            Ok(checked)
        })
        .await
    }

    /// Damage to a snapshot that can be seen without hashing: files that are missing, have another size, or were found
    /// damaged before. It is fast enough to be called every second.
    pub fn apparent_damage(&self, manifest: &SnapshotManifest) -> Option<Damage> {
        for (table, files) in &manifest.files {
            let dir = self.tables_dir().join(table);
            for (name, file) in files {
                let fault = look_at(&dir, name, file)
                    .err()
                    .or_else(|| self.known().still_damaged(&dir, table, name, file));
                if let Some(fault) = fault {
                    return Some(Damage { table: table.clone(), fault });
                }
            }
        }
        None
    }
}

/// The files of each table of a new snapshot, with sizes and digests. Files shared with `previous` keep their
/// description; the others are hashed.
pub(crate) async fn describe(
    engine: &Engine,
    manifest: &SnapshotManifest,
    previous: Option<&SnapshotManifest>,
) -> Result<BTreeMap<String, BTreeMap<String, TableFile>>> {
    let mut described = BTreeMap::new();
    for (table, version) in &manifest.versions {
        if let Some(last) = previous.filter(|last| last.versions.get(table) == Some(version))
            && let Some(files) = last.files.get(table)
        {
            described.insert(table.clone(), files.clone());
            continue;
        }
        let names = tables::files(engine.tables_dir(), table, Some(*version)).await?;
        let known = previous.and_then(|previous| previous.files.get(table)).cloned().unwrap_or_default();
        let (dir, failed) =
            (engine.tables_dir().join(table), format!("hashing the files of table {table:?}"));
        let files = tokio::task::spawn_blocking(move || {
            let describe = |name: String| -> io::Result<(String, TableFile)> {
                let file = known.get(&name).cloned().map_or_else(|| hash(&path_of(&dir, &name)), Ok)?;
                Ok((name, file))
            };
            names.into_iter().map(describe).collect::<io::Result<BTreeMap<_, _>>>()
        });
        let files = files.await.map_err(|_| EngineError::Stopped)?;
        described.insert(table.clone(), files.map_err(|error| EngineError::io(failed, error))?);
    }
    Ok(described)
}

fn chain(error: &EngineError) -> String {
    muster_reports::error::error_chain(error)
}
