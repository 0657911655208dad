//! A version of a table, put together from its log: the newest checkpoint before it, and each commit after that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Component, Path, PathBuf};

use arrow::array::{RecordBatch, StructArray};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use percent_encoding::percent_decode_str;

use super::actions::{Action, Add, MetaData, Protocol, TableColumn};
use crate::kinds::parquet::json;
use crate::reader::ReadError;

/// The folder of the log within the table's.
const LOG: &str = "_delta_log";
/// Commits and checkpoints that a log may have.
const LOG_FILES_MAX: usize = 1_000_000;
/// Files that a version may consist of.
const FILES_MAX: usize = 200_000;
/// Bytes that one action may have.
const ACTION_BYTES_MAX: u64 = 16 << 20;
/// Rows of a checkpoint decoded at a time.
const CHECKPOINT_ROWS: usize = 1024;

/// One version of a table.
pub(super) struct Version {
    pub(super) number: u64,
    pub(super) columns: Vec<TableColumn>,
    pub(super) partition_columns: Vec<String>,
    /// In the order of their names.
    pub(super) files: VecDeque<DataFile>,
}

/// A file of rows.
pub(super) struct DataFile {
    pub(super) path: PathBuf,
    pub(super) size: u64,
    /// How many rows it has, where the log tells.
    pub(super) rows: Option<u64>,
    pub(super) partition_values: BTreeMap<String, Option<String>>,
}

/// What the log's folder holds.
#[derive(Default)]
struct Listing {
    commits: BTreeSet<u64>,
    /// Parts that are there, and how many there must be, by version and that number.
    checkpoints: BTreeMap<(u64, u64), BTreeMap<u64, PathBuf>>,
    has_newer_checkpoints: bool,
}

/// A name of the log's folder.
enum LogFile {
    Commit(u64),
    Checkpoint {
        version: u64,
        part: u64,
        parts: u64,
    },
    /// A checkpoint of the second version.
    Newer,
    Other,
}

/// Reads the log of the table in `folder` up to version `wanted`, or to its end.
///
/// # Errors
/// There is no such table or version, or it is not understood.
pub(super) fn read(folder: &Path, wanted: Option<u64>) -> Result<Version, ReadError> {
    let log = folder.join(LOG);
    let refuse = |reason: String| ReadError::Settings { path: folder.display().to_string(), reason };
    let listing = list(&log)?;
    let newest = listing.commits.last().copied().max(listing.checkpoints.keys().map(|key| key.0).max());
    let Some(newest) = newest else {
        return Err(refuse(format!("expected a Delta table: its folder {LOG} has no commit")));
    };
    let number = wanted.unwrap_or(newest);
    if number > newest {
        return Err(refuse(format!("expected version {newest} at most, which is the newest: {number}")));
    }
    let whole = |&(&(version, parts), found): &(&(u64, u64), &BTreeMap<u64, PathBuf>)| {
        version <= number && found.len() as u64 == parts
    };
    let checkpoint = listing.checkpoints.iter().rfind(whole);
    let mut state = State::default();
    let mut next = 0;
    if let Some(((version, _), parts)) = checkpoint {
        for part in parts.values() {
            state.checkpoint(part).map_err(|reason| match reason {
                Fault::Io(error) => error,
                Fault::Content(reason) => refuse(format!("the checkpoint of version {version}: {reason}")),
            })?;
        }
        next = version + 1;
    }
    for commit in next..=number {
        if !listing.commits.contains(&commit) {
            let newer = if listing.has_newer_checkpoints {
                "; checkpoints of the second version are not read"
            } else {
                ""
            };
            let reason =
                format!("version {number} cannot be put together: commit {commit} is missing{newer}");
            return Err(refuse(reason));
        }
        state.commit(&log.join(format!("{commit:020}.json"))).map_err(|reason| match reason {
            Fault::Io(error) => error,
            Fault::Content(reason) => refuse(format!("commit {commit}: {reason}")),
        })?;
    }
    state.version(number, folder).map_err(refuse)
}

