//! The digest of a source's bytes without reading its records: whether they are those of the last read.

use std::io::Read;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::definition::SourceDefinition;
use crate::files::Opened;
use crate::reader::{ReadError, hex};

/// Bytes that are hashed at once.
const PIECE_BYTES: usize = 256 << 10;

/// What [`ReadSummary::digest_sha256`](crate::ReadSummary::digest_sha256) would be after a read of the source, for the
/// kinds whose digest is that of their files' bytes; `None` for the others, which have to be read, for sources whose total is
/// in a file of its own, and for files that changed meanwhile. Much cheaper than a read: nothing is decoded.
///
/// # Errors
/// [`ReadError`] when a file cannot be opened or read.
pub fn unread_digest(definition: &SourceDefinition, base_dir: &Path) -> Result<Option<String>, ReadError> {
    // The file with the total may have changed alone.
    if definition.total.as_ref().is_some_and(|total| total.file.is_some()) {
        return Ok(None);
    }
    match definition.reader.settings().files(base_dir)? {
        Some(files) if files.has_digest_of_bytes => of_files(&files.paths),
        Some(_) | None => Ok(None),
    }
}

/// The date in the names of the source's files, where the definition has it there: they may have another name than at the
/// last read, and the same bytes.
///
/// # Errors
/// [`ReadError`] when there is no file, or its name has no date.
pub fn unread_date(
    definition: &SourceDefinition,
    base_dir: &Path,
) -> Result<Option<DateTime<Utc>>, ReadError> {
    let Some(files) = definition.reader.settings().files(base_dir)? else { return Ok(None) };
    files.as_of.map_or(Ok(None), |place| place.of_names(&files.paths))
}

fn of_files(files: &[PathBuf]) -> Result<Option<String>, ReadError> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    for path in files {
        let opened = Opened::open(path)?;
        let mut input = &opened.file;
        loop {
            let read = input.read(&mut piece).map_err(|source| ReadError::Io {
                action: "read",
                path: path.display().to_string(),
                source,
            })?;
            if read == 0 {
                break;
            }
            hash.update(&piece[..read]);
        }
        if !opened.unchanged()? {
            return Ok(None);
        }
    }
    Ok(Some(hex(hash.finalize())))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn definition(text: &str) -> SourceDefinition {
        SourceDefinition::from_toml(text, Path::new("source.toml")).unwrap()
    }

    /// Expected: `sha256sum` of the same bytes.
    #[test]
    fn the_digest_is_that_of_the_bytes_and_that_of_a_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("people.csv"), "id,name\n1,Ada\n").unwrap();
        let delimited = definition(
            "name = \"HR\"\nkind = \"delimited\"\n[delimited]\npath = \"people.csv\"\nnative_identity = \"id\"\n",
        );
        let unread = unread_digest(&delimited, folder.path()).unwrap().unwrap();
        assert_eq!(unread, "b57e1a894aa62a12ddad0a68f4caa364a9f5b111631f10e146e28df2f88a7068");
        let mut reader = crate::open(&delimited, folder.path()).unwrap();
        while reader.next_batch().unwrap().is_some() {}
        assert_eq!(reader.finish().unwrap().digest_sha256, unread);
    }

    #[test]
    fn files_of_a_pattern_are_taken_together() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("b.ndjson", "{\"id\":\"2\"}\n"), ("a.ndjson", "{\"id\":\"1\"}\n")] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let ndjson = definition(
            "name = \"Apps\"\nkind = \"ndjson\"\n[ndjson]\npath = \"*.ndjson\"\n[ndjson.account]\nnative_identity = \"id\"\n",
        );
        let mut reader = crate::open(&ndjson, folder.path()).unwrap();
        while reader.next_batch().unwrap().is_some() {}
        let read = reader.finish().unwrap().digest_sha256;
        assert_eq!(unread_digest(&ndjson, folder.path()).unwrap(), Some(read));
        std::fs::write(folder.path().join("c.ndjson"), "{\"id\":\"3\"}\n").unwrap();
        assert_ne!(unread_digest(&ndjson, folder.path()).unwrap(), None);
    }
}
