//! Backups: a folder of files that are named by their content, and a list of what each backup consists of. The folder is on a
//! disk, or in a bucket of an object store.
//!
//! ```text
//! muster-backup            marks the folder
//! objects/ab/abcd...       one file for each content, named by its SHA-256; backups share them
//! backups/TIME-SHA256.json the list of one backup, named by the time it is of and by the list's own SHA-256
//! drafts/                  files that are not complete; the next backup removes them. Not in a bucket
//! backup.lock              held by the process that writes. Not in a bucket
//! ```
//!
//! Invariants:
//! - the list appears last, under its final name, after all files that it names are durable: a process that is killed
//!   leaves no list, and so no backup;
//! - a file whose digest is recorded (of tables and results) is compared with the record while it is copied: a damaged
//!   file ends the backup with an error;
//! - nothing in the folder is changed once it has its name. So the next backup copies only what is new.

mod bucket;
mod objects;
mod place;

use crate::lock::Lock;
use crate::result_files::ResultFiles;
use chrono::{DateTime, Utc};
use muster_reports::error::{Error, Result};
use muster_reports::failpoint::{Failpoint, reached};
use muster_reports::ids::hex;
use muster_reports::snapshot::SnapshotManifest;
use muster_reports::task::PublishedFile;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

pub use place::BackupPlace;

/// Marks a folder of backups.
const MARK: &str = "muster-backup";
/// The folder of lists.
const LISTS: &str = "backups";
/// The form of lists that this version writes and reads.
const FORM: u32 = 1;
/// The log of a table, in its folder.
const LOG: &str = "_delta_log";
/// The database of a data directory.
pub const DATABASE: &str = "muster.db";
/// What `pg_dump` wrote, in a backup of an installation whose database is in PostgreSQL.
pub const DUMP: &str = "muster.pgdump";

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupFile {
    /// Its place in the data directory, with `/` between folders.
    pub path: String,
    /// Its SHA-256, 64 hex digits.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
}

/// The list of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupList {
    /// The form of the list.
    pub form: u32,
    /// The version that made it.
    pub made_by: String,
    /// The time that it is of: when its database was copied.
    pub taken: DateTime<Utc>,
    /// Whether the service's keys and settings are in it.
    pub with_keys: bool,
    /// The number of the last event of the audit trail, and its hash, with a colon between them.
    pub audit_head: String,
    /// The newest snapshot, if there is one.
    pub newest_snapshot: Option<String>,
    /// The schema of the tables of a PostgreSQL database; without it, the database is a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Every file.
    pub files: Vec<BackupFile>,
}

impl BackupList {
    /// The place of the database in the backup.
    pub fn database(&self) -> &'static str {
        if self.schema.is_some() { DUMP } else { DATABASE }
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// What a backup is made of.
pub struct BackupParts {
    /// A copy of the database, which nothing uses any more.
    pub database: PathBuf,
    /// As [`BackupList::schema`].
    pub schema: Option<String>,
    /// The snapshots that it names.
    pub snapshots: Vec<SnapshotManifest>,
    /// The results that it names.
    pub results: Vec<PublishedFile>,
    /// Their files.
    pub files: ResultFiles,
    /// The folder that has `tables`: the data directory, or the one that processes share.
    pub data: PathBuf,
    /// Further files: their places in the data directory, and where they are.
    pub others: Vec<(String, PathBuf)>,
    /// The time that the database is of.
    pub taken: DateTime<Utc>,
    /// The version of the program.
    pub made_by: String,
    /// Whether `others` has the keys.
    pub with_keys: bool,
    /// The head of the audit trail.
    pub audit_head: String,
}

/// How a backup ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is complete.
    Whole(Summary),
    /// A file went away while the backup was made, because its snapshot or result expired. A new copy of the database
    /// does not name it.
    Gone(String),
}

/// What a backup has, and what was copied for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Its name.
    pub name: String,
    /// Its files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that no earlier backup in the folder had.
    pub copied_files: u64,
    /// Their bytes.
    pub copied_bytes: u64,
}

/// A folder of backups. Its functions wait for files and, with a bucket, for the network.
pub struct BackupFolder {
    place: place::Opened,
}

/// A folder of backups that this process writes to. On a disk, it is the only one.
pub struct Writing {
    folder: BackupFolder,
    drafts: PathBuf,
    _lock: Option<Lock>,
}

impl BackupFolder {
    /// Opens a folder that has backups.
    ///
    /// # Errors
    /// `Invalid` if it is not such a folder.
    pub fn open(place: &BackupPlace) -> Result<Self> {
        let place = place::Opened::open(place)?;
        if !place.is_marked(MARK)? {
            return Err(Error::invalid(format!(
                "{} is not a folder of backups: expected one that `muster backup take` made",
                place.shown()
            )));
        }
        Ok(Self { place })
    }

