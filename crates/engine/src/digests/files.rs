//! Hashes files of tables and compares them, each file once in a process.

use muster_reports::ids::hex;
use muster_reports::snapshot::TableFile;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Most files whose state is known. When there are more, all states are forgotten, and files are hashed again when they
/// are opened.
const KNOWN_MAX: usize = 100_000;

/// Size of the buffer for hashing.
const BUFFER_BYTES: usize = 256 * 1024;

/// Known state of files, by table and name: intact, or damaged with the fault and the file's modification time.
#[derive(Debug, Default)]
pub(crate) struct KnownFiles(Mutex<HashMap<(String, String), FileState>>);

#[derive(Debug, Clone)]
enum FileState {
    Sound,
    Damaged { fault: String, modified: Option<SystemTime> },
}

impl KnownFiles {
    /// Forgets all states, so that every file is hashed again.
    pub(super) fn forget(&self) {
        self.known().clear();
    }

    pub(super) fn fault(&self, dir: &Path, table: &str, name: &str, file: &TableFile) -> Option<String> {
        let key = (table.to_owned(), name.to_owned());
        if matches!(self.known().get(&key), Some(FileState::Sound)) {
            return look_at(dir, name, file).err();
        }
        let modified = path_of(dir, name).metadata().and_then(|metadata| metadata.modified()).ok();
        let fault = hash_and_compare(dir, name, file).err();
        let known = match &fault {
            None => FileState::Sound,
            Some(fault) => FileState::Damaged { fault: fault.clone(), modified },
        };
        let mut all = self.known();
        if all.len() >= KNOWN_MAX {
            all.clear();
        }
        all.insert(key, known);
        fault
    }

    /// The fault of a damaged file, unless the file has been replaced since.
    pub(super) fn still_damaged(
        &self,
        dir: &Path,
        table: &str,
        name: &str,
        file: &TableFile,
    ) -> Option<String> {
        let known = self.known().get(&(table.to_owned(), name.to_owned())).cloned();
        let Some(FileState::Damaged { fault, modified }) = known else { return None };
        let now = path_of(dir, name).metadata().and_then(|metadata| metadata.modified()).ok();
        if now == modified { Some(fault) } else { self.fault(dir, table, name, file) }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(String, String), FileState>> {
        // A panic cannot leave this map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn path_of(dir: &Path, name: &str) -> PathBuf {
    dir.join(name)
}

/// Size and digest of a file.
pub(super) fn hash(path: &Path) -> io::Result<TableFile> {
    let (mut file, mut digest, mut bytes) = (File::open(path)?, Sha256::new(), 0);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => {
                return Ok(TableFile { bytes, sha256: hex(digest.finalize()), sums: BTreeMap::new() });
            }
            Ok(read) => {
                digest.update(&buffer[..read]);
                bytes += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

pub(super) fn look_at(dir: &Path, name: &str, expected: &TableFile) -> Result<(), String> {
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
    if found.bytes == expected.bytes && found.sha256 == expected.sha256 {
        return Ok(());
    }
    Err(format!("file {name} does not have the content that was written: its SHA-256 is {}", found.sha256))
}

fn gone(name: &str, error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::NotFound {
        return format!("file {name} is missing");
    }
    format!("file {name} cannot be read: {error}")
}