fn list(log: &Path) -> Result<Listing, ReadError> {
    let place = log.display().to_string();
    let failed = |source| ReadError::Io { action: "list", path: place.clone(), source };
    let mut listing = Listing::default();
    for (count, entry) in std::fs::read_dir(log).map_err(failed)?.enumerate() {
        if count == LOG_FILES_MAX {
            let reason = format!("expected at most {LOG_FILES_MAX} files");
            return Err(ReadError::Settings { path: place, reason });
        }
        let entry = entry.map_err(failed)?;
        match log_file(&entry.file_name().to_string_lossy()) {
            LogFile::Commit(version) => {
                listing.commits.insert(version);
            }
            LogFile::Checkpoint { version, part, parts } => {
                let found = listing.checkpoints.entry((version, parts)).or_default();
                found.insert(part, entry.path());
            }
            LogFile::Newer => listing.has_newer_checkpoints = true,
            LogFile::Other => {}
        }
    }
    Ok(listing)
}

fn log_file(name: &str) -> LogFile {
    let number = |text: &str, digits: usize| -> Option<u64> {
        let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { text.parse().ok() } else { None }
    };
    let parts: Vec<&str> = name.split('.').collect();
    let Some(version) = parts.first().and_then(|text| number(text, 20)) else { return LogFile::Other };
    match parts[1..] {
        ["json"] => LogFile::Commit(version),
        ["checkpoint", "parquet"] => LogFile::Checkpoint { version, part: 1, parts: 1 },
        ["checkpoint", part, parts, "parquet"] => match (number(part, 10), number(parts, 10)) {
            (Some(part), Some(parts)) if 1 <= part && part <= parts => {
                LogFile::Checkpoint { version, part, parts }
            }
            _ => LogFile::Other,
        },
        ["checkpoint", _, "parquet" | "json"] => LogFile::Newer,
        _ => LogFile::Other,
    }
}

/// What stands in the way of an action.
enum Fault {
    Io(ReadError),
    Content(String),
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        Self::Io(error)
    }
}

/// The table as the actions so far leave it.
#[derive(Default)]
struct State {
    protocol: Option<Protocol>,
    meta_data: Option<MetaData>,
    /// By path and deletion vector, which together name a file's rows.
    files: BTreeMap<(String, Option<String>), Add>,
}

impl State {
    fn take(&mut self, action: Action) -> Result<(), String> {
        if let Some(protocol) = action.protocol {
            self.protocol = Some(protocol);
        }
        if let Some(meta_data) = action.meta_data {
            self.meta_data = Some(meta_data);
        }
        let vector = |vector: &Option<serde_json::Value>| vector.as_ref().map(ToString::to_string);
        if let Some(remove) = action.remove {
            self.files.remove(&(remove.path, vector(&remove.deletion_vector)));
        }
        if let Some(add) = action.add {
            self.files.insert((add.path.clone(), vector(&add.deletion_vector)), add);
            if self.files.len() > FILES_MAX {
                return Err(format!("expected a table of at most {FILES_MAX} files"));
            }
        }
        Ok(())
    }

    fn commit(&mut self, path: &Path) -> Result<(), Fault> {
        let failed = |action| {
            let path = path.display().to_string();
            move |source| Fault::Io(ReadError::Io { action, path, source })
        };
        let mut lines = BufReader::new(File::open(path).map_err(failed("open"))?);
        let mut line = Vec::new();
        for at in 1_u64.. {
            line.clear();
            (&mut lines).take(ACTION_BYTES_MAX).read_until(b'\n', &mut line).map_err(failed("read"))?;
            if line.is_empty() {
                break;
            }
            if line.len() as u64 == ACTION_BYTES_MAX {
                return Err(Fault::Content(format!("line {at} is longer than {ACTION_BYTES_MAX} bytes")));
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            let action = serde_json::from_slice(&line)
                .map_err(|_| Fault::Content(format!("line {at} is not an action of a Delta log")))?;
            self.take(action).map_err(Fault::Content)?;
        }
        Ok(())
    }

    /// A part of a checkpoint: a row for each action. Removed files are there for writers only.
    fn checkpoint(&mut self, path: &Path) -> Result<(), Fault> {
        let failed =
            |source| Fault::Io(ReadError::Io { action: "open", path: path.display().to_string(), source });
        let unreadable = |error: &dyn std::fmt::Display| Fault::Content(format!("not readable: {error}"));
        let file = File::open(path).map_err(failed)?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| unreadable(&error))?;
        let columns = builder.parquet_schema().columns().iter().enumerate();
        let wanted = columns.filter(|(_, column)| {
            let parts = column.path().parts();
            let part = |index: usize| parts.get(index).map_or("", String::as_str);
            match part(0) {
                "add" => !["stats_parsed", "partitionValues_parsed", "tags"].contains(&part(1)),
                root => ["protocol", "metaData"].contains(&root),
            }
        });
        let wanted: Vec<usize> = wanted.map(|(index, _)| index).collect();
        let mask = ProjectionMask::leaves(builder.parquet_schema(), wanted);
        let rows = builder.with_projection(mask).with_batch_size(CHECKPOINT_ROWS).build();
        for batch in rows.map_err(|error| unreadable(&error))? {
            let batch: RecordBatch = batch.map_err(|error| unreadable(&error))?;
            let rows = StructArray::from(batch);
            for row in 0..arrow::array::Array::len(&rows) {
                let action = json(&rows, row).map_err(|error| unreadable(&error))?;
                let action = serde_json::from_value(action).map_err(|error| unreadable(&error))?;
                self.take(action).map_err(Fault::Content)?;
            }
        }
        Ok(())
    }

