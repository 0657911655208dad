//! The records around the members of a zip archive (PKWARE's APPNOTE), whose compressed bytes are made elsewhere.
//!
//! Why our own: members are compressed on several threads, and no library takes a stream of compressed bytes.
//!
//! Every member has the time stamp 1980-01-01. Nothing depends on the machine.

use std::io::{self, Write};

use crate::deflate::Sum;
use crate::file::{Digested, Written};

/// What can be said in 32 bits, and the sign that 64 bits follow elsewhere.
const MAX_32: u32 = u32::MAX;
const MAX_16: u16 = u16::MAX;
/// The version of the format that a reader needs: for deflate, and for 64-bit sizes.
const VERSION_DEFLATE: u16 = 20;
const VERSION_64: u16 = 45;
/// The system that permissions are those of: Unix.
const UNIX: u16 = 3 << 8;
const FLAG_DESCRIPTOR: u16 = 1 << 3;
const FLAG_UTF8: u16 = 1 << 11;
const METHOD_DEFLATE: u16 = 8;
/// 1980-01-01.
const DATE: u16 = 1 << 5 | 1;
/// The extra field with 64-bit sizes.
const EXTRA_64: u16 = 1;
const REGULAR_FILE: u32 = 0o100_000;

/// An archive being written to a sink.
pub(crate) struct Container<W> {
    sink: Digested<W>,
    permissions: u32,
    members: Vec<Member>,
}

struct Member {
    name: String,
    version: u16,
    flags: u16,
    crc: u32,
    bytes: u64,
    content_bytes: u64,
    offset: u64,
}

impl<W: Write> Container<W> {
    /// Begins an archive whose members have these permissions.
    pub(crate) fn new(sink: W, permissions: u32) -> Self {
        Self { sink: Digested::new(sink), permissions, members: Vec::new() }
    }

    /// Begins a member of unknown size. Its compressed bytes follow, then [`end`](Self::end).
    pub(crate) fn begin(&mut self, name: &str) -> io::Result<()> {
        self.member(name, VERSION_64, FLAG_DESCRIPTOR);
        let mut extra = Vec::with_capacity(20);
        push_16(&mut extra, EXTRA_64);
        push_16(&mut extra, 16);
        extra.resize(20, 0);
        self.local_header(0, [MAX_32; 2], &extra)
    }

    /// Ends the member that was begun.
    pub(crate) fn end(&mut self, sum: &Sum) -> io::Result<()> {
        let mut out = Vec::with_capacity(24);
        push_32(&mut out, 0x0807_4b50);
        push_32(&mut out, sum.content.sum());
        push_64(&mut out, sum.bytes);
        push_64(&mut out, sum.content_bytes);
        self.set(sum);
        self.sink.write_all(&out)
    }

    /// Begins a member whose compressed bytes are known. They follow, and end it.
    ///
    /// # Errors
    /// Those of the sink, and `FileTooLarge` for a member of 4 GiB or more.
    pub(crate) fn begin_known(&mut self, name: &str, sum: &Sum) -> io::Result<()> {
        let size = |bytes: u64| u32::try_from(bytes).ok().filter(|bytes| *bytes < MAX_32);
        let (Some(bytes), Some(content_bytes)) = (size(sum.bytes), size(sum.content_bytes)) else {
            return Err(io::ErrorKind::FileTooLarge.into());
        };
        self.member(name, VERSION_DEFLATE, 0);
        self.set(sum);
        self.local_header(sum.content.sum(), [bytes, content_bytes], &[])
    }

    /// Where the compressed bytes go.
    pub(crate) fn sink(&mut self) -> &mut impl Write {
        &mut self.sink
    }

    /// Writes the directory and flushes the sink. The caller says how many rows there are.
    pub(crate) fn finish(mut self, rows: u64) -> io::Result<Written> {
        let start = self.sink.bytes();
        for member in &self.members {
            let out = central_header(member, self.permissions);
            self.sink.write_all(&out)?;
        }
        let size = self.sink.bytes() - start;
        let end = end_of_directory(self.members.len(), size, start);
        self.sink.write_all(&end)?;
        self.sink.flush()?;
        Ok(self.sink.written(rows))
    }

