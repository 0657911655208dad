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
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::zip::write::{SimpleFileOptions, StreamWriter};
use ::zip::{CompressionMethod, DateTime, System, ZipWriter};

use crate::file::{Digested, RenderError, Written};
use crate::path::check_name;

const COMPRESSION_LEVEL: i64 = 6;
const PERMISSIONS: u32 = 0o644;

/// Writes an archive to a sink, one member after another.
pub struct ZipFiles<W: Write> {
    /// `None` only after the end.
    zip: Option<ZipWriter<StreamWriter<Digested<Gate<W>>>>>,
    abandoned: Arc<AtomicBool>,
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
        let abandoned = Arc::new(AtomicBool::new(false));
        let gate = Digested::new(Gate { sink, abandoned: abandoned.clone() });
        Self {
            zip: Some(ZipWriter::new_stream(gate)),
            abandoned,
            names: BTreeSet::new(),
            rows: 0,
            warnings: Vec::new(),
            open: false,
        }
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
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(COMPRESSION_LEVEL))
            .last_modified_time(DateTime::DEFAULT)
            .system(System::Unix)
            .unix_permissions(PERMISSIONS)
            .large_file(true);
        if self.open {
            return Err(RenderError::Broken);
        }
        if !self.names.insert(name.to_owned()) {
            return Err(refused("it is there already"));
        }
        self.zip_mut().start_file(name, options).map_err(io::Error::from)?;
        self.open = true;
        Ok(Member { files: self, name: name.to_owned(), content: Digested::new(io::sink()) })
    }

    /// Writes the directory and flushes the sink.
    ///
    /// Its rows are those of the members, and so are its warnings, each with the member's name before it.
    ///
    /// # Errors
    /// [`RenderError::Broken`] after a member without an end, [`RenderError::Sink`]; there is no archive then.
    pub fn finish(mut self) -> Result<Written, RenderError> {
        if self.open {
            return Err(RenderError::Broken);
        }
        let zip = self.zip.take().expect("only the end takes the archive");
        let mut sink = zip.finish().map_err(io::Error::from)?.into_inner();
        sink.flush()?;
        let warnings = std::mem::take(&mut self.warnings);
        Ok(Written { warnings, ..sink.written(self.rows) })
    }

    fn zip_mut(&mut self) -> &mut ZipWriter<StreamWriter<Digested<Gate<W>>>> {
        self.zip.as_mut().expect("only the end takes the archive")
    }
}

impl<W: Write> Drop for ZipFiles<W> {
    fn drop(&mut self) {
        // The library would write the directory of an archive that was given up.
        self.abandoned.store(true, Ordering::Relaxed);
    }
}

impl<W: Write> Member<'_, W> {
    /// Ends the member; `content` is what the writer of its content said, and gives rows and warnings.
    ///
    /// What comes back has the bytes and the digest of the member's content, before compression.
    pub fn finish(self, content: &Written) -> Written {
        let Self { files, name, content: digested } = self;
        files.open = false;
        files.rows += content.rows;
        files.warnings.extend(content.warnings.iter().map(|warning| format!("{name}: {warning}")));
        Written { warnings: content.warnings.clone(), ..digested.written(content.rows) }
    }
}

impl<W: Write> Write for Member<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.files.zip_mut().write(bytes)?;
        self.content.write_all(&bytes[..taken])?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        // A flush in the middle would change the compressed bytes.
        Ok(())
    }
}

/// Keeps bytes from the sink once the archive is given up.
struct Gate<W> {
    sink: W,
    abandoned: Arc<AtomicBool>,
}

impl<W: Write> Write for Gate<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.abandoned.load(Ordering::Relaxed) { Ok(bytes.len()) } else { self.sink.write(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}
