//! The objects of a PDF file, written one after the other; only their places are kept.
//!
//! Why not the document of a library: it would hold every object until the end. Here an object leaves memory when it is
//! written. One entry remains for each stream and each packed group, so a page costs some forty bytes.
//!
//! Invariants:
//! - every number given out by [`Objects::allocate`] is written exactly once before [`Objects::finish`];
//! - the numbers of a packed group are consecutive, so that the group needs one entry.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::{Chunk, Filter, Finish, Name, Ref};
use sha2::{Digest, Sha256};

/// Bytes that are collected before they are written.
const BUFFER_BYTES: usize = 256 << 10;
/// Bytes of one row of the cross-reference stream: kind, place, index.
const ROW_BYTES: usize = 8;

/// How hard streams are compressed. The usual 6 takes a fifth longer for a file that is a thousandth smaller.
const EFFORT: u32 = 5;

/// How an object that is a stream ends.
const STREAM_END: &[u8] = b"\nendstream\nendobj\n\n";

/// Where consecutive objects are.
#[derive(Debug, Clone, Copy)]
struct ObjectPlace {
    first: u32,
    count: u32,
    at: At,
}

#[derive(Debug, Clone, Copy)]
enum At {
    /// Bytes from the start of the file.
    Offset(u64),
    /// In the object stream of this number, from its index 0 on.
    Packed(u32),
}

/// The growing file.
#[derive(Debug)]
pub(super) struct Objects<W: Write> {
    sink: W,
    buffer: Vec<u8>,
    hash: Sha256,
    drained: u64,
    next: u32,
    places: Vec<ObjectPlace>,
    deflater: Deflater,
}

