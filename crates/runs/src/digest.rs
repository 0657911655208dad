//! Reads a file to its end and computes its SHA-256 on the way.

use muster_reports::error::{Error, Result};
use muster_reports::ids::hex;
use sha2::{Digest, Sha256};
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Bytes that are read at once.
const BUFFER: usize = 256 * 1_024;

/// Reads `source` to its end and gives each part to `take`. Returns the SHA-256 and the size. `path` is for the error.
///
/// # Errors
/// `Internal` with the path if it cannot be read; what `take` fails with.
pub(crate) fn read_whole(
    mut source: impl Read,
    path: &Path,
    mut take: impl FnMut(&[u8]) -> Result<()>,
) -> Result<(String, u64)> {
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; BUFFER]);
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok((hex(hash.finalize()), bytes)),
            Ok(read) => {
                hash.update(&buffer[..read]);
                bytes += read as u64;
                take(&buffer[..read])?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::internal(format!("cannot read {}", path.display()), error)),
        }
    }
}

/// What is read of a file, with its digest so far.
pub(crate) struct Digesting<'a, R> {
    source: R,
    path: &'a Path,
    hash: Sha256,
    bytes: u64,
}

impl<'a, R: Read> Digesting<'a, R> {
    /// Of this source; `path` is for errors.
    pub(crate) fn new(source: R, path: &'a Path) -> Self {
        Self { source, path, hash: Sha256::new(), bytes: 0 }
    }

    /// The next `size` bytes; fewer only at the end.
    ///
    /// # Errors
    /// `Internal` with the path if it cannot be read.
    pub(crate) fn part(&mut self, size: u64) -> Result<Vec<u8>> {
        let mut part = Vec::new();
        let read = self.source.by_ref().take(size).read_to_end(&mut part);
        read.map_err(|error| Error::internal(format!("cannot read {}", self.path.display()), error))?;
        self.hash.update(&part);
        self.bytes += part.len() as u64;
        Ok(part)
    }

    /// The SHA-256 and the size of all that was read and of the rest, which is read now.
    ///
    /// # Errors
    /// `Internal` with the path if it cannot be read.
    pub(crate) fn end(mut self) -> Result<(String, u64)> {
        let (hash, bytes) = (&mut self.hash, &mut self.bytes);
        read_whole(self.source, self.path, |rest| {
            hash.update(rest);
            *bytes += rest.len() as u64;
            Ok(())
        })?;
        Ok((hex(self.hash.finalize()), self.bytes))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::io;

    /// Gives `abc` in parts, with interruptions.
    struct Interrupted(Vec<io::Result<&'static [u8]>>);

    impl Read for Interrupted {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let part = self.0.pop().unwrap_or(Ok(&[][..]))?;
            buffer[..part.len()].copy_from_slice(part);
            Ok(part.len())
        }
    }

    #[test]
    fn every_part_counts_and_an_interruption_does_not() {
        let interruption = || -> io::Result<&'static [u8]> { Err(ErrorKind::Interrupted.into()) };
        let source = Interrupted(vec![Ok(&b"c"[..]), interruption(), Ok(&b"ab"[..]), interruption()]);
        let mut taken = Vec::new();
        let take = |part: &[u8]| {
            taken.extend_from_slice(part);
            Ok(())
        };
        let (sha256, bytes) = read_whole(source, Path::new("/a"), take).unwrap();
        // The example of FIPS 180.
        assert_eq!(sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!((bytes, taken), (3, b"abc".to_vec()));
    }

    #[test]
    fn a_failure_names_the_file() {
        let source = Interrupted(vec![Ok(&b"c"[..]), Err(ErrorKind::PermissionDenied.into())]);
        let error = read_whole(source, Path::new("/a/b"), |_| Ok(())).unwrap_err();
        assert_eq!(error.message, "cannot read /a/b");
    }
}