    /// Opens a folder to write to. Makes it if it is missing or empty. Removes what a killed process left in it. What is needed
    /// while a backup is made for a bucket is in the folder `drafts`.
    ///
    /// # Errors
    /// `Invalid` if the folder has other files; `Unavailable` if another process writes to it; `Internal` with the path.
    pub fn to_write(place: &BackupPlace, drafts: &Path) -> Result<Writing> {
        let place = place::Opened::open(place)?;
        let text = format!("Backups of muster, form {FORM}\n");
        let lock = place.own((MARK, text.as_bytes()), LISTS)?;
        let drafts = match &place {
            place::Opened::Folder(dir) => dir.join(objects::DRAFTS),
            place::Opened::Bucket(_) => drafts.to_owned(),
        };
        Ok(Writing { folder: Self { place }, drafts, _lock: lock })
    }

    /// The names of the backups, the oldest first.
    ///
    /// # Errors
    /// `Internal` with the path.
    pub fn names(&self) -> Result<Vec<String>> {
        let files = self.place.names(LISTS)?;
        let mut names: Vec<String> =
            files.iter().filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).collect();
        // The time comes first, so the names sort as the times do.
        names.sort();
        Ok(names)
    }

    /// The name of the newest backup, or of the one whose name begins with `wanted`.
    ///
    /// # Errors
    /// `NotFound` if there is none; `Invalid` if several names begin so.
    pub fn find(&self, wanted: Option<&str>) -> Result<String> {
        let mut names = self.names()?;
        let Some(wanted) = wanted else {
            return names
                .pop()
                .ok_or_else(|| Error::not_found(format!("{} has no complete backup", self.place.shown())));
        };
        names.retain(|name| name.starts_with(wanted));
        match (names.pop(), names.len()) {
            (Some(name), 0) => Ok(name),
            (Some(_), others) => Err(Error::invalid(format!(
                "{wanted:?} begins the names of {} backups: expected more of the name",
                others + 1
            ))),
            (None, _) => Err(Error::not_found(format!(
                "{} has no backup whose name begins with {wanted:?}",
                self.place.shown()
            ))),
        }
    }

    /// The list of a backup.
    ///
    /// # Errors
    /// `Internal` if it is not what was written: its SHA-256 is in its name.
    pub fn list(&self, name: &str) -> Result<BackupList> {
        let (text, path) = self.place.read(&list_of(name))?;
        let digest = hex(Sha256::digest(&text));
        if name.rsplit_once('-').map(|(_, digest)| digest) != Some(&digest) {
            return Err(Error::internal(
                "the list of the backup is damaged",
                format!("{path} has the SHA-256 {digest}: expected the one in its name"),
            ));
        }
        let list: BackupList = serde_json::from_slice(&text)
            .map_err(|error| Error::internal(format!("{path} cannot be read"), error))?;
        if list.form != FORM {
            return Err(Error::invalid(format!(
                "the backup has form {}, made by {}: expected form {FORM}; use the version that made it or a newer one",
                list.form, list.made_by
            )));
        }
        for file in &list.files {
            check_place(file)?;
        }
        Ok(list)
    }

    /// What is wrong with the content of a file; `None` if it is what was copied.
    ///
    /// # Errors
    /// `Internal` if it cannot be read for another reason than that it is missing.
    pub fn fault(&self, file: &BackupFile) -> Result<Option<String>> {
        self.place.fault(file)
    }

    /// Copies a file of a backup to `to`, which must not exist. The copy is durable and has the digest of the list.
    ///
    /// # Errors
    /// `Internal` if the content is damaged or missing, or the copy cannot be written.
    pub fn copy_out(&self, file: &BackupFile, to: &Path) -> Result<()> {
        self.place.copy_out(file, to)
    }
}

impl Writing {
    /// A place in the folder for a file that is needed while a backup is made; nothing is there.
    ///
    /// # Errors
    /// `Internal` if an earlier file cannot be removed.
    pub fn draft(&self, name: &str) -> Result<PathBuf> {
        objects::draft(&self.drafts, name)
    }

    /// Makes a backup of these parts.
    ///
    /// # Errors
    /// `Internal` if a file is damaged or cannot be copied; `Invalid` if a snapshot names no files.
    pub fn take(&self, parts: &BackupParts) -> Result<Taken> {
        let mut list = BackupList {
            form: FORM,
            made_by: parts.made_by.clone(),
            taken: parts.taken,
            with_keys: parts.with_keys,
            audit_head: parts.audit_head.clone(),
            newest_snapshot: parts
                .snapshots
                .iter()
                .max_by_key(|last| last.created)
                .map(|last| last.id.to_string()),
            schema: parts.schema.clone(),
            files: Vec::new(),
        };
        reached(Failpoint::BackupDatabaseCopied);
        let (mut copied_files, mut copied_bytes) = (0, 0);
        for wanted in wanted_files(parts)? {
            let Some((file, is_new)) = self.folder.place.keep(&wanted)? else {
                return Ok(Taken::Gone(wanted.path));
            };
            reached(Failpoint::BackupFileKept);
            copied_files += u64::from(is_new);
            copied_bytes += if is_new { file.bytes } else { 0 };
            list.files.push(file);
        }
        reached(Failpoint::BackupFilesKept);
        let name = self.name_list(&list)?;
        reached(Failpoint::BackupListed);
        let (files, bytes) = (list.files.len() as u64, list.bytes());
        Ok(Taken::Whole(Summary { name, files, bytes, copied_files, copied_bytes }))
    }

