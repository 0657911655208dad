//! A file that a command writes. Its name is `PATH.part` until it is whole, so a file without that ending is complete.

use crate::failure::{Context, Result};
use std::fs::File;
use std::path::{Path, PathBuf};

/// A file that is being written. Dropping it removes the file, unless [`PartFile::finish`] renamed it.
pub struct PartFile {
    partial: PathBuf,
}

impl PartFile {
    /// Creates `path` with `.part` after its name, and opens it for writing. A file that has this name is overwritten.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path) -> Result<(Self, File)> {
        let mut partial = path.as_os_str().to_owned();
        partial.push(".part");
        let partial = PathBuf::from(partial);
        let file = File::create(&partial).context(|| format!("{} cannot be written", partial.display()))?;
        Ok((Self { partial }, file))
    }

    /// Renames the file to `path`. A file that has this name is replaced.
    ///
    /// # Errors
    /// When it cannot be renamed; it is removed then.
    pub fn finish(self, path: &Path) -> Result {
        std::fs::rename(&self.partial, path).context(|| format!("{} cannot be written", path.display()))
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        // It has been renamed, or it cannot be removed: then it keeps the name of an incomplete file.
        let _ = std::fs::remove_file(&self.partial);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::io::Write;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn only_a_whole_file_remains() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let (part, mut file) = PartFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        assert_eq!(names(dir.path()), ["a.csv.part"]);
        drop(part);
        assert!(names(dir.path()).is_empty());

        std::fs::write(&path, "old").unwrap();
        let (part, mut file) = PartFile::create(&path).unwrap();
        file.write_all(b"whole").unwrap();
        part.finish(&path).unwrap();
        assert_eq!(names(dir.path()), ["a.csv"]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "whole");

        let (part, _) = PartFile::create(&path).unwrap();
        assert!(part.finish(&dir.path().join("none/a.csv")).is_err());
        assert_eq!(names(dir.path()), ["a.csv"]);
    }
}