/// What a finished file is.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl<W: Write> Objects<W> {
    /// Begins a file: PDF 1.7, with a comment that marks it as binary.
    pub(super) fn new(sink: W) -> Self {
        let mut buffer = Vec::with_capacity(BUFFER_BYTES + BUFFER_BYTES / 4);
        buffer.extend_from_slice(b"%PDF-1.7\n%\x80\x80\x80\x80\n");
        Self {
            sink,
            buffer,
            hash: Sha256::new(),
            drained: 0,
            next: 1,
            places: Vec::new(),
            deflater: Deflater::new(),
        }
    }

    /// A number for one object.
    pub(super) fn allocate(&mut self) -> Ref {
        self.allocate_many(1)
    }

    /// Consecutive numbers; the first of them.
    pub(super) fn allocate_many(&mut self, count: u32) -> Ref {
        let first = self.next;
        self.next += count;
        reference(first)
    }

    /// Numbers given out so far.
    pub(super) fn allocated(&self) -> u32 {
        self.next - 1
    }

    /// Writes the one object that `write` puts into the chunk.
    pub(super) fn object(&mut self, write: impl FnOnce(&mut Chunk)) -> io::Result<()> {
        let mut chunk = Chunk::new();
        write(&mut chunk);
        let mut ids = chunk.refs();
        let id = ids.next().expect("the closure writes an object");
        assert!(
            ids.next().is_none(),
            "the closure writes one object, for only the first one's place is known"
        );
        self.put(id, chunk.as_bytes())
    }

    /// Writes a stream, compressed, with the entries that `entries` adds to its dictionary.
    pub(super) fn stream(
        &mut self,
        id: Ref,
        data: &[u8],
        entries: impl FnOnce(&mut pdf_writer::Stream<'_>),
    ) -> io::Result<()> {
        let object = self.deflater.stream(id, data, entries)?;
        self.put(id, &object)
    }

    /// Writes a stream whose object is made already.
    pub(super) fn made_stream(&mut self, id: Ref, object: &[u8]) -> io::Result<()> {
        self.put(id, object)
    }

    /// Writes an object stream that is made already: its number, and the first number and the count of what is in it.
    pub(super) fn made_packed(&mut self, id: Ref, first: Ref, count: usize, object: &[u8]) -> io::Result<()> {
        self.put(id, object)?;
        let count = u32::try_from(count).expect("a page has fewer than 2^32 elements");
        self.places.push(ObjectPlace { first: number(first), count, at: At::Packed(number(id)) });
        Ok(())
    }

    /// Compresses streams on this thread.
    pub(super) fn deflater(&mut self) -> &mut Deflater {
        &mut self.deflater
    }

    /// Writes the cross-reference stream and the trailer; the file's identifier is the start of a hash of all bytes
    /// before it, so that the same file always has the same identifier.
    pub(super) fn finish(mut self, catalog: Ref, info: Ref) -> io::Result<(Finished, W)> {
        let id = self.allocate();
        let start = self.position();
        self.places.push(ObjectPlace { first: number(id), count: 1, at: At::Offset(start) });
        let rows = self.rows()?;
        let mut digest = self.hash.clone();
        digest.update(&self.buffer);
        let digest = digest.finalize();
        let mut chunk = Chunk::new();
        let mut stream = chunk.stream(id, &rows);
        stream.filter(Filter::FlateDecode);
        stream.decode_parms().predictor(pdf_writer::types::Predictor::PngUp).columns(to_i32(ROW_BYTES));
        stream.pair(Name(b"Type"), Name(b"XRef"));
        stream.pair(Name(b"Size"), to_i32(self.next as usize));
        stream.insert(Name(b"W")).array().items([1, 5, 2]);
        stream.pair(Name(b"Root"), catalog);
        stream.pair(Name(b"Info"), info);
        let mut ids = stream.insert(Name(b"ID")).array();
        ids.item(pdf_writer::Str(&digest[..16])).item(pdf_writer::Str(&digest[..16]));
        ids.finish();
        stream.finish();
        self.append(chunk.as_bytes());
        write!(self.buffer, "startxref\n{start}\n%%EOF\n")?;
        self.drain()?;
        self.sink.flush()?;
        let mut sha256 = String::with_capacity(64);
        for byte in self.hash.finalize() {
            sha256.push_str(&format!("{byte:02x}"));
        }
        Ok((Finished { bytes: self.drained, sha256 }, self.sink))
    }

    fn put(&mut self, id: Ref, bytes: &[u8]) -> io::Result<()> {
        self.places.push(ObjectPlace { first: number(id), count: 1, at: At::Offset(self.position()) });
        self.append(bytes);
        if self.buffer.len() >= BUFFER_BYTES { self.drain() } else { Ok(()) }
    }

    /// Appends an object's text.
    fn append(&mut self, bytes: &[u8]) {
        // A stream whose last byte is a carriage return would be taken for one byte shorter by readers that look back
        // from its end: there the line end after it has a carriage return of its own.
        let data = bytes.strip_suffix(STREAM_END).filter(|data| data.ends_with(b"\r"));
        match data {
            Some(data) => {
                self.buffer.extend_from_slice(data);
                self.buffer.push(b'\r');
                self.buffer.extend_from_slice(STREAM_END);
            }
            None => self.buffer.extend_from_slice(bytes),
        }
    }

    fn position(&self) -> u64 {
        self.drained + self.buffer.len() as u64
    }

    fn drain(&mut self) -> io::Result<()> {
        self.sink.write_all(&self.buffer)?;
        self.hash.update(&self.buffer);
        self.drained += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// The cross-reference rows, each less the row above it (PNG's `Up`), which leaves almost nothing of a group.
    fn rows(&mut self) -> io::Result<Vec<u8>> {
        self.places.sort_unstable_by_key(|place| place.first);
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        let mut above = [0; ROW_BYTES];
        let mut push = |row: [u8; ROW_BYTES]| {
            let mut line = [2; ROW_BYTES + 1];
            for (out, (new, old)) in line[1..].iter_mut().zip(row.iter().zip(above)) {
                *out = new.wrapping_sub(old);
            }
            above = row;
            encoder.write_all(&line)
        };
        push([0, 0, 0, 0, 0, 0, 0xff, 0xff])?;
        let mut expected = 1;
        for place in &self.places {
            assert_eq!(place.first, expected, "every number is written once");
            for index in 0..place.count {
                let (kind, value) = match place.at {
                    At::Offset(offset) => (1, offset),
                    At::Packed(stream) => (2, u64::from(stream)),
                };
                let mut row = [kind, 0, 0, 0, 0, 0, 0, 0];
                row[1..6].copy_from_slice(&value.to_be_bytes()[3..]);
                row[6..]
                    .copy_from_slice(&u16::try_from(index).expect("a group has under 65,536").to_be_bytes());
                push(row)?;
            }
            expected += place.count;
        }
        assert_eq!(expected, self.next, "every number is written once");
        encoder.finish()
    }
}

/// Objects to be written together.
#[derive(Debug, Default)]
pub(super) struct Packed {
    pub(super) bytes: Vec<u8>,
    starts: Vec<usize>,
}

impl Packed {
    /// The next object begins; its text goes to `bytes`.
    pub(super) fn begin(&mut self) {
        if !self.bytes.is_empty() {
            self.bytes.push(b'\n');
        }
        self.starts.push(self.bytes.len());
    }

    /// Objects begun.
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }
}

