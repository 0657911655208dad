//! Files that are named by a path or a pattern, and what a definition says about their records.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::account::AccountSettings;
use crate::dates::DatePlace;
use crate::pattern::matches;
use crate::reader::ReadError;

/// Files that one source may consist of.
const FILES_MAX: usize = 10_000;

/// The table of a definition file for kinds that are files of records with named values: `[ndjson]`, `[parquet]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSettings {
    /// The file, or files: the last part may have `*` for any characters and `?` for one. A relative path is taken
    /// from the definition file's folder.
    pub path: String,
    /// Where the date is that the data is of; without it the data is of now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<DatePlace>,
    /// What the values mean.
    pub account: AccountSettings,
}

impl FileSettings {
    /// The first fault, as the key and what is wrong with it.
    pub(crate) fn fault(&self) -> Option<(String, String)> {
        let dates = || self.as_of.as_ref().and_then(DatePlace::fault);
        path_fault(&self.path).or_else(dates).or_else(|| self.account.fault())
    }

    /// The attributes that a record of the source must be able to have, with their keys.
    pub(crate) fn named(&self) -> Vec<(String, &str)> {
        let mut named = self.account.needed();
        let date = self.as_of.as_ref().and_then(DatePlace::column);
        named.extend(date.map(|name| ("as_of".to_owned(), name)));
        named
    }

    /// The files, in the order of their names.
    ///
    /// # Errors
    /// The settings are faulty, the folder cannot be read, or no file is there.
    pub(crate) fn files(&self, base_dir: &Path) -> Result<Vec<PathBuf>, ReadError> {
        let path = base_dir.join(&self.path);
        if let Some((key, reason)) = self.fault() {
            let path = path.display().to_string();
            return Err(ReadError::Settings { path, reason: format!("{key}: {reason}") });
        }
        find(&path)
    }
}

/// What is wrong with a path that may be a pattern, as the key and the fault.
pub(crate) fn path_fault(path: &str) -> Option<(String, String)> {
    let folder = Path::new(path).parent().map(Path::to_string_lossy).unwrap_or_default();
    let wanted = if path.trim().is_empty() {
        "must not be blank"
    } else if folder.contains(['*', '?']) {
        "expected `*` and `?` in its last part only"
    } else {
        return None;
    };
    Some(("path".to_owned(), wanted.to_owned()))
}

/// The files of a path whose last part may be a pattern, in the order of their names.
///
/// # Errors
/// The folder cannot be read, or no file is there.
pub(crate) fn find(path: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let refuse = |reason: String| ReadError::Settings { path: path.display().to_string(), reason };
    let pattern = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !pattern.contains(['*', '?']) {
        return Ok(vec![path.to_owned()]);
    }
    let folder = path.parent().unwrap_or(path);
    let failed = |source| ReadError::Io { action: "list", path: folder.display().to_string(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if matches(&pattern, &name.to_string_lossy()) && entry.path().is_file() {
            files.push(entry.path());
        }
        if files.len() > FILES_MAX {
            return Err(refuse(format!("expected at most {FILES_MAX} files")));
        }
    }
    if files.is_empty() {
        return Err(refuse("expected at least one file of this pattern".to_owned()));
    }
    files.sort_unstable();
    Ok(files)
}

/// A file as it was when it was opened.
pub(crate) struct Opened {
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    state: (u64, Option<SystemTime>),
}

impl Opened {
    /// Opens a file.
    pub(crate) fn open(path: &Path) -> Result<Self, ReadError> {
        let name = path.display().to_string();
        let failed = |action| {
            let path = name.clone();
            move |source| ReadError::Io { action, path, source }
        };
        let file = open_file(path)?;
        let state = state(&file).map_err(failed("examine"))?;
        Ok(Self { path: path.to_owned(), file, state })
    }

    /// Bytes that the file had.
    pub(crate) fn length(&self) -> u64 {
        self.state.0
    }

    /// Whether the file is as it was.
    pub(crate) fn unchanged(&self) -> Result<bool, ReadError> {
        let path = || self.path.display().to_string();
        let now =
            state(&self.file).map_err(|source| ReadError::Io { action: "examine", path: path(), source })?;
        Ok(now == self.state)
    }
}

/// Opens what is a file: to open a pipe would be to wait for whoever writes to it.
pub(crate) fn open_file(path: &Path) -> Result<File, ReadError> {
    let name = || path.display().to_string();
    let failed = |source| ReadError::Io { action: "open", path: name(), source };
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        let reason = "expected a file".to_owned();
        return Err(ReadError::Settings { path: name(), reason });
    }
    File::open(path).map_err(failed)
}

/// Some file systems know no time of modification; then the length alone must do.
fn state(file: &File) -> std::io::Result<(u64, Option<SystemTime>)> {
    let metadata = file.metadata()?;
    Ok((metadata.len(), metadata.modified().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let cases = [
            ("*.parquet", "a.parquet", true),
            ("*.parquet", "a.parquet.tmp", false),
            ("part-?.json", "part-1.json", true),
            ("part-?.json", "part-10.json", false),
            ("*a*b", "xaab", true),
            ("*a*b", "xaba", false),
            ("*", "", true),
            ("?", "ü", true),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
