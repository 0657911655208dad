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
pub(crate) mod sums;

pub use crate::error::Damage;

use crate::declared::TABLES;
use crate::error::{EngineError, Result};
use crate::file_name::FileName;
use crate::session::Engine;
use crate::tables;
use files::{hash, look_at, path_of};
use futures_util::future::BoxFuture;
use muster_reports::SnapshotManifest;
use muster_reports::snapshot::TableFile;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

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

    /// Checks that the files of a table that may have rows of one id are what was written. `found` has the names of the
    /// files in the table's log.
    ///
    /// # Errors
    /// [`EngineError::Damaged`].
    pub(crate) async fn check_files_of_id(
        &self,
        manifest: &SnapshotManifest,
        table: &'static str,
        id: &str,
        found: impl Iterator<Item = &str>,
    ) -> Result<()> {
        let Some(files) = manifest.files.get(table) else { return Ok(()) };
        let may_have = |name: &str| FileName::parse(name).is_none_or(|name| name.may_have(id));
        let wanted: BTreeMap<_, _> = files.iter().filter(|(name, _)| may_have(name)).collect();
        let found: BTreeSet<&str> = found.filter(|name| may_have(name)).collect();
        let fault = if wanted.keys().map(|name| name.as_str()).eq(found) {
            let (dir, known) = (self.tables_dir().join(table), Arc::clone(self.known()));
            let wanted = wanted.into_iter().map(|(name, file)| (name.clone(), file.clone())).collect();
            let fault = move |(name, file): (String, TableFile)| known.fault(&dir, table, &name, &file);
            on_threads(self.threads(), wanted, fault).await?.into_iter().flatten().next()
        } else {
            Some("its log does not name the files that were written".to_owned())
        };
        match fault {
            None => Ok(()),
            Some(fault) => Err(EngineError::Damaged {
                snapshot: manifest.id.to_string(),
                damage: Damage { table: table.to_owned(), fault },
            }),
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
        let (dir, known) = (self.tables_dir().join(table), Arc::clone(self.known()));
        let fault = move |(name, file): (String, TableFile)| known.fault(&dir, table, &name, &file);
        let faults = on_threads(self.threads(), files.clone().into_iter().collect(), fault).await?;
        Ok(faults.into_iter().flatten().next().and_then(damage))
    }

    /// Hashes every file of these snapshots once.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub fn check<'a>(self: &'a Arc<Self>, kept: &'a [SnapshotManifest]) -> BoxFuture<'a, Result<Checked>> {
        Box::pin(async move {
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
        })
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

/// The files of a table of a new snapshot, with sizes, digests and numbers. Files shared with `previous` keep their
/// description; the others are hashed and counted.
pub(crate) async fn describe(
    engine: &Engine,
    table: &'static str,
    version: u64,
    previous: Option<&SnapshotManifest>,
) -> Result<BTreeMap<String, TableFile>> {
    let known = previous.and_then(|previous| previous.files.get(table));
    let is_described = |file: &TableFile| !sums::is_counted(table) || !file.sums.is_empty();
    if let Some(known) = known
        && previous.and_then(|last| last.versions.get(table)) == Some(&version)
        && known.values().all(is_described)
    {
        return Ok(known.clone());
    }
    let names = tables::files(engine.tables_dir(), table, Some(version)).await?;
    let files: Vec<_> =
        names.into_iter().map(|name| (known.and_then(|known| known.get(&name)).cloned(), name)).collect();
    let dir = engine.tables_dir().join(table);
    let describe = move |(known, name): (Option<TableFile>, String)| -> Result<(String, TableFile)> {
        let mut file = match known {
            Some(known) => known,
            None => hash(&path_of(&dir, &name))
                .map_err(|error| EngineError::io(format!("hashing file {name} of table {table:?}"), error))?,
        };
        if file.sums.is_empty() {
            file.sums = sums::count(&dir, table, &name)?;
        }
        Ok((name, file))
    };
    on_threads(engine.threads(), files, describe).await?.into_iter().collect()
}

/// Applies a function to all items, on at most so many threads. The results have the order of the items.
async fn on_threads<I, O>(
    threads: usize,
    items: Vec<I>,
    apply: impl Fn(I) -> O + Send + Sync + 'static,
) -> Result<Vec<O>>
where
    I: Send + 'static,
    O: Send + 'static,
{
    let threads = threads.min(items.len());
    let (waiting, apply) = (Arc::new(Mutex::new(items.into_iter().enumerate())), Arc::new(apply));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..threads {
        let (waiting, apply) = (Arc::clone(&waiting), Arc::clone(&apply));
        let next = move || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
        tasks.spawn_blocking(move || {
            std::iter::from_fn(next).map(|(at, item)| (at, apply(item))).collect::<Vec<_>>()
        });
    }
    let mut made = BTreeMap::new();
    while let Some(done) = tasks.join_next().await {
        made.extend(done.map_err(|_| EngineError::Stopped)?);
    }
    Ok(made.into_values().collect())
}

fn chain(error: &EngineError) -> String {
    muster_reports::error::error_chain(error)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn work_is_on_as_many_threads_as_it_may_use() {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (now, seen) = (Arc::clone(&running), Arc::clone(&most));
        let one_by_one = on_threads(1, (0..100).collect(), move |item: usize| {
            seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::yield_now();
            now.fetch_sub(1, Ordering::SeqCst);
            item * 2
        });
        assert_eq!(one_by_one.await.unwrap(), (0..100).map(|item| item * 2).collect::<Vec<_>>());
        assert_eq!(most.load(Ordering::SeqCst), 1);
        // None of them returns before all three run.
        let together = Barrier::new(3);
        let three = on_threads(3, vec!['a', 'b', 'c'], move |item| {
            together.wait();
            item
        });
        assert_eq!(three.await.unwrap(), ['a', 'b', 'c']);
    }
}