    fn member(&mut self, name: &str, version: u16, flags: u16) {
        let flags = if name.is_ascii() { flags } else { flags | FLAG_UTF8 };
        let offset = self.sink.bytes();
        let name = name.to_owned();
        self.members.push(Member { name, version, flags, crc: 0, bytes: 0, content_bytes: 0, offset });
    }

    fn set(&mut self, sum: &Sum) {
        if let Some(member) = self.members.last_mut() {
            (member.crc, member.bytes, member.content_bytes) =
                (sum.content.sum(), sum.bytes, sum.content_bytes);
        }
    }

    fn local_header(&mut self, crc: u32, sizes: [u32; 2], extra: &[u8]) -> io::Result<()> {
        let Some(member) = self.members.last() else { return Ok(()) };
        let mut out = Vec::with_capacity(30 + member.name.len() + extra.len());
        push_32(&mut out, 0x0403_4b50);
        push_common(&mut out, member, crc, sizes, extra);
        out.extend_from_slice(member.name.as_bytes());
        out.extend_from_slice(extra);
        self.sink.write_all(&out)
    }
}

/// What the headers of a member have in common: from the version to the length of the extra field.
fn push_common(out: &mut Vec<u8>, member: &Member, crc: u32, sizes: [u32; 2], extra: &[u8]) {
    for value in [member.version, member.flags, METHOD_DEFLATE, 0, DATE] {
        push_16(out, value);
    }
    for value in [crc, sizes[0], sizes[1]] {
        push_32(out, value);
    }
    push_16(out, short(member.name.len()));
    push_16(out, short(extra.len()));
}

fn central_header(member: &Member, permissions: u32) -> Vec<u8> {
    let mut extra = Vec::new();
    let mut sizes = [member.bytes, member.content_bytes].map(|bytes| u32::try_from(bytes).unwrap_or(MAX_32));
    let far = member.offset >= u64::from(MAX_32);
    if member.version == VERSION_64 {
        sizes = [MAX_32; 2];
        push_64(&mut extra, member.content_bytes);
        push_64(&mut extra, member.bytes);
    }
    if far {
        push_64(&mut extra, member.offset);
    }
    if !extra.is_empty() {
        let mut field = Vec::with_capacity(4 + extra.len());
        push_16(&mut field, EXTRA_64);
        push_16(&mut field, short(extra.len()));
        field.append(&mut extra);
        extra = field;
    }
    let mut out = Vec::with_capacity(46 + member.name.len() + extra.len());
    push_32(&mut out, 0x0201_4b50);
    push_16(&mut out, UNIX | member.version);
    push_common(&mut out, member, member.crc, sizes, &extra);
    // No comment, the first disk, no attributes of the content.
    for _ in 0..3 {
        push_16(&mut out, 0);
    }
    push_32(&mut out, (REGULAR_FILE | permissions) << 16);
    push_32(&mut out, u32::try_from(member.offset).unwrap_or(MAX_32));
    out.extend_from_slice(member.name.as_bytes());
    out.extend_from_slice(&extra);
    out
}

fn end_of_directory(members: usize, size: u64, start: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let far = size.max(start) >= u64::from(MAX_32) || members >= usize::from(MAX_16);
    if far {
        let here = start + size;
        push_32(&mut out, 0x0606_4b50);
        // Bytes of this record after this number.
        push_64(&mut out, 44);
        push_16(&mut out, UNIX | VERSION_64);
        push_16(&mut out, VERSION_64);
        push_64(&mut out, 0);
        for value in [members as u64, members as u64, size, start] {
            push_64(&mut out, value);
        }
        push_32(&mut out, 0x0706_4b50);
        push_32(&mut out, 0);
        push_64(&mut out, here);
        push_32(&mut out, 1);
    }
    push_32(&mut out, 0x0605_4b50);
    push_32(&mut out, 0);
    for _ in 0..2 {
        push_16(&mut out, u16::try_from(members).unwrap_or(MAX_16));
    }
    push_32(&mut out, u32::try_from(size).unwrap_or(MAX_32));
    push_32(&mut out, u32::try_from(start).unwrap_or(MAX_32));
    push_16(&mut out, 0);
    out
}

/// The length of a name or of an extra field.
fn short(length: usize) -> u16 {
    u16::try_from(length).expect("names have at most 1024 bytes, and extra fields 28")
}

fn push_16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn push_32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn push_64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}