/// Numbers above this are outside what PDF/A-2 allows a file to have (ISO 19005-2, 6.1.13).
pub(super) const OBJECTS_MAX: u32 = 8_388_607;

/// An object's number as `pdf-writer` wants it.
pub(super) fn reference(number: u32) -> Ref {
    Ref::new(i32::try_from(number).expect("the number of objects is bounded far below 2^31"))
}

/// An object's number.
pub(super) fn number(id: Ref) -> u32 {
    id.get().unsigned_abs()
}

/// A count or length as PDF's integers are; each is bounded by what one page or font holds.
pub(super) fn to_i32(value: usize) -> i32 {
    i32::try_from(value).expect("counts and lengths in a file of ours are below 2^31")
}

/// Makes compressed streams, one after another.
#[derive(Debug)]
pub(super) struct Deflater(ZlibEncoder<Vec<u8>>);

impl Deflater {
    pub(super) fn new() -> Self {
        Self(ZlibEncoder::new(Vec::new(), Compression::new(EFFORT)))
    }

    /// The object of a stream, with the entries that `entries` adds to its dictionary.
    pub(super) fn stream(
        &mut self,
        id: Ref,
        data: &[u8],
        entries: impl FnOnce(&mut pdf_writer::Stream<'_>),
    ) -> io::Result<Vec<u8>> {
        self.0.write_all(data)?;
        // Keeps the tables, which are larger than most streams.
        let compressed = self.0.reset(Vec::with_capacity(data.len() / 3))?;
        let mut chunk = Chunk::new();
        let mut stream = chunk.stream(id, &compressed);
        stream.filter(Filter::FlateDecode);
        entries(&mut stream);
        stream.finish();
        Ok(chunk.as_bytes().to_vec())
    }

    /// The object stream of objects with consecutive numbers from `first` on.
    pub(super) fn packed(&mut self, id: Ref, first: Ref, group: &Packed) -> io::Result<Vec<u8>> {
        let mut data = Vec::with_capacity(group.bytes.len() + group.starts.len() * 12);
        for (index, start) in group.starts.iter().enumerate() {
            write!(data, "{} {start} ", number(first) as usize + index)?;
        }
        let header = data.len();
        data.extend_from_slice(&group.bytes);
        let count = group.len();
        self.stream(id, &data, |stream| {
            stream.pair(Name(b"Type"), Name(b"ObjStm"));
            stream.pair(Name(b"N"), to_i32(count));
            stream.pair(Name(b"First"), to_i32(header));
        })
    }
}
