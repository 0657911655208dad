//! Whether the files of tables are those that were written: their SHA-256 stands in the manifest of each snapshot.
//!
//! A Parquet file with a flipped bit is often read without an error and gives other values.
//!
//! Invariants:
//! - a table is opened only when its version consists of the files that the manifest names and each of them has its
//!   size and digest; a file is hashed once in a process, when it is first opened, and by [`Engine::check`];
//! - a file is found damaged until it is found sound: what is put back is seen;
//! - snapshots of earlier versions name no files. They are opened unchecked.

use crate::error::{EngineError, Result};
use crate::session::Engine;
use crate::tables;
use muster_reports::SnapshotManifest;
use muster_reports::ids::hex;
use muster_reports::snapshot::TableFile;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Files whose state is known; past them all are hashed again when they are opened.
const KNOWN_MAX: usize = 100_000;

/// Bytes that are hashed at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// What is wrong with a table of a snapshot, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The table.
    pub table: String,
    /// The file, and what is wrong with it.
    pub fault: String,
}

/// What a check of all files found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Files that were hashed.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Snapshots of earlier versions, whose files have no digests.
    pub unchecked: u64,
    /// What is damaged, by snapshot.
    pub damaged: Vec<(String, Damage)>,
}

/// What is known of files, by table and name: nothing, or what is wrong and when the file was last changed.
#[derive(Debug, Default)]
pub(crate) struct KnownFiles(Mutex<HashMap<(String, String), Known>>);

#[derive(Debug, Clone)]
enum Known {
    Sound,
    Damaged { fault: String, modified: Option<SystemTime> },
}

impl Engine {
    /// Whether a table of a snapshot is what was written.
    ///
    /// # Errors
    /// [`EngineError::Damaged`].
    pub(crate) async fn check_table(&self, manifest: &SnapshotManifest, table: &'static str) -> Result<()> {
        match self.damage_of(manifest, table).await? {
            None => Ok(()),
            Some(damage) => Err(EngineError::Damaged { snapshot: manifest.id.to_string(), damage }),
        }
    }

    /// What is wrong with a table of a snapshot.
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
                return Ok(damage("its log names other files than were written".to_owned()));
            }
            Ok(_) => {}
        }
        let (dir, known, files) = (self.tables_dir().join(table), Arc::clone(self.known()), files.clone());
        let hashed = tokio::task::spawn_blocking(move || {
            files.iter().find_map(|(name, file)| known.fault(&dir, table, name, file))
        });
        Ok(hashed.await.map_err(|_| EngineError::Stopped)?.and_then(damage))
    }

    /// Hashes every file of these snapshots, each once.
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
                for table in tables::TABLES {
                    // Snapshots share files.
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

    /// What is wrong with a snapshot as far as a look at its files shows it: files that are gone, of another size, or
    /// were found damaged. Quick enough to be asked every second.
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

impl KnownFiles {
    /// Makes every file be hashed once more.
    fn forget(&self) {
        self.known().clear();
    }

    fn fault(&self, dir: &Path, table: &str, name: &str, file: &TableFile) -> Option<String> {
        let key = (table.to_owned(), name.to_owned());
        if matches!(self.known().get(&key), Some(Known::Sound)) {
            return look_at(dir, name, file).err();
        }
        let modified = path_of(dir, name).metadata().and_then(|metadata| metadata.modified()).ok();
        let fault = hash_and_compare(dir, name, file).err();
        let known = match &fault {
            None => Known::Sound,
            Some(fault) => Known::Damaged { fault: fault.clone(), modified },
        };
        let mut all = self.known();
        if all.len() >= KNOWN_MAX {
            all.clear();
        }
        all.insert(key, known);
        fault
    }

    /// What was wrong with a file, unless it was put back since.
    fn still_damaged(&self, dir: &Path, table: &str, name: &str, file: &TableFile) -> Option<String> {
        let known = self.known().get(&(table.to_owned(), name.to_owned())).cloned();
        let Some(Known::Damaged { fault, modified }) = known else { return None };
        let now = path_of(dir, name).metadata().and_then(|metadata| metadata.modified()).ok();
        if now == modified { Some(fault) } else { self.fault(dir, table, name, file) }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(String, String), Known>> {
        // A panic cannot leave a map of what is known half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The files of each table of a snapshot that was just made, with sizes and digests: those that it shares with
/// `previous` as it describes them, the others hashed.
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

fn path_of(dir: &Path, name: &str) -> PathBuf {
    dir.join(name)
}

fn hash(path: &Path) -> io::Result<TableFile> {
    let (mut file, mut digest, mut bytes) = (File::open(path)?, Sha256::new(), 0);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(TableFile { bytes, sha256: hex(&digest.finalize()) }),
            Ok(read) => {
                digest.update(&buffer[..read]);
                bytes += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn look_at(dir: &Path, name: &str, expected: &TableFile) -> Result<(), String> {
    let size =
        path_of(dir, name).metadata().as_ref().map(Metadata::len).map_err(|error| gone(name, error))?;
    if size == expected.bytes {
        return Ok(());
    }
    Err(format!("file {name} has {size} bytes: expected {}", expected.bytes))
}

fn hash_and_compare(dir: &Path, name: &str, expected: &TableFile) -> Result<(), String> {
    look_at(dir, name, expected)?;
    let found = hash(&path_of(dir, name)).map_err(|error| gone(name, &error))?;
    if found == *expected {
        return Ok(());
    }
    Err(format!("file {name} has another content than was written: its SHA-256 is {}", found.sha256))
}

fn gone(name: &str, error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::NotFound {
        return format!("file {name} is gone");
    }
    format!("file {name} cannot be read: {error}")
}

fn chain(error: &EngineError) -> String {
    muster_reports::error::error_chain(error)
}