    /// Writes the list, which completes the backup.
    fn name_list(&self, list: &BackupList) -> Result<String> {
        let text = serde_json::to_vec_pretty(list)
            .map_err(|error| Error::internal("the list of the backup cannot be written", error))?;
        let name = format!("{}-{}", list.taken.format("%Y%m%dT%H%M%S%3fZ"), hex(Sha256::digest(&text)));
        self.folder.place.name(&list_of(&name), &text)?;
        Ok(name)
    }
}

/// The file of a list.
fn list_of(name: &str) -> String {
    format!("{LISTS}/{name}.json")
}

/// A file that a backup needs.
struct Wanted {
    /// Its place in the data directory.
    path: String,
    /// Where it is now.
    from: Origin,
    /// Its SHA-256 and size, if they are recorded.
    known: Option<(String, u64)>,
}

/// Where a file is that a backup needs.
enum Origin {
    /// A file of this machine.
    File(PathBuf),
    /// The file of a result, wherever results are.
    Result(Box<ResultFiles>, String),
}

impl Origin {
    /// As people name it.
    fn shown(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Result(files, name) => files.shown(name).into(),
        }
    }

    /// Opens it; `None` if it does not exist.
    fn open(&self) -> Result<Option<Box<dyn Read + Send>>> {
        match self {
            Self::File(path) => {
                Ok(objects::open(path)?.map(|file| -> Box<dyn Read + Send> { Box::new(file) }))
            }
            Self::Result(files, name) => Ok(files.find_published(name, None)?.map(|found| found.content)),
        }
    }
}

/// Every file of a backup. The logs of tables come after the database, so that they have every version that it names.
fn wanted_files(parts: &BackupParts) -> Result<Vec<Wanted>> {
    let database = if parts.schema.is_some() { DUMP } else { DATABASE };
    let from = Origin::File(parts.database.clone());
    let mut wanted = vec![Wanted { path: database.to_owned(), from, known: None }];
    let in_data = |path: String, known| Wanted { from: Origin::File(parts.data.join(&path)), path, known };
    let mut versions: BTreeMap<&str, u64> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for snapshot in &parts.snapshots {
        if snapshot.files.is_empty() {
            return Err(Error::invalid(format!(
                "snapshot {} has no digests, because an earlier version made it: expected snapshots with digests; \
                 unpin it and let it expire (`muster snapshot expire`)",
                snapshot.id
            )));
        }
        for (table, version) in &snapshot.versions {
            let last = versions.entry(table).or_default();
            *last = (*last).max(*version);
        }
        for (table, files) in &snapshot.files {
            for (name, file) in files {
                let path = format!("tables/{table}/{name}");
                if seen.insert(path.clone()) {
                    wanted.push(in_data(path, Some((file.sha256.clone(), file.bytes))));
                }
            }
        }
    }
    for (table, last) in versions {
        for name in log_files(&parts.data.join("tables").join(table).join(LOG), last)? {
            wanted.push(in_data(format!("tables/{table}/{LOG}/{name}"), None));
        }
    }
    for file in &parts.results {
        let known = Some((file.sha256.clone(), file.bytes));
        let from = Origin::Result(Box::new(parts.files.clone()), file.stored_name.clone());
        wanted.push(Wanted { path: format!("results/{}", file.stored_name), from, known });
    }
    let others = parts.others.iter().cloned();
    wanted.extend(others.map(|(path, from)| Wanted { path, from: Origin::File(from), known: None }));
    Ok(wanted)
}

/// The files of a table's log up to a version. `_last_checkpoint` is only a hint and may name a later version.
fn log_files(log: &Path, last: u64) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(log).map_err(|error| objects::wrong("list", log, error))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| objects::wrong("list", log, error))?;
        let is_file = entry.file_type().map_err(|error| objects::wrong("list", log, error))?.is_file();
        let Ok(name) = entry.file_name().into_string() else { continue };
        let version = name.get(..20).and_then(|digits| digits.parse::<u64>().ok());
        if is_file && version.is_some_and(|version| version <= last) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Refuses a list whose files would be written outside of the data directory.
fn check_place(file: &BackupFile) -> Result<()> {
    let is_inside = file.path.split('/').all(|part| !matches!(part, "" | "." | ".."))
        && !file.path.contains('\\')
        && !file.path.chars().any(char::is_control);
    let is_digest =
        file.sha256.len() == 64 && file.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if is_inside && is_digest {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the backup names the file {:?} with the SHA-256 {:?}: expected a place inside of the data directory and 64 hex \
         digits",
        file.path, file.sha256
    )))
}

#[cfg(test)]
mod tests;