    fn version(self, number: u64, folder: &Path) -> Result<Version, String> {
        let protocol = self.protocol.ok_or("the log does not say what a reader must know")?;
        let meta_data = self.meta_data.ok_or("the log does not say which columns the table has")?;
        if let Some(fault) = protocol.fault().or_else(|| meta_data.fault()) {
            return Err(fault);
        }
        let columns = meta_data.columns()?;
        for name in &meta_data.partition_columns {
            let column = columns.iter().find(|column| column.name == *name);
            if column.is_none_or(|column| column.data_type.is_none()) {
                return Err(format!("the partition column {name:?} is absent or of a type that is not read"));
            }
        }
        let mut files = VecDeque::with_capacity(self.files.len());
        for add in self.files.into_values() {
            if add.deletion_vector.is_some() {
                let reason = "the table marks deleted rows outside its data files (deletion vectors), which is not read";
                return Err(reason.to_owned());
            }
            let rows = add.rows();
            let path = folder.join(relative(&add.path)?);
            files.push_back(DataFile { path, size: add.size, rows, partition_values: add.partition_values });
        }
        Ok(Version { number, columns, partition_columns: meta_data.partition_columns, files })
    }
}

/// A file's path within the table; one that leads out of its folder is refused.
fn relative(encoded: &str) -> Result<PathBuf, String> {
    let refused = || format!("expected a file within the table's folder: {encoded:?}");
    let path = percent_decode_str(encoded).decode_utf8().map_err(|_| refused())?;
    let path = PathBuf::from(path.as_ref());
    let is_within = path.components().all(|part| matches!(part, Component::Normal(_)));
    if is_within && !encoded.contains("://") { Ok(path) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_within_the_table() {
        let found = relative("a=x%2520y/part%20%C3%BC.parquet");
        assert_eq!(found, Ok(PathBuf::from("a=x%20y/part ü.parquet")));
        for path in ["../a", "/etc/a", "a/%2E%2E/b", "file:///a", "s3://a/b", "%ff"] {
            assert!(relative(path).is_err(), "{path}");
        }
    }

    #[test]
    fn names_of_the_log() {
        let zeros = "0".repeat(19);
        let is = |name: &str| match log_file(&format!("{zeros}{name}")) {
            LogFile::Commit(version) => format!("commit {version}"),
            LogFile::Checkpoint { version, part, parts } => format!("checkpoint {version} {part}/{parts}"),
            LogFile::Newer => "newer".to_owned(),
            LogFile::Other => "other".to_owned(),
        };
        let cases = [
            ("7.json", "commit 7"),
            ("7.checkpoint.parquet", "checkpoint 7 1/1"),
            ("7.checkpoint.0000000002.0000000003.parquet", "checkpoint 7 2/3"),
            ("7.checkpoint.0000000004.0000000003.parquet", "other"),
            ("7.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json", "newer"),
            ("7.crc", "other"),
            ("7.00000000000000000009.compacted.json", "other"),
            ("7.json.tmp", "other"),
            ("77.json", "other"),
        ];
        for (name, expected) in cases {
            assert_eq!(is(name), expected, "{name}");
        }
    }
}
