//! A zip archive written as a stream, so that a result of several files is one file.
//!
//! The sink need not seek: sizes and checksums follow each member (data descriptors), and the directory at the
//! end repeats them. Every member has the 64-bit fields from the start, because a stream cannot know whether it will
//! pass 4 GiB.
//!
//! Invariants:
//! - the same members give the same bytes: the time stamp is 1980-01-01, the permissions are `rw-r--r--`, and nothing
//!   depends on the machine;
//! - an unfinished archive has no directory at its end, so no reader accepts it as complete;
//! - names are relative paths that lead nowhere else ([`check_name`]), and no name occurs twice.

use std::collections::BTreeSet;
use std::io::{self, Write};

use crate::container::Container;
use crate::deflate::Deflate;
use crate::file::{Digested, RenderError, Written};
use crate::path::check_name;

/// How hard members are compressed. The usual 6 takes half as long again for a file that is a fiftieth smaller.
const EFFORT: u32 = 4;
const PERMISSIONS: u32 = 0o644;

/// Writes an archive to a sink, one member after another.
pub struct ZipFiles<W: Write> {
    container: Container<W>,
    deflate: Deflate,
    names: BTreeSet<String>,
    rows: u64,
    warnings: Vec<String>,
    /// Whether a member has begun and not ended.
    open: bool,
}

/// The member being written: bytes go in, and [`Member::finish`] ends it.
///
/// A member that is dropped without its end breaks the archive.
pub struct Member<'a, W: Write> {
    files: &'a mut ZipFiles<W>,
    name: String,
    content: Digested<io::Sink>,
}

impl<W: Write> ZipFiles<W> {
    /// Begins an archive.
    #[must_use]
    pub fn new(sink: W) -> Self {
        Self {
            container: Container::new(sink, PERMISSIONS),
            deflate: Deflate::new(EFFORT, 1),
            names: BTreeSet::new(),
            rows: 0,
            warnings: Vec::new(),
            open: false,
        }
    }

    /// Compresses on this many threads. The bytes are the same for any number.
    #[must_use]
    pub fn on_threads(self, threads: usize) -> Self {
        Self { deflate: Deflate::new(EFFORT, threads), ..self }
    }

    /// Begins a member; the name is its path in the archive, with `/` between the parts.
    ///
    /// # Errors
    /// [`RenderError::MemberName`] for a name that is not a plain relative path or is there already,
    /// [`RenderError::Broken`] after a member without an end, [`RenderError::Sink`].
    pub fn start_member(&mut self, name: &str) -> Result<Member<'_, W>, RenderError> {
        let refused = |reason: &'static str| RenderError::MemberName {
            name: name.to_owned(),
            reason: reason.to_owned(),
        };
        check_name(name).map_err(refused)?;
        if self.open {
            return Err(RenderError::Broken);
        }
        if !self.names.insert(name.to_owned()) {
            return Err(refused("it is there already"));
        }
        self.open = true;
        self.container.begin(name)?;
        Ok(Member { files: self, name: name.to_owned(), content: Digested::new(io::sink()) })
    }

    /// Writes the directory and flushes the sink.
    ///
    /// Its rows are those of the members, and so are its warnings, each with the member's name before it.
    ///
    /// # Errors
    /// [`RenderError::Broken`] after a member without an end, [`RenderError::Sink`]; there is no archive then.
    pub fn finish(self) -> Result<Written, RenderError> {
        if self.open {
            return Err(RenderError::Broken);
        }
        let written = self.container.finish(self.rows)?;
        Ok(Written { warnings: self.warnings, ..written })
    }
}

impl<W: Write> Member<'_, W> {
    /// Ends the member; `content` is what the writer of its content said, and gives rows and warnings.
    ///
    /// What comes back has the bytes and the digest of the member's content, before compression.
    ///
    /// # Errors
    /// [`RenderError::Sink`]; the archive is then broken.
    pub fn finish(self, content: &Written) -> Result<Written, RenderError> {
        let Self { files, name, content: digested } = self;
        let sum = files.deflate.end(files.container.sink())?;
        files.container.end(&sum)?;
        files.open = false;
        files.rows += content.rows;
        files.warnings.extend(content.warnings.iter().map(|warning| format!("{name}: {warning}")));
        Ok(Written { warnings: content.warnings.clone(), ..digested.written(content.rows) })
    }
}

impl<W: Write> Write for Member<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.files.deflate.write(bytes, self.files.container.sink())?;
        self.content.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // A flush in the middle would change the compressed bytes.
        Ok(())
    }
}
